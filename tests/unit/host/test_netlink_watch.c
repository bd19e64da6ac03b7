/* What the watch tells when interfaces, addresses and routes come and go. */
#define _GNU_SOURCE
#include "test_hosts.h"

#include <host/netlink_watch.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#define EVENTS_MAX 8192

static struct netlink_event events[EVENTS_MAX];
static size_t event_count;

static void on_event(void *context, const struct netlink_event *event) {
    (void)context;
    assert_true(event_count < EVENTS_MAX);
    events[event_count++] = *event;
}

static struct netlink_watch *watch_now(void) {
    struct netlink_watch *watch = NULL;
    event_count = 0;
    assert_int_equal(netlink_watch_create(on_event, NULL, &watch), 0);
    assert_int_equal(event_count, 0); /* what was there before is no event */
    return watch;
}

/* Where the first event of `type` about `interface_index` stands among those seen; fails if it does not come.
 */
static size_t expect(struct netlink_watch *watch, enum netlink_event_type type, uint32_t interface_index) {
    do {
        assert_int_equal(netlink_watch_dispatch(watch), 0);
        for (size_t i = 0; i < event_count; i++)
            if (events[i].type == type && events[i].interface_index == interface_index) return i;
    } while (test_readable(netlink_watch_fd(watch), WAIT_MS));
    fail_msg("no event \"%s\"", netlink_event_type_name(type));
    return 0;
}

static size_t count_of(enum netlink_event_type type) {
    size_t count = 0;
    for (size_t i = 0; i < event_count; i++)
        count += events[i].type == type;
    return count;
}

static void add_default_route(const struct hosts *hosts, const char *gateway, uint32_t metric) {
    struct netlink_route route = test_default_route(gateway, hosts->wan, metric);
    assert_int_equal(netlink_route_add(hosts->netlink, &route), 0);
}

static void what_is_there_can_be_asked_for(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    add_default_route(&hosts, PEER_V4, 600);
    add_default_route(&hosts, PEER_V6, 100);
    struct netlink_watch *watch = watch_now();

    const struct netlink_interface *wan = netlink_watch_interface_named(watch, "wan0");
    assert_non_null(wan);
    assert_int_equal(wan->index, hosts.wan);
    assert_int_equal(wan->mtu, 1500);
    assert_true(wan->usable && wan->has_mac && !wan->loopback);
    assert_ptr_equal(netlink_watch_interface(watch, hosts.wan), wan);
    assert_true(netlink_watch_interface_named(watch, "lo")->loopback);
    assert_null(netlink_watch_interface_named(watch, "wan1"));

    struct netlink_address addresses[4];
    assert_int_equal(netlink_watch_addresses(watch, hosts.wan, addresses, 4), 2);
    assert_int_equal(netlink_watch_addresses(watch, hosts.wan, addresses, 1),
                     2); /* says so, and writes one */

    struct netlink_default_route routes[4];
    assert_int_equal(netlink_watch_default_routes(watch, routes, 4), 2);
    struct ip_address gateway4 = test_ip(PEER_V4), gateway6 = test_ip(PEER_V6);
    assert_int_equal(routes[0].metric, 100);
    assert_true(ip_address_equal(&routes[0].gateway, &gateway6));
    assert_int_equal(routes[1].metric, 600);
    assert_int_equal(routes[1].interface_index, hosts.wan);
    assert_true(ip_address_equal(&routes[1].gateway, &gateway4));
    assert_int_equal(netlink_watch_default_routes(watch, routes, 1), 2);
    assert_int_equal(routes[0].metric, 100);
    netlink_watch_destroy(watch);
    hosts_destroy(&hosts);
}

static void a_link_set_down_is_told_with_the_routes_it_takes_along(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    add_default_route(&hosts, PEER_V4, 600);
    struct netlink_watch *watch = watch_now();
    assert_int_equal(netlink_link_set_up(hosts.netlink, hosts.wan, false), 0);
    size_t down = expect(watch, NETLINK_LINK_DOWN, hosts.wan);
    assert_false(events[down].interface.usable);
    /* The kernel says nothing of this IPv4 route; and it must be known in the same wake-up. */
    assert_int_equal(count_of(NETLINK_ROUTE_REMOVED), 1);
    struct netlink_default_route route;
    assert_int_equal(netlink_watch_default_routes(watch, &route, 1), 0);

    event_count = 0;
    assert_int_equal(netlink_link_set_up(hosts.netlink, hosts.wan, true), 0);
    expect(watch, NETLINK_LINK_UP, hosts.wan);
    add_default_route(&hosts, PEER_V4, 600);
    expect(watch, NETLINK_ROUTE_ADDED, hosts.wan);
    netlink_watch_destroy(watch);
    hosts_destroy(&hosts);
}

