#!/bin/sh
# braid sim: the lab's scenarios in virtual time.
. "${0%/*}/../lib.sh"

scenarios=$root/lab/scenarios

field() {
    jq -r "$1" "${2:-result.json}"
}

# hash SCENARIO SEED RUN [BRAID]
hash() {
    "${4:-$braid}" sim "$scenarios/$1.yaml" --quiet --json --seed "$2" --run "$3" | jq -r ".$3.sim.hash"
}

shipped() {
    for scenario in "$scenarios"/*.yaml; do
        expect_exit 0 "$braid" sim "$scenario" --json --quiet
        [ ! -s err ] || fail "it is not quiet"
        field '.lab.runs[]' out >names
        [ -s names ] || fail "nothing of $scenario was simulated"
        while read -r name; do
            [ "$(field ".$name.completed" out)" = true ] || fail "$scenario, $name: not completed"
        done <names
    done
}
promise 120 shipped "every scenario that comes with braid runs in virtual time"

repeatable() {
    for run in "blackhole 1 braid" "blackhole 2 braid" "messages 1 braid"; do
        # shellcheck disable=SC2086
        set -- $run
        once=$(hash "$1" "$2" "$3")
        again=$(hash "$1" "$2" "$3")
        echo "$run: $once"
        [ "${#once}" = 16 ] || fail "$run has no hash"
        [ "$once" = "$again" ] || fail "$run: $once, and then $again"
        echo "$once" >>hashes
    done
    [ "$(sort -u hashes | wc -l)" = 3 ] || fail "another seed makes no difference"
}
promise 30 repeatable "the same scenario and seed give the same packets"

# The whole program once more, by the compiler that the tested one was not built with.
other_compiler() {
    used=$(sed -n 's/^CMAKE_C_COMPILER:[^=]*=//p' "$build/CMakeCache.txt")
    case $("$used" --version) in
    *clang*) other=gcc ;;
    *) other=clang ;;
    esac
    command -v "$other" >/dev/null || skip "there is no $other"
    if command -v ccache >/dev/null; then launcher=-DCMAKE_C_COMPILER_LAUNCHER=ccache; else launcher=; fi
    # shellcheck disable=SC2086
    cmake -S "$root" -B "$root/build/other-compiler" -G Ninja -DCMAKE_C_COMPILER=$other -DCMAKE_BUILD_TYPE=Release $launcher
    ninja -C "$root/build/other-compiler" braid
    for run in "blackhole 3 braid" "upload 3 braid" "messages 3 braid"; do
        # shellcheck disable=SC2086
        set -- $run
        ours=$(hash "$1" "$2" "$3") theirs=$(hash "$1" "$2" "$3" "$root/build/other-compiler/braid")
        echo "$run: $ours, $theirs"
        [ "$ours" = "$theirs" ] || fail "$run: $ours here, $theirs by $other"
    done
}
promise 240 other_compiler "both compilers give the same packets"

small() {
    cat >small.yaml <<'E2'
hosts: {here: {}, there: {}}
links:
  path:
    from: {host: here, interface: eth0, address: [10.0.0.1/24, "fd00::1/64"]}
    to: {host: there, interface: eth0, address: [10.0.0.2/24, "fd00::2/64"]}
    rate: 10Mbit
    delay: 10ms
    queue: 50ms
E2
    cat >>small.yaml
}

# Bytes by cellular, both ways, as its link had them.
by_cellular() {
    field ".$1.paths[] | select(.name == \"cellular\") | .up_total_bytes + .down_total_bytes"
}

uplinks_have_terms() {
    cat >terms.yaml <<'E2'
hosts: {phone: {}, server: {}}
links:
  wifi:
    from: {host: phone, interface: wlan0, address: 10.0.1.2/24}
    to: {host: server, interface: eth0, address: 10.0.1.1/24}
    rate: 10Mbit
    delay: 15ms
  cellular:
    from: {host: phone, interface: wwan0, address: 10.0.2.2/24}
    to: {host: server, interface: eth1, address: 10.0.2.1/24}
    rate: 20Mbit
    delay: 35ms
runs:
  free: {host: phone, transfer: {server: server, download: 20MB, policy: aggregate, scheduler: lowest-rtt, uplinks: [wlan0, wwan0]}, limit: 60s}
  capped: {host: phone, transfer: {server: server, download: 20MB, policy: aggregate, scheduler: lowest-rtt, uplinks: [wlan0, "wwan0:cap=3M"]}, limit: 60s}
  spared: {host: phone, transfer: {server: server, download: 20MB, policy: aggregate, uplinks: [wlan0, "wwan0:metered"]}, limit: 60s}
  said: {host: phone, command: "${BRAID} run --policy aggregate --uplink wlan0 --uplink wwan0:metered -- ${BRAID} probe bulk 10.0.1.1:7000 --bytes 20000000", limit: 60s}
E2
    "$braid" sim terms.yaml --json --quiet >result.json
    expect_between "$(by_cellular free)" 8000000 20000000 "bytes by an uplink without terms"
    expect_between "$(by_cellular capped)" 1000000 3145728 "bytes by an uplink with a cap"
    expect_between "$(by_cellular spared)" 1 10000 "bytes by a metered uplink"
    [ "$(field .spared.sim.hash)" = "$(field .said.sim.hash)" ] || fail "in a command the same words mean something else"
}
promise 30 uplinks_have_terms "an uplink's terms hold in virtual time, in a transfer's uplinks and in a command"

# Plain TCP by a command's --mptcp none, whether the command says what is transferred or not.
plain_in_a_command() {
    small <<'E2'
runs:
  plain: {host: here, transfer: {server: there, download: 1MB, multipath: false}}
  said: {host: here, command: "${BRAID} run --mptcp none --uplink eth0 -- ${BRAID} probe bulk 10.0.0.2:7000 --bytes 1000000"}
  beside: {host: here, command: "${BRAID} run --mptcp none --uplink eth0 -- true", transfer: {server: there, download: 1MB}}
  both: {host: here, transfer: {server: there, download: 1MB}}
E2
    "$braid" sim small.yaml --json --quiet >result.json
    plain=$(field .plain.sim.hash)
    [ "${#plain}" = 16 ] || fail "plain TCP has no hash"
    [ "$(field .said.sim.hash)" = "$plain" ] || fail "--mptcp none in the command is not plain TCP"
    [ "$(field .beside.sim.hash)" = "$plain" ] || fail "--mptcp none beside a transfer is not plain TCP"
    [ "$(field .both.sim.hash)" != "$plain" ] || fail "it is plain TCP without being told"
}
promise 30 plain_in_a_command "--mptcp none in a command is plain TCP in virtual time"

captures() {
    small <<'E2'
runs:
  run: {host: here, transfer: {server: there, download: 1MB}}
E2
    "$braid" sim small.yaml --trace trace.json --pcap packets.pcapng --json >result.json
    [ "$(field 'select(.event == "connection_state") | .host' trace.json | sort -u | tr '\n' ' ')" = "here there " ] ||
        fail "the trace does not tell of both hosts"
    command -v tshark >/dev/null || skip "there is no tshark"
    dissect packets.pcapng -o tcp.check_checksum:TRUE -T fields -e tcp.checksum.status -e frame.interface_name >packets
    sort packets | uniq -c | tee kinds
    [ "$(wc -l <kinds)" = 1 ] || fail "packets of more than one kind"
    grep -q "1.eth0" kinds || fail "checksums are not good"
    dissect packets.pcapng -Y _ws.malformed >malformed
    [ ! -s malformed ] || fail "malformed packets: $(head -n 5 malformed)"
    dissect packets.pcapng -Y tcp.analysis.retransmission >again
    [ "$(wc -l <again)" -lt 100 ] || fail "tshark sees packets twice"
}
promise 30 captures "the trace and the capture can be read"

same_in_the_lab() {
    small <<'E2'
runs:
  down: {host: here, transfer: {server: there, download: 2MB}, expect: {exit: 0}}
  up: {host: here, transfer: {server: fd00::2, upload: 2MB}, expect: {exit: 0}}
  talk: {host: here, transfer: {server: there, messages: {rate: 50, size: 100, for: 2s}}, expect: {exit: 0}}
E2
    "$braid" sim small.yaml --json --quiet >result.json
    "$braid" lab small.yaml --json --quiet >lab.json
    for file in result.json lab.json; do
        expect_between "$(field .down.goodput_mbps $file)" 8.3 9.57 "Mb/s down in $file"
        expect_between "$(field .up.goodput_mbps $file)" 8.3 9.57 "Mb/s up in $file"
        expect_between "$(field .talk.output.latency_ms.p50 $file)" 20 22 "milliseconds for a message in $file"
    done
}
promise 40 same_in_the_lab "a scenario that says what is transferred does the same in the lab"

# Everything a link can do to packets; each is seen in the packets, and in the end all bytes are there.
shapes() {
    printf '1\n1\n5\n10\n' >path.trace
    small <<'E2'
runs:
  run: {host: here, transfer: {server: there, download: 500kB}, limit: 30s, expect: {exit: 0}}
E2
    plain=$("$braid" sim small.yaml --json | jq -r .run.sim.hash)
    while read -r key; do
        sed "s|^    queue: 50ms|&\n    $key|" small.yaml >shape.yaml
        "$braid" sim shape.yaml --json >result.json || fail "$key: not as expected"
        [ "$(field .run.sim.hash)" != "$plain" ] || fail "$key makes no difference"
    done <<'E2'
loss: 1%
jitter: 3ms
burst: {begin: 1%, end: 20%, loss: 90%}
reorder: {chance: 2%, by: 20ms}
duplicate: {up: 2%}
corrupt: 1%
path_mtu: 1300
boxes: [{window: {most: 20000}}, sequence]
E2
    sed 's/^    rate: .*/    trace: path.trace/' small.yaml >shape.yaml
    "$braid" sim shape.yaml --json >result.json || fail "trace: not as expected"
    expect_between "$(field .run.goodput_mbps)" 3.6 4.8 "Mb/s by a trace of 4.8"
}
promise 30 shapes "what a scenario says of a link befalls its packets"

