#!/bin/sh
# Instructions that the stack spends on a segment with data, its share of everything else included (both ends, ACKs,
# opening): bench/instructions.sh BENCH_PIPE PATHS SUPER CHECKSUM. Counted by callgrind, so that it repeats.
set -eu
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT
megabytes=4
[ "$3" = 0 ] || megabytes=64
segments=$(valgrind -q --tool=callgrind --callgrind-out-file="$counts" --collect-atstart=no \
    --toggle-collect='measured_*' "$1" "$2" "$3" "$4" $megabytes 2>/dev/null | jq .all_segments)
awk -v segments="$segments" '/^(summary|totals):/ { n = $2 } END { printf "%.0f\n", n / segments }' "$counts"
