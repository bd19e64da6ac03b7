/* The MTU of the path, found out by what arrives (RFC 4821; RFC 8899 for the names), where no ICMP tells of it.
 *
 * A subflow begins with the MTU of its link, or with what its owner knows of the path from others. A black hole is suspected when full segments time out: at once if none has ever
 * arrived, by the second timeout in a row else. Then segments are cut for BASE, and with IPv4, three timeouts later, for the least. From there the search goes on with real data:
 * a segment larger than the rest, of which the loss says nothing of congestion. The first is as large as the link allows, for
 * it may have been but a timeout; if it is lost, and lost again, the size is looked for by halves, to the byte. Ten minutes
 * later, or after an ICMP message, it is tried again whether the path has become wider. */
#include "tcp_internal.h"

#define MTU_MIN_V4 552 /* smaller claims are attacks or mistakes: what fits goes out as it is */
#define MTU_MIN_V6 1280
#define BASE_BYTES 1280
#define RAISE_NS (600 * BRAID_NS_PER_S) /* PMTU_RAISE_TIMER; RFC 8201 §4: not before five minutes */
#define PROBES_MAX 2                    /* MAX_PROBES */
#define SEGMENTS_BEHIND 3               /* that are to follow a probe, and show its loss */

void pmtu_init(struct tcp *t) { t->pmtu = (struct pmtu){.next_at = BRAID_NEVER}; }

void tcp_begin_with_mtu(struct tcp *t, uint32_t mtu_bytes, braid_time until) {
    if (mtu_bytes < pmtu_least(t) || mtu_bytes >= t->config.mtu_bytes) return;
    t->pmtu.next_at = until;
    mss_set_mtu(t, mtu_bytes);
}

uint32_t pmtu_least(const struct tcp *t) { return t->config.flow.local.family == IP_V6 ? MTU_MIN_V6 : MTU_MIN_V4; }

/* What neither our link nor the peer's forbids. */
static uint32_t ceiling(const struct tcp *t) {
    uint32_t peer = t->peer_mss_bytes + mss_header_bytes(t);
    return peer < t->config.mtu_bytes ? peer : t->config.mtu_bytes;
}

/* --- black holes --- */

/* [R-8899-4.3-1] [R-4821-7.7-1] */
void pmtu_on_timeout(struct tcp *t, braid_time now) {
    struct pmtu *p = &t->pmtu;
    const struct send_record *first = scoreboard_first(&t->board);
    p->probing = false; /* nothing is known of it */
    if (first == NULL) return;
    uint32_t least = pmtu_least(t), base = t->mtu_bytes > BASE_BYTES ? BASE_BYTES : least;
    if (t->mtu_bytes <= base || base < least) return;
    uint32_t payload = t->mss_bytes > t->mtu_bytes - base ? t->mss_bytes - (t->mtu_bytes - base) : 0;
    if (record_length(first) <= payload || first->piece_bytes <= payload) return;
    bool confirmed = p->confirmed_piece_bytes >= first->piece_bytes;
    unsigned patience = confirmed ? 2 : 1;
    if (base < BASE_BYTES) patience = confirmed ? 8 : 4; /* hardly a path has so little, and many are silent for a while */
    if (t->timeouts < patience) return;
    t->counts.mtu_black_holes++;
    p->failed_bytes = 0;
    p->losses = 0;
    p->next_at = now;
    mss_set_mtu(t, base);
}

/* --- the search --- */

static uint32_t probe_size(const struct tcp *t) {
    const struct pmtu *p = &t->pmtu;
    if (p->failed_bytes == 0) return ceiling(t);
    return t->mtu_bytes + (p->failed_bytes - t->mtu_bytes) / 2;
}

static void search_ends(struct tcp *t, braid_time now) {
    t->pmtu.failed_bytes = 0;
    t->pmtu.losses = 0;
    t->pmtu.next_at = t->mtu_bytes < ceiling(t) ? now + RAISE_NS : BRAID_NEVER;
    owner_path_mtu_found(t, now);
}

