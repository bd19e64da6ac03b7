#include "two_routers.h"

/* A DSS that is only a DATA_ACK, and an option nobody knows much of. */
static const uint8_t mptcp_bytes[8] = {TCP_OPTION_KIND_MPTCP, 8, 0x20, 0x01, 1, 2, 3, 4};
static const uint8_t join_bytes[12] = {TCP_OPTION_KIND_MPTCP, 12, 0x10, 1, 't', 'o', 'k', 'e', 'n', 'n', 'o', 'n'};

static struct tcp_options with_mptcp(void) {
    return (struct tcp_options){.has_timestamps = true,
                                .timestamp_value = 7,
                                .mptcp_count = 1,
                                .mptcp = {{.bytes = mptcp_bytes, .length = sizeof(mptcp_bytes)}}};
}

static struct two_routers t;

/* WITH(kind of box, its configuration) */
#define WITH(make, ...)                                                                                          \
    two_routers_init(&t, 1);                                                                                     \
    sim_link_append(t.link, make(t.world, &(__VA_ARGS__)))

static void options_are_stripped_where_they_should_be(void **state) {
    (void)state;
    WITH(sim_option_box, (struct sim_option_config){.action = SIM_OPTION_STRIP,
                                                    .segments = SIM_SEGMENT_DATA | SIM_SEGMENT_SYN_ACK,
                                                    .directions = SIM_ONLY_UP,
                                                    .after = 1});
    struct sent_segment data = {.seq = 1, .ack = 1, .flags = TCP_ACK, .payload = "hello", .options = with_mptcp()};
    struct sent_segment syn = {.seq = 1, .flags = TCP_SYN, .options = with_mptcp()};
    send_segment(&t, SIM_UP, &data); /* let through: `after` */
    send_segment(&t, SIM_UP, &syn);  /* not meant */
    send_segment(&t, SIM_DOWN, &data);
    send_segment(&t, SIM_UP, &data);
    assert_int_equal(t.count, 4);
    for (int i = 0; i < 3; i++) assert_int_equal(t.caught[i].tcp.options.mptcp_count, 1);
    assert_int_equal(t.caught[3].tcp.options.mptcp_count, 0);
    assert_true(t.caught[3].tcp.options.has_timestamps);
    assert_int_equal(t.caught[3].tcp.header_length, TCP_HEADER_BYTES + 12);
    assert_payload(&t.caught[3], "hello");
    two_routers_deinit(&t);
}

static void options_are_overwritten_in_place(void **state) {
    (void)state;
    for (int end = 0; end < 2; end++) {
        WITH(sim_option_box, (struct sim_option_config){.action = end ? SIM_OPTION_EOL : SIM_OPTION_NOP,
                                                        .segments = SIM_SEGMENT_ANY,
                                                        .directions = SIM_BOTH});
        struct sent_segment data = {.seq = 1, .ack = 1, .flags = TCP_ACK, .payload = "hello", .options = with_mptcp()};
        send_segment(&t, SIM_UP, &data);
        assert_int_equal(t.caught[0].tcp.options.mptcp_count, 0);
        assert_int_equal(t.caught[0].tcp.header_length, TCP_HEADER_BYTES + 12 + 8);
        assert_true(t.caught[0].tcp.options.has_timestamps);
        assert_payload(&t.caught[0], "hello");
        two_routers_deinit(&t);
    }
}

static void a_mirror_gives_a_syns_options_back(void **state) {
    (void)state;
    WITH(sim_option_box, (struct sim_option_config){.action = SIM_OPTION_MIRROR});
    struct sent_segment syn = {.seq = 1, .flags = TCP_SYN, .options = with_mptcp()};
    struct sent_segment syn_ack = {.seq = 9, .ack = 2, .flags = TCP_SYN | TCP_ACK};
    syn_ack.options.has_mss = true;
    send_segment(&t, SIM_UP, &syn);
    send_segment(&t, SIM_DOWN, &syn_ack);
    assert_int_equal(t.count, 2);
    assert_true(t.caught[1].good && t.caught[1].tcp.options.has_mss);
    assert_int_equal(t.caught[1].tcp.options.mptcp_count, 1);
    assert_memory_equal(t.caught[1].tcp.options.mptcp[0].bytes, mptcp_bytes, sizeof(mptcp_bytes));
    two_routers_deinit(&t);
}

