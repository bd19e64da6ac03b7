#include "two_routers.h"

/* DSS with a DATA_ACK, as a receiver says it. */
static const uint8_t data_ack_bytes[8] = {TCP_OPTION_KIND_MPTCP, 8, 0x20, 0x01, 1, 2, 3, 4};

static struct two_routers t;

static void begin(const struct sim_proxy_config *config) {
    two_routers_init(&t, 1);
    sim_link_append(t.link, sim_proxy(t.world, config));
    struct sent_segment syn = {.seq = 100, .flags = TCP_SYN},
                        syn_ack = {.seq = 500, .ack = 101, .flags = TCP_SYN | TCP_ACK};
    syn_ack.options.has_timestamps = true;
    syn_ack.options.timestamp_value = 66;
    send_segment(&t, SIM_UP, &syn);
    send_segment(&t, SIM_DOWN, &syn_ack);
    assert_int_equal(t.count, 2);
    t.count = 0;
}

static const struct sent_segment hello = {.seq = 101, .ack = 501, .flags = TCP_ACK, .payload = "hello"};
static const struct sent_segment you = {.seq = 106, .ack = 501, .flags = TCP_ACK, .payload = "you"};

static void data_is_acknowledged_as_soon_as_it_comes(void **state) {
    (void)state;
    begin(&(struct sim_proxy_config){.directions = SIM_ONLY_UP});
    send_segment(&t, SIM_UP, &hello);
    assert_int_equal(t.count, 2);
    assert_int_equal(t.caught[0].end, 0);
    assert_true(t.caught[0].good);
    assert_int_equal(t.caught[0].tcp.ack.value, 106);
    assert_int_equal(t.caught[0].tcp.seq.value, 501);
    assert_int_equal(t.caught[0].tcp.window,
                     1000 - 5); /* of the receiver's SYN/ACK, from what it acknowledged */
    assert_int_equal(t.caught[0].tcp.options.mptcp_count, 0);
    assert_payload(&t.caught[0], "");
    assert_payload(&t.caught[1], "hello");
    send_segment(&t, SIM_UP, &hello); /* again: it is there */
    assert_int_equal(t.count, 3);
    assert_int_equal(t.caught[2].end, 0);
    two_routers_deinit(&t);
}

static void its_first_ack_has_the_time_of_the_syn_ack(void **state) {
    (void)state;
    begin(&(struct sim_proxy_config){.directions = SIM_ONLY_UP});
    struct sent_segment data = hello;
    data.options.has_timestamps = true;
    send_segment(&t, SIM_UP, &data);
    assert_int_equal(t.caught[0].tcp.options.timestamp_value, 66);
    two_routers_deinit(&t);
}

static void data_in_the_other_direction_is_left_alone(void **state) {
    (void)state;
    begin(&(struct sim_proxy_config){.directions = SIM_ONLY_DOWN});
    send_segment(&t, SIM_UP, &hello);
    assert_int_equal(t.count, 1);
    assert_int_equal(t.caught[0].end, 1);
    two_routers_deinit(&t);
}

static void what_was_promised_is_sent_until_it_is_there(void **state) {
    (void)state;
    begin(&(struct sim_proxy_config){.directions = SIM_ONLY_UP});
    send_segment(&t, SIM_UP, &hello);
    send_segment(&t, SIM_UP, &you);
    t.count = 0;
    let_pass(&t, S);
    assert_int_equal(t.count, 2); /* after 200 ms, and 400 ms more */
    for (int i = 0; i < 2; i++)
        assert_payload(&t.caught[i], "hello");
    struct sent_segment ack = {.seq = 501, .ack = 106, .flags = TCP_ACK},
                        news = {.seq = 109, .ack = 777, .flags = TCP_ACK};
    send_segment(&t, SIM_DOWN, &ack);
    send_segment(&t, SIM_UP, &news);
    t.count = 0;
    let_pass(&t, 300 * MS);
    assert_int_equal(t.count, 1);
    assert_payload(&t.caught[0], "you");
    assert_int_equal(t.caught[0].tcp.ack.value, 777);
    ack.ack = 109;
    send_segment(&t, SIM_DOWN, &ack);
    t.count = 0;
    let_pass(&t, 100 * S);
    assert_int_equal(t.count, 0);
    two_routers_deinit(&t);
}

