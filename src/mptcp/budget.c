/* The memory that connections share (struct memory_budget). Below half of it nobody notices. Above, each connection's own
 * bounds, of what may be written and of the window that is offered, shrink in proportion to what is left, so that those that
 * hold much give way first; at the limit they are BUDGET_LEAST_BYTES, with which everyone still gets on. What was offered
 * before is not taken back (RFC 9293 §3.8.6.2.1 warns of that): of what arrives for it when nothing is left, only what can be
 * read at once is kept, and only while the application reads; the rest is as if it had been lost. */
#include "subflow.h"

static uint64_t held(const struct braid_connection *c) {
    uint64_t bytes = send_buffer_held(c) + c->receive.queue.length + c->receive.ahead.memory_bytes;
    LIST_EACH(&c->subflows, node, following) bytes += tcp_reassembly_bytes(SUBFLOW_OF(node)->t);
    return bytes;
}

static void settle(struct braid_connection *c, uint64_t bytes) {
    c->config.budget->held_bytes += bytes;
    c->config.budget->held_bytes -= c->held_bytes;
    c->held_bytes = bytes;
}

void budget_settle(struct braid_connection *c) {
    if (c->config.budget) settle(c, held(c));
}

void budget_leave(struct braid_connection *c) {
    if (c->config.budget) settle(c, 0);
}

uint32_t budget_bounded(const struct braid_connection *c, uint32_t bytes) {
    const struct memory_budget *b = c->config.budget;
    if (!b || b->limit_bytes == 0 || b->held_bytes <= b->limit_bytes / 2) return bytes;
    uint64_t left = b->held_bytes < b->limit_bytes ? b->limit_bytes - b->held_bytes : 0;
    uint64_t part = left / (b->limit_bytes / BUDGET_PARTS + 1); /* of BUDGET_PARTS / 2 */
    uint32_t least = bytes < BUDGET_LEAST_BYTES ? bytes : BUDGET_LEAST_BYTES;
    uint64_t bounded = bytes * part / (BUDGET_PARTS / 2);
    return bounded > least ? (uint32_t)bounded : least;
}

static bool exhausted(const struct braid_connection *c) {
    const struct memory_budget *b = c->config.budget;
    return b && b->limit_bytes > 0 && b->held_bytes >= b->limit_bytes;
}

bool budget_may_keep(void *owner, bool in_order) {
    const struct braid_connection *c = ((struct subflow *)owner)->c;
    return !exhausted(c) || (in_order && c->receive.queue.length < BUDGET_LEAST_BYTES);
}

bool budget_may_wait(const struct braid_connection *c) {
    return !exhausted(c) || c->receive.ahead.memory_bytes < BUDGET_LEAST_BYTES;
}
