/* The ingress chain: keeps our kernel from answering on our ports, and nothing else; and goes away. */
#define _GNU_SOURCE
#include "test_hosts.h"

#include <host/firewall.h>
#include <linux/capability.h>
#include <nftables/libnftables.h>
#include <sys/syscall.h>

#define PORT_FIRST 20000
#define PORT_LAST 20099

static const struct firewall_options owned = {PORT_FIRST, PORT_LAST, false};
static const struct firewall_options named = {PORT_FIRST, PORT_LAST, true};

static struct firewall *guard(const struct firewall_options *options) {
    struct firewall *firewall = NULL;
    assert_int_equal(firewall_create(options, &firewall), 0);
    assert_int_equal(firewall_guard(firewall, "wan0"), 0);
    return firewall;
}

static bool ruleset_has(const char *text) {
    struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
    assert_non_null(nft);
    nft_ctx_buffer_output(nft);
    assert_int_equal(nft_run_cmd_from_buffer(nft, "list ruleset"), 0);
    bool has = strstr(nft_ctx_get_output_buffer(nft), text) != NULL;
    nft_ctx_free(nft);
    return has;
}

static void the_kernel_does_not_reset_what_comes_to_our_ports(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    assert_true(test_kernel_resets(&hosts, US_V4, PORT_FIRST)); /* so it would */
    struct firewall *firewall = guard(&owned);
    assert_false(test_kernel_resets(&hosts, US_V4, PORT_FIRST));
    assert_false(test_kernel_resets(&hosts, US_V4, PORT_LAST));
    assert_false(test_kernel_resets(&hosts, US_V6, PORT_FIRST));
    assert_false(test_kernel_resets(&hosts, US_V6, PORT_LAST));
    assert_true(test_kernel_resets(&hosts, US_V4, PORT_FIRST - 1));
    assert_true(test_kernel_resets(&hosts, US_V4, PORT_LAST + 1));
    assert_true(test_kernel_resets(&hosts, US_V6, PORT_FIRST - 1));
    firewall_unguard(firewall, "wan0");
    assert_true(test_kernel_resets(&hosts, US_V4, PORT_FIRST));
    firewall_destroy(firewall);
    hosts_destroy(&hosts);
}

static void the_chain_outlives_down_and_up(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    struct firewall *firewall = guard(&owned);
    assert_int_equal(netlink_link_set_up(hosts.netlink, hosts.wan, false), 0);
    assert_int_equal(netlink_link_set_up(hosts.netlink, hosts.wan, true), 0);
    test_wait_running("wan0");
    assert_false(test_kernel_resets(&hosts, US_V4, PORT_FIRST));
    firewall_destroy(firewall);
    hosts_destroy(&hosts);
}

static void an_interface_that_was_removed_is_guarded_again(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    struct firewall *firewall = guard(&owned);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(netlink_link_delete(hosts.netlink, hosts.wan), 0);
        hosts_wire(&hosts, true);
        assert_int_equal(firewall_guard(firewall, "wan0"), 0);
        assert_false(test_kernel_resets(&hosts, US_V4, PORT_FIRST));
    }
    firewall_destroy(firewall);
    hosts_destroy(&hosts);
}

static void destroying_leaves_nothing(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    for (int i = 0; i < 2; i++) {
        struct firewall *firewall = guard(i == 0 ? &owned : &named);
        assert_true(ruleset_has(firewall_table(firewall)));
        firewall_destroy(firewall);
        assert_false(ruleset_has("braid"));
    }
    hosts_destroy(&hosts);
}

static void guard_in_child(const void *options) {
    struct firewall *firewall = NULL;
    if (firewall_create(options, &firewall) != 0 || firewall_guard(firewall, "wan0") != 0) _exit(1);
}

static void a_killed_process_leaves_nothing(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    pid_t child = test_child(guard_in_child, &owned);
    assert_true(ruleset_has("braid"));
    assert_false(test_kernel_resets(&hosts, US_V4, PORT_FIRST));
    test_kill(child);
    for (int i = 0; i < WAIT_MS && ruleset_has("braid"); i++)
        poll(NULL, 0, 1);
    assert_false(ruleset_has("braid"));
    assert_true(test_kernel_resets(&hosts, US_V4, PORT_FIRST));
    hosts_destroy(&hosts);
}

static void without_owners_the_next_start_cleans_up_after_the_dead_only(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    pid_t living = test_child(guard_in_child, &named), killed = test_child(guard_in_child, &named);
    char living_table[64], killed_table[64];
    snprintf(living_table, sizeof(living_table), "braid_%d_", living);
    snprintf(killed_table, sizeof(killed_table), "braid_%d_", killed);
    test_kill(killed);
    assert_true(ruleset_has(killed_table)); /* left behind */
    struct firewall *firewall = NULL;
    assert_int_equal(firewall_create(&named, &firewall), 0);
    assert_false(ruleset_has(killed_table));
    assert_true(ruleset_has(living_table));
    assert_false(test_kernel_resets(&hosts, US_V4, PORT_FIRST));
    firewall_destroy(firewall);
    test_kill(living);
    assert_int_equal(firewall_create(&owned, &firewall), 0);
    firewall_destroy(firewall);
    assert_false(ruleset_has("braid"));
    hosts_destroy(&hosts);
}

static void what_others_have_is_left_alone(void **state) {
    (void)state;
    struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
    assert_int_equal(nft_run_cmd_from_buffer(nft, "add table netdev braid; add table netdev braid_1_x; "
                                                  "add table inet braid_1_1_1_1; add table netdev other"),
                     0);
    nft_ctx_free(nft);
    struct firewall *firewall = NULL;
    assert_int_equal(firewall_create(&owned, &firewall), 0);
    firewall_destroy(firewall);
    assert_true(ruleset_has("table netdev braid {"));
    assert_true(ruleset_has("table netdev braid_1_x {"));
    assert_true(ruleset_has("table inet braid_1_1_1_1 {"));
    assert_true(ruleset_has("table netdev other {"));
}

static void errors_say_what_is_wrong(void **state) {
    (void)state;
    struct firewall *firewall = NULL;
    assert_int_equal(firewall_create(&owned, &firewall), 0);
    assert_int_equal(firewall_guard(firewall, "wan7"), -ENODEV);
    assert_int_equal(firewall_guard(firewall, "a-name-of-16-chr"), -EINVAL);
    firewall_destroy(firewall);
    pid_t child = fork();
    if (child == 0) {
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct none[2] = {0};
        if (syscall(SYS_capset, &header, none) != 0) _exit(255);
        _exit(-firewall_create(&owned, &firewall));
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EPERM);
}

int main(void) {
    if (!test_become_root()) return 0;
#define TEST(name) cmocka_unit_test_setup(name, test_fresh_network)
    const struct CMUnitTest tests[] = {
        TEST(the_kernel_does_not_reset_what_comes_to_our_ports),
        TEST(the_chain_outlives_down_and_up),
        TEST(an_interface_that_was_removed_is_guarded_again),
        TEST(destroying_leaves_nothing),
        TEST(a_killed_process_leaves_nothing),
        TEST(without_owners_the_next_start_cleans_up_after_the_dead_only),
        TEST(what_others_have_is_left_alone),
        TEST(errors_say_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
