#include "test_env.h"
#include <base/prng.h>
#include <base/reader.h>

static void numbers_are_in_network_order(void **state) {
    (void)state;
    uint8_t bytes[15];
    struct writer w = writer_of(bytes, sizeof(bytes));
    write_u8(&w, 0x01);
    write_u16(&w, 0x0203);
    write_u32(&w, 0x04050607);
    write_u64(&w, UINT64_C(0x08090a0b0c0d0e0f));
    assert_false(w.failed);
    assert_int_equal(writer_length(&w), 15);
    assert_int_equal(writer_room(&w), 0);
    for (int i = 0; i < 15; i++) assert_int_equal(bytes[i], i + 1);
    struct reader r = reader_of(bytes, sizeof(bytes));
    assert_int_equal(read_u8(&r), 0x01);
    assert_int_equal(read_u16(&r), 0x0203);
    assert_int_equal(read_u32(&r), 0x04050607);
    assert_true(read_u64(&r) == UINT64_C(0x08090a0b0c0d0e0f));
    assert_false(r.failed);
    assert_int_equal(reader_left(&r), 0);
}

static void reading_past_the_end_fails_and_stays_failed(void **state) {
    (void)state;
    const uint8_t bytes[] = {1, 2, 3};
    uint8_t out[4] = {9, 9, 9, 9};
    struct reader r = reader_of(bytes, sizeof(bytes));
    assert_int_equal(read_u32(&r), 0);
    assert_true(r.failed);
    assert_int_equal(reader_left(&r), 0); /* a loop over what is left ends */
    assert_int_equal(read_u8(&r), 0);     /* though there would be one */
    assert_null(read_span(&r, 1));
    read_bytes(&r, out, 4);
    assert_int_equal(out[0] | out[1] | out[2] | out[3], 0);
    assert_true(r.failed);
    r = reader_of(bytes, sizeof(bytes));
    assert_true(read_u64(&r) == 0 && r.failed);
}

static void a_length_that_would_wrap_fails(void **state) {
    (void)state;
    const uint8_t bytes[] = {1, 2, 3};
    struct reader r = reader_of(bytes, sizeof(bytes));
    assert_null(read_span(&r, SIZE_MAX));
    assert_true(r.failed);
}

static void writing_past_the_end_fails_and_writes_nothing(void **state) {
    (void)state;
    uint8_t bytes[6] = {9, 9, 9, 9, 9, 9};
    struct writer w = writer_of(bytes, 5);
    write_u16(&w, 0x0102);
    write_u32(&w, 0x03040506);
    assert_true(w.failed);
    write_u8(&w, 7);
    write_u64(&w, 7);
    write_bytes(&w, "abc", 3);
    assert_int_equal(writer_length(&w), 2);
    assert_int_equal(bytes[2] + bytes[3] + bytes[4] + bytes[5], 36);
    struct writer narrow = writer_of(bytes, 5);
    write_u64(&narrow, UINT64_MAX); /* all or nothing */
    assert_true(narrow.failed);
    assert_int_equal(writer_length(&narrow), 0);
    assert_int_equal(bytes[0], 1);
}

static void an_empty_reader_or_writer_may_have_no_memory(void **state) {
    (void)state;
    struct reader r = reader_of(NULL, 0);
    read_bytes(&r, NULL, 0);
    assert_false(r.failed);
    assert_int_equal(read_u8(&r), 0);
    assert_true(r.failed);
    struct writer w = writer_of(NULL, 0);
    write_bytes(&w, NULL, 0);
    assert_false(w.failed);
    write_u8(&w, 1);
    assert_true(w.failed);
}

static void what_is_written_is_read_back(void **state) {
    (void)state;
    struct prng prng;
    prng_seed(&prng, 11);
    for (int round = 0; round < 500; round++) {
        uint8_t bytes[64];
        uint64_t values[16];
        int widths[16], count = 0;
        struct writer w = writer_of(bytes, (size_t)prng_below(&prng, 65));
        while (!w.failed && count < 16) {
            values[count] = prng_next(&prng);
            widths[count] = (int)prng_below(&prng, 4);
            switch (widths[count]) {
            case 0: write_u8(&w, (uint8_t)values[count]); break;
            case 1: write_u16(&w, (uint16_t)values[count]); break;
            case 2: write_u32(&w, (uint32_t)values[count]); break;
            default: write_u64(&w, values[count]);
            }
            if (!w.failed) count++;
        }
        struct reader r = reader_of(bytes, writer_length(&w));
        for (int i = 0; i < count; i++) {
            switch (widths[i]) {
            case 0: assert_int_equal(read_u8(&r), (uint8_t)values[i]); break;
            case 1: assert_int_equal(read_u16(&r), (uint16_t)values[i]); break;
            case 2: assert_int_equal(read_u32(&r), (uint32_t)values[i]); break;
            default: assert_true(read_u64(&r) == values[i]);
            }
        }
        assert_false(r.failed);
        assert_int_equal(reader_left(&r), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_in_network_order),
        cmocka_unit_test(reading_past_the_end_fails_and_stays_failed),
        cmocka_unit_test(a_length_that_would_wrap_fails),
        cmocka_unit_test(writing_past_the_end_fails_and_writes_nothing),
        cmocka_unit_test(an_empty_reader_or_writer_may_have_no_memory),
        cmocka_unit_test(what_is_written_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
