/* The cryptography of RFC 6824 (version 0), over libcrypto's SHA-1. As in mptcp_keys.h, with another hash; an ADD_ADDR has
 * no HMAC. That collisions of SHA-1 can be found makes neither: an attacker does not choose the keys, and HMACs do not
 * depend on it. Version 1 is preferred all the same (docs/decisions/0022-version-0.md). */
#ifndef CRYPTO_MPTCP_KEYS_V0_H
#define CRYPTO_MPTCP_KEYS_V0_H

#include <stdint.h>

/* §3.1: token is the top 32 bits, the initial data sequence number the low 64 bits, of SHA-1 of the key in network
 * order. */
void mptcp_v0_key_derive(uint64_t key, uint32_t *token, uint64_t *idsn);

/* §3.2: HMAC-SHA1 with key (first || second) of (first_nonce || second_nonce): all 160 bits, the first 8 bytes of which
 * are the SYN/ACK's 64. The sender's own key and nonce stand first. */
void mptcp_v0_join_hmac(uint64_t own_key, uint64_t peer_key, uint32_t own_nonce, uint32_t peer_nonce, uint8_t out[20]);

#endif
