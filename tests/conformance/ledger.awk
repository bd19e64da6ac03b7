# Citations ("FILE:[RULE]" a line) and the ledgers in, docs/conformance.md out. See ledger.sh.
function complain(text) { print text >"/dev/stderr"; bad = 1 }
function trim(text) { gsub(/^[ \t]+|[ \t]+$/, "", text); return text }

# "src/mptcp/join.c, src/mptcp/subflow.c": where a rule is cited, shortened to links of the document.
function note(rule, file,    kind) {
    kind = file ~ /^(src|include)\// ? "code" : "test"
    if ((rule, file) in seen) return
    seen[rule, file] = 1
    sub(/^src\//, "", file); sub(/^tests\//, "", file)
    where[rule, kind] = where[rule, kind] (where[rule, kind] == "" ? "" : "<br>") "`" file "`"
    cited[rule] = 1
}

{ split($0, part, ":"); rule = part[2]; gsub(/[\[\]]/, "", rule); note(rule, part[1]) }

function judge(id, level, state, why,    must) {
    must = level ~ /^(MUST|REQUIRED|SHALL|text)/
    if (state !~ /^(kept|partly|not kept|n\/a)$/) complain("ledger: " id " is neither kept, partly, not kept nor n/a")
    if (state != "kept" && why == "") complain("ledger: " id " is not kept and does not say why")
    if (must && state == "kept" && where[id, "code"] == "") complain("ledger: " id " has no citation in code")
    if (must && state == "kept" && where[id, "test"] == "") complain("ledger: " id " has no citation in a test")
    count[level ~ /^(MUST|text)/ ? substr(level, 1, 4) : "SHOULD", state]++
}

function row(line,    field, fields, id, level, state, words, why, mark) {
    fields = split(line, field, "|")
    id = trim(field[1]); level = trim(field[2]); state = trim(field[3]); words = trim(field[4])
    why = fields > 4 ? trim(field[5]) : ""
    if (fields < 4 || words == "") { complain("ledger: bad line: " line); return }
    if (rule_of != "" && index(id, rule_of) != 1) complain("ledger: " id " is not one of " rule_of "SECTION-NUMBER")
    if (id in known) complain("ledger: " id " is there twice")
    known[id] = 1
    judge(id, level, state, why)
    body = body "| " id " | " level " | " words " | " state (why == "" ? "" : ": " why) " | " where[id, "code"] " | " where[id, "test"] " |\n"
}

function summary(name,    text, s, i) {
    split("kept partly not_kept n/a", s, " ")
    for (i = 1; i <= 4; i++) {
        sub(/_/, " ", s[i])
        if (count[name, s[i]] > 0) text = text (text == "" ? "" : ", ") count[name, s[i]] " " s[i]
    }
    return text
}

# What stands over a ledger, and what the names of its rules begin with, where that tells the RFC.
function heading(path, line) {
    title = line; sub(/^# */, "", title); sub(/[.:]? *$/, "", title)
    if (title !~ /^RFC [0-9]+, /) complain("ledger: " path " does not begin with the name of its RFC")
    number = path; gsub(/[^0-9]/, "", number)
    rule_of = number == "8684" || number == "9293" ? "" : "R-" number "-"
    if (number == "8684") return "The section stands in the rule's name: R-3.3.3-1 is the first rule of §3.3.3."
    if (number == "9293") return "The RFC numbers its rules itself (Appendix B)."
    return "" rule_of "3.2-1 is the first rule of §3.2."
}

function contents(    must, text) {
    must = summary("MUST"); text = summary("text")
    return "MUST and MUST NOT: " (must == "" ? "none" : must) "." \
        (summary("SHOULD") == "" ? "" : " SHOULD, RECOMMENDED and their opposites: " summary("SHOULD") ".") \
        (text == "" ? "" : " Demanded in other words (text): " text ".")
}

function ledger(path,    line, head) {
    body = head = ""
    split("", count)
    while ((getline line <path) > 0) {
        if (head == "") head = heading(path, line)
        if (line ~ /^#/ || trim(line) == "") continue
        row(line)
    }
    close(path)
    if (body == "") return
    print "\n## " title "\n\n" head "\n"
    print contents() "\n"
    print "| rule | level | in our words | state | code | tests |\n|---|---|---|---|---|---|"
    printf "%s", body
}

END {
    print "# Conformance\n"
    print "What the RFCs demand, whether braid does it, where, and which test shows it. Written by"
    print "`tests/conformance/ledger.sh` from the ledgers `tests/conformance/rules-*.txt` and from the citations of their rules in"
    print "code and tests; a test fails when it is out of date. Code is below `src/`, tests below `tests/`."
    n = split(ledgers, path, " ")
    for (i = 1; i <= n; i++) ledger(path[i])
    for (rule in cited) if (!(rule in known)) complain("a citation names no rule: " rule)
    if (bad) exit 1
}
