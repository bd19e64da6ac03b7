#!/bin/sh
# The lab itself: what it promises to those who build networks with it.
. "${0%/*}/../lib.sh"

# Two hosts, a link of 10 Mb/s and 20 ms there and back, and a server on one of them.
small_lab() {
    cat >lab.yaml <<'E2'
hosts: {here: {}, there: {}}
links:
  path:
    from: {host: here, interface: eth0, address: [10.0.0.1/24, "fd00::1/64"], gateway: [10.0.0.2, "fd00::2"]}
    to: {host: there, interface: eth0, address: [10.0.0.2/24, "fd00::2/64"]}
    rate: 10Mbit
    delay: 10ms
    queue: 50ms
services:
  probe: {host: there, command: 'exec $BRAID probe serve', ready: {tcp: 7000}}
E2
    cat >>lab.yaml
}

field() {
    jq -r "$1" "${2:-results/result.json}"
}

exit_status() {
    small_lab </dev/null
    expect_exit 42 "$braid" lab lab.yaml -- here sh -c 'hostname; exit 42'
    [ "$(cat out)" = here ] || fail "the command ran elsewhere"
    [ ! -s err ] || fail "it is not quiet"
    expect_exit 127 "$braid" lab lab.yaml -- here no-such-command
    expect_exit 137 "$braid" lab lab.yaml -- here sh -c 'kill -9 $$'
}
promise 20 exit_status "one command's output and exit status are the lab's"

quick() {
    small_lab </dev/null
    began=$(date +%s%N)
    for i in 1 2 3 4 5; do "$braid" lab lab.yaml -- here true; done
    expect_between $((($(date +%s%N) - began) / 5000000)) 0 500 "milliseconds for a lab"
}
promise 20 quick "a lab is there and gone in half a second"

rate_and_delay() {
    small_lab </dev/null
    "$braid" lab lab.yaml -- here sh -c '$BRAID probe messages there:7000 --seconds 2; $BRAID probe bulk there:7000 --bytes 3e6;
        $BRAID probe bulk [fd00::2]:7000 --upload --bytes 3e6' >probes
    sed -n 1p probes | jq . >messages.json
    expect_between "$(field .latency_ms.p50 messages.json)" 20 22 "round trip in ms"
    for line in 2 3; do
        sed -n ${line}p probes | jq . >bulk.json
        expect_between "$(field .goodput_mbps bulk.json)" 8.4 9.57 "goodput in Mb/s"
        [ "$(field .verified bulk.json)" = true ] || fail "bytes were changed on the way"
    done
}
promise 30 rate_and_delay "a link has the rate and the delay that it was given"

down_and_up() {
    small_lab </dev/null
    "$braid" lab lab.yaml -- here sh -ec '
        look() { ip -o address show dev eth0 scope global | tr -s " " | cut -d " " -f 2-4; ip route; ip -6 route show default; }
        look >before
        $BRAID lab --tell "down: path"
        ip link show dev eth0 | grep -q "state DOWN"
        [ -z "$(ip route)" ]
        $BRAID lab --tell "up: path"
        look >after
        $BRAID probe bulk there:7000 --bytes 1e5
        $BRAID lab --tell "unplug: path"
        ip link show dev eth0 | grep -q NO-CARRIER
        $BRAID lab --tell "up: path"
        $BRAID probe bulk there:7000 --bytes 1e5
        $BRAID lab --tell "blackhole: path"
        ip link show dev eth0 | grep -q "state UP"
        if timeout 0.5 $BRAID probe bulk there:7000 --bytes 1; then exit 1; fi'
    diff before after || fail "the network is not what it was"
    "$braid" lab lab.yaml -- here sh -c '$BRAID lab --tell "down: nothing"' 2>err && fail "a wrong event was taken"
    grep -q nothing err || fail "it does not say what is wrong"
}
promise 20 down_and_up "an interface that was down comes up again with its addresses and routes"

measures() {
    small_lab <<'E2'
files:
  file: {size: 2MB, seed: 7}
events:
  - {at: 500ms, change: path, loss: 1%}
  - {at: 2s, change: path, loss: 0}
runs:
  whole: {host: here, command: 'head -c 1000000 $TMP/file; sleep 0.8; tail -c +1000001 $TMP/file; sleep 0.5', same_as: file}
  half: {host: here, command: 'head -c 1000000 $TMP/file; exit 3', same_as: file}
  endless: {host: here, command: 'echo; exec sleep 100', limit: 2500ms}
E2
    expect_exit 0 "$braid" lab lab.yaml --quiet --out results
    [ "$(field '[.whole, .half, .endless] | map(.completed) | join(" ")')" = "true false false" ] || fail "completed is wrong"
    [ "$(field '[.whole, .half] | map(.sha256_equal) | join(" ")')" = "true false" ] || fail "sha256_equal is wrong"
    expect_between "$(field .whole.silence_ms.change)" 780 900 "the silence of whole"
    [ "$(field .whole.silence_ms.change_2)" = null ] || fail "a silence after the end"
    expect_between "$(field .endless.silence_ms.change)" 2480 2600 "the silence of endless"
    expect_between "$(field .endless.seconds)" 2.5 2.7 "the time-out of endless"
    sed 's/exit 3.,/exit 3", expect: {exit: 0},/; s/command: .head -c 1000000 $TMP.file; exit/command: "head -c 1000000 $TMP\/file; exit/' lab.yaml >expects.yaml
    expect_exit 1 "$braid" lab expects.yaml --quiet --run half
}
promise 30 measures "silences, hashes, time-outs and expectations come out as they are"

