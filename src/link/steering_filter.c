#include "steering_filter.h"

#include <base/ensure.h>

enum { V4_SOURCE = 12, V4_PORTS = 20, V6_SOURCE = 8, V6_PORTS = 40, SHIFT = 15 };

struct program {
    struct sock_filter *out;
    unsigned count;
};

static void put(struct program *p, uint16_t code, uint32_t k) {
    ENSURE(p->count < STEERING_FILTER_MAX);
    p->out[p->count++] = (struct sock_filter){.code = code, .k = k};
}

/* h (in memory 0) = (h ^ the word at `offset` of the IP header) * factor; h ^= h >> 15. */
static void put_word(struct program *p, uint32_t offset, uint32_t factor) {
    put(p, BPF_LDX | BPF_MEM, 0);
    put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + offset);
    put(p, BPF_ALU | BPF_XOR | BPF_X, 0);
    put(p, BPF_ALU | BPF_MUL | BPF_K, factor);
    put(p, BPF_MISC | BPF_TAX, 0);
    put(p, BPF_ALU | BPF_RSH | BPF_K, SHIFT);
    put(p, BPF_ALU | BPF_XOR | BPF_X, 0);
    put(p, BPF_ST, 0);
}

unsigned steering_filter(const struct braid_steering_home *home, bool v6, struct sock_filter out[STEERING_FILTER_MAX]) {
    struct program p = {.out = out};
    put(&p, BPF_LD | BPF_IMM, home->key);
    put(&p, BPF_ST, 0);
    for (uint32_t i = 0; i < (v6 ? 4 : 1); i++) put_word(&p, (v6 ? V6_SOURCE : V4_SOURCE) + 4 * i, home->factor);
    put_word(&p, v6 ? V6_PORTS : V4_PORTS, home->factor);
    put(&p, BPF_ALU | BPF_MOD | BPF_K, home->stacks);
    put(&p, BPF_RET | BPF_A, 0);
    return p.count;
}
