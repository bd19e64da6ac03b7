#!/bin/sh
# What `braid run` writes with --trace, events as JSON lines, and with --pcap, packets; judged by jq and tshark.
. "${0%/*}/../lib.sh"
. "${0%/*}/hosts/network.sh"

# A download that loses WiFi and gets it back, traced; made once, for all tests here.
traced=$root/build/check/trace/traced
make_trace() {
    rm -rf "$traced"
    mkdir -p "$traced"
    cd "$traced"
    wifi=$home_wifi cellular=$home_cellular
    server_sysctls=${1-}
    events='{at: 1s, down: wifi}, {at: 2s, up: wifi}'
    network
    pattern served/www/file 20000000
    on phone "$braid" run --policy aggregate --uplink wlan0 --uplink wwan0 --trace trace.json --pcap trace.pcapng -- \
        curl -sf --max-time 50 -H 'Connection: close' -o got http://10.0.9.1/file
    expect_same_bytes got served/www/file
    ls
}

# packets FILTER FIELD...: the fields of the packets that match, one packet a line.
packets() {
    filter=$1
    shift
    fields=
    for field in "$@"; do fields="$fields -e $field"; done
    # shellcheck disable=SC2086
    dissect "$traced/trace.pcapng" -Y "$filter" -T fields $fields
}
mptcp=tcp.options.mptcp

traces() {
    make_trace
    jq -e . "$traced/trace.json" >/dev/null || fail "a line is no JSON"
    [ "$(wc -l <"$traced/trace.json")" = "$(jq -c . "$traced/trace.json" | wc -l)" ] || fail "not one object a line"
    jq -es 'all(.[]; (.time | type) == "number" and (.event | type) == "string") and .[0].event == "trace_start"
        and ([.[].time] | . == sort)' "$traced/trace.json" || fail "events lack time or name, or are out of order"
    for event in connection_state subflow_opened subflow_state subflow_closed; do
        jq -es "any(.[]; .event == \"$event\")" "$traced/trace.json" >/dev/null || fail "there is no $event"
    done
}
promise 60 traces "each line of a trace is one event, in order of time"

well_formed() {
    [ "$(packets frame frame.number | wc -l)" -gt 1000 ] || fail "there are hardly any packets"
    packets _ws.malformed frame.number >bad
    [ ! -s bad ] || fail "malformed packets, by number: $(head -n 5 bad)"
    dissect "$traced/trace.pcapng" -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -Y \
        'tcp.checksum.status == "Bad" || ip.checksum.status == "Bad"' >bad
    [ ! -s bad ] || fail "bad checksums: $(head -n 5 bad)"
}
promise 60 well_formed "tshark finds no malformed packet and no bad checksum"

capable() {
    packets "$mptcp.subtype == 0 && tcp.flags.syn == 1 && tcp.flags.ack == 0" $mptcp.version $mptcp.sha256.flag >syn
    sort -u syn | grep -qx '1.1' || fail "MP_CAPABLE of the SYN: $(cat syn)"
    packets "$mptcp.subtype == 0 && tcp.flags.syn == 1 && tcp.flags.ack == 1" $mptcp.sendkey >theirs
    packets "$mptcp.subtype == 0 && tcp.flags.syn == 0" $mptcp.recvkey | sort -u >echoed
    [ -s theirs ] || fail "there is no MP_CAPABLE in a SYN/ACK"
    sort -u theirs | cmp - echoed || fail "the key is not echoed as the server sent it"
}
promise 60 capable "MP_CAPABLE is version 1, SHA-256, and echoes the server's key"

joins() {
    packets "$mptcp.subtype == 1 && tcp.flags.syn == 1 && tcp.flags.ack == 0" $mptcp.recvtok | sort -u >asked
    packets "$mptcp.subtype == 0 && tcp.flags.syn == 1 && tcp.flags.ack == 1" mptcp.expected_token | sort -u >token
    [ -s asked ] || fail "there is no MP_JOIN"
    cmp asked token || fail "the token is not that of the server's key"
    packets "$mptcp.subtype == 1 && tcp.flags.syn == 0" $mptcp.sendhmac >third
    [ "$(wc -c <third)" -ge 40 ] || fail "there is no HMAC in a third ACK"
}
promise 60 joins "MP_JOIN bears the token of the server's key, and its third ACK the HMAC"

