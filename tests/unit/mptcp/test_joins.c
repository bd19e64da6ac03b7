/* Further subflows and the addresses they use: who may join, who may not, and what is said about addresses. */
#include "packet_edit.h"

static void establish(struct net *n, uint64_t seed, unsigned wires) {
    net_init(n, seed, wires);
    n->host[CLIENT].app.to_send = n->host[SERVER].app.to_send = 1000;
    net_connect(n);
    net_run(n, 40 * MS);
}

static void every_path_is_joined_once(void **state) {
    (void)state;
    struct net n;
    establish(&n, 1, 3);
    net_run(&n, 2 * S);
    assert_int_equal(active_subflows(n.host[CLIENT].c), 3);
    assert_int_equal(active_subflows(n.host[SERVER].c), 3);
    assert_int_equal(n.host[CLIENT].counters.join_sent, 2);
    assert_int_equal(n.host[SERVER].counters.join_established, 2);
    net_run(&n, 60 * S);
    assert_int_equal(n.host[CLIENT].counters.join_sent, 2);
    net_deinit(&n);
}

static void nothing_joins_before_a_dss_came(void **state) {
    (void)state;
    struct net n;
    net_init(&n, 2, 2);
    net_connect(&n); /* nobody has anything to say */
    net_run(&n, 10 * S);
    assert_int_equal(n.host[CLIENT].counters.join_sent, 0);
    n.host[CLIENT].app.to_send = 1;
    net_run(&n, S);
    assert_int_equal(active_subflows(n.host[CLIENT].c), 2);
    net_deinit(&n);
}

static void subflows_are_bounded(void **state) {
    (void)state;
    struct net n;
    net_init(&n, 3, 4);
    n.config[SERVER].subflows_max = 2;
    n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 1000;
    net_connect(&n);
    net_run(&n, 120 * S);
    assert_int_equal(active_subflows(n.host[CLIENT].c), 2);
    assert_int_equal(n.host[SERVER].counters.join_refused_limit, 2); /* prohibited: not tried again */
    n.config[CLIENT].subflows_max = 2;
    net_deinit(&n);
}

static void no_policy_no_joins(void **state) {
    (void)state;
    struct net n;
    net_init(&n, 4, 2);
    n.config[CLIENT].path_manager = &path_manager_none;
    n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 1000;
    net_connect(&n);
    net_run(&n, 5 * S);
    assert_int_equal(n.host[CLIENT].counters.join_sent, 0);
    net_deinit(&n);
}

/* --- a join's packets under the hand --- */

struct tampering {
    int from;
    enum mp_join_form form;
    unsigned at;     /* byte of the option to spoil; 0: the whole option goes */
    unsigned times;  /* so often; UINT_MAX: always */
    bool drop;
};

static void tamper_option(uint8_t *option, void *context) {
    struct tampering *t = context;
    static const uint8_t lengths[] = {12, 16, 24};
    if (option[2] >> 4 != MPTCP_MP_JOIN || option[1] != lengths[t->form] || t->times == 0) return;
    t->times--;
    if (t->at > 0) option[t->at] ^= 0xff;
    else memset(option, 1, option[1]);
}

static bool tamper(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length) {
    struct tampering *t = n->spoil_context;
    (void)wire;
    (void)length;
    unsigned before = t->times;
    if (from == t->from) each_option(bytes, tamper_option, t);
    return !(t->drop && t->times != before);
}

static void what_does_not_authenticate_does_not_join(void **state) {
    (void)state;
    static const struct {
        int from;
        enum mp_join_form form;
        unsigned at;
    } cases[] = {
        {CLIENT, MP_JOIN_SYN, 4},      /* another token */
        {CLIENT, MP_JOIN_SYN, 8},      /* another nonce */
        {SERVER, MP_JOIN_SYN_ACK, 4},  /* another HMAC */
        {SERVER, MP_JOIN_SYN_ACK, 12}, /* another nonce */
        {CLIENT, MP_JOIN_ACK, 4},      /* another HMAC */
        {SERVER, MP_JOIN_SYN_ACK, 0},  /* no option at all */
        {CLIENT, MP_JOIN_ACK, 0},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
        struct net n;
        struct tampering t = {cases[i].from, cases[i].form, cases[i].at, 1, false};
        net_init(&n, 10 + i, 2);
        n.spoil = tamper;
        n.spoil_context = &t;
        n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 1000;
        net_connect(&n);
        net_run(&n, 500 * MS);
        assert_int_equal(t.times, 0);
        assert_int_equal(active_subflows(n.host[CLIENT].c), 1);
        assert_int_equal(active_subflows(n.host[SERVER].c), 1);
        n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 100000;
        assert_true(net_run_until(&n, both_received_all, 20 * S)); /* the first one does not mind */
        assert_int_equal(connection_mode(n.host[CLIENT].c), CONNECTION_MODE_MPTCP);
        net_deinit(&n);
    }
}

