#define _GNU_SOURCE
/* Several hosts of one process behind the same UDP ports, a thread each: what comes is shared out among them, a connection with
 * two paths lives in one of them, and its second path is handed on where the system gives it to another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <braid/braid.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

enum { HOSTS = 3, STREAMS = 24, BYTES = 200000 };
#define WAIT (20 * BRAID_NS_PER_S)

static struct braid_team *team;
static const char *server_address = "127.0.0.3";
static atomic_uint ready, served[HOSTS], over;
static atomic_uint_fast16_t port;

static struct braid_host *member(unsigned place, uint16_t port_first, char *text) {
    struct braid_udp_link udp = {.address = server_address};
    struct braid_host_config config = {
        .udp = &udp, .udp_count = 1, .port_first = port_first, .team = team, .team_place = place};
    return braid_host_create(&config, text);
}

/* Sends back what comes, until all streams are over. */
static void serve(struct braid_host *host, struct braid_server *server, unsigned place) {
    static _Thread_local uint8_t bytes[65536];
    struct braid_ready news;
    int error;
    while (over < STREAMS) {
        if (!braid_wait(host, &news, 50 * BRAID_NS_PER_MS)) continue;
        struct braid_stream *stream = news.stream;
        if (news.server != NULL) {
            stream = braid_accept(server, 0, &error);
            served[place] += stream != NULL;
        }
        int64_t got = 0;
        while (stream != NULL && (got = braid_recv(stream, bytes, sizeof(bytes), 0)) > 0)
            if (braid_send(stream, bytes, (size_t)got, WAIT) != got) abort();
        if (stream != NULL && got == 0) braid_close(stream);
    }
}

static void *thread_run(void *argument) {
    unsigned place = (unsigned)(uintptr_t)argument;
    char text[BRAID_TEXT_MAX] = "";
    int error;
    while (ready != place) sched_yield(); /* one after the other */
    struct braid_host *host = member(place, 0, text);
    if (host == NULL) print_message("%s\n", text);
    struct braid_server *server = host != NULL ? braid_listen(host, 0, &error) : NULL;
    if (server != NULL) port = braid_server_port(server);
    ready += server != NULL ? 1 : HOSTS;
    if (server != NULL) serve(host, server, place);
    braid_host_destroy(host, WAIT);
    return NULL;
}

/* A join is made when the first bytes are known to have arrived. */
static void wait_for_paths(struct braid_host *client, struct braid_stream *stream, unsigned paths) {
    struct braid_connection_info info = {0};
    struct braid_ready news;
    uint8_t byte = 0;
    assert_int_equal(braid_send(stream, &byte, 1, WAIT), 1);
    assert_int_equal(braid_recv(stream, &byte, 1, WAIT), 1);
    while (braid_connection_info(braid_stream_connection(stream), &info), info.paths < paths)
        assert_true(braid_wait(client, &news, WAIT));
    assert_true(info.multipath && !info.fallback);
}

static void go_and_come_back(struct braid_stream *stream) {
    static uint8_t sent[BYTES], got[BYTES];
    for (uint32_t i = 0; i < BYTES; i++) sent[i] = (uint8_t)(i * 7 + i / 251);
    size_t length = 0;
    int64_t part;
    memset(got, 0, sizeof(got));
    assert_int_equal(braid_send(stream, sent, BYTES, WAIT), BYTES);
    assert_int_equal(braid_shutdown(stream), 0);
    while ((part = braid_recv(stream, got + length, BYTES - length, WAIT)) > 0) length += (size_t)part;
    assert_int_equal(length, BYTES);
    assert_memory_equal(got, sent, BYTES);
}

