/* What a script line says that is no packet: the network, the calls of our side, and what is expected of it. */
#include "script.h"

#include <stdlib.h>
#include <string.h>
#include <stdio.h>

enum { REMOTE_ISN = 0xfffffc00 }; /* the peer's sequence numbers wrap soon */

static bool number(struct script *s, struct words *w, uint64_t *out) { return number_of(s, words_next(w), out); }

/* --- the network --- */

static enum braid_versions versions_of(const char *text) {
    return strcmp(text, "0") == 0          ? BRAID_VERSION_0
           : strcmp(text, "1") == 0        ? BRAID_VERSION_1
           : strcmp(text, "discover") == 0 ? BRAID_VERSIONS_DISCOVER
                                           : BRAID_VERSIONS_BOTH;
}

/* Of the options in the script from here on. */
static bool run_version(struct script *s, struct words *w) {
    uint64_t value;
    if (!number(s, w, &value)) return false;
    s->version_0 = value == 0;
    return true;
}

static enum braid_cookies cookies_of(const char *text) {
    return strcmp(text, "always") == 0  ? BRAID_COOKIES_ALWAYS
           : strcmp(text, "never") == 0 ? BRAID_COOKIES_NEVER
                                        : BRAID_COOKIES_WHEN_FULL;
}

static bool run_stack(struct script *s, struct words *w) {
    uint64_t value;
    if (s->stack != NULL) return script_fail(s, "the stack is there already");
    while (w->next < w->count) {
        if (words_take(w, "checksum")) s->config.checksum = true;
        else if (words_take(w, "checksum_forbidden")) s->config.checksum_forbidden = true;
        else if (words_take(w, "fastclose_by_ack")) s->config.fastclose_by_ack = true;
        else if (words_take(w, "no_join_to_source")) s->config.no_join_to_source = true;
        else if (words_take(w, "join_to_clients")) s->config.join_to_clients = true;
        else if (words_take(w, "ecn")) s->config.ecn = true;
        else if (words_take(w, "versions")) s->config.versions = versions_of(words_next(w));
        else if (words_take(w, "cookies")) s->config.cookies = cookies_of(words_next(w));
        else if (words_take(w, "subflows") && number(s, w, &value))
            s->limits = (struct braid_path_limits){.subflows = (uint8_t)value, .add_addr_accepted = 15}, s->config.path_limits = &s->limits;
        else if (words_take(w, "half_open") && number(s, w, &value)) s->config.half_open_max = (uint32_t)value;
        else if (words_take(w, "connections") && number(s, w, &value)) s->config.connections_max = (uint32_t)value;
        else if (words_take(w, "random_stuck")) s->random_stuck = true;
        else if (words_take(w, "receive_buffer") && number(s, w, &value))
            s->config.receive_buffer_initial_bytes = s->config.receive_buffer_max_bytes = (uint32_t)value;
        else if (words_take(w, "send_buffer") && number(s, w, &value)) s->config.send_buffer_bytes = (uint32_t)value;
        else return script_fail(s, "no setting '%s' of the stack", words_peek(w));
    }
    return true;
}

static int link_of(struct script *s, const struct braid_address *address) {
    for (unsigned i = 0; i < s->links; i++)
        if (memcmp(&s->link_address[i].address, address, sizeof(*address)) == 0) return (int)i;
    return -1;
}

static bool run_address(struct script *s, struct words *w) {
    struct braid_address address;
    bool remove = words_take(w, "remove");
    if (!address_of(words_next(w), &address)) return script_fail(s, "no address");
    int link = link_of(s, &address);
    if (remove) {
        braid_stack_address_remove(s->stack, link, &address, s->now);
        return world_flush(s);
    }
    if (link < 0) {
        struct braid_link_config config = {.mtu_bytes = 1500, .uplink = true};
        link = braid_stack_link_add(s->stack, &config);
        s->link_address[s->links++].address = address;
    }
    bool backup = words_take(w, "backup"), announce = words_take(w, "announce");
    if (!braid_stack_address_add(s->stack, link, &address, backup, announce, s->now))
        return script_fail(s, "the address was not taken");
    if (words_take(w, "port")) {
        struct braid_address_terms terms = {0};
        uint64_t port;
        if (!number(s, w, &port)) return false;
        terms.announce_port = (uint16_t)port;
        if (!braid_stack_address_terms(s->stack, link, &address, &terms)) return script_fail(s, "no such terms");
    }
    return true; /* what is sent by it comes after its flow is declared */
}

