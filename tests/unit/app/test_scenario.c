/* What a scenario may say, and that each mistake is told in one line with file, line and reason. */
#include "said.h"
#include <scenario.h>
#include <scenario_box.h>
#include <unistd.h>

#define HOSTS "hosts: {phone: {}, server: {}}\n"
#define LINK_ENDS \
    "links:\n" \
    "  wifi:\n" \
    "    from: {host: phone, interface: wlan0, address: [10.0.1.2/24, 'fd00::2/64'], gateway: 10.0.1.1, metric: 100}\n" \
    "    to: {host: server, interface: eth0, address: 10.0.1.1/24}\n"

static char path[] = "/tmp/braid-scenario-XXXXXX";

static struct scenario *read_text(const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    return scenario_read(path);
}

static struct scenario *must_read(const char *text) {
    struct scenario *scenario = read_text(text);
    assert_non_null(scenario);
    return scenario;
}

static void links_have_ends_and_a_shape_each_way(void **state) {
    (void)state;
    struct scenario *s = must_read(HOSTS LINK_ENDS "    rate: 50Mbit\n    delay: 15ms\n    queue: 100ms\n    loss: 1%\n");
    assert_int_equal(s->host_count, 2);
    assert_int_equal(s->link_count, 1);
    const struct scenario_link *link = &s->links[0];
    assert_string_equal(link->ends[0].interface, "wlan0");
    assert_int_equal(link->ends[0].address_count, 2);
    assert_int_equal(link->ends[0].metric, 100);
    assert_int_equal(scenario_find_host(s, "server"), link->ends[1].host);
    for (int way = 0; way < 2; way++) {
        assert_int_equal(link->shape[way].rate_bps, 50000000);
        assert_int_equal(link->shape[way].delay_ns, 15 * BRAID_NS_PER_MS);
        assert_int_equal(link->shape[way].queue_ns, 100 * BRAID_NS_PER_MS);
        assert_true(link->shape[way].loss > 0.0099 && link->shape[way].loss < 0.0101);
    }
    scenario_free(s);
}

static void events_stand_in_order_of_time(void **state) {
    (void)state;
    struct scenario *s = must_read(HOSTS LINK_ENDS "    rate: 1Mbit\nevents:\n  - {at: 8s, up: wifi}\n  - {at: 3s, down: wifi}\n");
    assert_int_equal(s->timeline.count, 2);
    assert_int_equal(s->timeline.events[0].at_ns, 3 * BRAID_NS_PER_S);
    assert_int_equal(s->timeline.events[0].action, SCENARIO_LINK_DOWN);
    assert_int_equal(s->timeline.events[1].action, SCENARIO_LINK_UP);
    scenario_free(s);
}

static void repeated_events_have_names_of_their_own(void **state) {
    (void)state;
    struct scenario *s = must_read(HOSTS LINK_ENDS "events:\n  - {at: 1s, every: 2s, times: 3, down: wifi}\n");
    assert_int_equal(s->timeline.count, 3);
    assert_int_equal(s->timeline.events[2].at_ns, 5 * BRAID_NS_PER_S);
    assert_string_not_equal(s->timeline.events[0].name, s->timeline.events[2].name);
    scenario_free(s);
}

static void an_event_can_be_told_without_a_time(void **state) {
    (void)state;
    struct scenario *s = must_read(HOSTS LINK_ENDS);
    const struct scenario_event *event = scenario_parse_event(s, "blackhole: wifi");
    assert_non_null(event);
    assert_int_equal(event->action, SCENARIO_LINK_BLACKHOLE);
    listen_to_stderr();
    assert_null(scenario_parse_event(s, "down: lan"));
    char *said = what_was_said();
    assert_one_line(said);
    assert_non_null(strstr(said, "lan"));
    free(said);
    scenario_free(s);
}

