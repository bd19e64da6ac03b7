/* The coupled algorithms as figures: what siblings do to the growth of a window, and what one alone does. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <congestion/congestion.h>

#define MS BRAID_NS_PER_MS
#define S BRAID_NS_PER_S
enum { MSS = 1000, MAX = 4 };

static const char *const names[] = {"lia", "olia", "balia"};

struct path {
    struct congestion c;
    braid_time rtt_ns;
};

struct family {
    struct coupled_group group;
    struct path paths[MAX];
    unsigned count;
    braid_time now;
};

static void family_init(struct family *f, const char *name, unsigned count) {
    memset(f, 0, sizeof(*f));
    f->count = count;
    f->now = 10 * S;
    for (unsigned i = 0; i < count; i++) {
        struct path *p = &f->paths[i];
        congestion_start(&p->c, congestion_find(name), MSS, f->now);
        congestion_couple(&p->c, &f->group);
        p->c.cwnd_bytes = 100 * MSS;
        p->c.ssthresh_bytes = 50 * MSS;
        p->rtt_ns = 100 * MS;
    }
}

static void acknowledge(struct family *f, unsigned i, uint32_t bytes) {
    struct congestion *c = &f->paths[i].c;
    struct congestion_ack ack = {.now = f->now,
                                 .acked_bytes = bytes,
                                 .in_flight_bytes = c->cwnd_bytes,
                                 .rtt_ns = f->paths[i].rtt_ns,
                                 .srtt_ns = f->paths[i].rtt_ns,
                                 .min_rtt_ns = f->paths[i].rtt_ns,
                                 .cwnd_limited = true};
    c->ops->on_ack(c, &ack);
}

/* So many round trips, a window acknowledged in each; all paths have the same. */
static void rounds(struct family *f, unsigned count) {
    for (unsigned round = 0; round < count; round++) {
        for (unsigned part = 0; part < 10; part++) {
            for (unsigned i = 0; i < f->count; i++) acknowledge(f, i, f->paths[i].c.cwnd_bytes / 10);
            f->now += 10 * MS;
        }
    }
}

static double grown_segments(const struct family *f) {
    double sum = 0;
    for (unsigned i = 0; i < f->count; i++) sum += (double)f->paths[i].c.cwnd_bytes / MSS - 100;
    return sum;
}

static void alone_each_grows_like_newreno(void **state) {
    (void)state;
    for (unsigned n = 0; n < 3; n++) {
        for (int grouped = 0; grouped < 2; grouped++) {
            struct family f;
            family_init(&f, names[n], 1);
            if (!grouped) congestion_uncouple(&f.paths[0].c);
            rounds(&f, 20);
            assert_true(grown_segments(&f) >= 18 && grown_segments(&f) <= 21);
            f.paths[0].c.ops->on_loss(&f.paths[0].c, 0, f.now);
            assert_true(f.paths[0].c.cwnd_bytes >= 59 * MSS && f.paths[0].c.cwnd_bytes <= 61 * MSS);
        }
    }
}

/* Each by a sixteenth of what one alone would: with windows of the same size, four times the rate (RFC 6356 §3). */
static void alike_they_grow_together_as_one(void **state) {
    (void)state;
    for (unsigned n = 0; n < 3; n++) {
        struct family f;
        family_init(&f, names[n], 4);
        rounds(&f, 40);
        double sum = grown_segments(&f); /* each by 1/16 of NewReno's segment a round trip: 40 * 4 / 16 */
        print_message("%s: four windows grew by %.1f segments in 40 round trips\n", names[n], sum);
        assert_true(sum >= 7 && sum <= 12);
    }
}

static void never_faster_than_newreno_on_any_path(void **state) {
    (void)state;
    struct family f;
    family_init(&f, "lia", 2);
    f.paths[0].c.cwnd_bytes = 10 * MSS;
    f.paths[0].c.ssthresh_bytes = 5 * MSS;
    f.paths[0].rtt_ns = 500 * MS;
    f.paths[1].rtt_ns = 10 * MS; /* alpha is large */
    for (unsigned i = 0; i < 50; i++) {
        acknowledge(&f, 1, 1000);
        uint32_t before = f.paths[0].c.cwnd_bytes;
        acknowledge(&f, 0, 1000);
        assert_true(f.paths[0].c.cwnd_bytes - before <= MSS);
    }
    assert_true(f.paths[0].c.cwnd_bytes <= 15 * MSS);
}

