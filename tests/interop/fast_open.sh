#!/bin/sh
# Fast Open (RFC 7413) with the Linux kernel at the other end: a cookie with the first connection, and from then on requests in
# the SYN.
. "${0%/*}/../lib.sh"
. "${0%/*}/hosts/network.sh"

server_sysctls='net.ipv4.tcp_fastopen: 3'
count=4

build_ends() { "${CC:-cc}" -O1 -o early "$root/tests/interop/hosts/early.c"; }

saw() { jq -e "$2" "$1" >/dev/null || fail "it is not so of what $1 says: $2; $(cat "$1")"; }

# of_the_kernel ADDRESS [--mptcp]: braid connects to the kernel.
of_the_kernel() {
    build_ends
    # Not by connecting to it: that is a connection without a request.
    services="  early:
    host: server
    command: 'cd $PWD; ./early serve ${2-} 7000 $count >there 2>said'
    ready: {command: 'ss -Hltn sport = 7000 | grep -q LISTEN'}"
    network
    on phone sh -c "'$build/tests/braid_early' wlan0 connect $1 7000 $count >here && sleep 0.5" || fail "$(cat said)"
}
to_tcp() {
    of_the_kernel "$1"
    saw here ".early == $count - 1"
    saw there ".early == $count - 1"
}
to_tcp_ipv4() { to_tcp 10.0.9.1; }
to_tcp_ipv6() { to_tcp fd00:9::1; }
# With a round trip for which the answer lies ready before the keys are there: the kernel's own client waits for ever then.
to_mptcp() {
    wifi='rate: 50Mbit, delay: 5ms'
    of_the_kernel 10.0.9.1 --mptcp
    saw here ".early == $count - 1 and .multipath == $count"
    saw there ".early == $count - 1"
}
promise 30 to_tcp_ipv4 "the kernel's TCP takes our requests in the SYN"
promise 30 to_tcp_ipv6 "the same over IPv6"
promise 30 to_mptcp "the kernel's MPTCP does, too, and answers"

# of_ours ADDRESS [--mptcp]: the kernel connects to braid.
of_ours() {
    build_ends
    services="  braid:
    host: phone
    command: 'cd $PWD; $build/tests/braid_early wlan0 serve 7000 $count >here 2>said'
    ready: {command: 'grep -q listening $PWD/said'}"
    network
    on server sh -c "./early connect ${2-} $1 7000 $count >there && sleep 0.5" || fail "$(cat said)"
}
from_tcp() {
    of_ours "$1"
    saw here ".early == $count - 1"
    saw there ".early == $count - 1"
}
from_tcp_ipv4() { from_tcp 10.0.1.2; }
from_tcp_ipv6() { from_tcp fd00:1::2; }
from_mptcp() {
    wifi='rate: 50Mbit, delay: 5ms'
    of_ours 10.0.1.2 --mptcp
    saw here ".early == $count - 1 and .multipath == $count"
    saw there ".early == $count - 1"
}
promise 30 from_tcp_ipv4 "we take the kernel's requests in the SYN"
promise 30 from_tcp_ipv6 "the same over IPv6"
promise 30 from_mptcp "those of the kernel's MPTCP, too"

keep_promises "$@"