static void syns_with_unknown_options_are_dropped_so_many_times(void **state) {
    (void)state;
    two_routers_init(&t, 1);
    sim_link_append(t.link, sim_syn_dropper(t.world, 0, 2));
    struct sent_segment syn = {.seq = 1, .flags = TCP_SYN, .options = with_mptcp()}, plain = {.flags = TCP_SYN};
    for (int i = 0; i < 3; i++) send_segment(&t, SIM_UP, &syn);
    send_segment(&t, SIM_UP, &plain);
    assert_int_equal(t.count, 2);
    two_routers_deinit(&t);
}

static void a_syn_loses_its_payload(void **state) {
    (void)state;
    two_routers_init(&t, 1);
    sim_link_append(t.link, sim_syn_payload_stripper(t.world));
    struct sent_segment syn = {.seq = 1, .flags = TCP_SYN, .payload = "early", .options = with_mptcp()};
    send_segment(&t, SIM_UP, &syn);
    assert_payload(&t.caught[0], "");
    assert_int_equal(t.caught[0].tcp.options.mptcp_count, 1);
    two_routers_deinit(&t);
}

static void a_nat_translates_both_ways_and_rebinds(void **state) {
    (void)state;
    WITH(sim_nat, (struct sim_nat_config){.outside = sim_address("192.0.2.1")});
    struct sent_segment out = {.seq = 1, .flags = TCP_SYN}, back = {.seq = 9, .ack = 2, .flags = TCP_SYN | TCP_ACK};
    send_segment(&t, SIM_DOWN, &back); /* there is no mapping yet */
    assert_int_equal(t.count, 0);
    send_segment(&t, SIM_UP, &out);
    assert_true(t.caught[0].good);
    uint16_t port = t.caught[0].tcp.source_port;
    assert_int_not_equal(port, 1000);
    const uint8_t outside[4] = {192, 0, 2, 1};
    assert_memory_equal(t.caught[0].ip.source.bytes, outside, 4);
    /* what comes back to that port is translated: the test's own segment must say so */
    struct caught reply = t.caught[0];
    memcpy(reply.bytes + 12, reply.ip.destination.bytes, 4);
    memcpy(reply.bytes + 16, reply.ip.source.bytes, 4);
    uint8_t ports[4];
    memcpy(ports, reply.bytes + 20, 4);
    memcpy(reply.bytes + 20, ports + 2, 2);
    memcpy(reply.bytes + 22, ports, 2); /* the sums stay what they were */
    sim_link_inject(t.link, SIM_DOWN, reply.bytes, reply.length);
    assert_int_equal(t.count, 2);
    assert_true(t.caught[1].good);
    assert_int_equal(t.caught[1].tcp.destination_port, 1000);
    const uint8_t inside[4] = {10, 0, 0, 1};
    assert_memory_equal(t.caught[1].ip.destination.bytes, inside, 4);
    two_routers_deinit(&t);
}

static void a_strict_nat_answers_what_it_does_not_know(void **state) {
    (void)state;
    WITH(sim_nat, (struct sim_nat_config){
                      .outside = sim_address("192.0.2.1"), .strict = true, .resets = true, .idle_ns = S});
    struct sent_segment syn = {.seq = 1, .flags = TCP_SYN}, ack = {.seq = 2, .ack = 77, .flags = TCP_ACK};
    send_segment(&t, SIM_UP, &syn);
    send_segment(&t, SIM_UP, &ack);
    assert_int_equal(t.count, 2);
    assert_int_equal(t.caught[1].tcp.source_port, t.caught[0].tcp.source_port);
    let_pass(&t, 2 * S);
    send_segment(&t, SIM_UP, &ack);
    assert_int_equal(t.count, 3);
    assert_int_equal(t.caught[2].end, 0);
    assert_true(t.caught[2].good && (t.caught[2].tcp.flags & TCP_RST));
    assert_int_equal(t.caught[2].tcp.seq.value, 77);
    two_routers_deinit(&t);
}

