#!/bin/sh
# Programs that embed braid, at both ends of a veth, beside the kernel's own in the same run: bench/embed.sh [REPETITIONS].
# Streams over AF_PACKET by MPTCP and by plain TCP, beside a program that only moves super-segments that way, with the veth's
# offloads on and off; and short conversations over AF_PACKET and UDP. Needs root, or `unshare -rn`, ethtool, jq, and bench_embed
# in build/release. Tables on the screen, JSON in build/bench/packet.json, packet_single.json and embedded.json.
# BENCH_COUNTERS=1: what each stack counted, on standard error. BENCH_SECONDS: of each stream. BENCH_PARTS: streams, conversations,
# or both (the default).
set -eu
cd "$(dirname "$0")/.."
. bench/undisturbed.sh
repetitions=${1:-5} parts=${BENCH_PARTS:-streams conversations}
embed=$PWD/build/release/bench/bench_embed out=$PWD/build/bench
mkdir -p "$out"

streams() {
    BENCH_OFFLOADS=$1
    export BENCH_OFFLOADS
    : >"$out/$2.lines"
    for _ in $(seq "$repetitions"); do
        for way in bare_packet packet packet_tcp tcp mptcp; do
            "$embed" stream $way "${BENCH_SECONDS:-2}" >>"$out/$2.lines"
        done
    done
    jq -s 'def spread: sort | {median: .[length / 2 | floor], least: .[0], most: .[-1]};
        group_by(.way) | map({way: .[0].way, gbps: (map(.gbps) | spread), cpu_s_per_gb: (map(.cpu_s_per_gb) | spread)}) |
        (map(select(.way == "bare_packet"))[0].gbps.median) as $bare | map(. + {of_bare: (.gbps.median / $bare)})' \
        "$out/$2.lines" >"$out/$2.json"
    printf '%-12s %-28s %-36s %s\n' way 'Gb/s' 'CPU seconds a gigabyte, both ends' 'of bare'
    jq -r '.[] | [.way, .gbps.median, .gbps.least, .gbps.most, .cpu_s_per_gb.median, .cpu_s_per_gb.least, .cpu_s_per_gb.most,
        .of_bare] | @tsv' "$out/$2.json" |
        awk '{ printf "%-12s %6.2f [%.2f..%.2f]%10s %.2f [%.2f..%.2f]%18s %.2f\n", $1, $2, $3, $4, "", $5, $6, $7, "", $8 }'
}

conversations() {
    BENCH_OFFLOADS=on
    export BENCH_OFFLOADS
    : >"$out/embedded.lines"
    for _ in $(seq "$repetitions"); do
        for way in tcp packet_tcp mptcp packet; do
            "$embed" connections $way 3000 >>"$out/embedded.lines"
        done
        for way in tcp packet_tcp udp_tcp mptcp packet udp; do
            "$embed" round_trips $way 20000 >>"$out/embedded.lines"
        done
        # A link over UDP has 256 ports, and each rests for a second after its connection.
        for way in udp_tcp udp; do "$embed" connections $way 240 >>"$out/embedded.lines"; done
    done
    jq -s 'group_by([.what, .client]) | map({what: .[0].what, client: .[0].client} +
        (. as $runs | ["per_second", "median_us", "p99_us"] | map(. as $key | {($key): ($runs | map(.[$key]) | sort |
        {median: .[length / 2 | floor], least: .[0], most: .[-1]})}) | add))' "$out/embedded.lines" >"$out/embedded.json"
    printf '%-12s %-13s %-26s %-24s %s\n' what client 'a second' 'median us' '99th percentile us'
    jq -r 'def s: "\(.median) [\(.least)..\(.most)]"; .[] | [.what, .client, (.per_second | s), (.median_us | s), (.p99_us | s)] | @tsv' \
        "$out/embedded.json" | awk -F '\t' '{ printf "%-12s %-13s %-26s %-24s %s\n", $1, $2, $3, $4, $5 }'
}

for part in $parts; do
    if [ "$part" = streams ]; then
        echo "One connection between two programs that embed braid, over AF_PACKET; bare: super-segments without any protocol"
        streams on packet
        echo "The same without the veth's offloads"
        streams off packet_single
    else
        echo "Short conversations between two programs that embed braid, over AF_PACKET (packet) and UDP, and by the kernel's sockets"
        conversations
    fi
done
