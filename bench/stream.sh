#!/bin/sh
# Streams over a veth without limits, with the longest time without a byte at the receiver: bench/stream.sh [REPETITIONS].
# `braid run` with a server of MPTCP, beside the kernel's TCP and MPTCP, and the program that only moves packets, by BBR and by
# CUBIC everywhere (braid's own halves too), in writes of 64 KB and of 128 KB as iperf3's. Needs root or user namespaces, jq, and
# in build/release braid, bench_forward and bench_stream. Prints medians, lowest and highest in brackets, and of the longest
# gaps the median and the worst; writes build/bench/stream.json. BENCH_CONGESTION, BENCH_WRITES, BENCH_SECONDS choose.
# BENCH_OFFLOADS=off: neither end of the veth takes super-segments (stream_single.json).
set -eu
cd "$(dirname "$0")/.."
repetitions=${1:-5}
braid=$PWD/build/release/braid forward=$PWD/build/release/bench/bench_forward stream=$PWD/build/release/bench/bench_stream
seconds=${BENCH_SECONDS:-2} congestions=${BENCH_CONGESTION:-bbr cubic} writes=${BENCH_WRITES:-65536 131072}
out=$PWD/build/bench/stream offloads=true
if [ "${BENCH_OFFLOADS-}" = off ]; then
    out=${out}_single offloads='ethtool -K eth0 tso off gso off gro off'
fi
rm -rf "$out"
mkdir -p "$out"

lab() {
    cat <<E2
hosts: {client: {}, server: {}}
links:
  wire:
    from: {host: client, interface: eth0, address: [10.0.9.2/24], gateway: [10.0.9.1]}
    to: {host: server, interface: eth0, address: [10.0.9.1/24]}
    direct: yes
services:
  tcp: {host: server, command: '$offloads; exec $stream serve 5201 tcp $1', ready: {tcp: 5201}}
  mptcp: {host: server, command: '$offloads; exec $stream serve 5202 mptcp $1', ready: {tcp: 5202}}
E2
}
for congestion in $congestions; do lab "$congestion" >"$out/$congestion.yaml"; done

# measure CLIENT PORT PROTOCOL COMMAND...: the client's protocol, and what it is run under
measure() {
    client=$1 port=$2 protocol=$3
    shift 3
    "$braid" lab "$out/$congestion.yaml" --quiet -- client sh -c "$offloads"'; exec "$@"' sh \
        "$@" "$stream" "$way" 10.0.9.1 "$port" "$protocol" "$congestion" "$bytes" "$seconds" >"$out/line"
    jq -c ". + {client: \"$client\", way: \"$way\", congestion: \"$congestion\", write_bytes: $bytes}" "$out/line" >>"$out/lines"
}
for _ in $(seq "$repetitions"); do
    for congestion in $congestions; do
        for bytes in $writes; do
            for way in up down; do
                measure kernel_tcp 5201 tcp env
                measure kernel_mptcp 5202 mptcp env
                measure forward_mptcp 5202 mptcp "$forward" eth0 10.0.9.2
                measure braid 5202 tcp "$braid" run --congestion "$congestion" --uplink eth0 --
            done
        done
    done
done

jq -s 'def spread: sort | {median: .[length / 2 | floor], least: .[0], most: .[-1]};
    group_by([.congestion, .write_bytes, .way, .client]) | map({congestion: .[0].congestion, write_bytes: .[0].write_bytes,
    way: .[0].way, client: .[0].client, gbps: (map(.gbps) | spread), longest_ms: (map(.longest_ms) | spread),
    stalls: (map(.stalls) | add)})' "$out/lines" >"$out.json"
echo "Streams over a veth; stalls: times over 10 ms without a byte, of all runs together"
printf '%-7s %-7s %-5s %-14s %-24s %-26s %s\n' control writes way client 'Gb/s' 'longest gap, ms' stalls
jq -r '.[] | [.congestion, .write_bytes / 1024, .way, .client, .gbps.median, .gbps.least, .gbps.most, .longest_ms.median,
    .longest_ms.most, .stalls] | @tsv' "$out.json" |
    awk '{ printf "%-7s %-7s %-5s %-14s %6.2f [%.2f..%.2f]%6s %6.1f, worst %6.1f %9d\n", $1, $2 " KB", $3, $4, $5, $6, $7, "", $8, $9, $10 }'