static void sequence_numbers_are_translated_both_ways(void **state) {
    (void)state;
    for (int leave = 0; leave < 2; leave++) {
        WITH(sim_sequence_box, (struct sim_sequence_config){.leave_sack = leave});
        struct sent_segment syn = {.seq = 100, .flags = TCP_SYN};
        send_segment(&t, SIM_UP, &syn);
        uint32_t up = t.caught[0].tcp.seq.value - 100;
        assert_int_not_equal(up, 0);
        struct sent_segment reply = {.seq = 500, .ack = t.caught[0].tcp.seq.value + 1, .flags = TCP_SYN | TCP_ACK};
        send_segment(&t, SIM_DOWN, &reply);
        assert_int_equal(t.caught[1].tcp.ack.value, 101);
        uint32_t down = t.caught[1].tcp.seq.value - 500;
        struct sent_segment data = {.seq = 101, .ack = 501 + down, .flags = TCP_ACK, .payload = "x"};
        data.options.sack_count = 1;
        data.options.sack[0] = (struct sack_block){seq32_of(600 + down), seq32_of(700 + down)};
        send_segment(&t, SIM_UP, &data);
        assert_true(t.caught[2].good);
        assert_int_equal(t.caught[2].tcp.seq.value, 101 + up);
        assert_int_equal(t.caught[2].tcp.ack.value, 501);
        assert_int_equal(t.caught[2].tcp.options.sack[0].start.value, leave ? 600 + down : 600);
        assert_int_equal(t.caught[2].tcp.options.sack[0].end.value, leave ? 700 + down : 700);
        two_routers_deinit(&t);
    }
}

static void windows_are_clamped_and_their_scale_taken(void **state) {
    (void)state;
    WITH(sim_window_box,
         (struct sim_window_config){.directions = SIM_ONLY_UP, .most = 500, .strip_scale = true});
    struct sent_segment syn = {.seq = 1, .flags = TCP_SYN, .window = 60000};
    syn.options.has_window_scale = true;
    syn.options.window_scale = 7;
    send_segment(&t, SIM_UP, &syn);
    send_segment(&t, SIM_DOWN, &syn);
    assert_true(t.caught[0].good && !t.caught[0].tcp.options.has_window_scale);
    assert_int_equal(t.caught[0].tcp.window, 500);
    assert_true(t.caught[1].tcp.options.has_window_scale);
    assert_int_equal(t.caught[1].tcp.window, 60000);
    two_routers_deinit(&t);
}

static void segments_are_cut_with_or_without_options(void **state) {
    (void)state;
    for (int once = 0; once < 2; once++) {
        WITH(sim_splitter,
             (struct sim_split_config){.directions = SIM_BOTH, .payload_bytes = 2, .options_once = once});
        struct sent_segment data = {
            .seq = 10, .flags = TCP_ACK | TCP_FIN, .payload = "hello", .options = with_mptcp()};
        send_segment(&t, SIM_UP, &data);
        assert_int_equal(t.count, 3);
        assert_payload(&t.caught[0], "he");
        assert_payload(&t.caught[1], "ll");
        assert_payload(&t.caught[2], "o");
        for (uint32_t i = 0; i < 3; i++) {
            assert_int_equal(t.caught[i].tcp.seq.value, 10 + 2 * i);
            assert_int_equal(t.caught[i].tcp.options.mptcp_count, i == 0 || !once ? 1 : 0);
            assert_int_equal(t.caught[i].tcp.flags & TCP_FIN, i == 2 ? TCP_FIN : 0);
        }
        two_routers_deinit(&t);
    }
}

static void segments_in_a_row_are_put_together(void **state) {
    (void)state;
    WITH(sim_coalescer,
         (struct sim_coalesce_config){.directions = SIM_BOTH, .payload_bytes = 12, .wait_ns = 5 * MS});
    struct sent_segment first = {.seq = 10, .flags = TCP_ACK, .payload = "hello", .options = with_mptcp()};
    struct sent_segment second = {.seq = 15, .flags = TCP_ACK, .payload = " you", .options = with_mptcp()};
    struct sent_segment third = {.seq = 19, .flags = TCP_ACK, .payload = "there"};
    send_segment(&t, SIM_UP, &first);
    send_segment(&t, SIM_UP, &second);
    assert_int_equal(t.count, 0);
    send_segment(&t, SIM_UP, &third); /* would be too long: the first two go, it waits */
    assert_int_equal(t.count, 1);
    assert_payload(&t.caught[0], "hello you");
    assert_int_equal(t.caught[0].tcp.options.mptcp_count, 1);
    let_pass(&t, 10 * MS);
    assert_int_equal(t.count, 2);
    assert_payload(&t.caught[1], "there");
    two_routers_deinit(&t);
}

static void of_the_options_the_last_may_stay(void **state) {
    (void)state;
    WITH(sim_coalescer,
         (struct sim_coalesce_config){.directions = SIM_BOTH, .payload_bytes = 12, .wait_ns = 5 * MS, .last_options = true});
    struct sent_segment first = {.seq = 10, .flags = TCP_ACK, .payload = "hello"};
    struct sent_segment second = {.seq = 15, .flags = TCP_ACK, .payload = " you", .options = with_mptcp()};
    send_segment(&t, SIM_UP, &first);
    send_segment(&t, SIM_UP, &second);
    let_pass(&t, 10 * MS);
    assert_int_equal(t.count, 1);
    assert_payload(&t.caught[0], "hello you");
    assert_int_equal(t.caught[0].tcp.options.mptcp_count, 1);
    two_routers_deinit(&t);
}

