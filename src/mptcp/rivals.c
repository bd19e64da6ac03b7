/* Whose is the queue? As long as it is ours alone, we keep it short (room.c). Where others fill it, who keeps short gets
 * nothing; there only the congestion window limits, as it does for everyone. What tells the one from the other is tried out:
 * for little more than a round trip a quarter less is in flight than before. With a rate r, of a capacity C, that takes
 *
 *     the cut / C
 *
 * off the queue, and so off the round trip. Alone, r is C, and the round trip gets shorter by a quarter, in proportion to
 * what is in flight; next to others of whom each has as much, by half of that or less. So the drop says how large our
 * share of the bottleneck is, and no knowledge of the path is needed: neither the smallest round trip there ever was, which
 * had others' queue in it if they came first, nor the path's length, which may have changed.
 *
 * When it is tried:
 * - While the queue is kept short: if the round trip stays longer than all queues that one would keep explain. Not ours: the
 *   subflow competes from now on.
 * - While it competes: every TRIAL_INTERVAL. This costs about one percent, and no share: the window stays what it was, and
 *   the others do not notice. Ours: the queue may be short again.
 *
 * A path that has become longer looks like rivals at first: there is no queue, a cut takes nothing off. Then the congestion
 * window makes one, and at the next trial it is ours. What the round trip was then is taken for the path's length, and
 * further trials find out, step by step, whether there still was a queue of ours in that, until the floor is felt. */
#include "subflow.h"

braid_time rivals_base(const struct rivals *r, const struct tcp_info *info) {
    return r->base_ns > info->min_rtt_ns ? r->base_ns : info->min_rtt_ns;
}

static braid_time tolerance_of(braid_time base) {
    braid_time tolerance = base / 8;
    return tolerance < NS_OF_MS(CROWDED_TOLERANCE_MS) ? NS_OF_MS(CROWDED_TOLERANCE_MS) : tolerance;
}

uint64_t rivals_limit(const struct rivals *r) { return r->trial.phase == TRIAL_NONE ? UINT64_MAX : r->trial.limit_bytes; }

/* --- a trial --- */

static void trial_begin(struct subflow *sf, const struct tcp_info *info, braid_time now) {
    struct rivals *r = &sf->room.rivals;
    unsigned cut = TRIAL_CUT_PERCENT;
    if (now < r->trial.not_before || info->recovering) return;
    if (info->in_flight_bytes < TRIAL_SEGMENTS_MIN * info->mss_bytes) return; /* a quarter of it is no more than noise */
    if (r->descending && info->srtt_ns > info->min_rtt_ns) {
        cut = (unsigned)((info->srtt_ns - info->min_rtt_ns) * 100 / info->srtt_ns);
        if (cut < TRIAL_CUT_PERCENT) cut = TRIAL_CUT_PERCENT;
        if (cut > TRIAL_CUT_MAX_PERCENT) cut = TRIAL_CUT_MAX_PERCENT;
    }
    r->trial = (struct trial){.phase = TRIAL_DRAINING,
                              .from_bytes = info->in_flight_bytes,
                              .limit_bytes = (uint32_t)((uint64_t)info->in_flight_bytes * (100 - cut) / 100),
                              .began = now,
                              .before_ns = info->srtt_ns,
                              .lowest_ns = BRAID_NEVER};
}

static void trial_end(struct rivals *r, braid_time not_before) {
    r->trial.phase = TRIAL_NONE;
    r->trial.not_before = not_before;
    r->queued_since = 0;
}

static bool trial_over(struct trial *t, const struct tcp_info *info, braid_time now) {
    if (t->phase == TRIAL_DRAINING && info->in_flight_bytes <= t->limit_bytes) {
        t->phase = TRIAL_HOLDING;
        t->held_since = now;
    }
    if (t->phase != TRIAL_HOLDING || info->latest_rtt_at < t->held_since + info->latest_rtt_ns) return false;
    if (t->seen_since == 0) t->seen_since = now;
    if (info->latest_rtt_ns < t->lowest_ns) t->lowest_ns = info->latest_rtt_ns;
    return now >= t->seen_since + t->before_ns / 4;
}

