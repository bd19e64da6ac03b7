#define _GNU_SOURCE
/* Packets that change threads by a box. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <host/packet_box.h>
#include <poll.h>
#include <pthread.h>

enum { WRITERS = 3, PACKETS = 2000 };

static bool ready(const struct packet_box *box, int timeout_ms) {
    struct pollfd poll_fd = {.fd = packet_box_fd(box), .events = POLLIN};
    return poll(&poll_fd, 1, timeout_ms) == 1;
}

static struct packet_box *box;

static void *write_packets(void *argument) {
    int link = (int)(intptr_t)argument;
    uint8_t bytes[64];
    for (uint32_t i = 0; i < PACKETS; i++) {
        struct braid_packet_in packet = {.bytes = bytes, .length = 4 + i % 60, .checksum_verified = i % 2 != 0};
        memcpy(bytes, &i, sizeof(i));
        packet_box_put(box, link, &packet);
    }
    return NULL;
}

static uint32_t seen[WRITERS];

static void take(void *context, int link, const struct braid_packet_in *packet) {
    uint32_t number;
    (void)context;
    memcpy(&number, packet->bytes, sizeof(number));
    assert_in_range(link, 0, WRITERS - 1);
    assert_int_equal(number, seen[link]); /* each one's in order */
    assert_int_equal(packet->length, 4 + number % 60);
    assert_int_equal(packet->checksum_verified, number % 2 != 0);
    assert_null(packet->buf);
    seen[link]++;
}

static void all_that_several_threads_put_in_comes_out_in_order(void **state) {
    pthread_t writers[WRITERS];
    (void)state;
    box = packet_box_create();
    assert_non_null(box);
    assert_false(ready(box, 0));
    for (intptr_t i = 0; i < WRITERS; i++) assert_int_equal(pthread_create(&writers[i], NULL, write_packets, (void *)i), 0);
    while (seen[0] + seen[1] + seen[2] < WRITERS * PACKETS) {
        assert_true(ready(box, 5000));
        packet_box_empty(box, take, NULL);
    }
    for (int i = 0; i < WRITERS; i++) pthread_join(writers[i], NULL);
    packet_box_empty(box, take, NULL);
    assert_false(ready(box, 0));
    assert_int_equal(packet_box_counts(box).taken_in, WRITERS * PACKETS);
    assert_int_equal(packet_box_counts(box).dropped, 0);
    packet_box_destroy(box);
}

static void count_bytes(void *context, int link, const struct braid_packet_in *packet) {
    (void)link;
    *(uint64_t *)context += packet->length;
}

static void what_does_not_fit_is_dropped_and_counted(void **state) {
    static uint8_t bytes[65535];
    struct braid_packet_in packet = {.bytes = bytes, .length = sizeof(bytes)};
    uint64_t taken = 0;
    (void)state;
    box = packet_box_create();
    for (int i = 0; i < 200; i++) packet_box_put(box, 0, &packet);
    struct packet_box_counts counts = packet_box_counts(box);
    assert_int_equal(counts.taken_in, (8 << 20) / 65535);
    assert_int_equal(counts.taken_in + counts.dropped, 200);
    packet_box_empty(box, count_bytes, &taken);
    assert_int_equal(taken, counts.taken_in * 65535);
    packet_box_put(box, 0, &packet); /* there is room again */
    assert_int_equal(packet_box_counts(box).taken_in, counts.taken_in + 1);
    packet_box_destroy(box); /* with what is in it */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_that_several_threads_put_in_comes_out_in_order),
                                       cmocka_unit_test(what_does_not_fit_is_dropped_and_counted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