static void lost_carrier_is_a_link_down(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    struct netlink_watch *watch = watch_now();
    assert_int_equal(netlink_link_set_up(hosts.peer_netlink, hosts.peer_interface, false), 0);
    expect(watch, NETLINK_LINK_DOWN, hosts.wan);
    assert_int_equal(netlink_link_set_up(hosts.peer_netlink, hosts.peer_interface, true), 0);
    expect(watch, NETLINK_LINK_UP, hosts.wan);
    assert_int_equal(count_of(NETLINK_LINK_DOWN), 1);
    assert_int_equal(count_of(NETLINK_LINK_UP), 1);
    netlink_watch_destroy(watch);
    hosts_destroy(&hosts);
}

static void a_removed_interface_takes_everything_along(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    add_default_route(&hosts, PEER_V4, 600);
    add_default_route(&hosts, PEER_V6, 600);
    struct netlink_watch *watch = watch_now();
    assert_int_equal(netlink_link_delete(hosts.netlink, hosts.wan), 0);
    size_t removed = expect(watch, NETLINK_LINK_REMOVED, hosts.wan);
    assert_true(expect(watch, NETLINK_LINK_DOWN, hosts.wan) < removed);
    assert_int_equal(count_of(NETLINK_LINK_DOWN), 1);
    assert_int_equal(count_of(NETLINK_ADDRESS_REMOVED), 2);
    assert_int_equal(count_of(NETLINK_ROUTE_REMOVED), 2);
    assert_null(netlink_watch_interface(watch, hosts.wan));

    event_count = 0;
    uint32_t old = hosts.wan;
    hosts_wire(&hosts, true); /* and back again, under the same name */
    size_t added = expect(watch, NETLINK_LINK_ADDED, hosts.wan);
    assert_true(added < expect(watch, NETLINK_LINK_UP, hosts.wan));
    assert_int_not_equal(hosts.wan, old);
    expect(watch, NETLINK_ADDRESS_ADDED, hosts.wan);
    netlink_watch_destroy(watch);
    hosts_destroy(&hosts);
}

static void addresses_that_come_and_go_are_told(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    struct netlink_watch *watch = watch_now();
    const char *both[] = {"10.7.1.1", "fd07:1::1"};
    for (size_t i = 0; i < 2; i++) {
        struct ip_address address = test_ip(both[i]);
        event_count = 0;
        assert_int_equal(netlink_address_add(hosts.netlink, hosts.wan, &address, 24), 0);
        size_t added = expect(watch, NETLINK_ADDRESS_ADDED, hosts.wan);
        assert_true(ip_address_equal(&events[added].address.address, &address));
        assert_int_equal(events[added].address.prefix_length, 24);
        assert_int_equal(netlink_address_delete(hosts.netlink, hosts.wan, &address, 24), 0);
        size_t removed = expect(watch, NETLINK_ADDRESS_REMOVED, hosts.wan);
        assert_true(ip_address_equal(&events[removed].address.address, &address));
        assert_false(events[removed].address.usable);
    }
    netlink_watch_destroy(watch);
    hosts_destroy(&hosts);
}

/* Adds or changes an IPv6 address as the kernel's own configuration would: with duplicate-address detection,
 * and with the preferred lifetime given. */
static void put_address(const struct hosts *hosts, const char *text, uint32_t preferred_s) {
    char buffer[512] = {0};
    struct ip_address address = test_ip(text);
    struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
    request->nlmsg_type = RTM_NEWADDR;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE;
    struct ifaddrmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
    header->ifa_family = AF_INET6;
    header->ifa_prefixlen = 64;
    header->ifa_index = hosts->wan;
    mnl_attr_put(request, IFA_LOCAL, 16, address.bytes);
    struct ifa_cacheinfo lifetime = {.ifa_prefered = preferred_s, .ifa_valid = 1000};
    mnl_attr_put(request, IFA_CACHEINFO, sizeof(lifetime), &lifetime);
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    assert_non_null(socket);
    assert_true(mnl_socket_sendto(socket, request, request->nlmsg_len) > 0);
    mnl_socket_close(socket);
}

