/* Trace events as JSON lines: what is written, to the letter. */
#define _GNU_SOURCE
#include "test_network.h"

#include <base/trace.h>
#include <pthread.h>
#include <link/trace_json.h>

static char path[] = "/tmp/braid-trace-XXXXXX";

static const char *contents(void) {
    static char text[65536];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    text[length] = 0;
    fclose(file);
    return text;
}

static struct trace_json *create(void) {
    struct trace_json *trace = NULL;
    assert_int_equal(trace_json_create(path, 5 * BRAID_NS_PER_S + 7, UINT64_C(1700000000000000042), &trace),
                     0);
    return trace;
}

#define FIRST_LINE "{\"time\":5.000000007,\"event\":\"trace_start\",\"unix_time\":1700000000.000000042}\n"

/* As a host does it: the sink forwards. */
static void sink(void *context, braid_time now, const char *event, const struct braid_trace_field *fields,
                 size_t count) {
    trace_json_event(context, now, event, fields, count);
}

static void events_become_lines_with_typed_fields(void **state) {
    (void)state;
    struct trace_json *trace = create();
    struct braid_env env = {.context = trace, .trace = sink};
    TRACE(&env, 12 * BRAID_NS_PER_S + 345, subflow_closed, .connection = 1, .subflow = 2,
          .reason = "reset by peer");
    const struct braid_trace_field fields[] = {{"down", BRAID_TRACE_I64, {.i64 = INT64_MIN}},
                                               {"most", BRAID_TRACE_U64, {.u64 = UINT64_MAX}},
                                               {"none", BRAID_TRACE_STRING, {.text = NULL}}};
    trace_json_event(trace, 13 * BRAID_NS_PER_S, "limits", fields, 3);
    assert_int_equal(trace_json_close(trace), 0);
    assert_string_equal(contents(), FIRST_LINE
                        "{\"time\":12.000000345,\"event\":\"subflow_closed\",\"connection\":1,\"subflow\":2,"
                        "\"reason\":\"reset by peer\"}\n"
                        "{\"time\":13.000000000,\"event\":\"limits\",\"down\":-9223372036854775808,"
                        "\"most\":18446744073709551615,\"none\":null}\n");
}

static void written_as(const char *text, const char *json) {
    struct trace_json *trace = create();
    const struct braid_trace_field field = {"text", BRAID_TRACE_STRING, {.text = text}};
    trace_json_event(trace, 6 * BRAID_NS_PER_S, "e", &field, 1);
    assert_int_equal(trace_json_close(trace), 0);
    char expected[1024];
    snprintf(expected, sizeof(expected),
             FIRST_LINE "{\"time\":6.000000000,\"event\":\"e\",\"text\":\"%s\"}\n", json);
    assert_string_equal(contents(), expected);
}

static void text_is_escaped(void **state) {
    (void)state;
    written_as("say \"hi\" \\ there", "say \\\"hi\\\" \\\\ there");
    written_as("a\nb\tc\x01\x7f", "a\\u000ab\\u0009c\\u0001\\u007f");
    written_as("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x93\xB6", "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x93\xB6");
}

#define BAD "\xEF\xBF\xBD"

static void text_that_is_not_utf8_still_gives_json(void **state) {
    (void)state;
    written_as("a\xFF"
               "b",
               "a" BAD "b");
    written_as("end\xC3", "end" BAD);                /* cut short */
    written_as("\xC0\xAF", BAD BAD);                 /* overlong */
    written_as("\xED\xA0\x80", BAD BAD BAD);         /* a surrogate */
    written_as("\xF4\x90\x80\x80", BAD BAD BAD BAD); /* beyond Unicode */
}

static void little_is_lost_in_a_crash(void **state) {
    (void)state;
    struct trace_json *trace = create();
    trace_json_event(trace, 5 * BRAID_NS_PER_S + 100 * BRAID_NS_PER_MS + 7, "e", NULL, 0);
    assert_non_null(strstr(contents(), "\"event\":\"e\"")); /* a tenth of a second: already there */
    trace_json_event(trace, 5 * BRAID_NS_PER_S + 101 * BRAID_NS_PER_MS, "f", NULL, 0);
    trace_json_flush(trace);
    assert_non_null(strstr(contents(), "\"event\":\"f\""));
    assert_int_equal(trace_json_close(trace), 0);
}

enum { WRITERS = 4, EVENTS = 500 };

static void *write_events(void *argument) {
    for (uint64_t i = 0; i < EVENTS; i++) {
        const struct braid_trace_field fields[] = {{"number", BRAID_TRACE_U64, {.u64 = i}},
                                                   {"text", BRAID_TRACE_STRING, {.text = "of some length"}}};
        trace_json_event(argument, 6 * BRAID_NS_PER_S + i * BRAID_NS_PER_MS, "e", fields, 2);
    }
    return NULL;
}

static void events_of_several_threads_are_whole_lines(void **state) {
    struct trace_json *trace = create();
    pthread_t writers[WRITERS];
    unsigned seen[EVENTS] = {0};
    (void)state;
    for (int i = 0; i < WRITERS; i++) assert_int_equal(pthread_create(&writers[i], NULL, write_events, trace), 0);
    for (int i = 0; i < WRITERS; i++) pthread_join(writers[i], NULL);
    assert_int_equal(trace_json_close(trace), 0);
    FILE *file = fopen(path, "r");
    char line[256], whole[256];
    assert_non_null(fgets(line, sizeof(line), file));
    assert_string_equal(line, FIRST_LINE);
    for (int i = 0; i < WRITERS * EVENTS; i++) {
        unsigned number = EVENTS;
        assert_non_null(fgets(line, sizeof(line), file));
        const char *at = strstr(line, "\"number\":");
        if (at != NULL) number = (unsigned)strtoul(at + 9, NULL, 10);
        assert_true(number < EVENTS);
        snprintf(whole, sizeof(whole), "{\"time\":6.%03u000000,\"event\":\"e\",\"number\":%u,\"text\":\"of some length\"}\n",
                 number, number);
        assert_string_equal(line, whole);
        seen[number]++;
    }
    assert_null(fgets(line, sizeof(line), file));
    fclose(file);
    for (int i = 0; i < EVENTS; i++) assert_int_equal(seen[i], WRITERS);
}

static void errors_are_told(void **state) {
    (void)state;
    struct trace_json *trace = NULL;
    assert_int_equal(trace_json_create("/nowhere/trace", 0, 0, &trace), -ENOENT);
    assert_int_equal(trace_json_create("/dev/full", 0, 0, &trace), 0);
    assert_int_equal(trace_json_close(trace), -ENOSPC);
    assert_int_equal(trace_json_close(NULL), 0);
}

int main(void) {
    int fd = mkstemp(path);
    if (fd < 0) return 1;
    close(fd);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_become_lines_with_typed_fields),
        cmocka_unit_test(text_is_escaped),
        cmocka_unit_test(text_that_is_not_utf8_still_gives_json),
        cmocka_unit_test(little_is_lost_in_a_crash),
        cmocka_unit_test(events_of_several_threads_are_whole_lines),
        cmocka_unit_test(errors_are_told),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
