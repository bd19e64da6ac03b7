/* Addresses at the public face. */
#ifndef BRAID_ADDRESS_H
#define BRAID_ADDRESS_H

#include <stdint.h>

struct braid_address {
    uint8_t family;    /* 4 or 6; 0: none */
    uint8_t bytes[16]; /* network order; IPv4 in the first 4, the rest zero */
};

/* An address and a port in host order. */
struct braid_endpoint {
    struct braid_address address;
    uint16_t port;
};

#endif
