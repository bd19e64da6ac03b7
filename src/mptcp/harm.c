/* A path that costs more than it brings. Whatever a scheduler reckons beforehand, a path may lose, stall, or slow down, and
 * then the peer's window is shut by what it still holds, while others that could send stand still. So the account is kept
 * afterwards:
 *
 *     it brings   what is acknowledged on it
 *     it costs    as long as the window is shut, its data is what is awaited, and another path runs dry: that one's rate
 *
 * If in a while it costs more than it brings, it gets nothing for some time: as long as there is another path of which that
 * is not true (scheduler.h: rank). What it has under way goes out on the others. Then it is tried again (proving.c); each time it
 * turns out no better it waits twice as long. */
#include "subflow.h"

/* It counts for a few seconds, what is older ever less. */
static void forget(struct harm *h, uint64_t acknowledged, braid_time now) {
    if (now - h->since < NS_OF_MS(HARM_PERIOD_MS)) return;
    h->since = now;
    h->cost_bytes /= 2;
    h->brought_bytes = (h->brought_bytes + acknowledged - h->acknowledged_bytes) / 2;
    h->acknowledged_bytes = acknowledged;
}

void harm_again(struct subflow *sf, const char *reason, braid_time now) {
    struct harm *h = &sf->harm;
    if (now - h->until > NS_OF_MS(HARM_FORGIVEN_MS)) h->times = 0;
    h->until = now + (NS_OF_MS(HARM_FIRST_MS) << h->times);
    if (h->times < HARM_BACKOFF_MAX) h->times++;
    h->looked_from = 0;
    h->unproved = true;
    h->rounds = 0;
    COUNT(sf->c, subflow_harmful);
    TRACE(sf->c->env, now, subflow_harmful, .connection = sf->c->config.number, .subflow = sf->number,
          .cost_bytes = h->cost_bytes, .brought_bytes = h->brought_bytes, .until_us = h->until / BRAID_NS_PER_US);
    reinject_subflow(sf, reason, now);
}

/* Found harmful before, it has to show soon that it no longer is. */
static braid_time on_trial(const struct harm *h, const struct tcp_info *info) {
    return h->times > 0 ? subflow_rtt(info) / 2 : 2 * subflow_rtt(info);
}

static void charge(struct subflow *sf, uint64_t rate_bytes_per_s, braid_time now) {
    struct harm *h = &sf->harm;
    struct tcp_info info;
    tcp_info(sf->t, &info);
    if (h->looked_from == 0 || now - h->until < subflow_rtt(&info)) { /* it begins; or begins anew */
        *h = (struct harm){.since = now, .looked_from = now, .until = h->until, .times = h->times,
                           .acknowledged_bytes = info.bytes_acknowledged};
        return;
    }
    forget(h, info.bytes_acknowledged, now);
    h->cost_bytes += rate_bytes_per_s * ((now - sf->c->send.held_up_since) / BRAID_NS_PER_US) / 1000000;
    uint64_t brought = h->brought_bytes + info.bytes_acknowledged - h->acknowledged_bytes;
    if (now - h->looked_from < on_trial(h, &info) || h->cost_bytes < HARM_LEAST_BYTES || h->cost_bytes <= brought) return;
    h->brought_bytes = brought;
    harm_again(sf, "it costs more than it brings", now);
}

bool harm_done(const struct subflow *sf) { return sf->harm.unproved; }

void harm_watch(struct braid_connection *c, struct subflow *holder, struct subflow *idle, braid_time now) {
    struct sending *s = &c->send;
    if (s->held_up_since != 0 && now > s->held_up_since) {
        LIST_EACH(&c->subflows, node, following) {
            struct subflow *sf = SUBFLOW_OF(node);
            if (sf->number != s->held_up_by || sf->closed || sf->status != SUBFLOW_ACTIVE || harm_done(sf)) continue;
            charge(sf, s->held_up_bytes_per_s, now);
        }
    }
    s->held_up_since = 0;
    if (!holder || !idle || holder == idle) return;
    struct tcp_info info;
    tcp_info_sending(idle->t, &info);
    if (info.in_flight_bytes >= info.max_delivery_bytes_per_s * (info.min_rtt_ns / BRAID_NS_PER_US) / 1000000) return;
    s->held_up_since = now;
    s->held_up_by = holder->number;
    s->held_up_bytes_per_s = info.max_delivery_bytes_per_s;
}
