#include "test_env.h"
#include <base/prng.h>
#include <base/slice_queue.h>

#define MODEL_MAX (1 << 20)
#define HELD_MAX 64

/* What the queue should hold, as plain bytes, and references kept by "packets in flight" with what they should
 * still say. */
struct model {
    struct slice_queue queue;
    uint8_t *bytes;
    size_t start, end;
    struct braid_slice held[HELD_MAX];
    uint8_t *held_copies[HELD_MAX];
    size_t held_count;
};

static uint8_t scratch[300000];

static void fill(uint8_t *out, size_t length, struct prng *prng) {
    for (size_t i = 0; i < length; i++) out[i] = (uint8_t)prng_next(prng);
}

static void model_append(struct model *m, const uint8_t *bytes, size_t length) {
    assert_true(m->end + length <= MODEL_MAX);
    memcpy(m->bytes + m->end, bytes, length);
    m->end += length;
}

static void step_append_copy(struct model *m, struct prng *prng) {
    static const uint32_t sizes[] = {1, 10, 100, 1500, 5000, 70000};
    uint32_t length = (uint32_t)prng_below(prng, sizes[prng_below(prng, 6)] + 1);
    if (m->end + length > MODEL_MAX) return;
    fill(scratch, length, prng);
    assert_true(slice_queue_append_copy(&m->queue, scratch, length));
    model_append(m, scratch, length);
}

/* A slice of somebody else's, sometimes in two adjoining pieces. */
static void step_append_slice(struct model *m, const struct braid_env *env, struct prng *prng) {
    uint32_t length = (uint32_t)prng_below(prng, 3000);
    if (m->end + length > MODEL_MAX) return;
    fill(scratch, length, prng);
    struct braid_slice slice = slice_copy(env, scratch, length);
    if (length > 0 && prng_below(prng, 2) == 0) {
        uint32_t cut = (uint32_t)prng_below(prng, length);
        struct braid_slice first = slice_part(&slice, 0, cut), second = slice_part(&slice, cut, length - cut);
        slice_release(&slice);
        assert_true(slice_queue_append(&m->queue, first) && slice_queue_append(&m->queue, second));
    } else {
        assert_true(slice_queue_append(&m->queue, slice));
    }
    model_append(m, scratch, length);
}

static void release_held(struct model *m, size_t i) {
    assert_memory_equal(m->held[i].bytes, m->held_copies[i], m->held[i].length);
    slice_release(&m->held[i]);
    free(m->held_copies[i]);
    m->held_count--;
    m->held[i] = m->held[m->held_count];
    m->held_copies[i] = m->held_copies[m->held_count];
}

static void step_gather(struct model *m, struct prng *prng) {
    size_t size = m->end - m->start;
    size_t offset = prng_below(prng, size + 1), max = prng_below(prng, 8);
    uint32_t length = (uint32_t)prng_below(prng, size - offset + 1), sum = 0;
    if (length > 65536) length = 65536;
    struct braid_slice out[8];
    size_t count = slice_queue_gather(&m->queue, offset, length, out, max);
    assert_true(count <= max);
    for (size_t i = 0; i < count; i++) {
        assert_true(out[i].length > 0);
        assert_memory_equal(out[i].bytes, m->bytes + m->start + offset + sum, out[i].length);
        sum += out[i].length;
        if (m->held_count < HELD_MAX) {
            m->held_copies[m->held_count] = malloc(out[i].length);
            memcpy(m->held_copies[m->held_count], out[i].bytes, out[i].length);
            m->held[m->held_count++] = out[i];
        } else {
            slice_release(&out[i]);
        }
    }
    assert_true(sum == length || (sum < length && count == max));
    while (m->held_count > HELD_MAX / 2) release_held(m, prng_below(prng, m->held_count));
}

static void step_peek(struct model *m, struct prng *prng) {
    size_t size = m->end - m->start;
    size_t offset = prng_below(prng, size + 1);
    uint32_t length = (uint32_t)prng_below(prng, size - offset + 1);
    if (length > sizeof(scratch)) length = sizeof(scratch);
    slice_queue_peek(&m->queue, offset, scratch, length);
    assert_memory_equal(scratch, m->bytes + m->start + offset, length);
}

static void step_drop(struct model *m, struct prng *prng) {
    size_t size = m->end - m->start;
    size_t count = prng_below(prng, 4) == 0 ? size : prng_below(prng, size + 1) / 4;
    slice_queue_drop(&m->queue, count);
    m->start += count;
}

static void step_pop(struct model *m) {
    struct braid_slice slice = slice_queue_pop(&m->queue);
    if (m->start == m->end) assert_null(slice.buf);
    else assert_memory_equal(slice.bytes, m->bytes + m->start, slice.length);
    m->start += slice.length;
    slice_release(&slice);
}

