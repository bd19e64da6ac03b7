#include "test_wire.h"
#include <wire/checksum.h>
#include <wire/ip.h>
#include <wire/tcp_segment.h>

static struct ip_address source, destination;

static int set_addresses(void **state) {
    (void)state;
    source = address("192.0.2.1");
    destination = address("198.51.100.2");
    return 0;
}

/* Decodes a segment with these options (padded to four bytes with what is given) and no payload, without a checksum. */
static enum tcp_decode_result decode_options(const uint8_t *options, size_t length, struct tcp_segment *out) {
    static uint8_t *copy; /* kept until the next call: the result points into it */
    uint8_t bytes[60] = {0x12, 0x34, 0, 80};
    assert_true(length % 4 == 0 && length <= 40);
    bytes[12] = (uint8_t)((20 + length) / 4 << 4);
    bytes[13] = TCP_ACK;
    if (length > 0) memcpy(bytes + 20, options, length);
    free(copy);
    copy = exact_copy(bytes, 20 + length);
    return tcp_segment_decode(copy, (uint32_t)(20 + length), &source, &destination, true, out);
}

#define OPTIONS(...) ((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})

static void options_are_read_as_the_rfcs_say(void **state) {
    (void)state;
    struct tcp_segment s;
    /* A SYN as Linux sends it, with MP_CAPABLE. */
    assert_int_equal(decode_options(OPTIONS(2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 5, 1, 3, 3, 7, 30, 4, 1, 1), &s),
                     TCP_DECODE_OK);
    assert_true(s.options.has_mss && s.options.sack_permitted && s.options.has_timestamps && s.options.has_window_scale);
    assert_int_equal(s.options.mss, 1460);
    assert_int_equal(s.options.timestamp_value, 0x01020304);
    assert_int_equal(s.options.timestamp_echo, 5);
    assert_int_equal(s.options.window_scale, 7);
    assert_int_equal(s.options.mptcp_count, 1);
    assert_int_equal(s.options.mptcp[0].length, 4);
    assert_memory_equal(s.options.mptcp[0].bytes, ((const uint8_t[]){30, 4, 1, 1}), 4);
    assert_int_equal(s.options.sack_count, 0);
    assert_int_equal(decode_options(OPTIONS(1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0, 0, 0, 0xff, 0, 0, 9), &s),
                     TCP_DECODE_OK);
    assert_int_equal(s.options.sack_count, 2);
    assert_int_equal(s.options.sack[0].start.value, 1);
    assert_int_equal(s.options.sack[0].end.value, 2);
    assert_int_equal(s.options.sack[1].end.value, 0xff000009);
    assert_int_equal(decode_options(OPTIONS(34, 2, 1, 1), &s), TCP_DECODE_OK);
    assert_true(s.options.has_fast_open && s.options.fast_open_length == 0);
    assert_int_equal(decode_options(OPTIONS(34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1), &s), TCP_DECODE_OK);
    assert_int_equal(s.options.fast_open_length, 8);
    assert_int_equal(s.options.fast_open_cookie[7], 8);
}

static void a_syn_without_mss_says_so(void **state) {
    (void)state;
    struct tcp_segment s;
    memset(&s, 0xff, sizeof(s));
    assert_int_equal(decode_options(NULL, 0, &s), TCP_DECODE_OK);
    assert_false(s.options.has_mss);
    assert_int_equal(s.options.mss, 0);
    assert_int_equal(s.segment_bytes, 0);
}

