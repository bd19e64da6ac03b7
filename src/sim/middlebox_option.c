/* Middleboxes that do not like TCP options they do not know. Of 6 % of paths one strips them from SYNs, on port 80 of
 * 14 % (IMC'11). */
#include "middle_flow.h"

enum { OPTION_END = 0, OPTION_NOP = 1 };

/* --- strip, overwrite, mirror --- */

struct mirrored {
    struct middle_flow head;
    uint8_t bytes[TCP_OPTIONS_MAX];
    uint32_t length;
};

struct option_box {
    struct sim_box box;
    struct sim_option_config config;
    uint64_t seen;
    struct middle_flows flows; /* struct mirrored */
};

/* The options without those of `kind`; those go to `taken`. */
static uint32_t without(const struct sim_tcp *tcp, uint8_t kind, uint8_t *kept, uint8_t *taken, uint32_t *taken_length) {
    struct sim_tcp_option option;
    uint32_t length = 0;
    *taken_length = 0;
    for (uint32_t at = 0; sim_tcp_option_next(tcp, at, &option); at += option.length) {
        bool wanted = option.kind == kind;
        memcpy(wanted ? taken + *taken_length : kept + length, tcp->options + at, option.length);
        *(wanted ? taken_length : &length) += option.length;
    }
    return length;
}

static void strip(struct sim_tcp *tcp, uint8_t kind) {
    uint8_t kept[TCP_OPTIONS_MAX], taken[TCP_OPTIONS_MAX];
    uint32_t taken_length, length = without(tcp, kind, kept, taken, &taken_length);
    if (taken_length == 0) return;
    /* NOPs that only kept the option in place go with it, if nothing else is left. */
    bool empty = true;
    for (uint32_t i = 0; i < length; i++) empty &= kept[i] == OPTION_NOP;
    sim_tcp_set_options(tcp, kept, empty ? 0 : length);
}

static void overwrite(struct sim_tcp *tcp, uint8_t kind, uint8_t with) {
    struct sim_tcp_option option;
    for (uint32_t at = 0; sim_tcp_option_next(tcp, at, &option); at += option.length)
        if (option.kind == kind) memset(tcp->options + at, with, option.length);
}

static void mirror(struct option_box *box, struct sim_tcp *tcp, enum sim_direction direction) {
    struct flow flow = middle_flow_of(tcp, direction);
    struct mirrored *known = middle_flow_find(&box->flows, &flow);
    uint8_t kept[TCP_OPTIONS_MAX * 2], taken[TCP_OPTIONS_MAX];
    uint32_t taken_length, length = without(tcp, box->config.kind, kept, taken, &taken_length);
    if (sim_segment_kind(tcp) == SIM_SEGMENT_SYN) {
        if (known == NULL) known = middle_flow_add(&box->flows, box->box.world, &flow);
        memcpy(known->bytes, taken, taken_length);
        known->length = taken_length;
    } else if (known != NULL && length + known->length <= TCP_OPTIONS_MAX) {
        memcpy(kept + length, known->bytes, known->length);
        sim_tcp_set_options(tcp, kept, length + known->length);
    }
}

static void option_act(struct option_box *box, struct sim_tcp *tcp, enum sim_direction direction) {
    switch (box->config.action) {
    case SIM_OPTION_STRIP: strip(tcp, box->config.kind); return;
    case SIM_OPTION_NOP: overwrite(tcp, box->config.kind, OPTION_NOP); return;
    case SIM_OPTION_EOL: overwrite(tcp, box->config.kind, OPTION_END); return;
    case SIM_OPTION_MIRROR: mirror(box, tcp, direction); return;
    }
}

static void option_packet(struct sim_box *base, enum sim_direction direction, struct sim_packet *packet,
                          braid_time now) {
    struct option_box *box = (struct option_box *)base;
    struct sim_tcp tcp;
    if ((box->config.directions & 1u << direction) && sim_tcp_open(packet, &tcp) &&
        (box->config.segments & sim_segment_kind(&tcp)) && box->seen++ >= box->config.after) {
        option_act(box, &tcp, direction);
        sim_tcp_close(&tcp);
    }
    sim_box_pass(base, direction, packet, now);
}

static void option_destroy(struct sim_box *base) {
    middle_flows_forget(&((struct option_box *)base)->flows, base->world);
}

static const struct sim_box_ops option_ops = {.name = "options", .packet = option_packet, .destroy = option_destroy};

struct sim_box *sim_option_box(struct sim_world *world, const struct sim_option_config *config) {
    struct option_box *box = sim_box_create(world, &option_ops, sizeof(*box));
    box->config = *config;
    box->flows.size = sizeof(struct mirrored);
    if (box->config.kind == 0) box->config.kind = TCP_OPTION_KIND_MPTCP;
    if (config->action == SIM_OPTION_MIRROR) {
        box->config.segments = SIM_SEGMENT_SYN | SIM_SEGMENT_SYN_ACK;
        box->config.directions = SIM_BOTH;
    }
    return &box->box;
}

/* --- SYNs dropped --- */

struct syn_dropper {
    struct sim_box box;
    uint8_t kind;
    uint64_t left; /* UINT64_MAX: for ever */
};

static bool carries(const struct sim_tcp *tcp, uint8_t kind) {
    struct sim_tcp_option option;
    for (uint32_t at = 0; sim_tcp_option_next(tcp, at, &option); at += option.length)
        if (option.kind == kind) return true;
    return false;
}

static void syn_dropper_packet(struct sim_box *base, enum sim_direction direction, struct sim_packet *packet,
                               braid_time now) {
    struct syn_dropper *box = (struct syn_dropper *)base;
    struct sim_tcp tcp;
    if (box->left > 0 && sim_tcp_open(packet, &tcp) && (tcp.segment.flags & TCP_SYN) && carries(&tcp, box->kind)) {
        if (box->left != UINT64_MAX) box->left--;
        sim_box_drop(base, direction, packet, "SYN with an unknown option");
        return;
    }
    sim_box_pass(base, direction, packet, now);
}

static const struct sim_box_ops syn_dropper_ops = {.name = "SYN dropper", .packet = syn_dropper_packet};

struct sim_box *sim_syn_dropper(struct sim_world *world, uint8_t kind, uint64_t count) {
    struct syn_dropper *box = sim_box_create(world, &syn_dropper_ops, sizeof(*box));
    box->kind = kind != 0 ? kind : TCP_OPTION_KIND_MPTCP;
    box->left = count != 0 ? count : UINT64_MAX;
    return &box->box;
}

/* --- SYN payload --- */

static void syn_payload_packet(struct sim_box *base, enum sim_direction direction, struct sim_packet *packet,
                               braid_time now) {
    struct sim_tcp tcp;
    if (sim_tcp_open(packet, &tcp) && (tcp.segment.flags & TCP_SYN) && tcp.payload_length > 0) {
        sim_tcp_set_payload(&tcp, NULL, 0);
        sim_tcp_close(&tcp);
    }
    sim_box_pass(base, direction, packet, now);
}

static const struct sim_box_ops syn_payload_ops = {.name = "SYN payload stripper", .packet = syn_payload_packet};

struct sim_box *sim_syn_payload_stripper(struct sim_world *world) {
    return sim_box_create(world, &syn_payload_ops, sizeof(struct sim_box));
}
