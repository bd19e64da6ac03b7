# Reads what `ctest --verbose` says when its programs speak TAP, and writes one line a test, as tests/lib.sh does:
# ok, not ok or skip, a tab, and the test's name. A program that ends badly without having failed a test (a crash, a
# time-out, a leak found at its end) is one failed test of its own name. What failing programs said besides TAP goes to
# standard error.
BEGIN { OFS = "\t" }

/^[0-9]+: / && !/^[0-9]+: ((not )?ok |1\.\.[0-9]|Test command|Working Dir|Test timeout)/ {
    number = $1; said[number] = said[number] "       | " substr($0, length($1) + 2) "\n"
}

/^[0-9]+: ok [0-9]+ / {
    number = $1; sub(/^[0-9]+: ok [0-9]+ (- )?/, ""); add(number, "ok", $0); next
}
/^[0-9]+: not ok [0-9]+ # SKIP/ {
    number = $1; sub(/^[0-9]+: not ok [0-9]+ # SKIP */, ""); add(number, "skip", $0); next
}
/^[0-9]+: not ok [0-9]+ / {
    number = $1; sub(/^[0-9]+: not ok [0-9]+ (- )?/, ""); add(number, "not ok", $0); failed[number]++; next
}
/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / {
    sub(/^ *[0-9]+\/[0-9]+ Test +#/, ""); number = $1; program = $2
    passed = $0 ~ / Passed /
    for (i = 1; i <= count[number]; i++) print verdict[number, i], prefix program ": " name[number, i]
    if (!passed) printf "       | %s:\n%s", program, said[number] >"/dev/stderr"
    if (!passed && !failed[number]) print "not ok", prefix program ": ended badly"
    if (passed && !count[number]) print "ok", prefix program
}

function add(number, what, test) {
    count[number]++
    verdict[number, count[number]] = what
    name[number, count[number]] = test
}
