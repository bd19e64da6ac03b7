/* The middleboxes of the matrix. */
#include "matrix.h"

#define S BRAID_NS_PER_S
#define MS BRAID_NS_PER_MS

static struct sim_box *add(const struct matrix_place *place, struct sim_box *box) {
    sim_link_insert(place->phone->links[place->path], 1, box); /* between the wires */
    return box;
}

#define WORLD(place) ((place)->phone->world)

/* --- addresses --- */

static struct sim_box *put_nat_of(const struct matrix_place *place, struct sim_nat_config nat,
                                  uint8_t offset) {
    nat.outside = place->phone->server_address;
    nat.outside.bytes[3] = (uint8_t)(offset + place->path);
    return add(place, sim_nat(WORLD(place), &nat));
}

static struct sim_box *put_nat(const struct matrix_place *place) {
    return put_nat_of(place, (struct sim_nat_config){0}, 100);
}

static struct sim_box *put_strict_nat(const struct matrix_place *place) {
    return put_nat_of(place, (struct sim_nat_config){.strict = true, .resets = true}, 100);
}

static struct sim_box *put_silent_nat(const struct matrix_place *place) {
    return put_nat_of(place, (struct sim_nat_config){.strict = true}, 100);
}

/* The home's within, the carrier's beyond it. */
static struct sim_box *put_carrier_nat(const struct matrix_place *place) {
    put_nat_of(place, (struct sim_nat_config){.idle_ns = 2 * S, .strict = true}, 110);
    return put_nat_of(place, (struct sim_nat_config){0}, 100);
}

static struct sim_box *put_misdirector(const struct matrix_place *place) {
    return add(place, sim_join_misdirector(WORLD(place), &place->phone->twin_address));
}

/* --- options --- */

static struct sim_box *put_option(const struct matrix_place *place, enum sim_option_action action,
                                  unsigned segments, uint64_t after) {
    struct sim_option_config config = {
        .action = action, .segments = segments, .directions = place->directions, .after = after};
    return add(place, sim_option_box(WORLD(place), &config));
}

static struct sim_box *put_strip_syn(const struct matrix_place *place) {
    return put_option(place, SIM_OPTION_STRIP, SIM_SEGMENT_SYN, 0);
}
static struct sim_box *put_strip_syn_ack(const struct matrix_place *place) {
    return put_option(place, SIM_OPTION_STRIP, SIM_SEGMENT_SYN_ACK, 0);
}
static struct sim_box *put_strip_data(const struct matrix_place *place) {
    return put_option(place, SIM_OPTION_STRIP, SIM_SEGMENT_DATA, 0);
}
static struct sim_box *put_strip_empty(const struct matrix_place *place) {
    return put_option(place, SIM_OPTION_STRIP, SIM_SEGMENT_EMPTY, 0);
}
static struct sim_box *put_strip_no_syn(const struct matrix_place *place) {
    return put_option(place, SIM_OPTION_STRIP, SIM_SEGMENT_DATA | SIM_SEGMENT_EMPTY, 0);
}
static struct sim_box *put_strip_all(const struct matrix_place *place) {
    return put_option(place, SIM_OPTION_STRIP, SIM_SEGMENT_ANY, 0);
}
static struct sim_box *put_strip_later(const struct matrix_place *place) {
    return put_option(place, SIM_OPTION_STRIP, SIM_SEGMENT_ANY, 20);
}
static struct sim_box *put_nops(const struct matrix_place *place) {
    return put_option(place, SIM_OPTION_NOP, SIM_SEGMENT_ANY, 0);
}
static struct sim_box *put_eols(const struct matrix_place *place) {
    return put_option(place, SIM_OPTION_EOL, SIM_SEGMENT_ANY, 0);
}
static struct sim_box *put_mirror(const struct matrix_place *place) {
    return put_option(place, SIM_OPTION_MIRROR, SIM_SEGMENT_ANY, 0);
}
static struct sim_box *put_syn_dropper(const struct matrix_place *place) {
    return add(place, sim_syn_dropper(WORLD(place), 0, 0));
}
static struct sim_box *put_syn_payload(const struct matrix_place *place) {
    return add(place, sim_syn_payload_stripper(WORLD(place)));
}

/* --- sequence numbers, windows --- */

static struct sim_box *put_sequence(const struct matrix_place *place) {
    return add(place, sim_sequence_box(WORLD(place), &(struct sim_sequence_config){0}));
}
static struct sim_box *put_sequence_no_sack(const struct matrix_place *place) {
    return add(place, sim_sequence_box(WORLD(place), &(struct sim_sequence_config){.leave_sack = true}));
}
static struct sim_box *put_small_window(const struct matrix_place *place) {
    return add(place, sim_window_box(WORLD(place), &(struct sim_window_config){
                                                       .directions = place->directions, .most = 100}));
}
static struct sim_box *put_no_scale(const struct matrix_place *place) {
    return add(place,
               sim_window_box(WORLD(place), &(struct sim_window_config){.directions = place->directions,
                                                                        .strip_scale = true}));
}