static void a_shape_can_be_said_of_each_way_and_in_detail(void **state) {
    (void)state;
    struct scenario *s = must_read(HOSTS LINK_ENDS "    jitter: {up: 3ms}\n    burst: {begin: 1%, end: 20%}\n"
                                                   "    reorder: {down: {chance: 2%, by: 7ms}}\n    duplicate: 3%\n");
    const struct scenario_shape *up = &s->links[0].shape[SCENARIO_UP], *down = &s->links[0].shape[SCENARIO_DOWN];
    assert_int_equal(up->noise.jitter_ns, 3 * BRAID_NS_PER_MS);
    assert_int_equal(down->noise.jitter_ns, 0);
    assert_true(up->noise.burst_end > 0.19 && down->noise.burst_end > 0.19 && down->noise.burst_loss > 0.99);
    assert_true(up->noise.reorder <= 0 && down->noise.reorder > 0.019);
    assert_int_equal(down->noise.reorder_ns, 7 * BRAID_NS_PER_MS);
    assert_true(up->noise.duplicate > 0.029);
    scenario_free(s);
}

static void middleboxes_stand_in_order_with_their_settings(void **state) {
    (void)state;
    struct scenario *s = must_read(HOSTS LINK_ENDS "    boxes:\n      - strip-syn-payload\n"
                                                   "      - option: {action: eol, segments: [syn, data], directions: up, after: 9}\n"
                                                   "      - payload: {direction: down, grow: -3}\n");
    const struct scenario_box *boxes = s->links[0].boxes;
    assert_int_equal(s->links[0].box_count, 3);
    assert_string_equal(boxes[0].kind->name, "strip-syn-payload");
    const struct sim_option_config *option = boxes[1].config;
    assert_int_equal(option->action, SIM_OPTION_EOL);
    assert_int_equal(option->segments, SIM_SEGMENT_SYN | SIM_SEGMENT_DATA);
    assert_int_equal(option->directions, SIM_ONLY_UP);
    assert_int_equal(option->after, 9);
    const struct sim_payload_config *payload = boxes[2].config;
    assert_int_equal(payload->direction, SIM_DOWN);
    assert_int_equal(payload->grow, -3);
    scenario_free(s);
}

static void a_transfer_is_a_command_for_the_lab(void **state) {
    (void)state;
    struct scenario *s = must_read(HOSTS LINK_ENDS
                                   "runs:\n"
                                   "  r: {host: phone, transfer: {server: server, upload: 1kB, uplinks: [\"wlan0:backup\"]}}\n"
                                   "  capped: {host: phone, transfer: {server: server, upload: 1kB,\n"
                                   "    uplinks: [\"wlan0:cap=5M:weight=3:backup\", \"eth0:metered\"]}}\n"
                                   "  both: {host: phone, transfer: {server: server, upload: 1kB, download: 1kB}}\n");
    assert_string_equal(s->runs[0].command.command, "exec ${BRAID} run --uplink wlan0:backup -- "
                                                    "${BRAID} probe bulk 10.0.1.1:7000 --upload --bytes 1000");
    assert_string_equal(s->runs[1].command.command,
                        "exec ${BRAID} run --uplink wlan0:backup:cap=5242880:weight=3 --uplink eth0:metered -- "
                        "${BRAID} probe bulk 10.0.1.1:7000 --upload --bytes 1000");
    assert_int_equal(s->runs[0].service_count, 1);
    assert_int_equal(s->runs[0].services[0].host, scenario_find_host(s, "server"));
    assert_null(s->runs[2].command.command);
    scenario_free(s);
}

