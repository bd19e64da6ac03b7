#include "test_env.h"
#include <base/buf.h>

static void a_buffer_lives_until_its_last_reference_goes(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct braid_buf *buf = buf_create(&env, 100);
    assert_non_null(buf);
    assert_int_equal(buf->capacity, 100);
    memset(buf->bytes, 7, 100);
    struct braid_slice whole = slice_of(buf, buf->bytes, 100);
    struct braid_slice part = slice_part(&whole, 90, 10);
    buf_release(buf);
    slice_release(&whole);
    assert_null(whole.buf);
    assert_int_equal(memory.blocks_out, 1);
    assert_int_equal(part.bytes[9], 7);
    slice_release(&part);
    assert_nothing_leaked(&memory);
}

static void a_buffer_with_notes_has_one_for_each_piece(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct braid_buf *plain = buf_create(&env, 5 * BUF_NOTE_BYTES), *noted = buf_create_noted(&env, 5 * BUF_NOTE_BYTES);
    assert_null(plain->notes);
    memset(noted->bytes, 0xff, 5 * BUF_NOTE_BYTES);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(noted->notes[i], 0);
        noted->notes[i] = 0x1234;
    }
    assert_int_equal(noted->bytes[5 * BUF_NOTE_BYTES - 1], 0xff);
    buf_release(plain);
    buf_release(noted);
    struct braid_buf *small = buf_create_noted(&env, BUF_NOTE_BYTES / 2);
    assert_non_null(small->notes); /* none, but it says that they would be kept */
    buf_release(small);
    memory.fail_after = 0;
    assert_null(buf_create_noted(&env, BUF_NOTE_BYTES));
    assert_nothing_leaked(&memory);
}

static void releasing_nothing_is_fine(void **state) {
    (void)state;
    struct braid_slice empty = {0};
    slice_release(&empty);
    buf_release(NULL);
    struct braid_slice part = slice_part(&empty, 0, 0);
    assert_null(part.buf);
}

static void no_memory_is_a_normal_result(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    memory.fail_after = 0;
    assert_null(buf_create(&env, 1));
    struct braid_slice slice = slice_copy(&env, "abc", 3);
    assert_null(slice.buf);
    assert_int_equal(slice.length, 0);
    assert_nothing_leaked(&memory);
}

static void a_copy_of_nothing_takes_no_memory(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct braid_slice slice = slice_copy(&env, NULL, 0);
    assert_null(slice.buf);
    assert_int_equal(memory.allocations, 0);
}

static void slices_shrink_from_both_ends(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct braid_slice slice = slice_copy(&env, "abcdef", 6);
    slice_drop_front(&slice, 2);
    slice_truncate(&slice, 3);
    assert_int_equal(slice.length, 3);
    assert_memory_equal(slice.bytes, "cde", 3);
    slice_release(&slice);
    assert_nothing_leaked(&memory);
}

static void releasing_a_packet_gives_back_its_payload_once(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct braid_packet_out packet = {.slice_count = BRAID_PACKET_SLICES_MAX};
    for (int i = 0; i < BRAID_PACKET_SLICES_MAX; i++) packet.slices[i] = slice_copy(&env, "x", 1);
    packet.payload_length = BRAID_PACKET_SLICES_MAX;
    braid_packet_out_release(&packet);
    assert_nothing_leaked(&memory);
    assert_int_equal(packet.slice_count, 0);
    assert_int_equal(packet.payload_length, 0);
    braid_packet_out_release(&packet);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_lives_until_its_last_reference_goes),
        cmocka_unit_test(a_buffer_with_notes_has_one_for_each_piece),
        cmocka_unit_test(releasing_nothing_is_fine),
        cmocka_unit_test(no_memory_is_a_normal_result),
        cmocka_unit_test(a_copy_of_nothing_takes_no_memory),
        cmocka_unit_test(slices_shrink_from_both_ends),
        cmocka_unit_test(releasing_a_packet_gives_back_its_payload_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
