/* TCP_INFO and MPTCP_INFO in the kernel's layout, so that tools written for a kernel read them. What braid
 * does not keep is 0; docs/sockets.md has the list of what is filled in. */
#include "sockets_internal.h"

#define tcp_info kernel_tcp_info /* the tcp floor has a struct of that name */
#include <linux/tcp.h>
#undef tcp_info
#include <linux/mptcp.h>
#include <mptcp/connection.h>

/* The kernel's numbers of TCP's states. */
static uint8_t kernel_state(enum tcp_state state) {
    switch (state) {
    case TCP_STATE_CLOSED:
        return 7;
    case TCP_STATE_SYN_SENT:
        return 2;
    case TCP_STATE_SYN_RECEIVED:
        return 3;
    case TCP_STATE_ESTABLISHED:
        return 1;
    case TCP_STATE_FIN_WAIT_1:
        return 4;
    case TCP_STATE_FIN_WAIT_2:
        return 5;
    case TCP_STATE_CLOSE_WAIT:
        return 8;
    case TCP_STATE_CLOSING:
        return 11;
    case TCP_STATE_LAST_ACK:
        return 9;
    case TCP_STATE_TIME_WAIT:
        return 6;
    }
    return 7;
}
#define KERNEL_STATE_LISTEN 10

static uint32_t us_of(braid_time ns) {
    return ns / BRAID_NS_PER_US < UINT32_MAX ? (uint32_t)(ns / BRAID_NS_PER_US) : UINT32_MAX;
}

static uint32_t ms_since(braid_time at, braid_time now) {
    if (at == 0 || at > now) return 0;
    return (now - at) / BRAID_NS_PER_MS < UINT32_MAX ? (uint32_t)((now - at) / BRAID_NS_PER_MS) : UINT32_MAX;
}

static uint32_t segments(uint64_t bytes, uint32_t mss_bytes) {
    return mss_bytes > 0 ? (uint32_t)((bytes + mss_bytes - 1) / mss_bytes) : 0;
}

enum { CA_OPEN, CA_DISORDER, CA_CWR, CA_RECOVERY, CA_LOSS }; /* the kernel's */

static uint8_t congestion_state(const struct tcp_info *t) {
    if (t->recovering_by_timeout) return CA_LOSS;
    if (t->recovering) return CA_RECOVERY;
    return t->sacked_bytes > 0 ? CA_DISORDER : CA_OPEN;
}

static void fill_flight(struct kernel_tcp_info *out, const struct tcp_info *t) {
    uint32_t mss = t->mss_bytes;
    out->tcpi_ca_state = congestion_state(t);
    /* The kernel's unacked counts what was reported or is lost, too. */
    out->tcpi_unacked = segments((uint64_t)t->in_flight_bytes + t->lost_bytes + t->sacked_bytes, mss);
    out->tcpi_sacked = segments(t->sacked_bytes, mss);
    out->tcpi_lost = segments(t->lost_bytes, mss);
    out->tcpi_pmtu = t->mtu_bytes;
    out->tcpi_pacing_rate = t->pacing_bytes_per_s > 0 ? t->pacing_bytes_per_s : UINT64_MAX;
    out->tcpi_delivered_ce = (uint32_t)t->marks_answered;
}

static void fill_counts(struct kernel_tcp_info *out, const struct tcp_info *t) {
    out->tcpi_bytes_acked = t->bytes_acknowledged;
    out->tcpi_bytes_received = t->bytes_received;
    out->tcpi_bytes_sent = t->bytes_sent;
    out->tcpi_bytes_retrans = t->bytes_retransmitted;
    out->tcpi_segs_out = (uint32_t)t->segments_sent;
    out->tcpi_segs_in = (uint32_t)t->segments_received;
    out->tcpi_total_retrans = (uint32_t)t->segments_retransmitted;
    out->tcpi_rcv_ooopack = (uint32_t)t->segments_out_of_order;
    out->tcpi_retransmits = (uint8_t)(t->timeouts_in_a_row < 255 ? t->timeouts_in_a_row : 255);
    out->tcpi_backoff = out->tcpi_retransmits;
    out->tcpi_delivery_rate = t->delivery_bytes_per_s;
    out->tcpi_notsent_bytes = t->unsent_bytes;
}

static void fill(struct kernel_tcp_info *out, const struct tcp_info *t, braid_time now) {
    *out = (struct kernel_tcp_info){.tcpi_state = kernel_state(t->state)};
    out->tcpi_options = (uint8_t)((t->timestamps ? TCPI_OPT_TIMESTAMPS : 0) | (t->sack ? TCPI_OPT_SACK : 0) |
                                  (t->scaling ? TCPI_OPT_WSCALE : 0) | (t->ecn ? TCPI_OPT_ECN : 0));
    out->tcpi_snd_wscale = t->send_scale & 15;
    out->tcpi_rcv_wscale = t->receive_scale & 15;
    out->tcpi_rto = us_of(t->rto_ns);
    out->tcpi_snd_mss = t->mss_bytes;
    out->tcpi_last_data_sent = ms_since(t->last_sent_at, now);
    out->tcpi_last_data_recv = ms_since(t->last_received_at, now);
    out->tcpi_rtt = us_of(t->srtt_ns);
    out->tcpi_rttvar = us_of(t->rttvar_ns);
    out->tcpi_min_rtt = us_of(t->min_rtt_ns);
    out->tcpi_rcv_rtt = us_of(t->receive_rtt_ns);
    out->tcpi_snd_ssthresh =
        t->ssthresh_bytes == UINT32_MAX ? 0x7fffffff : segments(t->ssthresh_bytes, t->mss_bytes);
    out->tcpi_snd_cwnd = t->mss_bytes > 0 ? t->cwnd_bytes / t->mss_bytes : 0;
    out->tcpi_snd_wnd = t->peer_window_bytes;
    fill_flight(out, t);
    fill_counts(out, t);
}

