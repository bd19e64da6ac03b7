/* The Internet checksum by every way that this machine can do: nanoseconds for a header, a segment and a super-segment, and
 * gigabytes a second of the last; the same summed while it is copied, and copied first and summed then. Super-segments that
 * are copied go through 4 MB, as a send buffer does. One line of JSON each. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wire/checksum.h>

enum { LONG = 65536, SHORT = 1460, BUFFERS = 64 };
static uint8_t bytes[LONG], copies[BUFFERS][LONG];

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

static double measure_copy(const struct checksum_variant *variant, size_t length, bool folded) {
    unsigned rounds = (unsigned)(200000000 / (length + 100));
    uint64_t sum = 0;
    double start = now_ns();
    for (unsigned i = 0; i < rounds; i++) {
        uint8_t *to = length == LONG ? copies[i % BUFFERS] : copies[0];
        if (folded) sum += checksum_copy_by(variant, to, bytes, length);
        else {
            memcpy(to, bytes, length);
            __asm__ volatile("" ::: "memory");
            sum += checksum_sum_by(variant, to, length);
        }
        __asm__ volatile("" : "+r"(sum)::"memory");
    }
    return (now_ns() - start) / rounds;
}

int main(void) {
    memset(bytes, 0xa5, sizeof(bytes));
    memset(copies, 1, sizeof(copies));
    for (int i = -1; i < 0 || checksum_variant((unsigned)i) != NULL; i++) {
        const struct checksum_variant *variant = i < 0 ? NULL : checksum_variant((unsigned)i);
        if (variant != NULL && !variant->usable()) continue;
        double large = measure(variant, sizeof(bytes));
        printf("{\"way\": \"%s\", \"ns_20\": %.1f, \"ns_1460\": %.1f, \"ns_65536\": %.0f, \"gb_per_s\": %.1f, ",
               variant != NULL ? variant->name : "words", measure(variant, 20), measure(variant, SHORT), large, LONG / large);
        printf("\"folded_ns_1460\": %.1f, \"folded_ns_65536\": %.0f, \"apart_ns_1460\": %.1f, \"apart_ns_65536\": %.0f}\n",
               measure_copy(variant, SHORT, true), measure_copy(variant, LONG, true), measure_copy(variant, SHORT, false),
               measure_copy(variant, LONG, false));
    }
    return 0;
}
