#!/bin/sh
# What `braid run` does beside relaying connections: UDP, name service, destinations that are none, and what is left to do
# when the command has ended.
. "${0%/*}/../lib.sh"
. "${0%/*}/hosts/network.sh"

dgram_network() {
    "${CC:-cc}" -O1 -o dgram "$root/tests/interop/hosts/dgram.c"
    services="  echo: {host: server, command: '$PWD/dgram serve 7000', ready: {udp: 7000}}"
    network
}

udp_echo() {
    dgram_network
    [ "$(on_braid ./dgram ask 10.0.9.1 7000 200 2)" = 200 ] || fail "not every datagram came back by IPv4"
    [ "$(on_braid ./dgram ask fd00:9::1 7000 200 2)" = 200 ] || fail "not every datagram came back by IPv6"
}
promise 30 udp_echo "datagrams go out and their answers come back, by IPv4 and by IPv6"

udp_moves() {
    wifi=$home_wifi cellular=$home_cellular
    events='{at: 1s, down: wifi}, {at: 3s, up: wifi}'
    dgram_network
    back=$(on_braid ./dgram ask 10.0.9.1 7000 200 20)
    expect_between "$back" 185 200 "answers of 200"
}
promise 30 udp_moves "datagrams move to another uplink when WiFi goes, and few are lost"

# The phone's bytes by cellular, before and after, in `by_cellular`.
counting_cellular() {
    on phone sh -c "
        count() { echo \$((\$(cat /sys/class/net/wwan0/statistics/rx_bytes) + \$(cat /sys/class/net/wwan0/statistics/tx_bytes))); }
        before=\$(count)
        $*
        echo \$((\$(count) - before)) >by_cellular"
}

udp_spares_metered() {
    dgram_network
    counting_cellular "'$braid' run --policy aggregate --uplink wwan0:metered --uplink wlan0:backup -- \
        ./dgram ask 10.0.9.1 7000 200 2 >back"
    [ "$(cat back)" = 200 ] || fail "$(cat back) of 200 datagrams came back"
    expect_between "$(cat by_cellular)" 0 5000 "bytes by the metered uplink"
}
promise 30 udp_spares_metered "datagrams spare a metered uplink while another works, be it a backup"

udp_counts() {
    dgram_network
    counting_cellular "'$braid' run --uplink wwan0:cap=1M --trace trace.json -- ./dgram ask 10.0.9.1 7000 200 2 >back"
    used=$(jq -r 'select(.event == "path_status" and .name == "wwan0") | .used_bytes' trace.json | tail -n 1)
    expect_between "$used" "$(($(cat by_cellular) * 8 / 10))" "$(cat by_cellular)" "bytes used, as the trace tells"
}
promise 30 udp_counts "datagrams count for an uplink's cap"

udp_stops() {
    dgram_network
    counting_cellular "'$braid' run --uplink wwan0:cap=1M -- ./dgram ask 10.0.9.1 7000 600 2 >back"
    expect_between "$(cat back)" 250 450 "answers of 600"
    expect_between "$(cat by_cellular)" 700000 1048576 "bytes by an uplink with a cap of 1048576"
}
promise 30 udp_stops "datagrams stop before an uplink's cap, where there is no other"

udp_refused() {
    dgram_network
    on_braid ./dgram refused 10.0.9.1 7001
    on_braid ./dgram refused fd00:9::1 7001
}
promise 30 udp_refused "a closed port of UDP is told to the program"

own_addresses() {
    network
    expect_exit 7 on_braid curl -s --max-time 10 http://10.0.1.2/
    expect_exit 7 on_braid curl -s --max-time 10 http://127.0.0.1/
}
promise 20 own_addresses "the host's own addresses are refused at once"

# The command ends with megabytes still under way.
delivers_after_the_end() {
    wifi='rate: 20Mbit, delay: 15ms, queue: 100ms'
    services="  sink:
    host: server
    command: '$braid probe receive --port 7000 >$PWD/got'
    ready: {command: 'ss -Hltn sport = :7000 | grep -q .'}"
    network
    pattern file 5000000
    on_braid bash -c 'cat file >/dev/tcp/10.0.9.1/7000; date +%s%N >ended'
    finished=$(date +%s%N)
    expect_same_bytes file got
    expect_between $(((finished - $(cat ended)) / 1000000)) 500 8000 "milliseconds between the command's end and braid's"
}
promise 30 delivers_after_the_end "what a command has sent is delivered after it has ended"

resolv_conf_is_a_link() {
    network
    : >served/www/file
    cat >linked.sh <<EOS
set -e
mkdir -p etc
cp -a /etc/. etc/ 2>/dev/null || true
rm -f etc/resolv.conf
mkdir -p run
echo 'nameserver 10.0.9.1' >run/stub
ln -s "$PWD/run/stub" etc/resolv.conf
mount --bind etc /etc
before=\$(cat run/stub)
"$braid" run --uplink wlan0 -- sh -c 'cat /etc/resolv.conf >seen; curl -sf --max-time 10 http://server.lab/file'
[ "\$(cat run/stub)" = "\$before" ]
EOS
    on phone unshare --mount sh linked.sh
    grep -q '^nameserver 198\.18\.' seen || fail "the command saw: $(cat seen)"
}
promise 20 resolv_conf_is_a_link "name service works where /etc/resolv.conf is a link, and the file stays as it was"

keep_promises "$@"
