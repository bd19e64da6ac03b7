/* A byte's way out: written once into the send queue, given in ranges to subflows, kept until it is DATA_ACKed. */
#include "subflow.h"

#include <wire/checksum.h>

bool outgoing_init(struct braid_connection *c) {
    slice_queue_init(&c->send.queue, c->env);
    dsn_ranges_init(&c->send.reinject, c->env);
    dsn_ranges_init(&c->send.doubtful, c->env);
    c->send.data_rto_at = BRAID_NEVER;
    tail_init(c);
    send_buffer_init(c);
    return true;
}

void outgoing_deinit(struct braid_connection *c) {
    slice_queue_deinit(&c->send.queue);
    dsn_ranges_deinit(&c->send.reinject);
    dsn_ranges_deinit(&c->send.doubtful);
}

/* Where the numbers start; nothing was given to a subflow yet, but the application may have written. */
void outgoing_start(struct braid_connection *c, dsn64 first) {
    c->send.first = c->send.una = c->send.nxt = first;
    c->send.window_edge = c->send.linear_acknowledged = first;
}

/* --- the application --- */

static void written(struct braid_connection *c, uint32_t bytes) {
    c->send.bytes_written += bytes;
    budget_settle(c);
    connection_wake(c);
}

static void starved(struct braid_connection *c, braid_time now) {
    c->send.starved_until = now + NS_OF_MS(MEMORY_RETRY_MS);
}

/* No acknowledgement need ever come that would tell the application that it may write. */
static void write_starved(struct braid_connection *c, braid_time now) {
    c->send.write_starved = c->send.write_short = true;
    starved(c, now);
    connection_wake(c);
}

static void write_again(struct braid_connection *c, braid_time now) {
    struct sending *s = &c->send;
    if (!s->write_starved || s->starved_until > now) return;
    s->write_starved = s->write_short = false;
    connection_raise(c, CONNECTION_WRITABLE);
}

uint32_t connection_write(struct braid_connection *c, const void *bytes, uint32_t length, braid_time now) {
    uint32_t room = connection_write_room(c);
    uint32_t part = length < room ? length : room;
    c->now = now;
    slice_queue_copier *copier = c->checksum && !connection_linear(c) ? written_copy : NULL;
    if (part < length) c->send.write_short = true;
    if (part > 0 && !slice_queue_append_copy_by(&c->send.queue, copier, bytes, part)) {
        write_starved(c, now);
        return 0;
    }
    if (part > 0) written(c, part);
    return part;
}

bool connection_write_slice(struct braid_connection *c, struct braid_slice slice, braid_time now) {
    uint32_t length = slice.length;
    c->now = now;
    if (connection_write_room(c) == 0) {
        c->send.write_short = true;
        return false;
    }
    if (!slice_queue_append(&c->send.queue, slice)) {
        write_starved(c, now);
        return false;
    }
    written(c, length);
    return true;
}

/* --- giving ranges to subflows --- */

/* What a super-segment carries, where there are any, or the rest of each mapping would be a packet of its own. */
static uint32_t mapping_most(const struct subflow *sf) {
    uint32_t most = sf->super_segment_bytes;
    return most > 0 && most < MAPPING_BYTES_MAX ? most : MAPPING_BYTES_MAX;
}

/* [R-3.3.1-1] The last mapping may still grow while none of it has left. Not by a part of what is given: what is left
 * over would travel as a crumb between super-segments. */
static struct mapping *growing(struct subflow *sf, dsn64 dsn, uint32_t length) {
    if (sf->sent.count == 0) return NULL;
    struct mapping *last = mapping_at(&sf->sent, sf->sent.count - 1);
    bool untold = seq32_ge(last->seq, tcp_snd_nxt(sf->t));
    bool continues = dsn64_eq(mapping_data_end(last), dsn) && seq32_eq(mapping_end(last), tcp_send_queue_end(sf->t));
    return untold && continues && last->length + length <= mapping_most(sf) ? last : NULL;
}

