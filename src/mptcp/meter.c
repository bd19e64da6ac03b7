/* Paths that cost by the byte. A path's meter counts whole packets, both ways, of all connections. Its cap holds: what is
 * not certain to fit under it is not sent, and then the path counts as gone, for the peer as well, which is told by
 * REMOVE_ADDR on another. What the peer has under way at that moment arrives all the same; METER_MARGIN_BYTES before the
 * cap are kept for it, and for resets and the like. */
#include "subflow.h"

static uint64_t left_of(const struct path_meter *meter) {
    uint64_t kept = meter->used_bytes + METER_MARGIN_BYTES;
    return meter->cap_bytes > kept ? meter->cap_bytes - kept : 0;
}

static uint64_t packet_most(uint32_t mtu_bytes, uint32_t super_segment_bytes) {
    uint64_t pieces = 1 + super_segment_bytes / 1000;
    return (super_segment_bytes > mtu_bytes ? super_segment_bytes : mtu_bytes) + pieces * METER_HEADERS_BYTES;
}

static bool has_cap(const struct path_meter *meter) { return meter && meter->cap_bytes > 0; }

bool path_used_up(const struct local_path *path) {
    return has_cap(path->meter) && left_of(path->meter) < packet_most(path->mtu_bytes, path->super_segment_bytes);
}

bool meter_exhausted(const struct subflow *sf) {
    return has_cap(sf->path_meter) &&
           left_of(sf->path_meter) < packet_most(sf->mtu_bytes, sf->super_segment_bytes);
}

/* Not much more is given to it than may still go, or the rest would have to move again. */
uint32_t meter_bounded(const struct subflow *sf, uint32_t room) {
    if (!has_cap(sf->path_meter)) return room;
    uint64_t left = left_of(sf->path_meter), unsent = tcp_unsent(sf->t);
    left = left > unsent ? left - unsent : 0;
    return room < left ? room : (uint32_t)left;
}

void meter_received(struct subflow *sf, const struct tcp_segment *segment) {
    if (sf->path_meter) sf->path_meter->used_bytes += segment->payload_length + METER_HEADERS_BYTES;
}

static uint64_t bytes_of(const struct braid_packet_out *packet) {
    uint64_t pieces = 1;
    if (packet->segment_bytes > 0) pieces = (packet->payload_length + packet->segment_bytes - 1) / packet->segment_bytes;
    return packet->payload_length + (pieces > 0 ? pieces : 1) * packet->header_length;
}

void meter_sent(struct subflow *sf, const struct braid_packet_out *packets, size_t count) {
    for (size_t i = 0; sf->path_meter && i < count; i++) sf->path_meter->used_bytes += bytes_of(&packets[i]);
}

/* One packet at a time when the cap is near. */
size_t meter_packets(const struct subflow *sf, size_t room) {
    if (!has_cap(sf->path_meter)) return room;
    uint64_t fit = left_of(sf->path_meter) / packet_most(sf->mtu_bytes, sf->super_segment_bytes);
    return fit < room ? (size_t)fit : room;
}

void meter_enforce(struct braid_connection *c, braid_time now) {
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (sf->closed || !meter_exhausted(sf)) continue;
        if (c->mode == CONNECTION_MODE_MPTCP && c->confirmed) {
            connection_path_down(c, sf->path_id, now); /* all subflows by it are gone now */
            return;
        }
        subflow_reset(sf, MPTCP_RESET_PROHIBITED, false, now);
    }
}
