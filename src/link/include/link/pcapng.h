/* Packets as a pcapng file that Wireshark opens: one file, any number of interfaces, nanosecond timestamps,
 * each packet marked as inbound or outbound. Super-segments are written whole, as they passed. Checksums that
 * were left to the device are completed in the written copy. */
#ifndef LINK_PCAPNG_H
#define LINK_PCAPNG_H

#include <link/link.h>

struct pcapng_file;

/* Where timestamps come from: nanoseconds since 1970. NULL as `unix_ns` means the system's clock. */
struct pcapng_clock {
    void *context;
    uint64_t (*unix_ns)(void *context);
};

/* Creates (or empties) the file. 0, or -errno. */
int pcapng_file_create(const char *path, const struct pcapng_clock *clock, struct pcapng_file **out) MUST_USE;
/* Writes what is left and closes. Returns the first error met in writing since the file was created, as
 * -errno: after an error nothing more is written, while packets pass on. NULL is fine and gives 0. */
int pcapng_file_close(struct pcapng_file *file);

/* What follows may be called from any thread. */

/* Declares an interface. Its number is what pcapng_file_packet() wants. */
uint32_t pcapng_file_add_interface(struct pcapng_file *file, const char *name);

enum pcapng_direction { PCAPNG_INBOUND = 1, PCAPNG_OUTBOUND = 2 };
/* Appends one IP packet. `complete_checksum`: its transport checksum may be missing or partial. */
void pcapng_file_packet(struct pcapng_file *file, uint32_t interface, enum pcapng_direction direction,
                        const uint8_t *bytes, uint32_t length, bool complete_checksum);
/* Gives what was written to the system, so that it outlives this process. */
void pcapng_file_flush(struct pcapng_file *file);

/* A link that passes everything to and from `inner`, writing what passes to `file`, which must outlive it and
 * is flushed with each batch. Owns `inner` from now on: closing closes both. `name` names the interface. 0 or
 * -ENOMEM
 * (`inner` is still the caller's). */
int link_pcapng_create(const struct braid_env *env, struct link *inner, struct pcapng_file *file,
                       const char *name, struct link **out) MUST_USE;

#endif