# Every middlebox there is, in one direction or another: each is seen in the packets, and in the end all bytes are there.
boxes() {
    small <<'E2'
runs:
  run: {host: here, transfer: {server: there, download: 300kB}, limit: 60s, expect: {exit: 0}}
E2
    plain=$("$braid" sim small.yaml --json | jq -r .run.sim.hash)
    while read -r box; do
        sed "s|^    queue: 50ms|&\n    boxes: [$box]|" small.yaml >box.yaml
        "$braid" sim box.yaml --json >result.json || fail "$box: not as expected"
        [ "$(field .run.sim.hash)" != "$plain" ] || fail "$box makes no difference"
    done <<'E2'
option: {action: strip, segments: syn}
option: {action: strip, segments: syn_ack}
option: {action: strip, segments: data}
option: {action: strip, directions: up}
option: {action: nop, segments: syn}
option: {action: eol, segments: [data, empty]}
option: {action: mirror, segments: syn}
drop-syn: {count: 2}
nat: {outside: 10.0.0.77, idle: 60s}
sequence
sequence: {leave_sack: true}
window: {most: 20000}
window: {strip_scale: true}
split: {bytes: 500}
split: {bytes: 500, options_once: true}
coalesce: {bytes: 3000, directions: down}
proxy
proxy: {directions: down, buffer: 20000, repeats_options: true}
E2
    for box in strip-syn-payload firewall "firewall: {in_order: true, no_unseen_ack: true, outward_only: true, resets: true}" \
        "misdirect-join: {to: 10.0.0.2}"; do # where nothing is wrong these do nothing
        sed "s|^    queue: 50ms|&\n    boxes: [\"x\"]|; s|\"x\"|$box|" small.yaml >box.yaml
        "$braid" sim box.yaml --json >result.json || fail "$box: not as expected"
    done
    sed "s|^    queue: 50ms|&\n    boxes: [payload: {direction: down, at: 20, grow: 3}]|" small.yaml >box.yaml
    expect_exit 1 "$braid" sim box.yaml --json
    sed "s|^    queue: 50ms|&\n    boxes: [proxi]|" small.yaml >box.yaml
    expect_exit 2 "$braid" sim box.yaml
    expect_one_line err 'proxi.*proxy'
}
promise 60 boxes "every middlebox stands in a scenario"

