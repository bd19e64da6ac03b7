/* Sending again on other subflows what one may have lost (RFC 8684 §3.3.6). The first subflow goes on retransmitting
 * what it has, as long as it lives.
 *
 * When a path is cut, some of what it has unacknowledged did arrive: only the acknowledgements were lost. To send that
 * first would keep the reader waiting for what it really lacks, for as long as the slow path takes to carry it. When it
 * was sent tells: what is older than a round trip had no acknowledgement for a reason, and is lost; what is younger
 * than the way there was still under way, and is lost; in between it is doubtful, and goes last. By then a DATA_ACK has
 * usually covered it. If instead a DATA_ACK stops in the middle of it, it was lost after all, and goes at once. */
#include "subflow.h"

/* With checksums a mapping counts as a whole: the peer can use, and DATA_ACK, none of it before its last byte is there. */
static seq32 unacknowledged_start(const struct subflow *sf, const struct mapping *m) {
    if (sf->c->checksum) return m->seq;
    return seq32_max(m->seq, tcp_snd_una(sf->t));
}

static uint64_t queue_range(struct subflow *sf, struct dsn_ranges *queue, dsn64 start, dsn64 end) {
    start = dsn64_max(start, sf->c->send.una);
    if (dsn64_ge(start, end)) return 0;
    dsn_ranges_add(queue, start, end);
    return (uint64_t)dsn64_diff(end, start);
}

/* The part of it that the subflow has unacknowledged. */
static uint64_t queue_unacknowledged(struct subflow *sf, struct dsn_ranges *queue, const struct mapping *m) {
    return queue_range(sf, queue, mapping_lift(m, unacknowledged_start(sf, m)), mapping_data_end(m));
}

static void told(struct subflow *sf, uint64_t bytes, const char *reason, braid_time now) {
    struct braid_connection *c = sf->c;
    if (bytes == 0) return;
    TRACE(c->env, now, reinjected, .connection = c->config.number, .from_subflow = sf->number, .bytes = bytes,
          .reason = reason);
    connection_wake(c);
}

static bool probably_arrived(const struct mapping *m, const struct tcp_info *info, braid_time cut_at) {
    braid_time margin = NS_OF_MS(ARRIVAL_MARGIN_MS), way_there = info->srtt_ns - info->min_rtt_ns / 2;
    if (m->sent_at == 0 || info->srtt_ns == 0 || info->min_rtt_ns > info->srtt_ns) return false;
    return m->sent_at + way_there + margin < cut_at && m->sent_at + info->srtt_ns + margin > cut_at;
}

/* What the subflow has unacknowledged. cut_at BRAID_NEVER: nothing is known to have worked until then. */
static uint64_t queue_all_unacknowledged(struct subflow *sf, braid_time cut_at) {
    struct sending *s = &sf->c->send;
    struct tcp_info info;
    uint64_t bytes = 0;
    tcp_info(sf->t, &info);
    for (uint32_t i = 0; i < sf->sent.count; i++) {
        struct mapping *m = mapping_at(&sf->sent, i);
        if (m->reinjected || seq32_le(mapping_end(m), tcp_snd_una(sf->t))) continue;
        m->reinjected = true;
        bool doubtful = cut_at != BRAID_NEVER && probably_arrived(m, &info, cut_at);
        bytes += queue_unacknowledged(sf, doubtful ? &s->doubtful : &s->reinject, m);
    }
    return bytes;
}

/* DATA_ACKs of after the cut are here a round trip later. */
static void doubts_begin(struct subflow *sf, braid_time cut_at) {
    struct subflow *best = subflow_best(sf->c, sf->number);
    struct tcp_info other = {0};
    if (best) tcp_info(best->t, &other);
    sf->c->send.cut_doubts_until = cut_at + subflow_rtt(&other);
}

void reinject_subflow(struct subflow *sf, const char *reason, braid_time now) {
    if (sf->c->mode != CONNECTION_MODE_MPTCP) return;
    told(sf, queue_all_unacknowledged(sf, BRAID_NEVER), reason, now);
}

void reinject_cut(struct subflow *sf, const char *reason, braid_time cut_at, braid_time now) {
    if (sf->c->mode != CONNECTION_MODE_MPTCP) return;
    uint64_t bytes = queue_all_unacknowledged(sf, cut_at);
    if (bytes > 0) doubts_begin(sf, cut_at);
    told(sf, bytes, reason, now);
}