/* flow [again] NAME LOCAL PORT REMOTE PORT; our port may be *. */
static bool run_flow(struct script *s, struct words *w) {
    uint64_t port;
    bool again = words_take(w, "again");
    struct script_flow *f = flow_by_name(s, words_peek(w));
    if (again != (f != NULL)) return script_fail(s, again ? "there is no such flow yet" : "the flow is there already");
    if (!again && s->flow_count == FLOWS_MAX) return script_fail(s, "too many flows");
    if (!again) f = &s->flows[s->flow_count++];
    *f = (struct script_flow){.remote_isn = REMOTE_ISN + 100000u * (uint32_t)(f - s->flows)};
    snprintf(f->name, sizeof(f->name), "%s", words_next(w));
    if (!address_of(words_next(w), &f->local.address)) return script_fail(s, "no address");
    if (!words_take(w, "*")) {
        if (!number(s, w, &port)) return false;
        f->local.port = (uint16_t)port;
    }
    if (!address_of(words_next(w), &f->remote.address) || !number(s, w, &port)) return script_fail(s, "no remote end");
    f->remote.port = (uint16_t)port;
    f->link = link_of(s, &f->local.address);
    if (f->link < 0) f->link = 0; /* not ours: nothing but what arrives there all the same */
    return true;
}

static bool run_let(struct script *s, struct words *w) {
    struct variable *v = variable_find(s, words_next(w));
    if (v == NULL || !words_take(w, "=")) return script_fail(s, "let NAME = VALUE");
    return v->set = value_of(s, words_next(w), &v->value);
}

/* icmp FLOW TYPE CODE seq N [mtu N]: an error about what we sent at N. */
static bool run_icmp(struct script *s, struct words *w) {
    const struct script_flow *f = flow_by_name(s, words_next(w));
    uint64_t type, code, seq, mtu = 0;
    if (f == NULL || !number(s, w, &type) || !number(s, w, &code)) return script_fail(s, "icmp FLOW TYPE CODE");
    if (!words_take(w, "seq") || !number(s, w, &seq)) return script_fail(s, "seq is missing");
    if (words_take(w, "mtu") && !number(s, w, &mtu)) return false;
    uint8_t bytes[PACKET_MAX_BYTES];
    uint32_t length = icmp_encode(f, (uint8_t)type, (uint8_t)code, (uint32_t)seq, (uint16_t)mtu, bytes);
    struct braid_packet_in in = {.bytes = bytes, .length = length};
    braid_stack_input(s->stack, f->link, &in, 1, s->now);
    return world_flush(s);
}

/* --- calls --- */

/* Times in seconds. */
static bool run_tune(struct script *s, struct words *w) {
    struct braid_tuning tuning;
    uint64_t value;
    braid_connection_tuning(s->connection, &tuning);
    while (w->next < w->count) {
        const char *name = words_next(w);
        bool dscp = strcmp(name, "dscp") == 0, hops = strcmp(name, "hops") == 0;
        bool timeout = strcmp(name, "user_timeout") == 0, idle = strcmp(name, "keepalive") == 0;
        bool interval = strcmp(name, "interval") == 0, probes = strcmp(name, "probes") == 0;
        if (!dscp && !hops && !timeout && !idle && !interval && !probes) return script_fail(s, "nothing to tune '%s'", name);
        if (!number(s, w, &value)) return false;
        if (dscp) tuning.dscp = (uint8_t)value;
        if (hops) tuning.hop_limit = (uint8_t)value;
        if (timeout) tuning.user_timeout_ns = value * BRAID_NS_PER_S;
        if (idle) tuning.keepalive_idle_ns = value * BRAID_NS_PER_S;
        if (interval) tuning.keepalive_interval_ns = value * BRAID_NS_PER_S;
        if (probes) tuning.keepalive_probes = (unsigned)value;
    }
    braid_connection_tune(s->connection, &tuning, s->now);
    return world_flush(s);
}

static bool run_write(struct script *s, struct words *w) {
    uint64_t length;
    if (!number(s, w, &length)) return false;
    uint8_t *bytes = malloc(length);
    for (uint64_t i = 0; i < length; i++) bytes[i] = stream_byte(true, s->bytes_written + i);
    uint32_t taken = braid_connection_write(s->connection, bytes, (uint32_t)length, s->now);
    free(bytes);
    s->bytes_written += taken;
    if (taken != length) return script_fail(s, "write took %u bytes of %llu", taken, (unsigned long long)length);
    return world_flush(s);
}

