#!/bin/sh
# Plain TCP over lossy and long paths in the lab, through `braid run` beside the kernel with the same congestion control:
# bench/lossy.sh [REPETITIONS [CONGESTION...]]. Uploads, so that the stack in question is the one that sends; how long until
# the server had all of 10 kB, 100 kB, 1 MB and a transfer of some seconds. The paths are those of docs/goodput.md. Prints a
# line for each path and size, and at the end which ratios are below 0.95. BENCH_COURSES='50:0:1:0 ...' (RTT in ms : loss in
# % : queue in bandwidth-delay products : reordered in %) takes other paths, BENCH_SIZES='10000 ...' other sizes.
# Needs build/release (scripts/build.sh release).
set -eu
cd "$(dirname "$0")/.."
. bench/undisturbed.sh
repetitions=${1:-5}
[ $# -lt 1 ] || shift
[ $# -gt 0 ] || set -- cubic bbr bbr1 newreno
braid=${BENCH_BRAID:-$PWD/build/release/braid}
BULK_SECONDS=6 RATE_MBIT=20

# How much of the link a course is likely to leave (%), by congestion control: only for how long a transfer takes.
share() {
    awk -v name="$1" -v rtt="$2" -v loss="$3" 'BEGIN {
        if (loss == 0 || name == "bbr1" || (name == "bbr" && loss < 2)) { print 90; exit }
        if (name == "bbr") { print 60; exit }
        share = 122 * 1460 * 8 / (rtt / 1000) / sqrt(loss / 100) / 20e6
        if (share < 12) share *= 1.3
        print (share > 90 ? 90 : share < 3 ? 3 : share) }'
}

# scenario RTT_MS LOSS_PERCENT QUEUE_MS REORDER_PERCENT
scenario() {
    cat <<E2
hosts: {client: {}, server: {}}
links:
  path:
    from: {host: client, interface: eth0, address: [10.0.9.2/24], gateway: [10.0.9.1]}
    to: {host: server, interface: eth0, address: [10.0.9.1/24]}
    rate: ${RATE_MBIT}Mbit
    delay: $(awk "BEGIN { print $1 / 2 }")ms
    queue: $3ms
    loss: {up: $2%, down: 0}
    reorder: {up: {chance: $4%, by: $(awk "BEGIN { print $1 / 4 }")ms}}
services:
  probe: {host: server, command: 'exec $braid probe serve --port 7000', ready: {tcp: 7000}}
E2
}

# uploads CLIENT CONGESTION COMMAND...: repetitions of each size, a line of JSON each.
uploads() {
    client=$1 name=$2
    shift 2
    for size in ${BENCH_SIZES:-10000 100000 1000000 $bulk}; do
        echo "i=0; while [ \$i -lt $repetitions ]; do i=\$((i + 1)); $braid probe bulk 10.0.9.1:7000 --upload --bytes $size $name; done"
    done >"$out/commands"
    "$braid" lab "$out/path.yaml" --quiet -- client "$@" |
        jq -c "{congestion: \"$congestion\", client: \"$client\", rtt_ms: $rtt, loss: $loss, queue_bdp: $queue, reorder: $reorder,
            bytes: .bytes, seconds: .seconds}" >>"$out/lines"
}

courses='50:0:1:0 50:0.1:1:0 50:0.5:1:0 50:1:1:0 50:2:1:0 50:5:1:0 1:0.1:1:0 10:0.1:1:0 200:0.1:1:0 600:0.1:1:0
    1:0:1:0 10:0:1:0 200:0:1:0 600:0:1:0 50:0:0.1:0 50:0:0.25:0 50:0:0.5:0 50:0:2:0 50:0:4:0
    50:0:1:0.1 50:0:1:1 50:0:1:5 50:0:1:20'
for congestion in "$@"; do
    out=$PWD/build/bench/lossy/$congestion kernel=$congestion
    case $congestion in newreno) kernel=reno ;; bbr1) kernel=bbr ;; esac
    rm -rf "$out"
    mkdir -p "$out"
    printf '%-8s %-7s %-7s %-7s %-9s %10s %28s %28s %7s\n' 'RTT ms' 'loss %' 'queue' 'reord.' '' bytes 'braid: seconds' 'kernel: seconds' ratio
    for course in ${BENCH_COURSES:-$courses}; do
        # shellcheck disable=SC2046
        set -- $(echo "$course" | tr ':' ' ')
        rtt=$1 loss=$2 queue=$3 reorder=$4
        bulk=$(awk "BEGIN { print int($RATE_MBIT * 1250 * $BULK_SECONDS * $(share "$congestion" "$rtt" "$loss") / 1000 + 0.5) * 1000 }")
        scenario "$rtt" "$loss" "$(awk "BEGIN { q = $rtt * $queue; least = 2 * 1514 * 8 / ($RATE_MBIT * 1000); print q < least ? least : q }")" "$reorder" >"$out/path.yaml"
        : >"$out/lines"
        uploads kernel "--congestion $kernel" sh "$out/commands"
        uploads braid '' "$braid" run --congestion "$congestion" --uplink eth0 -- sh "$out/commands"
        cat "$out/lines" >>"$out/all"
        jq -rs 'def s: sort | {m: .[(length - 1) / 2 | floor], a: .[0], b: .[-1]};
            def t: "\(.m * 1000 | round / 1000) [\(.a * 1000 | round / 1000)..\(.b * 1000 | round / 1000)]";
            group_by(.bytes)[] | . as $g | (map(select(.client == "braid").seconds) | s) as $b |
            (map(select(.client == "kernel").seconds) | s) as $k |
            [$g[0].rtt_ms, $g[0].loss, $g[0].queue_bdp, $g[0].reorder, $g[0].congestion, $g[0].bytes, ($b | t), ($k | t),
             ($k.m / $b.m * 100 | round / 100)] | @tsv' "$out/lines" | tee -a "$out/table" |
            awk -F '\t' '{ printf "%-8s %-7s %-7s %-7s %-9s %10s %28s %28s %7.2f\n", $1, $2, $3, $4, $5, $6, $7, $8, $9 }'
    done
    awk -F '\t' '{ n++; if ($9 < 0.95) { below++; if (!least || $9 < least) { least = $9; worst = $0 } } }
        END { printf "%s: %d of %d below 0.95 of the kernel", $5, below, n; if (below) { split(worst, w, "\t"); printf "; the worst, %s, is %s bytes, %s ms, %s %% loss, queue of %s, %s %% reordered", w[9], w[6], w[1], w[2], w[3], w[4] } print "" }' "$out/table"
done
cat build/bench/lossy/*/all | jq -s . >build/bench/lossy.json
echo "ratio: the kernel's median time to ours; above 1, braid is faster"
