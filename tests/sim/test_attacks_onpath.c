/* An attacker on one of the paths: what he can read there, and what he can change. RFC 6181 §6.3, RFC 7430 §5
 * and §6. */
#define _GNU_SOURCE
#include "sim_test.h"
#include <wire/mptcp_option.h>
#include <wire/tcp_segment.h>
#include <wire/ip.h>

struct eavesdropper {
    uint64_t keys[2]; /* the client's, the server's; 0: not said yet */
    unsigned said[2]; /* packets that bear a key, by path */
    unsigned joins[2];
    uint64_t packets;
};
static struct eavesdropper ear;
static struct sim_phone phone;

static bool bears(const struct sim_packet *packet, uint64_t key) {
    uint8_t bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(key >> (56 - 8 * i));
    return key != 0 && memmem(packet->bytes, packet->length, bytes, sizeof(bytes)) != NULL;
}

static void hear_option(const struct mptcp_option *o, bool up, unsigned path) {
    if (o->subtype == MPTCP_MP_JOIN) ear.joins[path]++;
    if (o->subtype != MPTCP_MP_CAPABLE || !o->as.mp_capable.has_sender_key) return;
    ear.keys[up ? 0 : 1] = o->as.mp_capable.sender_key;
}

static void hear(void *context, enum sim_moment moment, struct sim_host *host, int interface,
                 struct sim_link *link, const struct sim_packet *packet, braid_time now) {
    struct ip_header ip;
    struct tcp_segment s;
    (void)context;
    (void)interface;
    (void)now;
    if (moment != SIM_SENT) return;
    unsigned path = link == phone.links[1];
    ear.packets++;
    assert_int_equal(ip_decode(packet->bytes, packet->length, false, &ip), IP_OK);
    assert_int_equal(tcp_segment_decode(packet->bytes + ip.header_length, ip.payload_length, &ip.source,
                                        &ip.destination, true, &s),
                     TCP_DECODE_OK);
    for (unsigned i = 0; i < s.options.mptcp_count; i++) {
        struct mptcp_option o;
        const struct tcp_raw_option *raw = &s.options.mptcp[i];
        if (mptcp_option_decode(raw->bytes, raw->length, &o) == MPTCP_DECODE_OK)
            hear_option(&o, host == phone.client, path);
    }
    if (bears(packet, ear.keys[0]) || bears(packet, ear.keys[1])) ear.said[path]++;
}

static struct sim_conversation *talk_of(bool checksum, uint64_t bytes) {
    struct sim_phone_config config = {
        .world = {.seed = 3000, .check_every = 16, .checksums = true, .observer = {.packet = hear}},
        .paths = {sim_wifi, sim_cellular},
        .path_count = 2};
    config.client.checksum = config.server.checksum = checksum;
    ear = (struct eavesdropper){0};
    sim_phone_init(&phone, &config);
    struct sim_conversation_config talk = {.streams = {{.bytes = bytes}, {.bytes = bytes}}};
    return sim_phone_talk(&phone, &talk);
}

static void finish(struct sim_conversation *c) {
    bool finished = sim_world_run_conversations(phone.world, sim_world_now(phone.world) + 300 * S);
    assert_whole(c);
    assert_true(finished);
    phone_end(&phone);
}

/* Who was not there when a connection began never learns its keys: not from joins, from announcements, from
 * data. */
static void the_keys_are_said_in_the_first_handshake_alone(void **state) {
    (void)state;
    struct sim_conversation *c = talk_of(false, 2 * MB);
    sim_world_run(phone.world, sim_world_now(phone.world) + 1500 * MS);
    sim_path_down(&phone, 0);
    sim_world_run(phone.world, sim_world_now(phone.world) + 500 * MS);
    sim_path_up(&phone, 0); /* joined anew */
    finish(c);
    assert_true(ear.keys[0] != 0 && ear.keys[1] != 0);
    assert_true(ear.packets > 2000 && ear.joins[1] >= 3);
    /* SYN/ACK, third ACK, and the first data until it is acknowledged: a window's worth at most. */
    assert_in_range(ear.said[0], 2, 16);
    assert_int_equal(ear.said[1], 0);
}

static struct braid_address outside_of(const struct sim_phone *p) {
    struct braid_address outside = p->server_address;
    outside.bytes[3] = 77;
    return outside;
}

/* The attack of RFC 7430 §6: the join goes on in another's name, and its data through his hands. Where he is
 * content to read, he is a NAT. */
static void a_join_whose_source_is_changed_is_as_good_as_one_through_a_nat(void **state) {
    (void)state;
    struct sim_conversation *c = talk_of(false, 5 * MB);
    struct sim_nat_config nat = {.outside = outside_of(&phone)};
    sim_link_append(phone.links[1], sim_nat(phone.world, &nat));
    finish(c);
    assert_true(ear.joins[1] >= 3);
}

/* And where he is not, the checksum tells: that path is reset, and what he changed comes by the other. */
static void a_path_in_other_hands_changes_no_byte_when_checksums_are_on(void **state) {
    (void)state;
    for (int direction = SIM_UP; direction <= SIM_DOWN; direction++) {
        struct sim_conversation *c = talk_of(true, 5 * MB);
        struct sim_nat_config nat = {.outside = outside_of(&phone)};
        struct sim_payload_config change = {.direction = (enum sim_direction)direction, .at = 20};
        sim_link_append(phone.links[1], sim_nat(phone.world, &nat));
        sim_link_append(phone.links[1], sim_payload_box(phone.world, &change));
        sim_world_run(phone.world, sim_world_now(phone.world) + 3 * S);
        struct sim_host *reader = direction == SIM_UP ? phone.server : phone.client;
        assert_true(sim_host_counter(reader, "mptcp_dss_checksum_failed") >= 1);
        finish(c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_keys_are_said_in_the_first_handshake_alone),
        cmocka_unit_test(a_join_whose_source_is_changed_is_as_good_as_one_through_a_nat),
        cmocka_unit_test(a_path_in_other_hands_changes_no_byte_when_checksums_are_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