mappings() {
    packets 'mptcp.dss.missing_mapping || mptcp.dss.infinite_mapping || mptcp.connection.echoed_key_mismatch' \
        frame.number >bad
    [ ! -s bad ] || fail "packets without a mapping: $(head -n 5 bad)"
    packets "$mptcp.subtype == 2 && $mptcp.dataackpresent.flag == 1 && $mptcp.dseqnpresent.flag == 0" frame.number >acks
    [ "$(wc -l <acks)" -gt 100 ] || fail "hardly any DATA_ACK"
    packets "$mptcp.datafin.flag == 1" frame.number >fins
    [ "$(wc -l <fins)" -ge 2 ] || fail "not both sides sent a DATA_FIN"
}
promise 60 mappings "all data is mapped, acknowledged at the data level, and ended by a DATA_FIN each way"

# WiFi was the first subflow's, whose address ID is 0 (RFC 8684 §3.2).
removes() {
    packets "$mptcp.subtype == 4" $mptcp.addrid >removed
    [ -s removed ] || fail "there is no REMOVE_ADDR"
    sort -u removed | grep -qx 0 || fail "REMOVE_ADDR of: $(cat removed)"
}
promise 60 removes "REMOVE_ADDR names the address that WiFi took with it"

checksums() {
    make_trace 'net.mptcp.checksum_enabled: 1'
    # The length of a DSS with a mapping is a multiple of four only if the two bytes of a checksum are in it.
    packets "$mptcp.subtype == 2 && $mptcp.dseqnpresent.flag == 1" tcp.option_len | sed 's/.*,//' |
        awk '$1 % 4 == 0 { with++ } $1 % 4 != 0 { bare++ } END { print with + 0, bare + 0 }' >mapped
    read -r with bare <mapped
    [ "$bare" = 0 ] && [ "$with" -gt 100 ] || fail "$with mappings with a checksum, $bare without"
}
promise 60 checksums "with a server that wants it, every mapping bears the DSS checksum"

path_status_tells_tcp() {
    make_trace
    jq -es '[.[] | select(.event == "path_status")] | length > 5 and
        all(.[]; has("rto_us") and has("cwnd_bytes") and has("bytes_retransmitted") and has("marks_answered")) and
        any(.[]; .cwnd_bytes > 10000 and .rto_us > .rtt_us and .rttvar_us > 0)' "$traced/trace.json" >/dev/null ||
        fail "path_status does not tell what TCP measures"
}
promise 60 path_status_tells_tcp "the path_status of a trace has what TCP measures"

# A lossy WiFi: what was sent again is in the statistics of that uplink; every counter is there, with its meaning.
statistics() {
    wifi='rate: 50Mbit, delay: 15ms, queue: 100ms, loss: 1%'
    cellular=$home_cellular
    network
    pattern file 3000000
    on phone "$braid" run --policy aggregate --uplink wlan0 --uplink wwan0 --statistics s.json -- \
        curl -sf --max-time 50 -T file http://10.0.9.1/up
    expect_same_bytes file served/www/up
    jq -e '.seconds > 0 and ([.uplinks[].interface] == ["wlan0", "wwan0"]) and
        all(.uplinks[]; .subflows > 0 and .segments_sent > 0 and .packet_bytes_out > .bytes_sent) and
        ([.uplinks[].bytes_sent] | add) >= 3000000 and .uplinks[0].segments_retransmitted > 0' s.json >/dev/null ||
        fail "the uplinks' totals are not as they should be"
    jq -e '(.counters | length) > 100 and all(.counters[]; (.name | length) > 0 and (.meaning | length) > 8 and .value >= 0)
        and any(.counters[]; .name == "mptcp_join_established" and .value == 1)
        and any(.counters[]; .name == "packets_in" and .value > 500)' s.json >/dev/null || fail "the counters are not as they should be"
}
promise 60 statistics "--statistics tells totals of each uplink, and every counter with its meaning"

# What was asked not to be asked is not.
plain() {
    network
    pattern served/www/file 1000000
    on phone "$braid" run --mptcp none --ecn --uplink wlan0 --uplink wwan0 --pcap plain.pcapng --statistics s.json -- \
        curl -sf --max-time 20 -o got http://10.0.9.1/file
    expect_same_bytes got served/www/file
    tshark -r plain.pcapng -Y "$mptcp.subtype" 2>/dev/null >mptcp
    [ ! -s mptcp ] || fail "it spoke Multipath TCP"
    [ "$(tshark -r plain.pcapng -Y 'tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.flags.ece == 1 && ip.src == 10.0.1.2' 2>/dev/null | wc -l)" = 1 ] ||
        fail "ECN was not asked for"
    jq -e 'any(.counters[]; .name == "mptcp_capable_syn_sent" and .value == 0)' s.json >/dev/null || fail "MP_CAPABLE was counted"
}
promise 30 plain "--mptcp none asks for no Multipath TCP; --ecn asks for ECN"

keep_promises "$@"
