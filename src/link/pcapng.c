/* The file: pcapng blocks as of draft-ietf-opsawg-pcapng, in this machine's byte order. */
#include <link/pcapng.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wire/checksum.h>
#include <wire/ip.h>

#define BLOCK_SECTION_HEADER 0x0A0D0D0Au
#define BLOCK_INTERFACE_DESCRIPTION 1u
#define BLOCK_ENHANCED_PACKET 6u
#define BYTE_ORDER_MAGIC 0x1A2B3C4Du
#define LINKTYPE_RAW 101u
#define OPTION_END 0
#define OPTION_SHB_USERAPPL 4
#define OPTION_IF_NAME 2
#define OPTION_IF_TSRESOL 9
#define OPTION_EPB_FLAGS 2
#define TCP_CHECKSUM_OFFSET 16
#define UDP_CHECKSUM_OFFSET 6

/* The largest block: a packet and about 60 bytes around it. */
#define BLOCK_BYTES_MAX (LINK_PACKET_MAX + 128)

struct pcapng_file {
    pthread_mutex_t lock; /* a block is made and written in one piece */
    FILE *file;
    int error; /* first one met; nothing is written after it */
    struct pcapng_clock clock;
    uint32_t interface_count;
    size_t block_length;
    uint8_t block[BLOCK_BYTES_MAX];
};

static void put(struct pcapng_file *file, const void *bytes, size_t length) {
    ENSURE(length <= sizeof(file->block) - file->block_length);
    if (length == 0) return;
    memcpy(file->block + file->block_length, bytes, length);
    file->block_length += length;
}

static void put_u16(struct pcapng_file *file, uint16_t value) {
    put(file, &value, sizeof(value));
}
static void put_u32(struct pcapng_file *file, uint32_t value) {
    put(file, &value, sizeof(value));
}

static void put_padding(struct pcapng_file *file) {
    static const uint8_t zeros[3];
    put(file, zeros, (4 - file->block_length % 4) % 4);
}

static void put_option(struct pcapng_file *file, uint16_t code, const void *value, size_t length) {
    put_u16(file, code);
    put_u16(file, (uint16_t)length);
    put(file, value, length);
    put_padding(file);
}

static void block_begin(struct pcapng_file *file, uint32_t type) {
    file->block_length = 0;
    put_u32(file, type);
    put_u32(file, 0); /* the length, known at the end */
}

static void block_end(struct pcapng_file *file) {
    uint32_t length = (uint32_t)file->block_length + 4;
    put_u32(file, length);
    memcpy(file->block + 4, &length, sizeof(length));
    if (file->error != 0) return;
    if (fwrite(file->block, 1, file->block_length, file->file) != file->block_length) file->error = errno;
}

static uint64_t now_unix_ns(const struct pcapng_file *file) {
    if (file->clock.unix_ns != NULL) return file->clock.unix_ns(file->clock.context);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * BRAID_NS_PER_S + (uint64_t)now.tv_nsec;
}

static void section_header(struct pcapng_file *file) {
    static const char application[] = "braid";
    block_begin(file, BLOCK_SECTION_HEADER);
    put_u32(file, BYTE_ORDER_MAGIC);
    put_u16(file, 1);
    put_u16(file, 0);
    put_u32(file, UINT32_MAX); /* section length unknown */
    put_u32(file, UINT32_MAX);
    put_option(file, OPTION_SHB_USERAPPL, application, strlen(application));
    put_option(file, OPTION_END, NULL, 0);
    block_end(file);
}

int pcapng_file_create(const char *path, const struct pcapng_clock *clock, struct pcapng_file **out) {
    struct pcapng_file *file = malloc(sizeof(*file));
    if (file == NULL) return -ENOMEM;
    memset(file, 0, offsetof(struct pcapng_file, block));
    if (clock != NULL) file->clock = *clock;
    file->file = fopen(path, "we");
    if (file->file == NULL) {
        int error = errno;
        free(file);
        return -error;
    }
    pthread_mutex_init(&file->lock, NULL);
    setvbuf(file->file, NULL, _IOFBF, 1u << 18);
    section_header(file);
    *out = file;
    return 0;
}

