/* What both versions of BBR share. */
#ifndef CONGESTION_BBR_H
#define CONGESTION_BBR_H

#include "aggregation.h"
#include "window.h"

enum { BBR_PACING_MARGIN_PERCENT = 1, BBR_PIPE_MIN_SEGMENTS = 4 };
#define BBR_QUANTUM_NS BRAID_NS_PER_MS

static inline uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }
static inline uint32_t most(uint32_t a, uint32_t b) { return a > b ? a : b; }

static inline uint32_t bbr_pipe_min(const struct congestion *c) { return BBR_PIPE_MIN_SEGMENTS * c->mss_bytes; }

/* The drafts' random waits and phases come from the nanosecond at which they begin, so that runs can be repeated. */
static inline uint64_t bbr_draw(braid_time now) { return now * UINT64_C(0x9e3779b97f4a7c15); }

/* Bandwidth-delay product; rtt_ns BRAID_NEVER: unknown. */
static inline uint32_t bbr_product(const struct congestion *c, uint64_t bytes_per_s, braid_time rtt_ns) {
    if (rtt_ns == BRAID_NEVER) return window_initial(c->mss_bytes);
    uint64_t rtt_us = rtt_ns / BRAID_NS_PER_US + 1;
    if (bytes_per_s > (UINT64_C(1) << 37)) bytes_per_s = UINT64_C(1) << 37;
    if (rtt_us > (1u << 26)) rtt_us = 1u << 26;
    return window_bounded(bytes_per_s * rtt_us / 1000000);
}

static inline uint32_t bbr_send_quantum(const struct congestion *c) {
    uint64_t quantum = c->pacing_bytes_per_s / (BRAID_NS_PER_S / BBR_QUANTUM_NS);
    if (quantum > 65536) quantum = 65536;
    return most((uint32_t)quantum, 2 * c->mss_bytes);
}

/* Before the first sample says anything, and that may be of a request of a few bytes: the initial window in a round trip. */
static inline void bbr_init_pacing(struct congestion *c, braid_time srtt_ns, uint32_t startup_gain_percent) {
    if (c->pacing_bytes_per_s > 0 || srtt_ns == 0) return;
    uint64_t nominal = (uint64_t)window_initial(c->mss_bytes) * BRAID_NS_PER_S / srtt_ns;
    c->pacing_bytes_per_s = nominal * startup_gain_percent / 100;
}

/* What a pause says is said by on_flight(): the model does not age. */
static inline void bbr_on_restart(struct congestion *c, braid_time idle_ns, braid_time now) { (void)c, (void)idle_ns, (void)now; }

/* The rate of the model, a little below it. */
static inline uint64_t bbr_pacing_rate(uint64_t bytes_per_s, uint32_t gain_percent) {
    return bytes_per_s * gain_percent / 100 * (100 - BBR_PACING_MARGIN_PERCENT) / 100;
}

#endif
