#include <base/prng.h>
#include <base/ensure.h>

static uint64_t rotate_left(uint64_t x, int bits) { return (x << bits) | (x >> (64 - bits)); }

/* splitmix64, which spreads even small seeds over the whole state and never leaves it all zero. */
void prng_seed(struct prng *prng, uint64_t seed) {
    for (int i = 0; i < 4; i++) {
        seed += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        prng->state[i] = z ^ (z >> 31);
    }
}

uint64_t prng_next(struct prng *prng) {
    uint64_t *s = prng->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t prng_below(struct prng *prng, uint64_t bound) {
    ENSURE(bound > 0);
    /* The values below 2^64 mod bound would be favoured: draw again instead. */
    uint64_t refused = (UINT64_C(0) - bound) % bound;
    uint64_t value;
    do value = prng_next(prng);
    while (value < refused);
    return value % bound;
}

double prng_unit(struct prng *prng) { return (double)(prng_next(prng) >> 11) * 0x1p-53; }
