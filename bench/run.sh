#!/bin/sh
# Every benchmark that takes seconds, beside the kernel in the same run where the kernel has something to compare:
# bench/run.sh [REPETITIONS] (`make bench`). Tables on the screen, JSON in build/bench/. Figures are medians, with the
# lowest and highest in brackets. Compare them within a run only; other work on the machine shows in all of them.
# Needs root or user namespaces for the lab, iperf3, jq, mptcpize, valgrind.
set -eu
cd "$(dirname "$0")/.."
repetitions=${1:-5}
scripts/build.sh release
ninja -C build/release bench_pipe bench_idle bench_scale bench_exchange bench_forward bench_udp bench_checksum bench_stream >build/bench.log 2>&1 || { tail build/bench.log; exit 1; }
bench=$PWD/build/release/bench out=$PWD/build/bench
mkdir -p "$out"

median() { jq -s "map($1) | sort | .[length / 2 | floor]"; }

echo "A pipe in memory: one connection between two stacks, by reference, over a wire that copies once"
printf '%-8s %-9s %-9s %10s %12s %14s %10s\n' paths segments checksum Gb/s 'of one copy' 'of plain TCP' instructions
: >"$out/pipe.lines"
for super in 1 0; do
    for paths in 0 1 2 4 8; do
        for checksum in 0 1; do
            [ $paths$checksum != 01 ] || continue
            megabytes=2000
            [ $super = 1 ] || megabytes=200
            runs=$(for i in $(seq "$repetitions"); do "$bench/bench_pipe" $paths $super $checksum $megabytes; done)
            gbps=$(echo "$runs" | median .gbps) copy=$(echo "$runs" | median .copy_gbps)
            instructions=$(sh bench/instructions.sh "$bench/bench_pipe" $paths $super $checksum)
            [ $paths != 0 ] || plain=$gbps
            least=$(echo "$runs" | jq -s 'map(.gbps) | min') most=$(echo "$runs" | jq -s 'map(.gbps) | max')
            jq -n "{paths: $paths, super: $super, checksum: $checksum, gbps: $gbps, least: $least, most: $most, copy_gbps: $copy,
                of_plain: ($gbps / $plain), instructions: $instructions}" >>"$out/pipe.lines"
            printf '%-8s %-9s %-9s %10.1f %12.2f %14.2f %10s\n' "$paths" "$([ $super = 1 ] && echo super || echo single)" \
                "$([ $checksum = 1 ] && echo on || echo off)" "$gbps" "$(jq -n "$gbps / $copy")" \
                "$(jq -n "$gbps / $plain")" "$instructions"
        done
    done
done
jq -s . "$out/pipe.lines" >"$out/pipe.json"

echo
echo "Idle connections between two stacks in one process (paths 0: plain TCP); seconds for all of them"
printf '%-12s %-6s %13s %13s %9s %9s %9s %9s\n' connections paths 'bytes client' 'bytes server' open scan 'time out' close
: >"$out/idle.lines"
for count in ${BENCH_IDLE:-1000 100000}; do
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
for count in 1 ${BENCH_IDLE:-1000 100000}; do
    for paths in 0 2; do
        "$bench/bench_scale" "$count" $paths | tee -a "$out/scale.lines" |
            jq -r '[.connections, .paths, .exchange_ns, .stray_ns, .token_ns, .timer_ns, .worst_open_us] | @tsv' |
            awk '{ printf "%-12s %-6s %10s %13s %14s %8s %11s\n", $1, $2, $3, $4, $5, $6, $7 }'
    done
done
jq -s . "$out/scale.lines" >"$out/scale.json"

echo
echo "The Internet checksum: nanoseconds for so many bytes"
"$bench/bench_checksum" | tee "$out/checksum.lines" |
    jq -r '"\(.way)\t20: \(.ns_20)\t1460: \(.ns_1460)\t65536: \(.ns_65536)\t\(.gb_per_s) GB/s"'
jq -s . "$out/checksum.lines" >"$out/checksum.json"

echo
sh bench/udp.sh "$repetitions"
echo
sh bench/exchange.sh "$repetitions"
echo
sh bench/fast_link.sh "$repetitions"
echo "The same without offloads:"
BENCH_OFFLOADS=off sh bench/fast_link.sh "$repetitions"
echo
sh bench/stream.sh "$repetitions"
echo "The same without offloads, by BBR in writes of 64 KB:"
BENCH_OFFLOADS=off BENCH_CONGESTION=bbr BENCH_WRITES=65536 sh bench/stream.sh "$repetitions"
sh bench/svg.sh "$out" >"$out/bench.svg"
echo
echo "The rates as a picture: build/bench/bench.svg"
