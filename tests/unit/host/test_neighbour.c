/* Finding the link-layer address packets must go to, with the kernel's routes and neighbour table. */
#define _GNU_SOURCE
#include "test_hosts.h"

#include <host/neighbour.h>

static int changes;

static void on_change(void *context) {
    (void)context;
    changes++;
}

static struct neighbours *create(const struct hosts *hosts) {
    struct neighbours *neighbours = NULL;
    changes = 0;
    hosts_add_link_local(hosts);
    /* The kernel gives up soon, instead of after three seconds. */
    test_write_file("/proc/sys/net/ipv4/neigh/wan0/retrans_time_ms", "50");
    test_write_file("/proc/sys/net/ipv6/neigh/wan0/retrans_time_ms", "50");
    test_write_file("/proc/sys/net/ipv4/neigh/wan0/locktime", "0");
    assert_int_equal(neighbours_create(&test_env, hosts->wan, on_change, NULL, &neighbours), 0);
    return neighbours;
}

static void peer_mac(const struct hosts *hosts, uint8_t mac[6]) {
    test_enter(hosts->peer);
    struct ifreq request = test_request("peer0");
    test_control(SIOCGIFHWADDR, &request);
    memcpy(mac, request.ifr_hwaddr.sa_data, 6);
    test_enter(hosts->us);
}

static enum link_next_hop_state resolve(struct neighbours *neighbours, const char *from, const char *to,
                                        uint8_t mac[6]) {
    struct ip_address source = test_ip(from), destination = test_ip(to);
    return neighbours_resolve(neighbours, &source, &destination, mac);
}

/* Resolves, waiting for the kernel while it is at it. */
static enum link_next_hop_state resolve_patiently(struct neighbours *neighbours, const char *from,
                                                  const char *to, uint8_t mac[6]) {
    for (;;) {
        enum link_next_hop_state state = resolve(neighbours, from, to, mac);
        if (state != LINK_NEXT_HOP_PENDING) return state;
        if (!test_readable(neighbours_fd(neighbours), WAIT_MS)) return state;
        neighbours_dispatch(neighbours);
    }
}

static void a_neighbour_is_found(const char *from, const char *to) {
    struct hosts hosts = hosts_create(true);
    struct neighbours *neighbours = create(&hosts);
    uint8_t mac[6], expected[6];
    peer_mac(&hosts, expected);
    assert_int_equal(resolve(neighbours, from, to, mac), LINK_NEXT_HOP_PENDING);
    assert_int_equal(resolve_patiently(neighbours, from, to, mac), LINK_NEXT_HOP_KNOWN);
    assert_memory_equal(mac, expected, 6);
    assert_true(changes > 0);
    neighbours_destroy(neighbours);
    hosts_destroy(&hosts);
}

static void a_neighbour_on_the_link_is_found_v4(void **state) {
    (void)state;
    a_neighbour_is_found(US_V4, PEER_V4);
}

static void a_neighbour_on_the_link_is_found_v6(void **state) {
    (void)state;
    a_neighbour_is_found(US_V6, PEER_V6);
}

static void a_far_destination_is_reached_through_its_gateway(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    struct neighbours *neighbours = create(&hosts);
    struct netlink_route v4 = test_default_route(PEER_V4, hosts.wan, 1),
                         v6 = test_default_route(PEER_V6, hosts.wan, 1);
    uint8_t mac[6], expected[6];
    peer_mac(&hosts, expected);
    assert_int_equal(resolve(neighbours, US_V4, "198.51.100.7", mac),
                     LINK_NEXT_HOP_UNREACHABLE); /* no route yet */
    assert_int_equal(netlink_route_add(hosts.netlink, &v4), 0);
    assert_int_equal(netlink_route_add(hosts.netlink, &v6), 0);
    neighbours_dispatch(neighbours); /* the news of the route is there: no waiting for anything to expire */
    assert_int_equal(resolve_patiently(neighbours, US_V4, "198.51.100.7", mac), LINK_NEXT_HOP_KNOWN);
    assert_memory_equal(mac, expected, 6);
    assert_int_equal(resolve_patiently(neighbours, US_V6, "2001:db8::7", mac), LINK_NEXT_HOP_KNOWN);
    assert_memory_equal(mac, expected, 6);
    neighbours_destroy(neighbours);
    hosts_destroy(&hosts);
}

