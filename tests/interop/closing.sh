#!/bin/sh
# How connections begin and end under `braid run`: as the far end does it, so does the program see it.
. "${0%/*}/../lib.sh"
. "${0%/*}/hosts/network.sh"

# ends_meet HOW [--mptcp]: a program under braid and a server on the kernel's sockets, each sure of what it saw.
ends_meet() {
    "${CC:-cc}" -O1 -o ends "$root/tests/interop/hosts/ends.c"
    services="  ends:
    host: server
    command: 'cd $PWD; ./ends serve ${2-} 7000 $1; echo \$? >server_status'
    ready: {tcp: 7000}"
    network
    cat >meet.sh <<EOF
"$braid" run --uplink wlan0 --uplink wwan0 -- ./ends connect $address 7000 $1 || exit
tries=0
until [ -s server_status ]; do
    sleep 0.05
    tries=\$((tries + 1))
    [ \$tries -lt 100 ] || exit 9
done
exit \$(cat server_status)
EOF
    expect_exit 0 on phone sh meet.sh
}
address=10.0.9.1

closes_first() { ends_meet closes_first --mptcp; }
closes_last() { ends_meet closes_last --mptcp; }
both_close() { ends_meet both_close --mptcp; }
resets() { ends_meet resets --mptcp; }
is_reset() { ends_meet is_reset --mptcp; }
small_writes() { ends_meet small_writes --mptcp; }
promise 30 closes_first "the server closes first: the client still sends, and both have all"
promise 30 closes_last "the client closes first: the server still sends, and both have all"
promise 30 both_close "both close at once, and both have all"
promise 30 resets "the server resets: the client learns of it as a reset"
promise 30 is_reset "the client resets: the server learns of it as a reset"
promise 60 small_writes "10,000 small writes each way arrive byte-exact"

tcp_closes_first() { ends_meet closes_first; }
tcp_closes_last() { ends_meet closes_last; }
tcp_both_close() { ends_meet both_close; }
tcp_resets() { ends_meet resets; }
tcp_is_reset() { ends_meet is_reset; }
tcp_small_writes() { ends_meet small_writes; }
promise 30 tcp_closes_first "plain TCP: the server closes first, and both have all"
promise 30 tcp_closes_last "plain TCP: the client closes first, and both have all"
promise 30 tcp_both_close "plain TCP: both close at once, and both have all"
promise 30 tcp_resets "plain TCP: the server resets, the client learns of it as a reset"
promise 30 tcp_is_reset "plain TCP: the client resets, the server learns of it as a reset"
promise 60 tcp_small_writes "plain TCP: 10,000 small writes each way arrive byte-exact"

refused() {
    ends_meet_nobody refuses 10.0.9.1
    ends_meet_nobody refuses fd00:9::1
}
# The router has no way to there, and says so.
unreachable() {
    ends_meet_nobody is_unreachable 203.0.113.1
    ends_meet_nobody is_unreachable 2001:db8::1
}
ends_meet_nobody() {
    "${CC:-cc}" -O1 -o ends "$root/tests/interop/hosts/ends.c"
    services='  {}'
    network
    expect_exit 0 on_braid ./ends connect "$2" 7000 "$1"
}
promise 30 refused "a port that is closed is refused, by IPv4 and by IPv6"
promise 30 unreachable "a destination that the router cannot reach is unreachable, by IPv4 and by IPv6"

keep_promises "$@"
