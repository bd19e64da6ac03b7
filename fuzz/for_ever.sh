#!/bin/sh
# Every fuzz target for ten minutes (or so many seconds as the first argument says), as many at a time as there are
# processors, over and over, until it is stopped or something breaks. ENGINE=afl takes AFL++ in place of libFuzzer. See
# fuzz/run.sh and fuzz/afl.sh for where what is found goes.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-600}
targets=$(ls fuzz/fuzz_*.c | sed 's,.*/fuzz_\(.*\)\.c,\1,')
case ${ENGINE:-libfuzzer} in
libfuzzer) preset=fuzz run=fuzz/run.sh ;;
afl) preset=afl run=fuzz/afl.sh ;;
*) echo "ENGINE is libfuzzer or afl" >&2; exit 2 ;;
esac
export AFL_QUIET=1
cmake --preset $preset >/dev/null
# shellcheck disable=SC2046
cmake --build build/$preset --target $(printf 'fuzz_%s ' $targets) >build/$preset/build.log 2>&1 || {
    tail -n 20 build/$preset/build.log >&2
    exit 1
}
export BRAID_FUZZ_BUILT=1
round=0
while :; do
    round=$((round + 1))
    echo "Round $round"
    echo "$targets" | xargs -P "$(nproc)" -I TARGET $run "$seconds" TARGET
done
