#!/bin/sh
# Networks that come and go under a connection to the kernel's MPTCP.
. "${0%/*}/../lib.sh"
. "${0%/*}/hosts/network.sh"
. "${0%/*}/hosts/machine.sh"

# 60 s of a download that WiFi leaves and rejoins ten times: 3 s away, 3 s there.
ten_times_inside() {
    machine_state >before
    wifi=$home_wifi cellular=$home_cellular
    events='{at: 2s, every: 6s, times: 10, down: wifi}, {at: 5s, every: 6s, times: 10, up: wifi}'
    network
    # At 20 to 70 Mb/s this is more than a minute's worth; the rate limit makes it last the minute.
    pattern served/www/file 120000000
    on phone "$braid" run --policy aggregate --uplink wlan0 --uplink wwan0 --trace trace.json -- \
        curl -sf --limit-rate 1900k --max-time 110 -o got http://10.0.9.1/file
    expect_same_bytes got served/www/file
    [ "$(jq -r 'select(.event == "subflow_opened") | .subflow' trace.json | wc -l)" -ge 11 ] ||
        fail "WiFi was not joined again each time"
    sleep 0.5
    machine_state >after
    diff before after || fail "something is left (see above)"
}
ten_times() { in_a_machine_of_its_own ten_times_inside; }
promise 150 ten_times "WiFi goes and comes ten times in a minute's download: byte-exact, and nothing is left"

upload_ten_times() {
    wifi=$home_wifi cellular=$home_cellular
    events='{at: 1s, every: 2s, times: 10, down: wifi}, {at: 2s, every: 2s, times: 10, up: wifi}'
    network
    pattern file 50000000
    on phone "$braid" run --policy aggregate --uplink wlan0 --uplink wwan0 -- \
        curl -sf --max-time 80 -T file http://10.0.9.1/up
    expect_same_bytes file served/www/up
}
promise 100 upload_ten_times "WiFi goes and comes ten times during an upload over both: byte-exact"

both_gone() {
    wifi=$home_wifi cellular=$home_cellular
    events='{at: 1s, down: wifi}, {at: 1500ms, down: cellular}, {at: 4s, up: wifi}'
    network
    pattern served/www/file 20000000
    on_braid curl -sf --max-time 50 -o got http://10.0.9.1/file
    expect_same_bytes got served/www/file
}
promise 60 both_gone "with no network at all for seconds the connection waits, and goes on"

blackhole() {
    wifi=$home_wifi cellular=$home_cellular
    events='{at: 2s, blackhole: wifi}, {at: 12s, up: wifi}'
    network
    pattern served/www/file 40000000
    on_braid curl -sf --max-time 50 -o got http://10.0.9.1/file
    expect_same_bytes got served/www/file
}
promise 60 blackhole "a WiFi that falls silent without a word does not stop a download"

backup_is_spared() {
    wifi=$home_wifi cellular=$home_cellular
    network
    pattern served/www/file 20000000
    on phone sh -c "
        before=\$(cat /sys/class/net/wwan0/statistics/rx_bytes)
        '$braid' run --policy aggregate --uplink wlan0 --uplink wwan0:backup -- curl -sf --max-time 50 -o got http://10.0.9.1/file
        echo \$((\$(cat /sys/class/net/wwan0/statistics/rx_bytes) - before)) >by_backup"
    expect_same_bytes got served/www/file
    expect_between "$(cat by_backup)" 0 100000 "bytes by the backup"
}
promise 60 backup_is_spared "a backup carries no data while the other works"

backup_takes_over() {
    wifi=$home_wifi cellular=$home_cellular
    events='{at: 1s, down: wifi}'
    network
    pattern served/www/file 20000000
    on phone "$braid" run --policy aggregate --uplink wlan0 --uplink wwan0:backup -- curl -sf --max-time 50 -o got http://10.0.9.1/file
    expect_same_bytes got served/www/file
}
promise 60 backup_takes_over "a backup takes over when WiFi goes"

# by_cellular OPTIONS COMMAND...: what the command brings goes by WiFi and cellular, and $used is what went by cellular, both
# ways.
by_cellular() {
    options=$1
    shift
    on phone sh -c "
        count() { echo \$((\$(cat /sys/class/net/wwan0/statistics/rx_bytes) + \$(cat /sys/class/net/wwan0/statistics/tx_bytes))); }
        before=\$(count)
        '$braid' run --policy aggregate $options --trace trace.json -- $*
        echo \$((\$(count) - before)) >by_cellular"
    used=$(cat by_cellular)
}

capped_download() {
    wifi=$home_wifi cellular=$home_cellular
    network
    pattern served/www/file 40000000
    by_cellular '--scheduler lowest-rtt --uplink wlan0 --uplink wwan0:cap=6M' curl -sf --max-time 50 -o got http://10.0.9.1/file
    expect_same_bytes got served/www/file
    expect_between "$used" 2000000 6291456 "bytes by the uplink with a cap"
    [ "$(jq -r 'select(.event == "path_status" and .name == "wwan0") | .cap_bytes' trace.json | sort -u)" = 6291456 ] ||
        fail "the trace does not tell the cap"
    expect_between "$(jq -r 'select(.event == "path_status" and .name == "wwan0") | .used_bytes' trace.json | tail -n 1)" \
        2000000 6291456 "bytes used, as the trace tells"
}
promise 60 capped_download "a download by the kernel's MPTCP does not exceed an uplink's cap"

