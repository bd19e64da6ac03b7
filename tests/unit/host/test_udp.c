#define _GNU_SOURCE
/* The host API over TCP in UDP: two processes without any privilege, on addresses of the loopback interface. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <braid/braid.h>
#include <errno.h>
#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES (3u << 20)
#define WAIT (20 * BRAID_NS_PER_S)
#define NOBODY 65534

static uint8_t sent[BYTES], got[BYTES];

static void fill(void) {
    for (uint32_t i = 0; i < BYTES; i++) sent[i] = (uint8_t)(i * 7 + i / 251);
}

static void drop_privileges(void) {
    if (geteuid() != 0) return;
    assert_int_equal(setgroups(0, NULL), 0);
    assert_int_equal(setresgid(NOBODY, NOBODY, NOBODY), 0);
    assert_int_equal(setresuid(NOBODY, NOBODY, NOBODY), 0);
}

static struct braid_host *host_on(const char *const *addresses, unsigned count, uint16_t port) {
    char text[BRAID_TEXT_MAX] = "";
    struct braid_udp_link udp[2] = {{.address = addresses[0]}, {.address = addresses[count - 1]}};
    struct braid_host_config config = {.udp = udp, .udp_count = count, .port_first = port, .port_count = 2};
    struct braid_host *host = braid_host_create(&config, text);
    if (host == NULL) print_message("%s\n", text);
    return host;
}

static size_t receive_all(struct braid_stream *stream) {
    int64_t part;
    size_t length = 0;
    while (length < BYTES && (part = braid_recv(stream, got + length, BYTES - length, WAIT)) > 0) length += (size_t)part;
    return length;
}

/* Sends back what comes; ends by exit. */
static void serve(int ready) {
    int error;
    struct braid_host *host = host_on((const char *const[]){"127.0.0.3"}, 1, 0);
    struct braid_server *server = host != NULL ? braid_listen(host, 0, &error) : NULL;
    uint16_t port = server != NULL ? braid_server_port(server) : 0;
    if (server == NULL || write(ready, &port, sizeof(port)) != sizeof(port)) _exit(1);
    struct braid_stream *stream = braid_accept(server, WAIT, &error);
    if (stream == NULL || receive_all(stream) != BYTES || braid_send(stream, got, BYTES, WAIT) != BYTES) _exit(2);
    braid_close(stream);
    _exit(braid_host_destroy(host, WAIT) == 0 ? 0 : 3);
}

static void bytes_go_and_come_back_over_two_addresses_without_privilege(void **state) {
    (void)state;
    int ready[2], error, status;
    uint16_t port;
    struct braid_connection_info info;
    assert_int_equal(pipe(ready), 0);
    pid_t server = fork();
    if (server == 0) serve(ready[1]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &port, sizeof(port)), sizeof(port));
    struct braid_host *host = host_on((const char *const[]){"127.0.0.1", "127.0.0.2"}, 2, 0);
    assert_non_null(host);
    struct braid_stream *stream = braid_open(host, "127.0.0.3", port, WAIT, &error);
    assert_non_null(stream);
    assert_int_equal(braid_send(stream, sent, BYTES, WAIT), BYTES);
    assert_int_equal(receive_all(stream), BYTES);
    assert_memory_equal(got, sent, BYTES);
    braid_connection_info(braid_stream_connection(stream), &info);
    assert_true(info.multipath && !info.fallback);
    assert_int_equal(info.paths, 2);
    braid_close(stream);
    assert_int_equal(braid_host_destroy(host, WAIT), 0);
    assert_int_equal(waitpid(server, &status, 0), server);
    assert_int_equal(status, 0);
    close(ready[0]);
}

/* Whatever goes by it otherwise than in vain: with a cap it is metered, and then the scheduler cost-aware spares it. */
static void a_link_with_a_cap_is_kept_for_when_it_is_needed(void **state) {
    (void)state;
    int ready[2], error, status;
    uint16_t port;
    char text[BRAID_TEXT_MAX] = "";
    assert_int_equal(pipe(ready), 0);
    pid_t server = fork();
    if (server == 0) serve(ready[1]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &port, sizeof(port)), sizeof(port));
    struct braid_udp_link udp[2] = {{.address = "127.0.0.1", .terms.cap_bytes = 1 << 20}, {.address = "127.0.0.2"}};
    struct braid_host_config config = {.udp = udp, .udp_count = 2, .handover = true};
    struct braid_host *host = braid_host_create(&config, text);
    assert_non_null(host);
    struct braid_stack *stack = braid_host_stack(host);
    assert_string_equal(braid_stack_config(stack)->scheduler, "cost-aware");
    struct braid_stream *stream = braid_open(host, "127.0.0.3", port, WAIT, &error);
    assert_non_null(stream);
    assert_int_equal(braid_send(stream, sent, BYTES, WAIT), BYTES);
    assert_int_equal(receive_all(stream), BYTES);
    assert_true(braid_stack_link_used(stack, 1) > 2 * BYTES);
    assert_true(braid_stack_link_used(stack, 0) < 100000);
    assert_false(braid_stack_link_used_up(stack, 0));
    braid_close(stream);
    assert_int_equal(braid_host_destroy(host, WAIT), 0);
    assert_int_equal(waitpid(server, &status, 0), server);
    assert_int_equal(status, 0);
    close(ready[0]);
}

static void what_cannot_be_opened_is_said_in_a_line(void **state) {
    (void)state;
    static const char *const wrong[] = {"192.0.2.1", "no address", "0.0.0.0.0"};
    for (unsigned i = 0; i < 3; i++) {
        char text[BRAID_TEXT_MAX] = "";
        struct braid_udp_link udp = {.address = wrong[i]};
        struct braid_host_config config = {.udp = &udp, .udp_count = 1};
        assert_null(braid_host_create(&config, text));
        assert_non_null(strstr(text, wrong[i]));
        assert_null(strchr(text, '\n'));
    }
    char text[BRAID_TEXT_MAX] = "";
    struct braid_udp_link udp = {.address = "127.0.0.1"};
    struct braid_host_config config = {.udp = &udp, .udp_count = 1, .port_count = 60000};
    assert_null(braid_host_create(&config, text));
    assert_int_not_equal(text[0], 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_and_come_back_over_two_addresses_without_privilege),
        cmocka_unit_test(a_link_with_a_cap_is_kept_for_when_it_is_needed),
        cmocka_unit_test(what_cannot_be_opened_is_said_in_a_line),
    };
    fill();
    drop_privileges();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
