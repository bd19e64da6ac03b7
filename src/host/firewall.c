#include <host/firewall.h>

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <nftables/libnftables.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TABLE_PREFIX "braid_"
#define TABLE_NAME_MAX 96
#define CHAIN_NAME_MAX (4 * IF_NAMESIZE)
#define MESSAGE_MAX 512
#define COMMAND_MAX 1024

struct firewall {
    struct nft_ctx *nft; /* its netlink socket is what owns the table */
    uint16_t port_first, port_last;
    bool match_local_only; /* the kernel can tell what is addressed to this host (nft_fib_netdev) */
    char table[TABLE_NAME_MAX];
    char message[MESSAGE_MAX];
};

/* ---- commands ---- */

/* libnftables gives its reasons as text only. What it prints of an error number is strerror()'s. */
static int error_of(const char *message) {
    static const int known[] = {EPERM, EEXIST, EBUSY, EOPNOTSUPP, ENOENT, ENODEV, ENOMEM, EINVAL,
                                EPROTONOSUPPORT, EAFNOSUPPORT, ENOBUFS};
    for (size_t i = 0; i < ARRAY_COUNT(known); i++)
        if (strstr(message, strerror(known[i])) != NULL) return -known[i];
    return -EIO;
}

static int run(struct firewall *firewall, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int run(struct firewall *firewall, const char *format, ...) {
    char command[COMMAND_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(command, sizeof(command), format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof(command)) return -EINVAL;
    firewall->message[0] = 0;
    if (nft_run_cmd_from_buffer(firewall->nft, command) == 0) return 0;
    snprintf(firewall->message, sizeof(firewall->message), "%s", nft_ctx_get_error_buffer(firewall->nft));
    return error_of(firewall->message);
}

/* ---- names that say whose a table is ---- */

/* When process `pid` started, in clock ticks since boot; 0 if there is no such process. */
static uint64_t start_of_process(long pid) {
    char path[64], text[1024];
    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) return 0;
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[length] = 0;
    /* The name, in parentheses, may hold anything: fields are counted after it. The start is number 22. */
    const char *at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < 22; field++) at = strchr(at + 1, ' ');
    return at == NULL ? 0 : strtoull(at + 1, NULL, 10);
}

