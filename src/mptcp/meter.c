/* Links that cost by the byte. A link's meter counts whole packets, both ways, of all connections, and its cap holds: what
 * is not certain to fit under it is not sent.
 *
 * What the peer sends is the peer's to decide. When it is told to stop, what it has under way by then still comes: what
 * arrives in a round trip, queues included; or several times as much while it is still finding out how fast the path is;
 * or, after a pause, what it was able to send before; but never more than the window it was offered. That is reckoned for
 * each subflow when something came by it, and kept free under the cap, with a margin beside it for what must be said, and
 * for who begins to send just then. So:
 *
 *     near       twice that no longer fits: the subflows become backups, and the peer is told so (MP_PRIO). One that minds it
 *                goes on by its other paths, if it has any, and what is left is for when they fail.
 *     used up    it does not fit once: the link counts as gone, in all connections. Its subflows are given up, the peer hears of
 *                it by REMOVE_ADDR on another path, and what still comes is answered by resets; it all counts.
 *
 * A peer that minds none of it, and what is not TCP's, goes beyond the cap without an answer: nothing at all is sent then.
 *
 * Near and used up stay so until there are new terms: what is expected falls when the subflows are gone, and to begin again
 * because of that would be to go round in circles. */
#include "subflow.h"

static uint64_t left_of(const struct path_meter *meter) {
    uint64_t kept = meter->used_bytes + meter->expected_bytes + METER_MARGIN_BYTES;
    return meter->cap_bytes > kept ? meter->cap_bytes - kept : 0;
}

static uint64_t packet_most(uint32_t mtu_bytes, uint32_t super_segment_bytes) {
    uint64_t pieces = 1 + super_segment_bytes / 1000;
    return (super_segment_bytes > mtu_bytes ? super_segment_bytes : mtu_bytes) + pieces * METER_HEADERS_BYTES;
}

static bool has_cap(const struct path_meter *meter) { return meter && meter->cap_bytes > 0; }

static bool exhausted(const struct path_meter *meter, uint32_t mtu_bytes, uint32_t super_segment_bytes) {
    return has_cap(meter) && (meter->used_up || left_of(meter) < packet_most(mtu_bytes, super_segment_bytes));
}

bool path_used_up(const struct local_path *path) {
    return exhausted(path->meter, path->mtu_bytes, path->super_segment_bytes);
}

bool meter_exhausted(const struct subflow *sf) {
    return exhausted(sf->path_meter, sf->mtu_bytes, sf->super_segment_bytes);
}

void path_meter_set(struct path_meter *meter, bool metered, uint64_t cap_bytes) {
    meter->metered = metered;
    meter->cap_bytes = cap_bytes;
    meter->near = meter->used_up = false;
}

bool path_meter_forbids(const struct path_meter *meter, uint64_t bytes) {
    return meter->cap_bytes > 0 && meter->used_bytes + bytes > meter->cap_bytes;
}

/* --- sending --- */

/* Not much more is given to it than may still go, or the rest would have to move again. */
uint32_t meter_bounded(const struct subflow *sf, uint32_t room) {
    if (!has_cap(sf->path_meter)) return room;
    uint64_t left = left_of(sf->path_meter), unsent = tcp_unsent(sf->t);
    left = left > unsent ? left - unsent : 0;
    return room < left ? room : (uint32_t)left;
}

static uint64_t bytes_of(const struct braid_packet_out *packet) {
    uint64_t pieces = 1;
    if (packet->segment_bytes > 0) pieces = (packet->payload_length + packet->segment_bytes - 1) / packet->segment_bytes;
    return packet->payload_length + (pieces > 0 ? pieces : 1) * packet->header_length;
}

void meter_sent(struct subflow *sf, const struct braid_packet_out *packets, size_t count) {
    for (size_t i = 0; sf->path_meter && i < count; i++) sf->path_meter->used_bytes += bytes_of(&packets[i]);
}

