#!/bin/sh
# Streams over a veth without limits, with the longest time without a byte at the receiver: bench/stream.sh [REPETITIONS].
# `braid run` with a server of MPTCP and one of TCP, beside the kernel's TCP and MPTCP, and the program that only moves packets, by
# BBR and by CUBIC everywhere (braid's own halves too), in writes of 64 KB and of 128 KB as iperf3's. Needs root or user
# namespaces, jq, and in build/release braid, bench_forward and bench_stream. Prints medians, lowest and highest in brackets, of the
# longest gaps the median and the worst, and the processor time of the client and of what is between it and the link for a
# gigabyte; writes build/bench/stream.json. BENCH_CONGESTION, BENCH_WRITES, BENCH_SECONDS choose.
# BENCH_OFFLOADS=off: neither end of the veth takes super-segments (stream_single.json). BENCH_OFFLOADS=tun: the veth does, but the
# program behind braid or the forwarder sends single segments to its TUN (stream_tun.json; these ways, and
# uploads, only).
set -eu
cd "$(dirname "$0")/.."
. bench/undisturbed.sh
repetitions=${1:-5}
braid=$PWD/build/release/braid forward=$PWD/build/release/bench/bench_forward stream=$PWD/build/release/bench/bench_stream
seconds=${BENCH_SECONDS:-2} congestions=${BENCH_CONGESTION:-bbr cubic} writes=${BENCH_WRITES:-65536 131072}
out=$PWD/build/bench/stream offloads=true inside=true
clients='kernel_tcp kernel_mptcp forward_tcp forward_mptcp braid braid_tcp' ways='up down'
if [ "${BENCH_OFFLOADS-}" = tun ]; then
    # In the program's own namespace, the device its packets leave by.
    out=${out}_tun inside='device=$(ip -o route show default | sed "s/.* dev \([^ ]*\).*/\1/;q"); ethtool -K "$device" tso off gso off gro off || exit 1'
    clients='forward_tcp forward_mptcp braid braid_tcp' ways=up
fi
if [ "${BENCH_OFFLOADS-}" = off ]; then
    out=${out}_single offloads='ethtool -K eth0 tso off gso off gro off'
fi
rm -rf "$out"
mkdir -p "$out"

. bench/one_wire.sh
lab() {
    one_wire "tcp: {host: server, command: '$offloads; exec $stream serve 5201 tcp $1', ready: {tcp: 5201}}" \
        "mptcp: {host: server, command: '$offloads; exec $stream serve 5202 mptcp $1', ready: {tcp: 5202}}"
}
for congestion in $congestions; do lab "$congestion" >"$out/$congestion.yaml"; done

# measure PORT PROTOCOL [COMMAND...]: the client's protocol, and what it is run under. The last line of the client's shell is the
# processor time of its children.
measure() {
    port=$1 protocol=$2
    shift 2
    "$braid" lab "$out/$congestion.yaml" --quiet -- client sh -c "$offloads"'; "$@"; times' sh "$@" \
        sh -c "$inside"'; exec "$@"' sh "$stream" "$way" 10.0.9.1 "$port" "$protocol" "$congestion" "$bytes" "$seconds" >"$out/line"
    cpu=$(tail -n 1 "$out/line" | tr 'ms' '  ' | awk '{ print $1 * 60 + $2 + $3 * 60 + $4 }')
    grep '^{' "$out/line" | jq -c ". + {client: \"$client\", way: \"$way\", congestion: \"$congestion\", write_bytes: $bytes,
        cpu_s_per_gb: ($cpu * 1e9 / .all_bytes)}" >>"$out/lines"
}
for _ in $(seq "$repetitions"); do
    for congestion in $congestions; do
        for bytes in $writes; do
            for way in $ways; do
                for client in $clients; do
                    case $client in
                    kernel_tcp) measure 5201 tcp env ;;
                    kernel_mptcp) measure 5202 mptcp env ;;
                    forward_tcp) measure 5201 tcp "$forward" eth0 10.0.9.2 ;;
                    forward_mptcp) measure 5202 mptcp "$forward" eth0 10.0.9.2 ;;
                    braid) measure 5202 tcp "$braid" run --congestion "$congestion" --uplink eth0 -- ;;
                    braid_tcp) measure 5201 tcp "$braid" run --congestion "$congestion" --uplink eth0 -- ;;
                    esac
                done
            done
        done
    done
done

jq -s 'def spread: sort | {median: .[length / 2 | floor], least: .[0], most: .[-1]};
    group_by([.congestion, .write_bytes, .way, .client]) | map({congestion: .[0].congestion, write_bytes: .[0].write_bytes,
    way: .[0].way, client: .[0].client, gbps: (map(.gbps) | spread), longest_ms: (map(.longest_ms) | spread),
    cpu_s_per_gb: (map(.cpu_s_per_gb) | spread),
    stalls: (map(.stalls) | add)})' "$out/lines" >"$out.json"
echo "Streams over a veth; stalls: times over 10 ms without a byte, of all runs together"
printf '%-7s %-7s %-5s %-14s %-24s %-26s %6s   %s\n' control writes way client 'Gb/s' 'longest gap, ms' stalls \
    'CPU seconds a gigabyte (the client, and what is between)'
jq -r '.[] | [.congestion, .write_bytes / 1024, .way, .client, .gbps.median, .gbps.least, .gbps.most, .longest_ms.median,
    .longest_ms.most, .stalls, .cpu_s_per_gb.median, .cpu_s_per_gb.least, .cpu_s_per_gb.most] | @tsv' "$out.json" |
    awk '{ printf "%-7s %-7s %-5s %-14s %-24s %6.1f, worst %6.1f %6s %6d   %.2f [%.2f..%.2f]\n", $1, $2 " KB", $3, $4,
        sprintf("%6.2f [%.2f..%.2f]", $5, $6, $7), $8, $9, "", $10, $11, $12, $13 }'