static void payload_grows_and_numbers_follow(void **state) {
    (void)state;
    WITH(sim_payload_box, (struct sim_payload_config){.direction = SIM_UP, .at = 1, .grow = 2});
    struct sent_segment first = {.seq = 10, .flags = TCP_ACK, .payload = "a"};
    struct sent_segment second = {.seq = 11, .flags = TCP_ACK, .payload = "b"};
    struct sent_segment third = {.seq = 12, .flags = TCP_ACK, .payload = "c"};
    send_segment(&t, SIM_UP, &first);
    send_segment(&t, SIM_UP, &second);
    send_segment(&t, SIM_UP, &third);
    send_segment(&t, SIM_UP, &second); /* again: the same again */
    assert_int_equal(t.count, 6);
    assert_payload(&t.caught[0], "a");
    for (int i = 1; i <= 4; i += 3) { /* "xx" before it, as two segments */
        assert_payload(&t.caught[i], "x");
        assert_int_equal(t.caught[i].tcp.seq.value, 11);
        assert_true(t.caught[i + 1].good);
        assert_int_equal(t.caught[i + 1].tcp.payload_length, 2);
        assert_int_equal(t.caught[i + 1].tcp.seq.value, 12);
    }
    assert_payload(&t.caught[3], "c");
    assert_int_equal(t.caught[3].tcp.seq.value, 14);
    struct sent_segment ack = {.ack = 15, .flags = TCP_ACK};
    send_segment(&t, SIM_DOWN, &ack);
    assert_int_equal(t.caught[6].tcp.ack.value, 13);
    two_routers_deinit(&t);
}

static void a_firewall_wants_to_have_seen_the_syn(void **state) {
    (void)state;
    WITH(sim_firewall, (struct sim_firewall_config){.resets = true, .outward_only = true, .in_order = true});
    struct sent_segment syn = {.seq = 1, .flags = TCP_SYN}, data = {.seq = 2, .ack = 5, .flags = TCP_ACK, .payload = "x"};
    struct sent_segment later = {.seq = 9, .ack = 5, .flags = TCP_ACK, .payload = "y"};
    send_segment(&t, SIM_UP, &data);
    assert_int_equal(t.count, 1);
    assert_true(t.caught[0].end == 0 && (t.caught[0].tcp.flags & TCP_RST));
    send_segment(&t, SIM_DOWN, &syn); /* from outside: answered likewise */
    assert_int_equal(t.count, 2);
    assert_int_equal(t.caught[1].end, 1);
    send_segment(&t, SIM_UP, &syn);
    send_segment(&t, SIM_UP, &later); /* a hole before it */
    assert_int_equal(t.count, 3);
    assert_int_equal(sim_link_dropped(t.link, "data after a hole"), 1);
    send_segment(&t, SIM_UP, &data);
    assert_int_equal(t.count, 4);
    two_routers_deinit(&t);
}

static void a_firewall_forgets_flows(void **state) {
    (void)state;
    WITH(sim_firewall, (struct sim_firewall_config){.idle_ns = S});
    struct sent_segment syn = {.seq = 1, .flags = TCP_SYN}, ack = {.seq = 2, .ack = 9, .flags = TCP_ACK};
    send_segment(&t, SIM_UP, &syn);
    let_pass(&t, 900 * MS);
    send_segment(&t, SIM_DOWN, &ack);
    assert_int_equal(t.count, 2);
    let_pass(&t, 1100 * MS); /* unused for too long */
    send_segment(&t, SIM_DOWN, &ack);
    assert_int_equal(t.count, 2);
    assert_int_equal(sim_link_dropped(t.link, "no SYN seen"), 1);
    two_routers_deinit(&t);
    two_routers_init(&t, 1);
    struct sim_box *box = sim_firewall(t.world, &(struct sim_firewall_config){0});
    sim_link_append(t.link, box);
    send_segment(&t, SIM_UP, &syn);
    sim_firewall_forget(box);
    send_segment(&t, SIM_UP, &ack);
    assert_int_equal(t.count, 1);
    two_routers_deinit(&t);
}

