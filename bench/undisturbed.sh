# Sourced by benchmarks: until the script ends, its session comes first on the processors. Linux shares them between sessions
# (autogroup), so that a service that does something once a second takes a processor away for up to 15 ms: a longer
# gap than any of a stream's own (docs/decisions/0035). Where that may not be set, nothing changes.
if read -r _ _ usual </proc/self/autogroup 2>/dev/null && { echo -20 >/proc/self/autogroup; } 2>/dev/null; then
    trap 'echo "$usual" >/proc/self/autogroup' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
fi
