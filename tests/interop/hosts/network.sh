# The network most interop tests run in, for `braid lab`; sourced after tests/lib.sh.
#
#     phone -- wlan0 10.0.1.2, fd00:1::2 -- wifi ------ router -- eth0 10.0.9.1, fd00:9::1 -- server
#           \- wwan0 10.0.2.2, fd00:2::2 -- cellular --/
#
# The phone prefers WiFi. The server runs serve.sh in the folder `served`. What differs from test to test are
# variables, set before `network`:
#
#     wifi, cellular      YAML of a link's shape; default: a wire
#     server_sysctls      YAML, such as 'net.mptcp.checksum_enabled: 1'; likewise phone_sysctls
#     events              YAML of a timeline, since the command started
#     services            YAML of the services, instead of serve.sh on the server
wire='direct: yes'
wifi=$wire cellular=$wire server_sysctls= phone_sysctls= events= services=
home_wifi='rate: 50Mbit, delay: 15ms, queue: 100ms'
home_cellular='rate: 20Mbit, delay: 35ms, queue: 100ms'

# Writes lab.yaml and makes the served folder.
network() {
    mkdir -p served/www
    servers="  servers:
    host: server
    command: 'sh $root/tests/interop/hosts/serve.sh $PWD/served'
    ready: {command: 'test -e $PWD/served/serving'}"
    cat >lab.yaml <<EOF
hosts:
  phone: {nameserver: 10.0.9.1, sysctls: {$phone_sysctls}}
  router: {forwarding: yes}
  server: {sysctls: {$server_sysctls}}
links:
  wifi:
    from: {host: phone, interface: wlan0, address: [10.0.1.2/24, 'fd00:1::2/64'], gateway: [10.0.1.1, 'fd00:1::1'], metric: 100}
    to: {host: router, interface: wifi, address: [10.0.1.1/24, 'fd00:1::1/64']}
    $(lines "$wifi")
  cellular:
    from: {host: phone, interface: wwan0, address: [10.0.2.2/24, 'fd00:2::2/64'], gateway: [10.0.2.1, 'fd00:2::1'], metric: 600}
    to: {host: router, interface: cellular, address: [10.0.2.1/24, 'fd00:2::1/64']}
    $(lines "$cellular")
  backbone:
    from: {host: server, interface: eth0, address: [10.0.9.1/24, 'fd00:9::1/64'], gateway: [10.0.9.254, 'fd00:9::254']}
    to: {host: router, interface: backbone, address: [10.0.9.254/24, 'fd00:9::254/64']}
    direct: yes
services:
${services:-$servers}
events: [$events]
EOF
}

# "a: 1, b: 2" as two lines of a mapping, indented as above.
lines() { printf '%s\n' "$1" | sed 's/, */\n    /g'; }

# pattern FILE BYTES [SEED]: the same bytes for the same seed, and no two alike near each other.
pattern() {
    openssl enc -aes-128-ctr -K "$(printf '%032x' "${3:-1}")" -iv 00000000000000000000000000000000 \
        -in /dev/zero 2>/dev/null | head -c "$2" >"$1"
}

# A command on a host, in the folder of the test, with the timeline: on HOST COMMAND...
on() {
    host=$1
    shift
    rm -f served/serving # of a run before this one
    "$braid" lab lab.yaml --quiet --events -- "$host" env -C "$PWD" "$@"
}

# A command on the phone, by way of braid and both uplinks, WiFi preferred.
on_braid() {
    on phone "$braid" run --uplink wlan0 --uplink wwan0 -- "$@"
}

# The same, both uplinks in use at the same time.
on_both() {
    on phone "$braid" run --policy aggregate --uplink wlan0 --uplink wwan0 -- "$@"
}