int pcapng_file_close(struct pcapng_file *file) {
    if (file == NULL) return 0;
    if (fclose(file->file) != 0 && file->error == 0) file->error = errno;
    int error = file->error;
    pthread_mutex_destroy(&file->lock);
    free(file);
    return -error;
}

void pcapng_file_flush(struct pcapng_file *file) {
    pthread_mutex_lock(&file->lock);
    if (file->error == 0 && fflush(file->file) != 0) file->error = errno;
    pthread_mutex_unlock(&file->lock);
}

uint32_t pcapng_file_add_interface(struct pcapng_file *file, const char *name) {
    uint8_t nanoseconds = 9; /* a power of ten, negated */
    size_t name_length = strlen(name);
    pthread_mutex_lock(&file->lock);
    block_begin(file, BLOCK_INTERFACE_DESCRIPTION);
    put_u16(file, LINKTYPE_RAW);
    put_u16(file, 0);
    put_u32(file, 0); /* no limit on a packet's length */
    put_option(file, OPTION_IF_NAME, name, name_length > 255 ? 255 : name_length);
    put_option(file, OPTION_IF_TSRESOL, &nanoseconds, 1);
    put_option(file, OPTION_END, NULL, 0);
    block_end(file);
    uint32_t number = file->interface_count++;
    pthread_mutex_unlock(&file->lock);
    return number;
}

/* Computes the TCP or UDP checksum of the packet at `bytes`, in place. What is not such a packet stays as it
 * is. */
static void complete(uint8_t *bytes, uint32_t length) {
    struct ip_header ip;
    if (ip_decode(bytes, length, true, &ip) != IP_OK || ip.is_fragment) return;
    if (ip.protocol != IP_PROTOCOL_TCP && ip.protocol != IP_PROTOCOL_UDP) return;
    uint32_t offset = ip.protocol == IP_PROTOCOL_TCP ? TCP_CHECKSUM_OFFSET : UDP_CHECKSUM_OFFSET;
    uint32_t transport_length = ip.payload_length;
    if (transport_length < offset + 2 || transport_length > length - ip.header_length) return;
    uint8_t *transport = bytes + ip.header_length;
    transport[offset] = transport[offset + 1] = 0;
    uint64_t sum = checksum_pseudo_header(&ip.source, &ip.destination, ip.protocol, transport_length) +
                   checksum_sum(transport, transport_length);
    uint16_t checksum = checksum_finish(sum);
    if (checksum == 0 && ip.protocol == IP_PROTOCOL_UDP)
        checksum = 0xFFFF; /* RFC 768: 0 says there is none */
    transport[offset] = (uint8_t)(checksum >> 8);
    transport[offset + 1] = (uint8_t)checksum;
}

static void packet_begin(struct pcapng_file *file, uint32_t interface, uint32_t length) {
    uint64_t now = now_unix_ns(file);
    block_begin(file, BLOCK_ENHANCED_PACKET);
    put_u32(file, interface);
    put_u32(file, (uint32_t)(now >> 32));
    put_u32(file, (uint32_t)now);
    put_u32(file, length);
    put_u32(file, length);
}

static void packet_end(struct pcapng_file *file, enum pcapng_direction direction) {
    uint32_t flags = direction;
    put_padding(file);
    put_option(file, OPTION_EPB_FLAGS, &flags, sizeof(flags));
    put_option(file, OPTION_END, NULL, 0);
    block_end(file);
}

void pcapng_file_packet(struct pcapng_file *file, uint32_t interface, enum pcapng_direction direction,
                        const uint8_t *bytes, uint32_t length, bool complete_checksum) {
    if (length > LINK_PACKET_MAX) return;
    pthread_mutex_lock(&file->lock);
    if (file->error == 0) {
        packet_begin(file, interface, length);
        uint8_t *copy = file->block + file->block_length;
        put(file, bytes, length);
        if (complete_checksum) complete(copy, length);
        packet_end(file, direction);
    }
    pthread_mutex_unlock(&file->lock);
}
