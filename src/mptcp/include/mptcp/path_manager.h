/* Which subflows a connection should have: path managers, behind one small table of operations. One is a file,
 * src/mptcp/path_manager_NAME.c, that fills the table in; docs/paths.md tells how to add one.
 *
 * The connection (path_manager.c) shows a manager every pair of addresses by which there could be a subflow. The manager
 * says how many there should be by each, and which stand by. What is missing is then joined, as far as the limits and
 * what was learnt from attempts before allow. It is asked whenever something may have changed: a path or an address came
 * or went, a subflow began, ended, or is doubted. */
#ifndef MPTCP_PATH_MANAGER_H
#define MPTCP_PATH_MANAGER_H

#include <braid/env.h>
#include <base/ensure.h>

#define PATH_PAIRS_MAX 128

/* One of our addresses and one of the peer's, of one family. */
struct path_pair {
    uint64_t preference;  /* of the host: lower goes first; metered ones and backups last */
    bool subflow, fullmesh; /* what our address is flagged with: to join by; to all of the peer's addresses */
    bool backup;          /* flagged so, or metered */
    bool to_first;        /* the peer's address is that of the first subflow */
    bool first;           /* and so is ours */
    unsigned subflows;    /* there are, those being opened included */
    bool works;           /* one of them is in service and not in doubt */
    bool poor;            /* what is in service of them is in doubt, or much slower than it was */
    /* The answer. Untouched: as many as there are, standing by if `backup`. */
    unsigned wanted;      /* subflows there should be */
    bool standby;         /* they are backups (RFC 8684 §3.3.8) */
};

struct path_plan {
    struct path_pair pairs[PATH_PAIRS_MAX]; /* in order of preference */
    unsigned count;
    unsigned ndiffports;       /* the limit of that name */
    braid_time now;
    /* The manager's own. */
    braid_time trouble_until;  /* kept from one time to the next; 0 at first */
    braid_time ask_again_at;   /* BRAID_NEVER, unless it says otherwise */
};

struct path_manager_ops {
    const char *name;
    void (*plan)(struct path_plan *plan); /* NULL: the program decides */
    bool closes;      /* subflows that are more than wanted are closed */
    bool prioritises; /* `standby` holds for subflows that are there, too: the peer is told by MP_PRIO */
    bool watches;     /* ask also while data moves: `poor` may have changed */
};

extern const struct path_manager_ops path_manager_fullmesh, path_manager_backup, path_manager_ndiffports,
    path_manager_interactive, path_manager_none;

/* NULL: there is none of that name. */
const struct path_manager_ops *path_manager_find(const char *name);
/* The name of the i-th, the default first; NULL after the last. */
const char *path_manager_name(unsigned index);

/* As in `ip mptcp limits`, and how many subflows ndiffports makes. */
struct path_limits {
    bool given;
    uint8_t subflows;          /* beside the first */
    uint8_t add_addr_accepted; /* addresses of the peer's that are joined because it announced them */
    uint8_t ndiffports;
};
enum { PATH_SUBFLOWS_MAX = 31, PATH_ADDRESSES_ACCEPTED_MAX = 15, PATH_NDIFFPORTS_MAX = 32, PATH_NDIFFPORTS = 2 };

#endif