/* Each was an endless loop or a read beyond the header in some stack. */
static void bad_option_lengths_drop_the_segment(void **state) {
    (void)state;
    struct tcp_segment s;
    assert_int_equal(decode_options(OPTIONS(254, 0, 1, 1), &s), TCP_DECODE_BAD_OPTION); /* unknown, of length zero */
    assert_int_equal(decode_options(OPTIONS(254, 1, 1, 1), &s), TCP_DECODE_BAD_OPTION);
    assert_int_equal(decode_options(OPTIONS(2, 0, 1, 1), &s), TCP_DECODE_BAD_OPTION);
    assert_int_equal(decode_options(OPTIONS(30, 0, 1, 1), &s), TCP_DECODE_BAD_OPTION);
    assert_int_equal(decode_options(OPTIONS(254, 5, 1, 1), &s), TCP_DECODE_BAD_OPTION); /* one byte too far */
    assert_int_equal(decode_options(OPTIONS(8, 255, 1, 1), &s), TCP_DECODE_BAD_OPTION);
    assert_int_equal(decode_options(OPTIONS(30, 200, 1, 1), &s), TCP_DECODE_BAD_OPTION);
    assert_int_equal(decode_options(OPTIONS(1, 1, 1, 8), &s), TCP_DECODE_BAD_OPTION); /* no room for its length */
    assert_int_equal(decode_options(OPTIONS(254, 4, 0, 0), &s), TCP_DECODE_OK);
}

static void known_options_of_wrong_length_are_skipped(void **state) {
    (void)state;
    struct tcp_segment s;
    assert_int_equal(decode_options(OPTIONS(2, 3, 5, 4, 3, 7, 5, 6, 0, 0, 0, 0, 34, 3, 9, 8, 8, 0, 0, 0, 0, 0, 0, 5, 2,
                                            3, 2, 3, 3, 9, 1, 1),
                                    &s),
                     TCP_DECODE_OK);
    assert_false(s.options.has_mss || s.options.sack_permitted || s.options.has_timestamps || s.options.has_fast_open);
    assert_int_equal(s.options.sack_count, 0);
    assert_true(s.options.has_window_scale); /* the walk went on to the one that is right */
    assert_int_equal(s.options.window_scale, 9);
}

static void of_repeated_options_the_first_counts(void **state) {
    (void)state;
    struct tcp_segment s;
    assert_int_equal(decode_options(OPTIONS(8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 8, 10, 0, 0, 0, 3, 0, 0, 0, 4, 2, 4, 0, 9, 2, 4, 0,
                                            8, 3, 3, 1, 3, 3, 2, 1, 1),
                                    &s),
                     TCP_DECODE_OK);
    assert_int_equal(s.options.timestamp_value, 1);
    assert_int_equal(s.options.timestamp_echo, 2);
    assert_int_equal(s.options.mss, 9);
    assert_int_equal(s.options.window_scale, 1);
}

static void nothing_behind_the_end_of_options_is_read(void **state) {
    (void)state;
    struct tcp_segment s;
    assert_int_equal(decode_options(OPTIONS(1, 0, 254, 0), &s), TCP_DECODE_OK);
    assert_int_equal(decode_options(OPTIONS(0, 2, 4, 9, 9, 9, 9, 9), &s), TCP_DECODE_OK);
    assert_false(s.options.has_mss);
}

static void surplus_mptcp_options_are_ignored(void **state) {
    (void)state;
    struct tcp_segment s;
    uint8_t options[40];
    for (size_t i = 0; i < 40; i += 4) memcpy(options + i, (uint8_t[]){30, 4, (uint8_t)i, 1}, 4);
    assert_int_equal(decode_options(options, 40, &s), TCP_DECODE_OK);
    assert_int_equal(s.options.mptcp_count, TCP_MPTCP_OPTIONS_MAX);
    for (int i = 0; i < TCP_MPTCP_OPTIONS_MAX; i++) assert_int_equal(s.options.mptcp[i].bytes[2], i * 4);
}

