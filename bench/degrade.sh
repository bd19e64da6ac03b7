#!/bin/sh
# Drawn pairs of paths, one of which gets worse after 6 of 25 s, in the lab: braid, kernel MPTCP, and kernel TCP on each path alone,
# CUBIC at both ends: bench/degrade.sh [COUNT [FROM [download|upload]]]. The pairs are those of docs/bonding.md. Needs build/release
# (scripts/build.sh release). Prints Mb/s, and the share of what the better path carries alone; takes 100 s a pair.
set -eu
cd "$(dirname "$0")/.."
. bench/undisturbed.sh
count=${1:-12} from=${2:-1} way=${3:-download}
. bench/two_paths.sh
[ -x build/release/bench/bench_schedulers ] || ninja -C build/release bench_schedulers >/dev/null
out=$PWD/build/bench/degrade/$way
rm -rf "$out"
mkdir -p "$out"

# scenario PAIR: all four runs of it.
scenario() {
    field() { echo "$1" | jq -r "$2"; }
    first=$(field "$1" '.paths[0] | "\(.mbps) \(.rtt_ms) \(.queue_ms)"') second=$(field "$1" '.paths[1] | "\(.mbps) \(.rtt_ms) \(.queue_ms)"')
    two_paths "$first" "$second"
    change=$(field "$1" '"\(if .degraded == 0 then "wlan0" else "cell0" end), rate: \(.later.mbps * 1e6 | floor)bit, delay: \(.later.rtt_ms / 2)ms, queue: \(.later.queue_ms)ms, loss: \(.later.loss * 100)%"')
    up='' cc=''
    [ "$way" = download ] || up='--upload' cc='--upload --congestion cubic'
    seconds=$(field "$1" .seconds) at=$(field "$1" .at_s)
    bulk="exec $braid probe bulk 10.0.9.1:7000 --for $seconds"
    echo 'runs:'
    run() { printf '  %s:\n    host: phone\n    command: "%s"\n    output: json\n    limit: 60s\n    events: [{at: %ss, change: %s}]\n' "$1" "$2" "$at" "$change"; }
    run braid "$of_braid -- $braid probe bulk 10.0.9.1:7000 --for $seconds $up"
    run kernel_mptcp "$kernel_paths; $bulk --mptcp $cc"
    run first "$bulk $cc"
    run second "ip route del default dev wlan0; ip link set wlan0 down; $bulk $cc"
}

: >"$out/lines"
printf '%-5s %-16s %-24s %-24s %8s %8s %8s %8s %9s %9s\n' seed what 'path: Mb/s, ms, ms' '' first second kernel braid 'kernel/' 'braid/best'
build/release/bench/bench_schedulers draw "$count" "$from" | while read -r pair; do
    scenario "$pair" >"$out/pair.yaml"
    "$braid" lab "$out/pair.yaml" --quiet --out "$out/result" </dev/null >"$out/table" 2>&1 || true
    jq -c --argjson pair "$pair" '{pair: $pair, first: .first.goodput_mbps, second: .second.goodput_mbps, kernel: .kernel_mptcp.goodput_mbps,
        braid: .braid.goodput_mbps}' "$out/result/result.json" | tee -a "$out/lines" |
        jq -r '([.first // 0, .second // 0] | max) as $best | def r: . * 100 | round / 100; def p: "\(if .mbps then .mbps * 10 | round / 10 else 0 end), \(.rtt_ms | round), \(.queue_ms | round)";
            [.pair.seed, "\(.pair.what): \(.pair.degraded)", (.pair.paths[0] | p), (.pair.paths[1] | p), (.first // 0 | r), (.second // 0 | r), (.kernel // 0 | r), (.braid // 0 | r),
             ((.kernel // 0) / $best | r), ((.braid // 0) / $best | r)] | @tsv' |
        awk -F '\t' '{ printf "%-5s %-16s %-24s %-24s %8.2f %8.2f %8.2f %8.2f %9.2f %9.2f\n", $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 }'
done
jq -rs 'map(([.first // 0, .second // 0] | max) as $best | {k: ((.kernel // 0) / $best), b: ((.braid // 0) / $best)}) |
    "below 0.95 of the better path alone: braid \(map(select(.b < 0.95)) | length), kernel MPTCP \(map(select(.k < 0.95)) | length) of \(length); worst \(map(.b) | min * 100 | round / 100) and \(map(.k) | min * 100 | round / 100)"' "$out/lines"
jq -s . "$out/lines" >"build/bench/degrade-$way.json"