static void an_address_is_told_only_after_duplicate_address_detection(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    test_write_file("/proc/sys/net/ipv6/neigh/wan0/retrans_time_ms", "100");
    struct netlink_watch *watch = watch_now();
    struct netlink_address addresses[8];
    put_address(&hosts, "fd07::99", 500);
    assert_true(
        test_readable(netlink_watch_fd(watch), WAIT_MS)); /* the kernel tells of it at once, as tentative */
    assert_int_equal(netlink_watch_dispatch(watch), 0);
    assert_int_equal(count_of(NETLINK_ADDRESS_ADDED), 0);
    assert_int_equal(netlink_watch_addresses(watch, hosts.wan, addresses, 8), 2);
    expect(watch, NETLINK_ADDRESS_ADDED, hosts.wan);
    assert_int_equal(netlink_watch_addresses(watch, hosts.wan, addresses, 8), 3);
    netlink_watch_destroy(watch);
    hosts_destroy(&hosts);
}

static void a_duplicate_address_is_never_told(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    test_write_file("/proc/sys/net/ipv6/neigh/wan0/retrans_time_ms", "100");
    struct netlink_watch *watch = watch_now();
    put_address(&hosts, PEER_V6, 500); /* the peer has it */
    put_address(&hosts, "fd07::98",
                500); /* this one nobody has: once it is told, the other was decided too */
    size_t added = expect(watch, NETLINK_ADDRESS_ADDED, hosts.wan);
    struct ip_address good = test_ip("fd07::98");
    assert_true(ip_address_equal(&events[added].address.address, &good));
    assert_int_equal(count_of(NETLINK_ADDRESS_ADDED), 1);
    netlink_watch_destroy(watch);
    hosts_destroy(&hosts);
}

static void an_address_that_becomes_deprecated_is_told(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    test_write_file("/proc/sys/net/ipv6/conf/wan0/accept_dad", "0");
    struct netlink_watch *watch = watch_now();
    put_address(&hosts, "fd07::99", 500);
    size_t added = expect(watch, NETLINK_ADDRESS_ADDED, hosts.wan);
    assert_false(events[added].address.deprecated);
    put_address(&hosts, "fd07::99", 0);
    size_t changed = expect(watch, NETLINK_ADDRESS_CHANGED, hosts.wan);
    assert_true(events[changed].address.deprecated);
    assert_int_equal(count_of(NETLINK_ADDRESS_REMOVED), 0);
    netlink_watch_destroy(watch);
    hosts_destroy(&hosts);
}

static void a_changed_mtu_is_told(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    struct netlink_watch *watch = watch_now();
    assert_int_equal(netlink_link_set_mtu(hosts.netlink, hosts.wan, 1400), 0);
    assert_int_equal(events[expect(watch, NETLINK_LINK_CHANGED, hosts.wan)].interface.mtu, 1400);
    netlink_watch_destroy(watch);
    hosts_destroy(&hosts);
}

static void a_removed_default_route_is_told(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    const char *gateways[] = {PEER_V4, PEER_V6};
    struct netlink_watch *watch = watch_now();
    for (size_t i = 0; i < 2; i++) {
        struct netlink_route route = test_default_route(gateways[i], hosts.wan, 77);
        event_count = 0;
        assert_int_equal(netlink_route_add(hosts.netlink, &route), 0);
        assert_int_equal(events[expect(watch, NETLINK_ROUTE_ADDED, hosts.wan)].route.metric, 77);
        assert_int_equal(netlink_route_delete(hosts.netlink, &route), 0);
        expect(watch, NETLINK_ROUTE_REMOVED, hosts.wan);
    }
    netlink_watch_destroy(watch);
    hosts_destroy(&hosts);
}

static void routes_that_are_not_default_are_no_news(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    struct netlink_watch *watch = watch_now();
    struct netlink_route route = test_default_route(PEER_V4, hosts.wan, 5);
    route.destination = test_ip("192.0.2.0");
    route.prefix_length = 24;
    assert_int_equal(netlink_route_add(hosts.netlink, &route), 0);
    add_default_route(&hosts, PEER_V4, 600);
    expect(watch, NETLINK_ROUTE_ADDED, hosts.wan);
    assert_int_equal(event_count, 1);
    netlink_watch_destroy(watch);
    hosts_destroy(&hosts);
}

