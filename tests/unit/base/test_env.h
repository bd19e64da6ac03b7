/* An environment for tests: memory that is counted and can be made to run out, and trace events that are kept. */
#ifndef TEST_ENV_H
#define TEST_ENV_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <braid/env.h>

struct test_memory {
    size_t bytes_out; /* allocated and not released yet */
    size_t blocks_out;
    uint64_t allocations;
    uint64_t fail_after; /* so many more allocations succeed; UINT64_MAX: all */
};

static void *test_allocate(void *context, size_t size) {
    struct test_memory *memory = context;
    if (memory->fail_after == 0) return NULL;
    if (memory->fail_after != UINT64_MAX) memory->fail_after--;
    memory->bytes_out += size;
    memory->blocks_out++;
    memory->allocations++;
    return malloc(size);
}

static void test_release(void *context, void *block, size_t size) {
    struct test_memory *memory = context;
    assert_true(memory->blocks_out > 0 && memory->bytes_out >= size);
    memory->bytes_out -= size;
    memory->blocks_out--;
    free(block);
}

static inline struct braid_env test_env(struct test_memory *memory) {
    *memory = (struct test_memory){.fail_after = UINT64_MAX};
    return (struct braid_env){.context = memory, .allocate = test_allocate, .release = test_release};
}

static inline void assert_nothing_leaked(const struct test_memory *memory) {
    assert_int_equal(memory->blocks_out, 0);
    assert_int_equal(memory->bytes_out, 0);
}

#endif
