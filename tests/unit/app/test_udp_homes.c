/* Where a program's ports of UDP are at home. */
#include "said.h"
#include <poll.h>
#include <udp_homes.h>

enum { THREADS = 4, PORTS = 4096 };

static void each_port_has_one_home_and_all_threads_are_some_ports_home(void **state) {
    struct udp_homes *homes = udp_homes_create(THREADS);
    struct ip_address v4 = ip_address_v4((const uint8_t[]){198, 18, 0, 2});
    unsigned odd[THREADS] = {0}, even[THREADS] = {0};
    (void)state;
    assert_non_null(homes);
    for (unsigned port = 0; port < PORTS; port++) {
        unsigned home = udp_homes_of(homes, &v4, (uint16_t)(32768 + port));
        assert_true(home < THREADS);
        assert_int_equal(udp_homes_of(homes, &v4, (uint16_t)(32768 + port)), home);
        if (port % 2) odd[home]++;
        else even[home]++;
    }
    /* Systems like every other port. An even share would be 512. */
    for (int i = 0; i < THREADS; i++) assert_true(odd[i] > 400 && odd[i] < 624 && even[i] > 400 && even[i] < 624);
    udp_homes_destroy(homes);
}

static void each_thread_has_a_box_of_its_own(void **state) {
    struct udp_homes *homes = udp_homes_create(THREADS);
    uint8_t bytes[100] = {0};
    (void)state;
    packet_box_put(udp_homes_box(homes, 2), 0, &(struct braid_packet_in){.bytes = bytes, .length = sizeof(bytes)});
    for (unsigned i = 0; i < THREADS; i++) {
        struct pollfd poll_fd = {.fd = packet_box_fd(udp_homes_box(homes, i)), .events = POLLIN};
        assert_int_equal(poll(&poll_fd, 1, 0), i == 2);
    }
    udp_homes_destroy(homes);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_port_has_one_home_and_all_threads_are_some_ports_home),
                                       cmocka_unit_test(each_thread_has_a_box_of_its_own)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
