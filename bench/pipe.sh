#!/bin/sh
# A connection between two stacks in memory, beside one copy of the same bytes: bench/pipe.sh [REPETITIONS]. Needs jq, valgrind and
# bench_pipe in build/release. A table on the screen, JSON in build/bench/pipe.json.
set -eu
cd "$(dirname "$0")/.."
. bench/undisturbed.sh
repetitions=${1:-5} pipe=$PWD/build/release/bench/bench_pipe out=$PWD/build/bench
mkdir -p "$out"
median() { jq -s "map($1) | sort | .[length / 2 | floor]"; }

echo "A pipe in memory: one connection between two stacks, by reference, over a wire that copies once (paths 0: plain TCP)"
printf '%-8s %-9s %-9s %10s %12s %14s %10s\n' paths segments checksum Gb/s 'of one copy' 'of plain TCP' instructions
: >"$out/pipe.lines"
for super in 1 0; do
    # paths:checksum, the first of which is what the others are compared with
    for kind in 0:0 0:2 1:0 1:1 2:0 2:1 4:0 4:1 8:0 8:1; do
        paths=${kind%:*} checksum=${kind#*:} megabytes=2000
        [ $super = 1 ] || megabytes=200
        runs=$(for _ in $(seq "$repetitions"); do "$pipe" "$paths" $super "$checksum" $megabytes; done)
        gbps=$(echo "$runs" | median .gbps) copy=$(echo "$runs" | median .copy_gbps)
        instructions=$(sh bench/instructions.sh "$pipe" "$paths" $super "$checksum")
        [ "$kind" != 0:0 ] || plain=$gbps
        least=$(echo "$runs" | jq -s 'map(.gbps) | min') most=$(echo "$runs" | jq -s 'map(.gbps) | max')
        jq -n "{paths: $paths, super: $super, checksum: $checksum, gbps: $gbps, least: $least, most: $most, copy_gbps: $copy,
            of_plain: ($gbps / $plain), instructions: $instructions}" >>"$out/pipe.lines"
        case $checksum in 0) sums=off ;; 1) sums=DSS ;; 2) sums=TCP ;; *) sums=both ;; esac
        printf '%-8s %-9s %-9s %10.1f %12.2f %14.2f %10s\n' "$paths" "$([ $super = 1 ] && echo super || echo single)" \
            "$sums" "$gbps" "$(jq -n "$gbps / $copy")" "$(jq -n "$gbps / $plain")" "$instructions"
    done
done
jq -s . "$out/pipe.lines" >"$out/pipe.json"
