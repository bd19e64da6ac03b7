#include "firewall_message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define INGRESS_PRIORITY (-500) /* before whatever else may be there: flow offloading is at 0 */
#define TCP_DESTINATION_PORT_OFFSET 2

static struct nlmsghdr *put_header(void *buffer, uint16_t type, uint16_t flags, uint32_t sequence,
                                   uint8_t family, uint16_t resource) {
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
    message->nlmsg_type = type;
    message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    message->nlmsg_seq = sequence;
    struct nfgenmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
    *header = (struct nfgenmsg){.nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(resource)};
    return message;
}

static struct nlmsghdr *begin(struct firewall_batch *batch, uint8_t type, uint16_t flags) {
    return put_header(mnl_nlmsg_batch_current(batch->messages), (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
                      (uint16_t)(NLM_F_ACK | flags), batch->sequence++, NFPROTO_NETDEV, 0);
}

/* What we put into one batch fits its buffer by far. */
static void end(struct firewall_batch *batch) {
    ENSURE(mnl_nlmsg_batch_next(batch->messages));
}

void firewall_batch_begin(struct firewall_batch *batch) {
    batch->sequence = 1;
    batch->messages = mnl_nlmsg_batch_start(batch->buffer, FIREWALL_BATCH_BYTES);
    if (batch->messages == NULL) return; /* no memory: told when it is committed */
    put_header(mnl_nlmsg_batch_current(batch->messages), NFNL_MSG_BATCH_BEGIN, 0, batch->sequence++,
               AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    end(batch);
}

/* ---- tables and chains ---- */

void firewall_batch_add_table(struct firewall_batch *batch, const char *table, bool owned) {
    if (batch->messages == NULL) return;
    struct nlmsghdr *message = begin(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
    mnl_attr_put_strz(message, NFTA_TABLE_NAME, table);
    if (owned) mnl_attr_put_u32(message, NFTA_TABLE_FLAGS, htonl(NFT_TABLE_F_OWNER));
    end(batch);
}

void firewall_batch_delete_table(struct firewall_batch *batch, const char *table) {
    if (batch->messages == NULL) return;
    mnl_attr_put_strz(begin(batch, NFT_MSG_DELTABLE, 0), NFTA_TABLE_NAME, table);
    end(batch);
}

void firewall_batch_add_chain(struct firewall_batch *batch, const char *table, const char *chain,
                              const char *interface) {
    if (batch->messages == NULL) return;
    struct nlmsghdr *message = begin(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL);
    mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, table);
    mnl_attr_put_strz(message, NFTA_CHAIN_NAME, chain);
    struct nlattr *hook = mnl_attr_nest_start(message, NFTA_CHAIN_HOOK);
    mnl_attr_put_u32(message, NFTA_HOOK_HOOKNUM, htonl(NF_NETDEV_INGRESS));
    mnl_attr_put_u32(message, NFTA_HOOK_PRIORITY, htonl((uint32_t)INGRESS_PRIORITY));
    mnl_attr_put_strz(message, NFTA_HOOK_DEV, interface);
    mnl_attr_nest_end(message, hook);
    mnl_attr_put_u32(message, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
    mnl_attr_put_strz(message, NFTA_CHAIN_TYPE, "filter");
    end(batch);
}

void firewall_batch_delete_chain(struct firewall_batch *batch, const char *table, const char *chain) {
    if (batch->messages == NULL) return;
    struct nlmsghdr *message = begin(batch, NFT_MSG_DELCHAIN, 0);
    mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, table);
    mnl_attr_put_strz(message, NFTA_CHAIN_NAME, chain);
    end(batch);
}

/* ---- the rule: expressions that load into a register and compare it, and a verdict ---- */

struct expression {
    struct nlattr *element, *data;
};

static struct expression expression_begin(struct nlmsghdr *message, const char *name) {
    struct expression expression = {.element = mnl_attr_nest_start(message, NFTA_LIST_ELEM)};
    mnl_attr_put_strz(message, NFTA_EXPR_NAME, name);
    expression.data = mnl_attr_nest_start(message, NFTA_EXPR_DATA);
    return expression;
}

static void expression_end(struct nlmsghdr *message, struct expression expression) {
    mnl_attr_nest_end(message, expression.data);
    mnl_attr_nest_end(message, expression.element);
}

static void put_compare(struct nlmsghdr *message, enum nft_cmp_ops operation, const void *value,
                        size_t length) {
    struct expression compare = expression_begin(message, "cmp");
    mnl_attr_put_u32(message, NFTA_CMP_SREG, htonl(NFT_REG_1));
    mnl_attr_put_u32(message, NFTA_CMP_OP, htonl(operation));
    struct nlattr *data = mnl_attr_nest_start(message, NFTA_CMP_DATA);
    mnl_attr_put(message, NFTA_DATA_VALUE, length, value);
    mnl_attr_nest_end(message, data);
    expression_end(message, compare);
}

static void put_is_tcp(struct nlmsghdr *message) {
    const uint8_t tcp = IPPROTO_TCP;
    struct expression meta = expression_begin(message, "meta");
    mnl_attr_put_u32(message, NFTA_META_DREG, htonl(NFT_REG_1));
    mnl_attr_put_u32(message, NFTA_META_KEY, htonl(NFT_META_L4PROTO));
    expression_end(message, meta);
    put_compare(message, NFT_CMP_EQ, &tcp, sizeof(tcp));
}

static void put_port_is_ours(struct nlmsghdr *message, uint16_t port_first, uint16_t port_last) {
    const uint16_t first = htons(port_first), last = htons(port_last);
    struct expression payload = expression_begin(message, "payload");
    mnl_attr_put_u32(message, NFTA_PAYLOAD_DREG, htonl(NFT_REG_1));
    mnl_attr_put_u32(message, NFTA_PAYLOAD_BASE, htonl(NFT_PAYLOAD_TRANSPORT_HEADER));
    mnl_attr_put_u32(message, NFTA_PAYLOAD_OFFSET, htonl(TCP_DESTINATION_PORT_OFFSET));
    mnl_attr_put_u32(message, NFTA_PAYLOAD_LEN, htonl(sizeof(first)));
    expression_end(message, payload);
    put_compare(message, NFT_CMP_GTE, &first, sizeof(first));
    put_compare(message, NFT_CMP_LTE, &last, sizeof(last));
}

static void put_is_for_this_host(struct nlmsghdr *message) {
    const uint32_t local = RTN_LOCAL;
    struct expression fib = expression_begin(message, "fib");
    mnl_attr_put_u32(message, NFTA_FIB_DREG, htonl(NFT_REG_1));
    mnl_attr_put_u32(message, NFTA_FIB_RESULT, htonl(NFT_FIB_RESULT_ADDRTYPE));
    mnl_attr_put_u32(message, NFTA_FIB_FLAGS, htonl(NFTA_FIB_F_DADDR));
    expression_end(message, fib);
    put_compare(message, NFT_CMP_EQ, &local, sizeof(local));
}

static void put_drop(struct nlmsghdr *message) {
    struct expression immediate = expression_begin(message, "immediate");
    mnl_attr_put_u32(message, NFTA_IMMEDIATE_DREG, htonl(NFT_REG_VERDICT));
    struct nlattr *data = mnl_attr_nest_start(message, NFTA_IMMEDIATE_DATA);
    struct nlattr *verdict = mnl_attr_nest_start(message, NFTA_DATA_VERDICT);
    mnl_attr_put_u32(message, NFTA_VERDICT_CODE, htonl(NF_DROP));
    mnl_attr_nest_end(message, verdict);
    mnl_attr_nest_end(message, data);
    expression_end(message, immediate);
}

void firewall_batch_add_drop_rule(struct firewall_batch *batch, const char *table, const char *chain,
                                  uint16_t port_first, uint16_t port_last, bool local_only) {
    if (batch->messages == NULL) return;
    struct nlmsghdr *message = begin(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    mnl_attr_put_strz(message, NFTA_RULE_TABLE, table);
    mnl_attr_put_strz(message, NFTA_RULE_CHAIN, chain);
    struct nlattr *expressions = mnl_attr_nest_start(message, NFTA_RULE_EXPRESSIONS);
    put_is_tcp(message);
    put_port_is_ours(message, port_first, port_last);
    if (local_only) put_is_for_this_host(message);
    put_drop(message);
    mnl_attr_nest_end(message, expressions);
    end(batch);
}

/* ---- talking to the kernel ---- */

/* The kernel has answered by the time the batch is sent: an acknowledgement or an error for each message. 0,
 * or the first error. */
static int read_answers(struct mnl_socket *socket) {
    char answer[8192] __attribute__((aligned(8)));
    bool answered = false;
    int result = 0;
    for (;;) {
        ssize_t received = recv(mnl_socket_get_fd(socket), answer, sizeof(answer), MSG_DONTWAIT);
        if (received < 0 && errno == EINTR) continue;
        if (received < 0 && errno != EAGAIN) return -errno;
        if (received < 0) return answered ? result : -EIO;
        int left = (int)received;
        for (const struct nlmsghdr *message = (const void *)answer; mnl_nlmsg_ok(message, left);
             message = mnl_nlmsg_next(message, &left)) {
            if (message->nlmsg_type != NLMSG_ERROR) continue;
            const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);
            answered = true;
            if (result == 0) result = error->error;
        }
    }
}

int firewall_batch_commit(struct firewall_batch *batch, struct mnl_socket *socket) {
    if (batch->messages == NULL) return -ENOMEM;
    put_header(mnl_nlmsg_batch_current(batch->messages), NFNL_MSG_BATCH_END, 0, batch->sequence++, AF_UNSPEC,
               NFNL_SUBSYS_NFTABLES);
    end(batch);
    ssize_t sent = mnl_socket_sendto(socket, mnl_nlmsg_batch_head(batch->messages),
                                     mnl_nlmsg_batch_size(batch->messages));
    int error = sent < 0 ? -errno : 0;
    mnl_nlmsg_batch_stop(batch->messages);
    batch->messages = NULL;
    return error != 0 ? error : read_answers(socket);
}

struct table_listing {
    void (*on_table)(void *context, const char *table);
    void *context;
};

static int take_table(const struct nlmsghdr *message, void *context) {
    const struct table_listing *listing = context;
    struct nlattr *attr;
    mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg)) {
        if (mnl_attr_get_type(attr) == NFTA_TABLE_NAME && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
            listing->on_table(listing->context, mnl_attr_get_str(attr));
    }
    return MNL_CB_OK;
}

int firewall_each_table(struct mnl_socket *socket, void (*on_table)(void *context, const char *table),
                        void *context) {
    char buffer[16384] __attribute__((aligned(8)));
    struct table_listing listing = {on_table, context};
    struct nlmsghdr *request =
        put_header(buffer, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, NLM_F_DUMP, 1, NFPROTO_NETDEV, 0);
    if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0) return -errno;
    for (int state = MNL_CB_OK; state > MNL_CB_STOP;) {
        ssize_t length = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
        if (length < 0) return -errno;
        state = mnl_cb_run(buffer, (size_t)length, 1, mnl_socket_get_portid(socket), take_table, &listing);
        if (state < 0) return -errno;
    }
    return 0;
}
