/* Looking at packets on the wire, and changing them, as a middlebox would. IPv4 only. */
#ifndef PACKET_EDIT_H
#define PACKET_EDIT_H

#include "two_hosts.h"

static inline uint8_t *tcp_of(uint8_t *bytes) { return bytes + (bytes[0] & 15) * 4; }

/* Calls `look` for each MPTCP option, kind and length included. */
static inline void each_option(uint8_t *bytes, void (*look)(uint8_t *option, void *context), void *context) {
    uint8_t *tcp = tcp_of(bytes), *at = tcp + 20, *end = tcp + (tcp[12] >> 4) * 4;
    while (at < end && *at != 0) {
        if (*at == 1) {
            at++;
            continue;
        }
        uint8_t length = at[1];
        if (*at == TCP_OPTION_KIND_MPTCP) look(at, context);
        at += length;
    }
}

static inline void erase_option(uint8_t *option, void *context) {
    (void)context;
    memset(option, 1, option[1]); /* no-operation */
}
static inline void strip_mptcp(uint8_t *bytes) { each_option(bytes, erase_option, NULL); }

static inline void find_subtype(uint8_t *option, void *context) {
    unsigned *mask = context;
    *mask |= 1u << (option[2] >> 4);
}
static inline unsigned subtypes_of(uint8_t *bytes) {
    unsigned mask = 0;
    each_option(bytes, find_subtype, &mask);
    return mask;
}

static inline uint8_t flags_of(uint8_t *bytes) { return tcp_of(bytes)[13]; }
static inline uint32_t payload_of(uint8_t *bytes, uint32_t length) {
    return length - (uint32_t)(tcp_of(bytes) - bytes) - (uint32_t)(tcp_of(bytes)[12] >> 4) * 4;
}

/* Makes each option of one subtype into nothing. */
static inline void erase_if(uint8_t *option, void *context) {
    if (option[2] >> 4 == *(int *)context) memset(option, 1, option[1]);
}
static inline void strip_subtype(uint8_t *bytes, int subtype) { each_option(bytes, erase_if, &subtype); }


#endif
