/* The silence around an event: the longest gap between two reads that overlaps its window. */
#include "said.h"
#include <lab_measure.h>

#define MS BRAID_NS_PER_MS
#define READS_MAX 64
#define EVENTS_MAX 4

struct told {
    struct lab_measurement measurement;
    struct lab_read reads[READS_MAX];
    struct lab_happening happenings[EVENTS_MAX];
    struct scenario_event events[EVENTS_MAX];
};

static void tell(struct told *told) {
    *told = (struct told){0};
    told->measurement.reads = told->reads;
    told->measurement.happenings = told->happenings;
    told->measurement.completed = true;
}

static void read_at(struct told *told, uint64_t ms) {
    struct lab_measurement *m = &told->measurement;
    assert_true(m->read_count < READS_MAX);
    m->reads[m->read_count++] = (struct lab_read){ms * MS, 1000};
    m->ended_ns = ms * MS;
}

static void event_at(struct told *told, uint64_t ms) {
    struct lab_measurement *m = &told->measurement;
    struct scenario_event *event = &told->events[m->happening_count];
    event->at_ns = ms * MS;
    m->happenings[m->happening_count++] = (struct lab_happening){event, ms * MS};
}

static void expect_silence(const struct told *told, size_t event, uint64_t from_ms, uint64_t to_ms) {
    struct lab_gap gap;
    assert_true(lab_measure_silence(&told->measurement, event, &gap));
    assert_int_equal(gap.from_ns / MS, from_ms);
    assert_int_equal(gap.to_ns / MS, to_ms);
}

static void the_gap_that_an_event_made_is_found(void **state) {
    struct told told;
    (void)state;
    tell(&told);
    for (uint64_t ms = 0; ms <= 3000; ms += 100) read_at(&told, ms);
    for (uint64_t ms = 3750; ms <= 4500; ms += 50) read_at(&told, ms);
    event_at(&told, 3010);
    expect_silence(&told, 0, 3000, 3750);
}

static void a_gap_before_the_window_does_not_count(void **state) {
    struct told told;
    (void)state;
    tell(&told);
    read_at(&told, 10);
    read_at(&told, 2000); /* a gap of two seconds, long before */
    for (uint64_t ms = 2050; ms <= 4000; ms += 50) read_at(&told, ms);
    event_at(&told, 3000);
    struct lab_gap gap;
    assert_true(lab_measure_silence(&told.measurement, 0, &gap));
    assert_int_equal((gap.to_ns - gap.from_ns) / MS, 50);
}

static void the_next_event_ends_the_window_of_the_one_before(void **state) {
    struct told told;
    (void)state;
    tell(&told);
    for (uint64_t ms = 0; ms <= 2000; ms += 50) read_at(&told, ms);
    read_at(&told, 2500);
    for (uint64_t ms = 2550; ms <= 3000; ms += 50) read_at(&told, ms);
    event_at(&told, 500);
    event_at(&told, 1990);
    struct lab_gap gap;
    assert_true(lab_measure_silence(&told.measurement, 0, &gap));
    assert_int_equal((gap.to_ns - gap.from_ns) / MS, 50);
    expect_silence(&told, 1, 2000, 2500);
}

static void one_gap_may_belong_to_two_events(void **state) {
    struct told told;
    (void)state;
    tell(&told);
    for (uint64_t ms = 0; ms <= 1000; ms += 50) read_at(&told, ms);
    read_at(&told, 5000);
    event_at(&told, 1010);
    event_at(&told, 4000);
    expect_silence(&told, 0, 1000, 5000);
    expect_silence(&told, 1, 1000, 5000);
}

static void a_run_that_never_completed_is_silent_to_its_end(void **state) {
    struct told told;
    (void)state;
    tell(&told);
    for (uint64_t ms = 0; ms <= 1000; ms += 50) read_at(&told, ms);
    told.measurement.completed = false;
    told.measurement.ended_ns = 9000 * MS;
    event_at(&told, 1010);
    expect_silence(&told, 0, 1000, 9000);
}

static void an_event_after_the_end_has_no_silence(void **state) {
    struct told told;
    struct lab_gap gap;
    (void)state;
    tell(&told);
    for (uint64_t ms = 0; ms <= 1000; ms += 50) read_at(&told, ms);
    event_at(&told, 1500);
    assert_false(lab_measure_silence(&told.measurement, 0, &gap));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gap_that_an_event_made_is_found),
        cmocka_unit_test(a_gap_before_the_window_does_not_count),
        cmocka_unit_test(the_next_event_ends_the_window_of_the_one_before),
        cmocka_unit_test(one_gap_may_belong_to_two_events),
        cmocka_unit_test(a_run_that_never_completed_is_silent_to_its_end),
        cmocka_unit_test(an_event_after_the_end_has_no_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
