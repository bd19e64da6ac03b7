/* The MPTCP options of RFC 8684 §3 (version 1): bytes -> struct -> bytes. Names are the RFC's. What version 0 has otherwise:
 * mptcp_option_v0.h. */
#ifndef WIRE_MPTCP_OPTION_H
#define WIRE_MPTCP_OPTION_H

#include <base/reader.h>
#include <wire/address.h>

enum mptcp_subtype {
    MPTCP_MP_CAPABLE = 0x0,
    MPTCP_MP_JOIN = 0x1,
    MPTCP_DSS = 0x2,
    MPTCP_ADD_ADDR = 0x3,
    MPTCP_REMOVE_ADDR = 0x4,
    MPTCP_MP_PRIO = 0x5,
    MPTCP_MP_FAIL = 0x6,
    MPTCP_MP_FASTCLOSE = 0x7,
    MPTCP_MP_TCPRST = 0x8,
};

#define MPTCP_VERSION 1 /* [R-3.1-1] [R-3.1-2] */
#define MPTCP_VERSION_0 0 /* RFC 6824 */

/* §3.1. Which fields are there follows from the length: SYN 4, SYN/ACK 12, ACK 20, ACK with data 22 or 24. Version 0: with
 * a SYN 12, without 20. */
struct mp_capable {
    uint8_t version;
    bool checksum_required;  /* A */
    bool extensibility;      /* B */
    bool no_join_to_source;  /* C */
    bool hmac_sha256;        /* H; in version 0: HMAC-SHA1 */
    uint8_t flags;           /* all eight, as received */
    bool has_sender_key, has_receiver_key, has_data_length, has_checksum;
    uint64_t sender_key, receiver_key;
    uint16_t data_length;
    uint16_t checksum; /* as on the wire, in host order */
};

/* §3.2. SYN (12), SYN/ACK (16), ACK (24). */
enum mp_join_form { MP_JOIN_SYN, MP_JOIN_SYN_ACK, MP_JOIN_ACK };
struct mp_join {
    enum mp_join_form form;
    bool backup;
    uint8_t address_id;
    uint32_t token;      /* SYN */
    uint32_t nonce;      /* SYN, SYN/ACK */
    uint64_t hmac64;     /* SYN/ACK: the leftmost 64 bits */
    uint8_t hmac160[20]; /* ACK: the leftmost 160 bits */
};

/* §3.3 */
struct dss {
    bool data_fin;
    bool has_data_ack, data_ack_64;
    bool has_mapping, dsn_64;
    bool has_checksum; /* said by the option's length */
    uint64_t data_ack; /* low 32 bits only unless data_ack_64 */
    uint64_t dsn;      /* low 32 bits only unless dsn_64 */
    uint32_t subflow_seq; /* relative to the subflow's initial sequence number */
    uint16_t data_length; /* 0: infinite mapping */
    uint16_t checksum;
};

/* §3.4.1 */
struct add_addr {
    bool echo;
    uint8_t address_id;
    struct ip_address address;
    bool has_port;
    uint16_t port;
    uint64_t hmac; /* not in an echo: the rightmost 64 bits */
};

/* §3.4.2: as many as the 40 bytes of TCP options hold */
#define REMOVE_ADDR_IDS_MAX 37
struct remove_addr {
    uint8_t count;
    uint8_t address_ids[REMOVE_ADDR_IDS_MAX];
};

/* §3.3.8: address_id is only there in the long form of RFC 6824. */
struct mp_prio {
    bool backup;
    bool has_address_id;
    uint8_t address_id;
};

struct mp_fail { /* §3.7 */
    uint64_t dsn;
};
struct mp_fastclose { /* §3.5 */
    uint64_t receiver_key;
};
enum mptcp_reset_reason { /* §3.6 */
    MPTCP_RESET_UNSPECIFIED = 0,
    MPTCP_RESET_MPTCP_ERROR = 1,
    MPTCP_RESET_NO_RESOURCES = 2,
    MPTCP_RESET_PROHIBITED = 3,
    MPTCP_RESET_TOO_MUCH_DATA = 4,
    MPTCP_RESET_UNACCEPTABLE_PERFORMANCE = 5,
    MPTCP_RESET_MIDDLEBOX = 6,
};
struct mp_tcprst {
    uint8_t flags; /* U V W T: the low four bits; bit 0 is T (transient) */
    bool transient;
    uint8_t reason;
};

struct mptcp_option {
    enum mptcp_subtype subtype;
    union {
        struct mp_capable mp_capable;
        struct mp_join mp_join;
        struct dss dss;
        struct add_addr add_addr;
        struct remove_addr remove_addr;
        struct mp_prio mp_prio;
        struct mp_fail mp_fail;
        struct mp_fastclose mp_fastclose;
        struct mp_tcprst mp_tcprst;
    } as;
};

#define MPTCP_OPTION_MAX 40

enum mptcp_decode_result { MPTCP_DECODE_OK, MPTCP_DECODE_UNKNOWN_SUBTYPE, MPTCP_DECODE_BAD_LENGTH };

/* One option, kind and length bytes included. */
enum mptcp_decode_result mptcp_option_decode(const uint8_t *bytes, uint32_t length, struct mptcp_option *out) MUST_USE;
/* Bytes written, 0 when it does not fit. A DSS writes a checksum if has_checksum. An ADD_ADDR echo has no HMAC. */
uint32_t mptcp_option_encode(const struct mptcp_option *option, uint8_t *out, size_t room);
const char *mptcp_subtype_name(enum mptcp_subtype subtype);

#endif
