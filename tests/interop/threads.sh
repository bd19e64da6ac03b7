#!/bin/sh
# `braid run --threads`: connections shared out among threads, each with a stack of its own, and a server over the kernel's
# MPTCP.
. "${0%/*}/../lib.sh"
. "${0%/*}/hosts/network.sh"
. "${0%/*}/hosts/machine.sh"

# threaded N COMMAND...: over both uplinks.
threaded() {
    threads=$1
    shift
    on phone "$braid" run --threads "$threads" --policy aggregate --uplink wlan0 --uplink wwan0 --trace trace.json \
        --statistics statistics.json -- "$@"
}

# All of N threads carried connections to the server, by both uplinks.
expect_all_carried() {
    jq -r 'select(.event == "subflow_state" and .to == "active") | .thread' trace.json | sort -n | uniq -c
    for thread in $(seq 0 $(($1 - 1))); do
        for link in 0 1; do
            jq -en "[inputs | select(.event == \"subflow_opened\" and .thread == $thread and .link == $link)] | length > 0" trace.json \
                >/dev/null || fail "thread $thread opened no subflow by uplink $link"
        done
    done
}

# WiFi went while connections used it, in each of N threads.
expect_lost_under_way() {
    for thread in $(seq 0 $(($1 - 1))); do
        jq -en "[inputs | select(.event == \"subflow_closed\" and .thread == $thread and .reason == \"path down\")] | length > 0" \
            trace.json >/dev/null || fail "thread $thread lost no subflow with WiFi"
    done
}

# So many downloads, or uploads, at once; each must end well.
cat_many() {
    cat >many.sh <<EOS
pids=
for i in \$(seq $1); do
    $2 &
    pids="\$pids \$!"
done
for pid in \$pids; do wait \$pid || exit 9; done
exit 7
EOS
}

downloads() {
    wifi=$home_wifi cellular=$home_cellular
    events='{at: 1500ms, down: wifi}, {at: 3s, up: wifi}'
    network
    pattern served/www/file 1000000
    cat_many 24 'curl -sf --max-time 60 -o got$i http://10.0.9.1/file'
    expect_exit 7 threaded 2 sh many.sh
    for i in $(seq 24); do expect_same_bytes "got$i" served/www/file; done
    expect_all_carried 2
    expect_lost_under_way 2
    # What the uplinks carried is told of both threads together: 24 MB and more, and as much as their sockets counted until the end,
    # which comes up to a tenth of a second after the last path_status.
    jq -n '[inputs | select(.event == "path_status") | .in_bytes_per_s] | add / 10' trace.json >bytes
    counted=$(jq '[.uplinks[].packet_bytes_in] | add' statistics.json)
    expect_between "$counted" 24000000 38000000 "bytes that the statistics tell of"
    expect_between "$(cat bytes)" $((counted * 98 / 100)) $((counted * 101 / 100)) "bytes that path_status tells of"
}
promise 90 downloads "24 downloads in two threads, over both uplinks, are byte-exact each, and WiFi goes and comes back meanwhile"

uploads() {
    wifi=$home_wifi cellular=$home_cellular
    events='{at: 1500ms, down: wifi}, {at: 3s, up: wifi}'
    network
    pattern file 1000000
    cat_many 16 'curl -sf --max-time 60 -T file http://10.0.9.1/up$i'
    expect_exit 7 threaded 2 sh many.sh
    for i in $(seq 16); do expect_same_bytes file "served/www/up$i"; done
    expect_all_carried 2
    expect_lost_under_way 2
}
promise 90 uploads "16 uploads in two threads, over both uplinks, are byte-exact each, and WiFi goes and comes back meanwhile"

sixteen_threads() {
    network
    pattern served/www/file 200000
    cat_many 200 'curl -sf --max-time 60 -o got$i http://10.0.9.1/file'
    expect_exit 7 threaded 16 sh many.sh
    for i in $(seq 200); do expect_same_bytes "got$i" served/www/file; done
    expect_all_carried 16
}
promise 90 sixteen_threads "200 downloads at once in sixteen threads are byte-exact each, and each thread carries some"

