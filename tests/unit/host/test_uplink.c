/* An uplink as a whole: TCP of our own to a peer's kernel, beside our kernel's TCP. */
#define _GNU_SOURCE
#include "test_hosts.h"

#include <host/uplink.h>
#include <linux/capability.h>
#include <nftables/libnftables.h>
#include <sys/syscall.h>

/* As many as braid takes: with their descriptors, everything else's numbers are beyond what select() can do.
 */
#define PORT_COUNT 1024

static struct uplinks *create_uplinks(void) {
    struct uplinks *uplinks = NULL;
    struct uplink_result result = uplinks_create(&test_env, PORT_COUNT, &uplinks);
    assert_int_equal(result.problem, UPLINK_OK);
    assert_int_equal(uplinks_port_last(uplinks) - uplinks_port_first(uplinks), PORT_COUNT - 1);
    return uplinks;
}

static struct uplink *open_uplink(struct uplinks *uplinks) {
    struct uplink *uplink = NULL;
    struct uplink_result result = uplink_open(uplinks, "wan0", &uplink);
    assert_int_equal(result.problem, UPLINK_OK);
    return uplink;
}

/* The next segment to `port`, while the uplink also learns of its neighbours. */
static struct tcp_segment receive(struct uplink *uplink, uint16_t port, struct ip_header *ip) {
    struct link *link = uplink_link(uplink);
    for (;;) {
        struct pollfd fds[2] = {{link_fd(link), POLLIN, 0}, {uplink_fd(uplink), POLLIN, 0}};
        if (poll(fds, 2, WAIT_MS) == 0) fail_msg("no packet came");
        uplink_dispatch(uplink);
        struct braid_packet_in packet;
        if (link_receive(link, &packet, 1) != 1) continue;
        struct tcp_segment segment = test_decode_tcp(packet.bytes, packet.length, packet.segment_bytes != 0,
                                                     packet.checksum_verified, ip);
        if (segment.destination_port == port) return segment;
    }
}

static void send_tcp(struct uplink *uplink, const struct test_tcp *tcp) {
    struct braid_packet_out packet = test_tcp_out(tcp, 1400);
    assert_int_equal(link_send(uplink_link(uplink), &packet, 1), 1);
}

/* A connection of ours, with 20 KB one way and a few bytes the other. */
static void connection_works(const struct hosts *hosts, struct uplink *uplink, uint16_t port, const char *us,
                             const char *peer) {
    int listener = test_peer_listen(hosts, peer, 80);
    struct ip_header ip;
    send_tcp(uplink, &(struct test_tcp){us, peer, port, 80, 999, 0, TCP_SYN, 1400});
    struct tcp_segment answer = receive(uplink, port, &ip);
    assert_int_equal(answer.flags & (TCP_SYN | TCP_ACK | TCP_RST), TCP_SYN | TCP_ACK);
    uint32_t ack = answer.seq.value + 1;
    static uint8_t payload[20000], got[20000];
    test_fill(payload, sizeof(payload));
    send_tcp(uplink, &(struct test_tcp){us, peer, port, 80, 1000, ack, TCP_ACK});
    send_tcp(uplink, &(struct test_tcp){us, peer, port, 80, 1000, ack, TCP_ACK | TCP_PSH, 0, payload,
                                        sizeof(payload)});
    assert_true(test_readable(listener, WAIT_MS));
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    /* A reset by our kernel would have ended it here. */
    assert_int_equal(recv(fd, got, sizeof(got), MSG_WAITALL), sizeof(got));
    assert_memory_equal(got, payload, sizeof(payload));
    assert_int_equal(send(fd, "back", 4, 0), 4);
    struct tcp_segment back;
    do
        back = receive(uplink, port, &ip);
    while (back.payload_length == 0);
    assert_memory_equal(back.payload, "back", 4);
    close(fd);
    close(listener);
}

static void both_families_work(const struct hosts *hosts, struct uplinks *uplinks, struct uplink *uplink) {
    connection_works(hosts, uplink, uplinks_port_first(uplinks), US_V4, PEER_V4);
    connection_works(hosts, uplink, uplinks_port_last(uplinks), US_V6, PEER_V6);
}

static void run_nft(const char *command) {
    struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
    assert_non_null(nft);
    assert_int_equal(nft_run_cmd_from_buffer(nft, command), 0);
    nft_ctx_free(nft);
}

