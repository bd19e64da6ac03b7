#include <congestion/congestion.h>

#include <string.h>

#include "window.h"

static const struct congestion_ops *const algorithms[] = {
    &congestion_cubic, &congestion_newreno, &congestion_bbr, &congestion_bbr1, &congestion_lia, &congestion_olia, &congestion_balia};

static bool same_text(const char *a, const char *b) {
    while (*a != '\0' && *a == *b) a++, b++;
    return *a == *b;
}

const struct congestion_ops *congestion_find(const char *name) {
    for (unsigned i = 0; i < ARRAY_COUNT(algorithms); i++) {
        if (same_text(algorithms[i]->name, name)) return algorithms[i];
    }
    return NULL;
}

const char *congestion_name(unsigned index) {
    return index < ARRAY_COUNT(algorithms) ? algorithms[index]->name : NULL;
}

void congestion_start(struct congestion *c, const struct congestion_ops *ops, uint32_t mss_bytes, braid_time now) {
    ENSURE(mss_bytes > 0);
    memset(c, 0, sizeof(*c));
    c->ops = ops;
    c->mss_bytes = mss_bytes;
    c->cwnd_bytes = window_initial(mss_bytes);
    c->ssthresh_bytes = UINT32_MAX;
    ops->init(c, now);
}

const char *congestion_state_name(const struct congestion *c) {
    if (!c->ops) return "not begun";
    if (c->ops->state) return c->ops->state(c);
    return c->cwnd_bytes < c->ssthresh_bytes ? "slow start" : "congestion avoidance";
}
