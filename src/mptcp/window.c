/* The receive window, and how large it is. It is shared by all subflows and counts from the DATA_ACK (RFC 8684
 * §3.3.4); its right edge never goes back.
 *
 * Why its size matters. A peer gives to its subflows all that the window permits, at once: the Linux kernel spreads it
 * so that each subflow has the same time's worth queued. What lies queued on a subflow cannot be taken back. When one
 * path is lost, the peer sends again what that path had, behind whatever is queued on the other: the silence that the
 * application sees is one round trip of the surviving path plus the time that queue takes to drain. So the window is
 * the receiver's way to keep its peer's queues short: large enough to keep every path busy, and hardly larger.
 *
 * How large. Bytes stay unacknowledged at the data level from when they are given to a subflow until the DATA_ACK is
 * back. In the data order everyone waits for the slowest path, so that is the largest round-trip time of the paths (of
 * those that may be used: one that the peer leaves idle for want of window must be given the chance); and bytes enter
 * at the sum of the paths' rates. Hence
 *
 *     window = (sum of rates) * (worst min RTT * gain + slack)
 *
 * The rate of a path is the most that arrived on it in a round trip, of the last RATE_INTERVALS; counted at arrival,
 * retransmissions included, so that filling a hole is no burst. The RTT is the smallest known, for the current one has
 * the very queue in it that is to be avoided. With a gain of 2 the window doubles as fast as slow start does: that
 * holds while the sum of rates still grows, by a quarter in a round trip as BBR has it, and anew when a subflow is
 * added. Afterwards 1.25 remain, so that a path that gets faster is found out: the rate rises with the window by a
 * quarter in a round trip until the path is full, and then the window stays with the path. The slack covers what is no
 * round trip at all: acknowledgements held back a moment, bursts, timers; beyond two megabytes for each subflow it would only be more
 * than the processor's caches hold, for at such rates both ends are near. The window is never set below its initial size, so that
 * the next message, or the start of a transfer, is not held up; nor above receive_buffer_max.
 *
 * A peer may also give a path more than it can send soon, as Linux does: then the window is used up by what waits there,
 * and the others stand still. If all of it was there but for what is awaited for a noticeable time, or the peer used all that it
 * could know of while less came than the paths have shown to carry, it is stretched, by a quarter in a round trip; and eased
 * again when that is over, the later the more often it was too soon.
 *
 * Where others keep a queue filled, or the path has become longer, that would be too small: crowd.c finds it out, and then
 * the round trip as it is takes the smallest one's place.
 *
 * Without MPTCP there is no handover to keep short: a plain TCP connection gets a generous window, several times what
 * arrived in the last round trip, which only grows (dynamic right-sizing); but where a round trip with its queue is that short, the
 * queue does not count. */
#include "subflow.h"

enum window_constant {
    START_GAIN_PERCENT = 200,
    STEADY_GAIN_PERCENT = 125,
    SLACK_US = 5000,
    SLACK_BYTES_MAX = 1 << 21,      /* of each subflow */
    GROWTH_PERCENT = 125,         /* in one round trip: what counts as still growing */
    ROUNDS_WITHOUT_GROWTH = 3,
    RATE_INTERVAL_MIN_US = 5000,  /* shorter than this, a rate is only noise */
    RTT_UNKNOWN_US = 100000,
    USED_SHARE_PERCENT = 2,       /* of all that arrives: less, and a backup's RTT does not count */
    PLAIN_FACTOR = 4,             /* plain TCP: window per bytes arrived in a round trip, ... */
    PLAIN_NEAR_BYTES = 1 << 20,   /* ... and what is enough for a peer that is near */
    STRETCH_STEP_PERCENT = 125,   /* when it was shut for more than ... */
    STRETCH_SHUT_PERCENT = 12,     /* ... so much of a round trip, or limited while less than ... */
    STRETCH_USED_PERCENT = 85,    /* ... so much came of what the paths can */
    STRETCH_MAX_PERCENT = 800,
    STRETCH_ROUNDS_MIN = 4,       /* without that: a step back; twice as many, if that was too soon */
    STRETCH_ROUNDS_MAX = 64,
    STEP_BYTES = 1400,            /* the edge moves by no less (RFC 9293 §3.8.6.2.2) */
};

