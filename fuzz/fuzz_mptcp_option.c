/* Any bytes as an MPTCP option: what decodes, encodes; and what was encoded decodes to the same option. */
#include "fuzz.h"
#include <wire/mptcp_option.h>
#include <wire/mptcp_option_v0.h>
#include <wire/tcp_segment.h>

/* The same as version 0 (RFC 6824) has it. */
static void as_version_0(const uint8_t *bytes, uint32_t length) {
    struct mptcp_option first, second;
    uint8_t encoded[MPTCP_OPTION_MAX];
    if (mptcp_option_decode_v0(bytes, length, &first) != MPTCP_DECODE_OK) return;
    ENSURE(first.subtype != MPTCP_MP_TCPRST);
    if (first.subtype == MPTCP_MP_CAPABLE && first.as.mp_capable.version > MPTCP_VERSION) return;
    ENSURE(mptcp_option_encode_v0(&first, encoded, sizeof(encoded)) == length);
    ENSURE(mptcp_option_decode_v0(encoded, length, &second) == MPTCP_DECODE_OK);
    ENSURE(second.subtype == first.subtype);
    ENSURE(mptcp_option_encode_v0(&second, encoded, length - 1) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    uint8_t option_bytes[255];
    struct mptcp_option first, second;
    if (length == 0 || length > sizeof(option_bytes)) return 0;
    memcpy(option_bytes, bytes, length);
    /* Most inputs should get past the kind and the length. */
    if (length >= 3 && option_bytes[0] != 0xff) {
        option_bytes[0] = TCP_OPTION_KIND_MPTCP;
        option_bytes[1] = (uint8_t)length;
    }
    as_version_0(option_bytes, (uint32_t)length);
    if (mptcp_option_decode(option_bytes, (uint32_t)length, &first) != MPTCP_DECODE_OK) return 0;

    uint8_t encoded[MPTCP_OPTION_MAX], exact[MPTCP_OPTION_MAX];
    uint32_t encoded_length = mptcp_option_encode(&first, encoded, sizeof(encoded));
    if (first.subtype == MPTCP_MP_CAPABLE && first.as.mp_capable.version > MPTCP_VERSION) return 0;
    ENSURE(encoded_length > 0 && encoded_length <= MPTCP_OPTION_MAX && encoded_length == encoded[1]);
    ENSURE(encoded_length == length);
    ENSURE(mptcp_option_decode(encoded, encoded_length, &second) == MPTCP_DECODE_OK);
    ENSURE(second.subtype == first.subtype);

    /* Encoding is a function of what it says: the same bytes again, in exactly that much room, and not in less. */
    ENSURE(mptcp_option_encode(&second, exact, encoded_length) == encoded_length);
    ENSURE(memcmp(encoded, exact, encoded_length) == 0);
    ENSURE(mptcp_option_encode(&second, exact, encoded_length - 1) == 0);
    return 0;
}
