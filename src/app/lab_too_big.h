/* What a hop with a small MTU answers, as an Ethernet frame. */
#ifndef APP_LAB_TOO_BIG_H
#define APP_LAB_TOO_BIG_H

#include <wire/address.h>

#define LAB_ETHERNET_BYTES 14
#define LAB_TOO_BIG_BYTES_MAX (LAB_ETHERNET_BYTES + 1280)

/* Whether the frame's IP packet is larger than that. */
bool lab_is_too_big(const uint8_t *frame, uint32_t bytes, uint32_t path_mtu);
/* The answer to its sender, from the one of `addresses` that has its family. Returns its bytes; 0: there is
 * none. */
uint32_t lab_too_big_answer(const uint8_t *frame, uint32_t bytes, uint32_t path_mtu,
                            const struct ip_address addresses[2], uint8_t out[LAB_TOO_BIG_BYTES_MAX]);

#endif
