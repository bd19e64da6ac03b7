#!/bin/sh
# Every test: installs what is missing, builds, runs, and ends in "N passed, N failed". One script's tests run alone as
# HACKING.md shows.
set -eu
cd "$(dirname "$0")"
began=$(date +%s)

scripts/setup.sh check
rm -rf build/check
mkdir -p build/check
BRAID_RESULTS=$PWD/build/check/results
export BRAID_RESULTS
: >"$BRAID_RESULTS"

so_far() { echo $(($(date +%s) - began)); }

# The tests that CMake knows in a preset whose label matches; what they say is kept in build/check/units-PRESET.log.
units() {
    echo "Tests of the preset $1 (after $(so_far) s)"
    CMOCKA_MESSAGE_OUTPUT=tap ctest --test-dir "build/$1" -L "$3" --verbose --timeout 400 -j "$(nproc)" \
        >"build/check/units-$1.log" 2>&1 </dev/null || true
    awk -v prefix="$2" -f scripts/unit_results.awk "build/check/units-$1.log" >"build/check/units-$1"
    [ -s "build/check/units-$1" ] || printf 'not ok\tbuild: the preset %s has tests\n' "$1" >"build/check/units-$1"
    cat "build/check/units-$1" >>"$BRAID_RESULTS"
    awk -F '\t' '{ n[$1]++ } $1 == "not ok" { print "not ok", $2 }
        END { printf "       %d passed, %d failed, %d skipped\n", n["ok"], n["not ok"], n["skip"] }' "build/check/units-$1"
}

count() {
    awk -F '\t' -v what="$1" '$1 == what { n++ } END { print n + 0 }' "$BRAID_RESULTS"
}

# build_and_test PRESET PREFIX LABEL [CMAKE ARGUMENT]: builds a preset and runs its tests. A build that fails is a
# failed test, and so is a preset without tests.
build_and_test() {
    preset=$1 prefix=$2 label=$3
    shift 3
    if scripts/build.sh "$preset" "$@"; then
        units "$preset" "$prefix" "$label"
    else
        printf 'not ok\tbuild: the preset %s builds\n' "$preset" >>"$BRAID_RESULTS"
    fi
}

build_and_test dev "unit: " ''
build_and_test asan "unit, with sanitizers: " ''
build_and_test fuzz "" fuzz -DBRAID_FUZZ_SECONDS=12
awk -f scripts/fuzz_rates.awk build/check/units-fuzz.log
for script in tests/system/*.sh tests/interop/*.sh; do
    echo "$script (after $(so_far) s)"
    sh "$script" || true
done

passed=$(count ok) failed=$(count 'not ok') skipped=$(count skip)
if [ "$failed" != 0 ]; then
    echo
    echo "Failed:"
    sed -n 's/^not ok\t/  /p' "$BRAID_RESULTS"
fi
if [ "$skipped" != 0 ]; then
    echo
    echo "Skipped:"
    sed -n 's/^skip\t/  /p' "$BRAID_RESULTS"
fi
echo
echo "It took $(so_far) s; logs are in build/check."
suffix=
[ "$skipped" = 0 ] || suffix=", $skipped skipped"
echo "$passed passed, $failed failed$suffix"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