shapes_in_the_lab() {
    printf '1\n1\n5\n10\n' >path.trace
    small <<'E2'
    jitter: 3ms
    burst: {begin: 0.1%, end: 20%, loss: 90%}
    reorder: {chance: 1%, by: 5ms}
    duplicate: {up: 2%}
    corrupt: 0.2%
    path_mtu: 1300
events:
  - {at: 500ms, change: path, trace: path.trace, jitter: 0s}
  - {at: 2s, blackhole: path, only: up}
  - {at: 2500ms, up: path}
runs:
  talk: {host: here, transfer: {server: there, messages: {rate: 50, for: 3s}}, limit: 20s, expect: {exit: 0}}
  moved:
    host: here
    transfer: {server: there, messages: {rate: 50, for: 2s}}
    limit: 20s
    expect: {exit: 0}
    events: [{at: 500ms, renumber: path, address: 10.0.0.9/24}]
  run: {host: here, transfer: {server: there, download: 1MB}, limit: 20s, expect: {exit: 0}, events: []}
E2
    "$braid" lab small.yaml --json --quiet >lab.json || fail "not as expected in the lab"
    "$braid" sim small.yaml --json --quiet >result.json || fail "not as expected in virtual time"
    for file in lab.json result.json; do
        expect_between "$(field .talk.output.latency_ms.p50 $file)" 20 80 "milliseconds for a message in $file"
        expect_between "$(field .talk.silence_ms.blackhole $file)" 400 3000 "milliseconds of silence in $file"
    done
    sed 's/^    path_mtu.*/&\n    boxes: [firewall]/' small.yaml >boxes.yaml
    expect_exit 2 "$braid" lab boxes.yaml
    expect_one_line err 'boxes\.yaml:[0-9]*: .*virtual time'
}
promise 60 shapes_in_the_lab "the lab does the same to packets, but has no middleboxes, and says so"

