/* Capturing what passes through a link, read back by tshark where there is one, and block by block here. */
#define _GNU_SOURCE
#include "test_packets.h"

#include <link/pcapng.h>

#define A_V4 "192.0.2.1"
#define B_V4 "192.0.2.2"
#define A_V6 "2001:db8::1"
#define B_V6 "2001:db8::2"

static char path[] = "/tmp/braid-pcapng-XXXXXX";

/* ---- a link that is only memory: hands in what it is given, takes as much as it is told ---- */

struct fake {
    struct link link;
    struct link_capabilities capabilities;
    struct link_statistics statistics;
    struct braid_packet_in incoming;
    int takes;
    bool closed;
};

static int fake_receive(struct link *link, struct braid_packet_in *packets, size_t max) {
    struct fake *fake = CONTAINER_OF(link, struct fake, link);
    if (max == 0 || fake->incoming.length == 0) return 0;
    packets[0] = fake->incoming;
    fake->incoming.length = 0;
    return 1;
}

static int fake_send(struct link *link, struct braid_packet_out *packets, size_t count) {
    struct fake *fake = CONTAINER_OF(link, struct fake, link);
    int taken = 0;
    while (taken < fake->takes && taken < (int)count)
        braid_packet_out_release(&packets[taken++]);
    return fake->takes < 0 ? fake->takes : taken;
}

static void fake_close(struct link *link) {
    CONTAINER_OF(link, struct fake, link)->closed = true;
}

static const struct link_ops fake_ops = {fake_receive, fake_send, fake_close};

static void fake_init(struct fake *fake) {
    *fake = (struct fake){.takes = LINK_BATCH_MAX};
    fake->link = (struct link){&fake_ops, &fake->capabilities, &fake->statistics, -1};
}

/* ---- reading the file ---- */

struct packet_block {
    uint32_t interface, flags;
    uint64_t unix_ns;
    uint32_t length;
    uint8_t bytes[66000];
};

static uint8_t file_bytes[1 << 20];
static size_t file_length, file_at;

static void read_file(void) {
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    file_length = fread(file_bytes, 1, sizeof(file_bytes), file);
    file_at = 0;
    fclose(file);
}

static uint32_t word(size_t offset) {
    uint32_t value;
    assert_true(offset + 4 <= file_length);
    memcpy(&value, file_bytes + offset, 4);
    return value;
}

/* The next packet block; false at the end. */
static bool next_packet(struct packet_block *out) {
    while (file_at < file_length) {
        size_t start = file_at;
        uint32_t length = word(start + 4);
        assert_int_equal(length % 4, 0);
        assert_int_equal(word(start + length - 4), length); /* said again at the end */
        file_at += length;
        if (word(start) != 6) continue;
        out->interface = word(start + 8);
        out->unix_ns = (uint64_t)word(start + 12) << 32 | word(start + 16);
        out->length = word(start + 20);
        assert_int_equal(word(start + 24), out->length);
        memcpy(out->bytes, file_bytes + start + 28, out->length);
        out->flags = word(start + 28 + (out->length + 3) / 4 * 4 + 4);
        return true;
    }
    return false;
}

static uint64_t fixed_clock(void *context) {
    return *(uint64_t *)context;
}

static struct pcapng_file *create(uint64_t *now) {
    struct pcapng_clock clock = {now, fixed_clock};
    struct pcapng_file *file = NULL;
    assert_int_equal(pcapng_file_create(path, now != NULL ? &clock : NULL, &file), 0);
    return file;
}

/* ---- tests ---- */

