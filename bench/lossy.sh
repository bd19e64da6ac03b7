#!/bin/sh
# Plain TCP over lossy and long paths in the lab, through `braid run` beside the kernel with the same congestion control:
# bench/lossy.sh [REPETITIONS [CONGESTION]]. Uploads, so that the stack in question is the one that sends; how long until
# the server had all of 10 kB, 100 kB, 1 MB and a long transfer. Needs build/release (scripts/build.sh release).
set -eu
cd "$(dirname "$0")/.."
repetitions=${1:-5} congestion=${2:-cubic}
braid=$PWD/build/release/braid out=$PWD/build/bench/lossy
rm -rf "$out"
mkdir -p "$out"

# scenario RTT_MS LOSS QUEUE_MS
scenario() {
    cat <<E2
hosts: {client: {}, server: {}}
links:
  path:
    from: {host: client, interface: eth0, address: [10.0.9.2/24], gateway: [10.0.9.1]}
    to: {host: server, interface: eth0, address: [10.0.9.1/24]}
    rate: 20Mbit
    delay: $(($1 / 2))ms
    queue: $3ms
    loss: {up: $2%, down: 0}
services:
  probe: {host: server, command: 'exec $braid probe serve --port 7000', ready: {tcp: 7000}}
E2
}

# uploads CLIENT COMMAND...: repetitions of each size, a line of JSON each. 
uploads() {
    client=$1
    shift
    for size in ${BENCH_SIZES:-10000 100000 1000000 $bulk}; do
        echo "i=0; while [ \$i -lt $repetitions ]; do i=\$((i + 1)); $braid probe bulk 10.0.9.1:7000 --upload --bytes $size \$*; done"
    done >"$out/commands"
    "$braid" lab "$out/path.yaml" --quiet -- client "$@" |
        jq -c "{client: \"$client\", rtt_ms: $rtt, loss: $loss, bytes: .bytes, seconds: .seconds}" >>"$out/lines"
}

printf '%-8s %-7s %10s %28s %28s %7s\n' 'RTT ms' 'loss %' bytes 'braid: seconds' 'kernel: seconds' ratio
# RTT in ms, loss in percent, queue in ms, bytes of the longest transfer
for course in '20 0 20 25000000' '20 0.1 20 15000000' '20 1 20 6000000' '100 0 100 25000000' '100 0.1 100 6000000' \
    '100 1 100 2000000' '300 0 150 25000000' '300 0.1 150 3000000'; do
    set -- $course
    rtt=$1 loss=$2 bulk=$4
    [ "${BENCH_LOSS:-$loss}" = "$loss" ] || continue
    scenario "$1" "$2" "$3" >"$out/path.yaml"
    : >"$out/lines"
    uploads kernel sh "$out/commands" --congestion "$congestion"
    uploads braid "$braid" run --congestion "$congestion" --uplink eth0 -- sh "$out/commands"
    cat "$out/lines" >>"$out/all"
    jq -rs 'def s: sort | {m: .[(length - 1) / 2 | floor], a: .[0], b: .[-1]};
        def t: "\(.m * 1000 | round / 1000) [\(.a * 1000 | round / 1000)..\(.b * 1000 | round / 1000)]";
        group_by(.bytes)[] | . as $g | (map(select(.client == "braid").seconds) | s) as $b |
        (map(select(.client == "kernel").seconds) | s) as $k |
        [$g[0].rtt_ms, $g[0].loss, $g[0].bytes, ($b | t), ($k | t), ($k.m / $b.m * 100 | round / 100)] | @tsv' "$out/lines" |
        awk -F '\t' '{ printf "%-8s %-7s %10s %28s %28s %7.2f\n", $1, $2, $3, $4, $5, $6 }'
done
jq -s . "$out/all" >build/bench/lossy.json
echo "ratio: the kernel's median time to ours; above 1, braid is faster"
