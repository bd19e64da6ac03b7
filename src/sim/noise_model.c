#include <sim/noise_model.h>

bool sim_noise_is_none(const struct sim_noise_config *config) {
    return config->reorder <= 0 && config->duplicate <= 0 && config->corrupt <= 0 && config->mark <= 0 &&
           config->jitter_ns == 0 && config->burst_begin <= 0;
}

static bool happens(struct noise_model *model, double probability) {
    return probability > 0 && prng_unit(model->prng) < probability;
}

static braid_time up_to(struct noise_model *model, braid_time most) {
    return prng_below(model->prng, most + 1);
}

static bool lost_in_burst(struct noise_model *model) {
    const struct sim_noise_config *config = &model->config;
    if (happens(model, model->burst ? config->burst_end : config->burst_begin)) model->burst = !model->burst;
    return model->burst && happens(model, config->burst_loss);
}

/* Bits that stand together: flips far apart may cancel in TCP's checksum, and then nobody could tell. */
static void draw_flips(struct noise_model *model, uint32_t length_bytes, struct noise_fate *out) {
    out->flip_from = (uint32_t)prng_below(model->prng, (uint64_t)length_bytes * 8 - 2);
    while (out->flip_count <= prng_below(model->prng, 3))
        out->flip_count++;
}

static void draw_waiting(struct noise_model *model, braid_time now, struct noise_fate *out) {
    const struct sim_noise_config *config = &model->config;
    out->waits = true;
    if (happens(model, config->reorder)) {
        out->pass_ns = now + up_to(model, config->reorder_ns);
        return;
    }
    out->waits = config->jitter_ns != 0 || model->free_at > now;
    out->pass_ns = now;
    if (!out->waits) return;
    /* One nanosecond apart, so that they leave in order. */
    out->pass_ns += up_to(model, config->jitter_ns);
    if (out->pass_ns <= model->free_at) out->pass_ns = model->free_at + 1;
    model->free_at = out->pass_ns;
}

void noise_model_judge(struct noise_model *model, uint32_t length_bytes, braid_time now,
                       struct noise_fate *out) {
    *out = (struct noise_fate){.lost = lost_in_burst(model)};
    if (out->lost) return;
    out->copied = happens(model, model->config.duplicate);
    if (out->copied) out->copy_ns = now + up_to(model, model->config.reorder_ns);
    if (happens(model, model->config.corrupt)) draw_flips(model, length_bytes, out);
    out->marked = happens(model, model->config.mark);
    draw_waiting(model, now, out);
}

void noise_flip(uint8_t *bytes, const struct noise_fate *fate) {
    for (uint32_t bit = fate->flip_from; bit < fate->flip_from + fate->flip_count; bit++)
        bytes[bit / 8] ^= (uint8_t)(0x80u >> bit % 8);
}

enum { ECN_BITS = 3, V4_HEADER_BYTES = 20, V6_HEADER_BYTES = 40 };

/* [RFC 1624] One byte of a header grew: its checksum shrinks as much, in ones' complement. */
static void checksum_less(uint8_t *checksum, uint32_t by) {
    uint32_t sum = (uint32_t)(checksum[0] << 8 | checksum[1]);
    sum = sum >= by ? sum - by : sum + 0xffff - by;
    checksum[0] = (uint8_t)(sum >> 8);
    checksum[1] = (uint8_t)sum;
}

void noise_mark(uint8_t *bytes, uint32_t length) {
    if (length >= V6_HEADER_BYTES && bytes[0] >> 4 == 6) {
        if (bytes[1] >> 4 & ECN_BITS) bytes[1] |= ECN_BITS << 4;
    } else if (length >= V4_HEADER_BYTES && bytes[0] >> 4 == 4 && bytes[1] & ECN_BITS) {
        uint8_t before = bytes[1];
        bytes[1] |= ECN_BITS;
        checksum_less(bytes + 10, (uint32_t)(bytes[1] - before));
    }
}