/* Process numbers only mean something within one PID namespace. */
static uint64_t process_namespace(void) {
    struct stat status;
    return stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

static void name_table(char *name) {
    static atomic_uint made; /* a process may have several */
    long pid = getpid();
    snprintf(name, TABLE_NAME_MAX, TABLE_PREFIX "%ld_%" PRIu64 "_%" PRIu64 "_%u", pid, start_of_process(pid),
             process_namespace(), atomic_fetch_add(&made, 1));
}

static bool left_by_a_dead_process(const char *table) {
    long pid;
    uint64_t start, namespace;
    unsigned number;
    int end = 0;
    if (sscanf(table, TABLE_PREFIX "%ld_%" SCNu64 "_%" SCNu64 "_%u%n", &pid, &start, &namespace, &number, &end) != 4)
        return false;
    return table[end] == 0 && namespace == process_namespace() && start_of_process(pid) != start;
}

/* Removes tables of processes that are gone. Those with a living owner are refused by the kernel anyway. */
static int remove_leftovers(struct firewall *firewall) {
    int error = run(firewall, "list tables netdev");
    if (error != 0) return error;
    char *list = strdup(nft_ctx_get_output_buffer(firewall->nft)), *rest = NULL;
    if (list == NULL) return -ENOMEM;
    for (char *line = strtok_r(list, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        char table[TABLE_NAME_MAX];
        if (sscanf(line, "table netdev %95s", table) == 1 && left_by_a_dead_process(table))
            (void)!run(firewall, "delete table netdev %s", table); /* another braid may be quicker */
    }
    free(list);
    return 0;
}

/* ---- chains ---- */

/* Names of interfaces may hold nearly anything; a chain's name may not. */
static void chain_name(const char *interface, char name[CHAIN_NAME_MAX]) {
    size_t at = (size_t)snprintf(name, CHAIN_NAME_MAX, "in_");
    for (; *interface != 0 && at < CHAIN_NAME_MAX - 4; interface++)
        at += (size_t)snprintf(name + at, CHAIN_NAME_MAX - at,
                               isalnum((unsigned char)*interface) ? "%c" : "_%02x", (unsigned char)*interface);
}

static int add_chain(struct firewall *firewall, const char *interface, const char *chain) {
    return run(firewall,
               "add chain netdev %s %s { type filter hook ingress device \"%s\" priority -500; "
               "policy accept; }; add rule netdev %s %s tcp dport %u-%u %sdrop",
               firewall->table, chain, interface, firewall->table, chain, firewall->port_first,
               firewall->port_last, firewall->match_local_only ? "fib daddr type local " : "");
}

int firewall_guard(struct firewall *firewall, const char *interface) {
    if (strchr(interface, '"') != NULL || strlen(interface) >= IF_NAMESIZE) return -EINVAL;
    if (if_nametoindex(interface) == 0) return -ENODEV;
    char chain[CHAIN_NAME_MAX];
    chain_name(interface, chain);
    firewall_unguard(firewall, interface);
    int error = add_chain(firewall, interface, chain);
    if (error != 0 && error != -EPERM && firewall->match_local_only) {
        firewall->match_local_only = false;
        error = add_chain(firewall, interface, chain);
    }
    /* The interface is there, so what does not exist is the hook. */
    return error == -ENOENT ? -EOPNOTSUPP : error;
}

void firewall_unguard(struct firewall *firewall, const char *interface) {
    char chain[CHAIN_NAME_MAX];
    chain_name(interface, chain);
    /* It may be gone together with its interface, or never have been. */
    (void)!run(firewall, "delete chain netdev %s %s", firewall->table, chain);
}

/* ---- the table ---- */

static int add_table(struct firewall *firewall, bool without_owner) {
    int error = -EOPNOTSUPP;
    if (!without_owner) error = run(firewall, "add table netdev %s { flags owner; }", firewall->table);
    if (error != 0 && error != -EPERM) error = run(firewall, "add table netdev %s", firewall->table);
    return error;
}

/* Asks the kernel's nftables for its generation: libnftables, when that is refused, prints to stderr by itself. 0 or
 * -errno. */
static int check_nftables(void) {
    char buffer[512] __attribute__((aligned(8)));
    struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
    request->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    struct nfgenmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
    *header = (struct nfgenmsg){.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0};
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    if (socket == NULL) return -errno;
    int result = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
                         mnl_socket_sendto(socket, request, request->nlmsg_len) < 0
                     ? -errno
                     : 0;
    for (int state = MNL_CB_OK; result == 0 && state > MNL_CB_STOP;) {
        ssize_t length = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
        state = length < 0 ? -1 : mnl_cb_run(buffer, (size_t)length, 0, mnl_socket_get_portid(socket), NULL, NULL);
        if (state < 0) result = -errno;
    }
    mnl_socket_close(socket);
    return result;
}

static bool means_no_nftables(int error) {
    return error == -ENOENT || error == -EPROTONOSUPPORT || error == -EAFNOSUPPORT || error == -EOPNOTSUPP ||
           error == -EINVAL;
}

int firewall_create(const struct firewall_options *options, struct firewall **out) {
    int error = check_nftables();
    if (error != 0) return means_no_nftables(error) ? -EOPNOTSUPP : error;
    struct firewall *firewall = calloc(1, sizeof(*firewall));
    if (firewall == NULL) return -ENOMEM;
    firewall->port_first = options->port_first;
    firewall->port_last = options->port_last;
    firewall->match_local_only = true;
    name_table(firewall->table);
    firewall->nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (firewall->nft == NULL) error = -ENOMEM;
    if (error == 0 && (nft_ctx_buffer_output(firewall->nft) != 0 || nft_ctx_buffer_error(firewall->nft) != 0))
        error = -ENOMEM;
    if (error == 0) error = remove_leftovers(firewall);
    if (error == 0) error = add_table(firewall, options->without_owner);
    if (error != 0) {
        if (firewall->nft != NULL) nft_ctx_free(firewall->nft);
        free(firewall);
        return means_no_nftables(error) ? -EOPNOTSUPP : error;
    }
    *out = firewall;
    return 0;
}

void firewall_destroy(struct firewall *firewall) {
    if (firewall == NULL) return;
    (void)!run(firewall, "delete table netdev %s", firewall->table);
    nft_ctx_free(firewall->nft);
    free(firewall);
}

const char *firewall_table(const struct firewall *firewall) { return firewall->table; }

const char *firewall_last_message(const struct firewall *firewall) { return firewall->message; }
