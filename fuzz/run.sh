#!/bin/sh
# Builds the fuzz targets and runs them, one after the other: fuzz/run.sh [SECONDS [TARGET...]]. SECONDS is for each
# target; 0 means for ever (then name one target). What is found is kept in build/fuzz/fuzz/corpus; an input that
# breaks something in build/fuzz/fuzz/TARGET-*, and is replayed by giving it to the program.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-10}
[ $# -eq 0 ] || shift
[ -n "${BRAID_FUZZ_BUILT:-}" ] || cmake --preset fuzz >/dev/null
targets=$*
if [ -z "$targets" ]; then
    targets=$(ls fuzz/fuzz_*.c | sed 's,.*/fuzz_\(.*\)\.c,\1,')
fi
failed=0
for target in $targets; do
    [ -n "${BRAID_FUZZ_BUILT:-}" ] || cmake --build build/fuzz --target "fuzz_$target" >build/fuzz/build.log 2>&1 || {
        tail -n 20 build/fuzz/build.log >&2
        exit 1
    }
    case $target in connection | wire | stack) length=-len_control=0 ;; *) length= ;; esac
    found=build/fuzz/fuzz/corpus/$target
    log=build/fuzz/fuzz/$target.log
    if build/fuzz/fuzz/fuzz_"$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2000 -print_final_stats=1 \
        -max_len=1200 $length \
        -artifact_prefix=build/fuzz/fuzz/"$target"- "$found" fuzz/corpus/"$target" >"$log" 2>&1; then
        awk -v target="$target" '/stat::number_of_executed_units/ { n = $2 } /stat::average_exec_per_sec/ { r = $2 }
            / cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") c = $(i + 1) }
            /Loaded 1 modules/ { split($0, part, /[()]/); split(part[2], word, " "); p = word[1] }
            END { printf "ok %s: %d executions, %d a second, coverage %d of %d\n", target, n, r, c, p }' "$log"
    else
        failed=1
        echo "not ok $target: see $log"
        tail -n 30 "$log"
    fi
done
exit $failed
