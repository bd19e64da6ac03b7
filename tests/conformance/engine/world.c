/* One stack in virtual time, whose packets are kept until the script asks for them. */
#include "script.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>

enum { STEPS_MAX = 200000, BATCH = 16 };

bool address_of(const char *text, struct braid_address *out) {
    *out = (struct braid_address){.family = strchr(text, ':') != NULL ? 6 : 4};
    return inet_pton(out->family == 4 ? AF_INET : AF_INET6, text, out->bytes) == 1;
}

const char *address_text(const struct braid_address *address, char *text, size_t room) {
    return inet_ntop(address->family == 4 ? AF_INET : AF_INET6, address->bytes, text, (socklen_t)room);
}

struct script_flow *flow_by_name(struct script *s, const char *name) {
    for (unsigned i = 0; i < s->flow_count; i++)
        if (strcmp(s->flows[i].name, name) == 0) return &s->flows[i];
    return NULL;
}

/* --- what the stack gets --- */

static void *take_memory(void *context, size_t size) {
    struct script *s = context;
    if (s->no_memory) return NULL;
    s->live_bytes += (long)size;
    return malloc(size);
}

static void give_memory(void *context, void *memory, size_t size) {
    struct script *s = context;
    if (memory != NULL) s->live_bytes -= (long)size;
    free(memory);
}

/* Always the same "secrets": a script plays the same way every time. */
static bool draw(void *context, void *out, size_t size) {
    struct script *s = context;
    if (s->random_stuck) {
        memset(out, 0x5a, size);
        return true;
    }
    for (size_t i = 0; i < size; i++) {
        s->random = s->random * 6364136223846793005u + 1442695040888963407u;
        ((uint8_t *)out)[i] = (uint8_t)(s->random >> 33);
    }
    return true;
}

bool world_start(struct script *s) {
    if (s->stack != NULL) return true;
    s->env = (struct braid_env){.context = s, .allocate = take_memory, .release = give_memory, .random_secret = draw,
                                .jitter_seed = 1};
    s->started = s->now = 10 * BRAID_NS_PER_S;
    s->stack = braid_stack_create(&s->env, &s->config);
    return s->stack != NULL || script_fail(s, "the stack was not made");
}

void world_stop(struct script *s) {
    if (s->stack == NULL) return;
    braid_stack_destroy(s->stack);
    s->stack = NULL;
    if (s->live_bytes != 0) script_fail(s, "%ld bytes were not given back", s->live_bytes);
}

/* --- its life --- */

static void note_events(struct script *s) {
    struct braid_event event;
    while (braid_stack_next_event(s->stack, &event)) {
        if (!(event.bits & (BRAID_EVENT_ACCEPTED | BRAID_EVENT_INCOMING))) continue;
        s->accepted = event.connection;
        s->deferred = (event.bits & BRAID_EVENT_INCOMING) != 0;
    }
}

static bool note_packet(struct script *s, const struct braid_packet_out *out) {
    uint8_t bytes[PACKET_MAX_BYTES];
    uint32_t length = out->header_length;
    if (s->sent_count == SENT_MAX) return script_fail(s, "we sent more packets than anyone would look at");
    if (length + out->payload_length > sizeof(bytes)) return script_fail(s, "we sent a packet too long");
    memcpy(bytes, out->header, length);
    for (unsigned i = 0; i < out->slice_count; i++) {
        memcpy(bytes + length, out->slices[i].bytes, out->slices[i].length);
        length += out->slices[i].length;
    }
    struct sent_packet *sent = &s->sent[s->sent_count];
    if (!packet_decode(s, bytes, length, &sent->packet)) return false;
    sent->at = s->now;
    sent->flow = sent->packet.flow;
    if (out->link != sent->flow->link) return script_fail(s, "we sent by the wrong link");
    packet_print(&sent->packet, sent->text, sizeof(sent->text));
    s->sent_count++;
    return true;
}

bool world_flush(struct script *s) {
    struct braid_packet_out packets[BATCH];
    size_t count;
    do {
        memset(packets, 0, sizeof(packets));
        count = braid_stack_output(s->stack, packets, BATCH, s->now);
        for (size_t i = 0; i < count; i++) {
            note_packet(s, &packets[i]);
            braid_packet_out_release(&packets[i]);
        }
    } while (count == BATCH && !script_failed(s));
    note_events(s);
    braid_stack_check_invariants(s->stack);
    return !script_failed(s);
}

static bool run(struct script *s, braid_time until, bool to_packet) {
    for (unsigned step = 0; step < STEPS_MAX; step++) {
        if (!world_flush(s)) return false;
        if (to_packet && s->sent_count > 0) return true;
        braid_time deadline = braid_stack_deadline(s->stack);
        if (deadline > until) {
            s->now = until;
            return true;
        }
        if (deadline > s->now) s->now = deadline;
        braid_stack_expire(s->stack, s->now);
    }
    return script_fail(s, "the stack never comes to rest");
}

bool world_run(struct script *s, braid_time until) { return run(s, until, false); }
bool world_run_to_packet(struct script *s, braid_time until) { return run(s, until, true); }

bool world_inject(struct script *s, const struct packet_text *p) {
    uint8_t bytes[PACKET_MAX_BYTES];
    uint32_t length = packet_encode(s, p, bytes);
    if (script_failed(s)) return false;
    struct braid_packet_in in = {.bytes = bytes, .length = length};
    braid_stack_input(s->stack, p->flow->link, &in, 1, s->now);
    return s->together || world_flush(s);
}