/* Hands references to [dsn, dsn + length) to TCP. Returns how many bytes it took; *sum gets theirs. */
static uint32_t hand_over(struct braid_connection *c, struct tcp *t, dsn64 dsn, uint32_t length, uint64_t *sum,
                          uint32_t summed_bytes) {
    struct braid_slice slices[GATHER_SLICES];
    uint64_t offset = (uint64_t)dsn64_diff(dsn, c->send.una);
    uint32_t done = 0;
    bool taken = true;
    while (done < length && taken) {
        size_t count = slice_queue_gather(&c->send.queue, offset + done, length - done, slices, GATHER_SLICES);
        for (size_t i = 0; i < count; i++) {
            uint64_t part = 0;
            uint32_t part_length = slices[i].length;
            if (taken && c->checksum)
                part = checksum_shift(written_sum(&slices[i]), summed_bytes + done);
            if (taken) taken = tcp_send(t, slices[i]);
            if (!taken) {
                slice_release(&slices[i]);
                continue;
            }
            *sum += part;
            done += part_length;
        }
    }
    return done;
}

uint32_t outgoing_give(struct subflow *sf, dsn64 dsn, uint32_t length, braid_time now) {
    if (length > MAPPING_BYTES_MAX) length = MAPPING_BYTES_MAX;
    struct braid_connection *c = sf->c;
    struct mapping *m = growing(sf, dsn, length);
    struct mapping fresh = {.seq = tcp_send_queue_end(sf->t), .dsn = dsn};
    if (!m && !mapping_reserve(&sf->sent)) {
        starved(c, now);
        return 0;
    }
    if (!m) m = &fresh;
    uint32_t given = hand_over(c, sf->t, dsn, length, &m->sum, m->length);
    if (given < length) starved(c, now);
    if (given == 0) return 0;
    m->length += given;
    if (c->checksum)
        m->checksum = mapping_checksum(m->dsn, (uint32_t)seq32_diff(m->seq, tcp_send_base(sf->t)), m->length, m->sum);
    if (m == &fresh) {
        bool inserted = mapping_insert(&sf->sent, &fresh);
        ENSURE(inserted); /* reserved above */
    }
    copies_given(sf, dsn, given);
    if (c->send.data_rto_at == BRAID_NEVER) outgoing_rto_restart(c, now);
    return given;
}

static uint32_t segment_of(const struct scheduler_choice *choice) {
    return choice->view.paths[choice->index].segment_bytes;
}

static uint32_t segment_bytes(const struct subflow *sf) {
    struct tcp_info info;
    tcp_info_sending(sf->t, &info);
    return subflow_segment_bytes(&info);
}

/* As much of `waiting` as goes now, in whole segments unless it is the rest. */
static uint32_t portion(const struct subflow *sf, uint64_t waiting, uint32_t room, uint32_t segment) {
    uint32_t most = mapping_most(sf) > segment ? mapping_most(sf) : segment;
    if (waiting <= room && waiting <= most) return (uint32_t)waiting;
    if (room > most) room = most;
    return room > segment ? room - room % segment : room;
}

/* A subflow that has it unacknowledged already says it again by itself: a second copy there would only be one more to say
 * again, and one more with each timeout. It is left to that one, which asks again with its next timeout, for by then there
 * may be another. */
static bool left_to(struct subflow *sf, struct dsn_range range) {
    struct dsn_ranges *again = &sf->c->send.reinject;
    struct mapping *m = reinject_mapping(sf, range.start);
    if (!m) return false;
    m->reinjected = false;
    dsn_ranges_drop_before(again, dsn64_min(mapping_data_end(m), range.end));
    return true;
}

