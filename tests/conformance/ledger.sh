#!/bin/sh
# docs/conformance.md, from the ledgers rules-*.txt and the citations of their rules in code and tests:
#
#     sh tests/conformance/ledger.sh             writes it
#     sh tests/conformance/ledger.sh --check     fails if it is not what would be written
#
# A ledger more is one file more: rules-NNNN.txt of RFC NNNN, whose first line is `# RFC NNNN, what it is about` and whose
# rules are named R-NNNN-SECTION-NUMBER.
#
# Both fail when a MUST that is said to be kept has no citation in code or none in a test, when a citation names no rule,
# or when a rule that is not kept does not say why.
set -eu
cd "$(dirname "$0")/../.."
out=docs/conformance.md
new=$(mktemp)
trap 'rm -f "$new"' EXIT

citations() {
    grep -roE --include='*.[ch]' --include='*.txt' --include='*.sh' \
        '\[(R-([0-9]{4}-)?[0-9A-Z]+(\.[0-9]+)*-[0-9]+|(MUST|SHLD)-[0-9]+)\]' src include tests fuzz |
        grep -v '^tests/conformance/rules-' | LC_ALL=C sort -u
}

# RFC 8684 is what all this is for, RFC 9293 what it stands on; the others follow by their numbers.
ledgers="tests/conformance/rules-8684.txt tests/conformance/rules-9293.txt"
for ledger in tests/conformance/rules-*.txt; do
    case $ledger in
    */rules-8684.txt | */rules-9293.txt) ;;
    *) ledgers="$ledgers $ledger" ;;
    esac
done

citations | awk -v ledgers="$ledgers" \
    -f tests/conformance/ledger.awk >"$new"
if [ "${1-}" = --check ]; then
    cmp -s "$new" "$out" || {
        echo "$out is not what tests/conformance/ledger.sh writes from ledgers and citations: run it" >&2
        exit 1
    }
else
    cp "$new" "$out"
fi
