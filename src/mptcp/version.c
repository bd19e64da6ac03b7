#include "version.h"

#include <crypto/mptcp_keys.h>
#include <crypto/mptcp_keys_v0.h>
#include <wire/mptcp_option_v0.h>

uint8_t version_to_ask(const struct connection_config *config) {
    bool old = config->versions == MPTCP_VERSIONS_0 || (config->versions == MPTCP_VERSIONS_BOTH && config->ask_version_0);
    return old ? MPTCP_VERSION_0 : MPTCP_VERSION;
}

/* [R-3.1-2] [R-6824-3.1-1] Version 0 needs the key in the SYN, and knows no way to get it later; but a SYN of version 1,
 * which has none, may be answered by 0: the third packet has both keys. */
bool version_to_answer(const struct connection_config *config, const struct mp_capable *syn, uint8_t *version) {
    *version = syn->version >= MPTCP_VERSION && config->versions != MPTCP_VERSIONS_0 ? MPTCP_VERSION : MPTCP_VERSION_0;
    return *version == MPTCP_VERSION || config->versions != MPTCP_VERSIONS_1;
}

bool version_acceptable(const struct braid_connection *c, uint8_t version) {
    if (version == c->version) return true;
    return version == MPTCP_VERSION_0 && c->config.versions == MPTCP_VERSIONS_BOTH;
}

void version_key_derive(uint8_t version, uint64_t key, uint32_t *token, uint64_t *idsn) {
    if (version == MPTCP_VERSION_0) mptcp_v0_key_derive(key, token, idsn);
    else mptcp_key_derive(key, token, idsn);
}

void version_join_hmac(uint8_t version, uint64_t own_key, uint64_t peer_key, uint32_t own_nonce, uint32_t peer_nonce,
                       uint8_t out[20]) {
    if (version == MPTCP_VERSION_0) mptcp_v0_join_hmac(own_key, peer_key, own_nonce, peer_nonce, out);
    else mptcp_join_hmac(own_key, peer_key, own_nonce, peer_nonce, out);
}

enum mptcp_decode_result version_decode(uint8_t version, const struct tcp_raw_option *raw, struct mptcp_option *out) {
    if (version == MPTCP_VERSION_0) return mptcp_option_decode_v0(raw->bytes, raw->length, out);
    return mptcp_option_decode(raw->bytes, raw->length, out);
}

uint32_t version_encode(uint8_t version, const struct mptcp_option *option, uint8_t *out, size_t room) {
    if (version == MPTCP_VERSION_0) return mptcp_option_encode_v0(option, out, room);
    return mptcp_option_encode(option, out, room);
}