static void step(struct model *m, const struct braid_env *env, struct prng *prng) {
    switch (prng_below(prng, 10)) {
    case 0: case 1: case 2: step_append_copy(m, prng); break;
    case 3: case 4: step_append_slice(m, env, prng); break;
    case 5: case 6: step_gather(m, prng); break;
    case 7: step_peek(m, prng); break;
    case 8: step_drop(m, prng); break;
    default: step_pop(m);
    }
    if (m->start == m->end) m->start = m->end = 0;
    assert_int_equal(m->queue.length, m->end - m->start);
}

static void the_queue_holds_exactly_the_bytes_put_in(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct prng prng;
        static struct model m;
        memset(&m, 0, sizeof(m));
        m.bytes = malloc(MODEL_MAX);
        prng_seed(&prng, seed);
        slice_queue_init(&m.queue, &env);
        for (int i = 0; i < 1000; i++) step(&m, &env, &prng);
        slice_queue_deinit(&m.queue);
        while (m.held_count > 0) release_held(&m, 0); /* they outlive the queue */
        assert_nothing_leaked(&memory);
        free(m.bytes);
    }
}

static void small_writes_share_buffers(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct slice_queue queue;
    slice_queue_init(&queue, &env);
    for (int i = 0; i < 10000; i++) assert_true(slice_queue_append_copy(&queue, "0123456789", 10));
    assert_int_equal(queue.length, 100000);
    assert_true(memory.allocations < 12);
    assert_true(memory.bytes_out < 300000);
    slice_queue_deinit(&queue);
    assert_nothing_leaked(&memory);
}

static void a_lone_small_write_holds_little_memory(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct slice_queue queue;
    slice_queue_init(&queue, &env);
    assert_true(slice_queue_append_copy(&queue, "x", 1));
    assert_true(memory.bytes_out <= 2560);
    slice_queue_deinit(&queue);
}

static void large_copies_are_split_at_64_kib(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct slice_queue queue;
    slice_queue_init(&queue, &env);
    assert_true(slice_queue_append_copy(&queue, scratch, 200000));
    assert_int_equal(queue.count, 4);
    while (queue.count > 0) {
        struct braid_slice slice = slice_queue_pop(&queue);
        assert_true(slice.length <= 65536 && slice.buf->capacity <= 65536);
        slice_release(&slice);
    }
    slice_queue_deinit(&queue);
    assert_nothing_leaked(&memory);
}

static void writing_behind_a_packet_in_flight_leaves_it_as_it_was(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct slice_queue queue;
    struct braid_slice out[2];
    slice_queue_init(&queue, &env);
    assert_true(slice_queue_append_copy(&queue, "first", 5));
    assert_int_equal(slice_queue_gather(&queue, 0, 5, out, 2), 1);
    assert_true(slice_queue_append_copy(&queue, "second", 6));
    assert_int_equal(out[0].length, 5);
    assert_memory_equal(out[0].bytes, "first", 5);
    assert_int_equal(queue.count, 1); /* packed behind it */
    slice_release(&out[0]);
    slice_queue_deinit(&queue);
    assert_nothing_leaked(&memory);
}

/* Notes how many of a piece's bytes it copied. */
static void counting_copier(struct braid_buf *buf, uint32_t offset, const uint8_t *bytes, uint32_t length) {
    memcpy(buf->bytes + offset, bytes, length);
    for (uint32_t i = 0; i < length; i++)
        if ((offset + i) / BUF_NOTE_BYTES < buf->capacity / BUF_NOTE_BYTES) buf->notes[(offset + i) / BUF_NOTE_BYTES]++;
}

static void a_copier_sees_every_byte_that_is_copied(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct slice_queue queue;
    slice_queue_init(&queue, &env);
    for (uint32_t length = 1; length < 100000; length = length * 3 + 1)
        assert_true(slice_queue_append_copy_by(&queue, counting_copier, scratch, length));
    while (queue.count > 0) {
        struct braid_slice slice = slice_queue_pop(&queue);
        assert_ptr_equal(slice.bytes, slice.buf->bytes);
        for (uint32_t i = 0; i < slice.length / BUF_NOTE_BYTES; i++) assert_int_equal(slice.buf->notes[i], BUF_NOTE_BYTES);
        slice_release(&slice);
    }
    slice_queue_deinit(&queue);
    assert_nothing_leaked(&memory);
}

static void a_buffer_is_filled_by_one_kind_of_copy(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct slice_queue queue;
    slice_queue_init(&queue, &env);
    for (int i = 0; i < 4; i++) {
        slice_queue_copier *copier = i % 2 ? counting_copier : NULL;
        assert_true(slice_queue_append_copy_by(&queue, copier, "abc", 3));
        assert_true(slice_queue_append_copy_by(&queue, copier, "def", 3));
        assert_int_equal(queue.count, i + 1);
    }
    slice_queue_peek(&queue, 0, scratch, 24);
    assert_memory_equal(scratch, "abcdefabcdefabcdefabcdef", 24);
    slice_queue_deinit(&queue);
    assert_nothing_leaked(&memory);
}