void window_init(struct braid_connection *c) {
    c->window.target_bytes = c->config.receive_buffer_initial_bytes;
    c->window.starting = true;
}

void window_start(struct braid_connection *c) {
    c->window.round_start = c->now;
    c->window.starting = true;
}

/* A subflow more: what the paths carry together is found out anew. One less: it is known, and this is the moment to
 * keep queues short. */
void window_subflows_changed(struct braid_connection *c, bool more) {
    c->window.starting = more;
    c->window.rate_news = true;
    c->window.rounds_without_growth = 0;
    c->window.full_bytes_per_s = 0;
}

/* --- what is offered --- */

/* [R-3.3.4-1] */
uint32_t window_offer(struct braid_connection *c) {
    const struct receiving *r = &c->receive;
    struct window *w = &c->window;
    uint64_t unread = r->queue.length;
    uint32_t target = budget_bounded(c, w->target_bytes);
    if (unread < target) {
        uint64_t room = target - unread;
        dsn64 candidate = dsn64_add(r->nxt, room);
        int64_t step = dsn64_diff(candidate, w->edge);
        if (step >= STEP_BYTES || (step > 0 && step >= (int64_t)target / 2)) w->edge = candidate;
    }
    int64_t window = dsn64_diff(w->edge, r->nxt);
    if (window < 0) return 0;
    return window < (int64_t)c->config.receive_buffer_max_bytes ? (uint32_t)window : c->config.receive_buffer_max_bytes;
}

uint32_t window_receive(void *owner, struct tcp *t) {
    struct subflow *sf = owner;
    (void)t;
    return window_offer(sf->c);
}

/* Under MPTCP windows count from the DATA_ACK, and of two that came by different paths either may be the older. */
void window_shrunk(void *owner) {
    const struct subflow *sf = owner;
    if (connection_linear(sf->c)) COUNT(sf->c, window_shrunk);
}

void window_said(struct braid_connection *c) { c->window.told = dsn64_add(c->receive.nxt, window_offer(c)); }

/* When a hole in the data order is filled, all that waited behind it is readable at once: the ACK of what filled it says
 * that there is no room, and a moment later all of it is read. A subflow does not see that the window opened, for it was
 * told as much before, from an older DATA_ACK on. */
static bool opened_unsaid(struct braid_connection *c) {
    struct window *w = &c->window;
    if (connection_linear(c)) return false;
    int64_t known = dsn64_diff(w->told, c->receive.nxt), offered = (int64_t)window_offer(c);
    return known < (int64_t)w->target_bytes / 4 && offered - known >= (int64_t)w->target_bytes / 4;
}

/* The application read. A shut window must be reported on every subflow, for a peer minds each one's own, too;
 * otherwise what comes and is acknowledged tells it in time. */
void window_read(struct braid_connection *c, uint64_t bytes, braid_time now) {
    struct window *w = &c->window;
    w->opened_bytes += bytes;
    int64_t left = dsn64_diff(w->edge, c->receive.nxt);
    if (w->opened_bytes < 2 * STEP_BYTES && left > STEP_BYTES) return;
    if (left > (int64_t)w->target_bytes / 2 && w->opened_bytes < w->target_bytes / 4) return;
    w->opened_bytes = 0;
    bool unsaid = opened_unsaid(c);
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (sf->closed || sf->status == SUBFLOW_CONNECTING) continue;
        if (unsaid) tcp_ack_now(sf->t);
        else tcp_window_opened(sf->t, now);
    }
    connection_wake(c);
}

/* --- measuring --- */

/* Without a queue. */
static braid_time path_base(const struct subflow *sf) {
    braid_time min = tcp_min_rtt(sf->t), received = tcp_receive_rtt(sf->t), base = sf->meter.crowd.base_ns;
    if (base > received) base = received;
    if (base > min) return base;
    if (min > 0) return min;
    return received > 0 ? received : RTT_UNKNOWN_US * BRAID_NS_PER_US;
}

