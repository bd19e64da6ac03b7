/* What fuzzing found in other userspace stacks (TCP-Fuzz, USENIX ATC 2021, in F-Stack, mTCP, TLDK and others), each as a
 * test: a peer that does it to a server of ours. docs/lessons.md lists them. */
#include "attacker.h"

/* A peer played by hand, packet by packet, and the connection that the server has with it. */
struct peer {
    struct forged next; /* its next segment: flow and numbers are kept up to date */
    struct braid_connection *server;
};

static struct braid_connection *accepted;
static struct braid_listener *listener;

static void on_event(void *context, struct sim_host *host, const struct braid_event *event, braid_time now) {
    (void)context;
    (void)host;
    (void)now;
    if (event->bits & BRAID_EVENT_ACCEPTED) accepted = event->connection;
}

static void serve(uint64_t seed) {
    attack_begin(seed, NULL);
    accepted = NULL;
    sim_host_set_listener(attack.phone.server, (struct sim_listener){.event = on_event});
    struct braid_listen_config config = {.link = -1, .local = {.port = 80}, .multipath = true};
    listener = braid_stack_listen(sim_host_stack(attack.phone.server), &config);
    assert_non_null(listener);
}

static void send_segment(struct peer *p, uint8_t flags, const char *text) {
    p->next.flags = flags;
    p->next.payload = text;
    p->next.payload_length = (uint32_t)strlen(text);
    send_to_server(&p->next);
    run_for(20 * MS);
}

/* Bytes that count, and what the server has sent, move the numbers on. */
static void advance(struct peer *p, uint32_t bytes) { p->next.seq = seq32_add(p->next.seq, bytes); }
static void acknowledge(struct peer *p) {
    const struct tcp_segment *last = &attack.last_to_attacker;
    p->next.ack = seq32_add(last->seq, tcp_segment_length(last));
}

static struct peer peer_syn(struct forged syn) {
    struct peer p = {.next = syn};
    send_to_server(&p.next);
    run_for(20 * MS);
    p.next.seq = seq32_add(p.next.seq, 1);
    p.next.options = (struct tcp_options){0};
    p.next.payload_length = 0;
    acknowledge(&p);
    return p;
}

static struct peer peer_connect(const struct tcp_options *options) {
    struct ip_address source = stranger(1);
    struct forged syn = syn_from(&source, 4000, 80);
    if (options != NULL) syn.options = *options;
    struct peer p = peer_syn(syn);
    assert_int_equal(attack.last_to_attacker.flags, TCP_SYN | TCP_ACK);
    send_segment(&p, TCP_ACK, "");
    assert_non_null(accepted);
    p.server = accepted;
    return p;
}

static void serve_end(void) {
    if (accepted != NULL) braid_connection_abort(accepted, sim_world_now(attack.phone.world));
    if (accepted != NULL) braid_connection_release(accepted, sim_world_now(attack.phone.world));
    if (listener != NULL) braid_listener_close(listener, sim_world_now(attack.phone.world));
    sim_host_touch(attack.phone.server);
    run_for(S);
    attack_end();
}

static void expect_read(const struct peer *p, const char *text) {
    char got[200] = {0};
    uint32_t length = braid_connection_read(p->server, got, sizeof(got) - 1, sim_world_now(attack.phone.world));
    assert_int_equal(length, strlen(text));
    assert_string_equal(got, text);
}

/* Raw option bytes in a segment that is right in all else. */
static void send_raw_options(const struct forged *f, const uint8_t *options, uint32_t length) {
    uint8_t bytes[2048];
    struct forged plain = *f;
    plain.options = (struct tcp_options){0};
    uint32_t whole = forge(&plain, bytes);
    assert_true(length % 4 == 0 && length <= 40);
    memmove(bytes + 40 + length, bytes + 40, whole - 40);
    memcpy(bytes + 40, options, length);
    whole += length;
    bytes[32] = (uint8_t)((20 + length) / 4 << 4);
    struct ip_header ip;
    bytes[2] = (uint8_t)(whole >> 8);
    bytes[3] = (uint8_t)whole;
    bytes[10] = bytes[11] = 0;
    uint16_t sum = checksum_finish(checksum_sum(bytes, 20));
    bytes[10] = (uint8_t)(sum >> 8);
    bytes[11] = (uint8_t)sum;
    assert_int_equal(ip_decode(bytes, whole, false, &ip), IP_OK);
    bytes[36] = bytes[37] = 0;
    tcp_checksum_set(bytes + 20, checksum_finish(checksum_pseudo_header(&ip.source, &ip.destination, IP_PROTOCOL_TCP, whole - 20) +
                                                 checksum_sum(bytes + 20, whole - 20)));
    sim_link_inject(attack.link, SIM_UP, bytes, whole);
    run_for(20 * MS);
}