/* Streams of a client with so many addresses, one after the other, each in the hands of one of the hosts. */
static struct braid_team_info converse(const char *server, const char *const *clients, unsigned paths) {
    pthread_t threads[HOSTS];
    char text[BRAID_TEXT_MAX] = "";
    int error;
    struct braid_team_info info, talking;
    struct braid_udp_link udp[2] = {{.address = clients[0]}, {.address = clients[paths - 1]}};
    server_address = server;
    ready = over = 0;
    for (unsigned i = 0; i < HOSTS; i++) served[i] = 0;
    team = braid_team_create(HOSTS);
    assert_non_null(team);
    for (unsigned i = 0; i < HOSTS; i++) pthread_create(&threads[i], NULL, thread_run, (void *)(uintptr_t)i);
    while (ready < HOSTS) sched_yield();
    assert_int_equal(ready, HOSTS);
    struct braid_host *client = braid_host_create(&(struct braid_host_config){.udp = udp, .udp_count = paths, .port_count = 64}, text);
    assert_non_null(client);
    for (unsigned i = 0; i < STREAMS; i++) {
        struct braid_stream *stream = braid_open(client, server, port, WAIT, &error);
        assert_non_null(stream);
        wait_for_paths(client, stream, paths);
        go_and_come_back(stream);
        braid_close(stream);
        over++;
    }
    /* Before its ports close: errors about what comes to them afterwards the system gives to any thread. */
    braid_team_info(team, &talking);
    braid_host_destroy(client, WAIT);
    for (unsigned i = 0; i < HOSTS; i++) pthread_join(threads[i], NULL);
    unsigned sum = 0;
    for (unsigned i = 0; i < HOSTS; i++) {
        assert_true(served[i] > 0);
        sum += served[i];
    }
    assert_int_equal(sum, STREAMS);
    braid_team_info(team, &info);
    assert_int_equal(info.dropped, 0);
    assert_int_equal(info.guests, 0); /* all were let go */
    braid_team_destroy(team);
    return talking;
}

static void connections_are_shared_out_and_paths_find_theirs(void **state) {
    (void)state;
    struct braid_team_info info = converse("127.0.0.3", (const char *const[]){"127.0.0.1", "127.0.0.2"}, 2);
    assert_true(info.handed_over > 0); /* of 24 second paths some came to another thread */
}

static bool has_ipv6(void) {
    char text[BRAID_TEXT_MAX];
    struct braid_udp_link udp = {.address = "::1"};
    struct braid_host *host = braid_host_create(&(struct braid_host_config){.udp = &udp, .udp_count = 1}, text);
    braid_host_destroy(host, 0);
    return host != NULL;
}

/* The system reckons homes as the stacks do. */
static void what_is_at_home_changes_no_threads(void **state) {
    (void)state;
    assert_int_equal(converse("127.0.0.3", (const char *const[]){"127.0.0.1"}, 1).handed_over, 0);
    if (!has_ipv6()) {
        print_message("no ::1 here\n");
        return;
    }
    assert_int_equal(converse("::1", (const char *const[]){"::1"}, 1).handed_over, 0);
}

static void a_place_is_taken_once_and_in_order(void **state) {
    (void)state;
    char text[BRAID_TEXT_MAX] = "";
    assert_null(braid_team_create(0));
    assert_null(braid_team_create(65));
    team = braid_team_create(2);
    assert_non_null(team);
    assert_null(member(1, 0, text));
    assert_non_null(strstr(text, "order"));
    struct braid_host *first = member(0, 0, text);
    assert_non_null(first);
    assert_null(member(0, 0, text));
    assert_null(member(1, 7, text));
    assert_non_null(strstr(text, "same ports"));
    struct braid_host *second = member(1, 0, text);
    assert_non_null(second);
    assert_null(member(2, 0, text));
    braid_host_destroy(second, 0);
    second = member(1, 0, text); /* its place is free again */
    assert_non_null(second);
    braid_host_destroy(second, 0);
    braid_host_destroy(first, 0);
    braid_team_destroy(team);
}

static void a_team_goes_by_udp_only(void **state) {
    (void)state;
    char text[BRAID_TEXT_MAX] = "";
    team = braid_team_create(1);
    assert_null(braid_host_create(&(struct braid_host_config){.team = team}, text));
    assert_non_null(strstr(text, "UDP"));
    assert_null(strchr(text, '\n'));
    braid_team_destroy(team);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_are_shared_out_and_paths_find_theirs),
        cmocka_unit_test(what_is_at_home_changes_no_threads),
        cmocka_unit_test(a_place_is_taken_once_and_in_order),
        cmocka_unit_test(a_team_goes_by_udp_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