static braid_time path_rtt(const struct subflow *sf) {
    braid_time base = path_base(sf), received = tcp_receive_rtt(sf->t);
    bool crowded = sf->meter.crowd.crowded && sf->c->window.trial_until == 0;
    return crowded && received > base ? received : base;
}

braid_time window_span(braid_time rtt_ns) {
    return rtt_ns * STEADY_GAIN_PERCENT / 100 + SLACK_US * BRAID_NS_PER_US;
}

static void meter_note(struct rate_meter *m, uint64_t bytes_per_s, braid_time now) {
    m->best[m->next].bytes_per_s = bytes_per_s;
    m->best[m->next].at = now;
    m->next = (m->next + 1) % RATE_INTERVALS;
}

static uint64_t meter_best(const struct rate_meter *m, braid_time rtt_ns, braid_time now) {
    uint64_t best = 0;
    braid_time interval = rtt_ns;
    if (interval < RATE_INTERVAL_MIN_US * BRAID_NS_PER_US) interval = RATE_INTERVAL_MIN_US * BRAID_NS_PER_US;
    for (unsigned i = 0; i < RATE_INTERVALS; i++) {
        if (m->best[i].at + 2 * RATE_INTERVALS * interval < now) continue;
        if (m->best[i].bytes_per_s > best) best = m->best[i].bytes_per_s;
    }
    return best;
}

void window_arrived(struct subflow *sf, uint32_t bytes, braid_time now) {
    struct rate_meter *m = &sf->meter;
    if (bytes == 0) return;
    if (m->interval_start == 0) {
        m->interval_start = now; /* bytes of the moment it starts belong to the interval before */
        return;
    }
    m->interval_bytes += bytes;
    braid_time interval = path_base(sf), passed = now - m->interval_start;
    if (interval < RATE_INTERVAL_MIN_US * BRAID_NS_PER_US) interval = RATE_INTERVAL_MIN_US * BRAID_NS_PER_US;
    if (passed < interval) return;
    meter_note(m, m->interval_bytes * BRAID_NS_PER_S / passed, now);
    crowd_arrived(sf, meter_best(m, interval, now), now);
    sf->c->window.rate_news = true;
    m->interval_start = now;
    m->interval_bytes = 0;
}

uint64_t window_round_bytes(const struct subflow *sf, braid_time now) {
    const struct rate_meter *m = &sf->meter;
    braid_time base = path_base(sf), received = tcp_receive_rtt(sf->t), rtt = received > base ? received : base;
    uint64_t lately = meter_best(m, base, now) * (rtt / BRAID_NS_PER_US) / 1000000;
    return lately > m->interval_bytes ? lately : m->interval_bytes;
}

braid_time window_base(const struct subflow *sf) { return path_base(sf); }

uint64_t window_rate(const struct subflow *sf, braid_time now) { return meter_best(&sf->meter, path_base(sf), now); }

struct arrival {
    uint64_t bytes_per_s;
    braid_time rtt_ns;
    braid_time base_ns; /* without others' queues */
    braid_time fast_ns; /* of the shortest path */
    unsigned subflows;
    bool crowded;
};

static bool counts(const struct subflow *sf) {
    return !sf->closed && (sf->status == SUBFLOW_ACTIVE || sf->status == SUBFLOW_SUSPECTED);
}

static struct arrival measure(const struct braid_connection *c, braid_time now) {
    struct arrival sum = {0};
    LIST_EACH(&c->subflows, node, following) {
        const struct subflow *sf = SUBFLOW_OF(node);
        if (!counts(sf)) continue;
        sum.subflows++;
        sum.bytes_per_s += meter_best(&sf->meter, path_base(sf), now);
    }
    LIST_EACH(&c->subflows, node, following) {
        const struct subflow *sf = SUBFLOW_OF(node);
        if (!counts(sf)) continue;
        braid_time rtt = path_rtt(sf);
        bool used = meter_best(&sf->meter, path_base(sf), now) * 100 >= sum.bytes_per_s * USED_SHARE_PERCENT;
        if (!used && (subflow_backup(sf) || spare_asked(sf))) continue;
        if (rtt > sum.rtt_ns) sum.rtt_ns = rtt;
        if (sf->meter.crowd.crowded) sum.crowded = true;
        if (path_base(sf) > sum.base_ns) sum.base_ns = path_base(sf);
        if (sum.fast_ns == 0 || path_base(sf) < sum.fast_ns) sum.fast_ns = path_base(sf);
    }
    return sum;
}