/* An option of unknown kind and length 0 sent a decoder round and round. */
static void an_unknown_option_of_length_zero_ends_nothing(void **state) {
    (void)state;
    serve(5000);
    struct peer p = peer_connect(NULL);
    static const uint8_t zero[4] = {253, 0, 1, 1}, one[4] = {253, 1, 1, 1}, too_long[4] = {253, 40, 1, 1},
                         last[4] = {1, 1, 1, 253}, mptcp_zero[4] = {30, 0, 0, 0};
    const uint8_t *all[] = {zero, one, too_long, last, mptcp_zero};
    uint64_t before = server_counter("tcp_malformed");
    for (unsigned i = 0; i < 5; i++) send_raw_options(&p.next, all[i], 4);
    assert_int_equal(server_counter("tcp_malformed") - before, 5);
    send_segment(&p, TCP_ACK, "still there");
    expect_read(&p, "still there");
    serve_end();
}

/* A header length below 20 bytes, or beyond the packet, read other memory. */
static void header_lengths_that_lie_are_refused(void **state) {
    (void)state;
    serve(5001);
    struct peer p = peer_connect(NULL);
    uint64_t before = server_counter("tcp_malformed") + server_counter("tcp_bad_checksum") + server_counter("ip_malformed");
    for (unsigned offset = 0; offset < 16; offset++) {
        uint8_t bytes[2048];
        if (offset == 5) continue;
        uint32_t length = forge(&p.next, bytes);
        bytes[32] = (uint8_t)(offset << 4);
        bytes[36] = bytes[37] = 0;
        uint64_t sum = checksum_pseudo_header(&p.next.flow.local, &p.next.flow.remote, IP_PROTOCOL_TCP, length - 20);
        tcp_checksum_set(bytes + 20, checksum_finish(sum + checksum_sum(bytes + 20, length - 20)));
        sim_link_inject(attack.link, SIM_UP, bytes, length);
        for (unsigned k = 0; k < 16; k++) { /* and IPv4's own */
            bytes[0] = (uint8_t)(0x40 | k);
            if (k != 5) sim_link_inject(attack.link, SIM_UP, bytes, length);
        }
    }
    run_for(20 * MS);
    uint64_t refused = server_counter("tcp_malformed") + server_counter("tcp_bad_checksum") + server_counter("ip_malformed");
    assert_int_equal(refused - before, 15 * 16);
    send_segment(&p, TCP_ACK, "still there");
    expect_read(&p, "still there");
    serve_end();
}

/* A third ACK, or a later one, of what was never sent was taken for good. */
static void acks_are_checked(void **state) {
    (void)state;
    serve(5002);
    struct ip_address source = stranger(1);
    struct peer p = peer_syn(syn_from(&source, 4000, 80));
    seq32 right = p.next.ack;
    p.next.ack = seq32_add(right, 1);
    send_segment(&p, TCP_ACK, "wrong");
    assert_null(accepted);
    assert_true(attack.last_to_attacker.flags & TCP_RST);
    p.next.ack = right;
    send_segment(&p, TCP_ACK, "right");
    assert_non_null(accepted);
    p.server = accepted;
    expect_read(&p, "right");
    advance(&p, 5);
    p.next.ack = seq32_add(right, 1000);
    send_segment(&p, TCP_ACK, "not this");
    p.next.ack = right;
    send_segment(&p, 0, "nor this"); /* no ACK flag at all */
    assert_int_equal(braid_connection_readable(p.server), 0);
    send_segment(&p, TCP_ACK, "but this");
    expect_read(&p, "but this");
    serve_end();
}

/* Data beyond a FIN was handed to the application. */
static void data_after_a_fin_is_not_read(void **state) {
    (void)state;
    serve(5003);
    struct peer p = peer_connect(NULL);
    send_segment(&p, TCP_ACK | TCP_FIN, "end");
    expect_read(&p, "end");
    advance(&p, 4);
    send_segment(&p, TCP_ACK, "after");
    assert_int_equal(braid_connection_readable(p.server), 0);
    assert_true(braid_connection_at_end(p.server));
    assert_true(server_counter("tcp_data_after_fin") >= 1);
    serve_end();
}

/* Data in a SYN was lost for good, or read before the handshake. */
static void data_in_a_syn_waits_for_the_handshake(void **state) {
    (void)state;
    serve(5004);
    struct ip_address source = stranger(1);
    struct forged syn = syn_from(&source, 4000, 80);
    syn.payload = "early";
    syn.payload_length = 5;
    struct peer p = peer_syn(syn);
    assert_int_equal(attack.last_to_attacker.flags, TCP_SYN | TCP_ACK);
    assert_true(seq32_eq(attack.last_to_attacker.ack, p.next.seq)); /* the SYN alone: the data has to come again */
    assert_null(accepted);
    send_segment(&p, TCP_ACK, "early");
    p.server = accepted;
    assert_non_null(accepted);
    expect_read(&p, "early");
    serve_end();
}

