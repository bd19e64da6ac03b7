/* The way out: next hop, link-layer header, virtio header, and batches to the kernel. */
#define _GNU_SOURCE
#include "af_packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static struct ip_address source_of(const struct braid_packet_out *packet) {
    if (packet->header[0] >> 4 == 4) return ip_address_v4(packet->header + 12);
    return ip_address_v6(packet->header + 8);
}

static struct ip_address destination_of(const struct braid_packet_out *packet) {
    if (packet->header[0] >> 4 == 4) return ip_address_v4(packet->header + 16);
    return ip_address_v6(packet->header + 24);
}

/* The answer of the last question of a batch, since most packets of a batch go the same way. */
struct last_hop {
    struct ip_address source, destination;
    enum link_next_hop_state state;
    uint8_t mac[6];
};

static enum link_next_hop_state find_next_hop(const struct link_af_packet *self, struct last_hop *last,
                                              const struct braid_packet_out *packet) {
    if (!self->ethernet) return LINK_NEXT_HOP_KNOWN;
    struct ip_address source = source_of(packet), destination = destination_of(packet);
    if (ip_address_equal(&destination, &last->destination) && ip_address_equal(&source, &last->source))
        return last->state;
    last->source = source;
    last->destination = destination;
    if (self->no_next_hop) {
        last->state = LINK_NEXT_HOP_KNOWN;
        memcpy(last->mac, self->own_mac, sizeof(last->mac));
    } else {
        last->state = self->next_hop.resolve(self->next_hop.context, &source, &destination, last->mac);
    }
    return last->state;
}

/* Describes `packet` as message `index` of the batch. */
static void prepare(struct link_af_packet *self, size_t index, const struct braid_packet_out *packet,
                    const uint8_t mac[6]) {
    bool v4 = packet->header[0] >> 4 == 4;
    uint16_t offset = self->ethernet ? sizeof(struct ether_header) : 0;
    struct af_packet_prefix *prefix = &self->prefixes[index];
    struct iovec *runs = self->runs[index];

    prefix->virtio = virtio_header_encode(packet, offset);
    if (self->ethernet) {
        memcpy(prefix->ethernet.ether_dhost, mac, 6);
        memcpy(prefix->ethernet.ether_shost, self->own_mac, 6);
        prefix->ethernet.ether_type = htons(v4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
    }
    if (self->virtio_headers)
        runs[0] = (struct iovec){prefix, sizeof(struct virtio_net_hdr) + offset};
    else
        runs[0] = (struct iovec){&prefix->ethernet, offset};

    struct msghdr *message = &self->messages[index].msg_hdr;
    *message = (struct msghdr){0};
    message->msg_name = v4 ? &self->address_v4 : &self->address_v6;
    message->msg_namelen = sizeof(struct sockaddr_ll);
    message->msg_iov = runs;
    message->msg_iovlen = 1 + packet_gather(packet, runs + 1);
}

static void count_sent(struct link_af_packet *self, const struct braid_packet_out *packet) {
    self->statistics.packets_out++;
    self->statistics.bytes_out += packet->header_length + packet->payload_length;
    if (packet->segment_bytes != 0 && packet->payload_length > packet->segment_bytes)
        self->statistics.super_segments_out++;
}

/* Gives `count` prepared messages to the kernel. Returns how many it took or refused for good; -ENODEV. */
static int transmit(struct link_af_packet *self, const struct braid_packet_out *packets, size_t count) {
    size_t done = 0;
    while (done < count) {
        int sent = sendmmsg(self->link.fd, self->messages + done, (unsigned)(count - done), MSG_DONTWAIT);
        if (sent > 0) {
            for (int i = 0; i < sent; i++)
                count_sent(self, &packets[done + (size_t)i]);
            done += (size_t)sent;
            continue;
        }
        if (errno == EINTR) continue;
        if (errno == EAGAIN) break;
        if (errno == ENXIO || errno == ENODEV) return done > 0 ? (int)done : -ENODEV;
        /* The interface is down, its queue dropped the packet (ENOBUFS), or it does not fit: lost, as on a
         * wire. */
        self->statistics.dropped_out++;
        done++;
    }
    return (int)done;
}

static void hold(struct link_af_packet *self, struct braid_packet_out *packet) {
    if (self->held_count == AF_PACKET_HELD_MAX) {
        self->statistics.dropped_unresolved++;
        braid_packet_out_release(packet);
        return;
    }
    self->held[self->held_count++] = *packet; /* its references move along */
    packet->slice_count = 0;
    packet->payload_length = 0;
}

/* Prepares packets from the front of the list while their next hop is known. Returns how many; in `blocked`
 * why it stopped. */
static size_t prepare_run(struct link_af_packet *self, const struct braid_packet_out *packets, size_t count,
                          struct last_hop *last, enum link_next_hop_state *blocked) {
    size_t ready = 0;
    for (; ready < count && ready < LINK_BATCH_MAX; ready++) {
        *blocked = find_next_hop(self, last, &packets[ready]);
        if (*blocked != LINK_NEXT_HOP_KNOWN) break;
        prepare(self, ready, &packets[ready], last->mac);
    }
    return ready;
}

/* Sends the list in order; what waits for a next hop is held aside. Returns how many packets were disposed
 * of. */
static int send_list(struct link_af_packet *self, struct braid_packet_out *packets, size_t count) {
    struct last_hop last = {.destination.family = IP_NONE};
    size_t taken = 0;
    while (taken < count) {
        enum link_next_hop_state blocked = LINK_NEXT_HOP_KNOWN;
        size_t ready = prepare_run(self, packets + taken, count - taken, &last, &blocked);
        if (ready > 0) {
            int sent = transmit(self, packets + taken, ready);
            if (sent < 0) return taken > 0 ? (int)taken : sent;
            for (int i = 0; i < sent; i++)
                braid_packet_out_release(&packets[taken + (size_t)i]);
            taken += (size_t)sent;
            if ((size_t)sent < ready) break;
        } else if (blocked == LINK_NEXT_HOP_PENDING) {
            hold(self, &packets[taken++]);
        } else {
            self->statistics.dropped_unresolved++;
            braid_packet_out_release(&packets[taken++]);
        }
    }
    return (int)taken;
}

int af_packet_send(struct link *link, struct braid_packet_out *packets, size_t count) {
    struct link_af_packet *self = af_packet_of(link);
    return send_list(self, packets, count > LINK_BATCH_MAX ? LINK_BATCH_MAX : count);
}

void link_af_packet_next_hop_changed(struct link *link) {
    struct link_af_packet *self = af_packet_of(link);
    /* Each held packet is offered once; those still waiting are held again, in their order. */
    size_t count = self->held_count;
    self->held_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct braid_packet_out packet = self->held[i];
        if (send_list(self, &packet, 1) == 1) continue;
        self->statistics.dropped_out++;
        braid_packet_out_release(&packet);
    }
}

void af_packet_release_held(struct link_af_packet *self) {
    for (size_t i = 0; i < self->held_count; i++)
        braid_packet_out_release(&self->held[i]);
    self->held_count = 0;
}