struct stretch *window_stretch(struct braid_connection *c) {
    struct window *w = &c->window;
    if (w->stretch) return w->stretch;
    w->stretch = c->env->allocate(c->env->context, sizeof(*w->stretch));
    if (w->stretch) *w->stretch = (struct stretch){.percent = 100, .rounds = STRETCH_ROUNDS_MIN, .fast_ns = w->base_ns};
    return w->stretch;
}

void window_deinit(struct braid_connection *c) {
    if (c->window.stretch) c->env->release(c->env->context, c->window.stretch, sizeof(*c->window.stretch));
    c->window.stretch = NULL;
}

/* What the peer knew when it sent what comes now by a path with this round trip. */
static dsn64 edge_known(const struct stretch *s, braid_time rtt_ns) {
    braid_time step = s->fast_ns / WINDOW_EDGES_A_ROUND;
    unsigned ago = step > 0 && rtt_ns / step < WINDOW_EDGES - 1 ? (unsigned)(rtt_ns / step) : WINDOW_EDGES - 1;
    return s->edges[(s->edge_next + WINDOW_EDGES - 1 - ago) % WINDOW_EDGES];
}

void window_reached(struct subflow *sf, dsn64 highest, uint32_t bytes, braid_time now) {
    struct stretch *s = sf->c->window.stretch;
    if (dsn64_ge(dsn64_add(highest, 2 * STEP_BYTES), edge_known(s, tcp_receive_rtt(sf->t)))) s->limited_bytes += bytes;
    s->arrived_bytes += bytes;
    if (now - s->edge_at < s->fast_ns / WINDOW_EDGES_A_ROUND) return;
    s->edge_at = now;
    s->edges[s->edge_next] = sf->c->window.edge;
    s->edge_next = (s->edge_next + 1) % WINDOW_EDGES;
}

static bool too_small(const struct stretch *s, const struct arrival *a, braid_time round_ns) {
    if (a->crowded) return false; /* then it does not bind as it is */
    if (s->shut_ns * 100 > round_ns * STRETCH_SHUT_PERCENT) return true;
    uint64_t possible = a->bytes_per_s * (round_ns / BRAID_NS_PER_US) / 1000000;
    return 2 * s->limited_bytes > s->arrived_bytes && s->arrived_bytes * 100 < possible * STRETCH_USED_PERCENT;
}

/* It is held longer the more often it turns out to be needed: a burst of losses is over soon, a peer's ways stay. */
static void stretch_more(struct stretch *s) {
    if (s->eased && s->rounds < STRETCH_ROUNDS_MAX) s->rounds *= 2;
    unsigned percent = s->percent * STRETCH_STEP_PERCENT / 100;
    s->percent = (uint16_t)(percent < STRETCH_MAX_PERCENT ? percent : STRETCH_MAX_PERCENT);
    s->eased = false;
    s->rounds_open = 0;
}

static void stretch_less(struct stretch *s) {
    if (++s->rounds_open < s->rounds) return;
    s->rounds_open = 0;
    if (s->percent == 100) {
        s->rounds = s->rounds / 2 > STRETCH_ROUNDS_MIN ? s->rounds / 2 : STRETCH_ROUNDS_MIN;
        return;
    }
    unsigned percent = s->percent * 100 / STRETCH_STEP_PERCENT;
    s->percent = (uint16_t)(percent > 100 ? percent : 100);
    s->eased = true;
}

static void judge_stretch(struct stretch *s, const struct arrival *a, braid_time round_ns) {
    if (too_small(s, a, round_ns)) stretch_more(s);
    else stretch_less(s);
    s->shut_ns = 0;
    s->arrived_bytes = s->limited_bytes = 0;
    s->fast_ns = a->fast_ns;
}

