#include <host/neighbour.h>

#include <base/hash_table.h>
#include <base/list.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "netlink_socket.h"

/* A next hop in use is confirmed this often, so that a router replaced without a word is noticed. */
#define CONFIRM_INTERVAL_NS (10 * BRAID_NS_PER_S)
#define RETRY_INTERVAL_NS (1 * BRAID_NS_PER_S)
/* More destinations than this at a time, and all are looked up afresh. */
#define DESTINATIONS_MAX 4096

enum hop_state {
    HOP_UNKNOWN,   /* the kernel has not been asked */
    HOP_RESOLVING, /* it has */
    HOP_VALID,
    HOP_FAILED,
};

/* A next hop on the link. */
struct hop {
    struct list_node node;
    struct ip_address address;
    enum hop_state state;
    bool has_mac; /* kept through a new resolution: a hop rarely moves */
    uint8_t mac[6];
    bool confirmed; /* the kernel needs no prompting to keep an eye on it */
    braid_time asked_at;
};

/* From here to there, by that hop. */
struct destination {
    struct hash_node node;
    struct ip_address source, address;
    struct hop *hop; /* NULL: no route */
    braid_time looked_up_at;
};

struct neighbours {
    const struct braid_env *env;
    uint32_t interface_index;
    struct mnl_socket *news;
    struct netlink *netlink;
    void (*on_change)(void *context);
    void *context;
    uint64_t hash_key[2];
    struct hash_table destinations;
    struct list_node hops;
    bool changed; /* something somebody may wait for */
};

static braid_time now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (braid_time)now.tv_sec * BRAID_NS_PER_S + (braid_time)now.tv_nsec;
}

/* ---- what the kernel says of neighbours ---- */

static struct hop *find_hop(const struct neighbours *self, const struct ip_address *address) {
    LIST_EACH(&self->hops, node, following) {
        struct hop *hop = LIST_ENTRY(node, struct hop, node);
        if (ip_address_equal(&hop->address, address)) return hop;
    }
    return NULL;
}

struct neighbour_message {
    struct ip_address address;
    const uint8_t *mac;
};

static int take_attribute(const struct nlattr *attribute, void *context) {
    struct neighbour_message *message = context;
    if (mnl_attr_get_type(attribute) == NDA_DST) message->address = netlink_attribute_address(attribute);
    if (mnl_attr_get_type(attribute) == NDA_LLADDR && mnl_attr_get_payload_len(attribute) == 6)
        message->mac = mnl_attr_get_payload(attribute);
    return MNL_CB_OK;
}

static void hop_told(struct neighbours *self, struct hop *hop, uint16_t kernel_state, const uint8_t *mac) {
    enum hop_state before = hop->state;
    if ((kernel_state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)) !=
        0) {
        if (mac == NULL) return;
        if (!hop->has_mac || memcmp(hop->mac, mac, sizeof(hop->mac)) != 0) self->changed = true;
        memcpy(hop->mac, mac, sizeof(hop->mac));
        hop->has_mac = true;
        hop->state = HOP_VALID;
        hop->confirmed = (kernel_state & (NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP)) != 0;
    } else if ((kernel_state & NUD_FAILED) != 0) {
        hop->state = HOP_FAILED;
        hop->has_mac = false;
        hop->asked_at = now_ns();
    } else if ((kernel_state & NUD_INCOMPLETE) != 0) {
        hop->state = HOP_RESOLVING;
    }
    if (before != hop->state) self->changed = true;
}

static void take_neighbour(struct neighbours *self, const struct nlmsghdr *message) {
    const struct ndmsg *header = mnl_nlmsg_get_payload(message);
    if ((uint32_t)header->ndm_ifindex != self->interface_index || (header->ndm_flags & NTF_PROXY) != 0)
        return;
    struct neighbour_message taken = {.address.family = IP_NONE};
    mnl_attr_parse(message, sizeof(*header), take_attribute, &taken);
    struct hop *hop = find_hop(self, &taken.address);
    if (hop == NULL) return;
    if (message->nlmsg_type == RTM_DELNEIGH) {
        if (hop->state != HOP_FAILED) hop->state = HOP_UNKNOWN; /* forgotten as unused: ask again when used */
        self->changed = true;
        return;
    }
    hop_told(self, hop, header->ndm_state, taken.mac);
}

static void forget_destinations(struct neighbours *self);

/* The link, its addresses or its routes changed: what did not answer may answer now, what had no route may
 * have one. */