/* One portion of what goes again; false if nothing does. */
static bool schedule_again(struct braid_connection *c, struct scheduler_choice *choice, braid_time now) {
    struct sending *s = &c->send;
    dsn_ranges_drop_before(&s->reinject, s->una);
    while (!dsn_ranges_empty(&s->reinject) && s->starved_until <= now) {
        struct dsn_range range = dsn_ranges_first(&s->reinject);
        /* Not to where it is stuck; if there is nowhere else, it is left to that one. */
        dsn64 held_until;
        bool held;
        const struct subflow *avoid = reinject_avoid(c, range.start, &held, &held_until);
        if (held && !scheduler_has_other(c, avoid)) {
            dsn_ranges_drop_before(&s->reinject, dsn64_min(held_until, range.end));
            continue;
        }
        struct subflow *sf = scheduler_pick(c, avoid, dsn_ranges_bytes(&s->reinject), true, choice);
        if (!sf) return false;
        if (left_to(sf, range)) continue;
        uint32_t room = choice->room_bytes, segment = segment_of(choice);
        if (now < s->cut_doubts_until && room > segment) room = segment;
        uint32_t length = portion(sf, (uint64_t)dsn64_diff(range.end, range.start), room, segment);
        uint32_t given = outgoing_give(sf, range.start, length, now);
        if (given == 0) return false;
        scheduler_decided(c, choice, given);
        dsn_ranges_drop_before(&s->reinject, dsn64_add(range.start, given));
        c->contiguous = false;
        s->bytes_reinjected += given;
        COUNT_N(c, reinjected_bytes, given);
        COUNT_N(c, reinjected_segments, (given + segment - 1) / segment);
        return true;
    }
    return false;
}

/* The application was cut short in its writing, and has more as soon as there is room: what would not fill a super-segment
 * waits for it, or each write would end in a crumb. Not unless enough is under way to make that room. */
static bool rest_waits(const struct braid_connection *c) {
    const struct sending *s = &c->send;
    return s->write_short && outgoing_unassigned(c) < c->config.path.super_segment_bytes &&
           2 * (uint64_t)dsn64_diff(s->nxt, s->una) >= send_buffer_bound(c);
}

/* New bytes that the peer's window has room for. With nothing under way and the window shut, one byte goes all the
 * same: it is what the subflow probes the window with. */
static uint64_t sendable(const struct braid_connection *c) {
    const struct sending *s = &c->send;
    uint64_t unassigned = outgoing_unassigned(c);
    int64_t window = dsn64_diff(s->window_edge, s->nxt);
    if (unassigned == 0 || rest_waits(c)) return 0;
    if (window <= 0) return dsn64_eq(s->una, s->nxt) ? 1 : 0;
    return unassigned < (uint64_t)window ? unassigned : (uint64_t)window;
}

static uint32_t give_new(struct subflow *sf, uint32_t length, braid_time now) {
    struct braid_connection *c = sf->c;
    uint32_t given = outgoing_give(sf, c->send.nxt, length, now);
    c->send.nxt = dsn64_add(c->send.nxt, given);
    if (given > 0 && c->send.data_rto_at == BRAID_NEVER) outgoing_rto_restart(c, now); /* now something is waited for */
    return given;
}

/* In portions, until the room of the one that was chosen is used up. */
static uint32_t give_all_new(struct subflow *sf, uint64_t waiting, const struct scheduler_choice *choice, braid_time now) {
    struct sending *s = &sf->c->send;
    uint32_t room = choice->room_bytes, segment = segment_of(choice), total = 0, given;
    if (now < s->cut_doubts_until && room > segment) room = segment;
    do {
        given = give_new(sf, portion(sf, waiting, room, segment), now);
        total += given;
        room -= given;
        waiting -= given;
    } while (given > 0 && s->starved_until <= now && waiting > 0 && room >= segment && dsn_ranges_empty(&s->reinject) &&
             !rest_waits(sf->c));
    return total;
}

