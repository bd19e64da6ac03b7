#include "tcp_internal.h"

#include <string.h>

/* --- life --- */

static uint8_t scale_for(uint32_t window_bytes) {
    uint8_t scale = 0;
    while (scale < TCP_WINDOW_SCALE_MAX && (window_bytes >> scale) > UINT16_MAX) scale++;
    return scale;
}

/* Who knows of no other connections gives none: then they are random, which nobody can guess either. */
static bool draw_secrets(struct tcp *t) {
    uint32_t secrets[2];
    if (t->config.secrets.given) {
        t->iss = t->config.secrets.iss;
        t->timestamps.offset = t->config.secrets.timestamp_offset;
        return true;
    }
    if (!t->env->random_secret(t->env->context, secrets, sizeof(secrets))) return false;
    /* [R-6528-3-2] */
    t->iss = seq32_of(secrets[0]); /* [R-3-4] [MUST-8] [MUST-9] [SHLD-1] */
    /* [R-7323-7-1] */
    t->timestamps.offset = secrets[1];
    return true;
}

struct tcp *tcp_create(const struct braid_env *env, const struct tcp_config *config) {
    struct tcp *t = env->allocate(env->context, sizeof(*t));
    if (t == NULL) return NULL;
    memset(t, 0, sizeof(*t));
    t->env = env;
    t->config = *config;
    if (t->config.congestion == NULL) t->config.congestion = &congestion_cubic;
    if (!draw_secrets(t)) {
        env->release(env->context, t, sizeof(*t));
        return NULL;
    }
    t->tuning = (struct tcp_tuning){.no_delay = config->no_delay, .user_timeout_ns = config->user_timeout_ns};
    timers_init(t);
    rtt_init(t);
    slice_queue_init(&t->queue, env);
    scoreboard_init(&t->board, env);
    reassembly_init(&t->reassembly, env);
    t->snd_una = t->snd_nxt = t->iss;
    t->queue_start = seq32_add(t->iss, 1);
    t->sack_permitted = t->timestamps.enabled = t->scaling = true;
    t->receive_scale = scale_for(config->receive_window_max_bytes);
    t->mtu_bytes = config->mtu_bytes;
    t->peer_mss_bytes = UINT16_MAX;
    t->last_icmp = ICMP_OTHER;
    t->acks.quick_left = TCP_QUICK_ACKS;
    t->rack.deadline = BRAID_NEVER;
    pmtu_init(t);
    mss_update(t);
    return t;
}

void tcp_destroy(struct tcp *t) {
    if (t == NULL) return;
    const struct braid_env *env = t->env;
    congestion_uncouple(&t->congestion);
    early_deinit(t);
    slice_queue_deinit(&t->queue);
    scoreboard_deinit(&t->board);
    reassembly_deinit(&t->reassembly);
    env->release(env->context, t, sizeof(*t));
}

/* --- data --- */

bool tcp_send(struct tcp *t, struct braid_slice data) {
    if (t->closed_for_good || t->shutdown) return false;
    if (!slice_queue_append(&t->queue, data)) return false;
    t->rearm_due = true;
    return true;
}

seq32 tcp_send_queue_end(const struct tcp *t) { return seq32_add(t->queue_start, (uint32_t)t->queue.length); }

uint32_t tcp_unsent(const struct tcp *t) {
    if (t->fin_sent) return 0;
    seq32 from = seq32_max(t->snd_nxt, t->queue_start);
    return (uint32_t)seq32_diff(tcp_send_queue_end(t), from);
}

uint32_t tcp_unacknowledged(const struct tcp *t) { return (uint32_t)t->queue.length; }
void tcp_compact(struct tcp *t, seq32 seq) {
    if (seq32_gt(seq, t->queue_start)) slice_queue_compact(&t->queue, (uint32_t)seq32_diff(seq, t->queue_start));
}
uint64_t tcp_reassembly_bytes(const struct tcp *t) { return t->reassembly.memory_bytes; }

/* Whole segments only: a window opened by a few bytes is no reason to cut a small one. */
static uint32_t congestion_room(const struct tcp *t) {
    /* What counts as lost claims its place first, unless new data is to show whether it is (RFC 5682). */
    bool frto = frto_wants_new(t);
    uint64_t claimed = (uint64_t)recovery_in_flight(t) + (frto ? 0 : t->board.lost_bytes) + tcp_unsent(t);
    if (frto && tcp_unsent(t) + t->piece_bytes > frto_new_left(t)) return 0;
    if (claimed == 0 && recovery_cwnd(t) < t->piece_bytes) return t->piece_bytes;
    if (claimed >= recovery_cwnd(t)) return 0;
    uint32_t room = recovery_cwnd(t) - (uint32_t)claimed;
    if (frto && room > frto_new_left(t) - tcp_unsent(t)) room = frto_new_left(t) - tcp_unsent(t);
    return room - room % t->piece_bytes;
}

uint32_t tcp_room(const struct tcp *t) {
    if (!state_may_send_data(t->state) || t->shutdown) return 0;
    uint32_t unsent = tcp_unsent(t), usable = window_usable(t);
    if (usable <= unsent) return 0;
    uint32_t peer = usable - unsent;
    if (peer < t->piece_bytes && peer < t->snd_wnd_max / 2) return 0; /* it would wait for more window */
    uint32_t room = congestion_room(t);
    return room < peer ? room : peer;
}