static void an_idle_sibling_takes_nothing(void **state) {
    (void)state;
    for (unsigned n = 0; n < 3; n++) {
        struct family f;
        family_init(&f, names[n], 2);
        rounds(&f, 1);
        f.now += 5 * S;
        f.count = 1;
        double before = grown_segments(&f);
        rounds(&f, 20);
        assert_true(grown_segments(&f) - before >= 18);
    }
}

static void olia_moves_to_the_path_that_loses_less(void **state) {
    (void)state;
    struct family f;
    family_init(&f, "olia", 2);
    f.paths[0].c.cwnd_bytes = 40 * MSS;
    f.paths[0].c.ssthresh_bytes = 20 * MSS;
    acknowledge(&f, 0, 1000);
    acknowledge(&f, 1, 1000);
    /* The one with the larger window has just lost, twice; the other has not for long. */
    for (unsigned i = 0; i < 3000; i++) acknowledge(&f, 0, 1);
    for (int i = 0; i < 2; i++) f.paths[1].c.ops->on_loss(&f.paths[1].c, 0, f.now);
    f.paths[1].c.cwnd_bytes = 100 * MSS;
    uint32_t small = f.paths[0].c.cwnd_bytes, large = f.paths[1].c.cwnd_bytes;
    for (unsigned i = 0; i < 400; i++) {
        acknowledge(&f, 0, 1000);
        acknowledge(&f, 1, 1);
    }
    assert_true(f.paths[0].c.cwnd_bytes > small + 4 * MSS);
    assert_true(f.paths[1].c.cwnd_bytes <= large);
}

static void balia_falls_further_on_the_slower_path(void **state) {
    (void)state;
    struct family f;
    family_init(&f, "balia", 2);
    f.paths[0].c.cwnd_bytes = 40 * MSS;
    f.paths[0].c.ssthresh_bytes = 20 * MSS;
    acknowledge(&f, 0, 1);
    acknowledge(&f, 1, 1);
    f.paths[0].c.ops->on_loss(&f.paths[0].c, 0, f.now);
    f.paths[1].c.ops->on_loss(&f.paths[1].c, 0, f.now);
    assert_true(f.paths[0].c.cwnd_bytes <= 11 * MSS); /* by three quarters, alpha being 2.5 */
    assert_true(f.paths[1].c.cwnd_bytes >= 50 * MSS);
    f.paths[0].c.ops->on_undo(&f.paths[0].c, f.now);
    assert_int_equal(f.paths[0].c.cwnd_bytes, 40 * MSS);
}

static void members_come_and_go(void **state) {
    (void)state;
    struct family f;
    family_init(&f, "lia", 4);
    congestion_uncouple(&f.paths[1].c);
    congestion_uncouple(&f.paths[1].c);
    congestion_uncouple(&f.paths[3].c);
    congestion_uncouple(&f.paths[0].c);
    assert_ptr_equal(f.group.first, &f.paths[2].c);
    congestion_uncouple(&f.paths[2].c);
    assert_null(f.group.first);
}

/* Whatever the figures are, nothing overflows and no window vanishes. */
static void absurd_figures_do_no_harm(void **state) {
    (void)state;
    for (unsigned n = 0; n < 3; n++) {
        struct family f;
        family_init(&f, names[n], 3);
        f.paths[0].rtt_ns = 1;
        f.paths[1].rtt_ns = 3600 * S;
        f.paths[1].c.cwnd_bytes = 1;
        f.paths[2].c.cwnd_bytes = 1 << 30;
        for (unsigned i = 0; i < 1000; i++) {
            acknowledge(&f, i % 3, i % 7 == 0 ? 1 << 30 : 1);
            if (i % 50 == 49) f.paths[i % 3].c.ops->on_loss(&f.paths[i % 3].c, 0, f.now);
            if (i % 90 == 89) f.paths[i % 3].c.ops->on_timeout(&f.paths[i % 3].c, 0, f.now);
            for (unsigned k = 0; k < 3; k++) {
                assert_true(f.paths[k].c.cwnd_bytes > 0 && f.paths[k].c.cwnd_bytes <= 1 << 30);
                assert_true(f.paths[k].c.ssthresh_bytes > 0);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone_each_grows_like_newreno),
        cmocka_unit_test(alike_they_grow_together_as_one),
        cmocka_unit_test(never_faster_than_newreno_on_any_path),
        cmocka_unit_test(an_idle_sibling_takes_nothing),
        cmocka_unit_test(olia_moves_to_the_path_that_loses_less),
        cmocka_unit_test(balia_falls_further_on_the_slower_path),
        cmocka_unit_test(members_come_and_go),
        cmocka_unit_test(absurd_figures_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