static void hope_again(struct neighbours *self) {
    LIST_EACH(&self->hops, node, following) {
        struct hop *hop = LIST_ENTRY(node, struct hop, node);
        if (hop->state == HOP_FAILED) hop->state = HOP_UNKNOWN;
    }
    self->changed = true;
}

static bool is_about_our_link(const struct neighbours *self, const struct nlmsghdr *message) {
    const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
    return (uint32_t)header->ifi_index == self->interface_index;
}

static int take_message(const struct nlmsghdr *message, void *context) {
    struct neighbours *self = context;
    switch (message->nlmsg_type) {
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
        take_neighbour(self, message);
        break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
    case RTM_NEWRULE:
    case RTM_DELRULE:
    case RTM_NEWADDR:
    case RTM_DELADDR:
        forget_destinations(self);
        hope_again(self);
        break;
    case RTM_NEWLINK:
        if (is_about_our_link(self, message)) hope_again(self);
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

static int read_neighbours(struct neighbours *self, enum ip_family family) {
    char buffer[NETLINK_REQUEST_BYTES];
    struct nlmsghdr *request = netlink_begin(buffer, RTM_GETNEIGH, NLM_F_DUMP);
    struct ndmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
    header->ndm_family = (uint8_t)netlink_family(family);
    mnl_attr_put_u32(request, NDA_IFINDEX, self->interface_index);
    return netlink_request(self->netlink, request, take_message, self);
}

static void ask_kernel(struct neighbours *self, struct hop *hop, braid_time now) {
    hop->asked_at = now;
    if (hop->state != HOP_VALID) hop->state = HOP_RESOLVING;
    if (netlink_neighbour_probe(self->netlink, self->interface_index, &hop->address) != 0)
        hop->state = HOP_FAILED;
}

/* ---- from destinations to hops ---- */

static struct hop *hop_for(struct neighbours *self, const struct ip_address *address) {
    struct hop *hop = find_hop(self, address);
    if (hop != NULL) return hop;
    hop = self->env->allocate(self->env->context, sizeof(*hop));
    if (hop == NULL) return NULL;
    *hop = (struct hop){.address = *address, .state = HOP_UNKNOWN};
    list_append(&self->hops, &hop->node);
    /* The kernel may know it already. If it does not answer, the hop stays unknown, and is resolved. */
    (void)!read_neighbours(self, address->family);
    return hop;
}

static uint64_t destination_hash(const struct neighbours *self, const struct ip_address *source,
                                 const struct ip_address *address) {
    uint8_t both[32];
    memcpy(both, source->bytes, 16);
    memcpy(both + 16, address->bytes, 16);
    return hash_bytes(self->hash_key, both, sizeof(both));
}

static struct destination *find_destination(const struct neighbours *self, uint64_t hash,
                                            const struct ip_address *source,
                                            const struct ip_address *address) {
    for (struct hash_node *node = hash_table_first(&self->destinations, hash); node != NULL;
         node = hash_table_next(node)) {
        struct destination *destination = CONTAINER_OF(node, struct destination, node);
        if (ip_address_equal(&destination->address, address) &&
            ip_address_equal(&destination->source, source))
            return destination;
    }
    return NULL;
}

static void forget_hops(struct neighbours *self) {
    LIST_EACH(&self->hops, node, following) {
        list_remove(node);
        self->env->release(self->env->context, LIST_ENTRY(node, struct hop, node), sizeof(struct hop));
    }
}

static void forget_destinations(struct neighbours *self) {
    for (uint32_t i = 0; i < self->destinations.bucket_count; i++) {
        while (self->destinations.buckets[i] != NULL) {
            struct destination *gone = CONTAINER_OF(self->destinations.buckets[i], struct destination, node);
            hash_table_remove(&self->destinations, &gone->node);
            self->env->release(self->env->context, gone, sizeof(*gone));
        }
    }
}

static void look_up(struct neighbours *self, struct destination *destination, braid_time now) {
    struct netlink_path path;
    destination->looked_up_at = now;
    destination->hop = NULL;
    if (netlink_path_lookup(self->netlink, self->interface_index, &destination->source, &destination->address,
                            &path) != 0)
        return;
    if (path.interface_index == self->interface_index) destination->hop = hop_for(self, &path.next_hop);
}

static struct destination *destination_for(struct neighbours *self, const struct ip_address *source,
                                           const struct ip_address *address, braid_time now) {
    uint64_t hash = destination_hash(self, source, address);
    struct destination *found = find_destination(self, hash, source, address);
    if (found != NULL) {
        /* Not every change of IPv4 routes is told, so that there is none is not believed for long. */
        if (found->hop == NULL && now - found->looked_up_at >= RETRY_INTERVAL_NS) look_up(self, found, now);
        return found;
    }
    if (self->destinations.count >= DESTINATIONS_MAX) {
        forget_destinations(self);
        forget_hops(self);
    }
    found = self->env->allocate(self->env->context, sizeof(*found));
    if (found == NULL) return NULL;
    *found = (struct destination){.source = *source, .address = *address};
    look_up(self, found, now);
    hash_table_insert(&self->destinations, &found->node, hash);
    return found;
}

enum link_next_hop_state neighbours_resolve(void *neighbours, const struct ip_address *source,
                                            const struct ip_address *destination, uint8_t mac[6]) {
    struct neighbours *self = neighbours;
    braid_time now = now_ns();
    const struct destination *found = destination_for(self, source, destination, now);
    if (found == NULL || found->hop == NULL) return LINK_NEXT_HOP_UNREACHABLE;
    struct hop *hop = found->hop;
    bool retry = hop->state == HOP_FAILED && now - hop->asked_at >= RETRY_INTERVAL_NS;
    bool confirm = hop->state == HOP_VALID && !hop->confirmed && now - hop->asked_at >= CONFIRM_INTERVAL_NS;
    if (hop->state == HOP_UNKNOWN || retry || confirm) ask_kernel(self, hop, now);
    if (hop->has_mac) {
        memcpy(mac, hop->mac, sizeof(hop->mac));
        return LINK_NEXT_HOP_KNOWN;
    }
    return hop->state == HOP_RESOLVING ? LINK_NEXT_HOP_PENDING : LINK_NEXT_HOP_UNREACHABLE;
}

/* ---- news ---- */

/* News were lost: what is known of hops may be old. Their addresses are read again, their routes looked up
 * again. */
static void start_afresh(struct neighbours *self) {
    forget_destinations(self);
    LIST_EACH(&self->hops, node, following) {
        struct hop *hop = LIST_ENTRY(node, struct hop, node);
        hop->state = HOP_UNKNOWN;
    }
    self->changed = true;
    (void)!read_neighbours(self, IP_V4);
    (void)!read_neighbours(self, IP_V6);
}

void neighbours_dispatch(struct neighbours *self) {
    static _Thread_local char buffer[NETLINK_ANSWER_BYTES] __attribute__((aligned(8)));
    for (;;) {
        ssize_t length = recv(mnl_socket_get_fd(self->news), buffer, sizeof(buffer), MSG_DONTWAIT);
        if (length < 0 && errno == EINTR) continue;
        if (length < 0 && errno == ENOBUFS) {
            start_afresh(self);
            continue;
        }
        if (length <= 0) break;
        (void)!mnl_cb_run(buffer, (size_t)length, 0, 0, take_message, self);
    }
    bool changed = self->changed;
    self->changed = false;
    if (changed && self->on_change != NULL) self->on_change(self->context);
}

int neighbours_fd(const struct neighbours *neighbours) {
    return mnl_socket_get_fd(neighbours->news);
}

static int open_news(struct neighbours *self) {
    self->news = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (self->news == NULL) return -errno;
    unsigned groups = RTMGRP_NEIGH | RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE |
                      RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
    if (mnl_socket_bind(self->news, groups, MNL_SOCKET_AUTOPID) < 0) return -errno;
    int group = RTNLGRP_IPV6_RULE; /* beyond the old bit mask */
    return mnl_socket_setsockopt(self->news, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0 ? -errno : 0;
}

int neighbours_create(const struct braid_env *env, uint32_t interface_index, void (*on_change)(void *context),
                      void *context, struct neighbours **out) {
    struct neighbours *self = env->allocate(env->context, sizeof(*self));
    if (self == NULL) return -ENOMEM;
    *self = (struct neighbours){
        .env = env, .interface_index = interface_index, .on_change = on_change, .context = context};
    list_init(&self->hops);
    if (!hash_table_init(&self->destinations, env)) {
        env->release(env->context, self, sizeof(*self));
        return -ENOMEM;
    }
    int error = open_news(self);
    if (error == 0) error = netlink_open(&self->netlink);
    if (error == 0 && getrandom(self->hash_key, sizeof(self->hash_key), 0) < 0) error = -errno;
    if (error != 0) {
        neighbours_destroy(self);
        return error;
    }
    *out = self;
    return 0;
}

void neighbours_destroy(struct neighbours *self) {
    if (self == NULL) return;
    forget_destinations(self);
    forget_hops(self);
    hash_table_deinit(&self->destinations);
    if (self->news != NULL) mnl_socket_close(self->news);
    netlink_close(self->netlink);
    self->env->release(self->env->context, self, sizeof(*self));
}
