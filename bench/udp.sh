#!/bin/sh
# TCP in UDP between two braids over a veth, beside the kernel and bare UDP sockets: bench/udp.sh [REPETITIONS]. Needs root, or
# `unshare -rn`, jq, and bench_udp in build/release. A table on the screen, JSON in build/bench/udp.json.
set -eu
cd "$(dirname "$0")/.."
. bench/undisturbed.sh
repetitions=${1:-5}
out=$PWD/build/bench
mkdir -p "$out"
: >"$out/udp.lines"
for i in $(seq "$repetitions"); do
    for way in bare tcp mptcp braid; do
        build/release/bench/bench_udp $way "${BENCH_SECONDS:-2}" >>"$out/udp.lines"
    done
    for hosts in 1 2; do build/release/bench/bench_udp team "${BENCH_SECONDS:-2}" $hosts >>"$out/udp.lines"; done
done
jq -s 'def spread: sort | {median: .[length / 2 | floor], least: .[0], most: .[-1]};
    group_by(.way) | map({way: .[0].way, gbps: (map(.gbps) | spread), cpu_s_per_gb: (map(.cpu_s_per_gb) | spread)})' \
    "$out/udp.lines" >"$out/udp.json"
echo "Two namespaces over a veth, 64 KB writes: braid by TCP in UDP, the kernel's TCP and MPTCP, bare UDP sockets; team1, team2:"
echo "two connections at once, of two processes, to a server of one host and of two in a thread each"
printf '%-8s %-26s %s\n' way 'Gb/s' 'CPU seconds a gigabyte, both ends'
jq -r '.[] | [.way, .gbps.median, .gbps.least, .gbps.most, .cpu_s_per_gb.median, .cpu_s_per_gb.least, .cpu_s_per_gb.most] | @tsv' \
    "$out/udp.json" | awk '{ printf "%-8s %6.2f [%.2f..%.2f]%8s %.2f [%.2f..%.2f]\n", $1, $2, $3, $4, "", $5, $6, $7 }'