static void each_mistake_is_told_with_its_line(void **state) {
    static const struct {
        const char *text;
        unsigned line;
        const char *reason;
    } mistakes[] = {
        {"hosts: {phone: {}}\nlinsk: {}\n", 2, "linsk"},
        {HOSTS LINK_ENDS "    rate: fast\n", 6, "fast"},
        {HOSTS LINK_ENDS "    delay: 15\n", 6, "15"},
        {HOSTS LINK_ENDS "    loss: 140%\n", 6, "140%"},
        {HOSTS "links:\n  wifi:\n    from: {host: tablet, interface: wlan0}\n", 4, "tablet"},
        {HOSTS LINK_ENDS "events:\n  - {at: 1s, down: lan}\n", 7, "lan"},
        {HOSTS LINK_ENDS "events:\n  - {at: 1s}\n", 7, ""},
        {HOSTS "links:\n  wifi:\n    from: {host: phone, interface: a-name-much-too-long}\n", 4, "a-name-much-too-long"},
        {HOSTS "links:\n  wifi:\n    from: {host: phone, interface: w, address: 10.0.0.300/24}\n", 4, "10.0.0.300/24"},
        {HOSTS LINK_ENDS "    jitter: some\n", 6, "some"},
        {HOSTS LINK_ENDS "    burst: {begin: 1%}\n", 6, "end"},
        {HOSTS LINK_ENDS "    reorder: {chance: 1%, with: 3ms}\n", 6, "with"},
        {HOSTS LINK_ENDS "    loss: {left: 1%}\n", 6, "left"},
        {HOSTS LINK_ENDS "    path_mtu: 20\n", 6, "68"},
        {HOSTS LINK_ENDS "    trace: no-such-file\n", 6, "no-such-file"},
        {HOSTS LINK_ENDS "    direct: true\n    corrupt: 1%\n", 4, "direct"},
        {HOSTS LINK_ENDS "    boxes: [toaster]\n", 6, "toaster"},
        {HOSTS LINK_ENDS "    boxes:\n      - nat: {strict: true}\n", 7, "outside"},
        {HOSTS LINK_ENDS "    boxes:\n      - window: {most: 70000}\n", 7, "70000"},
        {HOSTS LINK_ENDS "    boxes:\n      - window: {least: 7}\n", 7, "least"},
        {HOSTS LINK_ENDS "    boxes:\n      - option: {action: nop, segments: [syn, ack]}\n", 7, "ack"},
        {HOSTS LINK_ENDS "events:\n  - {at: 1s, down: wifi, only: up}\n", 7, "only"},
        {HOSTS LINK_ENDS "events:\n  - {at: 1s, renumber: wifi}\n", 7, "address"},
        {HOSTS LINK_ENDS "events:\n  - {at: 1s, forget: wifi}\n", 7, "middleboxes"},
        {HOSTS LINK_ENDS "runs:\n  r: {host: phone}\n", 7, "transfer"},
        {HOSTS LINK_ENDS "runs:\n  r: {host: phone, transfer: {server: tablet, download: 1}}\n", 7, "tablet"},
        {HOSTS "links:\n  wifi:\n    rate: 'one\n\n      two'\n", 4, "one two"},
        {"hosts: [phone\n", 2, ""},
        {"- phone\n", 1, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        char where[64];
        listen_to_stderr();
        struct scenario *scenario = read_text(mistakes[i].text);
        char *said = what_was_said();
        if (scenario != NULL) fail_msg("accepted: %s", mistakes[i].text);
        snprintf(where, sizeof(where), "%s:%u: ", path, mistakes[i].line);
        if (strstr(said, where) == NULL || strstr(said, mistakes[i].reason) == NULL)
            fail_msg("expected %s…%s, was told: %s", where, mistakes[i].reason, said);
        assert_one_line(said);
        free(said);
    }
}

static int make_file(void **state) {
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int remove_file(void **state) {
    (void)state;
    return unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_have_ends_and_a_shape_each_way),
        cmocka_unit_test(events_stand_in_order_of_time),
        cmocka_unit_test(repeated_events_have_names_of_their_own),
        cmocka_unit_test(an_event_can_be_told_without_a_time),
        cmocka_unit_test(a_shape_can_be_said_of_each_way_and_in_detail),
        cmocka_unit_test(middleboxes_stand_in_order_with_their_settings),
        cmocka_unit_test(a_transfer_is_a_command_for_the_lab),
        cmocka_unit_test(each_mistake_is_told_with_its_line),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
