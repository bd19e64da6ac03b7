/* Any bytes as the options of a TCP header, against a naive walk over them; and every MPTCP option in it against what is
 * encoded from it. */
#include "fuzz.h"
#include <wire/checksum.h>
#include <wire/ip.h>
#include <wire/mptcp_option.h>
#include <wire/tcp_segment.h>

struct model {
    bool bad;
    unsigned mptcp, sack_options, timestamps, mss;
};

static struct model walk(const uint8_t *at, size_t length) {
    struct model m = {0};
    for (size_t i = 0; i < length;) {
        if (at[i] == 0) break;
        if (at[i] == 1) {
            i++;
            continue;
        }
        if (i + 1 >= length || at[i + 1] < 2 || i + at[i + 1] > length) {
            m.bad = true;
            break;
        }
        m.mptcp += at[i] == TCP_OPTION_KIND_MPTCP;
        m.timestamps += at[i] == 8 && at[i + 1] == 10;
        m.mss += at[i] == 2 && at[i + 1] == 4;
        m.sack_options += at[i] == 5 && at[i + 1] > 2 && (at[i + 1] - 2) % 8 == 0;
        i += at[i + 1];
    }
    return m;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    uint8_t header[60] = {0};
    struct tcp_segment s;
    struct ip_address any = {.family = IP_V4};
    size_t options = length < 40 ? length & ~(size_t)3 : 40;
    memcpy(header + 20, bytes, options);
    header[12] = (uint8_t)((20 + options) / 4 << 4);
    struct model m = walk(header + 20, options);
    enum tcp_decode_result result = tcp_segment_decode(header, (uint32_t)(20 + options), &any, &any, true, &s);
    ENSURE((result == TCP_DECODE_BAD_OPTION) == m.bad);
    if (result != TCP_DECODE_OK) return 0;
    ENSURE(s.options.mptcp_count == (m.mptcp < TCP_MPTCP_OPTIONS_MAX ? m.mptcp : TCP_MPTCP_OPTIONS_MAX));
    ENSURE(s.options.has_timestamps == (m.timestamps > 0) && s.options.has_mss == (m.mss > 0));
    ENSURE((s.options.sack_count > 0) == (m.sack_options > 0));
    for (unsigned i = 0; i < s.options.mptcp_count; i++) {
        struct mptcp_option first, second;
        uint8_t encoded[MPTCP_OPTION_MAX];
        if (mptcp_option_decode(s.options.mptcp[i].bytes, s.options.mptcp[i].length, &first) != MPTCP_DECODE_OK) continue;
        if (first.subtype == MPTCP_MP_CAPABLE && first.as.mp_capable.version != MPTCP_VERSION) continue;
        uint32_t encoded_length = mptcp_option_encode(&first, encoded, sizeof(encoded));
        ENSURE(encoded_length == s.options.mptcp[i].length);
        ENSURE(mptcp_option_decode(encoded, encoded_length, &second) == MPTCP_DECODE_OK && second.subtype == first.subtype);
    }
    return 0;
}