int info_tcp(const struct socket *socket, void *value, socklen_t *length) {
    struct kernel_tcp_info out = {.tcpi_state = 7};
    struct subflow_info first;
    if (socket->listener) out.tcpi_state = KERNEL_STATE_LISTEN;
    if (socket->connection && connection_subflow_info(socket->connection, 0, &first))
        fill(&out, &first.tcp, sockets_now(socket->net));
    return option_give(&out, sizeof(out), value, length);
}

/* --- MPTCP --- */

static int mptcp_summary(const struct braid_connection *c, void *value, socklen_t *length) {
    struct connection_info info;
    connection_info(c, &info);
    struct mptcp_info out = {
        .mptcpi_subflows = (uint8_t)(info.subflows > 1 ? info.subflows - 1 : 0), /* those beside the first */
        .mptcpi_add_addr_signal = info.announced,
        .mptcpi_add_addr_accepted = info.addresses_known,
        .mptcpi_subflows_max = (uint8_t)(info.subflows_max > 0 ? info.subflows_max - 1 : 0),
        .mptcpi_flags = MPTCP_INFO_FLAG_REMOTE_KEY_RECEIVED,
        .mptcpi_token = info.token,
        .mptcpi_write_seq = info.write_dsn,
        .mptcpi_snd_una = info.unacknowledged_dsn,
        .mptcpi_rcv_nxt = info.next_dsn,
        .mptcpi_csum_enabled = info.checksum,
    };
    return option_give(&out, sizeof(out), value, length);
}

static void subflow_address(struct __kernel_sockaddr_storage *out, const struct ip_address *address,
                            uint16_t port) {
    struct braid_endpoint endpoint = {.port = port};
    endpoint.address.family = (uint8_t)address->family;
    memcpy(endpoint.address.bytes, address->bytes, sizeof(endpoint.address.bytes));
    socklen_t size = sizeof(*out);
    address_give(AF_INET, &endpoint, (struct sockaddr *)out, &size);
}

static size_t subflow_entry(const struct socket *socket, int option, const struct subflow_info *subflow,
                            void *out) {
    if (option == MPTCP_TCPINFO) {
        fill(out, &subflow->tcp, sockets_now(socket->net));
        return sizeof(struct kernel_tcp_info);
    }
    struct mptcp_subflow_addrs *addresses = out;
    memset(addresses, 0, sizeof(*addresses));
    subflow_address(&addresses->ss_local, &subflow->flow.local, subflow->flow.local_port);
    subflow_address(&addresses->ss_remote, &subflow->flow.remote, subflow->flow.remote_port);
    return sizeof(*addresses);
}

/* A head that says how large the caller's entries are, then the entries, each cut off to that. */
static int mptcp_subflows(const struct socket *socket, int option, uint8_t *value, socklen_t *length) {
    struct mptcp_subflow_data head;
    struct subflow_info subflow;
    union {
        struct kernel_tcp_info tcp;
        struct mptcp_subflow_addrs addresses;
    } entry;
    if (*length < sizeof(head)) return -EINVAL;
    memcpy(&head, value, sizeof(head));
    if (head.size_subflow_data < sizeof(head) || head.size_subflow_data > *length || head.num_subflows != 0 ||
        head.size_kernel != 0)
        return -EINVAL;
    socklen_t at = head.size_subflow_data;
    head.size_kernel = option == MPTCP_TCPINFO ? sizeof(entry.tcp) : sizeof(entry.addresses);
    if (head.size_user > head.size_kernel) head.size_user = head.size_kernel;
    for (; connection_subflow_info(socket->connection, head.num_subflows, &subflow); head.num_subflows++) {
        if (head.size_user == 0 || head.size_user > *length - at) continue; /* counted all the same */
        (void)subflow_entry(socket, option, &subflow, &entry);
        memcpy(value + at, &entry, head.size_user);
        at += head.size_user;
    }
    memcpy(value, &head, sizeof(head));
    *length = at;
    return 0;
}

int info_mptcp(const struct socket *socket, int option, void *value, socklen_t *length) {
    if (option != MPTCP_INFO && option != MPTCP_TCPINFO && option != MPTCP_SUBFLOW_ADDRS) return -ENOPROTOOPT;
    if (!socket->connection || connection_mode(socket->connection) != CONNECTION_MODE_MPTCP)
        return -EOPNOTSUPP;
    if (option == MPTCP_INFO) return mptcp_summary(socket->connection, value, length);
    return mptcp_subflows(socket, option, value, length);
}
