/* The application's calls on the paths of a connection (RFC 6897). */
#include "stack_internal.h"

_Static_assert(BRAID_SUBFLOWS_MAX == (int)PATH_SUBFLOWS_MAX, "limits have diverged");
_Static_assert(BRAID_ADD_ADDR_ACCEPTED_MAX == (int)PATH_ADDRESSES_ACCEPTED_MAX, "limits have diverged");
_Static_assert(BRAID_NDIFFPORTS_MAX == (int)PATH_NDIFFPORTS_MAX, "limits have diverged");

bool stack_limits_in(const struct braid_path_limits *limits, struct path_limits *out) {
    *out = (struct path_limits){0};
    if (!limits) return true;
    if (limits->subflows > BRAID_SUBFLOWS_MAX || limits->add_addr_accepted > BRAID_ADD_ADDR_ACCEPTED_MAX ||
        limits->ndiffports > BRAID_NDIFFPORTS_MAX)
        return false;
    *out = (struct path_limits){.given = true,
                                .subflows = limits->subflows,
                                .add_addr_accepted = limits->add_addr_accepted,
                                .ndiffports = limits->ndiffports};
    return true;
}

static enum braid_path_result result_of(enum connection_path_result result) {
    switch (result) {
    case CONNECTION_PATH_OK: return BRAID_PATH_OK;
    case CONNECTION_PATH_NOT_NOW: return BRAID_PATH_NOT_NOW;
    case CONNECTION_PATH_UNUSABLE: return BRAID_PATH_UNUSABLE;
    case CONNECTION_PATH_LIMIT: return BRAID_PATH_LIMIT;
    case CONNECTION_PATH_NO_MEMORY: return BRAID_PATH_NO_MEMORY;
    }
    return BRAID_PATH_NOT_NOW;
}

enum braid_path_result braid_connection_path_add(struct braid_connection *c, int link,
                                                 const struct braid_address *local,
                                                 const struct braid_endpoint *remote, bool backup, uint64_t *number,
                                                 braid_time now) {
    struct entry *entry = entry_of(c);
    const struct local_path *known = stack_path_of(entry->stack, link, local);
    struct ip_address to;
    if (!known) return BRAID_PATH_NO_ADDRESS;
    struct local_path path = *known;
    path.backup = backup;
    if (remote) to = stack_address_in(&remote->address);
    entry_touch(entry);
    return result_of(connection_subflow_open(c, &path, remote ? &to : NULL, remote ? remote->port : 0, number, now));
}

bool braid_connection_path_remove(struct braid_connection *c, uint64_t number, braid_time now) {
    entry_touch(entry_of(c));
    return connection_subflow_close(c, number, now);
}

bool braid_connection_path_set_backup(struct braid_connection *c, uint64_t number, bool backup, braid_time now) {
    entry_touch(entry_of(c));
    return connection_subflow_backup(c, number, backup, now);
}

bool braid_connection_address_use(struct braid_connection *c, int link, const struct braid_address *local, bool use,
                                  braid_time now) {
    struct entry *entry = entry_of(c);
    const struct local_path *path = stack_path_of(entry->stack, link, local);
    if (!path) return false;
    connection_path_use(c, path->address_id, use, now);
    entry_touch(entry);
    return true;
}