static void after_lost_news_the_difference_is_told(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    struct netlink_watch *watch = watch_now();
    struct ip_address kept = test_ip("10.7.9.9"), gone = test_ip(US_V6), flicker = test_ip("10.7.8.8");
    for (int i = 0; i < 3000; i++) { /* more than the socket holds */
        assert_int_equal(netlink_address_add(hosts.netlink, hosts.wan, &flicker, 24), 0);
        assert_int_equal(netlink_address_delete(hosts.netlink, hosts.wan, &flicker, 24), 0);
    }
    assert_int_equal(netlink_address_delete(hosts.netlink, hosts.wan, &gone, 64), 0);
    assert_int_equal(netlink_address_add(hosts.netlink, hosts.wan, &kept, 24), 0);
    assert_int_equal(netlink_watch_dispatch(watch), 0);
    assert_true(event_count < 6000); /* some were lost, or this tests nothing */
    struct netlink_address addresses[8];
    assert_int_equal(netlink_watch_addresses(watch, hosts.wan, addresses, 8), 2);
    size_t kept_added = 0, gone_removed = 0, flicker_balance = 1;
    for (size_t i = 0; i < event_count; i++) {
        const struct netlink_event *event = &events[i];
        bool added = event->type == NETLINK_ADDRESS_ADDED;
        if (ip_address_equal(&event->address.address, &kept)) kept_added += added;
        if (ip_address_equal(&event->address.address, &gone)) gone_removed += !added;
        if (ip_address_equal(&event->address.address, &flicker)) flicker_balance += added ? 1u : (size_t)-1;
    }
    assert_int_equal(kept_added, 1);
    assert_int_equal(gone_removed, 1);
    assert_int_equal(flicker_balance, 1); /* each coming was followed by a going */
    netlink_watch_destroy(watch);
    hosts_destroy(&hosts);
}

static void paths_are_looked_up_as_the_kernel_would(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    struct netlink_path path;
    struct ip_address far4 = test_ip("198.51.100.7"), far6 = test_ip("2001:db8::7");
    struct ip_address near4 = test_ip(PEER_V4), near6 = test_ip(PEER_V6), us4 = test_ip(US_V4),
                      us6 = test_ip(US_V6);
    assert_int_equal(netlink_path_lookup(hosts.netlink, hosts.wan, &us4, &far4, &path), -ENETUNREACH);
    assert_int_equal(netlink_path_lookup(hosts.netlink, hosts.wan, NULL, &far6, &path), -ENETUNREACH);
    assert_int_equal(netlink_path_lookup(hosts.netlink, hosts.wan, NULL, &us4, &path), -EHOSTUNREACH);

    assert_int_equal(netlink_path_lookup(hosts.netlink, hosts.wan, NULL, &near4, &path), 0);
    assert_true(ip_address_equal(&path.next_hop, &near4));
    assert_true(ip_address_equal(&path.preferred_source, &us4));
    add_default_route(&hosts, PEER_V4, 600);
    add_default_route(&hosts, PEER_V6, 600);
    assert_int_equal(netlink_path_lookup(hosts.netlink, hosts.wan, &us4, &far4, &path), 0);
    assert_true(ip_address_equal(&path.next_hop, &near4));
    assert_int_equal(path.interface_index, hosts.wan);
    assert_int_equal(netlink_path_lookup(hosts.netlink, hosts.wan, NULL, &far6, &path), 0);
    assert_true(ip_address_equal(&path.next_hop, &near6));
    assert_true(ip_address_equal(&path.preferred_source, &us6));
    hosts_destroy(&hosts);
}

int main(void) {
    if (!test_become_root()) return 0;
#define TEST(name) cmocka_unit_test_setup(name, test_fresh_network)
    const struct CMUnitTest tests[] = {
        TEST(what_is_there_can_be_asked_for),
        TEST(a_link_set_down_is_told_with_the_routes_it_takes_along),
        TEST(lost_carrier_is_a_link_down),
        TEST(a_removed_interface_takes_everything_along),
        TEST(addresses_that_come_and_go_are_told),
        TEST(an_address_is_told_only_after_duplicate_address_detection),
        TEST(a_duplicate_address_is_never_told),
        TEST(an_address_that_becomes_deprecated_is_told),
        TEST(a_changed_mtu_is_told),
        TEST(a_removed_default_route_is_told),
        TEST(routes_that_are_not_default_are_no_news),
        TEST(after_lost_news_the_difference_is_told),
        TEST(paths_are_looked_up_as_the_kernel_would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
