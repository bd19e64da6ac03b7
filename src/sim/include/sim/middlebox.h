/* Middleboxes: what networks do to TCP on its way. Each is a box of a link (see <sim/link.h>); the inside, where
 * clients are, is the link's first end, so that SIM_UP is outwards.
 *
 * What each of them may do to a Multipath TCP connection, by RFC 8684, is pinned in docs/middleboxes.md. */
#ifndef SIM_MIDDLEBOX_H
#define SIM_MIDDLEBOX_H

#include <sim/link.h>

/* Which segments a box means; bits. */
enum sim_segments {
    SIM_SEGMENT_SYN = 1,
    SIM_SEGMENT_SYN_ACK = 2,
    SIM_SEGMENT_DATA = 4,  /* with payload */
    SIM_SEGMENT_EMPTY = 8, /* ACK, FIN and RST without payload */
    SIM_SEGMENT_ANY = 15,
};
enum sim_directions { SIM_ONLY_UP = 1, SIM_ONLY_DOWN = 2, SIM_BOTH = 3 };
unsigned sim_segment_kind(const struct sim_tcp *tcp);

/* --- options --- */

enum sim_option_action {
    SIM_OPTION_STRIP,  /* as if it had never been there */
    SIM_OPTION_NOP,    /* overwritten with NOPs */
    SIM_OPTION_EOL,    /* overwritten with EOLs: all that follows is hidden too */
    SIM_OPTION_MIRROR, /* a SYN/ACK carries those of its SYN, as some do with what they do not know */
};
struct sim_option_config {
    enum sim_option_action action;
    unsigned segments, directions;
    uint64_t after;   /* so many segments of that kind pass unharmed */
    uint8_t kind;     /* 0: MPTCP's, 30 */
};
struct sim_box *sim_option_box(struct sim_world *world, const struct sim_option_config *config);

/* SYNs that carry an option of the given kind (0: 30) are lost, `count` of them (0: all). */
struct sim_box *sim_syn_dropper(struct sim_world *world, uint8_t kind, uint64_t count);

/* The payload of SYNs is taken off. */
struct sim_box *sim_syn_payload_stripper(struct sim_world *world);

/* --- addresses --- */

struct sim_nat_config {
    struct braid_address outside;
    braid_time idle_ns;  /* a mapping unused for so long is forgotten; 0: never */
    bool strict;         /* only a SYN makes a mapping: others without one are lost */
    bool resets;         /* what has no mapping is answered with a RST */
};
struct sim_box *sim_nat(struct sim_world *world, const struct sim_nat_config *config);
/* Forgets all mappings: flows go on by new ports, if it is not strict. */
void sim_nat_forget(struct sim_box *nat);

/* --- sequence numbers and windows --- */

/* Draws a new initial sequence number for each flow and direction, and translates from then on. */
struct sim_sequence_config {
    bool leave_sack; /* SACK blocks are forgotten, and arrive wrong */
};
struct sim_box *sim_sequence_box(struct sim_world *world, const struct sim_sequence_config *config);

struct sim_window_config {
    unsigned directions;
    uint16_t most;       /* a larger window is made this; 0: no bound */
    bool strip_scale;    /* SYNs lose their window scale: replaced by NOPs */
};
struct sim_box *sim_window_box(struct sim_world *world, const struct sim_window_config *config);

/* --- segments --- */

/* Cuts segments with more payload than that in two or more. */
struct sim_split_config {
    unsigned directions;
    uint32_t payload_bytes;
    bool options_once; /* only the first piece keeps the options; the others keep none */
};
struct sim_box *sim_splitter(struct sim_world *world, const struct sim_split_config *config);

/* Puts segments together that follow each other within wait_ns; the first one's options stay. */
struct sim_coalesce_config {
    unsigned directions;
    uint32_t payload_bytes; /* at most */
    braid_time wait_ns;
};
struct sim_box *sim_coalescer(struct sim_world *world, const struct sim_coalesce_config *config);

/* Changes a stream as a gateway for FTP does: in the `at`-th data segment (from 0) of each flow the first byte is
 * changed, and `grow` bytes are put in before it (or so many are cut off, if negative). Sequence numbers are
 * translated from there on. */
struct sim_payload_config {
    enum sim_direction direction;
    uint64_t at;
    int32_t grow;
};
struct sim_box *sim_payload_box(struct sim_world *world, const struct sim_payload_config *config);

/* --- firewalls --- */

struct sim_firewall_config {
    braid_time idle_ns;     /* a flow unused for so long is forgotten; 0: never */
    bool resets;            /* segments of unknown flows are answered with a RST, not only dropped */
    bool in_order;          /* data after a hole is dropped, until the hole is filled */
    bool no_unseen_ack;     /* an ACK of data that did not pass is dropped (RFC 8684 §3.7 and IMC'11's 26 %) */
    bool outward_only;      /* only SYNs from inside make a flow */
};
struct sim_box *sim_firewall(struct sim_world *world, const struct sim_firewall_config *config);
void sim_firewall_forget(struct sim_box *firewall);

/* SYNs with MP_JOIN go to another address (and come back from the one they were sent to), as a load balancer that looks
 * only at ports and addresses may have it. */
struct sim_box *sim_join_misdirector(struct sim_world *world, const struct braid_address *elsewhere);

#endif
