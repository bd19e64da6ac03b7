#!/bin/sh
# Other machines than the one the tests run on. aarch64: the core compiles without a warning, and the checksum uses NEON, which is
# part of the architecture, so that there is nothing to choose at run time. There, and on s390x for its byte order, the unit
# tests of the floors base and wire hold, under qemu.
. "${0%/*}/../lib.sh"

core='base wire congestion tcp mptcp stack'
warnings=$(sed -n '/^add_compile_options(-Wall/,/)$/p' "$root/CMakeLists.txt" | tr -d '()' | sed 's/add_compile_options//')

need_compiler() {
    command -v "$1-linux-gnu-gcc" >/dev/null || skip "there is no $1-linux-gnu-gcc"
    [ -n "$warnings" ] || fail "CMakeLists.txt has no warnings: does this read it?"
}

# compiles MACHINE FILE OUTPUT, as the presets do
compiles() {
    includes="-I$root/include -I$(dirname "$2")"
    for used in $core crypto; do includes="$includes -I$root/src/$used/include"; done
    # Word splitting is wanted: these are lists of options.
    # shellcheck disable=SC2086
    "$1-linux-gnu-gcc" -std=gnu17 -O2 -Werror $warnings $includes -c "$2" -o "$3"
}

core_for_aarch64() {
    need_compiler aarch64
    count=0
    for floor in $core; do
        for file in "$root/src/$floor"/*.c; do
            compiles aarch64 "$file" "$floor.$(basename "$file" .c).o" || fail "$file does not compile"
            count=$((count + 1))
        done
    done
    echo "$count files"
    [ "$count" -gt 100 ] || fail "only $count files were found"
    printf 'int doctored(int unused) { return 0; }\n' >doctored.c
    ! compiles aarch64 doctored.c doctored.o 2>/dev/null || fail "a warning is no error"
}

# Of one function of an object, the instructions.
instructions_of() { aarch64-linux-gnu-objdump -d "$1" | awk -v name="<$2>:" '$2 == name { on = 1 } on && NF == 0 { exit } on'; }

neon() {
    need_compiler aarch64
    compiles aarch64 "$root/src/wire/checksum_wide.c" wide.o
    for function in words_16 copy_16; do
        instructions_of wide.o "$function" >"$function"
        [ -s "$function" ] || fail "there is no function $function"
        grep -qE '[[:space:]]add[[:space:]]+v[0-9]+\.2d' "$function" || fail "$function adds no vectors"
        grep -qE '[[:space:]]usra[[:space:]]+v[0-9]+\.2d' "$function" || fail "$function takes the upper halves apart otherwise"
    done
    grep -qE '[[:space:]](str|stp|stur)[[:space:]]+q[0-9]+' copy_16 || fail "copy_16 stores no vectors"
}

# unit_tests_under MACHINE: those of base and wire
unit_tests_under() {
    need_compiler "$1"
    command -v "qemu-$1" >/dev/null || skip "there is no qemu-$1"
    for floor in base wire; do
        for file in "$root/src/$floor"/*.c; do compiles "$1" "$file" "$floor.$(basename "$file" .c).o"; done
    done
    for test in "$root"/tests/unit/base/test_*.c "$root"/tests/unit/wire/test_*.c; do
        program=$(basename "$(dirname "$test")").$(basename "$test" .c)
        "$1-linux-gnu-gcc" -std=gnu17 -O2 -static -I"$root/tests/cross" -I"$root/include" -I"$root/src/base/include" \
            -I"$root/src/wire/include" "$test" base.*.o wire.*.o -lm -o "$program" || fail "$test does not compile for $1"
        "qemu-$1" "./$program" || fail "$program fails on $1"
    done >said
    cat said
    grep -qx a_copy_that_sums_is_a_copy_and_its_sum said || fail "the tests of the checksum did not run"
}

units_aarch64() { unit_tests_under aarch64; }
units_s390x() { unit_tests_under s390x; }

promise 300 core_for_aarch64 "the core compiles for aarch64 without a warning"
promise 20 neon "on aarch64 the checksum is summed, and copied, by NEON's vectors"
promise 300 units_aarch64 "base and wire keep their promises on aarch64"
promise 300 units_s390x "base and wire keep their promises with the bytes of a word the other way round"
keep_promises "$@"
