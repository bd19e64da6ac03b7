/* Conformance scripts: exact packets in, exact packets out, in virtual time (tests/conformance/README.md).
 *
 * The engine knows the wire by itself: it encodes, decodes and computes HMACs without the floors it tests. */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <braid/stack.h>

enum {
    WORD_MAX = 120,
    WORDS_MAX = 32,
    OPTIONS_MAX = 12,
    VARIABLES_MAX = 48,
    FLOWS_MAX = 16,
    SENT_MAX = 512,
    LINE_MAX_BYTES = 1024,
    PACKET_MAX_BYTES = 2048,
    TEXT_MAX_BYTES = 1600,
};

/* --- words: a line, or an option in it, split at blanks --- */

struct words {
    unsigned count, next; /* `next`: the one that is read */
    char at[WORDS_MAX][WORD_MAX];
};
void words_split(struct words *words, const char *text);
/* The next word, "" at the end; `take` steps over it if it is this one. */
const char *words_peek(const struct words *words);
const char *words_next(struct words *words);
bool words_take(struct words *words, const char *word);

/* --- values: 64-bit numbers, and HMACs of 20 bytes --- */

struct value {
    uint64_t number;
    unsigned length; /* 20: it is the bytes */
    uint8_t bytes[20];
};

struct variable {
    char name[32];
    bool set;
    struct value value;
};

/* --- the network of a script --- */

struct flow_end {
    struct braid_address address;
    uint16_t port; /* 0: learnt from the first packet */
};

/* A flow by name: what a packet line starts with. */
struct script_flow {
    char name[16];
    int link;
    struct flow_end local, remote;
    bool local_isn_known;
    uint32_t local_isn, remote_isn;
};

/* A packet the stack sent, or one that a line describes: its fields and options as text. */
struct packet_text {
    struct script_flow *flow;
    char flags[12]; /* PSH among them */
    uint32_t seq, length; /* relative */
    bool has_ack, has_window, has_data, bad_checksum;
    struct value ack, window, data;
    /* Of the IP header, and the urgent pointer. */
    bool has_ecn, has_dscp, has_hops, has_urgent;
    uint64_t ecn, dscp, hops, urgent;
    /* What is wrong with the IPv4 header of one that arrives: another protocol, a fragment field, version or length. */
    bool has_protocol, has_fragment, has_first_byte, has_ip_sum;
    uint64_t protocol, fragment, first_byte, ip_sum;
    char ack_text[WORD_MAX], window_text[WORD_MAX];
    bool options_any;
    unsigned option_count;
    char options[OPTIONS_MAX][LINE_MAX_BYTES / 2];
};

struct sent_packet {
    braid_time at;
    struct script_flow *flow;
    char text[TEXT_MAX_BYTES];
    struct packet_text packet;
};

struct script {
    const char *row;  /* of its table: what @ stands for */
    const char *path; /* of the file that is read now */
    unsigned line;
    char problem[4 * TEXT_MAX_BYTES]; /* what went wrong; "": nothing yet */

    struct braid_env env;
    struct braid_stack_config config;
    struct braid_path_limits limits;
    uint64_t random;
    char round[24]; /* of `times`; "": none */
    bool together; /* nothing is asked of the stack between packets */
    bool version_0; /* keys, HMACs and ADD_ADDR are RFC 6824's */
    bool random_stuck; /* it says the same for ever */
    bool no_memory;
    long live_bytes;
    struct braid_stack *stack;
    braid_time now, started; /* `started`: the script's zero */
    unsigned links;
    struct flow_end link_address[BRAID_LINKS_MAX];

    struct script_flow flows[FLOWS_MAX];
    unsigned flow_count;
    struct variable variables[VARIABLES_MAX];
    unsigned variable_count;
    struct sent_packet sent[SENT_MAX];
    unsigned sent_count;

    struct braid_connection *connection, *accepted;
    bool deferred; /* what is to accept waits for it */
    struct braid_listener *listener;
    uint64_t bytes_written, bytes_read;
};

/* Notes what went wrong, with file and line, once. Always false. */
bool script_fail(struct script *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline bool script_failed(const struct script *s) { return s->problem[0] != '\0'; }

/* value.c */
struct variable *variable_find(struct script *s, const char *name);
/* `$x`, 12, -1, 0xff, token(k), idsn(k), hmac64(k,k,n,n), hmac160(...), add_hmac(k,k,id,address[,port]),
 * isn(flow), and sums of them. */
bool value_of(struct script *s, const char *text, struct value *out);
bool number_of(struct script *s, const char *text, uint64_t *out);
/* Does what was seen equal what `text` expects? `*` is anything, a variable without value takes this one. */
bool value_matches(struct script *s, const char *text, const struct value *seen);
/* The data sequence number before the first byte that we, or the peer, send; 0 while the key is not known. */
uint64_t data_base(struct script *s, bool ours);

/* address.c-like helpers, in world.c */
bool address_of(const char *text, struct braid_address *out);
const char *address_text(const struct braid_address *address, char *text, size_t room);

/* packet_text.c */
bool packet_parse(struct script *s, struct words *line, const char *options, struct packet_text *out);
void packet_print(const struct packet_text *p, char *text, size_t room);
bool packet_matches(struct script *s, const struct packet_text *expected, const struct packet_text *seen,
                    char *why, size_t room);

/* packet_bytes.c */
uint32_t packet_encode(struct script *s, const struct packet_text *p, uint8_t *out);
bool packet_decode(struct script *s, const uint8_t *bytes, uint32_t length, struct packet_text *out);
/* An ICMPv4 error from the remote end, quoting what we sent at `seq`. */
uint32_t icmp_encode(const struct script_flow *flow, uint8_t type, uint8_t code, uint32_t seq, uint16_t mtu,
                     uint8_t *out);
/* The byte at `offset` (from 0) of our stream, or of the peer's. */
uint8_t stream_byte(bool ours, uint64_t offset);

/* mptcp_text.c: an option of kind 30 from words, and back. `ours`: we send it. */
bool mptcp_encode(struct script *s, struct words *words, const struct packet_text *p, bool ours, uint8_t *out,
                  uint32_t *length);
void mptcp_decode(struct script *s, const uint8_t *bytes, uint32_t length, bool ours, char *text, size_t room);
uint16_t mapping_sum(uint64_t dsn, uint32_t subflow_seq, uint16_t length, bool ours, uint64_t offset,
                     uint32_t data_length);
/* Where the payload of a packet stands in its stream, if an option maps it. */
bool mapped_offset(struct script *s, const struct packet_text *p, uint64_t *offset);

/* world.c */
bool world_start(struct script *s);
void world_stop(struct script *s);
/* Lets the stack live until `until`; what it sends is kept in s->sent. */
bool world_run(struct script *s, braid_time until);
/* The same, but stops at the first packet. */
bool world_run_to_packet(struct script *s, braid_time until);
bool world_inject(struct script *s, const struct packet_text *p);
bool world_flush(struct script *s);
struct script_flow *flow_by_name(struct script *s, const char *name);

/* command.c: everything that is no packet. */
bool command_run(struct script *s, struct words *line);

#endif