static void judge_growth(struct window *w, const struct arrival *a, braid_time now) {
    if (now - w->round_start < a->rtt_ns) return;
    if (w->stretch) judge_stretch(w->stretch, a, now - w->round_start);
    w->round_start = now;
    if (a->bytes_per_s * 100 >= w->full_bytes_per_s * GROWTH_PERCENT) {
        w->full_bytes_per_s = a->bytes_per_s;
        w->rounds_without_growth = 0;
    } else if (++w->rounds_without_growth >= ROUNDS_WITHOUT_GROWTH) {
        w->starting = false;
    }
}

static uint32_t bounded(const struct braid_connection *c, uint64_t bytes) {
    if (bytes < c->config.receive_buffer_initial_bytes) return c->config.receive_buffer_initial_bytes;
    if (bytes > c->config.receive_buffer_max_bytes) return c->config.receive_buffer_max_bytes;
    return (uint32_t)bytes;
}

/* Not beyond half of the bound: that is for what the paths need. */
static uint64_t stretched(const struct braid_connection *c, uint64_t bytes) {
    if (!c->window.stretch) return bytes;
    uint64_t more = bytes * c->window.stretch->percent / 100, most = c->config.receive_buffer_max_bytes / 2;
    if (more > most) more = most;
    return more > bytes ? more : bytes;
}

static uint64_t slack_bytes(const struct arrival *a) {
    uint64_t bytes = a->bytes_per_s * SLACK_US / 1000000, most = (uint64_t)a->subflows * SLACK_BYTES_MAX;
    return bytes < most ? bytes : most;
}

static void update_multipath(struct braid_connection *c, braid_time now) {
    struct window *w = &c->window;
    crowd_try(c, now);
    /* It stays what it was until a rate is known anew, or a round trip is over. */
    if (!w->rate_news && now - w->round_start < w->round_ns) return;
    struct arrival a = measure(c, now);
    w->rate_news = false;
    w->round_ns = a.rtt_ns;
    w->base_ns = a.base_ns;
    if (a.bytes_per_s == 0) return;
    judge_growth(w, &a, now);
    unsigned gain = w->starting ? START_GAIN_PERCENT : STEADY_GAIN_PERCENT;
    uint64_t span_us = a.rtt_ns / BRAID_NS_PER_US * gain / 100;
    uint32_t target = bounded(c, stretched(c, a.bytes_per_s * span_us / 1000000 + slack_bytes(&a)));
    if (target == w->target_bytes) return;
    w->target_bytes = target;
    TRACE(c->env, now, connection_window, .connection = c->config.number, .window_bytes = target,
          .rate_bytes_per_s = a.bytes_per_s, .rtt_us = a.rtt_ns / BRAID_NS_PER_US);
}

/* arrived: in a round trip of rtt_ns. What it would be without a queue is known as min RTT. */
static uint64_t plain_target(const struct subflow *sf, uint64_t arrived, braid_time rtt_ns) {
    uint64_t wanted = PLAIN_FACTOR * arrived;
    if (rtt_ns >= SLACK_US * BRAID_NS_PER_US || wanted <= PLAIN_NEAR_BYTES) return wanted;
    uint64_t needed = wanted * (path_base(sf) / BRAID_NS_PER_US) / (rtt_ns / BRAID_NS_PER_US + 1);
    return needed > PLAIN_NEAR_BYTES ? needed : PLAIN_NEAR_BYTES;
}

static void update_plain(struct braid_connection *c, braid_time now) {
    struct window *w = &c->window;
    struct subflow *sf = subflow_only(c);
    if (!sf) return;
    braid_time received = tcp_receive_rtt(sf->t), rtt = received > 0 ? received : path_rtt(sf);
    if (now - w->round_start < rtt) return;
    uint64_t arrived = c->receive.bytes_received - w->round_bytes;
    w->round_bytes = c->receive.bytes_received;
    w->round_start = now;
    uint32_t target = bounded(c, plain_target(sf, arrived, rtt));
    if (target > w->target_bytes) w->target_bytes = target;
}

void window_update(struct braid_connection *c, braid_time now) {
    if (!c->established) return;
    if (connection_linear(c)) update_plain(c, now);
    else update_multipath(c, now);
}