/* Some of what was never sent; false if nothing goes. */
static bool schedule_new(struct braid_connection *c, struct scheduler_choice *choice, braid_time now) {
    struct sending *s = &c->send;
    uint64_t waiting = sendable(c);
    if (waiting == 0 || s->starved_until > now) return false;
    if (dsn64_ge(s->nxt, s->window_edge)) { /* nothing is under way: one byte, on the best there is */
        struct subflow *best = scheduler_for_probe(c);
        choice->filled = false;
        return best && give_new(best, 1, now) > 0;
    }
    struct subflow *sf = scheduler_pick(c, NULL, outgoing_unassigned(c), false, choice);
    uint32_t given = sf ? give_all_new(sf, waiting, choice, now) : 0;
    scheduler_decided(c, choice, given);
    return given > 0;
}

static bool copied(struct braid_connection *c, struct scheduler_choice *choice, braid_time now) {
    bool gave = copies_schedule(c, now);
    if (gave) choice->filled = false;
    return gave;
}

/* What blocks the peer goes first. But just after a path was cut nobody knows how much of what it had under way did
 * arrive: if all of it, then new bytes are what the reader waits for, and if none, the old ones. For the round trip
 * until the DATA_ACKs tell, the two take turns, and the reader has to wait for neither. */
static void schedule_mapped(struct braid_connection *c, braid_time now) {
    struct sending *s = &c->send;
    struct scheduler_choice choice;
    bool gave = true;
    choice.filled = false;
    while (gave) {
        bool new_first = now < s->cut_doubts_until && s->turn_of_new;
        s->turn_of_new = !s->turn_of_new;
        if (new_first) gave = schedule_new(c, &choice, now) || schedule_again(c, &choice, now);
        else gave = schedule_again(c, &choice, now) || copied(c, &choice, now) || schedule_new(c, &choice, now);
        if (gave) continue;
        gave = blocking_relieve(c, now);
        choice.filled = false;
    }
}

/* Without mappings TCP decides alone what goes when. */
static void schedule_linear(struct braid_connection *c, braid_time now) {
    struct sending *s = &c->send;
    struct subflow *sf = subflow_only(c);
    uint64_t waiting;
    if (!sf || s->data_fin_sent) return;
    while ((waiting = outgoing_unassigned(c)) > 0 && s->starved_until <= now) {
        uint64_t sum = 0;
        uint32_t length = waiting < MAPPING_BYTES_MAX ? (uint32_t)waiting : MAPPING_BYTES_MAX;
        uint32_t given = hand_over(c, sf->t, s->nxt, length, &sum, 0);
        s->nxt = dsn64_add(s->nxt, given);
        if (given < length) {
            starved(c, now);
            return;
        }
    }
}

void outgoing_schedule(struct braid_connection *c, braid_time now) {
    if (connection_over(c)) return;
    if (!c->established && !early_may_write(c)) {
        early_ask(c);
        return;
    }
    if (connection_linear(c)) {
        schedule_linear(c, now);
        return;
    }
    if (dsn_ranges_empty(&c->send.reinject)) reinject_doubts_resolve(c, now);
    schedule_mapped(c, now);
}

bool outgoing_waits(const struct braid_connection *c) { return sendable(c) > 0; }

bool outgoing_repeat(struct subflow *sf, unsigned segments, braid_time now) {
    struct braid_connection *c = sf->c;
    uint64_t under_way = (uint64_t)dsn64_diff(c->send.nxt, c->send.una);
    uint32_t segment = segment_bytes(sf);
    uint32_t given = under_way > 0 ? outgoing_give(sf, c->send.una, portion(sf, under_way, segments * segment, segment), now) : 0;
    if (given == 0) return false;
    c->contiguous = false;
    c->send.bytes_reinjected += given;
    COUNT_N(c, reinjected_bytes, given);
    COUNT(c, reinjected_segments);
    return true;
}

uint32_t outgoing_segment_limit(void *owner, struct tcp *t, seq32 seq, uint32_t want) {
    struct subflow *sf = owner;
    (void)t;
    if (sf->c->mode != CONNECTION_MODE_MPTCP) return want;
    const struct mapping *m = mapping_find(&sf->sent, seq);
    ENSURE(m);
    uint32_t left = (uint32_t)seq32_diff(mapping_end(m), seq);
    return left < want ? left : want;
}

