#!/bin/sh
# What braid says to those who ask for what it cannot do: one clear line, and exit status 2 (126 and 127 as shells do).
. "${0%/*}/../lib.sh"

# Runs braid in a network namespace of its own, where there is nothing but a loopback interface.
offline() {
    if [ "$(id -u)" = 0 ]; then unshare --net "$@"; else unshare --user --map-root-user --net "$@"; fi
}

refused() {
    pattern=$1
    shift
    expect_exit 2 "$@"
    [ ! -s out ] || fail "it wrote to standard output"
    expect_one_line err "$pattern"
}

unknown_interface() {
    refused 'wifi7' offline "$braid" run --uplink wifi7 -- true
}
promise 10 unknown_interface "an interface that does not exist is refused by its name"

no_uplink() {
    refused '(uplink|route)' offline "$braid" run -- true
}
promise 10 no_uplink "a machine without a default route is told that there is no uplink"

bad_policy() {
    refused 'fastest' offline "$braid" run --policy fastest -- true
}
promise 10 bad_policy "an unknown policy is refused by its name"

bad_seed() {
    for seed in seven -1 4294967296 ''; do refused 'seed|understand' "$braid" lab lab.yaml --seed "$seed"; done
}
promise 10 bad_seed "a seed that is no number of 32 bits is refused"

# Without privilege, and without the user namespaces that would do instead.
no_privilege() {
    [ "$(id -u)" = 0 ] || skip "only root can give up privileges here"
    chmod 755 .
    cp "$braid" ./braid
    refused '(root|sudo|CAP_)' unshare --net setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all \
        ./braid run --uplink lo -- true
}
promise 10 no_privilege "without privilege it says what to do"

no_command() {
    refused 'command' offline "$braid" run --
}
promise 10 no_command "a run without a command is refused"

unknown_verb() {
    refused 'frobnicate' "$braid" frobnicate
}
promise 10 unknown_verb "an unknown verb is refused by its name"

missing_scenario() {
    refused 'nowhere\.yaml' "$braid" lab nowhere.yaml
}
promise 10 missing_scenario "a scenario that is not there is refused by its name"

broken_yaml() {
    printf 'hosts:\n  phone: {\n' >broken.yaml
    refused '^.*broken\.yaml:[0-9]+: ' "$braid" lab broken.yaml
}
promise 10 broken_yaml "a scenario that is no YAML is refused with file, line and reason"

unknown_key() {
    printf 'hosts:\n  phone:\n    colour: red\n' >unknown.yaml
    refused 'unknown\.yaml:3: .*colour' "$braid" lab unknown.yaml
}
promise 10 unknown_key "an unknown key in a scenario is refused with file, line and its name"

missing_result() {
    refused 'nowhere\.json' "$braid" report nowhere.json
}
promise 10 missing_result "a result that is not there is refused by its name"

