/* LIA, the Linked Increases Algorithm (RFC 6356): all subflows together take as much as one TCP would on the best of the
 * paths, and on none of them more than a TCP there.
 *
 *     increase per byte = segment * min(alpha / sum of all cwnd, 1 / cwnd)                                  (§3, (1))
 *     alpha = sum of all cwnd * max(cwnd / RTT^2) / (sum of all cwnd / RTT)^2                               (§3, (2))
 *
 * so the first of the two is segment * max(x / RTT) / (sum of x)^2. */
#include "coupled.h"

static void on_ack(struct congestion *c, const struct congestion_ack *ack) {
    uint64_t acked = coupled_avoidance_bytes(c, ack), best = 0;
    if (acked == 0) return;
    for (struct congestion *s = coupled_first(c, ack->now); s != NULL; s = coupled_next(c, s, ack->now))
        if (coupled_growth(s) > best) best = coupled_growth(s);
    int64_t linked = coupled_increase(c, best, acked, ack->now), alone = coupled_newreno_increase(c, acked);
    coupled_grow(c, linked < alone ? linked : alone);
}

const struct congestion_ops congestion_lia = {
    .name = "lia",
    .coupled = true,
    .init = coupled_init,
    .on_ack = on_ack,
    .on_loss = coupled_on_loss,
    .on_recovered = coupled_on_recovered,
    .on_timeout = coupled_on_timeout,
    .on_undo = coupled_on_undo,
    .on_restart = coupled_on_restart,
    .on_longer = coupled_on_longer,
};
