#!/bin/sh
# One bottleneck of 20 Mb/s (40 ms, 60 ms of queue) in the lab: four subflows of one connection beside a kernel TCP, uploads, by
# coupled and uncoupled congestion control, and the kernel's MPTCP: bench/fairness.sh [REPETITIONS [SECONDS]]. Needs build/release
# (scripts/build.sh release). Prints Mb/s on the wire, without the first five seconds: medians, lowest and highest; a fair share
# is 10 each. The same in virtual time: docs/bonding.md.
set -eu
cd "$(dirname "$0")/.."
. bench/undisturbed.sh
repetitions=${1:-3} seconds=${2:-30}
. bench/two_paths.sh
out=$PWD/build/bench/fairness
rm -rf "$out"
mkdir -p "$out"
four="$braid run --uplink eth0 --path-manager ndiffports --limit ndiffports=4 --policy aggregate --congestion"
upload="$braid probe bulk 10.0.9.1:7000 --upload --for $seconds"
kernel_four='for i in 2 3 4; do ip addr add 10.0.1.1$i/24 dev eth0; ip mptcp endpoint add 10.0.1.1$i dev eth0 subflow; done; ip mptcp limits set subflow 3'
# run NAME COMMAND CONGESTION_OF_THE_OTHER
run() {
    cat <<E2
  $1:
    host: phone
    command: "$2"
    output: json
    limit: 120s
    events: [{at: 0s, host: other, exec: "$upload --congestion $3 >/dev/null 2>&1 & true"}]
E2
}
{
    cat <<E2
hosts: {phone: {}, other: {}, router: {forwarding: true}, server: {}}
links:
  ours:
    from: {host: phone, interface: eth0, address: [10.0.1.2/24], gateway: [10.0.1.1]}
    to: {host: router, interface: a, address: [10.0.1.1/24]}
    rate: 200Mbit
    delay: 1ms
    queue: 100ms
  theirs:
    from: {host: other, interface: eth0, address: [10.0.2.2/24], gateway: [10.0.2.1]}
    to: {host: router, interface: b, address: [10.0.2.1/24]}
    rate: 200Mbit
    delay: 1ms
    queue: 100ms
  bottleneck:
    from: {host: router, interface: c, address: [10.0.9.254/24]}
    to: {host: server, interface: eth0, address: [10.0.9.1/24], gateway: [10.0.9.254]}
    rate: 20Mbit
    delay: 19ms
    queue: 60ms
services:
  probe: {host: server, command: 'ip mptcp limits set subflow 4; exec $braid probe serve --mptcp --port 7000', ready: {tcp: 7000}}
runs:
E2
    for name in lia olia balia; do run "$name" "$four $name -- $upload" reno; done
    run newreno "$four newreno -- $upload" reno
    run cubic "$four cubic -- $upload" cubic
    run kernel_reno "$kernel_four; exec $upload --mptcp --congestion reno" reno
    run kernel_cubic "$kernel_four; exec $upload --mptcp --congestion cubic" cubic
} >"$out/bottleneck.yaml"
for i in $(seq "$repetitions"); do
    "$braid" lab "$out/bottleneck.yaml" --quiet --out "$out/$i" >"$out/$i.table" 2>&1 || true
    jq -c --argjson seconds "$seconds" 'def mbps($link): (.paths | map(select(.name == $link).up_bytes) | add | .[100:($seconds * 20)] | add) * 8 / ($seconds - 5) / 1e6;
        del(.lab) | to_entries[] | select(.value.paths? != null) | {run: .key, ours: (.value | mbps("ours")), theirs: (.value | mbps("theirs"))}' "$out/$i/result.json"
done >"$out/lines"
jq -rs "$jq_spread"' group_by(.run)[] | [.[0].run, (map(.ours) | spread), (map(.theirs) | spread)] | @tsv' "$out/lines" |
    awk -F '\t' 'BEGIN { printf "%-16s %24s %24s\n", "", "the four, Mb/s", "the TCP" } { printf "%-16s %24s %24s\n", $1, $2, $3 }'
jq -s . "$out/lines" >build/bench/fairness.json
