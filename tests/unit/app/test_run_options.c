/* The command line of `braid run`: what it means, and that each mistake is one line with the word that was wrong. */
#include "said.h"
#include <run_options.h>
#include <uplink_choice.h>

#define ARGUMENTS_MAX 12

/* `line` is split at blanks. What was said is freed by the caller; NULL when all was well. */
static char *parse(const char *line, struct run_options *out) {
    static char text[256];
    static char *argv[ARGUMENTS_MAX + 1];
    int argc = 0;
    snprintf(text, sizeof(text), "run %s", line);
    for (char *word = strtok(text, " "); word != NULL && argc < ARGUMENTS_MAX; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    *out = (struct run_options){0};
    listen_to_stderr();
    bool good = run_options_parse(argc, argv, out);
    char *said = what_was_said();
    if (!good) return said;
    assert_string_equal(said, "");
    free(said);
    return NULL;
}

static void uplinks_keep_their_order_and_backups_are_marked(void **state) {
    struct run_options options;
    (void)state;
    assert_null(parse("--uplink wlan0 -u wwan0:backup --policy aggregate -- curl -O", &options));
    assert_int_equal(options.uplink_count, 2);
    assert_string_equal(options.uplinks[0].interface, "wlan0");
    assert_false(options.uplinks[0].backup);
    assert_string_equal(options.uplinks[1].interface, "wwan0");
    assert_true(options.uplinks[1].backup);
    assert_int_equal(options.policy, ENGINE_POLICY_AGGREGATE);
}

static void an_uplink_has_the_terms_that_stand_behind_it_in_any_order(void **state) {
    static const struct {
        const char *line;
        bool backup, metered;
        uint64_t cap_bytes;
        unsigned weight;
    } cases[] = {
        {"-u a:metered -- true", false, true, 0, 0},
        {"-u a:cap=5G -- true", false, false, UINT64_C(5) << 30, 0},
        {"-u a:cap=1048576 -- true", false, false, 1048576, 0},
        {"-u a:cap=1024G:backup -- true", true, false, UINT64_C(1) << 40, 0},
        {"-u a:weight=255:metered:cap=20M:backup -- true", true, true, 20u << 20, 255},
        {"-u a:backup:weight=1 -- true", true, false, 0, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct run_options options;
        char text[64];
        assert_null(parse(cases[i].line, &options));
        const struct engine_uplink_choice *uplink = &options.uplinks[0];
        assert_string_equal(uplink->interface, "a");
        assert_int_equal(uplink->backup, cases[i].backup);
        assert_int_equal(uplink->terms.metered, cases[i].metered);
        assert_int_equal(uplink->terms.cap_bytes, cases[i].cap_bytes);
        assert_int_equal(uplink->terms.weight, cases[i].weight);
        /* And written down it means the same. */
        struct engine_uplink_choice again;
        char problem[UPLINK_CHOICE_TEXT_MAX];
        assert_true(uplink_choice_format(uplink, text, sizeof(text)));
        assert_true(uplink_choice_parse(text, &again, problem));
        assert_int_equal(again.backup, uplink->backup);
        assert_int_equal(again.terms.metered, uplink->terms.metered);
        assert_int_equal(again.terms.cap_bytes, uplink->terms.cap_bytes);
        assert_int_equal(again.terms.weight, uplink->terms.weight);
    }
}

static void handover_is_the_default(void **state) {
    struct run_options options;
    (void)state;
    assert_null(parse("true", &options));
    assert_int_equal(options.policy, ENGINE_POLICY_HANDOVER);
    assert_int_equal(options.uplink_count, 0);
    assert_false(options.live || options.checksum || options.help);
}

static void paths_are_managed_as_said(void **state) {
    struct run_options options;
    (void)state;
    assert_null(parse("true", &options));
    assert_null(options.path_manager);
    assert_false(options.limited);
    assert_null(parse("--path-manager ndiffports --limit ndiffports=4,subflows=3 --limit add_addr_accepted=0 true",
                      &options));
    assert_string_equal(options.path_manager, "ndiffports");
    assert_true(options.limited);
    assert_int_equal(options.limits.ndiffports, 4);
    assert_int_equal(options.limits.subflows, 3);
    assert_int_equal(options.limits.add_addr_accepted, 0);
}

static void versions_are_those_that_were_named(void **state) {
    static const struct {
        const char *line;
        enum braid_versions versions;
    } cases[] = {{"true", BRAID_VERSIONS_DEFAULT},
                 {"--mptcp both true", BRAID_VERSIONS_BOTH},
                 {"--mptcp discover true", BRAID_VERSIONS_DISCOVER},
                 {"--mptcp 1 true", BRAID_VERSION_1},
                 {"--mptcp=0 true", BRAID_VERSION_0}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct run_options options;
        assert_null(parse(cases[i].line, &options));
        assert_int_equal(options.versions, cases[i].versions);
    }
}

static void there_is_one_thread_unless_more_are_asked_for(void **state) {
    struct run_options options;
    (void)state;
    assert_null(parse("true", &options));
    assert_int_equal(options.threads, 1);
    assert_null(parse("--threads 16 --memory 16M true", &options));
    assert_int_equal(options.threads, 16);
}

static void options_after_the_command_are_the_commands(void **state) {
    struct run_options options;
    (void)state;
    assert_null(parse("-l curl --help -u x", &options));
    assert_true(options.live);
    assert_false(options.help);
    assert_string_equal(options.command[0], "curl");
    assert_string_equal(options.command[1], "--help");
    assert_string_equal(options.command[3], "x");
    assert_null(options.command[4]);
}

static void each_mistake_is_one_line_that_names_it(void **state) {
    static const struct {
        const char *line, *names;
    } mistakes[] = {
        {"--policy bonded -- true", "bonded"},   {"--congestion vegas -- true", "vegas"},
        {"--scheduler fastest -- true", "lowest-rtt"},
        {"--path-manager mesh -- true", "fullmesh, backup, ndiffports, interactive, none"},
        {"--mptcp 2 -- true", "both, discover, 1, 0"},
        {"--mptcp -- true", "both, discover, 1, 0"},
        {"--limit subflows=32 -- true", "from 0 to 31"},
        {"--limit subflows= -- true", "from 0 to 31"},
        {"--limit ndiffports=0 -- true", "from 1 to 32"},
        {"--limit add_addr_accepted=99999999999999999999 -- true", "from 0 to 15"},
        {"--limit subflows=1,paths=2 -- true", "add_addr_accepted=N"},
        {"--limit subflows -- true", "subflows=N"},
        {"--threads 0 -- true", "from 1 to 16"},
        {"--threads 17 -- true", "from 1 to 16"},
        {"--threads 2x -- true", "from 1 to 16"},
        {"--threads= -- true", "from 1 to 16"},
        {"--memory 3M --threads 4 -- true", "4M or more"},
        {"-u wlan0 -u wlan0 -- true", "wlan0"},  {"--wifi -- true", "--wifi"},
        {"-x -- true", "-x"},                    {"--uplink :backup -- true", "backup"},
        {"--uplink", "--uplink"},                {"", "command"},
        {"-u a:blue -- true", ":backup, :metered, :cap=SIZE (1M to 1024G) and :weight=N (1 to 255)"},
        {"-u a: -- true", ":backup, :metered, :cap=SIZE"},
        {"-u a:backups -- true", ":backups"},
        {"-u a:cap -- true", ":cap=SIZE"},
        {"-u a:cap= -- true", "cap wants a size from 1M to 1024G"},
        {"-u a:cap=1023K -- true", "cap wants a size from 1M to 1024G"},
        {"-u a:cap=1025G -- true", "cap wants a size from 1M to 1024G"},
        {"-u a:cap=5T -- true", "cap wants a size from 1M to 1024G"},
        {"-u a:weight=0 -- true", "from 1 to 255, not 0"},
        {"-u a:weight=256 -- true", "from 1 to 255, not 256"},
        {"-u a:weight=99999999999999999999 -- true", "from 1 to 255"},
        {"-u a:weight= -- true", "from 1 to 255"},
        {"-u a:cap=1M:cap=2M -- true", "cap is said twice"},
        {"-u a:backup:metered:backup -- true", "backup is said twice"},
        {"--uplink wlan0 --", "command"},        {"-u a -u a:backup -- true", "a"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        struct run_options options;
        char *said = parse(mistakes[i].line, &options);
        if (said == NULL) fail_msg("\"%s\" was accepted", mistakes[i].line);
        assert_one_line(said);
        if (strstr(said, mistakes[i].names) == NULL) fail_msg("\"%s\": %s", mistakes[i].line, said);
        free(said);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uplinks_keep_their_order_and_backups_are_marked),
        cmocka_unit_test(an_uplink_has_the_terms_that_stand_behind_it_in_any_order),
        cmocka_unit_test(handover_is_the_default),
        cmocka_unit_test(paths_are_managed_as_said),
        cmocka_unit_test(versions_are_those_that_were_named),
        cmocka_unit_test(there_is_one_thread_unless_more_are_asked_for),
        cmocka_unit_test(options_after_the_command_are_the_commands),
        cmocka_unit_test(each_mistake_is_one_line_that_names_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
