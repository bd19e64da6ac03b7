/* libcrypto's low-level functions again, for the reasons that mptcp_keys.c gives. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <crypto/mptcp_keys_v0.h>

#include <string.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <base/reader.h>

/* [R-6824-3.1-4] [R-6824-3.1-5] */
void mptcp_v0_key_derive(uint64_t key, uint32_t *token, uint64_t *idsn) {
    uint8_t bytes[8], digest[SHA_DIGEST_LENGTH];
    struct writer w = writer_of(bytes, sizeof(bytes));
    write_u64(&w, key);

    SHA_CTX context;
    SHA1_Init(&context);
    SHA1_Update(&context, bytes, sizeof(bytes));
    SHA1_Final(digest, &context);

    struct reader top = reader_of(digest, sizeof(digest));
    struct reader low = reader_of(digest + sizeof(digest) - 8, 8);
    *token = read_u32(&top);
    *idsn = read_u64(&low);
}

/* One of HMAC's two passes (RFC 2104): hash of the key, masked, and what follows it. */
static void pass(const uint8_t keys[16], uint8_t mask, const uint8_t *message, size_t length, uint8_t out[20]) {
    uint8_t pad[SHA_CBLOCK];
    SHA_CTX context;
    memset(pad, mask, sizeof(pad));
    for (unsigned i = 0; i < 16; i++) pad[i] ^= keys[i];
    SHA1_Init(&context);
    SHA1_Update(&context, pad, sizeof(pad));
    SHA1_Update(&context, message, length);
    SHA1_Final(out, &context);
    OPENSSL_cleanse(pad, sizeof(pad));
}

/* [R-6824-3.2-1] */
void mptcp_v0_join_hmac(uint64_t own_key, uint64_t peer_key, uint32_t own_nonce, uint32_t peer_nonce,
                        uint8_t out[20]) {
    uint8_t keys[16], nonces[8], inner[SHA_DIGEST_LENGTH];
    struct writer k = writer_of(keys, sizeof(keys)), n = writer_of(nonces, sizeof(nonces));
    write_u64(&k, own_key);
    write_u64(&k, peer_key);
    write_u32(&n, own_nonce);
    write_u32(&n, peer_nonce);
    pass(keys, 0x36, nonces, sizeof(nonces), inner);
    pass(keys, 0x5c, inner, sizeof(inner), out);
    OPENSSL_cleanse(keys, sizeof(keys));
}
