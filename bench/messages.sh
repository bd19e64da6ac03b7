#!/bin/sh
# Messages over two idle paths in the lab, 200 bytes, 50 a second, each echoed by the server's kernel: 50 Mb/s of 30 ms and 20 Mb/s
# of 70 ms, both in use; braid by some schedulers, and kernel MPTCP: bench/messages.sh [REPETITIONS [SECONDS]]. Needs build/release
# (scripts/build.sh release). Prints latencies there and back, and how much of what the phone sent went by the slow path: medians,
# lowest and highest. The same in virtual time, one way and all schedulers: docs/bonding.md.
set -eu
cd "$(dirname "$0")/.."
. bench/undisturbed.sh
repetitions=${1:-3} seconds=${2:-15}
. bench/two_paths.sh
out=$PWD/build/bench/messages
rm -rf "$out"
mkdir -p "$out"
talk="$braid probe messages 10.0.9.1:7000 --rate 50 --size 200 --seconds $seconds"
run() { printf '  %s:\n    host: phone\n    command: "%s"\n    output: json\n    limit: 60s\n' "$1" "$2"; }
{
    two_paths '50 30 100' '20 70 100'
    echo 'runs:'
    for scheduler in lowest-rtt round-robin redundant-small blest; do run "$scheduler" "$of_braid --scheduler $scheduler -- $talk"; done
    run kernel_mptcp "$kernel_paths; exec $talk --mptcp"
} >"$out/paths.yaml"
for i in $(seq "$repetitions"); do
    "$braid" lab "$out/paths.yaml" --quiet --out "$out/$i" >"$out/$i.table" 2>&1 || true
    jq -c 'del(.lab) | to_entries[] | select(.value.output.latency_ms? != null) | {run: .key, latency: .value.output.latency_ms,
        slow: ((.value.paths | map(select(.name == "cell0").up_total_bytes) | add) / (.value.paths | map(.up_total_bytes) | add) * 100)}' \
        "$out/$i/result.json"
done >"$out/lines"
jq -rs "$jq_spread"' group_by(.run)[] | [.[0].run, (map(.latency.p50) | spread), (map(.latency.p90) | spread), (map(.latency.p99) | spread),
    (map(.latency.max) | spread), (map(.slow) | spread)] | @tsv' "$out/lines" |
    awk -F '\t' 'BEGIN { printf "%-16s %24s %24s %24s %28s %22s\n", "", "median, ms", "90th", "99th", "worst", "by the slow path, %" }
        { printf "%-16s %24s %24s %24s %28s %22s\n", $1, $2, $3, $4, $5, $6 }'
jq -s . "$out/lines" >build/bench/messages.json
