/* Ports that are ours alone, for as long as the process lives. */
#define _GNU_SOURCE
#include "test_hosts.h"

#include <host/ports.h>
#include <sys/mman.h>

static int bind_port(int family, uint16_t port) {
    struct sockaddr_storage at;
    socklen_t length = test_socket_address(family == AF_INET6 ? "::" : "0.0.0.0", port, &at);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, (struct sockaddr *)&at, length) == 0) return fd;
    int error = errno;
    close(fd);
    return -error;
}

static void nobody_else_gets_them(void **state) {
    (void)state;
    struct port_reservation *ports = NULL;
    assert_int_equal(ports_reserve(300, &ports), 0);
    assert_int_equal(ports_last(ports) - ports_first(ports), 299);
    for (int port = ports_first(ports); port <= ports_last(ports); port++) {
        assert_int_equal(bind_port(AF_INET, (uint16_t)port), -EADDRINUSE);
        assert_int_equal(bind_port(AF_INET6, (uint16_t)port), -EADDRINUSE);
    }
    uint16_t first = ports_first(ports);
    ports_release(ports);
    int fd = bind_port(AF_INET, first);
    assert_true(fd >= 0);
    close(fd);
}

static void the_kernel_does_not_hand_them_out(void **state) {
    (void)state;
    struct port_reservation *ports = NULL;
    assert_int_equal(ports_reserve(64, &ports), 0);
    /* Even where the kernel has nothing else to hand out. */
    char range[32];
    snprintf(range, sizeof(range), "%u %u", ports_first(ports), ports_last(ports));
    assert_true(test_write_file("/proc/sys/net/ipv4/ip_local_port_range", range));
    test_link_set("lo", true);
    assert_int_equal(bind_port(AF_INET, 0), -EADDRINUSE);
    struct sockaddr_storage to;
    socklen_t length = test_socket_address("127.0.0.1", 80, &to);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, length), -1);
    assert_int_equal(errno, EADDRNOTAVAIL);
    close(fd);
    ports_release(ports);
}

static uint16_t *shared_first; /* written by the child */

static void reserve_and_tell(const void *argument) {
    (void)argument;
    struct port_reservation *ports = NULL;
    if (ports_reserve(1024, &ports) != 0) _exit(1);
    *shared_first = ports_first(ports);
}

static void two_processes_get_ranges_apart_and_a_killed_one_frees_its_own(void **state) {
    (void)state;
    shared_first =
        mmap(NULL, sizeof(*shared_first), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared_first != MAP_FAILED);
    pid_t child = test_child(reserve_and_tell, NULL);
    struct port_reservation *ports = NULL, *again = NULL;
    assert_int_equal(ports_reserve(1024, &ports), 0);
    int distance = (int)*shared_first - (int)ports_first(ports);
    assert_true(distance >= 1024 || distance <= -1024);
    test_kill(child);
    assert_int_equal(ports_reserve(1024, &again), 0);
    assert_int_equal(ports_first(again), *shared_first);
    ports_release(ports);
    ports_release(again);
    munmap(shared_first, sizeof(*shared_first));
}

static void ports_in_use_are_left_alone(void **state) {
    (void)state;
    int fd = bind_port(AF_INET, 65000);
    assert_true(fd >= 0);
    struct port_reservation *ports = NULL;
    assert_int_equal(ports_reserve(1024, &ports), 0);
    assert_true(ports_last(ports) < 65000);
    ports_release(ports);
    close(fd);
}

static void they_lie_outside_what_the_kernel_hands_out_by_default(void **state) {
    (void)state;
    struct port_reservation *ports[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(ports_reserve(1024, &ports[i]), 0);
        assert_true(ports_first(ports[i]) > 60999);
    }
    for (size_t i = 0; i < 4; i++)
        ports_release(ports[i]);
    /* A router translates its clients' ports to these: it keeps away from where clients choose theirs. */
    assert_true(test_write_file("/proc/sys/net/ipv4/ip_forward", "1"));
    assert_int_equal(ports_reserve(1024, &ports[0]), 0);
    assert_true(ports_last(ports[0]) < 30000);
    ports_release(ports[0]);
}

static void what_cannot_be_had_is_refused(void **state) {
    (void)state;
    struct port_reservation *ports = NULL;
    assert_int_equal(ports_reserve(0, &ports), -EINVAL);
    assert_int_equal(ports_reserve(16385, &ports), -EINVAL);
    assert_null(ports);
}

int main(void) {
    if (!test_become_root()) return 0;
#define TEST(name) cmocka_unit_test_setup(name, test_fresh_network)
    const struct CMUnitTest tests[] = {
        TEST(nobody_else_gets_them),
        TEST(the_kernel_does_not_hand_them_out),
        TEST(two_processes_get_ranges_apart_and_a_killed_one_frees_its_own),
        TEST(ports_in_use_are_left_alone),
        TEST(they_lie_outside_what_the_kernel_hands_out_by_default),
        TEST(what_cannot_be_had_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
