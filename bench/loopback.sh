#!/bin/sh
# The kernel's own TCP and MPTCP over loopback, by 1, 2 and 4 subflows, in a namespace of the lab: what bench_pipe's ratios stand
# beside. bench/loopback.sh [REPETITIONS]. Needs root or user namespaces, jq, and braid and bench_stream in build/release. A table
# on the screen, JSON in build/bench/loopback.json. BENCH_SECONDS, BENCH_CONGESTION (cubic).
set -eu
cd "$(dirname "$0")/.."
. bench/undisturbed.sh
repetitions=${1:-5} congestion=${BENCH_CONGESTION:-cubic}
braid=$PWD/build/release/braid stream=$PWD/build/release/bench/bench_stream out=$PWD/build/bench
mkdir -p "$out"
cat >"$out/loopback.yaml" <<E2
hosts: {client: {}, other: {}}
links:
  unused:
    from: {host: client, interface: eth0, address: [10.0.9.2/24]}
    to: {host: other, interface: eth0, address: [10.0.9.1/24]}
    direct: yes
services:
  tcp: {host: client, command: '$stream serve 5401 tcp $congestion', ready: {tcp: 5401}}
  mptcp: {host: client, command: '$stream serve 5402 mptcp $congestion', ready: {tcp: 5402}}
E2

# A further subflow comes from each further address of lo that is an endpoint.
subflows='ip mptcp limits set subflow 7; for i in $(seq 2 "$1"); do ip address add 127.0.1.$i/32 dev lo; ip mptcp endpoint add 127.0.1.$i dev lo subflow; done; shift; exec "$@"'
: >"$out/loopback.lines"
for _ in $(seq "$repetitions"); do
    for paths in 0 1 2 4; do
        port=5402 protocol=mptcp
        [ $paths != 0 ] || port=5401 protocol=tcp
        "$braid" lab "$out/loopback.yaml" --quiet -- client sh -c "$subflows" sh $paths \
            "$stream" up 127.0.0.1 $port $protocol "$congestion" 65536 "${BENCH_SECONDS:-2}" |
            jq -c ". + {paths: $paths}" >>"$out/loopback.lines"
    done
done
jq -s 'def spread: sort | {median: .[length / 2 | floor], least: .[0], most: .[-1]};
    group_by(.paths) | map({paths: .[0].paths, gbps: (map(.gbps) | spread), longest_ms: (map(.longest_ms) | spread)}) |
    (.[0].gbps.median) as $plain | map(. + {of_plain: (.gbps.median / $plain)})' "$out/loopback.lines" >"$out/loopback.json"
echo "The kernel over loopback, 64 KB writes, $congestion (paths 0: plain TCP)"
printf '%-8s %-26s %-14s %s\n' paths 'Gb/s' 'of plain TCP' 'longest gap, ms'
jq -r '.[] | [.paths, .gbps.median, .gbps.least, .gbps.most, .of_plain, .longest_ms.median, .longest_ms.most] | @tsv' "$out/loopback.json" |
    awk '{ printf "%-8s %-26s %-14.2f %.1f, worst %.1f\n", $1, sprintf("%.1f [%.1f..%.1f]", $2, $3, $4), $5, $6, $7 }'
