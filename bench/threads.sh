#!/bin/sh
# `braid run --threads` on a link without limits (veth): four streams of iperf3 at once to a server of the kernel's MPTCP, with
# one thread, two and four, by turns; and how long it takes until a command runs. bench/threads.sh [REPETITIONS]. Needs iperf3,
# jq, mptcpize, and braid in build/release. Prints medians, with the lowest and highest in brackets, and the load that there
# was; writes build/bench/threads.json. BENCH_THREADS, BENCH_STREAMS, BENCH_SECONDS choose.
set -eu
cd "$(dirname "$0")/.."
. bench/undisturbed.sh
repetitions=${1:-5}
braid=$PWD/build/release/braid
seconds=${BENCH_SECONDS:-1} streams=${BENCH_STREAMS:-4} threads_list=${BENCH_THREADS:-1 2 4}
out=$PWD/build/bench/threads
rm -rf "$out"
mkdir -p "$out"
. bench/one_wire.sh
one_wire \
    "mptcp: {host: server, command: 'exec mptcpize run iperf3 --server --port 5202', ready: {tcp: 5202}}" >"$out/lab.yaml"

# `times`: the processor time of all that was started, which is braid and the client.
cat >"$out/measure.sh" <<'E2'
name=$1
shift
date +%s%N >"$name.began"
"$@" >"$name.json"
times >"$name.times"
E2
cat >"$out/client.sh" <<'E2'
date +%s%N >"$1.ran"
shift
exec "$@"
E2

for i in $(seq "$repetitions"); do
    for way in up down; do
        for threads in $threads_list; do
            reverse=
            [ $way = up ] || reverse=--reverse
            name=$out/$threads-$way-$i
            "$braid" lab "$out/lab.yaml" --quiet -- client sh "$out/measure.sh" "$name" \
                "$braid" run --threads $threads --uplink eth0 -- sh "$out/client.sh" "$name" \
                iperf3 --port 5202 --client 10.0.9.1 --time "$seconds" --parallel "$streams" --json $reverse
        done
    done
done

cpu_seconds() { tail -n 1 "$1" | tr 'ms' '  ' | awk '{ print $1 * 60 + $2 + $3 * 60 + $4 }'; }
for threads in $threads_list; do
    for way in up down; do
        for i in $(seq "$repetitions"); do
            name=$out/$threads-$way-$i
            start_ms=$((($(cat "$name.ran") - $(cat "$name.began")) / 1000000))
            jq -c --argjson cpu "$(cpu_seconds "$name.times")" "{threads: $threads, way: \"$way\", start_ms: $start_ms,
                gbps: (.end.sum_received.bits_per_second / 1e9), cpu_s_per_gb: (\$cpu / .end.sum_received.bytes * 1e9)}" \
                "$name.json"
        done
    done
done >"$out/lines"
jq -s 'def spread: sort | {median: .[length / 2 | floor], least: .[0], most: .[-1]};
    group_by([.way, .threads]) | map({way: .[0].way, threads: .[0].threads, gbps: (map(.gbps) | spread),
    cpu_s_per_gb: (map(.cpu_s_per_gb) | spread), start_ms: (map(.start_ms) | spread)})' "$out/lines" >"$out.json"
echo "$streams streams of iperf3 over a veth; load $(cut -d ' ' -f 1 /proc/loadavg), $(nproc) cores"
printf '%-8s %-5s %-24s %-24s %s\n' threads way 'Gb/s' 'CPU s a GB, of all' 'ms until the command runs'
jq -r '.[] | [.threads, .way, .gbps.median, .gbps.least, .gbps.most, .cpu_s_per_gb.median, .cpu_s_per_gb.least,
    .cpu_s_per_gb.most, .start_ms.median, .start_ms.least, .start_ms.most] | @tsv' "$out.json" |
    awk '{ printf "%-8s %-5s %6.2f [%.2f..%.2f]%6s %.2f [%.2f..%.2f]%8s %d [%d..%d]\n", $1, $2, $3, $4, $5, "", $6, $7, $8, "", $9, $10, $11 }'
