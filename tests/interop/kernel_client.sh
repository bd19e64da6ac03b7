#!/bin/sh
# Whole connections with braid as the server, by its host API, and the Linux kernel as the client.
. "${0%/*}/../lib.sh"
. "${0%/*}/hosts/network.sh"

bytes=100000000

# served_by_braid ADDRESS HOW UPLINKS [--mptcp]: both ends check what they see. What braid saw is left in `seen`.
served_by_braid() {
    "${CC:-cc}" -O1 -o ends "$root/tests/interop/hosts/ends.c"
    services="  braid:
    host: phone
    command: 'cd $PWD; $build/tests/braid_peer $3 --announce --bytes $bytes ${peer_options-} serve 7000 $2 >seen 2>said; echo \$? >peer_status'
    ready: {command: 'grep -q listening $PWD/said'}"
    network
    cat >meet.sh <<EOS
ip mptcp limits set subflow 4 add_addr_accepted 4
ENDS_BYTES=$bytes ENDS_PAUSE_MS=${pause_ms-0} ./ends connect ${4-} $1 7000 $2 || exit
tries=0
until [ -s peer_status ]; do
    sleep 0.05
    tries=\$((tries + 1))
    [ \$tries -lt 100 ] || exit 9
done
exit \$(cat peer_status)
EOS
    expect_exit 0 on server sh meet.sh
    cat seen
}
one='--uplink wlan0'
two='--uplink wlan0 --uplink wwan0'

saw() {
    jq -e "$1" seen >/dev/null || fail "it is not so: $1"
}

transfer() {
    [ "$2" = "$one" ] || pause_ms=500
    served_by_braid "$1" closes_first "$2" --mptcp
    saw '.multipath and .fallback == false'
    [ "$2" = "$one" ] || saw '.paths >= 2'
}
ipv4_one_subflow() { transfer 10.0.1.2 "$one"; }
ipv4_two_subflows() { transfer 10.0.1.2 "$two"; }
ipv6_one_subflow() { transfer fd00:1::2 "$one"; }
ipv6_two_subflows() { transfer fd00:1::2 "$two"; }
promise 60 ipv4_one_subflow "braid serves the kernel over IPv4, one subflow: 100 MB each way, byte-exact"
promise 60 ipv4_two_subflows "braid serves the kernel over IPv4, two subflows: 100 MB each way, byte-exact"
promise 60 ipv6_one_subflow "braid serves the kernel over IPv6, one subflow: 100 MB each way, byte-exact"
promise 60 ipv6_two_subflows "braid serves the kernel over IPv6, two subflows: 100 MB each way, byte-exact"

checksum_wanted_there() {
    server_sysctls='net.mptcp.checksum_enabled: 1'
    transfer 10.0.1.2 "$two"
    saw .checksum
}
checksum_wanted_here() {
    peer_options=--checksum
    transfer fd00:1::2 "$two"
    saw .checksum
}
promise 60 checksum_wanted_there "the kernel, as client, wants the DSS checksum: 100 MB each way, byte-exact"
promise 60 checksum_wanted_here "braid, as server, wants the DSS checksum: 100 MB each way, byte-exact"

cookies() {
    peer_options=--cookies
    transfer "$1" "$2"
    saw '.cookies == 1'
}
cookies_ipv4() { cookies 10.0.1.2 "$two"; }
cookies_ipv6() { cookies fd00:1::2 "$one"; }
cookies_plain() {
    peer_options=--cookies
    plain_tcp
    saw '.cookies == 1'
}
promise 60 cookies_ipv4 "the kernel gets MPTCP by a SYN cookie, and joins: 100 MB each way, byte-exact"
promise 60 cookies_ipv6 "the kernel gets MPTCP by a SYN cookie over IPv6: 100 MB each way, byte-exact"
promise 60 cookies_plain "the kernel gets plain TCP by a SYN cookie: 100 MB each way, byte-exact"

plain_tcp() {
    served_by_braid 10.0.1.2 closes_last "$two"
    saw '.multipath == false'
}
promise 60 plain_tcp "braid serves a client that speaks plain TCP: 100 MB each way, byte-exact"

ends() {
    bytes=1000000
    served_by_braid 10.0.1.2 "$1" "$two" --mptcp
}
both_close() { ends both_close; }
closes_last() { ends closes_last; }
resets() { ends resets; }
is_reset() { ends is_reset; }
small_writes() { ends small_writes; }
promise 30 both_close "as server: both close at once, and both have all"
promise 30 closes_last "as server: the client closes first, and both have all"
promise 30 resets "as server: the client learns of our reset"
promise 30 is_reset "as server: we learn of the client's reset"
promise 60 small_writes "as server: 10,000 small writes each way arrive byte-exact"

keep_promises "$@"
