/* What a scenario may say, and that each mistake is told in one line with file, line and reason. */
#include "said.h"
#include <scenario.h>
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
        cmocka_unit_test(each_mistake_is_told_with_its_line),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
