/* Where SYNs with MP_CAPABLE go unanswered: by one of our addresses, to one of others. Some middlebox drops them, or it was
 * bad luck, as when a network goes away and comes back while a connection is begun. So one failure only makes the next
 * connection ask less often; the second in a row makes those that follow not ask at all, for ten minutes, then twenty, up to
 * an hour, between which one asks once. Whatever is granted, or a network that is new, and it is forgotten; and in any
 * case an hour after its last time was over. */
#include "stack_internal.h"

#define FORGIVING_NS (UINT64_C(600) * BRAID_NS_PER_S)
#define LONGEST_NS (UINT64_C(3600) * BRAID_NS_PER_S)

static void forget(struct stack_capable_memory *m, struct capable_failure *f) { *f = m->failures[--m->count]; }

static void forget_old(struct stack_capable_memory *m, braid_time now) {
    for (unsigned i = m->count; i > 0; i--) {
        if (now > m->failures[i - 1].until && now - m->failures[i - 1].until >= LONGEST_NS) forget(m, &m->failures[i - 1]);
    }
}

static struct capable_failure *find(struct stack_capable_memory *m, uint8_t path_id, const struct ip_address *remote) {
    for (unsigned i = 0; i < m->count; i++) {
        struct capable_failure *f = &m->failures[i];
        if (f->path_id == path_id && ip_address_equal(&f->remote, remote)) return f;
    }
    return NULL;
}

bool capable_memory_ask(struct stack_capable_memory *m, uint8_t path_id, const struct ip_address *remote, braid_time now,
                        uint8_t *syns) {
    forget_old(m, now);
    const struct capable_failure *f = find(m, path_id, remote);
    *syns = f ? 1 : 0;
    return !f || f->times < 2 || now >= f->until;
}

static struct capable_failure *make_room(struct stack_capable_memory *m) {
    if (m->count < STACK_CAPABLE_FAILURES_MAX) return &m->failures[m->count++];
    struct capable_failure *first = &m->failures[0];
    for (unsigned i = 1; i < m->count; i++) {
        if (m->failures[i].until < first->until) first = &m->failures[i];
    }
    return first;
}

void capable_memory_result(struct stack_capable_memory *m, uint8_t path_id, const struct ip_address *remote,
                           enum capable_outcome outcome, braid_time now) {
    struct capable_failure *f = find(m, path_id, remote);
    if (outcome == CAPABLE_GRANTED && f) forget(m, f);
    if (outcome != CAPABLE_UNANSWERED) return;
    if (!f) {
        f = make_room(m);
        *f = (struct capable_failure){.remote = *remote, .path_id = path_id};
    }
    braid_time wait = FORGIVING_NS << (f->times > 4 ? 3 : f->times > 1 ? f->times - 1 : 0);
    if (f->times < 16) f->times++;
    f->until = now + (wait < LONGEST_NS ? wait : LONGEST_NS);
}

void capable_memory_network_new(struct stack_capable_memory *m, uint8_t path_id) {
    for (unsigned i = m->count; i > 0; i--) {
        if (m->failures[i - 1].path_id == path_id) forget(m, &m->failures[i - 1]);
    }
}