static void our_own_tcp_speaks_to_a_peer(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    hosts_add_link_local(&hosts);
    struct uplinks *uplinks = create_uplinks();
    struct uplink *uplink = open_uplink(uplinks);
    assert_int_equal(uplink_interface_index(uplink), hosts.wan);
    assert_string_equal(uplink_interface(uplink), "wan0");
    both_families_work(&hosts, uplinks, uplink);
    uplink_close(uplink);
    uplinks_destroy(uplinks);
    hosts_destroy(&hosts);
}

/* 58 is ICMPv6, by number: a bare machine has no /etc/protocols. */
static void a_firewall_that_drops_everything_is_no_hindrance(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    hosts_add_link_local(&hosts);
    run_nft("table inet f { chain i { type filter hook input priority 0; policy drop; meta l4proto 58 "
            "accept; };"
            " chain o { type filter hook output priority 0; policy drop; meta l4proto 58 accept; };"
            " chain f { type filter hook forward priority 0; policy drop; }; }");
    struct uplinks *uplinks = create_uplinks();
    struct uplink *uplink = open_uplink(uplinks);
    both_families_work(&hosts, uplinks, uplink);
    uplink_close(uplink);
    uplinks_destroy(uplinks);
    hosts_destroy(&hosts);
}

static void the_kernels_own_connections_are_undisturbed(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    hosts_add_link_local(&hosts);
    int listener = test_peer_listen(&hosts, PEER_V4, 8080);
    int before = test_begin_connect(&hosts, hosts.us, PEER_V4, 8080);
    assert_int_equal(test_connect_result(before, WAIT_MS), 0);
    struct uplinks *uplinks = create_uplinks();
    struct uplink *uplink = open_uplink(uplinks);
    int during = test_begin_connect(&hosts, hosts.us, PEER_V4, 8080);
    assert_int_equal(test_connect_result(during, WAIT_MS), 0);
    connection_works(&hosts, uplink, uplinks_port_first(uplinks), US_V4, PEER_V4);
    const int ours[2] = {before, during};
    for (size_t i = 0; i < 2; i++) {
        int theirs = accept(listener, NULL, NULL);
        char got[4];
        assert_int_equal(send(ours[i], "ping", 4, 0), 4);
        assert_int_equal(recv(theirs, got, 4, MSG_WAITALL), 4);
        assert_int_equal(send(theirs, "pong", 4, 0), 4);
        assert_true(test_readable(ours[i], WAIT_MS));
        assert_int_equal(recv(ours[i], got, 4, 0), 4);
        close(theirs);
        close(ours[i]);
    }
    close(listener);
    uplink_close(uplink);
    uplinks_destroy(uplinks);
    hosts_destroy(&hosts);
}

static void it_works_again_after_down_and_up(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    struct uplinks *uplinks = create_uplinks();
    struct uplink *uplink = open_uplink(uplinks);
    for (int i = 0; i < 3; i++) {
        connection_works(&hosts, uplink, (uint16_t)(uplinks_port_first(uplinks) + i), US_V4, PEER_V4);
        assert_int_equal(netlink_link_set_up(hosts.netlink, hosts.wan, false), 0);
        struct braid_packet_in packet;
        while (link_receive(uplink_link(uplink), &packet, 1) > 0)
            continue;
        assert_int_equal(netlink_link_set_up(hosts.netlink, hosts.wan, true), 0);
        test_wait_running("wan0");
        uplink_refresh(uplink);
        uplink_dispatch(uplink);
    }
    uplink_close(uplink);
    uplinks_destroy(uplinks);
    hosts_destroy(&hosts);
}

static void it_works_again_on_an_interface_that_was_removed(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    struct uplinks *uplinks = create_uplinks();
    struct uplink *uplink = open_uplink(uplinks);
    assert_int_equal(netlink_link_delete(hosts.netlink, hosts.wan), 0);
    struct braid_packet_in packet;
    assert_int_equal(link_receive(uplink_link(uplink), &packet, 1), -ENODEV);
    uplink_close(uplink);
    struct uplink_result result = uplink_open(uplinks, "wan0", &uplink);
    assert_int_equal(result.problem, UPLINK_NO_SUCH_INTERFACE);
    hosts_wire(&hosts, true);
    uplink = open_uplink(uplinks);
    connection_works(&hosts, uplink, uplinks_port_first(uplinks), US_V4, PEER_V4);
    uplink_close(uplink);
    uplinks_destroy(uplinks);
    hosts_destroy(&hosts);
}

static void open_in_child(const void *argument) {
    (void)argument;
    struct uplinks *uplinks = NULL;
    struct uplink *uplink = NULL;
    if (uplinks_create(&test_env, PORT_COUNT, &uplinks).problem != UPLINK_OK) _exit(1);
    if (uplink_open(uplinks, "wan0", &uplink).problem != UPLINK_OK) _exit(1);
}