/* --- acknowledgement --- */

static void advance(struct braid_connection *c, dsn64 to) {
    struct sending *s = &c->send;
    uint64_t bytes = (uint64_t)dsn64_diff(to, s->una);
    send_buffer_grow(c);
    slice_queue_drop(&s->queue, bytes);
    s->una = to;
    s->bytes_acknowledged += bytes;
    dsn_ranges_drop_before(&s->reinject, to);
    dsn_ranges_drop_before(&s->doubtful, to);
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        mapping_drop_before_both(&sf->sent, tcp_snd_una(sf->t), to);
    }
}

/* The window is one for all subflows (§3.3.4): what one has heard of it holds for the others, whose own news may be
 * old, or have been lost with what was sent last. */
static void window_share(struct braid_connection *c) {
    int64_t window = dsn64_diff(c->send.window_edge, c->send.una);
    if (window <= 0) return;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (!sf->closed) tcp_share_window(sf->t, window < UINT32_MAX ? (uint32_t)window : UINT32_MAX);
    }
}

void outgoing_data_ack(struct braid_connection *c, dsn64 data_ack, uint32_t window, braid_time now) {
    struct sending *s = &c->send;
    dsn64 last = dsn64_add(s->nxt, s->data_fin_sent ? 1 : 0);
    if (dsn64_gt(data_ack, last)) {
        COUNT(c, data_ack_outside);
        return;
    }
    s->unanswered = 0;
    s->heard_at = now;
    s->window_edge = dsn64_max(s->window_edge, dsn64_add(data_ack, window)); /* [R-3.3.5-1] [R-4-4] */
    if (s->data_fin_sent && dsn64_eq(data_ack, last)) {
        if (!s->fin_acknowledged) connection_wake(c);
        s->fin_acknowledged = true;
        data_ack = s->nxt;
    }
    if (dsn64_gt(data_ack, s->una)) {
        advance(c, data_ack);
        s->data_rto_backoff = 0;
        outgoing_rto_restart(c, now);
    }
    reinject_doubts_resolve(c, now);
    if (s->fin_acknowledged) s->data_rto_at = BRAID_NEVER;
    window_share(c);
}

void outgoing_acknowledged(void *owner, struct tcp *t, uint32_t bytes, braid_time now) {
    struct subflow *sf = owner;
    struct braid_connection *c = sf->c;
    if (connection_linear(c)) {
        outgoing_linear_acknowledged(c, bytes, now);
        if (c->send.infinite_said && seq32_gt(tcp_snd_una(t), c->send.infinite_said_at)) c->send.infinite_due = false;
    } else {
        mapping_drop_before_both(&sf->sent, tcp_snd_una(t), c->send.una);
        tail_acknowledged(sf, now);
    }
}

/* [R-3.7-14] */
void outgoing_linear_acknowledged(struct braid_connection *c, uint32_t bytes, braid_time now) {
    struct sending *s = &c->send;
    (void)now;
    s->linear_acknowledged = dsn64_add(s->linear_acknowledged, bytes);
    if (dsn64_gt(s->linear_acknowledged, s->una)) advance(c, dsn64_min(s->linear_acknowledged, s->nxt));
}

/* --- the data level's own timer (§3.3.6) --- */

void outgoing_rto_restart(struct braid_connection *c, braid_time now) {
    struct sending *s = &c->send;
    braid_time rto = 0;
    bool waiting = !dsn64_eq(s->una, s->nxt) || (s->data_fin_sent && !s->fin_acknowledged);
    if (!waiting || c->mode != CONNECTION_MODE_MPTCP) {
        s->data_rto_at = BRAID_NEVER;
        return;
    }
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (sf->status == SUBFLOW_ACTIVE && subflow_carries(sf) && tcp_rto(sf->t) > rto) rto = tcp_rto(sf->t);
    }
    if (rto < NS_OF_MS(DATA_RTO_MIN_MS)) rto = NS_OF_MS(DATA_RTO_MIN_MS);
    s->data_rto_at = now + (rto << s->data_rto_backoff);
    s->data_rto_began_at = now;
}

