/* The MPTCP options of RFC 6824 (version 0), as far as they are not RFC 8684's. MP_CAPABLE says its version itself, and
 * mptcp_option_decode() knows its lengths in both. What an option cannot say of itself is decoded and encoded here, on a
 * connection of version 0:
 *
 *   ADD_ADDR   four bits of IP version where version 1 has flags; neither HMAC nor echo
 *   MP_PRIO    may name an address ID (in version 1 that is ignored, in both it is read)
 *   MP_TCPRST  does not exist: a subtype that is unknown
 *
 * All others are the same to the bit. */
#ifndef WIRE_MPTCP_OPTION_V0_H
#define WIRE_MPTCP_OPTION_V0_H

#include <wire/mptcp_option.h>

enum mptcp_decode_result mptcp_option_decode_v0(const uint8_t *bytes, uint32_t length, struct mptcp_option *out) MUST_USE;
/* Bytes written; 0 when it does not fit, or there is no such thing in version 0: MP_TCPRST, an echo. An HMAC is left out. */
uint32_t mptcp_option_encode_v0(const struct mptcp_option *option, uint8_t *out, size_t room);

#endif
