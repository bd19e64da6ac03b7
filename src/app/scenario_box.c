#include "scenario_box.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <base/ensure.h>
#include "scenario_read.h"

#define KEY(config, field, type) \
    { #field, type, offsetof(config, field), false }
#define KEY_AS(name, config, field, type) \
    { name, type, offsetof(config, field), false }
#define KEYS(table) (table), ARRAY_COUNT(table)

/* ---- the kinds ---- */

static const struct box_key option_keys[] = {
    KEY(struct sim_option_config, action, BOX_ACTION),
    KEY(struct sim_option_config, segments, BOX_SEGMENTS),
    KEY(struct sim_option_config, directions, BOX_DIRECTIONS),
    KEY(struct sim_option_config, after, BOX_U64),
    KEY(struct sim_option_config, kind, BOX_U8),
};
static const struct sim_option_config option_defaults = {.segments = SIM_SEGMENT_ANY, .directions = SIM_BOTH};
static struct sim_box *create_option(struct sim_world *world, const void *config) {
    return sim_option_box(world, config);
}

struct syn_dropper {
    uint8_t kind;
    uint64_t count;
};
static const struct box_key syn_dropper_keys[] = {KEY(struct syn_dropper, kind, BOX_U8),
                                                  KEY(struct syn_dropper, count, BOX_U64)};
static struct sim_box *create_syn_dropper(struct sim_world *world, const void *config) {
    const struct syn_dropper *dropper = config;
    return sim_syn_dropper(world, dropper->kind, dropper->count);
}

static struct sim_box *create_syn_payload(struct sim_world *world, const void *config) {
    (void)config;
    return sim_syn_payload_stripper(world);
}

static const struct box_key nat_keys[] = {
    {"outside", BOX_ADDRESS, offsetof(struct sim_nat_config, outside), true},
    KEY_AS("idle", struct sim_nat_config, idle_ns, BOX_TIME),
    KEY(struct sim_nat_config, strict, BOX_FLAG),
    KEY(struct sim_nat_config, resets, BOX_FLAG),
};
static struct sim_box *create_nat(struct sim_world *world, const void *config) {
    return sim_nat(world, config);
}

static const struct box_key sequence_keys[] = {KEY(struct sim_sequence_config, leave_sack, BOX_FLAG)};
static struct sim_box *create_sequence(struct sim_world *world, const void *config) {
    return sim_sequence_box(world, config);
}

static const struct box_key window_keys[] = {
    KEY(struct sim_window_config, directions, BOX_DIRECTIONS),
    KEY(struct sim_window_config, most, BOX_U16),
    KEY(struct sim_window_config, strip_scale, BOX_FLAG),
};
static const struct sim_window_config window_defaults = {.directions = SIM_BOTH};
static struct sim_box *create_window(struct sim_world *world, const void *config) {
    return sim_window_box(world, config);
}

static const struct box_key split_keys[] = {
    KEY(struct sim_split_config, directions, BOX_DIRECTIONS),
    KEY_AS("bytes", struct sim_split_config, payload_bytes, BOX_U32),
    KEY(struct sim_split_config, options_once, BOX_FLAG),
};
static const struct sim_split_config split_defaults = {.directions = SIM_BOTH, .payload_bytes = 536};
static struct sim_box *create_split(struct sim_world *world, const void *config) {
    return sim_splitter(world, config);
}

static const struct box_key coalesce_keys[] = {
    KEY(struct sim_coalesce_config, directions, BOX_DIRECTIONS),
    KEY_AS("bytes", struct sim_coalesce_config, payload_bytes, BOX_U32),
    KEY_AS("wait", struct sim_coalesce_config, wait_ns, BOX_TIME),
};
static const struct sim_coalesce_config coalesce_defaults = {
    .directions = SIM_BOTH, .payload_bytes = 1400, .wait_ns = BRAID_NS_PER_MS};
static struct sim_box *create_coalesce(struct sim_world *world, const void *config) {
    return sim_coalescer(world, config);
}

static const struct box_key payload_keys[] = {
    KEY(struct sim_payload_config, direction, BOX_DIRECTION),
    KEY(struct sim_payload_config, at, BOX_U64),
    KEY(struct sim_payload_config, grow, BOX_I32),
};
static struct sim_box *create_payload(struct sim_world *world, const void *config) {
    return sim_payload_box(world, config);
}

static const struct box_key firewall_keys[] = {
    KEY_AS("idle", struct sim_firewall_config, idle_ns, BOX_TIME),
    KEY(struct sim_firewall_config, resets, BOX_FLAG),
    KEY(struct sim_firewall_config, in_order, BOX_FLAG),
    KEY(struct sim_firewall_config, no_unseen_ack, BOX_FLAG),
    KEY(struct sim_firewall_config, outward_only, BOX_FLAG),
};
static struct sim_box *create_firewall(struct sim_world *world, const void *config) {
    return sim_firewall(world, config);
}

static const struct box_key proxy_keys[] = {
    KEY(struct sim_proxy_config, directions, BOX_DIRECTIONS),
    KEY_AS("buffer", struct sim_proxy_config, buffer_bytes, BOX_U32),
    KEY(struct sim_proxy_config, repeats_options, BOX_FLAG),
};
static const struct sim_proxy_config proxy_defaults = {.directions = SIM_BOTH};
static struct sim_box *create_proxy(struct sim_world *world, const void *config) {
    return sim_proxy(world, config);
}

static const struct box_key misdirect_keys[] = {{"to", BOX_ADDRESS, 0, true}};
static struct sim_box *create_misdirect(struct sim_world *world, const void *config) {
    return sim_join_misdirector(world, config);
}

static const struct box_kind kinds[] = {
    {"option", KEYS(option_keys), &option_defaults, sizeof(option_defaults), create_option, NULL},
    {"drop-syn", KEYS(syn_dropper_keys), NULL, sizeof(struct syn_dropper), create_syn_dropper, NULL},
    {"strip-syn-payload", NULL, 0, NULL, 1, create_syn_payload, NULL},
    {"nat", KEYS(nat_keys), NULL, sizeof(struct sim_nat_config), create_nat, sim_nat_forget},
    {"sequence", KEYS(sequence_keys), NULL, sizeof(struct sim_sequence_config), create_sequence, NULL},
    {"window", KEYS(window_keys), &window_defaults, sizeof(window_defaults), create_window, NULL},
    {"split", KEYS(split_keys), &split_defaults, sizeof(split_defaults), create_split, NULL},
    {"coalesce", KEYS(coalesce_keys), &coalesce_defaults, sizeof(coalesce_defaults), create_coalesce, NULL},
    {"payload", KEYS(payload_keys), NULL, sizeof(struct sim_payload_config), create_payload, NULL},
    {"firewall", KEYS(firewall_keys), NULL, sizeof(struct sim_firewall_config), create_firewall,
     sim_firewall_forget},
    {"proxy", KEYS(proxy_keys), &proxy_defaults, sizeof(proxy_defaults), create_proxy, NULL},
    {"misdirect-join", KEYS(misdirect_keys), NULL, sizeof(struct braid_address), create_misdirect, NULL},
};

/* ---- values ---- */

struct choice {
    const char *name;
    unsigned value;
};
static const struct choice segments[] = {{"syn", SIM_SEGMENT_SYN},   {"syn_ack", SIM_SEGMENT_SYN_ACK},
                                         {"data", SIM_SEGMENT_DATA}, {"empty", SIM_SEGMENT_EMPTY},
                                         {"any", SIM_SEGMENT_ANY},   {NULL, 0}};
static const struct choice directions[] = {
    {"up", SIM_ONLY_UP}, {"down", SIM_ONLY_DOWN}, {"both", SIM_BOTH}, {NULL, 0}};
static const struct choice direction[] = {{"up", SIM_UP}, {"down", SIM_DOWN}, {NULL, 0}};
static const struct choice actions[] = {{"strip", SIM_OPTION_STRIP},
                                        {"nop", SIM_OPTION_NOP},
                                        {"eol", SIM_OPTION_EOL},
                                        {"mirror", SIM_OPTION_MIRROR},
                                        {NULL, 0}};

static unsigned choose(struct yaml_source *source, yaml_node_t *value, const struct choice *choices) {
    const char *text = yaml_text(source, value), *known = "";
    for (const struct choice *choice = choices; choice->name != NULL; choice++) {
        if (strcmp(choice->name, text) == 0) return choice->value;
        known = arena_format(source->arena, "%s%s%s", known, known[0] != '\0' ? ", " : "", choice->name);
    }
    yaml_fail(source, value, "\"%s\" is none of %s", text, known);
    return choices->value;
}

static unsigned read_segments(struct yaml_source *source, yaml_node_t *value) {
    unsigned bits = 0;
    if (!yaml_is_sequence(value)) return choose(source, value, segments);
    for (size_t i = 0; i < yaml_item_count(source, value, "segments"); i++)
        bits |= choose(source, yaml_item(source, value, i), segments);
    return bits;
}

static int32_t read_signed(struct yaml_source *source, yaml_node_t *value) {
    const char *text = yaml_text(source, value);
    char *end;
    long number = strtol(text, &end, 10);
    if (end == text || *end != '\0' || number < -1000 || number > 1000)
        yaml_fail(source, value, "\"%s\" is not a number from -1000 to 1000", text);
    return (int32_t)number;
}

static struct braid_address read_address(struct yaml_source *source, yaml_node_t *value) {
    struct ip_address ip = yaml_address(source, value);
    struct braid_address address = {.family = (uint8_t)ip.family};
    memcpy(address.bytes, ip.bytes, sizeof(address.bytes));
    return address;
}

static void read_value(struct yaml_source *source, yaml_node_t *value, enum box_type type, void *out) {
    switch (type) {
    case BOX_FLAG:
        *(bool *)out = yaml_flag(source, value);
        return;
    case BOX_U8:
        *(uint8_t *)out = (uint8_t)yaml_number(source, value, UINT8_MAX);
        return;
    case BOX_U16:
        *(uint16_t *)out = (uint16_t)yaml_number(source, value, UINT16_MAX);
        return;
    case BOX_U32:
        *(uint32_t *)out = (uint32_t)yaml_number(source, value, UINT32_MAX);
        return;
    case BOX_U64:
        *(uint64_t *)out = yaml_number(source, value, UINT64_MAX);
        return;
    case BOX_I32:
        *(int32_t *)out = read_signed(source, value);
        return;
    case BOX_TIME:
        *(braid_time *)out = yaml_time_ns(source, value);
        return;
    case BOX_ADDRESS:
        *(struct braid_address *)out = read_address(source, value);
        return;
    case BOX_SEGMENTS:
        *(unsigned *)out = read_segments(source, value);
        return;
    case BOX_DIRECTIONS:
        *(unsigned *)out = choose(source, value, directions);
        return;
    case BOX_DIRECTION:
        *(enum sim_direction *)out = (enum sim_direction)choose(source, value, direction);
        return;
    case BOX_ACTION:
        *(enum sim_option_action *)out = (enum sim_option_action)choose(source, value, actions);
        return;
    }
}

/* ---- boxes ---- */

static const struct box_kind *find_kind(struct yaml_source *source, yaml_node_t *node) {
    const char *text = yaml_text(source, node), *known = "";
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        if (strcmp(kinds[i].name, text) == 0) return &kinds[i];
        known = arena_format(source->arena, "%s%s%s", known, i > 0 ? ", " : "", kinds[i].name);
    }
    yaml_fail(source, node, "there is no middlebox \"%s\" (known: %s)", text, known);
    return NULL;
}

