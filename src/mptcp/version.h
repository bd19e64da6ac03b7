/* The two versions of MPTCP that are spoken: 1 (RFC 8684), and 0 (RFC 6824) with peers that know nothing else. All that
 * differs between them stands here or is one of the functions below; the rest of the floor does not know which it is:
 *
 *   the SYN           carries our key in version 0; in version 1 only the SYN/ACK does, and the third packet
 *   first data        is mapped by a DSS in version 0; in version 1 by MP_CAPABLE, as long as it is not confirmed
 *   the third packet  is an ACK without data in version 0, for a DSS does not fit beside the keys
 *   token, IDSN, HMAC of SHA-1, or of SHA-256
 *   ADD_ADDR          has neither HMAC nor echo in version 0 (addresses.c): it is said twice, and believed only beside a
 *                     DATA_ACK that fits, for few addresses
 *   a DSS checksum    that was not agreed is ignored in version 0; in version 1 its subflow is reset
 *   MP_FASTCLOSE      goes in ACKs only (fastclose.c); a RST bears neither it nor MP_TCPRST
 *   MP_PRIO           in version 0 may be for all subflows of an address (priority.c)
 *   the B flag        drops a SYN of version 0 (stack/listen.c); in version 1 its option counts as absent
 *   the C flag        does not exist in version 0
 *
 * Which one: a client asks for the highest it speaks, a server answers the highest that both do (RFC 8684 §3.1). */
#ifndef MPTCP_VERSION_H
#define MPTCP_VERSION_H

#include "connection_internal.h"

static inline bool version_0(const struct braid_connection *c) { return c->version == 0; }

/* Client: the version of its SYN. */
uint8_t version_to_ask(const struct connection_config *config);
/* Server: that of the answer to a SYN; false: there is none. */
bool version_to_answer(const struct connection_config *config, const struct mp_capable *syn, uint8_t *version) MUST_USE;
/* Client: may the SYN/ACK be of this version? If it is not the one asked for, the keys are to be drawn anew. */
bool version_acceptable(const struct braid_connection *c, uint8_t version);

void version_key_derive(uint8_t version, uint64_t key, uint32_t *token, uint64_t *idsn);
void version_join_hmac(uint8_t version, uint64_t own_key, uint64_t peer_key, uint32_t own_nonce, uint32_t peer_nonce,
                       uint8_t out[20]);
enum mptcp_decode_result version_decode(uint8_t version, const struct tcp_raw_option *raw,
                                        struct mptcp_option *out) MUST_USE;
uint32_t version_encode(uint8_t version, const struct mptcp_option *option, uint8_t *out, size_t room);

#endif
