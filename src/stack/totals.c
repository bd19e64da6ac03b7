/* What all subflows by a link did together: those that are over are added up when they end, the others when it is asked. */
#include "stack_internal.h"

static void add(struct braid_link_totals *totals, const struct tcp_info *tcp) {
    totals->subflows++;
    totals->bytes_sent += tcp->bytes_sent;
    totals->bytes_received += tcp->bytes_received;
    totals->bytes_retransmitted += tcp->bytes_retransmitted;
    totals->bytes_received_duplicate += tcp->bytes_received_duplicate;
    totals->segments_sent += tcp->segments_sent;
    totals->segments_received += tcp->segments_received;
    totals->segments_retransmitted += tcp->segments_retransmitted;
    totals->segments_out_of_order += tcp->segments_out_of_order;
    totals->timeouts += tcp->timeouts;
    totals->probes += tcp->probes;
    totals->fast_recoveries += tcp->fast_recoveries;
    totals->spurious_recoveries += tcp->spurious_recoveries;
    totals->marks_received += tcp->marks_received;
    totals->marks_answered += tcp->marks_answered;
}

void totals_subflow_over(void *host, uint16_t link, const struct tcp *t) {
    struct braid_stack *stack = host;
    struct tcp_info info;
    tcp_info(t, &info);
    add(&stack->links[link].totals, &info);
}

bool braid_stack_link_totals(const struct braid_stack *stack, int link, struct braid_link_totals *out) {
    if (link < 0 || link >= stack->link_count) return false;
    *out = stack->links[link].totals;
    LIST_EACH(&stack->connections, node, following) {
        const struct entry *entry = LIST_ENTRY(node, struct entry, all);
        struct subflow_info info;
        for (unsigned i = 0; connection_subflow_info(entry->connection, i, &info); i++)
            if (info.link == link) add(out, &info.tcp);
    }
    return true;
}