capped_alone() {
    wifi=$home_wifi cellular=$home_cellular
    network
    pattern served/www/file 40000000
    by_cellular '--uplink wwan0:cap=6M' curl -sf --max-time 8 -o got http://10.0.9.1/file '|| true'
    expect_between "$used" 2000000 6291456 "bytes by the only uplink, which has a cap"
}
promise 60 capped_alone "nor where there is no other uplink: then the connection waits"

metered_is_spared() {
    wifi=$home_wifi cellular=$home_cellular
    network
    pattern served/www/file 20000000
    by_cellular '--uplink wwan0:metered --uplink wlan0' curl -sf --max-time 50 -o got http://10.0.9.1/file
    expect_same_bytes got served/www/file
    expect_between "$used" 0 100000 "bytes by the metered uplink"
}
promise 60 metered_is_spared "a metered uplink carries no data while another works"

metered_behind_a_backup() {
    wifi=$home_wifi cellular=$home_cellular
    network
    pattern served/www/file 20000000
    by_cellular '--uplink wwan0:metered --uplink wlan0:backup' curl -sf --max-time 50 -o got http://10.0.9.1/file
    expect_same_bytes got served/www/file
    expect_between "$used" 0 200000 "bytes by the metered uplink"
}
promise 60 metered_behind_a_backup "nor while a backup does"

# The connection begins on cellular alone; WiFi comes later and is joined.
late_uplink() {
    wifi=$home_wifi cellular=$home_cellular
    events='{at: 10ms, down: wifi}, {at: 3s, up: wifi}'
    network
    pattern served/www/file 40000000
    on phone sh -c "sleep 0.5; exec '$braid' run --uplink wlan0 --uplink wwan0 --trace trace.json -- \
        curl -sf --max-time 50 -o got http://10.0.9.1/file"
    expect_same_bytes got served/www/file
    [ "$(jq -r 'select(.event == "subflow_opened") | .subflow' trace.json | wc -l)" -ge 2 ] || fail "WiFi was not joined"
}
promise 60 late_uplink "an uplink that is down at first is joined when it comes up"

# A download during which the phone's own address changes: CHANGES is a shell script beside it. What braid was given to
# use stands in `uplinks`.
with_changes() {
    pattern served/www/file 30000000
    printf '%s\n' "$1" >changes.sh
    on phone sh -c "sh -e changes.sh >changes.log 2>&1 & exec '$braid' run --policy aggregate $uplinks --trace trace.json -- \
        curl -sf --max-time 50 -o got http://10.0.9.1/file"
    [ ! -s changes.log ] || fail "$(cat changes.log)"
    expect_same_bytes got served/www/file
}

# A new address in the same network, as after a lease that ran out; the link stays up.
renumbered() {
    wifi=$home_wifi cellular=$home_cellular uplinks='--uplink wlan0 --uplink wwan0'
    network
    with_changes '
        sleep 1.5; ip address del 10.0.1.2/24 dev wlan0
        sleep 1; ip address add 10.0.1.7/24 dev wlan0; ip route add default via 10.0.1.1 dev wlan0 metric 100'
    jq -e -n '[inputs | select(.event == "subflow_opened" and (.local | tostring | startswith("10.0.1.7")))] | length > 0' trace.json ||
        fail "the new address was not used: $(jq -c 'select(.event == "subflow_opened")' trace.json)"
}
promise 60 renumbered "an uplink whose address is replaced is joined from the new one"

# Without --uplink: an interface counts from the moment it has a default route.
late_route() {
    wifi=$home_wifi cellular=$home_cellular uplinks=
    network
    with_changes 'ip route del default dev wwan0; sleep 2; ip route add default via 10.0.2.1 dev wwan0 metric 600'
    jq -e -n '[inputs | select(.event == "subflow_opened")] | length > 1' trace.json ||
        fail "the second interface was not joined"
}
promise 60 late_route "an interface that gets a default route during a transfer is joined"

killed_inside() {
    network
    pattern served/www/file 1000000
    cat >kill.sh <<EOF
set -e
"$braid" run --uplink wlan0 -- sh -c ': >started; sleep 30' &
until [ -e started ]; do sleep 0.05; done
kill -KILL \$!
wait \$! || true
# What runs under a braid that is gone has lost its network, and goes too.
sleep 0.5
ip -o link >after_kill
nft list ruleset >rules_after_kill
"$braid" run --uplink wlan0 -- curl -sf --max-time 20 -o got http://10.0.9.1/file
nft list ruleset >rules_after
curl -sf --max-time 20 -o got_plain http://10.0.9.1/file
EOF
    machine_state >before
    on phone sh kill.sh
    expect_same_bytes got served/www/file
    expect_same_bytes got_plain served/www/file
    [ ! -s rules_after ] || fail "rules are left: $(cat rules_after)"
    sleep 0.5
    machine_state >after
    diff before after || fail "something is left (see above)"
}
killed() { in_a_machine_of_its_own killed_inside; }
promise 60 killed "after a braid that was killed, the next one works and nothing is left"

keep_promises "$@"