static void bad_data_offsets_are_refused(void **state) {
    (void)state;
    uint8_t bytes[40] = {0};
    struct tcp_segment s;
    for (uint32_t length = 0; length < 20; length++)
        assert_int_equal(tcp_segment_decode(bytes, length, &source, &destination, true, &s), TCP_DECODE_TRUNCATED);
    for (uint32_t offset = 0; offset < 16; offset++) {
        bytes[12] = (uint8_t)(offset << 4);
        enum tcp_decode_result expected = offset < 5 || offset * 4 > 40 ? TCP_DECODE_BAD_OFFSET : TCP_DECODE_OK;
        assert_int_equal(tcp_segment_decode(bytes, 40, &source, &destination, true, &s), expected);
        if (expected != TCP_DECODE_OK) continue;
        assert_int_equal(s.header_length, offset * 4);
        assert_int_equal(s.payload_length, 40 - offset * 4);
        assert_ptr_equal(s.payload, bytes + offset * 4);
    }
}

static void the_checksum_is_checked_unless_vouched_for(void **state) {
    (void)state;
    uint8_t bytes[31] = {0, 1, 0, 2};
    struct tcp_segment s;
    bytes[12] = 0x50;
    memcpy(bytes + 20, "hello world", 11);
    uint64_t sum = checksum_sum(bytes, 31) + checksum_pseudo_header(&source, &destination, IP_PROTOCOL_TCP, 31);
    tcp_checksum_set(bytes, checksum_finish(sum));
    assert_int_equal(tcp_segment_decode(bytes, 31, &source, &destination, false, &s), TCP_DECODE_OK);
    assert_int_equal(tcp_segment_decode(bytes, 31, &destination, &destination, false, &s), TCP_DECODE_BAD_CHECKSUM);
    for (uint32_t bit = 0; bit < 31 * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum tcp_decode_result result = tcp_segment_decode(bytes, 31, &source, &destination, false, &s);
        assert_true(result == TCP_DECODE_BAD_CHECKSUM || result == TCP_DECODE_BAD_OFFSET);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    bytes[30] ^= 1;
    assert_int_equal(tcp_segment_decode(bytes, 31, &source, &destination, true, &s), TCP_DECODE_OK);
    for (int result = TCP_DECODE_OK; result <= TCP_DECODE_BAD_OPTION; result++)
        assert_string_not_equal(tcp_decode_result_name((enum tcp_decode_result)result), "?");
}

static bool coin(struct prng *prng) { return prng_below(prng, 2) == 0; }

static struct tcp_options random_options(struct prng *prng, uint8_t *raw) {
    struct tcp_options o = {.has_mss = coin(prng), .has_window_scale = coin(prng), .sack_permitted = coin(prng),
                            .has_timestamps = coin(prng), .has_fast_open = prng_below(prng, 5) == 0};
    if (o.has_mss) o.mss = (uint16_t)prng_next(prng);
    if (o.has_window_scale) o.window_scale = (uint8_t)prng_next(prng);
    if (o.has_timestamps) {
        o.timestamp_value = (uint32_t)prng_next(prng);
        o.timestamp_echo = (uint32_t)prng_next(prng);
    }
    o.sack_count = (uint8_t)(coin(prng) ? prng_below(prng, TCP_SACK_BLOCKS_MAX + 1) : 0);
    for (int i = 0; i < o.sack_count; i++)
        o.sack[i] = (struct sack_block){seq32_of((uint32_t)prng_next(prng)), seq32_of((uint32_t)prng_next(prng))};
    if (o.has_fast_open) {
        o.fast_open_length = (uint8_t)(coin(prng) ? 0 : 4 + 2 * prng_below(prng, 7));
        random_bytes(prng, o.fast_open_cookie, o.fast_open_length);
    }
    o.mptcp_count = (uint8_t)prng_below(prng, 3);
    for (int i = 0; i < o.mptcp_count; i++, raw += 40) {
        uint8_t length = (uint8_t)(3 + prng_below(prng, 26));
        random_bytes(prng, raw, length);
        raw[0] = TCP_OPTION_KIND_MPTCP;
        raw[1] = length;
        o.mptcp[i] = (struct tcp_raw_option){raw, length};
    }
    return o;
}

static void assert_options_equal(const struct tcp_options *a, const struct tcp_options *b) {
    assert_int_equal(a->has_mss, b->has_mss);
    assert_int_equal(a->mss, b->mss);
    assert_int_equal(a->has_window_scale, b->has_window_scale);
    assert_int_equal(a->window_scale, b->window_scale);
    assert_int_equal(a->sack_permitted, b->sack_permitted);
    assert_int_equal(a->has_timestamps, b->has_timestamps);
    assert_int_equal(a->timestamp_value, b->timestamp_value);
    assert_int_equal(a->timestamp_echo, b->timestamp_echo);
    assert_int_equal(a->has_fast_open, b->has_fast_open);
    assert_int_equal(a->fast_open_length, b->fast_open_length);
    assert_memory_equal(a->fast_open_cookie, b->fast_open_cookie, sizeof(a->fast_open_cookie));
    assert_int_equal(a->mptcp_count, b->mptcp_count);
    for (int i = 0; i < a->mptcp_count; i++) {
        assert_int_equal(a->mptcp[i].length, b->mptcp[i].length);
        assert_memory_equal(a->mptcp[i].bytes, b->mptcp[i].bytes, a->mptcp[i].length);
    }
}

static void segments_survive_the_round_trip(void **state) {
    (void)state;
    struct prng prng;
    int encoded = 0;
    prng_seed(&prng, 1);
    for (int i = 0; i < 50000; i++) {
        uint8_t raw[3 * 40], bytes[60];
        struct tcp_segment in = {.source_port = (uint16_t)prng_next(&prng), .destination_port = (uint16_t)prng_next(&prng),
                                 .seq = seq32_of((uint32_t)prng_next(&prng)), .ack = seq32_of((uint32_t)prng_next(&prng)),
                                 .flags = (uint8_t)prng_next(&prng), .window = (uint16_t)prng_next(&prng),
                                 .urgent_pointer = (uint16_t)prng_next(&prng), .options = random_options(&prng, raw)};
        uint32_t length = tcp_segment_encode(&in, bytes, sizeof(bytes));
        if (tcp_options_length(&in.options) > TCP_OPTIONS_MAX) {
            assert_int_equal(length, 0);
            continue;
        }
        encoded++;
        assert_int_equal(length, 20 + tcp_options_length(&in.options));
        assert_int_equal(length % 4, 0);
        assert_int_equal(bytes[16] | bytes[17], 0);
        assert_int_equal(tcp_segment_encode(&in, bytes, length - 1), 0);
        assert_int_equal(tcp_segment_encode(&in, bytes, length), length);
        struct tcp_segment out;
        assert_int_equal(tcp_segment_decode(bytes, length, &source, &destination, true, &out), TCP_DECODE_OK);
        assert_int_equal(in.source_port, out.source_port);
        assert_int_equal(in.destination_port, out.destination_port);
        assert_true(seq32_eq(in.seq, out.seq) && seq32_eq(in.ack, out.ack));
        assert_int_equal(in.flags, out.flags);
        assert_int_equal(in.window, out.window);
        assert_int_equal(in.urgent_pointer, out.urgent_pointer);
        assert_int_equal(out.header_length, length);
        assert_int_equal(out.payload_length, 0);
        assert_options_equal(&in.options, &out.options);
        assert_true(out.options.sack_count <= in.options.sack_count);
        uint32_t next_block_bytes = out.options.sack_count == 0 ? 12 : 8;
        if (out.options.sack_count < in.options.sack_count) assert_true(length + next_block_bytes > 60);
        for (int k = 0; k < out.options.sack_count; k++) {
            assert_true(seq32_eq(in.options.sack[k].start, out.options.sack[k].start));
            assert_true(seq32_eq(in.options.sack[k].end, out.options.sack[k].end));
        }
    }
    assert_true(encoded > 10000);
}

static void sack_takes_only_what_the_others_leave(void **state) {
    (void)state;
    uint8_t dss[20] = {30, 20, 0x20};
    struct tcp_options o = {.has_timestamps = true, .sack_count = 4};
    assert_int_equal(tcp_options_length(&o), 12 + 4 + 3 * 8);
    o.mptcp_count = 1;
    o.mptcp[0] = (struct tcp_raw_option){dss, 12};
    assert_int_equal(tcp_options_length(&o), 12 + 12 + 4 + 8);
    o.mptcp[0].length = 20;
    assert_int_equal(tcp_options_length(&o), 12 + 20);
    o.has_timestamps = false;
    o.mptcp_count = 0;
    assert_int_equal(tcp_options_length(&o), 4 + 4 * 8);
}

/* The largest that must fit together: timestamps and a DSS with everything in it. */
static void timestamps_and_the_largest_dss_fit(void **state) {
    (void)state;
    uint8_t dss[28] = {30, 28, 0x20}, bytes[60];
    struct tcp_segment s = {.flags = TCP_ACK, .options = {.has_timestamps = true, .mptcp_count = 1, .mptcp = {{dss, 28}}}};
    assert_int_equal(tcp_segment_encode(&s, bytes, sizeof(bytes)), 60);
    /* Aligned as receivers' fast paths want it: NOP NOP timestamps first. */
    assert_memory_equal(bytes + 20, ((const uint8_t[]){1, 1, 8, 10}), 4);
}

static void length_in_sequence_space_counts_syn_and_fin(void **state) {
    (void)state;
    struct tcp_segment s = {.flags = TCP_SYN | TCP_FIN | TCP_ACK, .payload_length = 10};
    assert_int_equal(tcp_segment_length(&s), 12);
    s.flags = TCP_ACK;
    assert_int_equal(tcp_segment_length(&s), 10);
}

static void no_bytes_make_it_read_out_of_bounds(void **state) {
    (void)state;
    struct prng prng;
    prng_seed(&prng, 2);
    for (int i = 0; i < 100000; i++) {
        uint8_t raw[3 * 40], bytes[80];
        size_t length = prng_below(&prng, sizeof(bytes) + 1);
        random_bytes(&prng, bytes, sizeof(bytes));
        if (i % 2 == 0) { /* nearly right */
            struct tcp_segment in = {.options = random_options(&prng, raw)};
            if (tcp_segment_encode(&in, bytes, sizeof(bytes)) > 0) damage(&prng, bytes, 60);
        }
        uint8_t *copy = exact_copy(bytes, length);
        struct tcp_segment s;
        if (tcp_segment_decode(copy, (uint32_t)length, &source, &destination, true, &s) == TCP_DECODE_OK) {
            assert_int_equal(s.header_length + s.payload_length, length);
            for (int k = 0; k < s.options.mptcp_count; k++) {
                assert_true(s.options.mptcp[k].bytes >= copy + 20);
                assert_true(s.options.mptcp[k].bytes + s.options.mptcp[k].length <= copy + s.header_length);
            }
        }
        free(copy);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_read_as_the_rfcs_say),
        cmocka_unit_test(a_syn_without_mss_says_so),
        cmocka_unit_test(bad_option_lengths_drop_the_segment),
        cmocka_unit_test(known_options_of_wrong_length_are_skipped),
        cmocka_unit_test(of_repeated_options_the_first_counts),
        cmocka_unit_test(nothing_behind_the_end_of_options_is_read),
        cmocka_unit_test(surplus_mptcp_options_are_ignored),
        cmocka_unit_test(bad_data_offsets_are_refused),
        cmocka_unit_test(the_checksum_is_checked_unless_vouched_for),
        cmocka_unit_test(segments_survive_the_round_trip),
        cmocka_unit_test(sack_takes_only_what_the_others_leave),
        cmocka_unit_test(timestamps_and_the_largest_dss_fit),
        cmocka_unit_test(length_in_sequence_space_counts_syn_and_fin),
        cmocka_unit_test(no_bytes_make_it_read_out_of_bounds),
    };
    return cmocka_run_group_tests(tests, set_addresses, NULL);
}
