/* Stand-ins for the host's name servers. The resolver is filled here as resolver_read() would from a file. */
#include "said.h"
#include <arpa/inet.h>
#include <resolver.h>

static struct ip_address address(const char *text) {
    struct ip_address out = {.family = IP_V4};
    assert_int_equal(inet_pton(AF_INET, text, out.bytes), 1);
    return out;
}

static struct sockaddr_in6 server(const char *text) {
    struct sockaddr_in6 out = {.sin6_family = AF_INET6, .sin6_port = htons(RESOLVER_PORT)};
    assert_int_equal(inet_pton(AF_INET6, text, &out.sin6_addr), 1);
    return out;
}

static struct resolver two_servers(void) {
    struct resolver resolver = {.count = 2, .first = address("198.18.0.53")};
    resolver.servers[0] = server("::ffff:127.0.0.53");
    resolver.servers[1] = server("fd00::1");
    return resolver;
}

static void each_server_has_a_stand_in(void **state) {
    struct resolver resolver = two_servers();
    struct ip_address first = address("198.18.0.53"), second = address("198.18.0.54"), none = address("198.18.0.55");
    unsigned which = 9;
    (void)state;
    assert_true(resolver_stands_in(&resolver, &first, &which));
    assert_int_equal(which, 0);
    assert_true(resolver_stands_in(&resolver, &second, &which));
    assert_int_equal(which, 1);
    assert_false(resolver_stands_in(&resolver, &none, &which));
}

static void what_is_asked_goes_to_the_real_server(void **state) {
    struct resolver resolver = two_servers();
    struct sockaddr_storage out;
    (void)state;
    assert_int_equal(resolver_server(&resolver, 0, &out), sizeof(struct sockaddr_in));
    assert_int_equal(out.ss_family, AF_INET);
    assert_int_equal(ntohl(((struct sockaddr_in *)&out)->sin_addr.s_addr), 0x7f000035);
    assert_int_equal(ntohs(((struct sockaddr_in *)&out)->sin_port), 53);
    assert_int_equal(resolver_server(&resolver, 1, &out), sizeof(struct sockaddr_in6));
    assert_int_equal(out.ss_family, AF_INET6);
}

static void a_host_without_name_service_gets_no_stand_ins(void **state) {
    struct resolver resolver = {.count = 0, .first = address("198.18.0.53")};
    struct ip_address first = address("198.18.0.53");
    char text[RESOLVER_TEXT_MAX];
    unsigned which;
    (void)state;
    assert_false(resolver_stands_in(&resolver, &first, &which));
    assert_false(resolver_text(&resolver, text));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_server_has_a_stand_in),
        cmocka_unit_test(what_is_asked_goes_to_the_real_server),
        cmocka_unit_test(a_host_without_name_service_gets_no_stand_ins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