/* [R-4821-7.2-1] [R-4821-7.4-1] */
uint32_t pmtu_probe_mss(const struct tcp *t, uint32_t allow, braid_time now) {
    const struct pmtu *p = &t->pmtu;
    if (p->next_at > now || p->probing) return 0;
    if (!t->sack_permitted || t->recovery.phase != RECOVERY_NONE || t->timeouts > 0 || t->board.lost_bytes > 0) return 0;
    uint32_t size = probe_size(t);
    if (size <= t->mtu_bytes) return 0;
    uint32_t mss = t->mss_bytes + (size - t->mtu_bytes);
    return mss <= allow && tcp_unsent(t) >= mss + SEGMENTS_BEHIND * t->piece_bytes ? mss : 0;
}

void pmtu_probe_sent(struct tcp *t, seq32 start, seq32 end, uint32_t mss_bytes) {
    struct pmtu *p = &t->pmtu;
    p->probing = true;
    p->probe_start = start;
    p->probe_end = end;
    p->probe_bytes = t->mtu_bytes + (mss_bytes - t->mss_bytes);
    t->counts.mtu_probes++;
}

void pmtu_probe_postpone(struct tcp *t, braid_time now) { t->pmtu.next_at = now + t->rtt.srtt_ns; }

/* [R-4821-7.6.1-1] */
static void probe_arrived(struct tcp *t, braid_time now) {
    struct pmtu *p = &t->pmtu;
    mss_set_mtu(t, p->probe_bytes);
    p->losses = 0;
    p->next_at = now;
    bool all_there_is = t->mtu_bytes >= ceiling(t);
    if (all_there_is || (p->failed_bytes > 0 && p->failed_bytes - t->mtu_bytes <= 1)) search_ends(t, now);
}

void pmtu_delivered(struct tcp *t, const struct send_record *record, seq32 end, braid_time now) {
    struct pmtu *p = &t->pmtu;
    bool whole = !record->retransmitted && record_length(record) >= record->piece_bytes;
    if (whole && record->piece_bytes > p->confirmed_piece_bytes) p->confirmed_piece_bytes = record->piece_bytes;
    if (!p->probing || seq32_le(end, p->probe_start) || seq32_ge(record->start, p->probe_end)) return;
    p->probing = false;
    bool itself = whole && seq32_eq(record->start, p->probe_start) && seq32_eq(end, p->probe_end);
    if (itself) probe_arrived(t, now);
}

/* [R-4821-7.6.2-1] [R-4821-7.6.2-2] */
bool pmtu_lost(struct tcp *t, const struct send_record *record, braid_time now) {
    struct pmtu *p = &t->pmtu;
    if (!p->probing || seq32_lt(record->start, p->probe_start) || seq32_ge(record->start, p->probe_end)) return false;
    p->probing = false;
    t->counts.mtu_probes_lost++;
    p->next_at = now;
    if (++p->losses < PROBES_MAX) return true;
    p->losses = 0;
    if (p->failed_bytes == 0 || p->probe_bytes < p->failed_bytes) p->failed_bytes = p->probe_bytes;
    if (p->failed_bytes - t->mtu_bytes <= 1) search_ends(t, now);
    return true;
}

/* --- ICMP --- */

/* About a probe: a bound of the search. Else the MTU itself. */
/* [R-8201-4-5] */
void pmtu_told(struct tcp *t, uint32_t mtu_bytes, braid_time now) {
    struct pmtu *p = &t->pmtu;
    if (mtu_bytes >= t->mtu_bytes) {
        p->failed_bytes = mtu_bytes + 1;
        if (mtu_bytes == t->mtu_bytes) search_ends(t, now);
        return;
    }
    p->probing = false;
    mss_set_mtu(t, mtu_bytes);
    search_ends(t, now);
}