static void the_sender_never_hears_less_than_it_was_promised(void **state) {
    (void)state;
    begin(&(struct sim_proxy_config){.directions = SIM_ONLY_UP});
    send_segment(&t, SIM_UP, &hello);
    t.count = 0;
    struct sent_segment old = {.seq = 501, .ack = 101, .flags = TCP_ACK, .payload = "x"};
    old.options.sack_count = 1;
    old.options.sack[0] = (struct sack_block){seq32_of(103), seq32_of(106)};
    send_segment(&t, SIM_DOWN, &old);
    assert_int_equal(t.count, 1);
    assert_payload(&t.caught[0], "x");
    assert_int_equal(t.caught[0].tcp.ack.value, 106);
    assert_int_equal(t.caught[0].tcp.options.sack_count, 0);
    two_routers_deinit(&t);
}

static void its_acks_may_look_like_the_receivers_last(void **state) {
    (void)state;
    begin(&(struct sim_proxy_config){.directions = SIM_ONLY_UP, .repeats_options = true});
    struct sent_segment ack = {.seq = 501, .ack = 101, .flags = TCP_ACK};
    ack.options =
        (struct tcp_options){.has_timestamps = true,
                             .timestamp_value = 77,
                             .mptcp_count = 1,
                             .mptcp = {{.bytes = data_ack_bytes, .length = sizeof(data_ack_bytes)}}};
    struct sent_segment data = hello;
    data.options.has_timestamps = true;
    data.options.timestamp_value = 33;
    send_segment(&t, SIM_DOWN, &ack);
    t.count = 0;
    send_segment(&t, SIM_UP, &data);
    assert_true(t.caught[0].good && t.caught[0].end == 0);
    assert_int_equal(t.caught[0].tcp.options.timestamp_value, 77);
    assert_int_equal(t.caught[0].tcp.options.timestamp_echo, 33);
    assert_int_equal(t.caught[0].tcp.options.mptcp_count, 1);
    assert_memory_equal(t.caught[0].tcp.options.mptcp[0].bytes, data_ack_bytes, sizeof(data_ack_bytes));
    two_routers_deinit(&t);
}

static void data_after_a_hole_and_beyond_its_buffer_is_not_taken(void **state) {
    (void)state;
    begin(&(struct sim_proxy_config){.directions = SIM_ONLY_UP, .buffer_bytes = 5});
    send_segment(&t, SIM_UP, &you);
    assert_int_equal(t.count, 1);
    assert_int_equal(t.caught[0].tcp.ack.value, 101);
    send_segment(&t, SIM_UP, &hello);
    send_segment(&t, SIM_UP, &you);
    assert_int_equal(t.count, 4);
    assert_payload(&t.caught[2], "hello");
    assert_int_equal(t.caught[3].end, 0);
    assert_int_equal(t.caught[3].tcp.ack.value, 106);
    two_routers_deinit(&t);
}

static void a_rst_ends_it(void **state) {
    (void)state;
    begin(&(struct sim_proxy_config){.directions = SIM_ONLY_UP});
    send_segment(&t, SIM_UP, &hello);
    struct sent_segment reset = {.seq = 106, .flags = TCP_RST};
    send_segment(&t, SIM_UP, &reset);
    assert_int_equal(t.count, 3);
    let_pass(&t, 100 * S);
    assert_int_equal(t.count, 3);
    two_routers_deinit(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_is_acknowledged_as_soon_as_it_comes),
        cmocka_unit_test(its_first_ack_has_the_time_of_the_syn_ack),
        cmocka_unit_test(data_in_the_other_direction_is_left_alone),
        cmocka_unit_test(what_was_promised_is_sent_until_it_is_there),
        cmocka_unit_test(the_sender_never_hears_less_than_it_was_promised),
        cmocka_unit_test(its_acks_may_look_like_the_receivers_last),
        cmocka_unit_test(data_after_a_hole_and_beyond_its_buffer_is_not_taken),
        cmocka_unit_test(a_rst_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
