/* The low-level SHA-256 functions of libcrypto, though OpenSSL 3 would rather see EVP used: they allocate nothing,
 * cannot fail and read no configuration file, as the core's contract asks. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <crypto/mptcp_keys.h>

#include <string.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <base/ensure.h>
#include <base/reader.h>

#define KEY_PAIR_BYTES 16

/* HMAC-SHA256 (RFC 2104) under the two keys, first || second, in network order. */
static void hmac_sha256(uint64_t first, uint64_t second, const uint8_t *message, size_t length,
                        uint8_t out[SHA256_DIGEST_LENGTH]) {
    uint8_t keys[KEY_PAIR_BYTES];
    struct writer w = writer_of(keys, sizeof(keys));
    write_u64(&w, first);
    write_u64(&w, second);

    uint8_t pad[SHA256_CBLOCK];
    SHA256_CTX context;
    memset(pad, 0x36, sizeof(pad));
    for (size_t i = 0; i < sizeof(keys); i++) pad[i] ^= keys[i];
    SHA256_Init(&context);
    SHA256_Update(&context, pad, sizeof(pad));
    SHA256_Update(&context, message, length);
    SHA256_Final(out, &context);

    for (size_t i = 0; i < sizeof(pad); i++) pad[i] ^= 0x36 ^ 0x5c;
    SHA256_Init(&context);
    SHA256_Update(&context, pad, sizeof(pad));
    SHA256_Update(&context, out, SHA256_DIGEST_LENGTH);
    SHA256_Final(out, &context);

    OPENSSL_cleanse(pad, sizeof(pad));
    OPENSSL_cleanse(keys, sizeof(keys));
}

/* [R-3.1-18] [R-3.1-19] [R-3.1-20] [R-3.1-21] */
void mptcp_key_derive(uint64_t key, uint32_t *token, uint64_t *idsn) {
    uint8_t bytes[8], digest[SHA256_DIGEST_LENGTH];
    struct writer w = writer_of(bytes, sizeof(bytes));
    write_u64(&w, key);

    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, bytes, sizeof(bytes));
    SHA256_Final(digest, &context);

    struct reader top = reader_of(digest, sizeof(digest));
    struct reader low = reader_of(digest + sizeof(digest) - 8, 8);
    *token = read_u32(&top);
    *idsn = read_u64(&low);
}

void mptcp_join_hmac(uint64_t own_key, uint64_t peer_key, uint32_t own_nonce, uint32_t peer_nonce,
                     uint8_t out[20]) {
    uint8_t message[8], digest[SHA256_DIGEST_LENGTH];
    struct writer w = writer_of(message, sizeof(message));
    write_u32(&w, own_nonce);
    write_u32(&w, peer_nonce);
    hmac_sha256(own_key, peer_key, message, sizeof(message), digest);
    memcpy(out, digest, 20);
}

uint64_t mptcp_add_addr_hmac(uint64_t sender_key, uint64_t receiver_key, uint8_t address_id,
                             const uint8_t *address, size_t address_length, uint16_t port) {
    uint8_t message[1 + 16 + 2], digest[SHA256_DIGEST_LENGTH];
    ENSURE(address_length == 4 || address_length == 16);
    struct writer w = writer_of(message, sizeof(message));
    write_u8(&w, address_id);
    write_bytes(&w, address, address_length);
    write_u16(&w, port);
    hmac_sha256(sender_key, receiver_key, message, writer_length(&w), digest);

    struct reader low = reader_of(digest + sizeof(digest) - 8, 8);
    return read_u64(&low);
}

bool crypto_equal(const void *a, const void *b, size_t length) { return CRYPTO_memcmp(a, b, length) == 0; }
