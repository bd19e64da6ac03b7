#!/bin/sh
# Every fuzz target for ten minutes (or so many seconds as the first argument says), as many at a time as there are
# processors, over and over, until it is stopped or something breaks. See fuzz/run.sh for where what is found goes.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-600}
targets=$(ls fuzz/fuzz_*.c | sed 's,.*/fuzz_\(.*\)\.c,\1,')
cmake --preset fuzz >/dev/null
# shellcheck disable=SC2046
cmake --build build/fuzz --target $(printf 'fuzz_%s ' $targets) >build/fuzz/build.log 2>&1
export BRAID_FUZZ_BUILT=1
round=0
while :; do
    round=$((round + 1))
    echo "Round $round"
    echo "$targets" | xargs -P "$(nproc)" -n 1 fuzz/run.sh "$seconds"
done
