/* Do others fill the queue of a path by which data comes? The window (window.c) keeps our peer's queues short, and where
 * they are not ours that gives our share away. From the receiver's side it shows so: the window permits no round trip longer
 * than
 *
 *     worst min RTT * gain + slack
 *
 * for what is in flight is at most the rates times that. If one stays longer by more than a queue which the peer keeps for
 * itself, or is longer and the path's rate has fallen, then the queue is not ours, or the path is longer than it was.
 * Either way it is crowded: its round trip as it is counts, and the window does not bind.
 *
 * When its round trips have been short for a while, nobody is there any more: a peer that is braid does the same from
 * its side (rivals.c). Another one may fill the window just because it is there. So after CROWD_INTERVAL, and then twice
 * as long each time, the window is for three round trips as if no path were crowded. If they get short by that, nobody else
 * is there. If they are what they were the last time, to a thirty-second, nobody is there either, for others' queues go up
 * and down: the path is longer now. A sender that has a window of its own to mind does not lose it meanwhile. */
#include "subflow.h"

enum crowd_constant {
    CROWD_ROUNDS = 1,
    CROWD_QUEUE_MS = 20,         /* what a peer may keep queued, and what is noise */
    CROWD_FALLEN_PERCENT = 75,   /* of the best rate */
    CROWD_GONE_ROUNDS = 10,      /* short for so many without a trial: nobody is there */
    CROWD_BACKOFF_MAX = 3,
    CROWD_INTERVAL_MS = 5000,
    CROWD_INTERVAL_ROUNDS = 64,
    CROWD_TRIAL_ROUNDS = 3,      /* in the last of which it counts */
    CROWD_SAME_DIVISOR = 32,
    CROWD_NOISE_DIVISOR = 16,
};

static braid_time limit_of(const struct subflow *sf) {
    braid_time permitted = window_span(sf->c->window.base_ns);
    braid_time queue = NS_OF_MS(CROWD_QUEUE_MS);
    return permitted + (queue > permitted / 4 ? queue : permitted / 4);
}

static void crowded(struct subflow *sf, braid_time received, braid_time now) {
    struct crowd *k = &sf->meter.crowd;
    struct window *w = &sf->c->window;
    k->crowded = true;
    k->high_since = k->low_since = 0;
    k->last_lowest_ns = 0;
    w->starting = true; /* what it carries is found out anew */
    if (w->trial_until == 0) w->trial_at = now + NS_OF_MS(CROWD_INTERVAL_MS);
    TRACE(sf->c->env, now, path_crowded, .connection = sf->c->config.number, .subflow = sf->number, .crowded = 1,
          .rtt_us = received / BRAID_NS_PER_US);
}

static void uncrowd(struct subflow *sf, braid_time base, braid_time received, braid_time now) {
    struct crowd *k = &sf->meter.crowd;
    k->base_ns = base;
    k->crowded = false;
    k->peak_bytes_per_s = 0;
    sf->c->window.trial_backoff = 0;
    TRACE(sf->c->env, now, path_crowded, .connection = sf->c->config.number, .subflow = sf->number, .crowded = 0,
          .rtt_us = received / BRAID_NS_PER_US);
}

void crowd_arrived(struct subflow *sf, uint64_t bytes_per_s, braid_time now) {
    struct crowd *k = &sf->meter.crowd;
    braid_time received = tcp_receive_rtt(sf->t), base = sf->c->window.base_ns;
    if (bytes_per_s > k->peak_bytes_per_s) k->peak_bytes_per_s = bytes_per_s;
    if (k->crowded) {
        if (received > window_span(base)) k->low_since = 0;
        else if (k->low_since == 0) k->low_since = now;
        else if (now - k->low_since > CROWD_GONE_ROUNDS * received) uncrowd(sf, 0, received, now);
        braid_time counts = sf->c->window.trial_until;
        if (counts != 0 && now + received >= counts && received < k->lowest_ns) k->lowest_ns = received;
        return;
    }
    if (base == 0 || received == 0) return;
    bool fallen = bytes_per_s * 100 < k->peak_bytes_per_s * CROWD_FALLEN_PERCENT;
    bool high = received > limit_of(sf) || (fallen && received > window_span(base));
    if (!high) k->high_since = 0;
    else if (k->high_since == 0) k->high_since = now;
    else if (now - k->high_since > CROWD_ROUNDS * received) crowded(sf, received, now);
}

static void judge(struct subflow *sf, braid_time now) {
    struct crowd *k = &sf->meter.crowd;
    braid_time lowest = k->lowest_ns, last = k->last_lowest_ns;
    if (!k->crowded || lowest == BRAID_NEVER) return;
    k->last_lowest_ns = lowest;
    braid_time difference = lowest > last ? lowest - last : last - lowest;
    braid_time permitted = window_span(sf->c->window.base_ns);
    bool alone = lowest <= permitted + permitted / CROWD_NOISE_DIVISOR;
    bool longer = !alone && difference <= lowest / CROWD_SAME_DIVISOR;
    if (!alone && !longer) return;
    uncrowd(sf, longer ? lowest : 0, lowest, now);
}

static void trial_begin(struct braid_connection *c, braid_time now) {
    braid_time worst = 0;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        sf->meter.crowd.lowest_ns = BRAID_NEVER;
        if (sf->meter.crowd.crowded && !sf->closed && tcp_receive_rtt(sf->t) > worst) worst = tcp_receive_rtt(sf->t);
    }
    if (worst == 0) c->window.trial_at = BRAID_NEVER;
    else c->window.trial_until = now + CROWD_TRIAL_ROUNDS * worst;
}

static void trial_end(struct braid_connection *c, braid_time now) {
    struct window *w = &c->window;
    braid_time interval = CROWD_INTERVAL_ROUNDS * (w->trial_until - w->trial_at) / CROWD_TRIAL_ROUNDS;
    if (interval < NS_OF_MS(CROWD_INTERVAL_MS)) interval = NS_OF_MS(CROWD_INTERVAL_MS);
    w->trial_until = 0;
    if (w->trial_backoff < CROWD_BACKOFF_MAX) w->trial_backoff++;
    LIST_EACH(&c->subflows, node, following) judge(SUBFLOW_OF(node), now);
    w->trial_at = now + (interval << w->trial_backoff);
}

void crowd_try(struct braid_connection *c, braid_time now) {
    struct window *w = &c->window;
    if (w->trial_until != 0 && now >= w->trial_until) trial_end(c, now);
    else if (w->trial_until == 0 && w->trial_at != 0 && now >= w->trial_at) trial_begin(c, now);
}