static bool run_connect(struct script *s, struct words *w) {
    bool fails = words_take(w, "fails");
    const struct script_flow *f = flow_by_name(s, words_next(w));
    if (f == NULL) return script_fail(s, "connect [fails] FLOW [plain [nagle]] [single] [any] [fast_open] [with N] [tune ...]");
    struct braid_connect_config config = {.multipath = true, .local = s->link_address[f->link].address,
                                          .remote = {f->remote.address, f->remote.port}};
    enum braid_connect_error error;
    if (words_take(w, "plain")) config.multipath = false, config.no_delay = !words_take(w, "nagle");
    config.single_path = words_take(w, "single");
    if (words_take(w, "any")) config.local.family = 0;
    config.fast_open = words_take(w, "fast_open");
    s->connection = braid_stack_connect(s->stack, &config, s->now, &error);
    if (fails) return s->connection == NULL || script_fail(s, "it did not fail");
    if (s->connection == NULL) return script_fail(s, "connect failed: %d", (int)error);
    s->bytes_read = s->bytes_written = 0;
    if (words_take(w, "with") && !run_write(s, w)) return false;
    if (words_take(w, "tune") && !run_tune(s, w)) return false;
    return world_flush(s);
}

static bool run_listen(struct script *s, struct words *w) {
    uint64_t port;
    bool fails = words_take(w, "fails");
    if (!number(s, w, &port)) return false;
    struct braid_listen_config config = {.link = -1, .local = {.port = (uint16_t)port}, .multipath = true};
    if (words_take(w, "plain")) config.multipath = false;
    config.deferred = words_take(w, "deferred");
    if (words_take(w, "dscp") && number(s, w, &port)) config.dscp = (uint8_t)port;
    if (words_take(w, "hops") && number(s, w, &port)) config.hop_limit = (uint8_t)port;
    if (words_take(w, "fast_open") && number(s, w, &port)) config.fast_open_pending_max = (uint32_t)port;
    if (fails) return braid_stack_listen(s->stack, &config) == NULL || script_fail(s, "it did not fail");
    s->listener = braid_stack_listen(s->stack, &config);
    return s->listener != NULL || script_fail(s, "listen failed");
}

static bool run_accept(struct script *s) {
    if (s->accepted == NULL) return script_fail(s, "nothing to accept");
    s->connection = s->accepted;
    s->accepted = NULL;
    s->bytes_read = s->bytes_written = 0;
    if (s->deferred) braid_connection_accept(s->connection, s->now);
    return !s->deferred || world_flush(s);
}

static bool run_read(struct script *s, struct words *w) {
    uint64_t length;
    if (!number(s, w, &length)) return false;
    uint8_t *bytes = malloc(length + 1);
    uint32_t got = braid_connection_read(s->connection, bytes, (uint32_t)length, s->now);
    bool right = got == length;
    if (!right) script_fail(s, "read gave %u bytes, not %llu", got, (unsigned long long)length);
    for (uint32_t i = 0; i < got && right; i++) {
        right = bytes[i] == stream_byte(false, s->bytes_read + i);
        if (!right) script_fail(s, "what was read differs from what the peer sent, at %llu", (unsigned long long)s->bytes_read + i);
    }
    free(bytes);
    s->bytes_read += got;
    return right && world_flush(s);
}

/* join [fails] FLOW [backup] */
static bool run_join(struct script *s, struct words *w) {
    bool fails = words_take(w, "fails");
    const struct script_flow *f = flow_by_name(s, words_next(w));
    uint64_t path;
    if (f == NULL) return script_fail(s, "join [fails] FLOW [backup]");
    bool backup = words_take(w, "backup");
    struct braid_endpoint remote = {f->remote.address, f->remote.port};
    enum braid_path_result result =
        braid_connection_path_add(s->connection, f->link, &f->local.address, &remote, backup, &path, s->now);
    if (fails && result == BRAID_PATH_OK) return script_fail(s, "it did not fail");
    if (!fails && result != BRAID_PATH_OK) return script_fail(s, "the join failed: %d", (int)result);
    return world_flush(s);
}

/* may_use [not] ADDRESS: whether the connection may use one of ours. */
static bool run_may_use(struct script *s, struct words *w) {
    struct braid_address address;
    bool may = !words_take(w, "not");
    if (!address_of(words_next(w), &address)) return script_fail(s, "no address");
    if (!braid_connection_address_use(s->connection, link_of(s, &address), &address, may, s->now))
        return script_fail(s, "that is none of ours");
    return world_flush(s);
}

