# What every shell test sources. A test is a function; `promise` gives it its time-out and its name, which is what it
# promises; the script ends with `keep_promises "$@"`:
#
#     . "${0%/*}/../lib.sh"
#     greets() { [ "$("$braid" --version)" != "" ] || fail "said nothing"; }
#     promise 5 greets "braid says its version"
#     keep_promises "$@"
#
# `sh tests/system/thing.sh` runs all of a script's tests, `sh tests/system/thing.sh greets` one. Each runs by itself,
# under `set -eu`, in a fresh folder build/check/SCRIPT/TEST, which also keeps its log. The preset tested is dev, or
# what BRAID_BUILD names.

root=$(cd "${0%/*}/../.." && pwd)
script=$root/tests/$(basename "$(cd "${0%/*}" && pwd)")/${0##*/}
suite=$(basename "$0" .sh)
build=${BRAID_BUILD:-$root/build/dev}
braid=$build/braid
results=${BRAID_RESULTS:-$root/build/check/results}
promises=

promise() {
    promises="$promises$1 $2 $3
"
}

keep_promises() {
    if [ "${1-}" = --here ]; then
        set -eu
        "$2"
        exit 0
    fi
    [ -n "${BRAID_RESULTS-}" ] || { mkdir -p "${results%/*}"; : >"$results"; }
    kept=0
    while read -r seconds function sentence; do
        [ -n "$seconds" ] || continue
        [ -z "${1-}" ] || [ "$1" = "$function" ] || continue
        keep_promise "$seconds" "$function" "$sentence" || kept=1
    done <<EOF
$promises
EOF
    exit $kept
}

keep_promise() {
    scratch=$root/build/check/$suite/$2
    rm -rf "$scratch"
    mkdir -p "$scratch"
    began=$(date +%s)
    (cd "$scratch" && exec timeout -k 5 "$1" sh "$script" --here "$2") >"$scratch.log" 2>&1 </dev/null && status=0 ||
        status=$?
    took=$(($(date +%s) - began))
    case $status in
    0) report ok "$3" ;;
    77) report skip "$3" "$(tail -n 1 "$scratch.log")" ;;
    124 | 137) report 'not ok' "$3" "not done after $1 s"; tail_of "$scratch.log"; return 1 ;;
    *) report 'not ok' "$3"; tail_of "$scratch.log"; return 1 ;;
    esac
}

report() {
    printf '%s\t%s: %s%s\n' "$1" "$suite" "$2" "${3:+ ($3)}" >>"$results"
    printf '%-6s %s: %s (%s s)%s\n' "$1" "$suite" "$2" "$took" "${3:+: $3}"
}

tail_of() {
    tail -n 20 "$1" | sed 's/^/       | /'
    echo "       | all of it: ${1#"$root"/}"
}

# --- for the tests themselves ---

fail() {
    echo "$*" >&2
    exit 1
}

skip() {
    echo "$*"
    exit 77
}

# expect_exit STATUS COMMAND...: its output is left in the files `out` and `err`.
expect_exit() {
    wanted=$1
    shift
    got=0
    "$@" >out 2>err || got=$?
    cat out err
    [ "$got" = "$wanted" ] || fail "exit status $got, not $wanted: $*"
}

# The file holds one line, and that line matches the pattern of grep -E.
expect_one_line() {
    [ "$(wc -l <"$1")" = 1 ] || fail "$1 holds $(wc -l <"$1") lines, not 1"
    grep -Eq -- "$2" "$1" || fail "$1 does not say: $2"
}

expect_same_bytes() {
    cmp "$1" "$2" || fail "$1 and $2 differ"
}

# At least `$2` and at most `$3`; decimals are fine.
expect_between() {
    awk -v v="$1" -v low="$2" -v high="$3" 'BEGIN { exit !(v + 0 >= low && v + 0 <= high) }' ||
        fail "${4:-the value} is $1, not within $2..$3"
}

# dissect CAPTURE ARGUMENT...: what tshark prints of it. What TCP carries is data and nothing else: tshark would guess from
# the bytes, take random ones for some protocol's now and then, and call them malformed.
dissect() {
    capture=$1
    shift
    tshark -r "$capture" -d tcp.port==1-65535,data "$@" 2>>tshark.err || fail "tshark: $(cat tshark.err)"
}
