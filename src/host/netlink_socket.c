#include "netlink_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define DUMP_RETRIES_MAX 10

int netlink_open(struct netlink **out) {
    struct netlink *netlink = calloc(1, sizeof(*netlink));
    if (netlink == NULL) return -ENOMEM;
    netlink->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (netlink->socket == NULL || mnl_socket_bind(netlink->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        int error = errno;
        netlink_close(netlink);
        return -error;
    }
    int yes = 1;
    netlink->strict = mnl_socket_setsockopt(netlink->socket, NETLINK_GET_STRICT_CHK, &yes, sizeof(yes)) == 0;
    *out = netlink;
    return 0;
}

void netlink_close(struct netlink *netlink) {
    if (netlink == NULL) return;
    if (netlink->socket != NULL) mnl_socket_close(netlink->socket);
    free(netlink);
}

struct nlmsghdr *netlink_begin(void *buffer, uint16_t type, uint16_t flags) {
    struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
    request->nlmsg_type = type;
    request->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    return request;
}

/* Throws away what is left of an answer given up half-way, so that the next request does not read it. */
static void drain(struct netlink *netlink) {
    char rest[4096];
    while (recv(mnl_socket_get_fd(netlink->socket), rest, sizeof(rest), MSG_DONTWAIT) > 0)
        continue;
}

static int exchange(struct netlink *netlink, struct nlmsghdr *request, mnl_cb_t on_answer, void *context) {
    static _Thread_local char answer[NETLINK_ANSWER_BYTES] __attribute__((aligned(8)));
    unsigned port = mnl_socket_get_portid(netlink->socket);
    request->nlmsg_seq = ++netlink->sequence;
    if (mnl_socket_sendto(netlink->socket, request, request->nlmsg_len) < 0) return -errno;
    int result = 0;
    for (int state = MNL_CB_OK; state > MNL_CB_STOP;) {
        ssize_t length = mnl_socket_recvfrom(netlink->socket, answer, sizeof(answer));
        if (length < 0 && errno == EINTR) continue;
        if (length < 0) return -errno;
        state = mnl_cb_run(answer, (size_t)length, request->nlmsg_seq, port, on_answer, context);
        if (state < 0) result = -errno;
    }
    if (result != 0) drain(netlink);
    return result;
}

int netlink_request(struct netlink *netlink, struct nlmsghdr *request, mnl_cb_t on_answer, void *context) {
    int result = -EINTR;
    for (int i = 0; i < DUMP_RETRIES_MAX && result == -EINTR; i++)
        result = exchange(netlink, request, on_answer, context);
    return result;
}

int netlink_family(enum ip_family family) {
    return family == IP_V4 ? AF_INET : AF_INET6;
}

uint16_t netlink_address_bytes(enum ip_family family) {
    return family == IP_V4 ? 4 : 16;
}

struct ip_address netlink_attribute_address(const struct nlattr *attribute) {
    switch (mnl_attr_get_payload_len(attribute)) {
    case 4:
        return ip_address_v4(mnl_attr_get_payload(attribute));
    case 16:
        return ip_address_v6(mnl_attr_get_payload(attribute));
    default:
        return (struct ip_address){.family = IP_NONE};
    }
}

void netlink_put_address(struct nlmsghdr *request, uint16_t type, const struct ip_address *address) {
    mnl_attr_put(request, type, netlink_address_bytes(address->family), address->bytes);
}
