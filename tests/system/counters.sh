#!/bin/sh
# Whatever is refused is counted for a named reason, and every counter is made to count by a test: a conformance script that
# expects it above 0, or a program of the tests that names it.
. "${0%/*}/../lib.sh"

# names FILE MACRO: those that the list of X(...) after `#define MACRO(X)` has.
names() {
    awk -v macro="#define $2(X)" 'index($0, macro) { on = 1 } on { print } on && !/\\$/ { exit }' "$1" |
        grep -oE 'X\([a-z0-9_]+, ' | sed 's/^X(//; s/, $//'
}
stack_counters() { names "$root/src/stack/stack_internal.h" STACK_COUNTERS; }
tcp_counters() { names "$root/src/tcp/include/tcp/tcp.h" TCP_DROP_REASONS; }
mptcp_counters() { names "$root/src/mptcp/include/mptcp/connection.h" MPTCP_COUNTERS; }

# What tests say of counters: `expect counter NAME 1`, server_counter("NAME"), counters.NAME, drops.NAME.
named_by_tests() {
    cat "$root"/tests/conformance/tcp/*.txt "$root"/tests/conformance/rfc*/*.txt |
        sed -nE 's/^([^ ]+ )?expect counter ([a-z0-9_]+) [1-9].*/\2/p'
    cat "$root"/tests/unit/*/*.[ch] "$root"/tests/sim/*.[ch] >programs
    grep -oE 'counter\(([^"]*, *)?"[a-z0-9_]+"' programs | sed 's/.*"\([a-z0-9_]*\)"/\1/'
    grep -oE '(^|[^_a-z])counters\.[a-z0-9_]+' programs | sed 's/.*\./mptcp_/'
    grep -oE 'drops\.[a-z0-9_]+' programs | sed 's/.*\./tcp_/'
}

# missing FILE: lines of it that are not in `seen`.
missing() { sort -u "$1" | comm -23 - seen; }

every_counter_has_a_test() {
    named_by_tests | sort -u >seen
    { stack_counters; tcp_counters | sed 's/^/tcp_/'; mptcp_counters | sed 's/^/mptcp_/'; } >all
    [ "$(wc -l <all)" -gt 100 ] || fail "the lists of counters were not found"
    missing all >untested
    [ ! -s untested ] || fail "no test makes these count: $(tr '\n' ' ' <untested)"
}
promise 20 every_counter_has_a_test "every counter is named by a test that makes it count"

every_counter_counts() {
    {
        grep -rhoE 'counters(\.|->)[a-z0-9_]+(\+\+| \+= )' "$root/src/stack" | sed -E 's/.*(\.|>)([a-z0-9_]+).*/\2/'
        grep -rhoE '&stack->counters\.[a-z0-9_]+' "$root/src/stack" | sed 's/.*\.//'
        grep -rhoE 'COUNT_(DROP|IGNORED)\([^;]*, [a-z_]+\)' "$root/src/tcp" | sed -E 's/.*, ([a-z_]+)\)/tcp_\1/'
        grep -rhoE 'COUNT(_N)?\([^;]*, [a-z0-9_]+(, [^;]*)?\);' "$root/src/mptcp" |
            sed -E 's/COUNT(_N)?\([^,]*, ([a-z0-9_]+).*/mptcp_\2/'
        grep -rhoE 'mptcp\.[a-z0-9_]+\+\+' "$root/src/stack" | sed -E 's/mptcp\.([a-z0-9_]+).*/mptcp_\1/'
    } | sort -u >seen
    { stack_counters; tcp_counters | sed 's/^/tcp_/'; mptcp_counters | sed 's/^/mptcp_/'; } >all
    missing all >idle
    [ ! -s idle ] || fail "nothing ever counts these: $(tr '\n' ' ' <idle)"
}
promise 20 every_counter_counts "every counter is counted somewhere"

an_untested_counter_would_be_found() {
    named_by_tests | grep -v '^mptcp_join_bad_hmac$' | sort -u >seen
    echo mptcp_join_bad_hmac >all
    [ "$(missing all)" = mptcp_join_bad_hmac ] || fail "it was not found"
}
promise 20 an_untested_counter_would_be_found "a counter that no test names would be found"

keep_promises "$@"
