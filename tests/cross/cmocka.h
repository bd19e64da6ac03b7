/* As much of cmocka as the unit tests of the floors base and wire use, for machines that Debian has no cmocka for here: each
 * test of a program runs, and the first that fails ends it with a message and status 1. */
#ifndef CROSS_CMOCKA_H
#define CROSS_CMOCKA_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};

#define cmocka_unit_test(function) {#function, function}
#define cmocka_run_group_tests(tests, setup, teardown) cross_run(tests, sizeof(tests) / sizeof((tests)[0]), setup)

static inline int cross_run(const struct CMUnitTest *tests, size_t count, int (*setup)(void **state)) {
    void *group = NULL;
    if (setup != NULL && setup(&group) != 0) return 1;
    for (size_t i = 0; i < count; i++) {
        void *state = NULL;
        printf("%s\n", tests[i].name);
        fflush(stdout);
        tests[i].run(&state);
    }
    return 0;
}

#define fail_msg(...) (printf("%s:%d: ", __FILE__, __LINE__), printf(__VA_ARGS__), printf("\n"), exit(1))
#define cross_expect(condition, what) ((condition) ? (void)0 : (void)fail_msg("not so: %s", what))
#define assert_true(condition) cross_expect(condition, #condition)
#define assert_false(condition) cross_expect(!(condition), "not " #condition)
#define assert_null(pointer) cross_expect((pointer) == NULL, #pointer " is NULL")
#define assert_non_null(pointer) cross_expect((pointer) != NULL, #pointer " is not NULL")
#define assert_ptr_equal(a, b) cross_expect((const void *)(a) == (const void *)(b), #a " == " #b)
#define assert_int_equal(a, b) cross_expect((uint64_t)(a) == (uint64_t)(b), #a " == " #b)
#define assert_in_range(a, least, most)                                                                          \
    cross_expect((uint64_t)(a) >= (uint64_t)(least) && (uint64_t)(a) <= (uint64_t)(most), #a " in " #least ".." #most)
#define assert_memory_equal(a, b, size) cross_expect(memcmp(a, b, size) == 0, #a " equals " #b)
#define assert_string_equal(a, b) cross_expect(strcmp(a, b) == 0, #a " equals " #b)
#define assert_string_not_equal(a, b) cross_expect(strcmp(a, b) != 0, #a " differs from " #b)

#endif
