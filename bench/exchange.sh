#!/bin/sh
# Connections a second (open, a byte each way, close) and round trips of one byte over a veth, through `braid run` beside
# the kernel, and beside a program that only moves packets, which is the limit of that way in: bench/exchange.sh [REPETITIONS].
# Called by bench/run.sh, which builds what it needs.
set -eu
cd "$(dirname "$0")/.."
. bench/undisturbed.sh
repetitions=${1:-5}
braid=$PWD/build/release/braid exchange=$PWD/build/release/bench/bench_exchange out=$PWD/build/bench
forward=$PWD/build/release/bench/bench_forward
mkdir -p "$out"
. bench/one_wire.sh
one_wire \
    "tcp: {host: server, command: '$exchange serve 5301', ready: {tcp: 5301}}" \
    "mptcp: {host: server, command: '$exchange serve 5302 mptcp', ready: {tcp: 5302}}" >"$out/exchange.yaml"

# measure NAME COMMAND...: a line of JSON more in what is measured for NAME.
measure() {
    name=$1
    shift
    "$braid" lab "$out/exchange.yaml" --quiet -- client "$@" | jq -c ". + {client: \"$name\"}" >>"$out/exchange.lines"
}

: >"$out/exchange.lines"
for i in $(seq "$repetitions"); do
    for what in connections round_trips; do
        count=3000 few=500 # a port each, which is not used again so soon; the forwarder has fewer
        [ $what = connections ] || count=20000 few=20000
        measure kernel_tcp "$exchange" $what 10.0.9.1 5301 $count
        measure kernel_mptcp "$exchange" $what 10.0.9.1 5302 $count mptcp
        measure forward_tcp "$forward" eth0 10.0.9.2 "$exchange" $what 10.0.9.1 5301 $few
        measure forward_mptcp "$forward" eth0 10.0.9.2 "$exchange" $what 10.0.9.1 5302 $few mptcp
        measure braid "$braid" run --uplink eth0 -- "$exchange" $what 10.0.9.1 5302 $count
        measure braid_tcp "$braid" run --uplink eth0 -- "$exchange" $what 10.0.9.1 5301 $count
    done
done
jq -s 'group_by([.what, .client]) | map({what: .[0].what, client: .[0].client} +
    (["per_second", "median_us", "p99_us"] as $keys | [.] | map(. as $runs | $keys | map(. as $k |
    {($k): ($runs | map(.[$k]) | sort | {median: .[length / 2 | floor], least: .[0], most: .[-1]})}) | add) | add))' \
    "$out/exchange.lines" >"$out/exchange.json"
echo "Short conversations over a veth"
printf '%-12s %-13s %-26s %-24s %s\n' what client 'a second' 'median us' '99th percentile us'
jq -r 'def s: "\(.median) [\(.least)..\(.most)]"; .[] | [.what, .client, (.per_second | s), (.median_us | s), (.p99_us | s)] | @tsv' \
    "$out/exchange.json" | awk -F '\t' '{ printf "%-12s %-13s %-26s %-24s %s\n", $1, $2, $3, $4, $5 }'