/* [R-3.7-8] [R-3.7-12] */
void reinject_gone(struct subflow *sf, const char *reason, braid_time cut_at, braid_time now) {
    struct sending *s = &sf->c->send;
    if (sf->c->mode != CONNECTION_MODE_MPTCP) return;
    uint64_t bytes = queue_all_unacknowledged(sf, cut_at);
    if (bytes > 0 && cut_at != BRAID_NEVER) doubts_begin(sf, cut_at);
    /* Acknowledged there, but not at the data level: the peer has it, unless it threw it away, as it does with MP_FAIL. */
    for (uint32_t i = 0; i < sf->sent.count; i++) {
        const struct mapping *m = mapping_at(&sf->sent, i);
        dsn64 until = dsn64_min(mapping_lift(m, tcp_snd_una(sf->t)), mapping_data_end(m));
        bytes += queue_range(sf, sf->failed ? &s->reinject : &s->doubtful, m->dsn, until);
    }
    told(sf, bytes, reason, now);
}

/* All of it goes once nothing else is to be sent again; or at once, if the first of it is what the peer waits for. */
void reinject_doubts_resolve(struct braid_connection *c, braid_time now) {
    struct sending *s = &c->send;
    dsn_ranges_drop_before(&s->doubtful, s->una);
    if (dsn_ranges_empty(&s->doubtful)) return;
    bool awaited = now >= s->cut_doubts_until && dsn64_le(dsn_ranges_first(&s->doubtful).start, s->una);
    if (!dsn_ranges_empty(&s->reinject) && !awaited) return;
    while (!dsn_ranges_empty(&s->doubtful)) {
        struct dsn_range range = dsn_ranges_first(&s->doubtful);
        dsn_ranges_drop_before(&s->doubtful, range.end);
        dsn_ranges_add(&s->reinject, range.start, range.end);
    }
}

static const struct mapping *holder(const struct subflow *sf, dsn64 dsn) {
    for (uint32_t i = 0; i < sf->sent.count; i++) {
        const struct mapping *m = mapping_at(&sf->sent, i);
        if (seq32_le(mapping_end(m), tcp_snd_una(sf->t))) continue;
        if (dsn64_le(mapping_lift(m, unacknowledged_start(sf, m)), dsn) && dsn64_gt(mapping_data_end(m), dsn)) return m;
    }
    return NULL;
}

struct mapping *reinject_mapping(struct subflow *sf, dsn64 dsn) {
    return (struct mapping *)(uintptr_t)holder(sf, dsn);
}

bool reinject_held_by(const struct subflow *sf, dsn64 dsn, dsn64 *held_until) {
    const struct mapping *m = holder(sf, dsn);
    if (m) *held_until = mapping_data_end(m);
    return m != NULL;
}

struct subflow *reinject_holder(const struct braid_connection *c, dsn64 dsn, const struct subflow *except,
                                dsn64 *held_until) {
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        const struct mapping *m = sf != except && !sf->closed ? holder(sf, dsn) : NULL;
        if (!m) continue;
        *held_until = mapping_data_end(m);
        return sf;
    }
    return NULL;
}

const struct subflow *reinject_avoid(const struct braid_connection *c, dsn64 dsn, bool *held, dsn64 *held_until) {
    const struct subflow *holder_of_it = reinject_holder(c, dsn, NULL, held_until);
    *held = holder_of_it != NULL;
    if (holder_of_it) return holder_of_it;
    LIST_EACH(&c->subflows, node, following) {
        const struct subflow *sf = SUBFLOW_OF(node);
        for (uint32_t i = 0; i < sf->sent.count && !sf->closed; i++) {
            const struct mapping *m = mapping_at(&sf->sent, i);
            if (dsn64_gt(m->dsn, dsn) || dsn64_le(mapping_data_end(m), dsn)) continue;
            return scheduler_has_other(c, sf) ? sf : NULL;
        }
    }
    return NULL;
}

static bool others_work(const struct subflow *sf) {
    LIST_EACH(&sf->c->subflows, node, following) {
        const struct subflow *other = SUBFLOW_OF(node);
        if (other != sf && subflow_carries(other) && other->status == SUBFLOW_ACTIVE) return true;
    }
    return false;
}