static void two_braids_work_side_by_side_and_one_that_is_killed_leaves_nothing(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    pid_t other = test_child(open_in_child, NULL);
    struct uplinks *uplinks = create_uplinks();
    uint16_t others_first =
        (uint16_t)(uplinks_port_last(uplinks) + 1); /* it came first, and took the range above */
    struct uplink *uplink = open_uplink(uplinks);
    connection_works(&hosts, uplink, uplinks_port_first(uplinks), US_V4, PEER_V4);
    assert_false(test_kernel_resets(&hosts, US_V4, others_first));
    test_kill(other);
    for (int i = 0; i < 100 && !test_kernel_resets(&hosts, US_V4, others_first); i++)
        poll(NULL, 0, 10);
    assert_true(test_kernel_resets(&hosts, US_V4, others_first));
    assert_false(test_kernel_resets(&hosts, US_V4, uplinks_port_last(uplinks)));
    connection_works(&hosts, uplink, (uint16_t)(uplinks_port_first(uplinks) + 1), US_V4, PEER_V4);
    uplink_close(uplink);
    uplinks_destroy(uplinks);
    assert_true(test_kernel_resets(&hosts, US_V4, others_first - 1)); /* ours is gone too */
    hosts_destroy(&hosts);
}

static void what_passes_can_be_captured(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    char path[] = "/tmp/braid-uplink-XXXXXX";
    close(mkstemp(path));
    struct pcapng_file *file = NULL;
    assert_int_equal(pcapng_file_create(path, NULL, &file), 0);
    struct uplinks *uplinks = create_uplinks();
    struct uplink *uplink = open_uplink(uplinks);
    assert_int_equal(uplink_capture(uplink, file), 0);
    connection_works(&hosts, uplink, uplinks_port_first(uplinks), US_V4, PEER_V4);
    uplink_close(uplink);
    uplinks_destroy(uplinks);
    assert_int_equal(pcapng_file_close(file), 0);
    FILE *written = fopen(path, "r");
    assert_int_equal(fseek(written, 0, SEEK_END), 0);
    assert_true(ftell(written) > 20000);
    fclose(written);
    unlink(path);
    hosts_destroy(&hosts);
}

static void problems_are_told_in_one_line_that_says_what_to_do(void **state) {
    (void)state;
    struct hosts hosts = hosts_create(true);
    struct uplinks *uplinks = create_uplinks();
    struct uplink *uplink = NULL;
    char text[UPLINK_TEXT_MAX];
    assert_string_equal(uplink_explain(uplink_open(uplinks, "wifi9", &uplink), "wifi9", text),
                        "uplink wifi9: there is no such interface; \"ip link\" lists those there are");
    assert_string_equal(uplink_explain(uplink_open(uplinks, "lo", &uplink), "lo", text),
                        "uplink lo: is neither like Ethernet nor raw IP; use another interface");
    assert_string_equal(uplink_explain((struct uplink_result){UPLINK_NONE_FOUND, 0}, NULL, text),
                        "uplink: no interface has a default route; connect one, or name one with --uplink");
    assert_string_equal(uplink_explain((struct uplink_result){UPLINK_FAILED, EIO}, "wan0", text),
                        "uplink wan0: could not be set up: Input/output error");
    uplinks_destroy(uplinks);

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct none[2] = {0};
        if (syscall(SYS_capset, &header, none) != 0) _exit(9);
        struct uplink_result result = uplinks_create(&test_env, PORT_COUNT, &uplinks);
        uplink_explain(result, NULL, text);
        _exit(strcmp(text, "uplink: needs CAP_NET_ADMIN and CAP_NET_RAW: run as root, or give braid these") ==
                      0
                  ? 0
                  : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    hosts_destroy(&hosts);
}

int main(void) {
    if (!test_become_root()) return 0;
#define TEST(name) cmocka_unit_test_setup_teardown(name, test_fresh_network, test_nothing_leaked)
    const struct CMUnitTest tests[] = {
        TEST(our_own_tcp_speaks_to_a_peer),
        TEST(a_firewall_that_drops_everything_is_no_hindrance),
        TEST(the_kernels_own_connections_are_undisturbed),
        TEST(it_works_again_after_down_and_up),
        TEST(it_works_again_on_an_interface_that_was_removed),
        TEST(two_braids_work_side_by_side_and_one_that_is_killed_leaves_nothing),
        TEST(what_passes_can_be_captured),
        TEST(problems_are_told_in_one_line_that_says_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
