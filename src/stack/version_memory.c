/* Which peers are to be asked for version 0 (RFC 6824). One that knows nothing else ignores a SYN of version 1, as if it
 * knew no MPTCP at all, and so the next connection to it asks for version 0 (RFC 8684 §3.1 permits to remember). If that is
 * granted, version 0 it is for an hour; if not, version 1 for an hour, as if nothing had been. Then version 1 is asked for
 * again: peers are brought up to date. A network that is new may have other middleboxes, and begins anew.
 *
 * Only where it was asked for: most peers that do not answer version 1 speak no MPTCP. */
#include "stack_internal.h"

#define KNOWN_NS (UINT64_C(3600) * BRAID_NS_PER_S)

static struct version_note *find(struct stack_version_memory *m, uint8_t path_id, const struct ip_address *remote,
                                 braid_time now) {
    for (unsigned i = m->count; i > 0; i--)
        if (m->notes[i - 1].until <= now) m->notes[i - 1] = m->notes[--m->count];
    for (unsigned i = 0; i < m->count; i++)
        if (m->notes[i].path_id == path_id && ip_address_equal(&m->notes[i].remote, remote)) return &m->notes[i];
    return NULL;
}

bool version_memory_ask_0(struct stack_version_memory *m, uint8_t path_id, const struct ip_address *remote,
                          braid_time now) {
    const struct version_note *note = find(m, path_id, remote, now);
    return note && note->ask_0;
}

/* When there is no room the one that ends first makes it. */
static struct version_note *make_room(struct stack_version_memory *m) {
    if (m->count < STACK_VERSION_NOTES_MAX) return &m->notes[m->count++];
    struct version_note *first = &m->notes[0];
    for (unsigned i = 1; i < m->count; i++)
        if (m->notes[i].until < first->until) first = &m->notes[i];
    return first;
}

void version_memory_result(struct stack_version_memory *m, uint8_t path_id, const struct ip_address *remote,
                           bool asked_0, enum capable_outcome outcome, braid_time now) {
    struct version_note *note = find(m, path_id, remote, now);
    if (outcome != CAPABLE_IGNORED || (note && !asked_0)) return;
    if (!note) {
        note = make_room(m);
        *note = (struct version_note){.remote = *remote, .path_id = path_id};
    }
    note->ask_0 = !asked_0;
    note->until = now + KNOWN_NS;
}

void version_memory_network_new(struct stack_version_memory *m, uint8_t path_id) {
    for (unsigned i = m->count; i > 0; i--)
        if (m->notes[i - 1].path_id == path_id) m->notes[i - 1] = m->notes[--m->count];
}
