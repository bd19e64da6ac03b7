/* The link that writes down what passes through it. */
#include <link/pcapng.h>

#include <base/buf.h>
#include <errno.h>
#include <string.h>

struct link_pcapng {
    struct link link;
    const struct braid_env *env;
    struct link *inner;
    struct pcapng_file *file;
    uint32_t interface;
    struct braid_packet_out kept[LINK_BATCH_MAX];
    uint8_t flat[LINK_PACKET_MAX]; /* an outgoing packet in one piece */
};

static struct link_pcapng *pcapng_of(struct link *link) {
    return CONTAINER_OF(link, struct link_pcapng, link);
}

static int pcapng_receive(struct link *link, struct braid_packet_in *packets, size_t max) {
    struct link_pcapng *self = pcapng_of(link);
    int count = link_receive(self->inner, packets, max);
    /* A checksum vouched for may still be only partial: the packet never crossed a wire. */
    for (int i = 0; i < count; i++)
        pcapng_file_packet(self->file, self->interface, PCAPNG_INBOUND, packets[i].bytes, packets[i].length,
                           packets[i].checksum_verified);
    if (count > 0) pcapng_file_flush(self->file);
    return count;
}

static void write_outgoing(struct link_pcapng *self, const struct braid_packet_out *packet) {
    uint32_t length = packet->header_length;
    if (packet->payload_length > sizeof(self->flat) - length) return;
    memcpy(self->flat, packet->header, length);
    for (size_t i = 0; i < packet->slice_count; i++) {
        memcpy(self->flat + length, packet->slices[i].bytes, packet->slices[i].length);
        length += packet->slices[i].length;
    }
    pcapng_file_packet(self->file, self->interface, PCAPNG_OUTBOUND, self->flat, length,
                       packet->checksum_partial);
}

/* Sending releases the payload, and only those packets that the inner link takes may stand in the file: so a
 * second reference to each is kept until that is known. */
static void keep(struct link_pcapng *self, const struct braid_packet_out *packets, size_t count) {
    for (size_t i = 0; i < count; i++) {
        self->kept[i] = packets[i];
        for (size_t slice = 0; slice < packets[i].slice_count; slice++)
            buf_ref(packets[i].slices[slice].buf);
    }
}

static int pcapng_send(struct link *link, struct braid_packet_out *packets, size_t count) {
    struct link_pcapng *self = pcapng_of(link);
    if (count > LINK_BATCH_MAX) count = LINK_BATCH_MAX;
    keep(self, packets, count);
    int taken = link_send(self->inner, packets, count);
    for (size_t i = 0; i < count; i++) {
        if ((int)i < taken) write_outgoing(self, &self->kept[i]);
        braid_packet_out_release(&self->kept[i]);
    }
    if (taken > 0) pcapng_file_flush(self->file);
    return taken;
}

static void pcapng_close(struct link *link) {
    struct link_pcapng *self = pcapng_of(link);
    link_close(self->inner);
    self->env->release(self->env->context, self, sizeof(*self));
}

static const struct link_ops pcapng_ops = {pcapng_receive, pcapng_send, pcapng_close};

int link_pcapng_create(const struct braid_env *env, struct link *inner, struct pcapng_file *file,
                       const char *name, struct link **out) {
    struct link_pcapng *self = env->allocate(env->context, sizeof(*self));
    if (self == NULL) return -ENOMEM;
    self->env = env;
    self->inner = inner;
    self->file = file;
    self->interface = pcapng_file_add_interface(file, name);
    self->link = (struct link){&pcapng_ops, inner->capabilities, inner->statistics, inner->fd};
    *out = &self->link;
    return 0;
}
