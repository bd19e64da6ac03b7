#!/bin/sh
# The sans-I/O core, as its object files show it: what each floor's library needs and does not define itself must be
# defined by a floor below it, or be one of libc's memory functions; and no floor of it keeps a variable.
. "${0%/*}/../lib.sh"

memory_functions='memcpy memmove memset memcmp'

# What a floor may use besides libc's memory functions: the floors below it, as in CMakeLists.txt.
below() {
    case $1 in
    base) ;;
    wire | crypto | congestion) echo base ;;
    tcp) echo base wire congestion ;;
    mptcp) echo base wire congestion crypto tcp ;;
    stack) echo base wire congestion crypto tcp mptcp ;;
    esac
}
core='base wire congestion tcp mptcp stack'

defined_in() { nm --defined-only --extern-only --format=posix "$1" | awk 'NF >= 2 && $1 !~ /:$/ { print $1 }'; }
undefined_in() { nm --undefined-only --format=posix "$1" | awk '$2 ~ /^[Uwv]$/ { print $1 }'; }

libraries_are_there() {
    for floor in $core crypto; do
        [ -e "$build/libbraid_$floor.a" ] || fail "there is no library of the floor $floor"
        [ -n "$(undefined_in "$build/libbraid_$floor.a")" ] || fail "nm finds no needs at all in $floor: does it read it?"
    done
}

# strangers DIRECTORY FLOOR: the names that the floor's library in DIRECTORY needs and may not.
strangers() {
    {
        for name in $memory_functions; do echo "$name"; done
        for lower in $2 $(below "$2"); do defined_in "$1/libbraid_$lower.a"; done
    } | sort -u >"known.$2"
    undefined_in "$1/libbraid_$2.a" | grep -vx _GLOBAL_OFFSET_TABLE_ | sort -u | comm -23 - "known.$2"
}

only_lower_floors() {
    libraries_are_there
    for floor in $core; do
        found=$(strangers "$build" "$floor")
        [ -z "$found" ] || fail "the floor $floor needs: $found"
    done
}
promise 20 only_lower_floors "each floor of the core needs only lower floors and libc's memory functions"

crypto_needs_only_libcrypto() {
    libraries_are_there
    strangers "$build" crypto >needs
    library=$("${CC:-cc}" -print-file-name=libcrypto.so)
    nm -D --defined-only --format=posix "$library" | sed 's/[@ ].*//' | sort -u >libcrypto
    [ -s libcrypto ] || fail "no symbols in $library"
    found=$(comm -23 needs libcrypto)
    [ -z "$found" ] || fail "the floor crypto needs: $found"
}
promise 20 crypto_needs_only_libcrypto "the crypto floor needs only base, libcrypto and libc's memory functions"

# A copy of the core with one more function in the tcp floor, which calls what it must not.
strangers_are_found() {
    for call in 'malloc(1)' 'printf("x")' 'braid_stack_destroy(0)'; do
        name=${call%%(*}
        rm -rf doctored
        mkdir doctored
        for floor in $core crypto; do cp "$build/libbraid_$floor.a" doctored/; done
        printf 'void *%s(); void *doctored(void); void *doctored(void) { return %s; }\n' "$name" "$call" >doctored.c
        "${CC:-cc}" -w -fno-builtin -c doctored.c -o doctored.o
        ar r doctored/libbraid_tcp.a doctored.o
        found=$(strangers "$PWD/doctored" tcp)
        [ "$found" = "$name" ] || fail "with a call of $name, the strangers found are: '$found'"
    done
}
promise 20 strangers_are_found "malloc, printf or an upward call in the tcp floor would be found"

# Bytes of writable data, zeroed data and thread-local data in a library (constant tables with pointers do not count).
variable_bytes() {
    objdump -h "$1" | awk '$2 ~ /^\.(data|bss|tdata|tbss)(\.|$)/ && $2 !~ /^\.data\.rel\.ro/ { print $3, $2 }' |
        grep -v '^00000000 ' || true
}

no_variables() {
    libraries_are_there
    for floor in $core crypto; do
        found=$(variable_bytes "$build/libbraid_$floor.a")
        [ -z "$found" ] || fail "the floor $floor keeps variables: $found"
    done
    printf 'static int kept; int *doctored(void); int *doctored(void) { return &kept; }\n' >doctored.c
    "${CC:-cc}" -c doctored.c -o doctored.o
    ar rc doctored.a doctored.o
    [ -n "$(variable_bytes doctored.a)" ] || fail "a static variable is not found"
}
promise 20 no_variables "the core keeps no global variable"

keep_promises "$@"
