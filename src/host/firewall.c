#include <host/firewall.h>

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firewall_message.h"

#define TABLE_PREFIX "braid_"
#define TABLE_NAME_MAX 96
#define CHAIN_NAME_MAX (4 * IF_NAMESIZE)
/* More than this many tables left behind go over several starts. */
#define LEFTOVERS_MAX 32

struct firewall {
    struct mnl_socket *socket; /* what owns the table */
    uint16_t port_first, port_last;
    bool match_local_only; /* the kernel can tell what is addressed to this host (nft_fib_netdev) */
    char table[TABLE_NAME_MAX];
};

static int open_socket(struct mnl_socket **socket) {
    *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    if (*socket == NULL) return -errno;
    return mnl_socket_bind(*socket, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
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
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
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
    if (sscanf(table, TABLE_PREFIX "%ld_%" SCNu64 "_%" SCNu64 "_%u%n", &pid, &start, &namespace, &number,
               &end) != 4)
        return false;
    return table[end] == 0 && namespace == process_namespace() && start_of_process(pid) != start;
}

struct leftovers {
    size_t count;
    char tables[LEFTOVERS_MAX][TABLE_NAME_MAX];
};

static void note_leftover(void *context, const char *table) {
    struct leftovers *leftovers = context;
    if (leftovers->count == LEFTOVERS_MAX || strlen(table) >= TABLE_NAME_MAX ||
        !left_by_a_dead_process(table))
        return;
    strcpy(leftovers->tables[leftovers->count++], table);
}

static int delete_table(struct firewall *firewall, const char *table) {
    struct firewall_batch batch;
    firewall_batch_begin(&batch);
    firewall_batch_delete_table(&batch, table);
    return firewall_batch_commit(&batch, firewall->socket);
}

/* Removes tables of processes that are gone. */
static int remove_leftovers(struct firewall *firewall) {
    struct leftovers leftovers = {0};
    struct mnl_socket
        *socket; /* for one dump: what is left of it, should it fail half-way, goes with the socket */
    int error = open_socket(&socket);
    if (error == 0) error = firewall_each_table(socket, note_leftover, &leftovers);
    if (socket != NULL) mnl_socket_close(socket);
    /* Another braid may be quicker. */
    for (size_t i = 0; i < leftovers.count; i++)
        (void)!delete_table(firewall, leftovers.tables[i]);
    return error == -EINTR
               ? 0
               : error; /* the tables changed while they were listed: the next start will look again */
}

/* ---- chains ---- */

/* Names of interfaces may hold nearly anything; a chain's name may not. */
static void chain_name(const char *interface, char name[CHAIN_NAME_MAX]) {
    size_t at = (size_t)snprintf(name, CHAIN_NAME_MAX, "in_");
    for (; *interface != 0 && at < CHAIN_NAME_MAX - 4; interface++)
        at +=
            (size_t)snprintf(name + at, CHAIN_NAME_MAX - at,
                             isalnum((unsigned char)*interface) ? "%c" : "_%02x", (unsigned char)*interface);
}

static int add_chain(struct firewall *firewall, const char *interface) {
    char chain[CHAIN_NAME_MAX];
    struct firewall_batch batch;
    chain_name(interface, chain);
    firewall_batch_begin(&batch);
    firewall_batch_add_chain(&batch, firewall->table, chain, interface);
    firewall_batch_add_drop_rule(&batch, firewall->table, chain, firewall->port_first, firewall->port_last,
                                 firewall->match_local_only);
    return firewall_batch_commit(&batch, firewall->socket);
}

int firewall_guard(struct firewall *firewall, const char *interface) {
    if (strlen(interface) >= IF_NAMESIZE) return -EINVAL;
    if (if_nametoindex(interface) == 0) return -ENODEV;
    int error = add_chain(firewall, interface);
    if (error == -EEXIST) { /* left from before the interface was removed: newer kernels keep it */
        firewall_unguard(firewall, interface);
        error = add_chain(firewall, interface);
    }
    if (error != 0 && error != -EPERM && firewall->match_local_only) {
        firewall->match_local_only = false;
        error = add_chain(firewall, interface);
    }
    /* The interface is there, so what does not exist is the hook. */
    return error == -ENOENT ? -EOPNOTSUPP : error;
}

void firewall_unguard(struct firewall *firewall, const char *interface) {
    char chain[CHAIN_NAME_MAX];
    struct firewall_batch batch;
    chain_name(interface, chain);
    firewall_batch_begin(&batch);
    firewall_batch_delete_chain(&batch, firewall->table, chain);
    /* It may be gone together with its interface, or never have been. */
    (void)!firewall_batch_commit(&batch, firewall->socket);
}

/* ---- the table ---- */

static int add_table(struct firewall *firewall, bool owned) {
    struct firewall_batch batch;
    firewall_batch_begin(&batch);
    firewall_batch_add_table(&batch, firewall->table, owned);
    return firewall_batch_commit(&batch, firewall->socket);
}

static bool means_no_nftables(int error) {
    return error == -ENOENT || error == -EPROTONOSUPPORT || error == -EAFNOSUPPORT || error == -EOPNOTSUPP ||
           error == -EINVAL;
}

int firewall_create(const struct firewall_options *options, struct firewall **out) {
    struct firewall *firewall = calloc(1, sizeof(*firewall));
    if (firewall == NULL) return -ENOMEM;
    firewall->port_first = options->port_first;
    firewall->port_last = options->port_last;
    firewall->match_local_only = true;
    name_table(firewall->table);
    int error = open_socket(&firewall->socket);
    if (error == 0) error = remove_leftovers(firewall);
    if (error == 0) {
        error = options->without_owner ? -EOPNOTSUPP : add_table(firewall, true);
        if (error != 0 && error != -EPERM) error = add_table(firewall, false);
    }
    if (error != 0) {
        if (firewall->socket != NULL) mnl_socket_close(firewall->socket);
        free(firewall);
        return means_no_nftables(error) ? -EOPNOTSUPP : error;
    }
    *out = firewall;
    return 0;
}

void firewall_destroy(struct firewall *firewall) {
    if (firewall == NULL) return;
    (void)!delete_table(firewall, firewall->table);
    mnl_socket_close(firewall->socket);
    free(firewall);
}

const char *firewall_table(const struct firewall *firewall) {
    return firewall->table;
}
