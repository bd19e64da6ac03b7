#!/bin/sh
# A lab scenario again and again, its runs side by side: bench/scenario.sh SCENARIO [REPETITIONS [RUN...]]. Needs
# build/release (scripts/build.sh release) and jq. Prints, for each figure of each run, the median and in brackets the
# lowest and the highest; the results themselves stay in build/bench/SCENARIO/.
set -eu
scenario=$(realpath "$1")
repetitions=${2:-5}
[ $# -lt 2 ] || shift
shift
cd "$(dirname "$0")/.."
out=build/bench/$(basename "$scenario" .yaml)
rm -rf "$out"
mkdir -p "$out"
runs=
for run in "$@"; do runs="$runs --run $run"; done
for i in $(seq "$repetitions"); do
    # shellcheck disable=SC2086
    build/release/braid lab "$scenario" --quiet --out "$out/$i" $runs >"$out/$i.table" || echo "repetition $i: exit status $?" >&2
done

# Figures: what a person would compare, not the bookkeeping beside it.
jq -rs '
    def figures: [paths(type == "number")] | map(select(length <= 2 and
        (.[-1] | tostring | test("^(goodput_mbps|down|up|down_[0-9]+|up_[0-9]+|blackhole|worst|p50|p99|seconds|first_byte_ms)|_ms$|_mbps$")) and
        (.[0] | IN("events", "paths", "samples", "emulator", "sample_ms") | not)));
    def spread: sort | "\(.[(length - 1) / 2 | floor] * 10 | round / 10) [\(.[0] * 10 | round / 10)..\(.[-1] * 10 | round / 10)]";
    . as $all | $all[0].lab.runs[] as $run |
    ($all | map(.[$run] | select(. != null))) as $results |
    ([$results[] | select(.completed)] | length) as $completed |
    (["\($run)", "completed", "\($completed) of \($results | length)"], 
     ($results[0] | figures[] as $path | [$run, ($path | join(".")), ([$results[] | getpath($path)] | map(select(. != null)) | spread)]))
    | @tsv' "$out"/*/result.json | awk -F '\t' '{ printf "%-16s %-24s %s\n", $1, $2, $3 }'
