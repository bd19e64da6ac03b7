/* IPv4 and IPv6 addresses and flows. */
#ifndef WIRE_ADDRESS_H
#define WIRE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <base/ensure.h>

enum ip_family { IP_NONE = 0, IP_V4 = 4, IP_V6 = 6 };

struct ip_address {
    enum ip_family family;
    uint8_t bytes[16]; /* network order; the first 4 for IPv4, the rest zero */
};

/* The two ends of one TCP subflow, as seen from here. */
struct flow {
    struct ip_address local, remote;
    uint16_t local_port, remote_port; /* host order */
};

#define IP_ADDRESS_TEXT_MAX 46
#define FLOW_END_TEXT_MAX 56 /* "[address]:port" */

struct ip_address ip_address_v4(const uint8_t bytes[4]);
struct ip_address ip_address_v6(const uint8_t bytes[16]);
bool ip_address_equal(const struct ip_address *a, const struct ip_address *b);
bool flow_equal(const struct flow *a, const struct flow *b);
bool ip_address_is_loopback(const struct ip_address *a);
bool ip_address_is_multicast(const struct ip_address *a); /* and 255.255.255.255 */
bool ip_address_is_unspecified(const struct ip_address *a);
bool ip_address_is_link_local(const struct ip_address *a);
/* One host's, and not our own by the loopback: none of the above but link-local, nor of 0.0.0.0/8 and 240.0.0.0/4. */
bool ip_address_is_unicast(const struct ip_address *a);
/* RFC 5952 text; `text` holds IP_ADDRESS_TEXT_MAX bytes. Returns `text`. */
const char *ip_address_format(const struct ip_address *a, char *text);
bool ip_address_parse(const char *text, struct ip_address *out) MUST_USE;
/* "address:port" or "[address]:port"; `text` holds FLOW_END_TEXT_MAX bytes. */
const char *flow_end_format(const struct ip_address *a, uint16_t port, char *text);

#endif