static void a_lost_third_ack_is_repeated(void **state) {
    (void)state;
    struct net n;
    struct tampering t = {CLIENT, MP_JOIN_ACK, 4, 3, true};
    net_init(&n, 20, 2);
    n.spoil = tamper;
    n.spoil_context = &t;
    n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 1000;
    net_connect(&n);
    net_run(&n, 10 * S);
    assert_int_equal(t.times, 0);
    assert_int_equal(active_subflows(n.host[CLIENT].c), 2);
    assert_int_equal(active_subflows(n.host[SERVER].c), 2);
    net_deinit(&n);
}

static bool drop_fourth(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length) {
    unsigned *left = n->spoil_context;
    (void)length;
    if (from == CLIENT || wire == 0 || (flags_of(bytes) & TCP_SYN) || *left == 0) return true;
    --*left;
    return false;
}
static void a_lost_answer_to_it_is_repeated_too(void **state) {
    (void)state;
    struct net n;
    unsigned left = 2;
    net_init(&n, 21, 2);
    n.spoil = drop_fourth;
    n.spoil_context = &left;
    n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 1000;
    net_connect(&n);
    net_run(&n, 10 * S);
    assert_int_equal(left, 0);
    assert_int_equal(active_subflows(n.host[CLIENT].c), 2);
    net_deinit(&n);
}

static void a_join_that_fails_is_tried_less_and_less_often(void **state) {
    (void)state;
    struct net n;
    net_init(&n, 22, 2);
    n.wires[1].cut = true;
    n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 1000;
    net_connect(&n);
    net_run(&n, 300 * S);
    uint64_t tried = n.host[CLIENT].counters.join_sent;
    assert_true(tried >= 4 && tried <= 12);
    n.wires[1].cut = false;
    net_path_up(&n, 1); /* news: at once */
    net_run(&n, S);
    assert_int_equal(n.host[CLIENT].counters.join_sent, tried + 1);
    assert_int_equal(active_subflows(n.host[CLIENT].c), 2);
    net_deinit(&n);
}

/* --- REMOVE_ADDR --- */

static void the_peer_is_told_of_a_lost_address(void **state) {
    (void)state;
    for (unsigned lost = 0; lost < 2; lost++) {
        struct net n;
        struct subflow_info info;
        establish(&n, 30 + lost, 2);
        net_run(&n, S);
        net_path_down(&n, lost);
        net_run(&n, 100 * MS);
        assert_true(n.host[CLIENT].counters.remove_addr_sent >= 1);
        assert_true(n.host[SERVER].counters.remove_addr_received >= 1);
        assert_int_equal(n.host[SERVER].counters.remove_addr_unknown, 0);
        assert_int_equal(active_subflows(n.host[SERVER].c), 1);
        net_run(&n, 2 * S);
        assert_false(connection_subflow_info(n.host[SERVER].c, 1, &info)); /* gone for good */
        assert_true(n.host[CLIENT].counters.remove_addr_sent <= 2);
        net_deinit(&n);
    }
}

/* A DATA_ACK becomes a REMOVE_ADDR, as someone on the path could do. */
static void to_remove_addr(uint8_t *option, void *context) {
    struct net *n = context;
    bool *done = n->spoil_context;
    if (option[2] >> 4 != MPTCP_DSS || option[1] != 12 || *done) return;
    *done = true;
    memset(option, 1, 12);
    option[0] = TCP_OPTION_KIND_MPTCP;
    option[1] = 4;
    option[2] = MPTCP_REMOVE_ADDR << 4;
    option[3] = n->host[CLIENT].paths[1].address_id;
}
static bool inject_remove_addr(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length) {
    if (from == CLIENT && wire == 0 && payload_of(bytes, *length) == 0) each_option(bytes, to_remove_addr, n);
    return true;
}