static void boxes_stand_where_they_are_put(void **state) {
    (void)state;
    two_routers_init(&t, 1);
    struct sent_segment data = {.seq = 1, .ack = 1, .flags = TCP_ACK, .payload = "hello", .options = with_mptcp()};
    sim_link_append(t.link, sim_splitter(t.world, &(struct sim_split_config){.directions = SIM_BOTH, .payload_bytes = 2}));
    /* Before the splitter on the way up: the second segment that it sees is of the next packet. */
    sim_link_insert(t.link, 0, sim_option_box(t.world, &(struct sim_option_config){.action = SIM_OPTION_STRIP,
                                                                                .segments = SIM_SEGMENT_DATA,
                                                                                .directions = SIM_BOTH,
                                                                                .after = 1}));
    send_segment(&t, SIM_UP, &data);
    for (int i = 0; i < 3; i++) assert_int_equal(t.caught[i].tcp.options.mptcp_count, 1);
    send_segment(&t, SIM_DOWN, &data);
    assert_int_equal(t.count, 6);
    for (int i = 3; i < 6; i++) assert_int_equal(t.caught[i].tcp.options.mptcp_count, 0);
    two_routers_deinit(&t);
}

static void a_firewall_stops_acks_of_what_it_has_not_seen(void **state) {
    (void)state;
    WITH(sim_firewall, (struct sim_firewall_config){.no_unseen_ack = true});
    struct sent_segment syn = {.seq = 1, .flags = TCP_SYN}, good = {.ack = 2, .flags = TCP_ACK}, bad = {.ack = 3, .flags = TCP_ACK};
    send_segment(&t, SIM_UP, &syn);
    send_segment(&t, SIM_DOWN, &good);
    send_segment(&t, SIM_DOWN, &bad);
    assert_int_equal(t.count, 2);
    two_routers_deinit(&t);
}

static void a_join_is_misdirected_and_its_answers_look_right(void **state) {
    (void)state;
    two_routers_init(&t, 1);
    struct braid_address elsewhere = sim_address("10.9.0.2");
    sim_link_append(t.link, sim_join_misdirector(t.world, &elsewhere));
    struct sent_segment plain = {.seq = 1, .flags = TCP_SYN}, join = {.seq = 1, .flags = TCP_SYN};
    join.options = (struct tcp_options){.mptcp_count = 1, .mptcp = {{.bytes = join_bytes, .length = 12}}};
    send_segment(&t, SIM_UP, &plain);
    send_segment(&t, SIM_UP, &join);
    assert_int_equal(t.caught[0].ip.destination.bytes[3], 1);
    assert_int_equal(t.caught[1].ip.destination.bytes[3], 2);
    assert_true(t.caught[1].good);
    struct caught answer = t.caught[1]; /* with its ends exchanged: the sums stay what they were */
    memcpy(answer.bytes + 12, answer.ip.destination.bytes, 4);
    memcpy(answer.bytes + 16, answer.ip.source.bytes, 4);
    memcpy(answer.bytes + 20, t.caught[1].bytes + 22, 2);
    memcpy(answer.bytes + 22, t.caught[1].bytes + 20, 2);
    sim_link_inject(t.link, SIM_DOWN, answer.bytes, answer.length);
    assert_int_equal(t.count, 3);
    assert_true(t.caught[2].good);
    assert_int_equal(t.caught[2].ip.source.bytes[3], 1);
    two_routers_deinit(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_stripped_where_they_should_be),
        cmocka_unit_test(options_are_overwritten_in_place),
        cmocka_unit_test(a_mirror_gives_a_syns_options_back),
        cmocka_unit_test(syns_with_unknown_options_are_dropped_so_many_times),
        cmocka_unit_test(a_syn_loses_its_payload),
        cmocka_unit_test(a_nat_translates_both_ways_and_rebinds),
        cmocka_unit_test(a_strict_nat_answers_what_it_does_not_know),
        cmocka_unit_test(sequence_numbers_are_translated_both_ways),
        cmocka_unit_test(windows_are_clamped_and_their_scale_taken),
        cmocka_unit_test(segments_are_cut_with_or_without_options),
        cmocka_unit_test(segments_in_a_row_are_put_together),
        cmocka_unit_test(of_the_options_the_last_may_stay),
        cmocka_unit_test(payload_grows_and_numbers_follow),
        cmocka_unit_test(a_firewall_wants_to_have_seen_the_syn),
        cmocka_unit_test(a_firewall_forgets_flows),
        cmocka_unit_test(boxes_stand_where_they_are_put),
        cmocka_unit_test(a_firewall_stops_acks_of_what_it_has_not_seen),
        cmocka_unit_test(a_join_is_misdirected_and_its_answers_look_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
