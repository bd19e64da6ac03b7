#!/bin/sh
# Many connections in one process: what each costs in memory, all in time, and one operation among them. bench/crowd.sh. Needs jq,
# and bench_idle and bench_scale in build/release; 16 GB of memory and ten minutes for a million. BENCH_IDLE='1000 100000': so many
# connections; BENCH_LONG=1: a million, too. Tables on the screen, JSON in build/bench/idle.json and scale.json.
set -eu
cd "$(dirname "$0")/.."
. bench/undisturbed.sh
bench=$PWD/build/release/bench out=$PWD/build/bench
mkdir -p "$out"
counts=${BENCH_IDLE:-1000 100000}
[ "${BENCH_LONG-}" != 1 ] || counts="$counts 1000000"

echo "Idle connections between two stacks in one process (paths 0: plain TCP); seconds for all of them"
printf '%-12s %-6s %13s %13s %9s %9s %9s %9s\n' connections paths 'bytes client' 'bytes server' open scan 'time out' close
: >"$out/idle.lines"
for count in $counts; do
    for paths in 0 2; do
        "$bench/bench_idle" "$count" $paths | tee -a "$out/idle.lines" |
            jq -r '[.connections, .paths, .client_bytes, .server_bytes, .open_s, .scan_s, .time_out_s, .close_s] | @tsv' |
            awk '{ printf "%-12s %-6s %13s %13s %9.3f %9.4f %9.3f %9.4f\n", $1, $2, $3, $4, $5, $6, $7, $8 }'
    done
done
jq -s . "$out/idle.lines" >"$out/idle.json"

echo
echo "With so many connections in the process, one operation on any of them, nanoseconds (worst open: microseconds)"
printf '%-12s %-6s %10s %13s %14s %8s %11s\n' connections paths 'byte, both' 'stray, reset' 'join, refused' timer 'worst open'
: >"$out/scale.lines"
for count in 1 $counts; do
    for paths in 0 2; do
        "$bench/bench_scale" "$count" $paths | tee -a "$out/scale.lines" |
            jq -r '[.connections, .paths, .exchange_ns, .stray_ns, .token_ns, .timer_ns, .worst_open_us] | @tsv' |
            awk '{ printf "%-12s %-6s %10s %13s %14s %8s %11s\n", $1, $2, $3, $4, $5, $6, $7 }'
    done
done
jq -s . "$out/scale.lines" >"$out/scale.json"
