/* Any bytes as the host's resolv.conf: some name servers are found, and the file that the command gets names only those
 * that stand in for them. */
#define _GNU_SOURCE
#include "fuzz.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <resolver.h>

static FILE *open_bytes(const uint8_t *bytes, size_t length) {
    FILE *file = fmemopen((void *)(uintptr_t)bytes, length, "r");
    ENSURE(file != NULL);
    return file;
}

/* What the command's own resolver will find in it. */
static void check_text(const struct resolver *resolver, const char *text) {
    struct resolver again = {.first = resolver->first};
    FILE *file = open_bytes((const uint8_t *)text, strlen(text));
    resolver_read_file(&again, file);
    fclose(file);
    ENSURE(again.count == resolver->count);
    for (unsigned i = 0; i < again.count; i++) {
        const struct ip_address stand_in = resolver_stand_in(resolver, i);
        const uint8_t *got = again.servers[i].sin6_addr.s6_addr + 12;
        ENSURE(memcmp(got, stand_in.bytes, 4) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    static char text[RESOLVER_TEXT_MAX];
    struct resolver resolver = {.first = {.family = IP_V4, .bytes = {198, 18, 0, 53}}};
    if (length == 0) return 0;
    FILE *file = open_bytes(bytes, length);
    resolver_read_file(&resolver, file);
    ENSURE(resolver.count >= 1 && resolver.count <= RESOLVER_SERVERS_MAX);
    rewind(file);
    if (resolver_text_of(&resolver, file, text)) check_text(&resolver, text);
    fclose(file);
    for (unsigned i = 0; i < resolver.count; i++) {
        struct sockaddr_storage out;
        socklen_t size = resolver_server(&resolver, i, &out);
        ENSURE(size == (out.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)));
    }
    return 0;
}
