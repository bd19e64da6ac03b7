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

/* ---- shapes ---- */

static void set_rate(struct yaml_source *source, yaml_node_t *value, struct scenario_shape *shape) {
    shape->rate_bps = yaml_rate_bps(source, value);
}

static void set_delay(struct yaml_source *source, yaml_node_t *value, struct scenario_shape *shape) {
    shape->delay_ns = yaml_time_ns(source, value);
}

static void set_queue(struct yaml_source *source, yaml_node_t *value, struct scenario_shape *shape) {
    shape->queue_ns = shape->queue_bytes = 0;
    if (yaml_ends_like_time(source, value))
        shape->queue_ns = yaml_time_ns(source, value);
    else
        shape->queue_bytes = yaml_size_bytes(source, value);
}

static void set_loss(struct yaml_source *source, yaml_node_t *value, struct scenario_shape *shape) {
    shape->loss = yaml_probability(source, value);
}

typedef void set_shape(struct yaml_source *source, yaml_node_t *value, struct scenario_shape *shape);

/* One value for both directions, or a mapping with `up` and `down`. Returns which directions were said, as
 * bits. */
static unsigned read_shape(struct yaml_source *source, yaml_node_t *value, struct scenario_shape shape[2],
                           set_shape *set) {
    if (!yaml_is_mapping(value)) {
        set(source, value, &shape[SCENARIO_UP]);
        set(source, value, &shape[SCENARIO_DOWN]);
        return 3;
    }
    unsigned said = 0;
    for (size_t i = 0; i < yaml_pair_count(source, value, "this"); i++) {
        yaml_node_t *key, *setting = yaml_pair(source, value, i, &key);
        const char *direction = yaml_text(source, key);
        bool up = strcmp(direction, "up") == 0;
        if (!up && strcmp(direction, "down") != 0)
            yaml_fail(source, key, "\"%s\" is no direction: up (from -> to) or down (to -> from)", direction);
        set(source, setting, &shape[up ? SCENARIO_UP : SCENARIO_DOWN]);
        said |= 1u << (up ? SCENARIO_UP : SCENARIO_DOWN);
    }
    return said;
}

unsigned scenario_read_shape(struct yaml_source *source, yaml_node_t *value, struct scenario_shape shape[2],
                             enum scenario_shape_bits which) {
    switch (which) {
    case SCENARIO_RATE:
        return read_shape(source, value, shape, set_rate);
    case SCENARIO_DELAY:
        return read_shape(source, value, shape, set_delay);
    case SCENARIO_QUEUE:
        return read_shape(source, value, shape, set_queue);
    case SCENARIO_LOSS:
        return read_shape(source, value, shape, set_loss);
    }
    return 0;
}

void scenario_shape_change(struct scenario_shape *shape, const struct scenario_shape *wanted, unsigned bits) {
    if (bits & SCENARIO_RATE) shape->rate_bps = wanted->rate_bps;
    if (bits & SCENARIO_DELAY) shape->delay_ns = wanted->delay_ns;
    if (bits & SCENARIO_LOSS) shape->loss = wanted->loss;
    if (!(bits & SCENARIO_QUEUE)) return;
    shape->queue_bytes = wanted->queue_bytes;
    shape->queue_ns = wanted->queue_ns;
}

static void read_rate(struct yaml_source *source, yaml_node_t *value, void *out) {
    scenario_read_shape(source, value, ((struct scenario_link *)out)->shape, SCENARIO_RATE);
}

static void read_delay(struct yaml_source *source, yaml_node_t *value, void *out) {
    scenario_read_shape(source, value, ((struct scenario_link *)out)->shape, SCENARIO_DELAY);
}

static void read_queue(struct yaml_source *source, yaml_node_t *value, void *out) {
    scenario_read_shape(source, value, ((struct scenario_link *)out)->shape, SCENARIO_QUEUE);
}

static void read_loss(struct yaml_source *source, yaml_node_t *value, void *out) {
    scenario_read_shape(source, value, ((struct scenario_link *)out)->shape, SCENARIO_LOSS);
}

static bool shaped(const struct scenario_shape *shape) {
    return shape->rate_bps != 0 || shape->delay_ns != 0 || shape->queue_bytes != 0 || shape->queue_ns != 0 ||
           shape->loss != 0;
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
        {"from", read_from, true},    {"to", read_to, true},        {"direct", read_direct, false},
        {"path", read_path, false},   {"mtu", read_mtu, false},     {"rate", read_rate, false},
        {"delay", read_delay, false}, {"queue", read_queue, false}, {"loss", read_loss, false},
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
    if (link->direct && (shaped(&link->shape[0]) || shaped(&link->shape[1])))
        yaml_fail(source, value, "a direct link has no rate, delay, queue or loss");
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