static void read_key(struct yaml_source *source, yaml_node_t *key, yaml_node_t *value,
                     struct scenario_box *box) {
    const char *text = yaml_text(source, key);
    for (size_t i = 0; i < box->kind->key_count; i++) {
        const struct box_key *known = &box->kind->keys[i];
        if (strcmp(known->name, text) != 0) continue;
        read_value(source, value, known->type, (char *)box->config + known->offset);
        return;
    }
    yaml_fail(source, key, "unknown key \"%s\" of the middlebox %s", text, box->kind->name);
}

static void read_config(struct yaml_source *source, yaml_node_t *item, yaml_node_t *node,
                        struct scenario_box *box) {
    const struct box_kind *kind = box->kind;
    box->config = arena_array(source->arena, 1, kind->config_bytes);
    if (kind->defaults != NULL) memcpy(box->config, kind->defaults, kind->config_bytes);
    for (size_t i = 0; node != NULL && i < yaml_pair_count(source, node, "a middlebox's settings"); i++) {
        yaml_node_t *key, *value = yaml_pair(source, node, i, &key);
        read_key(source, key, value, box);
    }
    for (size_t i = 0; i < kind->key_count; i++)
        if (kind->keys[i].required &&
            (node == NULL || yaml_value_of(source, node, kind->keys[i].name) == NULL))
            yaml_fail(source, item, "the middlebox %s needs \"%s\"", kind->name, kind->keys[i].name);
}