# Two routers with a narrow wire between them: the second one's answers lead to smaller packets.
narrow_wire() {
    cat >narrow.yaml <<'E2'
hosts: {here: {}, one: {forwarding: true}, two: {forwarding: true}, there: {}}
links:
  near:
    from: {host: here, interface: eth0, address: 10.0.1.2/24, gateway: 10.0.1.1}
    to: {host: one, interface: in, address: 10.0.1.1/24}
    rate: 10Mbit
    delay: 5ms
  middle:
    from: {host: one, interface: out, address: 10.0.2.1/24, gateway: 10.0.2.2}
    to: {host: two, interface: in, address: 10.0.2.2/24, gateway: 10.0.2.1}
    rate: 10Mbit
    delay: 5ms
    mtu: 1200
  far:
    from: {host: there, interface: eth0, address: 10.0.3.2/24, gateway: 10.0.3.1}
    to: {host: two, interface: out, address: 10.0.3.1/24}
    rate: 10Mbit
    delay: 5ms
runs:
  up: {host: here, transfer: {server: there, upload: 1MB}, limit: 20s, expect: {exit: 0}}
  down: {host: here, transfer: {server: there, download: 1MB}, limit: 20s, expect: {exit: 0}}
E2
    for how in sim lab; do
        "$braid" $how narrow.yaml --json --quiet >$how.json || fail "not as expected: braid $how"
        expect_between "$(field .up.goodput_mbps $how.json)" 5 9.5 "Mb/s up by braid $how"
        expect_between "$(field .down.goodput_mbps $how.json)" 5 9.5 "Mb/s down by braid $how"
    done
}
promise 30 narrow_wire "routers say what is too big for the next link"

refused() {
    expect_exit 2 "$braid" sim "$@"
    [ ! -s out ] || fail "it wrote to standard output"
}

refusals() {
    refused nowhere.yaml
    expect_one_line err 'nowhere\.yaml'
    small <<'E2'
runs:
  shell: {host: here, command: ls}
  own: {host: here, transfer: {server: here, download: 1}}
  uplink: {host: here, transfer: {server: there, download: 1, uplinks: [eth7]}}
E2
    refused small.yaml --run shell
    expect_one_line err 'small\.yaml:10: run shell is left out'
    refused small.yaml --run own
    expect_one_line err 'small\.yaml:11: .*here'
    refused small.yaml --run uplink
    expect_one_line err 'small\.yaml:12: .*eth7'
    refused small.yaml --run nothing
    expect_one_line err 'nothing'
    refused small.yaml --seed x
    expect_one_line err 'x'
    for transfer in '{download: 1}' '{server: there}' '{server: 10.9.9.9, download: 1}' \
        '{server: there, download: 1, uplinks: ["eth0:blue"]}' '{server: there, download: 1, uplinks: ["eth0:cap=1"]}' \
        '{server: there, download: 1, policy: fastest}' '{server: there, download: 1, messages: {rate: 1}}'; do
        echo "runs: {run: {host: here, transfer: $transfer}}" | small
        refused small.yaml
        expect_one_line err 'small\.yaml:9: '
    done
}
promise 20 refusals "what cannot be simulated is refused in one line that says where and why"

reports() {
    "$braid" sim "$scenarios/handover.yaml" --json --quiet >result.json
    "$braid" report result.json --svg picture.svg >table
    "$braid" sim "$scenarios/handover.yaml" --quiet >own
    grep -q 'wlan0 down' picture.svg || fail "the events are not in the picture"
    grep -q '^  braid' table || fail "no table"
    for what in 'by path: wlan0 ' 'seed 1, hash '; do grep -q "$what" own || fail "it does not tell: $what"; done
}
promise 30 reports "braid report shows what was simulated"

keep_promises "$@"
