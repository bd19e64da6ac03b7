/* Sockets of the kernel's for UDP: opened on an interface, read in batches, with the ICMP errors that came
 * back. */
#ifndef APP_UDP_SOCKET_H
#define APP_UDP_SOCKET_H

#include <stdbool.h>
#include <sys/socket.h>
#include <wire/address.h>
#include <wire/icmp.h>

#define UDP_BATCH_MAX 16

struct udp_peer {
    struct ip_address address;
    uint16_t port;
};

struct udp_arrived {
    struct udp_peer peer;
    const uint8_t *payload;
    uint32_t length;
};

/* Room for what one call receives. */
struct udp_batch {
    struct udp_arrived datagrams[UDP_BATCH_MAX];
    struct udp_batch_memory *memory;
};

struct udp_batch *udp_batch_create(void);
void udp_batch_destroy(struct udp_batch *batch); /* NULL is fine */

socklen_t udp_socket_address(const struct ip_address *address, uint16_t port, struct sockaddr_storage *out);
/* `interface`: by which alone it sends and receives; NULL: as routes tell. -1 with errno set. */
int udp_socket_open(enum ip_family family, const char *interface);
/* Fills batch->datagrams; they are valid until the next call. Returns how many. */
unsigned udp_socket_receive(int fd, struct udp_batch *batch);

struct udp_error {
    enum icmp_error_kind kind;
    uint32_t mtu; /* of ICMP_PACKET_TOO_BIG */
    struct udp_peer destination;
    const uint8_t *payload; /* the start of what was sent; valid until the batch is used again */
    uint32_t payload_length;
};
/* The next error told of what was sent. False: there is none. */
bool udp_socket_take_error(int fd, struct udp_batch *batch, struct udp_error *out);

#endif
