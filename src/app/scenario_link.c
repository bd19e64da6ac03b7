/* From YAML to struct scenario: links, their ends, and what is emulated of them. */
#include <net/if.h>
#include <string.h>
#include "scenario_read.h"

#define MTU_DEFAULT 1500

/* ---- ends ---- */

static void read_end_host(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_end *)out)->host = scenario_read_host_name(source, value);
}

static void read_interface(struct yaml_source *source, yaml_node_t *value, void *out) {
    const char *name = scenario_read_name(source, value);
    if (strlen(name) >= IFNAMSIZ)
        yaml_fail(source, value, "\"%s\" is longer than an interface's name may be", name);
    if (strcmp(name, "lo") == 0) yaml_fail(source, value, "\"lo\" is the loopback interface");
    ((struct scenario_end *)out)->interface = name;
}

static void read_addresses(struct yaml_source *source, yaml_node_t *value, void *out) {
    struct scenario_end *end = out;
    bool one = yaml_is_scalar(value);
    end->address_count = one ? 1 : yaml_item_count(source, value, "addresses");
    end->addresses = arena_array(source->arena, end->address_count, sizeof(*end->addresses));
    for (size_t i = 0; i < end->address_count; i++)
        end->addresses[i] = yaml_prefix(source, one ? value : yaml_item(source, value, i), true);
}

static void read_gateways(struct yaml_source *source, yaml_node_t *value, void *out) {
    struct scenario_end *end = out;
    bool one = yaml_is_scalar(value);
    end->gateway_count = one ? 1 : yaml_item_count(source, value, "gateway");
    if (end->gateway_count > 2) yaml_fail(source, value, "more than one gateway for IPv4 and one for IPv6");
    for (size_t i = 0; i < end->gateway_count && i < 2; i++)
        end->gateways[i] = yaml_address(source, one ? value : yaml_item(source, value, i));
}

static void read_metric(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_end *)out)->metric = (uint32_t)yaml_number(source, value, UINT32_MAX);
}

static void read_end(struct yaml_source *source, yaml_node_t *node, struct scenario_end *end) {
    static const struct yaml_key keys[] = {
        {"host", read_end_host, true},      {"interface", read_interface, true},
        {"address", read_addresses, false}, {"gateway", read_gateways, false},
        {"metric", read_metric, false},
    };
    end->place = yaml_place(source, node);
    YAML_READ_MAPPING(source, node, keys, end);
}

static void read_from(struct yaml_source *source, yaml_node_t *value, void *out) {
    read_end(source, value, &((struct scenario_link *)out)->ends[0]);
}

static void read_to(struct yaml_source *source, yaml_node_t *value, void *out) {
    read_end(source, value, &((struct scenario_link *)out)->ends[1]);
}

static void read_direct(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_link *)out)->direct = yaml_flag(source, value);
}

static void read_path(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_link *)out)->path = yaml_flag(source, value);
}

static void read_mtu(struct yaml_source *source, yaml_node_t *value, void *out) {
    struct scenario_link *link = out;
    link->mtu = (uint32_t)yaml_number(source, value, 65535);
    if (link->mtu < 68) yaml_fail(source, value, "an MTU below 68 carries no IP");
}

static void read_link_shape(struct yaml_source *source, yaml_node_t *value, void *out, unsigned which) {
    scenario_read_shape(source, value, ((struct scenario_link *)out)->shape, which);
}

static void read_path_mtu_bytes(struct yaml_source *source, yaml_node_t *value, void *out) {
    struct scenario_link *link = out;
    link->path_mtu = (uint32_t)yaml_number(source, value, 65535);
    if (link->path_mtu < 68) yaml_fail(source, value, "an MTU below 68 carries no IP");
}

static void read_path_mtu_silent(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_link *)out)->path_mtu_silent = yaml_flag(source, value);
}

static void read_path_mtu(struct yaml_source *source, yaml_node_t *value, void *out) {
    static const struct yaml_key keys[] = {{"bytes", read_path_mtu_bytes, true}, {"silent", read_path_mtu_silent, false}};
    if (yaml_is_mapping(value)) YAML_READ_MAPPING(source, value, keys, out);
    else read_path_mtu_bytes(source, value, out);
}

static void read_boxes(struct yaml_source *source, yaml_node_t *value, void *out) {
    scenario_read_boxes(source, value, out);
}

static void check_interfaces(struct yaml_source *source, yaml_node_t *node,
                             const struct scenario_link *link) {
    for (size_t i = 0; i <= source->scenario->link_count; i++) {
        const struct scenario_link *other = &source->scenario->links[i];
        for (unsigned e = 0; e < 4; e++) {
            const struct scenario_end *mine = &link->ends[e & 1], *theirs = &other->ends[e >> 1];
            if (mine == theirs || mine->host != theirs->host ||
                strcmp(mine->interface, theirs->interface) != 0)
                continue;
            yaml_fail(source, node, "host \"%s\" has two interfaces \"%s\"",
                      source->scenario->hosts[mine->host].name, mine->interface);
        }
    }
}

static void read_link(struct yaml_source *source, yaml_node_t *key, yaml_node_t *value,
                      struct scenario_link *link) {
    static const struct yaml_key keys[] = {
        {"from", read_from, true},  {"to", read_to, true},
        {"direct", read_direct},    {"path", read_path},
        {"mtu", read_mtu},          {"path_mtu", read_path_mtu},
        {"boxes", read_boxes},      SCENARIO_SHAPE_KEYS(read_link_shape),
    };
    link->place = yaml_place(source, key);
    link->name = scenario_read_name(source, key);
    link->mtu = MTU_DEFAULT;
    if (scenario_find_link(source->scenario, link->name) >= 0)
        yaml_fail(source, key, "there are two links \"%s\"", link->name);
    yaml_node_t *direct = yaml_value_of(source, value, "direct");
    link->path = direct == NULL || !yaml_flag(source, direct);
    YAML_READ_MAPPING(source, value, keys, link);
    if (source->failed) return;
    if (link->direct && (scenario_is_shaped(&link->shape[0]) || scenario_is_shaped(&link->shape[1]) ||
                         link->path_mtu != 0 || link->box_count != 0))
        yaml_fail(source, value, "a direct link has nothing of the kind: no rate, delay, queue, loss, boxes, ...");
    for (unsigned way = 0; way < 2; way++)
        if (link->shape[way].rate_bps != 0 && link->shape[way].trace != NULL)
            yaml_fail(source, value, "either a rate or a trace, not both");
    check_interfaces(source, key, link);
}

void scenario_read_links(struct yaml_source *source, yaml_node_t *node) {
    struct scenario *scenario = source->scenario;
    size_t count = yaml_pair_count(source, node, "links");
    scenario->links = arena_array(source->arena, count, sizeof(*scenario->links));
    for (size_t i = 0; i < count && !source->failed; i++) {
        yaml_node_t *key, *value = yaml_pair(source, node, i, &key);
        read_link(source, key, value, &scenario->links[i]);
        scenario->link_count++;
    }
}
