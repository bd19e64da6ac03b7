#!/bin/sh
# What the benchmarks are to reach, what was found, and whether that is kept: bench/targets.sh FOLDER, from the JSON that is there;
# of what was not measured it says so, and of what the forwarder, too, does not reach that it does not apply. JSON in
# FOLDER/targets.json. Needs jq.
set -eu
folder=$1
have() { if [ -e "$folder/$1.json" ]; then cat "$folder/$1.json"; else echo null; fi; }

# target PART TEXT SIGN BOUND FILE EXPRESSION: a line of JSON. EXPRESSION finds a number in FILE's JSON, null if it is not there.
target() {
    found=$(have "$5" | jq -c "if . == null then null else ($6) end")
    jq -n -c --arg part "$1" --arg target "$2" --arg sign "$3" --argjson bound "$4" --argjson found "$found" \
        --argjson there "$([ -e "$folder/$5.json" ] && echo true || echo false)" \
        '{$part, $target, $sign, $bound, $found, verdict: (if $there | not then "not measured" elif $found == null then "does not apply"
          elif (if $sign == "at least" then $found >= $bound else $found <= $bound end) then "kept" else "missed" end)}'
}

# Of a table whose rows have .client and .gbps: the least ratio of two of them among what GROUP tells apart.
least_ratio='def ratios(group; a; b; allowed): group_by(group) | map((map({(.client): .}) | add) | select(allowed) |
    if .[a] != null and .[b] != null then .[a].gbps.median / .[b].gbps.median else empty end) | min;'
of_limit="$least_ratio ratios([.congestion, .write_bytes, .way]; \"braid\"; \"forward_mptcp\"; true)"
of_limit_tcp="$least_ratio ratios([.congestion, .write_bytes, .way]; \"braid_tcp\"; \"forward_tcp\"; true)"
allowed='.forward_mptcp.gbps.median >= .kernel_mptcp.gbps.median'
of_kernel="$least_ratio ratios([.congestion, .write_bytes, .way]; \"braid\"; \"kernel_mptcp\"; $allowed)"
iperf() { echo "$1" | sed 's/\[.congestion, .write_bytes, .way\]/.way/'; }
pipe() { echo "map(select(.super == 1 and .checksum == 0 and .paths == $1))[0].of_plain"; }

{
    target 1 'memory: MPTCP with 1 subflow, of TCP' 'at least' 0.95 pipe "$(pipe 1)"
    target 1 'memory: MPTCP with 4 subflows, of TCP' 'at least' 0.85 pipe "$(pipe 4)"
    for run in fast_link fast_link_single; do
        what=
        [ $run = fast_link ] || what=', offloads off'
        target 2 "TUN, iperf3$what: of the forwarder, MPTCP" 'at least' 0.8 $run "$(iperf "$of_limit")"
        target 2 "TUN, iperf3$what: of the forwarder, TCP" 'at least' 0.8 $run "$(iperf "$of_limit_tcp")"
        target 2 "TUN, iperf3$what: of kernel MPTCP where the limit allows" 'at least' 1 $run "$(iperf "$of_kernel")"
    done
    for run in stream stream_single stream_tun; do
        case $run in stream) what= ;; stream_single) what=', offloads off' ;; *) what=', TUN single' ;; esac
        target 2 "TUN, writes$what: of the forwarder, MPTCP" 'at least' 0.8 $run "$of_limit"
        target 2 "TUN, writes$what: of the forwarder, TCP" 'at least' 0.8 $run "$of_limit_tcp"
        [ $run = stream_tun ] || target 2 "TUN, writes$what: of kernel MPTCP where the limit allows" 'at least' 1 $run "$of_kernel"
    done
    target 2 'TUN, writes: the longest gap of any run, ms' 'at most' 10 stream \
        'map(select(.client == "braid").longest_ms.most) | max'
    target 3 'AF_PACKET, MPTCP: of bare AF_PACKET' 'at least' 0.8 packet 'map(select(.way == "packet"))[0].of_bare'
    target 3 'AF_PACKET, TCP: of bare AF_PACKET' 'at least' 0.8 packet 'map(select(.way == "packet_tcp"))[0].of_bare'
    target 3 'AF_PACKET, offloads off: of kernel MPTCP' 'at least' 1 packet_single \
        'map({(.way): .gbps.median}) | add | .packet / .mptcp'
    target 3 'UDP, Gb/s' 'at least' 25 udp 'map(select(.way == "braid"))[0].gbps.median'
    target 7 "lossy paths: the kernel's time to braid's, the worst" 'at least' 0.95 lossy \
        'def median: sort | .[(length - 1) / 2 | floor]; group_by([.congestion, .rtt_ms, .loss, .queue_bdp, .reorder, .bytes]) |
        map((map(select(.client == "kernel").seconds) | median) as $kernel | (map(select(.client == "braid").seconds) | median) as $braid |
        if $kernel != null and $braid != null then $kernel / $braid else empty end) | min'
} >"$folder/targets.lines"
if [ -e "$folder/goodput.faults" ]; then
    faults=$(tail -n 1 "$folder/goodput.faults" | awk '/faults/ { print $1 }')
    target 6 'virtual time: figures worse than the pinned ones' 'at most' 0 goodput "${faults:-null}" >>"$folder/targets.lines"
fi
jq -s 'sort_by(.part)' "$folder/targets.lines" >"$folder/targets.json"
printf '%-4s %-66s %-14s %-8s %s\n' '' target '' found ''
jq -r '.[] | [.part, .target, "\(.sign) \(.bound)", (if .found == null then "-" else (.found * 100 | round / 100) end), .verdict] | @tsv' \
    "$folder/targets.json" | awk -F '\t' '{ printf "%-4s %-66s %-14s %-8s %s\n", $1, $2, $3, $4, $5 }'