/* A reference handed back into the queue must not be mistaken for the buffer that may be filled up. */
static void a_foreign_slice_is_never_written_to(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct slice_queue queue;
    struct braid_slice out[1];
    slice_queue_init(&queue, &env);
    assert_true(slice_queue_append_copy(&queue, "abcdef", 6));
    assert_int_equal(slice_queue_gather(&queue, 0, 3, out, 1), 1); /* "abc" */
    slice_queue_drop(&queue, 6);
    struct braid_buf *foreign = buf_create(&env, 1000);
    memset(foreign->bytes, '.', 1000);
    assert_true(slice_queue_append(&queue, slice_of(foreign, foreign->bytes, 6)));
    assert_true(slice_queue_append_copy(&queue, "xyz", 3));
    assert_int_equal(foreign->bytes[6], '.');
    assert_true(slice_queue_append(&queue, out[0]));
    assert_true(slice_queue_append_copy(&queue, "uvw", 3));
    slice_queue_peek(&queue, 0, scratch, 15);
    assert_memory_equal(scratch, "......xyzabcuvw", 15);
    buf_release(foreign);
    slice_queue_deinit(&queue);
    assert_nothing_leaked(&memory);
}

static void adjoining_slices_become_one(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct slice_queue queue;
    slice_queue_init(&queue, &env);
    struct braid_buf *buf = buf_create(&env, 1000);
    for (uint32_t i = 0; i < 10; i++)
        assert_true(slice_queue_append(&queue, slice_of(buf, buf->bytes + i * 100, 100)));
    assert_int_equal(queue.count, 1);
    assert_int_equal(buf->references, 2);
    buf_release(buf);
    slice_queue_deinit(&queue);
    assert_nothing_leaked(&memory);
}

static void without_memory_nothing_is_appended(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    bool succeeded = false;
    memset(scratch, 7, sizeof(scratch));
    for (uint64_t allowed = 0; !succeeded; allowed++) {
        struct slice_queue queue;
        slice_queue_init(&queue, &env);
        assert_true(slice_queue_append_copy(&queue, "head", 4));
        memory.fail_after = allowed;
        succeeded = slice_queue_append_copy(&queue, scratch, 300000 - 1000);
        memory.fail_after = UINT64_MAX;
        assert_int_equal(queue.length, succeeded ? 299004 : 4);
        assert_true(slice_queue_append_copy(&queue, "tail", 4));
        uint8_t ends[8];
        slice_queue_peek(&queue, 0, ends, 4);
        slice_queue_peek(&queue, queue.length - 4, ends + 4, 4);
        assert_memory_equal(ends, "headtail", 8);
        slice_queue_deinit(&queue);
        assert_nothing_leaked(&memory);
        assert_true(allowed < 20);
    }
}

static void a_slice_that_cannot_be_appended_stays_the_callers(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct slice_queue queue;
    slice_queue_init(&queue, &env);
    struct braid_slice slice = slice_copy(&env, "abc", 3);
    memory.fail_after = 0;
    assert_false(slice_queue_append(&queue, slice));
    assert_int_equal(queue.length, 0);
    slice_release(&slice);
    slice_queue_deinit(&queue);
    assert_nothing_leaked(&memory);
}

/* 20,000 slices gathered in order, while acknowledgements drop from the front: walking from the front each time
 * would take a hundred million steps more. The cursor is looked at instead of the clock. */
static void gathering_in_order_continues_where_it_ended(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct slice_queue queue;
    struct braid_buf *buf = buf_create(&env, 2);
    uint64_t sent = 0, base = 0;
    slice_queue_init(&queue, &env);
    for (int i = 0; i < 20000; i++) assert_true(slice_queue_append(&queue, slice_of(buf, buf->bytes, 1)));
    while (sent < 20000) {
        struct braid_slice out[4];
        assert_int_equal(slice_queue_gather(&queue, sent - base, 4, out, 4), 4);
        for (int i = 0; i < 4; i++) slice_release(&out[i]);
        sent += 4;
        assert_int_equal(queue.cursor_offset, sent - 1 - base);
        if (sent > 1000 && base < sent - 1000) {
            slice_queue_drop(&queue, 3);
            base += 3;
            assert_int_equal(queue.cursor_offset, sent - 1 - base);
        }
    }
    buf_release(buf);
    slice_queue_deinit(&queue);
    assert_nothing_leaked(&memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_queue_holds_exactly_the_bytes_put_in),
        cmocka_unit_test(small_writes_share_buffers),
        cmocka_unit_test(a_lone_small_write_holds_little_memory),
        cmocka_unit_test(large_copies_are_split_at_64_kib),
        cmocka_unit_test(writing_behind_a_packet_in_flight_leaves_it_as_it_was),
        cmocka_unit_test(a_copier_sees_every_byte_that_is_copied),
        cmocka_unit_test(a_buffer_is_filled_by_one_kind_of_copy),
        cmocka_unit_test(a_foreign_slice_is_never_written_to),
        cmocka_unit_test(adjoining_slices_become_one),
        cmocka_unit_test(without_memory_nothing_is_appended),
        cmocka_unit_test(a_slice_that_cannot_be_appended_stays_the_callers),
        cmocka_unit_test(gathering_in_order_continues_where_it_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
