/* The Internet checksum by every way that this machine can do: nanoseconds for a header, a segment and a super-segment, and
 * gigabytes a second of the last. One line of JSON each. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wire/checksum.h>

static uint8_t bytes[65536];

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double measure(const struct checksum_variant *variant, size_t length) {
    unsigned rounds = (unsigned)(200000000 / (length + 100));
    uint64_t sum = 0;
    double start = now_ns();
    for (unsigned i = 0; i < rounds; i++) {
        sum += checksum_sum_by(variant, bytes, length);
        __asm__ volatile("" : "+r"(sum)::"memory");
    }
    return (now_ns() - start) / rounds;
}

int main(void) {
    memset(bytes, 0xa5, sizeof(bytes));
    for (int i = -1; i < 0 || checksum_variant((unsigned)i) != NULL; i++) {
        const struct checksum_variant *variant = i < 0 ? NULL : checksum_variant((unsigned)i);
        if (variant != NULL && !variant->usable()) continue;
        double large = measure(variant, sizeof(bytes));
        printf("{\"way\": \"%s\", \"ns_20\": %.1f, \"ns_1460\": %.1f, \"ns_65536\": %.0f, \"gb_per_s\": %.1f}\n",
               variant != NULL ? variant->name : "words", measure(variant, 20), measure(variant, 1460), large,
               sizeof(bytes) / large);
    }
    return 0;
}
