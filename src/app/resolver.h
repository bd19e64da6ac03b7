/* Name service for the command. The host's name servers may listen on its loopback, where the command cannot
 * reach them; so each gets an address behind the TUN device, which the command's /etc/resolv.conf names in
 * its place, and what comes for it is passed on to the real one from the host's own network. */
#ifndef APP_RESOLVER_H
#define APP_RESOLVER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <wire/address.h>

#define RESOLVER_SERVERS_MAX 3 /* as many as libc asks (MAXNS) */
#define RESOLVER_PORT 53
#define RESOLVER_TEXT_MAX 8192

struct resolver {
    struct sockaddr_in6 servers[RESOLVER_SERVERS_MAX]; /* IPv4 as a mapped address */
    unsigned count;                                    /* 0: the host has no resolv.conf */
    struct ip_address first;                           /* the stand-in of the first; the others follow it */
    struct timespec changed;                           /* of the file that was read */
};

/* Reads the host's resolv.conf. `first`: the address to stand in for its first name server. */
void resolver_read(struct resolver *resolver, const struct ip_address *first);
/* Reads it again if it has changed since. How many servers there are is kept. */
void resolver_refresh(struct resolver *resolver);
/* The command's resolv.conf: the host's, with other name servers. False: none is needed, or it is too long.
 */
bool resolver_text(const struct resolver *resolver, char text[RESOLVER_TEXT_MAX]);
/* The same two, of any such file: its servers (at least one), and the text that the command gets. */
void resolver_read_file(struct resolver *resolver, FILE *file);
bool resolver_text_of(const struct resolver *resolver, FILE *file, char text[RESOLVER_TEXT_MAX]);
/* Whether `address` stands in for a name server, and which. */
bool resolver_stands_in(const struct resolver *resolver, const struct ip_address *address, unsigned *which);
struct ip_address resolver_stand_in(const struct resolver *resolver, unsigned which);
/* Where to pass on what came for it. Returns the length; `out` fits a socket of family out->ss_family. */
socklen_t resolver_server(const struct resolver *resolver, unsigned which, struct sockaddr_storage *out);

/* In a mount namespace whose mounts are its own (mounts.h): puts `text` in the place of /etc/resolv.conf. 0 or -errno. */
int resolver_mount(const char *text);

#endif
