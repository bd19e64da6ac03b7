#!/bin/sh
# Runs fuzz targets under AFL++, one after the other: fuzz/afl.sh [SECONDS [TARGET...]]. The sources are libFuzzer's;
# AFL++ brings a main() for them. What is found is kept in build/afl/out/TARGET, and the next run goes on from there; an
# input that breaks something is in its default/crashes or default/hangs, and is replayed by giving it to the program of
# the preset fuzz.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
[ $# -eq 0 ] || shift
targets=$*
if [ -z "$targets" ]; then
    targets=$(ls fuzz/fuzz_*.c | sed 's,.*/fuzz_\(.*\)\.c,\1,')
fi
export AFL_QUIET=1 AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_UI=1 AFL_NO_AFFINITY=1 AFL_AUTORESUME=1
[ -n "${BRAID_FUZZ_BUILT:-}" ] || cmake --preset afl >/dev/null
mkdir -p build/afl/out
failed=0
for target in $targets; do
    [ -n "${BRAID_FUZZ_BUILT:-}" ] || cmake --build build/afl --target "fuzz_$target" >build/afl/build.log 2>&1 || {
        tail -n 20 build/afl/build.log >&2
        exit 1
    }
    log=build/afl/$target.log stats=build/afl/out/$target/default/fuzzer_stats
    if afl-fuzz -V "$seconds" -m none -t 5000+ -G 1200 -i "fuzz/corpus/$target" -o "build/afl/out/$target" \
        "build/afl/fuzz/fuzz_$target" >"$log" 2>&1 &&
        grep -q '^saved_crashes *: 0' "$stats" && grep -q '^saved_hangs *: 0' "$stats"; then
        awk -F ' *: *' -v target="$target" '{ v[$1] = $2 }
            END { printf "ok %s: %d executions, %d a second, coverage %d of %d\n", target, v["execs_done"], v["execs_per_sec"],
                  v["edges_found"], v["total_edges"] }' "$stats"
    else
        failed=1
        echo "not ok $target: see $log and build/afl/out/$target/default"
        tail -n 30 "$log"
    fi
done
exit $failed
