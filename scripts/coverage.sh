#!/bin/sh
# Which lines and branches of the core floors (base ... stack) the tests run: a table on screen, build/coverage/summary.json,
# every line in build/coverage/html/index.html. scripts/coverage.sh [--write]: with --write, docs/coverage.md gets the table.
# Unit and conformance tests, walks, and scenarios; neither fuzzers nor what measures speed. Fails below 90 % of the lines
# or 80 % of the branches.
set -eu
cd "$(dirname "$0")/.."
scripts/build.sh coverage
find build/coverage -name '*.gcda' -delete
echo "Testing (build/coverage/tests.log)"
if ! ctest --test-dir build/coverage -j "$(nproc)" -E '^fuzz|goodput|bonding|bench' --timeout 900 >build/coverage/tests.log 2>&1; then
    sed -n '/The following tests FAILED/,/Errors while/p' build/coverage/tests.log >&2
    exit 1
fi
rm -rf build/coverage/html
mkdir -p build/coverage/html
# What an ENSURE does when it does not hold is no behaviour of the program: to get there is the error.
gcovr --root . --filter 'src/(base|wire|crypto|congestion|tcp|mptcp|stack)/' --exclude-branches-by-pattern '.*\bENSURE\(.*' \
    --json-summary build/coverage/summary.json --html-details build/coverage/html/index.html \
    --txt build/coverage/lines.txt build/coverage >build/coverage/gcovr.log 2>&1 ||
    { cat build/coverage/gcovr.log >&2; exit 1; }
jq -r '
    def share(of; part): (map(part) | add) as $p | (map(of) | add) as $o | "\($p) of \($o), \($p / $o * 1000 | round / 10) %";
    def row(name): "| \(name) | \(share(.line_total; .line_covered)) | \(share(.branch_total; .branch_covered)) |";
    "| floor | lines | branches |", "|---|---|---|",
    (.files | group_by(.filename | split("/")[1])[] | row(.[0].filename | split("/")[1])),
    (.files | row("all"))' build/coverage/summary.json | tee build/coverage/table.md
if [ "${1-}" = --write ]; then
    awk -v table=build/coverage/table.md '
        /<!-- figures -->/ { print; print ""; while ((getline line <table) > 0) print line; print ""; skip = 1 }
        /<!-- end -->/ { skip = 0 }
        !skip && !/<!-- figures -->/ { print }' docs/coverage.md >build/coverage/coverage.md
    cp build/coverage/coverage.md docs/coverage.md
fi
jq -e '.line_percent >= 90 and .branch_percent >= 80' build/coverage/summary.json >/dev/null ||
    { echo "Too little: 90 % of the lines and 80 % of the branches are the least" >&2; exit 1; }
