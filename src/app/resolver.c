#define _GNU_SOURCE
#include "resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static const char resolv_conf[] = "/etc/resolv.conf";

/* ---- reading ---- */

/* The address in "nameserver ADDRESS"; NULL if the line is another one. Cuts the line. */
static char *nameserver_of(char *line) {
    static const char word[] = "nameserver";
    if (strncmp(line, word, sizeof(word) - 1) != 0) return NULL;
    char *at = line + sizeof(word) - 1;
    if (*at != ' ' && *at != '\t') return NULL;
    at += strspn(at, " \t");
    at[strcspn(at, " \t\r\n")] = 0;
    return at;
}

static bool parse_server(const char *text, struct sockaddr_in6 *out) {
    struct addrinfo hints = {
        .ai_family = AF_INET6, .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char mapped[80], dotted[INET_ADDRSTRLEN]; /* several threads read: not by inet_ntoa() */
    struct in_addr v4;
    if (inet_aton(text, &v4) != 0) {
        snprintf(mapped, sizeof(mapped), "::ffff:%s", inet_ntop(AF_INET, &v4, dotted, sizeof(dotted)));
        text = mapped;
    }
    if (getaddrinfo(text, "53", &hints, &found) != 0) return false;
    memcpy(out, found->ai_addr, sizeof(*out));
    freeaddrinfo(found);
    return true;
}

void resolver_read_file(struct resolver *resolver, FILE *file) {
    char *line = NULL;
    size_t room = 0;
    resolver->count = 0;
    while (resolver->count < RESOLVER_SERVERS_MAX && getline(&line, &room, file) >= 0) {
        const char *address = nameserver_of(line);
        if (address != NULL && parse_server(address, &resolver->servers[resolver->count])) resolver->count++;
    }
    free(line);
    /* resolv.conf(5): if none is named, the one on the local machine is used. */
    if (resolver->count == 0 && parse_server("127.0.0.1", &resolver->servers[0])) resolver->count = 1;
}

void resolver_read(struct resolver *resolver, const struct ip_address *first) {
    struct stat status;
    *resolver = (struct resolver){.first = *first};
    FILE *file = fopen(resolv_conf, "re");
    if (file == NULL) return;
    if (fstat(fileno(file), &status) == 0) resolver->changed = status.st_mtim;
    resolver_read_file(resolver, file);
    fclose(file);
}

void resolver_refresh(struct resolver *resolver) {
    struct stat status;
    unsigned count = resolver->count;
    if (count == 0 || stat(resolv_conf, &status) != 0) return;
    if (status.st_mtim.tv_sec == resolver->changed.tv_sec &&
        status.st_mtim.tv_nsec == resolver->changed.tv_nsec)
        return;
    struct ip_address first = resolver->first;
    struct resolver read = {0};
    resolver_read(&read, &first);
    if (read.count == 0) return;
    /* The command goes on asking as many as it was told of. */
    for (unsigned i = 0; i < count; i++)
        resolver->servers[i] = read.servers[i % read.count];
    resolver->changed = read.changed;
}

/* ---- standing in ---- */

struct ip_address resolver_stand_in(const struct resolver *resolver, unsigned which) {
    struct ip_address address = resolver->first;
    address.bytes[3] = (uint8_t)(address.bytes[3] + which);
    return address;
}

bool resolver_stands_in(const struct resolver *resolver, const struct ip_address *address, unsigned *which) {
    for (*which = 0; *which < resolver->count; ++*which) {
        struct ip_address ours = resolver_stand_in(resolver, *which);
        if (ip_address_equal(&ours, address)) return true;
    }
    return false;
}

socklen_t resolver_server(const struct resolver *resolver, unsigned which, struct sockaddr_storage *out) {
    const struct sockaddr_in6 *server = &resolver->servers[which];
    memset(out, 0, sizeof(*out));
    if (!IN6_IS_ADDR_V4MAPPED(&server->sin6_addr)) {
        memcpy(out, server, sizeof(*server));
        return sizeof(*server);
    }
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = server->sin6_port};
    memcpy(&v4.sin_addr, server->sin6_addr.s6_addr + 12, sizeof(v4.sin_addr));
    memcpy(out, &v4, sizeof(v4));
    return sizeof(v4);
}

/* ---- the command's file ---- */

static bool append(char text[RESOLVER_TEXT_MAX], size_t *length, const char *line) {
    size_t more = strlen(line);
    if (*length + more >= RESOLVER_TEXT_MAX) return false;
    memcpy(text + *length, line, more + 1);
    *length += more;
    return true;
}

bool resolver_text_of(const struct resolver *resolver, FILE *file, char text[RESOLVER_TEXT_MAX]) {
    char stand_in_line[80], address[IP_ADDRESS_TEXT_MAX], *line = NULL;
    size_t length = 0, room = 0;
    bool fits = true;
    for (unsigned i = 0; i < resolver->count; i++) {
        struct ip_address stand_in = resolver_stand_in(resolver, i);
        snprintf(stand_in_line, sizeof(stand_in_line), "nameserver %s\n", ip_address_format(&stand_in, address));
        fits &= append(text, &length, stand_in_line);
    }
    while (fits && getline(&line, &room, file) >= 0) {
        if (nameserver_of(line) != NULL) continue;
        line[strcspn(line, "\n")] = '\0';
        fits = append(text, &length, line) && append(text, &length, "\n");
    }
    free(line);
    return fits;
}

bool resolver_text(const struct resolver *resolver, char text[RESOLVER_TEXT_MAX]) {
    FILE *file = resolver->count > 0 ? fopen(resolv_conf, "re") : NULL;
    if (file == NULL) return false;
    bool fits = resolver_text_of(resolver, file, text);
    fclose(file);
    return fits;
}

static int write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) return -errno;
    size_t length = strlen(text);
    int error = write(fd, text, length) == (ssize_t)length ? 0 : -EIO;
    if (fchmod(fd, 0644) < 0 && error == 0) error = -errno;
    close(fd);
    return error;
}

/* The file lives in a tmpfs that nobody can see but through the mount: nothing is left when the namespace
 * goes. The tmpfs is laid over /etc for a moment, a folder that is there wherever there is a resolv.conf. */
int resolver_mount(const char *text) {
    static const char cover[] = "/etc", file[] = "/etc/resolv.conf";
    char target[64];
    int target_fd = open(resolv_conf, O_PATH | O_CLOEXEC); /* through symbolic links, wherever they lead */
    if (target_fd < 0) return -errno;
    snprintf(target, sizeof(target), "/proc/self/fd/%d", target_fd);
    int error = mount("braid", cover, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=755") < 0
                    ? -errno
                    : 0;
    if (error == 0) {
        error = write_file(file, text);
        if (error == 0 && mount(file, target, NULL, MS_BIND, NULL) < 0) error = -errno;
        if (umount2(cover, MNT_DETACH) < 0 && error == 0) error = -errno;
    }
    close(target_fd);
    return error;
}