static bool run_memory(struct script *s, struct words *w) {
    s->no_memory = words_take(w, "none");
    return s->no_memory || words_take(w, "back") || script_fail(s, "memory none, or back");
}

static bool run_call(struct script *s, const char *what) {
    if (strcmp(what, "shutdown") == 0) braid_connection_shutdown(s->connection, s->now);
    else if (strcmp(what, "abort") == 0) braid_connection_abort(s->connection, s->now);
    else {
        braid_connection_release(s->connection, s->now);
        s->connection = NULL;
    }
    return world_flush(s);
}

/* --- expectations --- */

static bool expect_counter(struct script *s, const char *name, uint64_t expected) {
    uint64_t value;
    const char *found;
    for (unsigned i = 0; (found = braid_stack_counter(s->stack, i, &value)) != NULL; i++) {
        if (strcmp(found, name) != 0) continue;
        if (value == expected) return true;
        return script_fail(s, "the counter %s is %llu, not %llu", name, (unsigned long long)value,
                           (unsigned long long)expected);
    }
    return script_fail(s, "there is no counter '%s'", name);
}

static const char *status_name(enum braid_path_status status) {
    switch (status) {
    case BRAID_PATH_CONNECTING: return "connecting";
    case BRAID_PATH_ACTIVE: return "active";
    case BRAID_PATH_SUSPECTED: return "suspected";
    case BRAID_PATH_CLOSING: return "closing";
    }
    return "?";
}

static bool expect_path(struct script *s, struct words *w) {
    const struct script_flow *f = flow_by_name(s, words_next(w));
    const char *expected = words_next(w);
    struct braid_path_info info;
    if (f == NULL) return script_fail(s, "expect path FLOW ...");
    for (unsigned i = 0; braid_connection_path(s->connection, i, &info); i++) {
        if (info.local.port != f->local.port || info.remote.port != f->remote.port || info.link != f->link ||
            memcmp(&info.remote.address, &f->remote.address, sizeof(info.remote.address)) != 0)
            continue;
        if (strcmp(expected, "gone") == 0) return script_fail(s, "the path is there");
        if (strcmp(expected, "backup") == 0) return info.backup || script_fail(s, "the path is no backup");
        if (strcmp(expected, "regular") == 0) return !info.backup || script_fail(s, "the path is a backup");
        if (strcmp(expected, status_name(info.status)) == 0) return true;
        return script_fail(s, "the path is %s", status_name(info.status));
    }
    return strcmp(expected, "gone") == 0 || script_fail(s, "there is no such path");
}

static bool expect_mode(struct script *s, const char *what, bool *known) {
    struct braid_connection_info i;
    *known = true;
    braid_connection_info(s->connection, &i);
    if (strcmp(what, "established") == 0) return i.established || script_fail(s, "it is not established");
    if (strcmp(what, "opening") == 0) return !i.established || script_fail(s, "it is established");
    if (strcmp(what, "mptcp") == 0) return (i.multipath && !i.fallback) || script_fail(s, "it is not MPTCP");
    if (strcmp(what, "fallback") == 0) return i.fallback || script_fail(s, "it has not fallen back");
    if (strcmp(what, "tcp") == 0) return !i.multipath || script_fail(s, "it is MPTCP");
    if (strcmp(what, "checksum") == 0) return i.checksum || script_fail(s, "checksums are not on");
    if (strcmp(what, "no_checksum") == 0) return !i.checksum || script_fail(s, "checksums are on");
    if (strcmp(what, "end") == 0) return braid_connection_at_end(s->connection) || script_fail(s, "it is not at the end");
    if (strcmp(what, "no_end") == 0) return !braid_connection_at_end(s->connection) || script_fail(s, "it is at the end");
    *known = false;
    return false;
}

static bool expect_number(struct script *s, const char *what, uint64_t expected) {
    struct braid_connection_info i;
    uint64_t value;
    if (strcmp(what, "connections") == 0) value = braid_stack_connections(s->stack);
    else {
        braid_connection_info(s->connection, &i);
        if (strcmp(what, "readable") == 0) value = braid_connection_readable(s->connection);
        else if (strcmp(what, "urgent") == 0) value = braid_connection_urgent(s->connection);
        else if (strcmp(what, "paths") == 0) value = i.paths;
        else if (strcmp(what, "acknowledged") == 0) value = i.bytes_acknowledged;
        else return script_fail(s, "nothing is known of '%s'", what);
    }
    if (value == expected) return true;
    return script_fail(s, "%s is %llu, not %llu", what, (unsigned long long)value, (unsigned long long)expected);
}

