/* What subflows found out of the MTU of the path from an address of ours to a host (RFC 8201 §5.2), for those that follow: they
 * begin with it, and need not lose their first segments to a hop that says nothing. Ten minutes later it is forgotten, for the
 * path may have become wider; so it is when one has found that the link's own MTU passes, and with the network. */
#include "stack_internal.h"

#define KNOWN_NS (UINT64_C(600) * BRAID_NS_PER_S)

static struct mtu_note *find(struct stack_mtu_memory *m, uint8_t path_id, const struct ip_address *remote) {
    for (unsigned i = 0; i < m->count; i++)
        if (m->notes[i].path_id == path_id && ip_address_equal(&m->notes[i].remote, remote)) return &m->notes[i];
    return NULL;
}

/* When there is no room the one that ends first makes it. */
static struct mtu_note *make_room(struct stack_mtu_memory *m) {
    if (m->count < STACK_MTU_NOTES_MAX) return &m->notes[m->count++];
    struct mtu_note *first = &m->notes[0];
    for (unsigned i = 1; i < m->count; i++)
        if (m->notes[i].until < first->until) first = &m->notes[i];
    return first;
}

uint32_t mtu_memory_known(void *host, uint8_t path_id, const struct ip_address *remote, braid_time *until) {
    struct braid_stack *stack = host;
    const struct mtu_note *note = find(&stack->mtus, path_id, remote);
    if (!note || note->until <= stack->seen_at) return 0;
    *until = note->until;
    return note->mtu_bytes;
}

void mtu_memory_found(void *host, uint8_t path_id, const struct ip_address *remote, uint32_t mtu_bytes, bool all,
                      braid_time now) {
    struct stack_mtu_memory *m = &((struct braid_stack *)host)->mtus;
    struct mtu_note *note = find(m, path_id, remote);
    if (all) {
        if (note) *note = m->notes[--m->count];
        return;
    }
    if (!note) note = make_room(m);
    *note = (struct mtu_note){.remote = *remote, .path_id = path_id, .mtu_bytes = mtu_bytes, .until = now + KNOWN_NS};
}

void mtu_memory_network_new(struct stack_mtu_memory *m, uint8_t path_id) {
    for (unsigned i = m->count; i > 0; i--)
        if (m->notes[i - 1].path_id == path_id) m->notes[i - 1] = m->notes[--m->count];
}
