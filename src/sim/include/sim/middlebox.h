/* Middleboxes: what networks do to TCP on its way. Each is a box of a link (see <sim/link.h>); the inside, where
 * clients are, is the link's first end, so that SIM_UP is outwards.
 *
 * What becomes of Multipath TCP behind each of them, and when it begins, is in docs/middleboxes.md. "IMC'11" is
 * Honda et al., "Is it still possible to extend TCP?", who measured how many paths do such things. */
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

/* Firewalls and "traffic normalizers" take off options they do not know (IMC'11: from SYNs on 6 % of paths, 14 % on
 * port 80), some by overwriting them where they stand; some old servers and load balancers answer a SYN with the
 * options it had. */
enum sim_option_action {
    SIM_OPTION_STRIP,  /* as if it had never been there */
    SIM_OPTION_NOP,    /* overwritten with NOPs */
    SIM_OPTION_EOL,    /* overwritten with EOLs: all that follows is hidden too */
    SIM_OPTION_MIRROR, /* a SYN/ACK carries those of its SYN */
};
struct sim_option_config {
    enum sim_option_action action;
    unsigned segments, directions;
    uint64_t after;   /* so many segments of that kind pass unharmed */
    uint8_t kind;     /* 0: MPTCP's, 30 */
};
struct sim_box *sim_option_box(struct sim_world *world, const struct sim_option_config *config);

/* SYNs, and SYN/ACKs, that carry an option of the given kind (0: 30) are lost, `count` of them (0: all), as strict
 * firewalls have it (IMC'11: very few). */
struct sim_box *sim_syn_dropper(struct sim_world *world, uint8_t kind, uint64_t count);

/* The payload of SYNs is taken off, as some firewalls and SYN proxies do that have not heard of TCP Fast Open. */
struct sim_box *sim_syn_payload_stripper(struct sim_world *world);

/* --- addresses --- */

/* The NAT of a home router, or (idle_ns short, or two in a row) that of a carrier: flows from inside go out from one
 * address, each by a port of its own. */
struct sim_nat_config {
    struct braid_address outside;
    braid_time idle_ns;  /* a mapping unused for so long is forgotten; 0: never */
    bool strict;         /* only a SYN makes a mapping: others without one are lost */
    bool resets;         /* what has no mapping is answered with a RST */
};
struct sim_box *sim_nat(struct sim_world *world, const struct sim_nat_config *config);
/* Forgets all mappings, as when it is restarted: flows go on by new ports, if it is not strict. */
void sim_nat_forget(struct sim_box *nat);

/* SYNs with MP_JOIN go to another address (and come back from the one they were sent to), as a load balancer has it
 * that spreads flows over servers by addresses and ports, and knows nothing of tokens. */
struct sim_box *sim_join_misdirector(struct sim_world *world, const struct braid_address *elsewhere);

/* --- sequence numbers and windows --- */

/* Draws a new initial sequence number for each flow and direction, and translates from then on: firewalls that think
 * little of their hosts' randomness (IMC'11: 10 % of paths, 18 % on port 80). */
struct sim_sequence_config {
    bool leave_sack; /* SACK blocks are forgotten, and arrive wrong: some firewalls did so for years */
};
struct sim_box *sim_sequence_box(struct sim_world *world, const struct sim_sequence_config *config);

/* Firewalls and bandwidth managers that steer senders by the window they see, or do not know window scaling. */
struct sim_window_config {
    unsigned directions; /* of the segments that say the window */
    uint16_t most;       /* a larger window is made this; 0: no bound */
    bool strip_scale;    /* SYNs lose their window scale: replaced by NOPs */
};
struct sim_box *sim_window_box(struct sim_world *world, const struct sim_window_config *config);

/* --- segments --- */

/* Cuts segments with more payload than that in two or more: network cards with segmentation offload copy the options to
 * each, proxies with a smaller MTU behind them may not. */
struct sim_split_config {
    unsigned directions;
    uint32_t payload_bytes;
    bool options_once; /* only the first piece keeps the options; the others keep none */
};
struct sim_box *sim_splitter(struct sim_world *world, const struct sim_split_config *config);

/* Puts segments together that follow each other within wait_ns, as receive offload and traffic normalizers do; of the
 * options, those of one segment stay. */
struct sim_coalesce_config {
    unsigned directions;
    uint32_t payload_bytes; /* at most */
    braid_time wait_ns;
    bool last_options;      /* not the first one's stay, but the last one's */
};
struct sim_box *sim_coalescer(struct sim_world *world, const struct sim_coalesce_config *config);

/* --- streams --- */

/* Changes a stream as the gateway of a NAT for FTP or SIP does, which puts its own address into the text: in the `at`-th
 * data segment (from 0) of each flow the first byte is changed, and `grow` bytes are put in before it (or so many are
 * cut off, if negative). Sequence numbers are translated from there on. */
struct sim_payload_config {
    enum sim_direction direction;
    uint64_t at;
    int32_t grow;
};
struct sim_box *sim_payload_box(struct sim_world *world, const struct sim_payload_config *config);

/* A transparent proxy that acknowledges early, as they stand before satellite and mobile networks ("performance
 * enhancing"): data of flows whose SYN it saw are acknowledged as soon as they come, kept, and sent again until their
 * receiver has them. Data after a hole is dropped. What the receiver says passes, with its ACK made no less than what
 * was promised. */
struct sim_proxy_config {
    unsigned directions;   /* of the data */
    uint32_t buffer_bytes; /* each way of each flow; 0: 1 MiB */
    bool repeats_options;  /* its ACKs bear the MPTCP options of the receiver's last; else none */
};
struct sim_box *sim_proxy(struct sim_world *world, const struct sim_proxy_config *config);

/* --- firewalls --- */

/* A stateful firewall: segments of a flow whose SYN it did not see do not pass. Beyond that, some want data in order
 * (IMC'11: data after a hole is blocked on 5 % of paths), or do not believe ACKs (26 % treat one for data they have not
 * seen oddly). */
struct sim_firewall_config {
    braid_time idle_ns;     /* a flow unused for so long is forgotten; 0: never */
    bool resets;            /* segments of unknown flows are answered with a RST, not only dropped */
    bool in_order;          /* data after a hole is dropped, until the hole is filled */
    bool no_unseen_ack;     /* an ACK of data that did not pass is dropped */
    bool outward_only;      /* only SYNs from inside make a flow */
};
struct sim_box *sim_firewall(struct sim_world *world, const struct sim_firewall_config *config);
/* Forgets all flows, as when it is restarted. */
void sim_firewall_forget(struct sim_box *firewall);

#endif
