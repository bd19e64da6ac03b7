#!/bin/sh
# One of the fuzz targets under AFL++: fuzz/afl.sh TARGET [SECONDS]. Its findings go to build/afl/out/TARGET. The sources
# are those of libFuzzer's targets; AFL++ brings a main() for them.
set -eu
cd "$(dirname "$0")/.."
target=$1 seconds=${2:-60}
AFL_QUIET=1 cmake --preset afl >/dev/null
AFL_QUIET=1 cmake --build build/afl --target "fuzz_$target" >build/afl/build.log 2>&1 || {
    tail -n 20 build/afl/build.log >&2
    exit 1
}
mkdir -p build/afl/out
AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_UI=1 AFL_NO_AFFINITY=1 \
    afl-fuzz -V "$seconds" -m none -t 5000+ -i "fuzz/corpus/$target" -o "build/afl/out/$target" \
    "build/afl/fuzz/fuzz_$target" >build/afl/"$target".log 2>&1 || {
    tail -n 20 build/afl/"$target".log >&2
    exit 1
}
awk -F ' *: *' '$1 == "execs_done" || $1 == "execs_per_sec" || $1 == "saved_crashes" || $1 == "saved_hangs"' \
    "build/afl/out/$target/default/fuzzer_stats"
grep -q '^saved_crashes *: 0' "build/afl/out/$target/default/fuzzer_stats"
