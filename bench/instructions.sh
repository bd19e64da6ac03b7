#!/bin/sh
# Instructions that the stack spends on a segment with data, its share of everything else included (both ends, ACKs,
# opening): bench/instructions.sh BENCH_PIPE PATHS SUPER CHECKSUM [SCHEDULER [COPY]]. Counted by callgrind, so that it
# repeats. valgrind counts `rep movsb` once for each byte: libc is told to copy by vectors.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
megabytes=2
[ "$3" = 0 ] || megabytes=32
GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=1000000000 valgrind -q --tool=callgrind --callgrind-out-file="$scratch/counts" --collect-atstart=no \
    --toggle-collect='measured_*' "$1" "$2" "$3" "$4" $megabytes "${5-}" "${6-}" >"$scratch/pipe"
awk -v segments="$(jq .all_segments "$scratch/pipe")" '/^(summary|totals):/ { n = $2 }
    END { if (n == 0 || segments == 0) exit 1; printf "%.0f\n", n / segments }' "$scratch/counts"
