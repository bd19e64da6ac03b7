#!/bin/sh
# The tests that docs/attacks.md, docs/lessons.md and docs/tcp.md name, in the last column of their tables: each exists, is among those
# that are run, and, in a run of the whole suite, has run. And each test of an attack or a lesson is named there.
#
#     `PROGRAM`: case, case; `PROGRAM`: case      a cmocka program and its cases
#     `conformance/FOLDER/NAME.txt`               a conformance script
#     `interop/NAME.sh`: case                     a script and its tests
. "${0%/*}/../lib.sh"

# named_in FILE: a line for each test named there: the program, and the case (or -).
named_in() {
    awk -F '|' '/^\|/ && $(NF - 1) ~ /`/ {
        n = split($(NF - 1), groups, ";")
        for (i = 1; i <= n; i++) {
            if (split(groups[i], part, "`") < 3) { print "?", groups[i]; continue }
            sub(/^: */, "", part[3])
            m = split(part[3], cases, /[ ,]+/)
            some = 0
            for (j = 1; j <= m; j++) if (cases[j] != "") { print part[2], cases[j]; some = 1 }
            if (!some) print part[2], "-"
        }
    }' "$1"
}

registered() { grep -qE "^ *Test +#[0-9]+: $1\$" registered; }

# In a run of the whole suite: this is among what it said so far.
has_run() {
    ! grep -q '	unit: ' "$results" 2>/dev/null || grep -qE "^(ok|not ok|skip)	unit: $1(:| |\$)" "$results"
}

source_of() {
    case $1 in
    sim_test_*) echo "$root/tests/sim/${1#sim_}.c" ;;
    sockets_test_*) echo "$root/tests/sockets/${1#sockets_}.c" ;;
    unit_*_test_*) echo "$root/tests/unit/$(echo "${1#unit_}" | sed 's,_test_.*,,')/test_${1#*_test_}.c" ;;
    esac
}

# exists PROGRAM CASE
exists() {
    case $1 in
    conformance/*.txt)
        name=conform_$(echo "${1#conformance/}" | sed 's,/,_,g; s,[.]txt$,,')
        [ -e "$root/tests/$1" ] && registered "$name" && has_run "$name"
        ;;
    interop/*.sh | system/*.sh) grep -qE "^promise [0-9]+ $2 " "$root/tests/$1" ;;
    sim_walk) registered sim_walk && has_run sim_walk ;;
    *)
        source=$(source_of "$1")
        [ -e "$source" ] && grep -qE "(cmocka_unit_test[a-z_]*|TEST)\($2[,)]" "$source" && registered "$1" && has_run "$1: $2"
        ;;
    esac
}

missing_in() {
    ctest --test-dir "$build" -N >registered
    named_in "$1" >named
    while read -r program name; do
        exists "$program" "$name" || echo "$program: $name"
    done <named
}

all_exist() {
    for document in attacks lessons tcp; do
        missing=$(missing_in "$root/docs/$document.md")
        [ "$(wc -l <named)" -ge 30 ] || fail "docs/$document.md names only $(wc -l <named) tests: is it read?"
        [ -z "$missing" ] || fail "docs/$document.md names what is not run: $missing"
    done
}
promise 60 all_exist "every test that docs/attacks.md, docs/lessons.md and docs/tcp.md name exists and is run"

# Each row of those tables has one.
no_row_without() {
    for document in attacks lessons tcp; do
        rows=$(awk -F '|' '/^\|/ && !/^\|---/ && $(NF - 1) !~ /^ Tests? $/ && $(NF - 1) !~ /`/' "$root/docs/$document.md")
        [ -z "$rows" ] || fail "docs/$document.md names no test here: $rows"
    done
}
promise 10 no_row_without "every attack, every lesson and every feature of TCP names a test"

all_are_named() {
    for document in attacks lessons; do
        named_in "$root/docs/$document.md" | sed 's/.* //' | sort -u >named
        sed -n 's/^ *cmocka_unit_test[a-z_]*(\([a-z_0-9]*\)[,)].*/\1/p' "$root"/tests/sim/test_"$document"*.c | sort -u >there
        [ -s there ] || fail "tests/sim/test_$document*.c have no tests"
        unnamed=$(comm -13 named there)
        [ -z "$unnamed" ] || fail "docs/$document.md does not name: $unnamed"
    done
}
promise 10 all_are_named "every test of an attack or a lesson is named in its table"

# docs/fuzzing.md: each target has its row and its seeds, and the inputs that it says were found are there.
fuzz_targets_are_told() {
    for source in "$root"/fuzz/fuzz_*.c; do
        target=$(basename "$source" .c)
        target=${target#fuzz_}
        grep -q "^| $target | " "$root/docs/fuzzing.md" || fail "docs/fuzzing.md does not tell of $target"
        [ -n "$(ls "$root/fuzz/corpus/$target")" ] || fail "$target has no seeds"
    done
    grep -o '`corpus/[^`]*`' "$root/docs/fuzzing.md" | tr -d '`' >found
    [ -s found ] || fail "docs/fuzzing.md names no inputs: is it read?"
    while read -r input; do
        [ -e "$root/fuzz/$input" ] || fail "there is no fuzz/$input"
    done <found
}
promise 10 fuzz_targets_are_told "every fuzz target is in docs/fuzzing.md, with seeds, and so is what it found"

# Of four tests that are named here only the last is there.
strangers_are_found() {
    cat >doctored.md <<'EOF'
| what | `sim_test_attacks_mptcp`: there_is_no_such_test; `sim_test_nothing`: joins_are_limited_in_rate |
| what | `conformance/rfc8684/none.txt`; `sim_test_attacks_mptcp`: joins_are_limited_in_rate |
EOF
    missing=$(missing_in doctored.md | wc -l)
    [ "$missing" = 3 ] || fail "$missing of 3 were found to be missing"
}
promise 10 strangers_are_found "a test that is named and not there would be found"

keep_promises "$@"
