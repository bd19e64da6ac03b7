/* A path that costs more than it brings, when it is the peer that sends. What a sender can reckon (harm.c, worth.c) a receiver
 * sees: it offered a window, all of that has come but for what is awaited, and until that comes, by a path that is slow or
 * loses, nobody sends anything. A peer's scheduler may not care; the Linux kernel's does not. So the receiver keeps an account as
 * harm.c does:
 *
 *     it brings   what arrives by it
 *     it costs    what the others can carry, less what they do, while the window is shut but for what is awaited of it, or far more
 *                 waits behind that than the paths' round trips explain: then the peer's own memory is such a window
 *
 * The account is settled when what was awaited comes, and while it does not, again and again: all may stand still until a timeout
 * of the peer's, which nobody else can end.
 *
 * If within a while it costs more than it brings, and not just once, the peer is asked to spare it: MP_PRIO says that it is a
 * backup (RFC 8684 §3.3.8), for SPARE_FIRST_MS, and each time that it turns out no better, for twice as long. What lies under way
 * on it is not moved by that. If it goes on costing, the subflow is reset (§3.6, reason 5: unacceptable performance), for then the peer sends
 * at once on others what it lacks; it is built anew as one that kept losing is (losing.c). */
#include "subflow.h"

bool spare_asked(const struct subflow *sf) { return sf->spare && sf->spare->until != 0; }

/* So far data has come, with holes in it or not. */
static dsn64 highest(const struct braid_connection *c) {
    const struct list_node *runs = &c->receive.ahead.runs;
    if (list_empty(runs)) return c->receive.nxt;
    const struct run *last = LIST_ENTRY(runs->previous, struct run, node);
    return dsn64_add(last->dsn, last->data.length);
}

static bool concerned(const struct subflow *sf) {
    return sf->spare && subflow_carries(sf) && sf->status == SUBFLOW_ACTIVE && !sf->retiring;
}

/* All that the peer was permitted to send has come, but for what lies before it. */
static bool shut(const struct braid_connection *c) {
    return !list_empty(&c->receive.ahead.runs) && dsn64_diff(c->window.edge, highest(c)) < SPARE_SHUT_BYTES;
}

/* What others bring while something is on its way by the longest path waits for it; twice that is more. */
static bool piled_up(const struct braid_connection *c) {
    uint64_t bytes_per_s = 0;
    if (c->receive.ahead.bytes < SPARE_PILE_BYTES) return false;
    LIST_EACH(&c->subflows, node, following)
        if (concerned(SUBFLOW_OF(node))) bytes_per_s += SUBFLOW_OF(node)->spare->peak_bytes_per_s;
    return c->receive.ahead.bytes > SPARE_PILE_BYTES + 2 * bytes_per_s * (c->window.base_ns / BRAID_NS_PER_US) / 1000000;
}

/* Of all, or of those only that the peer was asked to spare; NULL: there is none. */
static struct subflow *longest_of(const struct braid_connection *c, bool asked_only) {
    struct subflow *longest = NULL;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (!concerned(sf) || (asked_only && !spare_asked(sf))) continue;
        if (!longest || tcp_receive_rtt(sf->t) > tcp_receive_rtt(longest->t)) longest = sf;
    }
    return longest;
}

/* What was awaited came by `sf`. By it, or by one that was sent in its place: then it is the longest of the others that kept
 * everyone waiting. */
static struct subflow *awaited(struct subflow *sf) {
    struct subflow *longest = sf->spare->had_hole ? NULL : longest_of(sf->c, false);
    return longest ? longest : sf;
}

/* Whom everyone waits for while nothing comes: one that was asked to be spared, or else the longest. */
static struct subflow *holding(const struct braid_connection *c) {
    struct subflow *asked = longest_of(c, true);
    return asked ? asked : longest_of(c, false);
}

static bool another_brings(const struct subflow *sf) {
    LIST_EACH(&sf->c->subflows, node, following) {
        const struct subflow *other = SUBFLOW_OF(node);
        if (other != sf && concerned(other) && !subflow_backup(other) && !spare_asked(other) && other->spare->brought_bytes > 0) return true;
    }
    return false;
}

static void tell(struct subflow *sf, braid_time now) {
    TRACE(sf->c->env, now, subflow_spared, .connection = sf->c->config.number, .subflow = sf->number, .spared = spare_asked(sf),
          .cost_bytes = sf->spare->cost_bytes, .brought_bytes = sf->spare->brought_bytes);
    sf->spare->cost_bytes = sf->spare->brought_bytes = 0;
    sf->spare->since = sf->spare->told_at = now;
    sf->spare->costly_since = 0;
    priority_signal(sf);
}

static void ask(struct subflow *sf, braid_time now) {
    struct spare *s = sf->spare;
    if (now - s->forgiven_from > NS_OF_MS(SPARE_FORGIVEN_MS)) s->times = 0;
    s->until = now + (NS_OF_MS(SPARE_FIRST_MS) << s->times);
    if (s->times < SPARE_BACKOFF_MAX) s->times++;
    s->forgiven_from = s->until;
    sf->c->window.stretch->held_up.spared++;
    COUNT(sf->c, subflow_spared);
    tell(sf, now);
}

static void judge(struct subflow *sf, braid_time now) {
    struct spare *s = sf->spare;
    if (s->cost_bytes < SPARE_LEAST_BYTES || s->cost_bytes <= s->brought_bytes) return;
    if (now - s->told_at < 2 * window_base(sf) + NS_OF_MS(SPARE_ANSWER_EXTRA_MS)) return;
    if (now - s->costly_since < NS_OF_MS(SPARE_PATIENCE_MS)) return; /* what became longer costs once */
    if (subflow_backup(sf) || !another_brings(sf)) return;
    if (!spare_asked(sf)) {
        ask(sf, now);
    } else {
        COUNT(sf->c, subflow_costly);
        subflow_reset(sf, MPTCP_RESET_UNACCEPTABLE_PERFORMANCE, true, now);
    }
}

