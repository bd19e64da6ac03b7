#include "test_wire.h"

static void assert_formats_as(const char *in, const char *out) {
    char text[IP_ADDRESS_TEXT_MAX];
    struct ip_address a = address(in);
    assert_string_equal(ip_address_format(&a, text), out);
}

/* RFC 5952 §4 and §5 */
static void addresses_are_written_in_canonical_form(void **state) {
    (void)state;
    assert_formats_as("0.0.0.0", "0.0.0.0");
    assert_formats_as("192.0.2.255", "192.0.2.255");
    assert_formats_as("2001:0db8::0001", "2001:db8::1");
    assert_formats_as("2001:db8:0:0:0:0:2:1", "2001:db8::2:1");
    assert_formats_as("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1");
    assert_formats_as("2001:0:0:1:0:0:0:1", "2001:0:0:1::1");
    assert_formats_as("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1");
    assert_formats_as("2001:DB8::ABCD", "2001:db8::abcd");
    assert_formats_as("::", "::");
    assert_formats_as("::1", "::1");
    assert_formats_as("1::", "1::");
    assert_formats_as("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0");
    assert_formats_as("::ffff:192.0.2.1", "::ffff:192.0.2.1");
    assert_formats_as("::ffff:c000:201", "::ffff:192.0.2.1");
    assert_formats_as("64:ff9b::192.0.2.33", "64:ff9b::c000:221");
    assert_formats_as("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

static void what_is_no_address_is_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "", ".", ":", ":::", "1", "1.2.3", "1.2.3.4.", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.0004", "1..2.3",
        "a.b.c.d", " 1.2.3.4", "1.2.3.4 ", "-1.2.3.4", "1:2", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8:",
        ":1:2:3:4:5:6:7:8", "1::2::3", "12345::", "g::", "::1.2.3", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3.4:5", "1:",
        "fe80::1%eth0", "[::1]", "1::2:3:4:5:6:7:8", "::1:2:3:4:5:6:7:8", "1.2.3.4::",
    };
    struct ip_address a;
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
        if (ip_address_parse(wrong[i], &a)) fail_msg("taken for an address: \"%s\"", wrong[i]);
}

static void what_is_no_host_s_address_is_known(void **state) {
    (void)state;
    static const char *const nobodys[] = {"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
                                          "255.255.255.255", "::", "::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:0.0.0.1",
                                          "::ffff:250.0.0.1"};
    static const char *const somebodys[] = {"1.0.0.1", "10.0.0.1", "126.1.1.1", "128.0.0.1", "169.254.0.1", "223.255.255.255",
                                            "fe80::1", "fd00::1", "2001:db8::1", "::ffff:192.0.2.1"};
    for (size_t i = 0; i < ARRAY_COUNT(nobodys); i++) {
        struct ip_address a = address(nobodys[i]);
        if (ip_address_is_unicast(&a)) fail_msg("%s", nobodys[i]);
    }
    for (size_t i = 0; i < ARRAY_COUNT(somebodys); i++) {
        struct ip_address a = address(somebodys[i]);
        if (!ip_address_is_unicast(&a)) fail_msg("%s", somebodys[i]);
    }
}

static void what_is_formatted_is_parsed_back(void **state) {
    (void)state;
    struct prng prng;
    prng_seed(&prng, 1);
    for (int i = 0; i < 20000; i++) {
        struct ip_address a = random_address(&prng, i % 2 == 0 ? IP_V4 : IP_V6), b;
        if (a.family == IP_V6) /* with runs of zeros */
            for (int k = 0; k < 16; k += 2)
                if (prng_below(&prng, 3) > 0) a.bytes[k] = a.bytes[k + 1] = 0;
        char *text = malloc(IP_ADDRESS_TEXT_MAX), *end = malloc(FLOW_END_TEXT_MAX);
        assert_true(ip_address_parse(ip_address_format(&a, text), &b));
        assert_true(ip_address_equal(&a, &b));
        flow_end_format(&a, 65535, end);
        free(text);
        free(end);
    }
}

static void ends_of_flows_are_written_with_their_port(void **state) {
    (void)state;
    char text[FLOW_END_TEXT_MAX];
    struct ip_address v4 = address("192.0.2.1"), v6 = address("2001:db8::1"), none = {0};
    assert_string_equal(flow_end_format(&v4, 80, text), "192.0.2.1:80");
    assert_string_equal(flow_end_format(&v6, 65535, text), "[2001:db8::1]:65535");
    assert_string_equal(flow_end_format(&none, 0, text), "-:0");
}

static void kinds_of_addresses_are_told_apart(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool loopback, multicast, unspecified, link_local;
    } cases[] = {
        {"127.0.0.1", true, false, false, false},      {"127.255.0.9", true, false, false, false},
        {"::1", true, false, false, false},            {"::ffff:127.0.0.1", true, false, false, false},
        {"224.0.0.1", false, true, false, false},      {"239.255.255.255", false, true, false, false},
        {"255.255.255.255", false, true, false, false}, {"ff02::1", false, true, false, false},
        {"0.0.0.0", false, false, true, false},        {"::", false, false, true, false},
        {"169.254.1.1", false, false, false, true},    {"fe80::1", false, false, false, true},
        {"febf::1", false, false, false, true},        {"fec0::1", false, false, false, false},
        {"240.0.0.1", false, false, false, false},     {"192.0.2.1", false, false, false, false},
        {"2001:db8::1", false, false, false, false},   {"::2", false, false, false, false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct ip_address a = address(cases[i].text);
        assert_int_equal(ip_address_is_loopback(&a), cases[i].loopback);
        assert_int_equal(ip_address_is_multicast(&a), cases[i].multicast);
        assert_int_equal(ip_address_is_unspecified(&a), cases[i].unspecified);
        assert_int_equal(ip_address_is_link_local(&a), cases[i].link_local);
    }
}

static void flows_differ_if_anything_differs(void **state) {
    (void)state;
    struct flow a = {address("10.0.0.1"), address("10.0.0.2"), 1000, 80}, b = a;
    assert_true(flow_equal(&a, &b));
    b.local_port++;
    assert_false(flow_equal(&a, &b));
    b = a;
    b.remote_port++;
    assert_false(flow_equal(&a, &b));
    b = a;
    b.local = address("::a00:1");
    assert_false(flow_equal(&a, &b));
    b = a;
    b.remote = address("10.0.0.3");
    assert_false(flow_equal(&a, &b));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_written_in_canonical_form),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(what_is_formatted_is_parsed_back),
        cmocka_unit_test(what_is_no_host_s_address_is_known),
        cmocka_unit_test(ends_of_flows_are_written_with_their_port),
        cmocka_unit_test(kinds_of_addresses_are_told_apart),
        cmocka_unit_test(flows_differ_if_anything_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
