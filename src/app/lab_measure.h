/* What is measured of a run: its output as the application saw it, the bytes each path carried, and the
 * events.
 *
 * The silence around an event is the longest gap between two reads of the output that overlaps the window
 * from 0.2 s before the event to the next event, or to 5 s after it if there is none sooner. The whole gap
 * counts, not only its part within the window. The time from the start to the first byte is a gap, and so is
 * that from the last byte to the end of a run that did not complete; the time after the last byte of one that
 * did is none. An event after the end of the output has no silence. */
#ifndef APP_LAB_MEASURE_H
#define APP_LAB_MEASURE_H

#include <jansson.h>
#include <openssl/evp.h>
#include "lab_internal.h"

#define LAB_SAMPLE_NS (50 * BRAID_NS_PER_MS)

struct lab_read {
    braid_time at_ns; /* since the start */
    uint64_t bytes;
};

/* A gap in the output, in time since the start. */
struct lab_gap {
    braid_time from_ns, to_ns;
};

struct lab_series {
    uint64_t *values;
    size_t count, capacity;
};

struct lab_path {
    unsigned link;
    struct lab_link_bytes now, before; /* the last two samples */
    uint64_t at_start[2];
    struct lab_series bytes[2]; /* in each interval of LAB_SAMPLE_NS, by direction */
};

struct lab_happening {
    const struct scenario_event *event;
    braid_time at_ns; /* when it was done, since the start */
};

struct lab_measurement {
    const struct scenario_run *run;
    braid_time started_ns, ended_ns; /* on the emulator's clock */
    struct lab_read *reads;
    size_t read_count, read_capacity;
    uint64_t bytes;
    EVP_MD_CTX *hash; /* NULL: nobody compares */
    char *text;       /* output that is JSON */
    size_t text_length;
    struct lab_path *paths;
    size_t path_count, sample_count;
    struct lab_happening *happenings;
    size_t happening_count;
    bool completed, timed_out;
    int exit_status;
};

bool lab_measurement_init(struct lab_measurement *measurement, struct lab *lab,
                          const struct scenario_run *run);
void lab_measurement_deinit(struct lab_measurement *measurement);

/* Takes what can be read. False at the end of the output. */
bool lab_measure_read(struct lab_measurement *measurement, int fd);
/* Once every LAB_SAMPLE_NS. */
void lab_measure_sample(struct lab_measurement *measurement, struct lab *lab);
void lab_measure_event(struct lab_measurement *measurement, const struct scenario_event *event);

/* The longest gap around the i-th happening; false when there is none to speak of. */
bool lab_measure_silence(const struct lab_measurement *measurement, size_t happening, struct lab_gap *out);
/* The run's object in result.json. */
json_t *lab_measure_result(struct lab_measurement *measurement, struct lab *lab);

/* ---- lab_live.c ---- */

struct lab_live {
    bool terminal, drawn;
    braid_time next_ns; /* when it wants to be drawn again, on the emulator's clock */
    uint64_t shown[16][2];
    braid_time shown_at_ns;
};
void lab_live_start(struct lab_live *live, const struct lab_measurement *measurement, braid_time now);
void lab_live_draw(struct lab_live *live, struct lab_measurement *measurement, struct lab *lab,
                   braid_time now);
void lab_live_end(struct lab_live *live);

#endif
