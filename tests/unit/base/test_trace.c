#include "test_env.h"
#include <base/trace.h>

struct caught {
    int count;
    braid_time now;
    char event[64];
    size_t field_count;
    struct {
        char name[32], text[64];
        enum braid_trace_type type;
        uint64_t u64;
    } fields[8];
};

static void catch_event(void *context, braid_time now, const char *event, const struct braid_trace_field *fields,
                        size_t count) {
    struct caught *caught = context;
    caught->count++;
    caught->now = now;
    strncpy(caught->event, event, sizeof(caught->event) - 1);
    caught->field_count = count;
    for (size_t i = 0; i < count && i < 8; i++) {
        strncpy(caught->fields[i].name, fields[i].name, 31);
        caught->fields[i].type = fields[i].type;
        if (fields[i].type == BRAID_TRACE_STRING) strncpy(caught->fields[i].text, fields[i].value.text, 63);
        else caught->fields[i].u64 = fields[i].value.u64;
    }
}

static void an_event_reaches_the_sink_with_its_fields_in_order(void **state) {
    (void)state;
    struct caught caught = {0};
    struct braid_env env = {.context = &caught, .trace = catch_event};
    TRACE(&env, 1234, subflow_closed, .connection = 7, .subflow = 2, .reason = "reset by peer");
    assert_int_equal(caught.count, 1);
    assert_int_equal(caught.now, 1234);
    assert_string_equal(caught.event, "subflow_closed");
    assert_int_equal(caught.field_count, 3);
    assert_string_equal(caught.fields[0].name, "connection");
    assert_int_equal(caught.fields[0].type, BRAID_TRACE_U64);
    assert_int_equal(caught.fields[0].u64, 7);
    assert_string_equal(caught.fields[1].name, "subflow");
    assert_int_equal(caught.fields[1].u64, 2);
    assert_string_equal(caught.fields[2].name, "reason");
    assert_int_equal(caught.fields[2].type, BRAID_TRACE_STRING);
    assert_string_equal(caught.fields[2].text, "reset by peer");
}

static uint64_t count_evaluation(int *evaluations) {
    (*evaluations)++;
    return 1;
}

static void without_a_sink_nothing_is_evaluated(void **state) {
    (void)state;
    int evaluations = 0;
    struct braid_env env = {0};
    TRACE(&env, 1, packet_dropped, .link = count_evaluation(&evaluations), .reason = "test");
    assert_int_equal(evaluations, 0);
    struct caught caught = {0};
    env = (struct braid_env){.context = &caught, .trace = catch_event};
    TRACE(&env, 1, packet_dropped, .link = count_evaluation(&evaluations), .reason = "test");
    assert_int_equal(evaluations, 1);
}

#define COUNT_FIELD(name) 1 +
#define CHECK_EVENT(declared, FIELDS)                                                                            \
    {                                                                                                            \
        struct trace_##declared e;                                                                               \
        struct caught caught = {0};                                                                              \
        struct braid_env env = {.context = &caught, .trace = catch_event};                                       \
        memset(&e, 0, sizeof(e));                                                                                \
        fill_texts(&e, sizeof(e));                                                                               \
        trace_##declared(&env, 5, &e);                                                                           \
        assert_string_equal(caught.event, #declared);                                                            \
        assert_int_equal(caught.field_count, FIELDS 0);                                                          \
    }

/* All fields are eight bytes wide: let each be a pointer to some text, whatever its type. */
static void fill_texts(void *event, size_t size) {
    static const char text[] = "text";
    const char *pointer = text;
    for (size_t i = 0; i + sizeof(pointer) <= size; i += sizeof(pointer))
        memcpy((char *)event + i, &pointer, sizeof(pointer));
}

static void every_declared_event_reaches_the_sink(void **state) {
    (void)state;
    TRACE_EVENTS(CHECK_EVENT, COUNT_FIELD, COUNT_FIELD, COUNT_FIELD)
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_reaches_the_sink_with_its_fields_in_order),
        cmocka_unit_test(without_a_sink_nothing_is_evaluated),
        cmocka_unit_test(every_declared_event_reaches_the_sink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