static void packets_in_and_out_are_written_with_time_and_direction(void **state) {
    (void)state;
    uint64_t now = UINT64_C(1700000000123456789);
    struct pcapng_file *file = create(&now);
    struct fake wifi, cellular;
    struct link *first = NULL, *second = NULL;
    fake_init(&wifi);
    fake_init(&cellular);
    assert_int_equal(link_pcapng_create(&test_env, &wifi.link, file, "wifi0", &first), 0);
    assert_int_equal(link_pcapng_create(&test_env, &cellular.link, file, "cell0", &second), 0);

    uint8_t bytes[200];
    struct test_tcp syn = {B_V4, A_V4, 443, 20000, 1, 0, TCP_SYN, 1400};
    cellular.incoming =
        (struct braid_packet_in){.bytes = bytes, .length = test_tcp_packet(&syn, bytes, sizeof(bytes))};
    struct braid_packet_in in;
    assert_int_equal(link_receive(second, &in, 1), 1);
    assert_ptr_equal(in.bytes, bytes);
    struct test_tcp data = {A_V6, B_V6, 20000, 443, 1, 2, TCP_ACK, 0, "hello", 5};
    struct braid_packet_out out = test_tcp_out(&data, 0);
    now++;
    assert_int_equal(link_send(first, &out, 1), 1);

    static struct packet_block block;
    read_file(); /* before anything is closed: a crash would lose nothing of it */
    assert_true(next_packet(&block));
    assert_int_equal(block.interface, 1);
    assert_int_equal(block.flags, PCAPNG_INBOUND);
    assert_int_equal(block.unix_ns, now - 1);
    assert_memory_equal(block.bytes, bytes, block.length);
    assert_true(next_packet(&block));
    assert_int_equal(block.interface, 0);
    assert_int_equal(block.flags, PCAPNG_OUTBOUND);
    assert_int_equal(block.unix_ns, now);
    struct ip_header ip;
    struct tcp_segment segment =
        test_decode_tcp(block.bytes, block.length, false, false, &ip); /* checksum is complete */
    assert_memory_equal(segment.payload, "hello", 5);
    assert_false(next_packet(&block));

    link_close(first);
    link_close(second);
    assert_true(wifi.closed && cellular.closed);
    assert_int_equal(pcapng_file_close(file), 0);
}

static void only_packets_that_were_taken_are_written(void **state) {
    (void)state;
    struct pcapng_file *file = create(NULL);
    struct fake fake;
    struct link *link = NULL;
    fake_init(&fake);
    assert_int_equal(link_pcapng_create(&test_env, &fake.link, file, "wifi0", &link), 0);
    struct braid_packet_out out[3];
    for (uint32_t i = 0; i < 3; i++)
        out[i] = test_tcp_out(&(struct test_tcp){A_V4, B_V4, 20000, 443, i, 2, TCP_ACK, 0, "hello", 5}, 0);
    fake.takes = 2;
    assert_int_equal(link_send(link, out, 3), 2);
    assert_int_equal(out[2].slice_count, 2); /* still the caller's */
    fake.takes = -ENODEV;
    assert_int_equal(link_send(link, out + 2, 1), -ENODEV);
    braid_packet_out_release(&out[2]);
    read_file();
    static struct packet_block block;
    assert_true(next_packet(&block));
    assert_true(next_packet(&block));
    assert_false(next_packet(&block));
    link_close(link);
    assert_int_equal(pcapng_file_close(file), 0);
}

static void a_partial_checksum_is_completed_in_the_copy_only(void **state) {
    (void)state;
    struct pcapng_file *file = create(NULL);
    struct fake fake;
    struct link *link = NULL;
    fake_init(&fake);
    assert_int_equal(link_pcapng_create(&test_env, &fake.link, file, "tun0", &link), 0);
    static uint8_t bytes[40000], before[40000], payload[39000];
    test_fill(payload, sizeof(payload));
    struct test_tcp data = {B_V4, A_V4, 443, 20000, 1, 2, TCP_ACK, 0, payload, sizeof(payload)};
    uint32_t ip_length, length = test_tcp_header(&data, bytes, sizeof(bytes), &ip_length);
    memcpy(bytes + length, payload, sizeof(payload));
    length += (uint32_t)sizeof(payload);
    memcpy(before, bytes, length);
    fake.incoming = (struct braid_packet_in){
        .bytes = bytes, .length = length, .segment_bytes = 1400, .checksum_verified = true};
    struct braid_packet_in in;
    assert_int_equal(link_receive(link, &in, 1), 1);
    assert_memory_equal(bytes, before, length);
    read_file();
    static struct packet_block block;
    struct ip_header ip;
    assert_true(next_packet(&block));
    assert_int_equal(test_decode_tcp(block.bytes, block.length, true, false, &ip).payload_length,
                     sizeof(payload));
    link_close(link);
    assert_int_equal(pcapng_file_close(file), 0);
}

