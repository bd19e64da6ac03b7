/* What tests in virtual time share. */
#ifndef SIM_TEST_H
#define SIM_TEST_H

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include <sim/middlebox.h>
#include <sim/phone.h>

#define MS BRAID_NS_PER_MS
#define S BRAID_NS_PER_S
#define MB 1000000

static inline double ms_of(braid_time t) { return (double)t / (double)MS; }

/* Ends the world; all memory came back. */
static inline void phone_end(struct sim_phone *phone) { assert_int_equal(sim_phone_deinit(phone), 0); }

static inline void assert_whole(const struct sim_conversation *c) {
    struct sim_stream_result up, down;
    sim_conversation_result(c, SIM_UP, &up);
    sim_conversation_result(c, SIM_DOWN, &down);
    if (sim_conversation_fault(c) != NULL) fail_msg("%s", sim_conversation_fault(c));
    if (!sim_conversation_complete(c))
        fail_msg("read %llu of what the client wrote, %llu of what the server wrote; ended %d %d; closed: %s, %s",
                 (unsigned long long)up.read, (unsigned long long)down.read, up.ended, down.ended,
                 braid_close_reason_name(sim_conversation_close_reason(c, SIM_UP)),
                 braid_close_reason_name(sim_conversation_close_reason(c, SIM_DOWN)));
}

static inline double read_mbps(const struct sim_conversation *c, enum sim_direction stream, braid_time began) {
    struct sim_stream_result r;
    sim_conversation_result(c, stream, &r);
    return (double)r.read * 8000.0 / (double)(r.ended_at - began);
}

static inline double seconds_of_real_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

#endif