# WiFi's interface is taken out of the network, and put back a second later with all that it had: each thread opens it again.
replugged() {
    network
    pattern served/www/file 100000
    cat_many 16 'for j in $(seq 10); do curl -sf --max-time 30 --limit-rate 250k -o got$i.$j http://10.0.9.1/file || exit 1; sleep 0.1; done'
    cat >replug.sh <<'EOS'
set -e
unshare --net sleep 30 &
elsewhere=$!
sleep 1
ip link set wlan0 netns $elsewhere
sleep 1
nsenter --net=/proc/$elsewhere/ns/net ip link set wlan0 netns $$
ip address add 10.0.1.2/24 dev wlan0
ip link set wlan0 up
ip route add default via 10.0.1.1 dev wlan0 metric 100
kill $elsewhere
EOS
    expect_exit 7 on phone sh -c "sh replug.sh >replug.log 2>&1 & exec '$braid' run --threads 4 --policy aggregate \
        --uplink wlan0 --uplink wwan0 --trace trace.json -- sh many.sh"
    [ ! -s replug.log ] || fail "$(cat replug.log)"
    for i in $(seq 16); do
        for j in $(seq 10); do expect_same_bytes "got$i.$j" served/www/file; done
    done
    for thread in 0 1 2 3; do
        # Of what each thread said, the events after the last time that WiFi was gone: subflows by it that became active.
        jq -en "[inputs | select(.thread == $thread)] |
            (map(.event == \"link_change\" and .link == 0 and .change == \"address gone\") | rindex(true) // length) as \$gone | .[\$gone:] |
            map(select(.event == \"subflow_opened\" and .link == 0) | [.connection, .subflow]) as \$opened |
            map(select(.event == \"subflow_state\" and .to == \"active\" and (([.connection, .subflow]) as \$which |
                \$opened | index([\$which])))) | length > 0" trace.json >/dev/null || fail "thread $thread did not use WiFi again"
    done
}
promise 60 replugged "an interface that is taken away and put back is used again by every thread"

# By UDP and by TCP.
names() {
    network
    pattern served/www/file 1000
    cat_many 16 'curl -sf --max-time 20 --cacert served/ca.pem -o got$i https://server.lab/file'
    expect_exit 7 threaded 4 sh many.sh
    for i in $(seq 16); do expect_same_bytes "got$i" served/www/file; done
    threaded 4 sh -c 'for i in $(seq 8); do
        getent ahostsv4 server.lab || exit 1
        RES_OPTIONS=use-vc getent ahostsv4 server.lab || exit 1
    done' >answers
    [ "$(grep -c '^10\.0\.9\.1 *STREAM' answers)" = 16 ] || fail "answers: $(cat answers)"
}
promise 60 names "names are resolved in every thread, by UDP and by TCP"

# The system shares what a program sends from one port out among the threads; outside it is one port all the same.
one_port_outside() {
    "${CC:-cc}" -O1 -o dgram "$root/tests/interop/hosts/dgram.c"
    services="  mirrors: {host: server, command: '$PWD/dgram mirrors 7000 64', ready: {udp: 7063}}"
    network
    for address in 10.0.9.1 fd00:9::1; do
        threaded 4 ./dgram seen "$address" 7000 64 >seen
        [ "$(wc -l <seen)" = 64 ] || fail "$(wc -l <seen) answers of 64"
        [ "$(sort -u seen | wc -l)" = 1 ] || fail "the port is known outside by: $(sort -u seen)"
    done
}
promise 60 one_port_outside "a program's port of UDP is one port outside, whatever it talks to and however many threads forward it"

ping_works() {
    "${CC:-cc}" -O1 -o dgram "$root/tests/interop/hosts/dgram.c"
    network
    threaded 4 ./dgram ping 10.0.9.1 32
    threaded 4 ./dgram ping fd00:9::1 32
}
promise 60 ping_works "echo requests are answered, whichever thread they are at home in"

# The command ends with megabytes still under way, in every thread.
delivers_after_the_end() {
    wifi='rate: 20Mbit, delay: 15ms, queue: 100ms'
    services=
    for i in $(seq 8); do
        services="$services
  sink$i:
    host: server
    command: '$braid probe receive --port 700$i >$PWD/got$i'
    ready: {command: 'ss -Hltn sport = :700$i | grep -q .'}"
    done
    network
    pattern file 1000000
    threaded 2 bash -c 'for i in $(seq 8); do cat file >/dev/tcp/10.0.9.1/700$i & done; wait; date +%s%N >ended'
    finished=$(date +%s%N)
    for i in $(seq 8); do expect_same_bytes file "got$i"; done
    expect_between $(((finished - $(cat ended)) / 1000000)) 500 8000 "milliseconds between the command's end and braid's"
    [ "$(jq -r 'select(.event == "subflow_opened") | .thread' trace.json | sort -u | wc -l)" = 2 ] || fail "one thread had all"
}
promise 30 delivers_after_the_end "what a command has sent in any thread is delivered after it has ended"

signals_pass() {
    network
    cat >wait.sh <<'EOS'
trap 'echo terminated >told; exit 5' TERM
: >ready
while :; do sleep 0.05; done
EOS
    cat >signal.sh <<EOS
"$braid" run --threads 3 --uplink wlan0 -- sh wait.sh &
until [ -e ready ]; do sleep 0.05; done
ls /proc/\$!/task | wc -l >tasks
kill -TERM \$!
wait \$!
EOS
    expect_exit 5 on phone sh signal.sh
    [ "$(cat told)" = terminated ] || fail "the signal did not reach the command"
    [ "$(cat tasks)" -ge 3 ] || fail "there were $(cat tasks) threads, not 3"
}
promise 30 signals_pass "a signal to braid with several threads reaches the command, and its status comes back"

# A download that is cut off by braid's end, and a braid that is killed.
nothing_left_inside() {
    network
    pattern served/www/file 1000000
    cat >ends.sh <<EOS
set -e
run() { "$braid" run --threads 4 --policy aggregate --uplink wlan0 --uplink wwan0 -- "\$@"; }
nft list ruleset >rules_before
run sh -c 'for i in \$(seq 8); do curl -s --limit-rate 10k -o /dev/null http://10.0.9.1/file & done; sleep 1; kill -TERM \$PPID \$\$' || true
nft list ruleset >rules_after_end
run sh -c 'echo \$PPID >pid; for i in \$(seq 8); do curl -s --limit-rate 10k -o /dev/null http://10.0.9.1/file & done; sleep 30' &
sleep 1
nft list ruleset >rules_meanwhile
kill -KILL \$(cat pid)
wait \$! || true
sleep 0.5
nft list ruleset >rules_after_kill
run curl -sf --max-time 20 -o got http://10.0.9.1/file
EOS
    machine_state >before
    on phone sh ends.sh
    expect_same_bytes got served/www/file
    [ "$(grep -c '^table netdev braid_' rules_meanwhile)" = 4 ] || fail "not a table for each thread: $(cat rules_meanwhile)"
    cmp rules_before rules_after_end || fail "rules are left: $(cat rules_after_end)"
    cmp rules_before rules_after_kill || fail "rules are left: $(cat rules_after_kill)"
    sleep 0.5
    machine_state >after
    diff before after || fail "something is left (see above)"
}
nothing_left() { in_a_machine_of_its_own nothing_left_inside; }
promise 60 nothing_left "after the end, or the death, of a braid with four threads nothing is left"

capture() {
    network
    pattern served/www/file 200000
    cat_many 16 'curl -sf --max-time 30 -o got$i http://10.0.9.1/file'
    expect_exit 7 on phone "$braid" run --threads 4 --policy aggregate --uplink wlan0 --uplink wwan0 --trace trace.json \
        --pcap trace.pcapng -- sh many.sh
    dissect trace.pcapng -Y '_ws.malformed' >malformed
    [ ! -s malformed ] || fail "malformed packets: $(head -n 5 malformed)"
    # Sixteen connections, each on both sides of braid, and each with a join.
    dissect trace.pcapng -Y 'tcp.flags.syn == 1 && tcp.flags.ack == 0 && frame.interface_name == "programs"' >opened
    [ "$(wc -l <opened)" -ge 16 ] || fail "$(wc -l <opened) SYNs of programs"
    dissect trace.pcapng -Y 'tcp.options.mptcp.subtype == 0 && tcp.flags.syn == 1 && tcp.flags.ack == 0' >out
    [ "$(wc -l <out)" -ge 16 ] || fail "$(wc -l <out) SYNs with MP_CAPABLE"
    jq -es 'all(.[]; (.time | type) == "number") and ([.[] | select(.thread == 3) | .time] | . == sort)' trace.json >/dev/null ||
        fail "events of a thread are out of order"
}
promise 60 capture "trace and capture of four threads are one file each, every event and packet whole"

keep_promises "$@"