/* The kernel would rather send by another interface, whose default route has the lower metric. */
static void an_uplink_that_is_not_preferred_has_its_own_gateway(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    assert_int_equal(netlink_veth_create(hosts.netlink, "other0", "other1", hosts.peer), 0);
    uint32_t other = if_nametoindex("other0");
    struct ip_address other4 = test_ip("10.8.0.1"), other6 = test_ip("fd08::1");
    assert_int_equal(netlink_address_add(hosts.netlink, other, &other4, 24), 0);
    assert_int_equal(netlink_address_add(hosts.netlink, other, &other6, 64), 0);
    assert_int_equal(netlink_link_set_up(hosts.netlink, other, true), 0);
    test_enter(hosts.peer);
    assert_int_equal(netlink_link_set_up(hosts.peer_netlink, if_nametoindex("other1"), true), 0);
    test_enter(hosts.us);
    test_wait_running("other0");
    struct netlink_route routes[] = {
        test_default_route("10.8.0.2", other, 1), test_default_route("fd08::2", other, 1),
        test_default_route(PEER_V4, hosts.wan, 9), test_default_route(PEER_V6, hosts.wan, 9)};
    for (size_t i = 0; i < ARRAY_COUNT(routes); i++)
        assert_int_equal(netlink_route_add(hosts.netlink, &routes[i]), 0);

    struct neighbours *neighbours = create(&hosts);
    uint8_t mac[6], expected[6];
    peer_mac(&hosts, expected);
    assert_int_equal(resolve_patiently(neighbours, US_V4, "198.51.100.7", mac), LINK_NEXT_HOP_KNOWN);
    assert_memory_equal(mac, expected, 6);
    assert_int_equal(resolve_patiently(neighbours, US_V6, "2001:db8::7", mac), LINK_NEXT_HOP_KNOWN);
    assert_memory_equal(mac, expected, 6);
    neighbours_destroy(neighbours);
    hosts_destroy(&hosts);
}

static void what_the_kernel_knows_is_known_at_once(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    struct sockaddr_storage to;
    socklen_t length = test_socket_address(PEER_V4, 9, &to);
    int listener = test_peer_listen(&hosts, PEER_V4, 9), fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, length), 0); /* the kernel resolves for itself */
    struct neighbours *neighbours = create(&hosts);
    uint8_t mac[6], expected[6];
    peer_mac(&hosts, expected);
    assert_int_equal(resolve(neighbours, US_V4, PEER_V4, mac), LINK_NEXT_HOP_KNOWN);
    assert_memory_equal(mac, expected, 6);
    close(fd);
    close(listener);
    neighbours_destroy(neighbours);
    hosts_destroy(&hosts);
}

static void a_neighbour_that_does_not_answer_is_unreachable(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    struct neighbours *neighbours = create(&hosts);
    uint8_t mac[6];
    assert_int_equal(resolve(neighbours, US_V4, "10.7.0.77", mac), LINK_NEXT_HOP_PENDING);
    assert_int_equal(resolve(neighbours, US_V6, "fd07::77", mac), LINK_NEXT_HOP_PENDING);
    assert_int_equal(resolve_patiently(neighbours, US_V4, "10.7.0.77", mac), LINK_NEXT_HOP_UNREACHABLE);
    assert_int_equal(resolve_patiently(neighbours, US_V6, "fd07::77", mac), LINK_NEXT_HOP_UNREACHABLE);
    neighbours_destroy(neighbours);
    hosts_destroy(&hosts);
}

