/* A phone with paths to a server. */
#include <sim/phone.h>

#include "sim_internal.h"

const struct sim_path_config sim_wifi = {
    .rate_bps = 50000000, .rtt_ns = 30 * BRAID_NS_PER_MS, .queue_ns = 100 * BRAID_NS_PER_MS};
const struct sim_path_config sim_cellular = {
    .rate_bps = 20000000, .rtt_ns = 70 * BRAID_NS_PER_MS, .queue_ns = 100 * BRAID_NS_PER_MS};

static const char *const path_names[SIM_PATHS_MAX] = {"wifi", "cellular", "third", "fourth"};

enum { FIRST_PORT = 1000 };

static struct braid_address address_of(bool ipv6, uint8_t network, uint8_t host) {
    struct braid_address address = {.family = ipv6 ? 6 : 4};
    const uint8_t v4[4] = {10, network, 0, host};
    const uint8_t v6[16] = {0xfd, 0, 0, network, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host};
    memcpy(address.bytes, ipv6 ? v6 : v4, ipv6 ? sizeof(v6) : sizeof(v4));
    return address;
}

static struct link_model_config model_of(const struct sim_path_config *path, bool up) {
    return (struct link_model_config){
        .rate_bps = up && path->rate_up_bps != 0 ? path->rate_up_bps : path->rate_bps,
        .delay_ns = path->rtt_ns / 2,
        .queue_ns = path->queue_ns != 0 || path->queue_bytes != 0 ? path->queue_ns : 100 * BRAID_NS_PER_MS,
        .queue_bytes = path->queue_bytes,
        .loss = path->loss};
}

static void path_init(struct sim_phone *phone, const struct sim_phone_config *config, unsigned i) {
    const struct sim_path_config *path = &config->paths[i];
    struct sim_interface_config interface = {.name = path_names[i],
                                             .mtu_bytes = path->mtu_bytes,
                                             .super_segment_bytes = config->super_segment_bytes};
    int number = sim_host_interface_add(phone->client, &interface);
    struct link_model_config up = model_of(path, true), down = model_of(path, false);
    phone->paths[i] = *path;
    phone->addresses[i] = address_of(config->ipv6, (uint8_t)(i + 1), 2);
    sim_host_address_add(phone->client, number, &phone->addresses[i], path->backup, phone->client_announces);
    struct sim_link_end far = {phone->server, 0};
    if (phone->router != NULL) far = (struct sim_link_end){phone->router, sim_host_interface_add(phone->router, &interface)};
    phone->links[i] = sim_link_add(phone->world, path_names[i], (struct sim_link_end){phone->client, number}, far);
    phone->wires[i] = sim_wire(phone->world, &up, &down);
    sim_link_append(phone->links[i], phone->wires[i]);
}

static void server_init(struct sim_phone *phone, const struct sim_phone_config *config, struct sim_host *server,
                        const struct braid_address *address) {
    struct sim_interface_config interface = {.name = "eth0", .super_segment_bytes = config->super_segment_bytes};
    sim_host_interface_add(server, &interface);
    sim_host_address_add(server, 0, address, false, false);
    if (phone->router == NULL) {
        struct braid_address second = address_of(config->ipv6, 9, 3);
        if (config->announced) sim_host_address_add(server, 0, &second, false, true);
        return;
    }
    int number = sim_host_interface_add(phone->router, &interface);
    struct sim_link *link = sim_link_add(phone->world, sim_host_name(server), (struct sim_link_end){phone->router, number},
                                         (struct sim_link_end){server, 0});
    struct ip_address ip = address->family == 4 ? ip_address_v4(address->bytes) : ip_address_v6(address->bytes);
    sim_host_route_add(phone->router, &ip, address->family == 4 ? 32 : 128, link);
}

void sim_phone_init(struct sim_phone *phone, const struct sim_phone_config *config) {
    ENSURE(config->path_count >= 1 && config->path_count <= SIM_PATHS_MAX);
    *phone = (struct sim_phone){
        .path_count = config->path_count, .next_port = FIRST_PORT, .client_announces = config->client_announces};
    phone->world = sim_world_create(&config->world);
    phone->client = sim_host_add(phone->world, "phone", &config->client);
    phone->server = sim_host_add(phone->world, "server", &config->server);
    phone->server_address = address_of(config->ipv6, 9, 1);
    phone->twin_address = address_of(config->ipv6, 9, 2);
    if (config->twin) phone->router = sim_router_add(phone->world, "router");
    server_init(phone, config, phone->server, &phone->server_address);
    if (config->twin) phone->twin = sim_host_add(phone->world, "twin", &config->server);
    if (config->twin) server_init(phone, config, phone->twin, &phone->twin_address);
    for (unsigned i = 0; i < config->path_count; i++) path_init(phone, config, i);
}

uint64_t sim_phone_deinit(struct sim_phone *phone) { return sim_world_destroy(phone->world); }

struct sim_conversation *sim_phone_talk(struct sim_phone *phone, const struct sim_conversation_config *config) {
    struct sim_conversation_config own = *config;
    own.client = phone->client;
    own.server = phone->server;
    own.remote = (struct braid_endpoint){phone->server_address, phone->next_port++};
    return sim_conversation_start(phone->world, &own);
}

static void set_states(struct sim_phone *phone, unsigned path, enum link_model_state up,
                       enum link_model_state down) {
    sim_wire_set_state(phone->wires[path], SIM_UP, up);
    sim_wire_set_state(phone->wires[path], SIM_DOWN, down);
}

void sim_path_down(struct sim_phone *phone, unsigned path) {
    set_states(phone, path, LINK_MODEL_DOWN, LINK_MODEL_DOWN);
    sim_host_interface_set(phone->client, (int)path, false);
}

void sim_path_up(struct sim_phone *phone, unsigned path) {
    set_states(phone, path, LINK_MODEL_UP, LINK_MODEL_UP);
    sim_host_interface_set(phone->client, (int)path, true);
}

void sim_path_blackhole(struct sim_phone *phone, unsigned path, bool up, bool down) {
    set_states(phone, path, up ? LINK_MODEL_BLACKHOLE : LINK_MODEL_UP,
               down ? LINK_MODEL_BLACKHOLE : LINK_MODEL_UP);
}

void sim_path_shape(struct sim_phone *phone, unsigned path, const struct sim_path_config *config) {
    struct link_model_config up = model_of(config, true), down = model_of(config, false);
    phone->paths[path] = *config;
    sim_wire_configure(phone->wires[path], SIM_UP, &up);
    sim_wire_configure(phone->wires[path], SIM_DOWN, &down);
}

void sim_path_renumber(struct sim_phone *phone, unsigned path) {
    struct braid_address *address = &phone->addresses[path];
    uint8_t *host = &address->bytes[address->family == 6 ? 15 : 3];
    sim_host_address_remove(phone->client, (int)path, address);
    *host = *host >= 200 ? 2 : (uint8_t)(*host + 1);
    sim_host_address_add(phone->client, (int)path, address, phone->paths[path].backup, phone->client_announces);
}

void sim_path_set_backup(struct sim_phone *phone, unsigned path, bool backup) {
    phone->paths[path].backup = backup;
    sim_host_address_add(phone->client, (int)path, &phone->addresses[path], backup, phone->client_announces);
}