/* [R-3.7-3] The only subflow there is acknowledges data, but no longer says a word of MPTCP: the peer has fallen back.
 * What would be sent again would be more of the stream to it. */
bool outgoing_peer_fell_back(const struct braid_connection *c) {
    const struct subflow *only = subflow_only(c);
    return only != NULL && only->acknowledged_bare && fallback_possible(only);
}

/* Subflows live, as their ACKs show, but the connection hears nothing through them. */
static bool peer_heard(const struct braid_connection *c) {
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        struct tcp_info info;
        if (!subflow_carries(sf)) continue;
        tcp_info(sf->t, &info);
        if (info.last_received_at > c->send.data_rto_began_at) return true;
    }
    return false;
}

/* [R-3.7-6] [R-3.7-7] §3.7 tells how a receiver finds out that options pass no more. This is the sender's way, for it may
 * be ACKs that lose them: without it both ends would send the same for ever. True if it has come to that. */
static bool subflows_broken(struct braid_connection *c, braid_time now) {
    struct sending *s = &c->send;
    if (peer_heard(c)) s->unanswered++;
    if (s->unanswered < DATA_RTO_UNANSWERED_MAX) return false;
    s->unanswered = 0;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (subflow_carries(sf)) subflow_reset(sf, MPTCP_RESET_MIDDLEBOX, false, now);
    }
    return true;
}

/* The window is shut, as far as is known: the DATA_ACK that opened it may have gone by a path that loses everything, and
 * so may the probe. Each is asked; whichever answers tells of both. */
static void ask_for_window(struct braid_connection *c) {
    LIST_EACH(&c->subflows, node, following) {
        if (subflow_carries(SUBFLOW_OF(node))) tcp_probe(SUBFLOW_OF(node)->t);
    }
}

void outgoing_fin_again(struct braid_connection *c) {
    LIST_EACH(&c->subflows, node, following) {
        if (subflow_carries(SUBFLOW_OF(node))) tcp_ack_now(SUBFLOW_OF(node)->t);
    }
}

/* No subflow's own timer runs for a DATA_FIN without data: how long it is worth while to say it is told here. */
static void data_fin_again(struct braid_connection *c, braid_time now) {
    if (now - c->send.heard_at >= NS_OF_MS(DATA_FIN_TIMEOUT_MS)) {
        closing_abort(c, CONNECTION_TIMED_OUT, now);
        return;
    }
    outgoing_fin_again(c);
    fallback_fin_ask(c, now);
}

/* Nothing was DATA_ACKed for long. What a subflow still has under way is its own affair; what none has any more was
 * acknowledged by a middlebox, or dropped by a peer without room. */
void outgoing_expire(struct braid_connection *c, braid_time now) {
    struct sending *s = &c->send;
    write_again(c, now);
    if (s->data_rto_at > now) return;
    TRACE(c->env, now, timer_fired, .connection = c->config.number, .subflow = 0, .timer = "data");
    if (s->data_rto_backoff < DATA_RTO_BACKOFF_MAX) s->data_rto_backoff++;
    if (!dsn64_eq(s->una, s->nxt)) {
        if (outgoing_peer_fell_back(c)) {
            struct subflow *only = subflow_only(c);
            if (fallback_no_data_ack(only, now) == TCP_VERDICT_RESET)
                subflow_reset(only, MPTCP_RESET_MIDDLEBOX, false, now);
            return;
        }
        if (!subflows_broken(c, now)) {
            reinject_head(c, UINT32_MAX, now);
            if (dsn64_ge(s->nxt, s->window_edge)) ask_for_window(c);
        }
    } else if (s->data_fin_sent && !s->fin_acknowledged && !subflows_broken(c, now)) {
        data_fin_again(c, now);
    }
    if (connection_over(c)) return;
    outgoing_rto_restart(c, now);
    connection_wake(c);
}