void tcp_probe(struct tcp *t) {
    if (state_is_synchronized(t->state)) t->probe_ack_due = true;
}

/* --- facts --- */

enum tcp_state tcp_state(const struct tcp *t) { return t->state; }
braid_time tcp_min_rtt(const struct tcp *t) { return rtt_min(t); }
void tcp_path_longer(struct tcp *t, uint32_t ssthresh_bytes) {
    struct congestion *c = &t->congestion;
    if (c->ops->on_longer && ssthresh_bytes > c->cwnd_bytes) c->ops->on_longer(c, ssthresh_bytes);
}

braid_time tcp_receive_rtt(const struct tcp *t) { return t->receive_rtt_ns; }
braid_time tcp_rto(const struct tcp *t) { return timers_rto(t); }
seq32 tcp_iss(const struct tcp *t) { return t->iss; }
seq32 tcp_irs(const struct tcp *t) { return t->irs; }
seq32 tcp_snd_una(const struct tcp *t) { return t->snd_una; }
seq32 tcp_snd_nxt(const struct tcp *t) { return t->snd_nxt; }
seq32 tcp_rcv_nxt(const struct tcp *t) { return t->rcv_nxt; }
uint32_t tcp_peer_window(const struct tcp *t) { return t->snd_wnd; }
enum icmp_error_kind tcp_last_icmp(const struct tcp *t) { return t->last_icmp; }

bool tcp_all_acknowledged(const struct tcp *t) {
    if (t->queue.length > 0) return false;
    return !t->shutdown || (t->fin_sent && seq32_gt(t->snd_una, t->fin_seq));
}

void tcp_set_drop_counters(struct tcp *t, struct tcp_drop_counters *counters) { t->drops = counters; }

void tcp_info_sending(const struct tcp *t, struct tcp_info *out) {
    out->mss_bytes = t->mss_bytes;
    out->cwnd_bytes = recovery_cwnd(t);
    out->coupled = t->congestion.ops != NULL && t->congestion.ops->coupled;
    out->ssthresh_bytes = t->congestion.ssthresh_bytes;
    out->queue_felt = t->congestion.queue_felt;
    out->in_flight_bytes = t->board.in_flight_bytes;
    out->unsent_bytes = tcp_unsent(t);
    out->recovering = t->recovery.phase != RECOVERY_NONE;
    out->srtt_ns = t->rtt.srtt_ns;
    out->rttvar_ns = t->rtt.rttvar_ns;
    out->min_rtt_ns = rtt_min(t);
    out->latest_rtt_ns = t->rtt.sample_ns;
    out->latest_rtt_at = t->rtt.sampled_at;
    out->max_delivery_bytes_per_s = rate_max(t);
}

static void info_counts(const struct counts *counts, struct tcp_info *out) {
    out->bytes_sent = counts->bytes_sent;
    out->bytes_retransmitted = counts->bytes_retransmitted;
    out->bytes_acknowledged = counts->bytes_acknowledged;
    out->bytes_received = counts->bytes_received;
    out->segments_sent = counts->segments_sent;
    out->segments_received = counts->segments_received;
    out->segments_retransmitted = counts->segments_retransmitted;
    out->timeouts = counts->timeouts;
    out->probes = counts->probes;
    out->fast_recoveries = counts->fast_recoveries;
    out->spurious_recoveries = counts->spurious_recoveries;
    out->bytes_received_duplicate = counts->bytes_received_duplicate;
    out->segments_out_of_order = counts->segments_out_of_order;
    out->marks_received = counts->marks_received;
    out->marks_answered = counts->marks_answered;
    out->mtu_probes = counts->mtu_probes;
    out->mtu_probes_lost = counts->mtu_probes_lost;
    out->mtu_black_holes = counts->mtu_black_holes;
    out->last_received_at = counts->last_received_at;
    out->last_sent_at = counts->last_sent_at;
}

void tcp_info(const struct tcp *t, struct tcp_info *out) {
    memset(out, 0, sizeof(*out));
    info_counts(&t->counts, out);
    tcp_info_sending(t, out);
    out->state = t->state;
    out->peer_window_bytes = t->snd_wnd;
    out->rto_ns = timers_rto(t);
    out->receive_rtt_ns = t->receive_rtt_ns;
    out->delivery_bytes_per_s = t->rate.newest_bytes_per_s;
    out->timeouts_in_a_row = t->timeouts;
    out->recovering_by_timeout = t->recovery.phase == RECOVERY_TIMEOUT;
    out->mtu_bytes = t->mtu_bytes;
    out->lost_bytes = t->board.lost_bytes;
    out->sacked_bytes = t->board.sacked_bytes;
    out->pacing_bytes_per_s = t->pacing.bytes_per_s;
    out->timestamps = t->timestamps.enabled;
    out->sack = t->sack_permitted;
    out->ecn = t->ecn.agreed;
    out->scaling = t->scaling;
    out->send_scale = t->send_scale;
    out->receive_scale = t->receive_scale;
}

void tcp_info_words(const struct tcp *t, struct tcp_words *out) {
    out->reordering_seen = t->rack.reordering_seen;
    out->reordering_window_ns = rack_reordering_window(t);
    out->congestion = t->config.congestion->name;
    out->congestion_state = t->recovery.phase == RECOVERY_NONE   ? congestion_state_name(&t->congestion)
                            : t->recovery.phase == RECOVERY_FAST ? "recovery"
                                                                 : "loss";
}