static bool was_ours(const struct trial *t) {
    uint32_t cut_bytes = t->from_bytes - t->limit_bytes;
    braid_time whole = cut_bytes * (t->before_ns / BRAID_NS_PER_US) / t->from_bytes * BRAID_NS_PER_US;
    braid_time drop = t->before_ns > t->lowest_ns ? t->before_ns - t->lowest_ns : 0;
    /* More than the cut can take off is somebody else's loss. */
    return drop * 100 >= whole * TRIAL_OURS_PERCENT && drop * TRIAL_OURS_PERCENT <= whole * 100;
}

/* The round trip had no more than this of the path in it. */
static void base_is_at_most(struct rivals *r, const struct tcp_info *info, braid_time rtt) {
    bool short_again = rtt <= info->min_rtt_ns + tolerance_of(info->min_rtt_ns);
    r->base_ns = short_again ? 0 : rtt;
    r->descending = !short_again;
}

static void trial_judge(struct subflow *sf, const struct tcp_info *info, braid_time now) {
    struct rivals *r = &sf->room.rivals;
    bool ours = was_ours(&r->trial), competed = r->competing;
    braid_time interval = TRIAL_INTERVAL_ROUNDS * info->srtt_ns;
    if (interval < NS_OF_MS(TRIAL_INTERVAL_MS)) interval = NS_OF_MS(TRIAL_INTERVAL_MS);
    if (r->descending) {
        if (r->trial.lowest_ns < r->base_ns) base_is_at_most(r, info, r->trial.lowest_ns);
        if (!ours) r->descending = false; /* the floor */
    } else if (ours && competed) {
        r->doubted = !r->doubted; /* others may have lost something just now: it is seen twice, or not believed */
        r->competing = r->doubted;
        if (!r->competing) base_is_at_most(r, info, r->trial.lowest_ns);
    } else {
        r->competing = !ours;
        r->doubted = false;
    }
    bool wait = r->competing && !r->doubted;
    trial_end(r, now + (wait ? interval : TRIAL_AGAIN_ROUNDS * info->srtt_ns));
    if (r->competing == competed) return;
    TRACE(sf->c->env, now, subflow_rivals, .connection = sf->c->config.number, .subflow = sf->number,
          .competes = r->competing, .rtt_us = info->srtt_ns / BRAID_NS_PER_US,
          .base_us = rivals_base(r, info) / BRAID_NS_PER_US);
}

/* --- reasons for one --- */

/* A transfer the other way may keep a queue of the same length, by the same rule: our acknowledgements wait in it. */
static bool too_long(struct rivals *r, const struct tcp_info *info, braid_time slack, braid_time now) {
    braid_time base = rivals_base(r, info);
    if (info->srtt_ns <= base + 2 * slack + tolerance_of(base)) {
        r->queued_since = 0;
        return false;
    }
    if (r->queued_since == 0) r->queued_since = now;
    return now - r->queued_since > CROWDED_ROUNDS * info->srtt_ns;
}

/* Or the path has become a little longer: the bound is too small for it then, and the smaller what is delivered, the smaller
 * the bound, until nothing is left. */
static bool starved(struct rivals *r, const struct tcp_info *info, braid_time slack) {
    bool fits = !r->bound || info->srtt_ns <= rivals_base(r, info) + slack;
    if (fits || info->max_delivery_bytes_per_s > r->fitting_bytes_per_s) r->fitting_bytes_per_s = info->max_delivery_bytes_per_s;
    return info->max_delivery_bytes_per_s * 100 < r->fitting_bytes_per_s * STARVED_PERCENT;
}

void rivals_watch(struct subflow *sf, const struct tcp_info *info, braid_time slack_ns, braid_time now) {
    struct rivals *r = &sf->room.rivals;
    if (r->base_ns > info->latest_rtt_ns) r->base_ns = info->latest_rtt_ns;
    if (r->trial.phase != TRIAL_NONE) {
        if (trial_over(&r->trial, info, now)) trial_judge(sf, info, now);
        else if (info->recovering || now - r->trial.began > TRIAL_ROUNDS_MAX * r->trial.before_ns)
            trial_end(r, now + TRIAL_AGAIN_ROUNDS * info->srtt_ns);
        return;
    }
    bool long_queue = too_long(r, info, slack_ns, now), hungry = starved(r, info, slack_ns); /* each keeps a state of its own */
    if (r->competing || r->descending || long_queue || hungry) trial_begin(sf, info, now);
}