static void an_address_that_answers_is_not_removed(void **state) {
    (void)state;
    struct net n;
    bool done = true;
    net_init(&n, 33, 2);
    n.spoil = inject_remove_addr;
    n.spoil_context = &done;
    n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 1000;
    net_connect(&n);
    net_run(&n, S);
    done = false;
    n.host[SERVER].app.to_send = 300000;
    net_run(&n, 100 * MS);
    assert_true(done);
    net_run(&n, 2 * S);
    assert_int_equal(n.host[SERVER].counters.remove_addr_received, 1);
    assert_int_equal(active_subflows(n.host[SERVER].c), 2);
    assert_int_equal(active_subflows(n.host[CLIENT].c), 2);
    assert_true(both_received_all(&n));
    net_deinit(&n);
}

/* --- ADD_ADDR --- */

/* The server has a second address, reached by the same wires. */
static void second_server_address(struct net *n, bool announce) {
    struct host *server = &n->host[SERVER];
    server->paths[1] = path_of(n, SERVER, 1);
    server->paths[1].link = 0;
    server->paths[1].announce = announce;
    server->path_up[1] = true;
    server->path_count = 2;
}

static void an_announced_address_is_joined(void **state) {
    (void)state;
    struct net n;
    net_init(&n, 40, 2);
    second_server_address(&n, true);
    n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 100000;
    net_connect(&n);
    net_run(&n, 5 * S);
    assert_int_equal(n.host[SERVER].counters.add_addr_sent, 1);
    assert_int_equal(n.host[CLIENT].counters.add_addr_received, 1);
    assert_int_equal(n.host[CLIENT].counters.add_addr_echo_sent, 1);
    assert_int_equal(n.host[SERVER].counters.add_addr_echo_received, 1);
    assert_int_equal(active_subflows(n.host[CLIENT].c), 4); /* the full mesh */
    net_deinit(&n);
}

static void an_address_that_comes_later_is_announced_and_taken_back(void **state) {
    (void)state;
    struct net n;
    establish(&n, 41, 1);
    net_run(&n, S);
    second_server_address(&n, true);
    connection_path_up(n.host[SERVER].c, &n.host[SERVER].paths[1], n.now);
    net_run(&n, S);
    assert_int_equal(active_subflows(n.host[CLIENT].c), 2);
    n.host[SERVER].path_up[1] = false;
    connection_path_down(n.host[SERVER].c, n.host[SERVER].paths[1].address_id, n.now);
    net_run(&n, 2 * S);
    assert_int_equal(active_subflows(n.host[CLIENT].c), 1);
    assert_true(n.host[CLIENT].counters.remove_addr_received >= 1);
    net_run(&n, 100 * S);
    assert_int_equal(n.host[CLIENT].counters.join_sent, 1); /* and it is not joined again */
    net_deinit(&n);
}

struct address_spoiler {
    unsigned drop_announcements, drop_echoes;
    bool spoil_hmac;
};
static void spoil_address(uint8_t *option, void *context) {
    struct address_spoiler *a = context;
    if (option[2] >> 4 != MPTCP_ADD_ADDR) return;
    bool echo = option[2] & 1;
    unsigned *drops = echo ? &a->drop_echoes : &a->drop_announcements;
    if (*drops > 0) {
        --*drops;
        memset(option, 1, option[1]);
    } else if (!echo && a->spoil_hmac) {
        option[option[1] - 1] ^= 1;
    }
}
static bool address_box(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length) {
    (void)from;
    (void)wire;
    (void)length;
    each_option(bytes, spoil_address, n->spoil_context);
    return true;
}

static void an_announcement_is_repeated_until_it_is_echoed(void **state) {
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct net n;
        struct address_spoiler spoiler = {.drop_announcements = i == 0 ? 2 : 0, .drop_echoes = i == 1 ? 2 : 0};
        net_init(&n, 42 + i, 1);
        second_server_address(&n, true);
        n.spoil = address_box;
        n.spoil_context = &spoiler;
        n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 1000;
        net_connect(&n);
        net_run(&n, 10 * S);
        assert_int_equal(n.host[SERVER].counters.add_addr_sent, 3);
        assert_int_equal(n.host[SERVER].counters.add_addr_echo_received, 1);
        assert_int_equal(active_subflows(n.host[CLIENT].c), 2);
        net_deinit(&n);
    }
}

