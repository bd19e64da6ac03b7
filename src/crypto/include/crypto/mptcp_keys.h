/* The cryptography of RFC 8684: tokens, initial data sequence numbers, HMACs. Over libcrypto's SHA-256. */
#ifndef CRYPTO_MPTCP_KEYS_H
#define CRYPTO_MPTCP_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* §3.1-3.2: token is the top 32 bits, the initial data sequence number the low 64 bits, of SHA-256 of the key in
 * network order. */
void mptcp_key_derive(uint64_t key, uint32_t *token, uint64_t *idsn);

/* §3.2: HMAC-SHA256 with key (first || second) of (first_nonce || second_nonce), the leftmost 160 bits (the first
 * 8 bytes of which are the SYN/ACK's 64). The sender's own key and nonce stand first. */
void mptcp_join_hmac(uint64_t own_key, uint64_t peer_key, uint32_t own_nonce, uint32_t peer_nonce, uint8_t out[20]);

/* §3.4.1: the rightmost 64 bits of HMAC-SHA256 with key (sender's key || receiver's key) of (address ID || address ||
 * port), the port 0 when the option carries none. `address` has 4 or 16 bytes. */
uint64_t mptcp_add_addr_hmac(uint64_t sender_key, uint64_t receiver_key, uint8_t address_id, const uint8_t *address,
                             size_t address_length, uint16_t port);

/* In time that depends on `length` only. */
bool crypto_equal(const void *a, const void *b, size_t length);

#endif