/* --- segments --- */

static struct sim_box *put_splitter_of(const struct matrix_place *place, bool options_once) {
    struct sim_split_config config = {
        .directions = place->directions, .payload_bytes = 500, .options_once = options_once};
    return add(place, sim_splitter(WORLD(place), &config));
}
static struct sim_box *put_splitter(const struct matrix_place *place) {
    return put_splitter_of(place, false);
}
static struct sim_box *put_splitter_once(const struct matrix_place *place) {
    return put_splitter_of(place, true);
}

static struct sim_box *put_coalescer_of(const struct matrix_place *place, bool last_options) {
    struct sim_coalesce_config config = {.directions = place->directions,
                                         .payload_bytes = 8000,
                                         .wait_ns = 2 * MS,
                                         .last_options = last_options};
    return add(place, sim_coalescer(WORLD(place), &config));
}
static struct sim_box *put_coalescer(const struct matrix_place *place) {
    return put_coalescer_of(place, false);
}
static struct sim_box *put_coalescer_last(const struct matrix_place *place) {
    return put_coalescer_of(place, true);
}

/* --- streams --- */

static struct sim_box *put_editor(const struct matrix_place *place, int32_t grow) {
    struct sim_payload_config config = {
        .direction = place->directions == SIM_ONLY_UP ? SIM_UP : SIM_DOWN, .at = 3, .grow = grow};
    return add(place, sim_payload_box(WORLD(place), &config));
}
static struct sim_box *put_editor_same(const struct matrix_place *place) {
    return put_editor(place, 0);
}
static struct sim_box *put_editor_longer(const struct matrix_place *place) {
    return put_editor(place, 5);
}
static struct sim_box *put_editor_shorter(const struct matrix_place *place) {
    return put_editor(place, -5);
}

static struct sim_box *put_proxy_of(const struct matrix_place *place, bool repeats_options) {
    struct sim_proxy_config config = {.directions = place->directions, .repeats_options = repeats_options};
    return add(place, sim_proxy(WORLD(place), &config));
}
static struct sim_box *put_proxy(const struct matrix_place *place) {
    return put_proxy_of(place, false);
}
static struct sim_box *put_proxy_repeating(const struct matrix_place *place) {
    return put_proxy_of(place, true);
}

/* --- firewalls --- */

static struct sim_box *put_firewall_of(const struct matrix_place *place, struct sim_firewall_config config) {
    return add(place, sim_firewall(WORLD(place), &config));
}
static struct sim_box *put_firewall(const struct matrix_place *place) {
    return put_firewall_of(place, (struct sim_firewall_config){.outward_only = true});
}
static struct sim_box *put_firewall_resets(const struct matrix_place *place) {
    return put_firewall_of(place, (struct sim_firewall_config){.outward_only = true, .resets = true});
}
static struct sim_box *put_firewall_in_order(const struct matrix_place *place) {
    return put_firewall_of(place, (struct sim_firewall_config){.in_order = true});
}
static struct sim_box *put_firewall_unseen(const struct matrix_place *place) {
    return put_firewall_of(place, (struct sim_firewall_config){.no_unseen_ack = true});
}

/* A restart: what was known is forgotten. For those that are there from the beginning. */
static void strike_firewall(struct sim_box *box) {
    sim_firewall_forget(box);
}