static void packets_pass_though_the_disk_is_full(void **state) {
    (void)state;
    struct pcapng_file *file = NULL;
    assert_int_equal(pcapng_file_create("/nowhere/x", NULL, &file), -ENOENT);
    assert_int_equal(pcapng_file_create("/dev/full", NULL, &file), 0);
    struct fake fake;
    struct link *link = NULL;
    fake_init(&fake);
    assert_int_equal(link_pcapng_create(&test_env, &fake.link, file, "wifi0", &link), 0);
    for (int i = 0; i < 3; i++) {
        struct braid_packet_out out =
            test_tcp_out(&(struct test_tcp){A_V4, B_V4, 20000, 443, 1, 2, TCP_ACK, 0, "hello", 5}, 0);
        assert_int_equal(link_send(link, &out, 1), 1);
    }
    link_close(link);
    assert_int_equal(pcapng_file_close(file), -ENOSPC);
}

/* Runs tshark and returns what it prints. */
static const char *tshark(const char *arguments) {
    static char text[8192], command[512];
    snprintf(command, sizeof(command), "tshark -r %s %s 2>/dev/null", path, arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t length = fread(text, 1, sizeof(text) - 1, pipe);
    text[length] = 0;
    assert_int_equal(pclose(pipe), 0);
    return text;
}

static void tshark_reads_it_and_finds_nothing_wrong(void **state) {
    (void)state;
    if (access("/usr/bin/tshark", X_OK) != 0) {
        printf("no tshark here\n");
        skip();
    }
    uint64_t now = UINT64_C(1700000000123456789);
    struct pcapng_file *file = create(&now);
    struct fake fake;
    struct link *link = NULL;
    fake_init(&fake);
    assert_int_equal(link_pcapng_create(&test_env, &fake.link, file, "wifi0", &link), 0);
    static uint8_t payload[60001];
    test_fill(payload, sizeof(payload));
    struct braid_packet_out out[3] = {
        test_tcp_out(&(struct test_tcp){A_V4, B_V4, 20000, 443, 1, 0, TCP_SYN, 1400}, 0),
        test_tcp_out(&(struct test_tcp){A_V4, B_V4, 20000, 443, 2, 7, TCP_ACK, 0, payload, sizeof(payload)},
                     1400),
        test_tcp_out(&(struct test_tcp){A_V6, B_V6, 20000, 443, 2, 7, TCP_ACK, 0, payload, sizeof(payload)},
                     1400)};
    assert_int_equal(link_send(link, out, 3), 3);
    link_close(link);
    assert_int_equal(pcapng_file_close(file), 0);
    assert_string_equal(
        tshark("-o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -T fields -e frame.time_epoch "
               "-e frame.interface_name -e tcp.len -e tcp.checksum.status -Y tcp"),
        "1700000000.123456789\twifi0\t0\t1\n"
        "1700000000.123456789\twifi0\t60001\t1\n"
        "1700000000.123456789\twifi0\t60001\t1\n");
    assert_string_equal(tshark("-Y '_ws.malformed || tcp.checksum.status == 0 || ip.checksum.status == 0'"),
                        "");
}

int main(void) {
    int fd = mkstemp(path);
    if (fd < 0) return 1;
    close(fd);
#define TEST(name) cmocka_unit_test_teardown(name, test_nothing_leaked)
    const struct CMUnitTest tests[] = {
        TEST(packets_in_and_out_are_written_with_time_and_direction),
        TEST(only_packets_that_were_taken_are_written),
        TEST(a_partial_checksum_is_completed_in_the_copy_only),
        TEST(packets_pass_though_the_disk_is_full),
        TEST(tshark_reads_it_and_finds_nothing_wrong),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
