#!/bin/sh
# Throughput and CPU of `braid run` on a link without limits (veth), beside the kernel's plain TCP and its MPTCP, and
# beside a program that does nothing but move packets the same way (the limit of that way), in the same lab:
# bench/fast_link.sh [REPETITIONS]. Needs iperf3, jq, mptcpize, and in build/release braid and bench_forward. Prints
# medians, with the lowest and highest in brackets, and writes build/bench/fast_link.json; with PROFILE=1 and perf, also
# braid's five costliest functions. BENCH_SECONDS: whole ones, 2 by default. BENCH_OFFLOADS=off: neither end of the veth takes super-segments (fast_link_single.json).
# BENCH_CONGESTION=cubic or bbr: the same for all; without it the kernel's ends have the machine's default, and braid its own.
set -eu
cd "$(dirname "$0")/.."
. bench/undisturbed.sh
repetitions=${1:-5}
braid=$PWD/build/release/braid forward=$PWD/build/release/bench/bench_forward
seconds=${BENCH_SECONDS:-2} congestion=${BENCH_CONGESTION:-}
chosen=$congestion own=cubic
[ -n "$congestion" ] || chosen=$(cat /proc/sys/net/ipv4/tcp_congestion_control)
[ -z "$congestion" ] || own=$congestion
out=$PWD/build/bench/fast_link offloads=true
if [ "${BENCH_OFFLOADS-}" = off ]; then
    out=${out}_single offloads='ethtool -K eth0 tso off gso off gro off'
fi
rm -rf "$out"
mkdir -p "$out"
. bench/one_wire.sh
one_wire \
    "tcp: {host: server, command: '$offloads; exec iperf3 --server --port 5201', ready: {tcp: 5201}}" \
    "mptcp: {host: server, command: '$offloads; exec mptcpize run iperf3 --server --port 5202', ready: {tcp: 5202}}" >"$out/lab.yaml"

# measure NAME SECONDS COMMAND...: an iperf3 run; the seconds of CPU of all that COMMAND started stand in NAME.times.
cat >"$out/measure.sh" <<E2
$offloads
E2
cat >>"$out/measure.sh" <<'E2'
name=$1 seconds=$2
shift 2
"$@" ${BENCH_CONGESTION:+--congestion "$BENCH_CONGESTION"} --client 10.0.9.1 --time "$seconds" --json >"$name.json"
times >"$name.times"
E2

for i in $(seq "$repetitions"); do
    for way in up down; do
        reverse=
        [ $way = up ] || reverse=--reverse
        measure() {
            name=$1
            shift
            "$braid" lab "$out/lab.yaml" --quiet -- client sh "$out/measure.sh" "$out/$name-$way-$i" "$seconds" "$@" $reverse
        }
        measure kernel_tcp iperf3 --port 5201
        measure kernel_mptcp mptcpize run iperf3 --port 5202
        measure braid "$braid" run --congestion "$own" --uplink eth0 -- iperf3 --port 5202
        measure braid_tcp "$braid" run --congestion "$own" --uplink eth0 -- iperf3 --port 5201
        measure forward_tcp "$forward" eth0 10.0.9.2 iperf3 --port 5201
        measure forward_mptcp "$forward" eth0 10.0.9.2 mptcpize run iperf3 --port 5202
    done
done

# Of the children; `times` writes minutes and seconds: 0m1.23s 0m4.56s.
cpu_seconds() { tail -n 1 "$1" | tr 'ms' '  ' | awk '{ print $1 * 60 + $2 + $3 * 60 + $4 }'; }
for way in up down; do
    for who in kernel_tcp kernel_mptcp braid braid_tcp forward_tcp forward_mptcp; do
        for i in $(seq "$repetitions"); do
            cpu=$(cpu_seconds "$out/$who-$way-$i.times")
            jq -c --argjson cpu "$cpu" "{client: \"$who\", way: \"$way\",
                gbps: (.end.sum_received.bits_per_second / 1e9), cpu_s_per_gb: (\$cpu / .end.sum_received.bytes * 1e9)}" \
                "$out/$who-$way-$i.json"
        done
    done
done >"$out/lines"
jq -s 'def spread: sort | {median: .[length / 2 | floor], least: .[0], most: .[-1]};
    group_by([.way, .client]) | map({way: .[0].way, client: .[0].client, gbps: (map(.gbps) | spread),
    cpu_s_per_gb: (map(.cpu_s_per_gb) | spread), congestion: (if .[0].client | startswith("braid") then "'"$own"'" else
    "'"$chosen"'" end)})' "$out/lines" >"$out.json"
echo "iperf3 over a veth; congestion control: $chosen at the kernel's ends, $own in braid"
printf '%-15s %-6s %-28s %s\n' client way 'Gb/s' 'CPU seconds a gigabyte (the client, and what is between)'
jq -r '.[] | [.client, .way, .gbps.median, .gbps.least, .gbps.most, .cpu_s_per_gb.median, .cpu_s_per_gb.least,
    .cpu_s_per_gb.most] | @tsv' "$out.json" |
    awk '{ printf "%-15s %-6s %6.2f [%.2f..%.2f]%10s %.2f [%.2f..%.2f]\n", $1, $2, $3, $4, $5, "", $6, $7, $8 }'

[ "${PROFILE-}" = 1 ] || exit 0
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