/* Without an MSS option segments were too long (RFC 9293 §3.7.1: 536), or empty. */
static void without_an_mss_segments_are_short(void **state) {
    (void)state;
    static const uint16_t sizes[] = {0, 1, 100, 536, 9000};
    for (unsigned i = 0; i < 6; i++) {
        serve(5005);
        struct tcp_options options = {.has_mss = i < 5, .mss = sizes[i < 5 ? i : 0]};
        struct peer p = peer_connect(&options);
        uint8_t bytes[8000] = {0};
        p.next.window = 60000;
        send_segment(&p, TCP_ACK, "");
        assert_int_equal(braid_connection_write(p.server, bytes, sizeof(bytes), sim_world_now(attack.phone.world)), sizeof(bytes));
        sim_host_touch(attack.phone.server);
        for (unsigned k = 0; k < 200 && attack.to_attacker_payload < sizeof(bytes); k++) {
            acknowledge(&p);
            send_segment(&p, TCP_ACK, "");
            uint32_t most = i == 5 ? 536 : sizes[i] < 88 ? 88 : sizes[i] > 1460 ? 1460 : sizes[i];
            assert_true(attack.last_to_attacker.payload_length <= most);
        }
        assert_int_equal(attack.to_attacker_payload, sizeof(bytes));
        serve_end();
    }
}

/* The same option twice confused what came behind it. Of repeated ones the first counts. */
static void a_repeated_timestamp_is_one(void **state) {
    (void)state;
    serve(5006);
    struct ip_address source = stranger(1);
    struct forged syn = syn_from(&source, 4000, 80);
    static const uint8_t twice[24] = {8, 10, 0, 0, 0, 7, 0, 0, 0, 0, 1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 1};
    send_raw_options(&syn, twice, sizeof(twice));
    assert_int_equal(attack.last_to_attacker.flags, TCP_SYN | TCP_ACK);
    assert_true(attack.last_to_attacker.options.has_timestamps);
    assert_int_equal(attack.last_to_attacker.options.timestamp_echo, 7);
    serve_end();
}

/* A RST was believed whatever its sequence number. */
static void the_number_of_a_rst_is_checked(void **state) {
    (void)state;
    serve(5007);
    struct peer p = peer_connect(NULL);
    seq32 right = p.next.seq;
    static const int32_t wrong[] = {-1, 1, 1000, 1 << 30, -(1 << 30)};
    for (unsigned i = 0; i < 5; i++) {
        p.next.seq = seq32_add(right, (uint32_t)wrong[i]);
        send_segment(&p, TCP_RST, "");
        assert_int_equal(braid_connection_close_reason(p.server), BRAID_OPEN);
    }
    p.next.seq = right;
    send_segment(&p, TCP_RST, "");
    assert_int_equal(braid_connection_close_reason(p.server), BRAID_CLOSED_RESET);
    serve_end();
}

/* Closing a listener under a handshake left a connection with a dead owner: a use after free. */
static void a_listener_closed_under_a_handshake_leaves_nothing(void **state) {
    (void)state;
    for (unsigned moment = 0; moment < 3; moment++) {
        serve(5008);
        struct ip_address source = stranger(1);
        struct forged syn = syn_from(&source, 4000, 80);
        struct mptcp_option capable = {.subtype = MPTCP_MP_CAPABLE,
                                       .as.mp_capable = {.version = MPTCP_VERSION, .hmac_sha256 = true}};
        if (moment == 2) add_option(&syn, &capable);
        struct peer p = peer_syn(syn);
        braid_listener_close(listener, sim_world_now(attack.phone.world));
        listener = NULL;
        sim_host_touch(attack.phone.server);
        if (moment == 1) run_for(20 * MS);
        send_segment(&p, TCP_ACK, "anybody?");
        assert_null(accepted);
        assert_true(attack.to_attacker_resets >= 1);
        run_for(S);
        assert_int_equal(braid_stack_connections(sim_host_stack(attack.phone.server)), 0);
        serve_end();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_option_of_length_zero_ends_nothing),
        cmocka_unit_test(header_lengths_that_lie_are_refused),
        cmocka_unit_test(acks_are_checked),
        cmocka_unit_test(data_after_a_fin_is_not_read),
        cmocka_unit_test(data_in_a_syn_waits_for_the_handshake),
        cmocka_unit_test(without_an_mss_segments_are_short),
        cmocka_unit_test(a_repeated_timestamp_is_one),
        cmocka_unit_test(the_number_of_a_rst_is_checked),
        cmocka_unit_test(a_listener_closed_under_a_handshake_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
