#!/bin/sh
# Builds the fuzz targets and runs them, one after the other: fuzz/run.sh [SECONDS [TARGET...]]. SECONDS is for each
# target; 0 means for ever (then name one target). What is found is kept in build/fuzz/fuzz/corpus; an input that
# breaks something in build/fuzz/fuzz/TARGET-*, and is replayed by giving it to the program.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-10}
[ $# -eq 0 ] || shift
cmake --preset fuzz -DBRAID_FUZZ_SECONDS="$seconds" >/dev/null
targets=$*
if [ -z "$targets" ]; then
    targets=$(ls fuzz/fuzz_*.c | sed 's,.*/fuzz_\(.*\)\.c,\1,')
fi
failed=0
for target in $targets; do
    cmake --build build/fuzz --target "fuzz_$target" >build/fuzz/build.log 2>&1 || {
        tail -n 20 build/fuzz/build.log >&2
        exit 1
    }
    found=build/fuzz/fuzz/corpus/$target
    log=build/fuzz/fuzz/$target.log
    if build/fuzz/fuzz/fuzz_"$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2000 -print_final_stats=1 \
        -artifact_prefix=build/fuzz/fuzz/"$target"- "$found" fuzz/corpus/"$target" >"$log" 2>&1; then
        awk -v target="$target" '/stat::number_of_executed_units/ { n = $2 } / cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") c = $(i + 1) }
            END { printf "ok %s: %d executions, coverage %d\n", target, n, c }' "$log"
    else
        failed=1
        echo "not ok $target: see $log"
        tail -n 30 "$log"
    fi
done
exit $failed
