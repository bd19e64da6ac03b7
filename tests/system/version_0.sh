#!/bin/sh
# Version 0 of MPTCP (RFC 6824), in virtual time, judged by tshark: its dissector knows both versions, and computes tokens
# and initial data sequence numbers by itself.
. "${0%/*}/../lib.sh"

scene() {
    command -v tshark >/dev/null || skip "there is no tshark"
    cat >scene.yaml <<E2
hosts: {here: {}, there: {}, router: {forwarding: true}}
links:
  one:
    from: {host: here, interface: eth0, address: [10.0.1.2/24], gateway: [10.0.1.1]}
    to: {host: router, interface: r0, address: [10.0.1.1/24]}
    rate: 10Mbit
    delay: 10ms
    queue: 50ms
  two:
    from: {host: here, interface: eth1, address: [10.0.2.2/24], gateway: [10.0.2.1]}
    to: {host: router, interface: r1, address: [10.0.2.1/24]}
    rate: 10Mbit
    delay: 20ms
    queue: 50ms
  wire:
    from: {host: there, interface: eth0, address: [10.0.9.1/24], gateway: [10.0.9.254]}
    to: {host: router, interface: r2, address: [10.0.9.254/24]}
    direct: true
runs:
  run:
    host: here
    command: \${BRAID} run $1 --policy aggregate --uplink eth0 --uplink eth1 -- true
    transfer: {server: there, download: 1MB, upload: 1MB}
    expect: {exit: 0}
E2
    "$braid" sim scene.yaml --pcap packets.pcapng --json --quiet >result.json
    [ "$(jq -r .run.completed result.json)" = true ] || fail "the transfer is not complete"
}

# seen FILTER FIELD: its values, each once
seen() {
    dissect packets.pcapng -Y "$1" -T fields -e "$2" | sort -u | tr '\n' ' '
}

# The subflows' packets carry one connection's number only where tshark found the token of the join to be the one that it
# computed from the key.
judged() {
    scene "--mptcp $1 $2"
    [ "$(seen 'tcp.options.mptcp.subtype == 0' tcp.options.mptcp.version)" = "$1 " ] || fail "not version $1"
    [ "$(seen 'tcp.options.mptcp.subtype == 1 && tcp.flags.syn == 1' tcp.stream)" = "1 " ] || fail "no join, or more"
    [ "$(seen tcp mptcp.stream)" = "0 " ] || fail "tshark does not take the subflows for one connection"
    token=$(seen 'tcp.flags.syn == 1 && tcp.flags.ack == 0' tcp.options.mptcp.recvtok)
    case " $(seen mptcp mptcp.expected_token | tr ',' ' ')" in
    *" ${token# }"*) ;;
    *) fail "the join's token, $token, is none that tshark computed" ;;
    esac
    first=$(dissect packets.pcapng -Y 'tcp.len > 0 && ip.src == 10.0.1.2' -T fields -e mptcp.dss.dsn | head -1)
    [ "$first" = 1 ] || fail "the first data has number $first, counted from the IDSN that tshark computed"
    [ "$(seen _ws.malformed frame.number)" = "" ] || fail "malformed packets"
    [ "$(seen 'tcp.options.mptcp.subtype == 8' frame.number)" = "" ] || fail "MP_TCPRST"
}

plain() {
    judged 0 ""
    # SYN, SYN/ACK, third packet: nobody else has MP_CAPABLE, and no data goes with it
    dissect packets.pcapng -Y 'tcp.options.mptcp.subtype == 0' -T fields -e tcp.flags.str -e tcp.len >capable
    [ "$(wc -l <capable)" = 3 ] || fail "MP_CAPABLE is in other packets than three"
    ! grep -qv '0$' capable || fail "MP_CAPABLE has data beside it"
}
promise 30 plain "tshark finds version 0's tokens and sequence numbers right"

checksums() {
    judged 0 --checksum
    [ "$(seen 'tcp.options.mptcp.subtype == 0' tcp.options.mptcp.checksumreq.flags)" = "1 " ] || fail "no checksums asked for"
}
promise 30 checksums "and so with checksums"

as_in_1() {
    scene "--mptcp 1"
    [ "$(seen 'tcp.options.mptcp.subtype == 0' tcp.options.mptcp.version)" = "1 " ] || fail "not version 1"
    [ "$(seen 'tcp.stream == 1' mptcp.stream)" = "0 " ] || fail "tshark does not take the subflows for one connection"
}
promise 30 as_in_1 "the same of version 1, so that tshark is seen to know the difference"

keep_promises "$@"
