#!/bin/sh
# Throughput and CPU of `braid run` on a link without limits (veth), beside the kernel's plain TCP and its MPTCP in the
# same lab: bench/fast_link.sh [REPETITIONS]. Needs build/release (scripts/build.sh release), iperf3, jq, mptcpize.
# Prints medians, with the lowest and highest in brackets; with perf installed, also braid's five costliest functions.
set -eu
cd "$(dirname "$0")/.."
repetitions=${1:-5}
braid=$PWD/build/release/braid
out=$PWD/build/bench/fast_link
rm -rf "$out"
mkdir -p "$out"
cat >"$out/lab.yaml" <<E2
hosts: {client: {}, server: {}}
links:
  wire:
    from: {host: client, interface: eth0, address: [10.0.9.2/24], gateway: [10.0.9.1]}
    to: {host: server, interface: eth0, address: [10.0.9.1/24]}
    direct: yes
services:
  tcp: {host: server, command: 'iperf3 --server --port 5201', ready: {tcp: 5201}}
  mptcp: {host: server, command: 'mptcpize run iperf3 --server --port 5202', ready: {tcp: 5202}}
E2

# measure NAME COMMAND...: an iperf3 run; the seconds of CPU of all that COMMAND started stand in NAME.times.
cat >"$out/measure.sh" <<'E2'
name=$1
shift
"$@" --client 10.0.9.1 --time 4 --json >"$name.json"
times | tail -n 1 >"$name.times"
E2

for i in $(seq "$repetitions"); do
    for way in up down; do
        reverse=
        [ $way = up ] || reverse=--reverse
        measure() {
            name=$1
            shift
            "$braid" lab "$out/lab.yaml" --quiet -- client sh "$out/measure.sh" "$out/$name-$way-$i" "$@" $reverse
        }
        measure kernel_tcp iperf3 --port 5201
        measure kernel_mptcp mptcpize run iperf3 --port 5202
        measure braid "$braid" run --uplink eth0 -- iperf3 --port 5202
        measure braid_tcp "$braid" run --uplink eth0 -- iperf3 --port 5201
    done
done

# Minutes and seconds as `times` writes them: 0m1.23s 0m4.56s.
cpu_seconds() { tr 'ms' '  ' <"$1" | awk '{ print $1 * 60 + $2 + $3 * 60 + $4 }'; }
spread() { sort -n | awk '{ v[NR] = $1 } END { printf "%.2f [%.2f..%.2f]", v[int((NR + 1) / 2)], v[1], v[NR] }'; }
printf '%-14s %-6s %-28s %s\n' client way 'Gb/s' 'CPU seconds a second, of client and braid'
for way in up down; do
    for who in kernel_tcp kernel_mptcp braid braid_tcp; do
        rates=$(for f in "$out/$who-$way"-*.json; do jq '.end.sum_received.bits_per_second / 1e9' "$f"; done | spread)
        cpus=$(for f in "$out/$who-$way"-*.times; do cpu_seconds "$f" | awk '{ print $1 / 4 }'; done | spread)
        printf '%-14s %-6s %-28s %s\n' "$who" "$way" "$rates" "$cpus"
    done
done

if command -v perf >/dev/null; then
    for way in up down; do
        reverse=
        [ $way = up ] || reverse=--reverse
        "$braid" lab "$out/lab.yaml" --quiet -- client perf record -q -e cpu-clock -g -o "$out/perf.$way" -- \
            "$braid" run --uplink eth0 -- iperf3 --client 10.0.9.1 --port 5202 --time 4 $reverse >/dev/null
        echo "The five costliest places of braid ($way):"
        perf report -i "$out/perf.$way" --comm braid --no-children -g none --stdio 2>/dev/null |
            grep -E '^ +[0-9]+\.' | head -n 5
    done
fi