/* `expect closed` alone: for whatever reason. */
static bool expect_reason(struct script *s, struct words *w, bool open) {
    enum braid_close_reason reason = braid_connection_close_reason(s->connection);
    char expected[LINE_MAX_BYTES / 2] = "";
    while (w->next < w->count) {
        if (expected[0] != '\0') strcat(expected, " ");
        strncat(expected, words_next(w), sizeof(expected) - strlen(expected) - 2);
    }
    if (open) return reason == BRAID_OPEN || script_fail(s, "%s", braid_close_reason_name(reason));
    if (reason == BRAID_OPEN) return script_fail(s, "it is not closed");
    const char *name = braid_close_reason_name(reason);
    if (strncmp(name, "closed ", 7) == 0) name += 7;
    return expected[0] == '\0' || strcmp(expected, name) == 0 || script_fail(s, "'%s', not '%s'", name, expected);
}

static bool expect_differ(struct script *s, struct words *w) {
    uint64_t a, b;
    if (!number(s, w, &a) || !number(s, w, &b)) return false;
    return a != b || script_fail(s, "both are %llu", (unsigned long long)a);
}

static bool run_expect(struct script *s, struct words *w) {
    char what[WORD_MAX];
    uint64_t value;
    bool known;
    snprintf(what, sizeof(what), "%s", words_next(w));
    if (strcmp(what, "counter") == 0) {
        const char *name = words_next(w);
        return number(s, w, &value) && expect_counter(s, name, value);
    }
    if (strcmp(what, "differ") == 0) return expect_differ(s, w);
    bool whole_stack = strcmp(what, "connections") == 0;
    if (strcmp(what, "nothing_accepted") == 0) return s->accepted == NULL || script_fail(s, "there is one to accept");
    if (s->connection == NULL && !whole_stack) return script_fail(s, "there is no connection");
    if (strcmp(what, "path") == 0) return expect_path(s, w);
    if (strcmp(what, "closed") == 0 || strcmp(what, "open") == 0) {
        return expect_reason(s, w, what[0] == 'o');
    }
    if (!whole_stack) {
        bool good = expect_mode(s, what, &known);
        if (known) return good;
    }
    return number(s, w, &value) && expect_number(s, what, value);
}

bool command_run(struct script *s, struct words *w) {
    char what[WORD_MAX];
    snprintf(what, sizeof(what), "%s", words_next(w));
    if (strcmp(what, "stack") == 0) return run_stack(s, w);
    if (!world_start(s)) return false;
    if (strcmp(what, "address") == 0) return run_address(s, w);
    if (strcmp(what, "flow") == 0) return run_flow(s, w);
    if (strcmp(what, "icmp") == 0) return run_icmp(s, w);
    if (strcmp(what, "let") == 0) return run_let(s, w);
    if (strcmp(what, "version") == 0) return run_version(s, w);
    if (strcmp(what, "connect") == 0) return run_connect(s, w);
    if (strcmp(what, "listen") == 0) return run_listen(s, w);
    if (strcmp(what, "accept") == 0) return run_accept(s);
    if (strcmp(what, "expect") == 0) return run_expect(s, w);
    if (strcmp(what, "memory") == 0) return run_memory(s, w);
    if (strcmp(what, "quiet") == 0) return true; /* time passed, and nothing was sent */
    if (strcmp(what, "together") == 0 || strcmp(what, "apart") == 0) {
        s->together = what[0] == 't'; /* packets that follow arrive in one moment */
        return s->together || world_flush(s);
    }
    if (s->connection == NULL) return script_fail(s, "'%s' without a connection", what);
    if (strcmp(what, "tune") == 0) return run_tune(s, w);
    if (strcmp(what, "join") == 0) return run_join(s, w);
    if (strcmp(what, "may_use") == 0) return run_may_use(s, w);
    if (strcmp(what, "write") == 0) return run_write(s, w);
    if (strcmp(what, "read") == 0) return run_read(s, w);
    if (strcmp(what, "shutdown") == 0 || strcmp(what, "abort") == 0 || strcmp(what, "release") == 0)
        return run_call(s, what);
    return script_fail(s, "'%s' is no command", what);
}