nothing_stays() {
    small_lab </dev/null
    "$braid" lab lab.yaml --on there 'exec sleep 98765' -- here sh -c 'touch inside; exec sleep 98766' &
    lab=$!
    tries=0
    until [ -e inside ]; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || fail "the lab does not start"
        sleep 0.05
    done
    pgrep -f 'sleep 9876[56]' >/dev/null || fail "the lab's processes are not seen"
    kill -9 $lab
    sleep 0.5
    if pgrep -f 'sleep 9876[56]'; then fail "processes stayed"; fi
    [ -z "$(ls /run/netns 2>/dev/null | grep -E 'here|there')" ] || fail "a name stayed"
    [ ! -e /run/braid-lab ] || fail "the temporary folder is seen outside"
}
promise 20 nothing_stays "a lab that is killed takes everything with it"

unprivileged() {
    small_lab </dev/null
    if [ "$(id -u)" = 0 ]; then
        cp "$braid" ./braid
        chmod 755 .
        as="setpriv --reuid 65534 --regid 65534 --clear-groups"
        path=$PWD/braid
        $as test -x "$path" || skip "this folder is closed to others"
    else
        as= path=$braid
    fi
    $as unshare --user --net true 2>/dev/null || skip "this system allows users no namespaces"
    $as "$path" lab lab.yaml -- here sh -c '$BRAID probe bulk there:7000 --bytes 1e5' | grep -q '"completed":true' ||
        fail "it does not work without root"
}
promise 20 unprivileged "it works without root"

# A root folder that is no mount point: what is mounted there would be seen outside.
chrooted() {
    unshare --mount true 2>/dev/null || skip "no mount namespaces here"
    small_lab </dev/null
    mkdir root
    for folder in /*; do [ ! -d "$folder" ] || [ -h "$folder" ] || mkdir "root$folder"; done
    for link in /*; do [ ! -h "$link" ] || cp -d "$link" root/; done
    cat >inside <<'E2'
        for folder in /*; do [ ! -d "$folder" ] || [ -h "$folder" ] || mount --rbind "$folder" "root$folder"; done
        exec chroot root "$@"
E2
    expect_exit 1 unshare --mount sh inside "$braid" lab "$PWD/lab.yaml" -- here true
    grep -q "no mount point.*mount --rbind" err || fail "lab: $(cat err)"
    [ ! -f /etc/resolv.conf ] || { expect_exit 2 unshare --mount sh inside "$braid" run true
        grep -q "no mount point.*mount --rbind" err || fail "run: $(cat err)"; }
}
promise 20 chrooted "in a root folder that is no mount point, the lab and braid run say what to do"

pictures() {
    small_lab <<'E2'
events: [{at: 200ms, blackhole: path}, {at: 600ms, up: path}]
runs:
  bulk: {title: 'a <b> & "c"', host: here, command: '$BRAID probe bulk there:7000 --bytes 1e6', output: json}
  talk: {host: here, command: '$BRAID probe messages there:7000 --seconds 1', output: json}
E2
    for run in bulk talk; do
        "$braid" lab lab.yaml --quiet --out results --run $run
        "$braid" report results/result.json --svg $run.svg >table
        grep -q '^  ' table || fail "no table"
        grep -q 'path silent' $run.svg || fail "the events are not in the picture"
        if command -v rsvg-convert >/dev/null; then rsvg-convert -o $run.png $run.svg; fi
    done
}
promise 40 pictures "the report draws what a lab has measured"

documented() {
    awk '/^```yaml/ { inside = 1; next } /^```/ { inside = 0 } inside' "$root/lab/README.md" >documented.yaml
    for scenario in documented.yaml "$root"/lab/scenarios/*.yaml; do
        "$braid" lab "$scenario" --list >list || fail "$scenario is not understood"
        grep -q '^run' list || fail "$scenario has no runs"
    done
}
promise 10 documented "the scenarios that come with braid, and the documented one, are understood"

keep_promises "$@"