const struct matrix_box matrix_boxes[] = {
    {"NAT",
     "Every flow by a port of its own from one address, as home routers do. One that comes later is a new "
     "path "
     "for flows that are there.",
     .put = put_nat},
    {"NAT restarted",
     "It forgets its flows, and gives them other ports when they go on: a router that was switched off.",
     .put = put_nat, .strike = sim_nat_forget},
    {"NAT restarted, RSTs", "It forgets its flows, and resets what goes on.", .put = put_strict_nat,
     .strike = sim_nat_forget},
    {"NAT restarted, silent", "It forgets its flows, and lets nothing of them pass.", .put = put_silent_nat,
     .strike = sim_nat_forget},
    {"carrier NAT",
     "A second NAT behind the first, which forgets flows that are silent for 2 s; and these are, for 5 s, "
     "before they end.",
     .put = put_carrier_nat, .idle = true},
    {"joins elsewhere", "A load balancer sends SYNs with MP_JOIN to another server.", .put = put_misdirector,
     .needs_twin = true},
    {"strips SYN", "Takes option 30 off SYNs: firewalls, on 6 % of paths (IMC'11).", .put = put_strip_syn},
    {"strips SYN/ACK", "Off SYN/ACKs only.", .put = put_strip_syn_ack},
    {"strips data", "Off segments with payload only: proxies that cut and put together.",
     .put = put_strip_data, .ways = "udb", .may_reset = true},
    {"strips ACKs", "Off segments without payload only.", .put = put_strip_empty, .ways = "udb",
     .may_reset = true},
    {"strips all but SYNs", "Off everything that is no SYN or SYN/ACK.", .put = put_strip_no_syn,
     .ways = "udb", .may_reset = true},
    {"strips all", "Off every segment.", .put = put_strip_all, .ways = "udb", .may_reset = true},
    {"strips after 20",
     "Off every segment after the first 20: a flow that has been looked at is handed to faster hardware.",
     .put = put_strip_later, .ways = "udb", .may_reset = true},
    {"NOPs", "Overwrites option 30 with NOPs, on every segment: some routers' \"tcp adjust\" features.",
     .put = put_nops, .ways = "udb", .may_reset = true},
    {"EOLs", "Overwrites it with ends of the option list, which hide what follows it too.", .put = put_eols,
     .ways = "udb", .may_reset = true},
    {"mirror", "A SYN/ACK carries the options of its SYN: old servers and load balancers.",
     .put = put_mirror},
    {"drops SYNs", "Drops SYNs and SYN/ACKs with option 30: strict firewalls.", .put = put_syn_dropper},
    {"strips SYN payload", "Takes the payload off SYNs, which have one with Fast Open only.", .put = put_syn_payload},
    {"sequence numbers", "Draws initial sequence numbers anew, and translates: on 10 % of paths (IMC'11).",
     .put = put_sequence},
    {"sequence numbers, not SACK", "The same, but forgets SACK blocks; with 1 % of loss.",
     .put = put_sequence_no_sack, .lossy = true},
    {"small windows",
     "Makes every window field at most 100: bandwidth managers. The way is that of the segments that say the "
     "window.",
     .put = put_small_window, .ways = "udb"},
    {"strips window scale",
     "Overwrites window scaling in SYNs or SYN/ACKs with NOPs: firewalls from before 1992 in spirit.",
     .put = put_no_scale, .ways = "udb"},
    {"splits", "Cuts segments into 500 bytes, each with all options: segmentation offload.",
     .put = put_splitter, .ways = "udb"},
    {"splits, options once", "Only the first piece keeps the options: proxies.", .put = put_splitter_once,
     .ways = "udb"},
    {"joins segments, first's options",
     "Puts segments together, up to 8000 bytes: receive offload. The first one's options stay.",
     .put = put_coalescer, .ways = "udb"},
    {"joins segments, last's options", "The same; the last one's options stay.", .put = put_coalescer_last,
     .ways = "udb"},
    {"changes payload", "Changes a byte of the fourth data segment of each flow: gateways for FTP and SIP.",
     .put = put_editor_same, .may_reset = true, .ways = "ud", .changes_payload = true},
    {"lengthens payload", "The same, and puts in 5 bytes.", .put = put_editor_longer, .grow = 5,
     .may_reset = true, .ways = "ud", .changes_payload = true},
    {"shortens payload", "The same, and takes out 5 bytes.", .put = put_editor_shorter, .grow = -5,
     .may_reset = true, .ways = "ud", .changes_payload = true},
    {"proxy, bare ACKs",
     "Acknowledges data at once and sees to it that it arrives; its ACKs have no MPTCP options: proxies "
     "before "
     "satellites. With 1 % of loss.",
     .put = put_proxy, .ways = "udb", .lossy = true},
    {"proxy, ACKs repeated", "The same; its ACKs look like the receiver's last.", .put = put_proxy_repeating,
     .ways = "udb", .lossy = true},
    {"firewall", "Lets nothing pass of flows whose SYN it did not see.", .put = put_firewall},
    {"firewall, RSTs", "The same, and answers it with RSTs.", .put = put_firewall_resets},
    {"firewall restarted", "There from the beginning; it forgets all flows, and is silent.",
     .put = put_firewall, .strike = strike_firewall},
    {"drops after a hole",
     "Drops data after a hole until it is filled: on 5 % of paths (IMC'11). With 1 % of loss.",
     .put = put_firewall_in_order, .lossy = true},
    {"drops unseen ACKs", "Drops ACKs of data that did not pass it: on many of 26 % of paths (IMC'11).",
     .put = put_firewall_unseen},
};
const unsigned matrix_box_count = sizeof(matrix_boxes) / sizeof(matrix_boxes[0]);
