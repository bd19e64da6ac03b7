/* What the connections of a stack may hold together, in bytes of data: written and not acknowledged, received and not read,
 * or waiting for what comes before it. Of packets and of the connections themselves nothing is counted. */
#ifndef MPTCP_BUDGET_H
#define MPTCP_BUDGET_H

#include <stdint.h>

struct memory_budget {
    uint64_t limit_bytes; /* 0: none */
    uint64_t held_bytes;
};

#endif
