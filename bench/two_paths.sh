# Sourced by benchmarks: a phone with two paths to a server, and three ways to use them. Sets $braid and $out.
braid=${BENCH_BRAID:-$PWD/build/release/braid}
kernel_paths='ip mptcp limits set subflow 2 add_addr_accepted 2; ip mptcp endpoint add 10.0.2.2 dev cell0 subflow'
of_braid="$braid run --policy aggregate --congestion cubic --uplink wlan0 --uplink cell0"

# two_paths "RATE RTT QUEUE" "RATE RTT QUEUE" [OPTION OF PROBE SERVE...]: rates in Mb/s, times in ms. Hosts, links and a server,
# as YAML.
two_paths() {
    first=$1 second=$2
    shift 2
    cat <<E2
hosts: {phone: {}, router: {forwarding: true}, server: {}}
links:
  wlan0:
    from: {host: phone, interface: wlan0, address: [10.0.1.2/24], gateway: [10.0.1.1], metric: 100}
    to: {host: router, interface: wifi, address: [10.0.1.1/24]}
$(shape $first)
  cell0:
    from: {host: phone, interface: cell0, address: [10.0.2.2/24], gateway: [10.0.2.1], metric: 200}
    to: {host: router, interface: cellular, address: [10.0.2.1/24]}
$(shape $second)
  wire:
    from: {host: server, interface: eth0, address: [10.0.9.1/24], gateway: [10.0.9.254]}
    to: {host: router, interface: eth0, address: [10.0.9.254/24]}
    direct: true
services:
  probe:
    host: server
    command: 'ip mptcp limits set subflow 2; exec $braid probe serve --mptcp --port 7000 --congestion cubic $*'
    ready: {tcp: 7000}
E2
}

shape() {
    awk -v rate="$1" -v rtt="$2" -v queue="$3" 'BEGIN {
        printf "    rate: %dbit\n    delay: %.3fms\n    queue: %.3fms", rate * 1000000, rtt / 2, queue }'
}

# spread: medians and ranges, for jq.
jq_spread='def spread: sort | .[(length - 1) / 2 | floor] as $m |
    "\($m * 100 | round / 100) [\(.[0] * 100 | round / 100)..\(.[-1] * 100 | round / 100)]";'
