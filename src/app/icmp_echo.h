/* Ping for programs behind braid: echo requests go out by a raw socket on the uplink, and the replies that
 * bear the same identifier come back. */
#ifndef APP_ICMP_ECHO_H
#define APP_ICMP_ECHO_H

#include <wire/ip.h>

/* Whether the payload of an IP packet is an echo request. */
bool icmp_echo_is_request(const struct ip_header *ip, const uint8_t *payload, uint16_t *identifier);
/* A raw socket that sends and receives by `interface` alone. -1 with errno set. */
int icmp_echo_open(enum ip_family family, const char *interface);
/* The ICMP message of what such a socket received, if it is a reply with this identifier; NULL if not. */
const uint8_t *icmp_echo_reply(enum ip_family family, const uint8_t *received, uint32_t length,
                               uint16_t identifier, uint32_t *message_length);
/* A whole IP packet with that message. Returns its length, 0 if `room` is too small. */
uint32_t icmp_echo_packet(const struct ip_address *source, const struct ip_address *destination,
                          const uint8_t *message, uint32_t message_length, uint8_t *out, size_t room);

#endif