# Every option that wants a number: the range is told, and what was given.
number_out_of_range() {
    while read -r call; do
        # shellcheck disable=SC2086
        refused "(from [0-9.]+ to [0-9.]+, not .*99999999999999999999|a port is a number from 1 to 65535, not 99999999999999999999)" \
            offline "$braid" $call
    done <<'EOF'
run --limit subflows=99999999999999999999 -- true
run --limit add_addr_accepted=99999999999999999999 -- true
run --limit ndiffports=99999999999999999999 -- true
run --uplink lo:weight=99999999999999999999 -- true
run --threads 99999999999999999999 -- true
probe serve --port 99999999999999999999
probe receive --port 99999999999999999999
probe bulk 127.0.0.1:99999999999999999999
probe bulk --bytes 99999999999999999999 127.0.0.1:1
probe bulk --seed 99999999999999999999 127.0.0.1:1
probe bulk --write-max 99999999999999999999 127.0.0.1:1
probe bulk --timeout 99999999999999999999 127.0.0.1:1
probe bulk --for 99999999999999999999 127.0.0.1:1
probe bulk --receive-buffer 99999999999999999999 127.0.0.1:1
probe messages --size 99999999999999999999 127.0.0.1:1
probe messages --rate 99999999999999999999 127.0.0.1:1
probe messages --seconds 99999999999999999999 127.0.0.1:1
EOF
    for size in 99999999999999999999 1023K 1025G 64MB -1 '' M; do
        refused '^braid run: --memory wants a size from 1M to 1024G, such as 64M' offline "$braid" run --memory "$size" -- true
    done
    for size in 99999999999999999999 1023K 1025G 64MB -1 '' M; do
        refused '^braid run: uplink lo: cap wants a size from 1M to 1024G, such as 500M' \
            offline "$braid" run --uplink "lo:cap=$size" -- true
    done
    for number in 0 17 -1 2x ''; do
        refused "^braid run: --threads wants a number from 1 to 16, not $number\$" offline "$braid" run --threads "$number" -- true
    done
    refused '^braid run: uplink lo: a cap cannot be kept by several threads' offline "$braid" run --threads 2 --uplink lo:cap=1G -- true
    refused '^braid run: --memory is shared by the 4 threads .*4M or more' offline "$braid" run --threads 4 --memory 3M -- true
    for size in 99999999999999999999 15K 2G 64KB -1 '' K; do
        refused '^braid run: --receive-buffer wants a size from 16K to 1G, such as 2M' offline "$braid" run --receive-buffer "$size" -- true
    done
    refused '"99999999999999999999"' "$braid" sim --seed 99999999999999999999 "$root/lab/scenarios/handover.yaml"
    refused 'from 0 to 18446744073709551615' "$braid" sim --seed -1 "$root/lab/scenarios/handover.yaml"
}
promise 20 number_out_of_range "a number out of range is refused with the option's name and its range"

unwritable_statistics() {
    refused 'cannot write the statistics nowhere/s\.json: ' offline "$braid" run --statistics nowhere/s.json -- true
}
promise 10 unwritable_statistics "statistics that cannot be written are told before anything begins"

# Every option that wants one of several names: they are told.
unknown_name() {
    refused 'blue .*there are handover and aggregate' offline "$braid" run --policy blue -- true
    refused 'blue .*there are both, discover, 1, 0, none' offline "$braid" run --mptcp blue -- true
    refused 'blue .*there are cubic, .*bbr' offline "$braid" run --congestion blue -- true
    refused 'blue .*there are lowest-rtt, .*blest' offline "$braid" run --scheduler blue -- true
    refused 'blue .*there are fullmesh, .*none' offline "$braid" run --path-manager blue -- true
    refused 'blue .*there are :backup, :metered, :cap=SIZE \(1M to 1024G\) and :weight=N \(1 to 255\)' \
        offline "$braid" run --uplink lo:blue -- true
    refused 'blue=1 .*there are subflows=N, .*ndiffports=N' offline "$braid" run --limit blue=1 -- true
    refused 'no run "blue"; there are [a-z]' "$braid" sim --run blue "$root/lab/scenarios/handover.yaml"
    refused 'no run "blue"; there are [a-z]' "$braid" lab --run blue "$root/lab/scenarios/handover.yaml"
    refused 'no host "blue".*there are .*phone' "$braid" lab --shell blue "$root/lab/scenarios/handover.yaml"
    refused 'serve, bulk, messages, receive or send' "$braid" probe
    for key in congestion server_congestion scheduler server_scheduler; do
        sed "s/transfer: {server: server, /&$key: blue, /; s/, server_congestion: [a-z]*}/}/" "$root/lab/scenarios/aggregate.yaml" >blue.yaml
        grep -q blue blue.yaml || fail "the scenario has no transfer any more"
        refused 'blue\.yaml:[0-9]+: .*"blue"; there are (cubic, .*bbr|lowest-rtt, .*blest)' "$braid" sim blue.yaml
    done
}
promise 20 unknown_name "an unknown name is refused with the names there are"

helps() {
    for verb in '' run lab sim report; do
        expect_exit 0 "$braid" $verb --help
        [ -s out ] || fail "$verb --help says nothing"
    done
}
promise 10 helps "every verb explains itself"

keep_promises "$@"