/* A probe was due: nobody knows yet. If everything waits for what this one holds, a little of it goes elsewhere too. */
static void reinject_opportune(struct subflow *sf, braid_time now) {
    struct braid_connection *c = sf->c;
    if (!others_work(sf) || !dsn_ranges_empty(&c->send.reinject)) return;
    dsn64 held_until;
    if (!holder(sf, c->send.una) || reinject_holder(c, c->send.una, sf, &held_until)) return;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < sf->sent.count && bytes < OPPORTUNE_BYTES_MAX; i++) {
        const struct mapping *m = mapping_at(&sf->sent, i);
        if (seq32_gt(mapping_end(m), tcp_snd_una(sf->t))) bytes += queue_unacknowledged(sf, &c->send.reinject, m);
    }
    told(sf, bytes, "probe", now);
}

static void expect_answer(struct subflow *sf, braid_time now) {
    struct tcp_info info;
    tcp_info(sf->t, &info);
    sf->probed_at = now;
    sf->unanswered = false;
    sf->answer_due = now + info.srtt_ns + 4 * info.rttvar_ns + NS_OF_MS(PROBE_ANSWER_EXTRA_MS);
}

void reinject_suspected(void *owner, struct tcp *t, unsigned timeouts, braid_time now) {
    struct subflow *sf = owner;
    (void)t;
    if (sf->c->mode != CONNECTION_MODE_MPTCP || sf->closed) return;
    if (timeouts == 0) {
        reinject_opportune(sf, now);
        expect_answer(sf, now);
        return;
    }
    sf->answer_due = BRAID_NEVER;
    if (sf->status == SUBFLOW_ACTIVE) subflow_set_status(sf, SUBFLOW_SUSPECTED, now);
    reinject_subflow(sf, "timeout", now);
    losing_timeout(sf, now);
}

/* The probe had a round trip to be answered, and nothing came at all: TCP has reason to be patient, but there are other
 * paths here. */
void reinject_expire(struct subflow *sf, braid_time now) {
    struct tcp_info info;
    if (sf->answer_due > now) return;
    sf->answer_due = BRAID_NEVER;
    tcp_info(sf->t, &info);
    if (info.last_received_at > sf->probed_at || sf->status != SUBFLOW_ACTIVE) return;
    if (!others_work(sf)) {
        sf->unanswered = true;
        sf->c->paths.due |= sf->c->config.path_manager->watches;
        connection_wake(sf->c);
        return;
    }
    subflow_set_status(sf, SUBFLOW_SUSPECTED, now);
    reinject_subflow(sf, "no answer to a probe", now);
}

bool reinject_unanswered(const struct subflow *sf) {
    struct tcp_info info;
    if (!sf->unanswered) return false;
    tcp_info(sf->t, &info);
    return info.last_received_at <= sf->probed_at;
}

void reinject_joined(struct subflow *joined, braid_time now) {
    LIST_EACH(&joined->c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (sf == joined || sf->closed || !reinject_unanswered(sf)) continue;
        sf->unanswered = false;
        sf->answer_due = now;
        reinject_expire(sf, now);
    }
}

void reinject_recovered(void *owner, struct tcp *t, braid_time now) {
    struct subflow *sf = owner;
    (void)t;
    if (sf->status == SUBFLOW_SUSPECTED && sf->disowned_until == BRAID_NEVER)
        subflow_set_status(sf, SUBFLOW_ACTIVE, now);
    for (uint32_t i = 0; i < sf->sent.count; i++) mapping_at(&sf->sent, i)->reinjected = false;
    connection_wake(sf->c);
}

/* No subflow has the head of the data order any more: up to the next byte that one has, it goes again. */
void reinject_head(struct braid_connection *c, uint32_t bytes_max, braid_time now) {
    struct sending *s = &c->send;
    dsn64 end;
    if (reinject_holder(c, s->una, NULL, &end)) return;
    end = dsn64_min(s->nxt, dsn64_add(s->una, bytes_max < MAPPING_BYTES_MAX ? bytes_max : MAPPING_BYTES_MAX));
    LIST_EACH(&c->subflows, node, following) {
        const struct subflow *sf = SUBFLOW_OF(node);
        for (uint32_t i = 0; i < sf->sent.count && !sf->closed; i++) {
            const struct mapping *m = mapping_at(&sf->sent, i);
            bool under_way = seq32_gt(mapping_end(m), tcp_snd_una(sf->t));
            if (under_way && dsn64_gt(m->dsn, s->una)) end = dsn64_min(end, m->dsn);
        }
    }
    dsn_ranges_add(&s->reinject, s->una, end);
    TRACE(c->env, now, reinjected, .connection = c->config.number, .from_subflow = 0,
          .bytes = (uint64_t)dsn64_diff(end, s->una), .reason = "no DATA_ACK");
}