/* Either a name, or one name with settings: "- nat: {outside: 10.0.9.9}". */
static void read_box(struct yaml_source *source, yaml_node_t *item, struct scenario_box *box) {
    yaml_node_t *name = item, *settings = NULL;
    box->place = yaml_place(source, item);
    if (yaml_is_mapping(item)) {
        if (yaml_pair_count(source, item, "a middlebox") != 1) {
            yaml_fail(source, item, "write it as \"- NAME\" or \"- NAME: {SETTING: VALUE}\"");
            return;
        }
        settings = yaml_pair(source, item, 0, &name);
    }
    box->kind = find_kind(source, name);
    if (box->kind != NULL) read_config(source, item, settings, box);
}

void scenario_read_boxes(struct yaml_source *source, yaml_node_t *value, struct scenario_link *link) {
    link->box_count = yaml_item_count(source, value, "boxes");
    link->boxes = arena_array(source->arena, link->box_count, sizeof(*link->boxes));
    if (link->box_count > SIM_BOXES_MAX - 4)
        yaml_fail(source, value, "at most %d middleboxes", SIM_BOXES_MAX - 4);
    for (size_t i = 0; i < link->box_count && !source->failed; i++)
        read_box(source, yaml_item(source, value, i), &link->boxes[i]);
}