static void charge(struct subflow *sf, braid_time waited, uint64_t arrived_bytes, braid_time now) {
    uint64_t bytes_per_s = 0;
    LIST_EACH(&sf->c->subflows, node, following) {
        const struct subflow *other = SUBFLOW_OF(node);
        if (other != sf && concerned(other) && !subflow_backup(other) && !spare_asked(other)) bytes_per_s += other->spare->peak_bytes_per_s;
    }
    uint64_t possible = bytes_per_s * (waited / BRAID_NS_PER_US) / 1000000;
    if (possible <= arrived_bytes) return;
    if (sf->spare->costly_since == 0) sf->spare->costly_since = now - waited;
    sf->spare->cost_bytes += possible - arrived_bytes;
    judge(sf, now);
}

static void forget(struct spare *s, braid_time now) {
    if (now - s->since < NS_OF_MS(SPARE_PERIOD_MS)) return;
    s->since = now;
    s->cost_bytes /= 2;
    s->brought_bytes /= 2;
    if (s->cost_bytes < SPARE_LEAST_BYTES) s->costly_since = 0;
    s->peak_bytes_per_s -= s->peak_bytes_per_s / SPARE_PEAK_DIVISOR;
}

/* What a path carries when it is not kept waiting; looked at when an interval of its meter has ended. */
static void note_rate(struct subflow *sf, braid_time now) {
    if (sf->meter.interval_bytes > 0) return;
    uint64_t bytes_per_s = window_rate(sf, now);
    if (bytes_per_s > sf->spare->peak_bytes_per_s) sf->spare->peak_bytes_per_s = bytes_per_s;
}

/* What is awaited has come, by `sf`, or has not yet: everyone has waited for it since held_up.since. */
static void settle_account(struct subflow *sf, braid_time now) {
    struct stretch *stretch = sf->c->window.stretch;
    braid_time waited = now - stretch->held_up.since;
    uint64_t arrived_bytes = stretch->held_up.bytes;
    if (stretch->held_up.shut) stretch->shut_ns += waited;
    stretch->held_up.since = 0;
    stretch->held_up.bytes = 0;
    charge(sf, waited, arrived_bytes, now);
}

braid_time spare_deadline(const struct braid_connection *c) {
    const struct stretch *stretch = c->window.stretch;
    if (!stretch || stretch->held_up.since == 0 || connection_linear(c) || c->receive.fin_reached) return BRAID_NEVER;
    return stretch->held_up.since + 2 * c->window.base_ns + NS_OF_MS(SPARE_PATIENCE_MS);
}

void spare_expire(struct braid_connection *c, braid_time now) {
    if (spare_deadline(c) > now) return;
    struct subflow *sf = holding(c);
    if (sf) settle_account(sf, now);
    c->window.stretch->held_up.since = now;
}

static bool beside_another(const struct subflow *sf) {
    LIST_EACH(&sf->c->subflows, node, following)
        if (SUBFLOW_OF(node) != sf && subflow_carries(SUBFLOW_OF(node))) return true;
    return false;
}

static bool account_opened(struct subflow *sf, braid_time now) {
    struct braid_connection *c = sf->c;
    if (sf->spare) return true;
    if (!beside_another(sf) || !window_stretch(c)) return false;
    sf->spare = c->env->allocate(c->env->context, sizeof(*sf->spare));
    if (sf->spare) *sf->spare = (struct spare){.since = now, .told_at = now, .ahead_bytes = c->receive.ahead.bytes};
    return sf->spare != NULL;
}

void spare_deinit(struct subflow *sf) {
    if (spare_asked(sf)) sf->c->window.stretch->held_up.spared--;
    if (sf->spare) sf->c->env->release(sf->c->env->context, sf->spare, sizeof(*sf->spare));
    sf->spare = NULL;
}

static void trials_begin(struct braid_connection *c, braid_time now) {
    if (c->window.stretch->held_up.spared == 0) return;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (!spare_asked(sf) || now < sf->spare->until) continue;
        sf->spare->until = 0;
        c->window.stretch->held_up.spared--;
        tell(sf, now);
    }
}

/* New, and mapped: what is said again, or without a mapping, is nothing. */
static uint32_t new_bytes(const struct subflow *sf, dsn64 awaited_before) {
    const struct receiving *r = &sf->c->receive;
    int64_t more = dsn64_diff(r->nxt, awaited_before) + (int64_t)r->ahead.bytes - (int64_t)sf->spare->ahead_bytes;
    return more > 0 ? (uint32_t)more : 0;
}

void spare_data_arrived(struct subflow *sf, dsn64 awaited_before, braid_time now) {
    struct braid_connection *c = sf->c;
    if (connection_linear(c) || c->receive.fin_reached || sf->closed || !account_opened(sf, now)) return;
    struct stretch *stretch = c->window.stretch;
    uint32_t bytes = new_bytes(sf, awaited_before);
    forget(sf->spare, now);
    note_rate(sf, now);
    sf->spare->brought_bytes += bytes;
    window_reached(sf, highest(c), bytes, now);
    stretch->held_up.bytes += bytes;
    if (stretch->held_up.since != 0 && !dsn64_eq(c->receive.nxt, awaited_before)) settle_account(awaited(sf), now);
    stretch->held_up.shut = shut(c);
    if (stretch->held_up.since == 0 && (stretch->held_up.shut || piled_up(c))) {
        stretch->held_up.since = now;
        stretch->held_up.bytes = 0;
    }
    trials_begin(c, now);
}