/* One packet at a time when the cap is near. Of a subflow that is over only a reset is left to be sent. */
size_t meter_packets(const struct subflow *sf, size_t room) {
    if (!has_cap(sf->path_meter)) return room;
    if (sf->closed) return room > 0 && !path_meter_forbids(sf->path_meter, METER_HEADERS_BYTES) ? 1 : 0;
    uint64_t fit = left_of(sf->path_meter) / packet_most(sf->mtu_bytes, sf->super_segment_bytes);
    return fit < room ? (size_t)fit : room;
}

/* --- what may still come --- */

static uint32_t expected_of(struct subflow *sf, braid_time now) {
    const struct braid_connection *c = sf->c;
    struct tcp_info info;
    uint64_t round = window_round_bytes(sf, now);
    int64_t offered = dsn64_diff(c->window.edge, c->receive.nxt);
    if (round > sf->round_most_bytes) sf->round_most_bytes = round < UINT32_MAX ? (uint32_t)round : UINT32_MAX;
    uint64_t coming = METER_GROWTH * round, before = METER_GROWTH_PAUSED * (uint64_t)sf->round_most_bytes;
    if (coming < before) coming = before;
    if (coming > (uint64_t)(offered > 0 ? offered : 0)) coming = offered > 0 ? (uint64_t)offered : 0;
    tcp_info(sf->t, &info);
    coming += METER_SUBFLOW_BYTES + coming / METER_HEADERS_DIVISOR + info.in_flight_bytes / METER_ACKS_DIVISOR;
    return coming < UINT32_MAX ? (uint32_t)coming : UINT32_MAX;
}

void meter_expect(struct subflow *sf, uint32_t bytes) {
    if (!sf->path_meter) return;
    sf->path_meter->expected_bytes = sf->path_meter->expected_bytes - sf->expected_bytes + bytes;
    sf->expected_bytes = bytes;
}

static void news(const struct subflow *sf, const char *what, braid_time now) {
    const struct connection_config *config = &sf->c->config;
    struct path_meter *meter = sf->path_meter;
    TRACE(sf->c->env, now, meter_state, .link = sf->link, .state = what, .used_bytes = meter->used_bytes, .cap_bytes = meter->cap_bytes,
          .expected_bytes = meter->expected_bytes);
    if (config->host_ops->meter_news) config->host_ops->meter_news(config->host, meter);
}

/* True: it is used up. */
static bool judge(struct subflow *sf, braid_time now) {
    struct path_meter *meter = sf->path_meter;
    meter_expect(sf, expected_of(sf, now));
    if (!meter->used_up && meter_exhausted(sf)) {
        meter->near = meter->used_up = true;
        news(sf, "used up", now);
    } else if (!meter->near && left_of(meter) < meter->expected_bytes + packet_most(sf->mtu_bytes, sf->super_segment_bytes)) {
        meter->near = true;
        news(sf, "near", now);
    }
    if (meter->near && !meter->used_up && sf->c->mode == CONNECTION_MODE_MPTCP) priority_set(sf, true, now);
    return meter->used_up;
}

static struct subflow *used_up(const struct braid_connection *c) {
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (!sf->closed && has_cap(sf->path_meter) && sf->path_meter->used_up) return sf;
    }
    return NULL;
}

void meter_enforce(struct braid_connection *c, braid_time now) {
    bool any = false, near = false;
    struct subflow *sf;
    LIST_EACH(&c->subflows, node, following) {
        sf = SUBFLOW_OF(node);
        if (!has_cap(sf->path_meter) || sf->closed) continue;
        any |= judge(sf, now);
        near |= sf->path_meter->near;
    }
    if (near != c->paths.meter_near) c->paths.due = true; /* what the others are to be may have changed */
    c->paths.meter_near = near;
    while (any && (sf = used_up(c)) != NULL) {
        if (c->mode == CONNECTION_MODE_MPTCP && c->confirmed) connection_path_down(c, sf->path_id, now); /* with all by it */
        else subflow_reset(sf, MPTCP_RESET_PROHIBITED, false, now);
    }
}
