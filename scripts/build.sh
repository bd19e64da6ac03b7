#!/bin/sh
# Builds a preset of CMakePresets.json, quietly: scripts/build.sh dev|asan|release|... [ARGUMENT FOR CMAKE...].
# Everything the compiler said is in build/PRESET.log, and its errors are shown if it fails.
set -eu
cd "$(dirname "$0")/.."
preset=$1
shift
mkdir -p build
echo "Building ($preset)"
if ! { cmake --preset "$preset" "$@" && cmake --build --preset "$preset"; } >"build/$preset.log" 2>&1; then
    grep -E -A 6 'error|Error|FAILED' "build/$preset.log" | head -n 40 >&2 || true
    echo "The build failed: see build/$preset.log" >&2
    exit 1
fi
