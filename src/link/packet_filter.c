#include "packet_filter.h"

#include <base/ensure.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdbool.h>

/* Jumps in classic BPF go forward by a count of instructions. The program is written down in order with jumps
 * to labels, and each label patches the jumps that wanted it when its place is known. */
enum label {
    NEXT, /* the instruction that follows */
    LABEL_REJECT,
    LABEL_UNTAGGED,
    LABEL_IPV6,
    LABEL_ICMP,
    LABEL_ICMP_ERROR,
    LABEL_ICMPV6,
    LABEL_COUNT,
};

struct assembler {
    struct packet_filter *out;
    uint8_t wanted_true[PACKET_FILTER_MAX], wanted_false[PACKET_FILTER_MAX];
    uint32_t base; /* where the IP header starts */
    uint16_t port_first, port_last;
};

static void emit(struct assembler *a, uint16_t code, uint32_t k) {
    ENSURE(a->out->length < PACKET_FILTER_MAX);
    a->out->code[a->out->length++] = (struct sock_filter){.code = code, .k = k};
}

static void emit_jump(struct assembler *a, uint16_t test, uint32_t k, enum label if_true,
                      enum label if_false) {
    emit(a, BPF_JMP | test | BPF_K, k);
    a->wanted_true[a->out->length - 1] = (uint8_t)if_true;
    a->wanted_false[a->out->length - 1] = (uint8_t)if_false;
}

static void place(struct assembler *a, enum label label) {
    for (uint16_t i = 0; i < a->out->length; i++) {
        uint8_t distance = (uint8_t)(a->out->length - i - 1);
        if (a->wanted_true[i] == label) a->out->code[i].jt = distance;
        if (a->wanted_false[i] == label) a->out->code[i].jf = distance;
    }
}

static void load(struct assembler *a, uint16_t size, uint32_t offset) {
    emit(a, BPF_LD | size | BPF_ABS, a->base + offset);
}

static void load_ancillary(struct assembler *a, int32_t what) {
    emit(a, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + what));
}

/* `offset` counts from where X points within the packet: X holds a length to be skipped after the base. */
static void load_indexed(struct assembler *a, uint16_t size, uint32_t offset) {
    emit(a, BPF_LD | size | BPF_IND, a->base + offset);
}

static void accept_if_port_is_ours(struct assembler *a) {
    emit_jump(a, BPF_JGE, a->port_first, NEXT, LABEL_REJECT);
    emit_jump(a, BPF_JGT, a->port_last, LABEL_REJECT, NEXT);
    emit(a, BPF_RET | BPF_K, UINT32_MAX);
}

static void to_this_host_untagged(struct assembler *a) {
    load_ancillary(a, SKF_AD_PKTTYPE);
    emit_jump(a, BPF_JEQ, PACKET_HOST, NEXT, LABEL_REJECT);
    load_ancillary(a, SKF_AD_VLAN_TAG_PRESENT);
    emit_jump(a, BPF_JEQ, 0, LABEL_UNTAGGED, NEXT);
    load_ancillary(a, SKF_AD_VLAN_TAG); /* VLAN ID 0 only carries a priority */
    emit_jump(a, BPF_JSET, 0x0fff, LABEL_REJECT, NEXT);
    place(a, LABEL_UNTAGGED);
}

static void ipv4(struct assembler *a) {
    load(a, BPF_H, 6);
    emit_jump(a, BPF_JSET, 0x1fff, LABEL_REJECT, NEXT);
    emit(a, BPF_LDX | BPF_B | BPF_MSH, a->base); /* X = 4 * IHL */
    load(a, BPF_B, 9);
    emit_jump(a, BPF_JEQ, 6, NEXT, LABEL_ICMP);
    load_indexed(a, BPF_H, 2); /* TCP's destination port */
    accept_if_port_is_ours(a);

    place(a, LABEL_ICMP);
    emit_jump(a, BPF_JEQ, 1, NEXT, LABEL_REJECT);
    load_indexed(a, BPF_B, 0);
    emit_jump(a, BPF_JEQ, 3, LABEL_ICMP_ERROR, NEXT);  /* destination unreachable */
    emit_jump(a, BPF_JEQ, 11, LABEL_ICMP_ERROR, NEXT); /* time exceeded */
    emit_jump(a, BPF_JEQ, 12, NEXT, LABEL_REJECT);     /* parameter problem */
    place(a, LABEL_ICMP_ERROR);
    load_indexed(a, BPF_B, 8 + 9); /* protocol of the quoted packet */
    emit_jump(a, BPF_JEQ, 6, NEXT, LABEL_REJECT);
    load_indexed(a, BPF_B, 8); /* its IHL */
    emit(a, BPF_ALU | BPF_AND | BPF_K, 0x0f);
    emit(a, BPF_ALU | BPF_LSH | BPF_K, 2);
    emit(a, BPF_ALU | BPF_ADD | BPF_X, 0);
    emit(a, BPF_MISC | BPF_TAX, 0);
    load_indexed(a, BPF_H, 8); /* its source port */
    accept_if_port_is_ours(a);
}

static void ipv6(struct assembler *a) {
    load(a, BPF_B, 6);
    emit_jump(a, BPF_JEQ, 6, NEXT, LABEL_ICMPV6);
    load(a, BPF_H, 40 + 2);
    accept_if_port_is_ours(a);

    place(a, LABEL_ICMPV6);
    emit_jump(a, BPF_JEQ, 58, NEXT, LABEL_REJECT);
    load(a, BPF_B, 40);
    emit_jump(a, BPF_JGT, 127, LABEL_REJECT, NEXT); /* errors are below 128 (RFC 4443 §2.1) */
    load(a, BPF_B, 48 + 6);
    emit_jump(a, BPF_JEQ, 6, NEXT, LABEL_REJECT);
    load(a, BPF_H, 48 + 40);
    accept_if_port_is_ours(a);
}

void packet_filter_build(struct packet_filter *filter, uint32_t header_bytes, uint16_t port_first,
                         uint16_t port_last) {
    filter->length = 0;
    struct assembler a = {
        .out = filter, .base = header_bytes, .port_first = port_first, .port_last = port_last};
    to_this_host_untagged(&a);
    load_ancillary(&a, SKF_AD_PROTOCOL);
    emit_jump(&a, BPF_JEQ, ETH_P_IPV6, LABEL_IPV6, NEXT);
    emit_jump(&a, BPF_JEQ, ETH_P_IP, NEXT, LABEL_REJECT);
    ipv4(&a);
    place(&a, LABEL_IPV6);
    ipv6(&a);
    place(&a, LABEL_REJECT);
    emit(&a, BPF_RET | BPF_K, 0);
}