/* Only two ACKs in a row are for options alone; what is due meanwhile must not keep anybody awake. */
static void announcements_that_have_to_wait_cost_nothing(void **state) {
    (void)state;
    struct net n;
    struct address_spoiler spoiler = {.drop_announcements = 1000};
    net_init(&n, 45, 1);
    for (unsigned i = 1; i < WIRES_MAX; i++) {
        n.host[SERVER].paths[i] = path_of(&n, SERVER, i);
        n.host[SERVER].paths[i].announce = n.host[SERVER].path_up[i] = true;
    }
    n.host[SERVER].path_count = WIRES_MAX;
    n.spoil = address_box;
    n.spoil_context = &spoiler;
    n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 1000;
    net_connect(&n);
    net_run(&n, 10 * S); /* which fails if time stands still */
    assert_in_range(n.host[SERVER].counters.add_addr_sent, 2, 4);
    n.host[CLIENT].app.to_send += 1000; /* and when the peer speaks they go on */
    net_run(&n, 10 * S);
    assert_in_range(n.host[SERVER].counters.add_addr_sent, 5, 9);
    net_deinit(&n);
}

static void an_address_with_a_bad_hmac_is_not_believed(void **state) {
    (void)state;
    struct net n;
    struct address_spoiler spoiler = {.spoil_hmac = true};
    net_init(&n, 44, 1);
    second_server_address(&n, true);
    n.spoil = address_box;
    n.spoil_context = &spoiler;
    n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 1000;
    net_connect(&n);
    net_run(&n, 10 * S);
    assert_int_equal(n.host[CLIENT].counters.add_addr_bad_hmac, 3);
    assert_int_equal(n.host[CLIENT].counters.add_addr_echo_sent, 0);
    assert_int_equal(active_subflows(n.host[CLIENT].c), 1);
    net_deinit(&n);
}

/* --- resets of subflows --- */

static bool reset_wire_1(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length) {
    unsigned *left = n->spoil_context;
    uint8_t *tcp = tcp_of(bytes);
    if (from != SERVER || wire != 1 || (tcp[13] & TCP_SYN) || *left == 0 || payload_of(bytes, *length) > 0) return true;
    --*left;
    tcp[13] = TCP_RST | TCP_ACK;
    return true;
}

static void a_reset_subflow_is_replaced_and_nothing_is_lost(void **state) {
    (void)state;
    struct net n;
    unsigned left = 0;
    net_init(&n, 50, 2);
    net_set_wire(&n, 0, 10, 20 * MS, 100 * MS, 0);
    net_set_wire(&n, 1, 10, 40 * MS, 100 * MS, 0);
    n.spoil = reset_wire_1;
    n.spoil_context = &left;
    n.host[CLIENT].app.to_send = 5000000;
    net_connect(&n);
    net_run(&n, S);
    assert_int_equal(active_subflows(n.host[CLIENT].c), 2);
    left = 1;
    net_run(&n, 300 * MS);
    assert_int_equal(left, 0);
    assert_true(net_run_until(&n, both_received_all, 20 * S));
    assert_int_equal(active_subflows(n.host[CLIENT].c), 2);
    net_deinit(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_is_joined_once),
        cmocka_unit_test(nothing_joins_before_a_dss_came),
        cmocka_unit_test(subflows_are_bounded),
        cmocka_unit_test(no_policy_no_joins),
        cmocka_unit_test(what_does_not_authenticate_does_not_join),
        cmocka_unit_test(a_lost_third_ack_is_repeated),
        cmocka_unit_test(a_lost_answer_to_it_is_repeated_too),
        cmocka_unit_test(a_join_that_fails_is_tried_less_and_less_often),
        cmocka_unit_test(the_peer_is_told_of_a_lost_address),
        cmocka_unit_test(an_address_that_answers_is_not_removed),
        cmocka_unit_test(an_announced_address_is_joined),
        cmocka_unit_test(an_address_that_comes_later_is_announced_and_taken_back),
        cmocka_unit_test(announcements_that_have_to_wait_cost_nothing),
        cmocka_unit_test(an_announcement_is_repeated_until_it_is_echoed),
        cmocka_unit_test(an_address_with_a_bad_hmac_is_not_believed),
        cmocka_unit_test(a_reset_subflow_is_replaced_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
