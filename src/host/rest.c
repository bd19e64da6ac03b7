/* A rest before the loop waits, while much comes quickly: what arrives meanwhile is taken in one turn, and wakes nobody. To
 * wake a sleeping process costs whoever sends more than to pass a super-segment on, and each turn costs the receiver
 * its look at clock, timers and sockets. Devices do the same with their interrupts.
 *
 * It is far shorter than a socket takes to fill. A timer's descriptor is waited for, because what the kernel adds
 * to a sleep as slack is of the program's choosing. Where a rest turns out to be much longer, there is none for a while. */
#include <host/rest.h>

#include <host/environment.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum rest_constant {
    REST_US = 30,
    REST_BYTES_MIN = 100000, /* in one turn */
    REST_US_MAX = 300,       /* more is not what was asked for, ... */
    REST_PAUSE_MS = 1000,    /* ... and then there is none for so long */
};

void rest_init(struct rest *rest) { *rest = (struct rest){.fd = -1}; }

void rest_deinit(struct rest *rest) {
    if (rest->fd >= 0) close(rest->fd);
    rest->fd = -1;
}

void rest_begin_turn(struct rest *rest) { rest->bytes = 0; }

void rest_count(struct rest *rest, uint64_t bytes) { rest->bytes += bytes; }

static void sleep_shortly(struct rest *rest) {
    const struct itimerspec when = {.it_value.tv_nsec = REST_US * BRAID_NS_PER_US};
    uint64_t expirations;
    if (rest->fd < 0) rest->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (rest->fd < 0 || timerfd_settime(rest->fd, 0, &when, NULL) != 0) return;
    (void)!read(rest->fd, &expirations, sizeof(expirations));
}

void rest_now(struct rest *rest, braid_time deadline) {
    if (rest->bytes < REST_BYTES_MIN) return;
    braid_time start = host_now();
    if (start < rest->none_before || deadline < start + REST_US_MAX * BRAID_NS_PER_US) return;
    sleep_shortly(rest);
    braid_time end = host_now();
    if (end - start > REST_US_MAX * BRAID_NS_PER_US) rest->none_before = end + REST_PAUSE_MS * BRAID_NS_PER_MS;
}
