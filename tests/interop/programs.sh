#!/bin/sh
# Unmodified programs under `braid run`, against servers over the kernel's MPTCP.
. "${0%/*}/../lib.sh"
. "${0%/*}/hosts/network.sh"

curl_downloads() {
    network
    pattern served/www/file 20000000
    on_braid curl -sf --max-time 50 -o got http://10.0.9.1/file
    expect_same_bytes got served/www/file
}
promise 60 curl_downloads "curl downloads byte-exact"

curl_uploads() {
    network
    pattern file 20000000
    on_braid curl -sf --max-time 50 -T file http://10.0.9.1/up
    expect_same_bytes file served/www/up
}
promise 60 curl_uploads "curl uploads byte-exact"

# Twenty programs that take 25 kB in a second each, from a server that sends as fast as it can. `hwm` gets the most that braid
# held in memory, in kB: it is what the shell was started by.
slow_readers() {
    cat >slow.sh <<'EOF'
i=0 pids=
while [ $i -lt 20 ]; do
    i=$((i + 1))
    curl -sf --max-time 40 --limit-rate 25k -o /dev/null http://10.0.9.1/file &
    pids="$pids $!"
done
sleep 5
awk '$1 == "VmHWM:" { print $2 }' "/proc/$PPID/status" >hwm
kill $pids
wait
curl -sf --max-time 40 -o got http://10.0.9.1/file
EOF
    on phone "$braid" run "$@" --uplink wlan0 -- sh slow.sh
    expect_same_bytes got served/www/file
    cat hwm
}
memory_bound() {
    network
    pattern served/www/file 20000000
    echo "without and with a bound of 8 MB, in kB:"
    slow_readers
    without=$(cat hwm)
    slow_readers --memory 8M
    expect_between "$(cat hwm)" 1 $((without / 2)) "the most memory with --memory 8M (without: $without kB)"
}
promise 60 memory_bound "--memory bounds what all connections hold together, and everything arrives"

wget_by_name_and_ipv6() {
    network
    pattern served/www/file 5000000
    on_braid sh -c '
        wget -q --timeout 20 --ca-certificate=served/ca.pem -O got4 --inet4-only https://server.lab/file
        wget -q --timeout 20 --ca-certificate=served/ca.pem -O got6 --inet6-only https://server.lab/file'
    expect_same_bytes got4 served/www/file
    expect_same_bytes got6 served/www/file
}
promise 60 wget_by_name_and_ipv6 "wget resolves a name and downloads over https by IPv4 and by IPv6"

# Many lines, typed one after the other, echoed by the far side; WiFi goes at 2 s and is back at 5 s.
ssh_types_on() {
    wifi=$home_wifi cellular=$home_cellular
    events='{at: 2s, down: wifi}, {at: 5s, up: wifi}'
    network
    cat >type.sh <<'EOF'
i=0
while [ $i -lt 70 ]; do
    echo "line $i"
    sleep 0.1
    i=$((i + 1))
done | ssh -i served/client_key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
    root@10.0.9.1 cat | while read -r line; do echo "$(date +%s%N) $line"; done
EOF
    on_braid sh type.sh >echoed
    seq 0 69 | sed 's/^/line /' >wanted
    sed 's/^[0-9]* //' echoed | cmp - wanted || fail "the lines did not come back as they were typed"
    # 100 ms between two lines, a retransmission on cellular at most, and room for a slow machine.
    awk 'NR > 1 && ($1 - last) / 1e6 > worst { worst = ($1 - last) / 1e6 } { last = $1 }
        END { printf "longest silence: %d ms\n", worst; exit worst > 1000 }' echoed
}
promise 60 ssh_types_on "an ssh session types on while WiFi goes and comes back"

git_clones() {
    network
    git init -q -b main work
    i=0
    while [ $i -lt 40 ]; do
        pattern "work/file$i" $((20000 + i * 5000)) $i
        i=$((i + 1))
    done
    git -C work add .
    git -C work -c user.name=test -c user.email=test@lab.invalid commit -q -m "files"
    git clone -q --bare work served/www/repository.git
    git -C served/www/repository.git update-server-info
    on_braid env GIT_SSL_CAINFO="$PWD/served/ca.pem" git clone -q https://server.lab/repository.git clone
    git -C clone fsck --strict
    [ "$(git -C clone rev-parse HEAD)" = "$(git -C work rev-parse HEAD)" ] || fail "not the same commit"
}
promise 60 git_clones "git clones over https"

iperf3_runs() {
    network
    on_braid sh -c 'iperf3 --client 10.0.9.1 --time 2 --json >up.json &&
        iperf3 --client 10.0.9.1 --time 2 --reverse --parallel 4 --json >down.json'
    for way in up down; do
        sent=$(jq .end.sum_sent.bytes $way.json) received=$(jq .end.sum_received.bytes $way.json)
        expect_between "$received" 1000000 "$sent" "bytes received ($way)"
    done
}
promise 60 iperf3_runs "iperf3 measures up, and down over four connections"

static_binary() {
    network
    pattern served/www/file 5000000
    musl-gcc -static -O2 -o fetch "$root/tests/interop/hosts/fetch.c"
    on_braid ./fetch 10.0.9.1 80 /file >got
    expect_same_bytes got served/www/file
}
promise 60 static_binary "a static program that knows no libc of ours downloads byte-exact"

many_at_once() {
    network
    pattern served/www/file 300000
    on_braid sh -c 'for i in $(seq 64); do curl -sf --max-time 50 -o got$i http://10.0.9.1/file & done; wait'
    for i in $(seq 64); do expect_same_bytes "got$i" served/www/file; done
}
promise 60 many_at_once "64 connections at once are byte-exact each"

exit_status() {
    network
    expect_exit 7 on_braid sh -c 'exit 7'
    expect_exit 143 on_braid sh -c 'kill -TERM $$'
    expect_exit 127 on_braid ./no-such-command
    expect_one_line err 'no-such-command'
    : >not-executable
    expect_exit 126 on_braid ./not-executable
    expect_one_line err 'not-executable'
}
promise 60 exit_status "the command's exit status passes through, and 126 and 127 are the shell's"

signals_pass() {
    network
    cat >wait.sh <<'EOF'
trap 'echo terminated >told; exit 5' TERM
: >ready
while :; do sleep 0.05; done
EOF
    cat >signal.sh <<EOF
"$braid" run --uplink wlan0 -- sh wait.sh &
until [ -e ready ]; do sleep 0.05; done
kill -TERM \$!
wait \$!
EOF
    expect_exit 5 on phone sh signal.sh
    [ "$(cat told)" = terminated ] || fail "the signal did not reach the command"
}
promise 30 signals_pass "a signal to braid reaches the command"

keep_promises "$@"
