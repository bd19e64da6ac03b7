#!/bin/sh
# Two paths at once in the lab: braid, kernel MPTCP, and kernel TCP on the first path, downloads and uploads with CUBIC at
# both ends, and beside each transfer a connection of its own that says 16 bytes 20 times a second, which are echoed:
# bench/pairs.sh [REPETITIONS [SECONDS]]. Needs build/release (scripts/build.sh release). Prints medians, lowest and highest.
# BENCH_PAIR='50 30 20 300': that pair only (Mb/s, Mb/s, RTT in ms, RTT in ms).
set -eu
cd "$(dirname "$0")/.."
. bench/undisturbed.sh
repetitions=${1:-5} seconds=${2:-7}
. bench/two_paths.sh
out=$PWD/build/bench/pairs
rm -rf "$out"
mkdir -p "$out"

# commands OPTION: the transfer, and beside it the messages
commands() {
    bytes=$(awk "BEGIN { print int(($rate1 + $rate2) * 125000 * $seconds) }")
    [ "$client" != "kernel TCP" ] || bytes=$((rate1 * 125000 * seconds))
    for way in download upload; do
        option=
        [ $way = download ] || option="--upload"
        [ $way = download ] || [ "$client" = braid ] || option="--upload --congestion cubic"
        cat <<E2
i=0; while [ \$i -lt $repetitions ]; do i=\$((i + 1))
$braid probe messages 10.0.9.1:7000 --rate 20 --size 16 --seconds $((seconds - 1)) $1 >$out/messages &
$braid probe bulk 10.0.9.1:7000 --bytes $bytes $option $1 >$out/bulk
wait
jq -c -s '{way: "$way", bulk: .[0], messages: .[1]}' $out/bulk $out/messages
done
E2
    done >"$out/commands"
}

run() {
    client=$1
    commands "$2"
    shift 2
    "$braid" lab "$out/pair.yaml" --quiet -- phone "$@" | jq -c "{client: \"$client\"} + ." >>"$out/lines"
}

printf '%-26s %-9s %-13s %28s %28s\n' 'Mb/s; RTT in ms' way client 'Mb/s' 'messages: median, p99 in ms'
for pair in '50 20 30 70' '50 30 20 300' '10 10 0 25' '15 5 0 25'; do
    [ "${BENCH_PAIR:-$pair}" = "$pair" ] || continue
    # shellcheck disable=SC2086
    set -- $pair
    rate1=$1 rate2=$2 rtt1=$3 rtt2=$4
    two_paths "$rate1 $rtt1 100" "$rate2 $rtt2 100" >"$out/pair.yaml"
    : >"$out/lines"
    # shellcheck disable=SC2086
    run braid '' $of_braid -- sh "$out/commands"
    run 'kernel MPTCP' --mptcp sh -c "$kernel_paths; sh $out/commands"
    run 'kernel TCP' '' sh "$out/commands"
    cat "$out/lines" >>"$out/all"
    jq -rs --arg name "$rate1 and $rate2; $rtt1 and $rtt2" 'def s: sort | .[(length - 1) / 2 | floor] as $m |
            "\($m * 10 | round / 10) [\(.[0] * 10 | round / 10)..\(.[-1] * 10 | round / 10)]";
        group_by(.way, .client)[] | [$name, .[0].way, .[0].client, (map(.bulk.goodput_mbps) | s),
        "\(map(.messages.latency_ms.p50) | s), \(map(.messages.latency_ms.p99) | s)"] | @tsv' "$out/lines" |
        awk -F '\t' '{ printf "%-26s %-9s %-13s %28s %40s\n", $1, $2, $3, $4, $5 }'
done