static void a_neighbour_that_moves_is_followed(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    struct neighbours *neighbours = create(&hosts);
    uint8_t mac[6];
    assert_int_equal(resolve_patiently(neighbours, US_V4, PEER_V4, mac), LINK_NEXT_HOP_KNOWN);
    const uint8_t moved[6] = {2, 0, 0, 7, 7, 7};
    test_enter(hosts.peer);
    test_write_file("/proc/sys/net/ipv4/conf/peer0/arp_notify", "1");
    struct ifreq request = test_request("peer0");
    request.ifr_hwaddr.sa_family = 1; /* ARPHRD_ETHER */
    memcpy(request.ifr_hwaddr.sa_data, moved, 6);
    test_control(SIOCSIFHWADDR, &request);
    test_enter(hosts.us);
    while (memcmp(mac, moved, 6) != 0) {
        assert_true(test_readable(neighbours_fd(neighbours), WAIT_MS));
        neighbours_dispatch(neighbours);
        assert_int_equal(resolve(neighbours, US_V4, PEER_V4, mac), LINK_NEXT_HOP_KNOWN);
    }
    neighbours_destroy(neighbours);
    hosts_destroy(&hosts);
}

static void a_link_that_was_down_needs_no_second_of_grace(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    struct neighbours *neighbours = create(&hosts);
    uint8_t mac[6];
    assert_int_equal(resolve_patiently(neighbours, US_V4, PEER_V4, mac), LINK_NEXT_HOP_KNOWN);
    assert_int_equal(netlink_link_set_up(hosts.netlink, hosts.wan, false), 0);
    neighbours_dispatch(neighbours);
    (void)resolve(neighbours, US_V4, PEER_V4, mac);
    assert_int_equal(netlink_link_set_up(hosts.netlink, hosts.wan, true), 0);
    test_wait_running("wan0");
    neighbours_dispatch(neighbours);
    assert_int_equal(resolve_patiently(neighbours, US_V4, PEER_V4, mac), LINK_NEXT_HOP_KNOWN);
    neighbours_destroy(neighbours);
    hosts_destroy(&hosts);
}

static void many_destinations_take_bounded_memory(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    struct neighbours *neighbours = create(&hosts);
    struct netlink_route route = test_default_route(PEER_V4, hosts.wan, 1);
    assert_int_equal(netlink_route_add(hosts.netlink, &route), 0);
    neighbours_dispatch(neighbours);
    uint8_t mac[6];
    struct ip_address source = test_ip(US_V4);
    for (uint32_t i = 0; i < 10000; i++) {
        const uint8_t bytes[4] = {198, 18, (uint8_t)(i >> 8), (uint8_t)i};
        struct ip_address destination = ip_address_v4(bytes);
        assert_int_not_equal(neighbours_resolve(neighbours, &source, &destination, mac),
                             LINK_NEXT_HOP_UNREACHABLE);
    }
    assert_in_range(test_allocated, 1, 5000);
    neighbours_destroy(neighbours);
    hosts_destroy(&hosts);
}

int main(void) {
    if (!test_become_root()) return 0;
#define TEST(name) cmocka_unit_test_setup_teardown(name, test_fresh_network, test_nothing_leaked)
    const struct CMUnitTest tests[] = {
        TEST(a_neighbour_on_the_link_is_found_v4),
        TEST(a_neighbour_on_the_link_is_found_v6),
        TEST(a_far_destination_is_reached_through_its_gateway),
        TEST(an_uplink_that_is_not_preferred_has_its_own_gateway),
        TEST(what_the_kernel_knows_is_known_at_once),
        TEST(a_neighbour_that_does_not_answer_is_unreachable),
        TEST(a_neighbour_that_moves_is_followed),
        TEST(a_link_that_was_down_needs_no_second_of_grace),
        TEST(many_destinations_take_bounded_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
