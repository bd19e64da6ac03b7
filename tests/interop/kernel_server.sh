#!/bin/sh
# Whole connections to a server whose MPTCP, or plain TCP, is the Linux kernel's: 100 MB each way, byte-exact.
. "${0%/*}/../lib.sh"
. "${0%/*}/hosts/network.sh"

megabytes=100

# both_ways ADDRESS UPLINK...: 100 MB down and 100 MB up, over the uplinks given, all in use at the same time.
options=
both_ways() {
    address=$1
    shift
    network
    pattern served/www/file $((megabytes * 1000000)) 3
    uplinks=
    for uplink in "$@"; do uplinks="$uplinks --uplink $uplink"; done
    cat >transfer.sh <<EOF
set -e
curl -sgf --max-time 100 -o got http://$address/file
curl -sgf --max-time 100 -T served/www/file http://$address/up
EOF
    # shellcheck disable=SC2086
    on phone "$braid" run --policy aggregate $uplinks $options --trace trace.json -- sh transfer.sh
    expect_same_bytes got served/www/file
    expect_same_bytes served/www/up served/www/file
}

# What the trace says of the two connections.
fallbacks() { jq -r 'select(.event == "connection_fallback") | .reason' trace.json | wc -l; }
joins() { jq -c 'select(.event == "subflow_state" and .subflow > 0 and .to == "active")' trace.json | wc -l; }

ipv4_one_subflow() {
    both_ways 10.0.9.1 wlan0
    [ "$(fallbacks)" = 0 ] || fail "it fell back to TCP"
}
promise 120 ipv4_one_subflow "IPv4, one subflow: 100 MB each way, byte-exact"

ipv4_two_subflows() {
    both_ways 10.0.9.1 wlan0 wwan0
    [ "$(fallbacks)" = 0 ] || fail "it fell back to TCP"
    [ "$(joins)" -ge 2 ] || fail "the second uplink was not joined"
}
promise 120 ipv4_two_subflows "IPv4, two subflows: 100 MB each way, byte-exact"

ipv6_one_subflow() {
    both_ways '[fd00:9::1]' wlan0
    [ "$(fallbacks)" = 0 ] || fail "it fell back to TCP"
}
promise 120 ipv6_one_subflow "IPv6, one subflow: 100 MB each way, byte-exact"

ipv6_two_subflows() {
    both_ways '[fd00:9::1]' wlan0 wwan0
    [ "$(fallbacks)" = 0 ] || fail "it fell back to TCP"
    [ "$(joins)" -ge 2 ] || fail "the second uplink was not joined"
}
promise 120 ipv6_two_subflows "IPv6, two subflows: 100 MB each way, byte-exact"

checksum() {
    server_sysctls='net.mptcp.checksum_enabled: 1'
    both_ways "$@"
    [ "$(fallbacks)" = 0 ] || fail "it fell back to TCP"
}
checksum_of_ours() {
    options=--checksum
    both_ways 10.0.9.1 wlan0 wwan0
    [ "$(fallbacks)" = 0 ] || fail "it fell back to TCP"
}
checksum_ipv4() { checksum 10.0.9.1 wlan0 wwan0; }
checksum_ipv6() { checksum '[fd00:9::1]' wlan0 wwan0; }
promise 120 checksum_ipv4 "IPv4, two subflows, the server wants the DSS checksum: 100 MB each way, byte-exact"
promise 120 checksum_ipv6 "IPv6, two subflows, the server wants the DSS checksum: 100 MB each way, byte-exact"
promise 120 checksum_of_ours "IPv4, two subflows, we want the DSS checksum: 100 MB each way, byte-exact"

plain_tcp() {
    server_sysctls='net.mptcp.enabled: 0'
    both_ways "$@"
    [ "$(fallbacks)" = 2 ] || fail "it fell back $(fallbacks) times, not for both connections"
}
plain_tcp_ipv4() { plain_tcp 10.0.9.1 wlan0 wwan0; }
plain_tcp_ipv6() { plain_tcp '[fd00:9::1]' wlan0 wwan0; }
promise 120 plain_tcp_ipv4 "IPv4, a server without MPTCP: 100 MB each way over plain TCP, byte-exact"
promise 120 plain_tcp_ipv6 "IPv6, a server without MPTCP: 100 MB each way over plain TCP, byte-exact"

# The phone announces its second address and does not join by it: the server does.
the_server_joins() {
    "${CC:-cc}" -O1 -o ends "$root/tests/interop/hosts/ends.c"
    services="  ends:
    host: server
    command: 'cd $PWD; ip mptcp limits set subflow 4 add_addr_accepted 4; ENDS_BYTES=20000000 ./ends serve --mptcp 7000 closes_first; echo \$? >server_status'
    ready: {tcp: 7000}"
    network
    expect_exit 0 on phone "$build/tests/braid_peer" --uplink wlan0 --uplink wwan0 --announce-only 10.0.2.2 --bytes 20000000 \
        --trace trace.json connect 10.0.9.1 7000 closes_first >seen
    [ "$(cat server_status)" = 0 ] || fail "the server is not content: $(cat server_status)"
    [ "$(jq -c 'select(.event == "subflow_opened" and .how == "joined")' trace.json | wc -l)" = 1 ] || fail "it did not join"
    jq -e '.multipath and .fallback == false and .paths >= 2' seen >/dev/null || fail "there was one path: $(cat seen)"
}
promise 60 the_server_joins "the server joins to an address that braid, the client, announces, and both have all"

keep_promises "$@"
