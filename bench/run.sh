#!/bin/sh
# Every benchmark, beside the kernel in the same run where the kernel has something to compare: bench/run.sh [REPETITIONS]
# (`make bench`). Tables on the screen, JSON and pictures in build/bench/, and at the end which of the targets are kept. Figures
# are medians, with the lowest and highest in brackets. Compare them within a run only; other work on the machine shows in all of
# them. `bench/run.sh 1` takes ten minutes, five repetitions (the default) most of an hour. BENCH_ONLY='pipe udp ...' runs these
# parts only, and what it writes stands beside what is there from before. BENCH_LONG=1: a million connections, every lossy
# path with every congestion control, every pair of paths, which is hours.
# Needs root or user namespaces for the lab, ethtool, iperf3, jq, mptcpize, valgrind.
set -eu
cd "$(dirname "$0")/.."
. bench/undisturbed.sh
repetitions=${1:-5} long=${BENCH_LONG-}
out=$PWD/build/bench
mkdir -p "$out"
echo "Building (release)"
if ! { cmake --preset release && ninja -C build/release braid bench_pipe bench_idle bench_scale bench_exchange bench_embed \
    bench_forward bench_udp bench_checksum bench_stream sim_test_goodput; } >build/bench.log 2>&1; then
    tail build/bench.log
    exit 1
fi

# part NAME SECONDS SECONDS_MORE: whether it is to run; says how long it takes, and for each repetition.
part() {
    case " ${BENCH_ONLY:-$1} " in *" $1 "*) ;; *) return 1 ;; esac
    printf '\n[%s] %s, about %s minutes\n' "$(date +%H:%M)" "$1" "$(awk "BEGIN { printf \"%.1f\", ($2 + $3 * $repetitions) / 60 }")"
}

if part pipe 90 12; then sh bench/pipe.sh "$repetitions"; fi
if part loopback 0 12; then sh bench/loopback.sh "$repetitions"; fi
if part crowd "$([ "$long" = 1 ] && echo 600 || echo 25)" 0; then sh bench/crowd.sh; fi
if part checksum 3 0; then
    echo "The Internet checksum: nanoseconds for so many bytes"
    build/release/bench/bench_checksum | tee "$out/checksum.lines" |
        jq -r '"\(.way)\t20: \(.ns_20)\t1460: \(.ns_1460)\t65536: \(.ns_65536)\t\(.gb_per_s) GB/s"'
    jq -s . "$out/checksum.lines" >"$out/checksum.json"
fi
if part udp 0 16; then sh bench/udp.sh "$repetitions"; fi
if part embed 0 45; then sh bench/embed.sh "$repetitions"; fi
if part exchange 0 25; then sh bench/exchange.sh "$repetitions"; fi
if part fast_link 0 72; then
    sh bench/fast_link.sh "$repetitions"
    echo "The same without offloads:"
    BENCH_OFFLOADS=off sh bench/fast_link.sh "$repetitions"
fi
if part stream 0 190; then
    sh bench/stream.sh "$repetitions"
    echo "The same without offloads, by BBR in writes of 64 KB:"
    BENCH_OFFLOADS=off BENCH_CONGESTION=bbr BENCH_WRITES=65536 sh bench/stream.sh "$repetitions"
    echo "With them, but single segments from the program to the TUN, by CUBIC in writes of 64 KB:"
    BENCH_OFFLOADS=tun BENCH_CONGESTION=cubic BENCH_WRITES=65536 sh bench/stream.sh "$repetitions"
fi
if part goodput 40 0; then
    echo "Goodput in virtual time, % of the link, and whether any is worse than docs/goodput.md has it"
    build/release/tests/sim/sim_test_goodput --json "$out/goodput.json" >"$out/goodput.faults" || true
    jq -r '.[] | "\(.congestion)\t\(.table): \(.cells | map("\(.at): \(.percent)") | join(", "))"' "$out/goodput.json"
    tail -n 1 "$out/goodput.faults"
fi
if [ "$long" = 1 ]; then
    if part lossy 0 2400; then sh bench/lossy.sh "$repetitions"; fi
    if part pairs 0 260; then sh bench/pairs.sh "$repetitions"; fi
    if part buffers 0 480; then sh bench/buffers.sh "$repetitions"; fi
    if part degrade 1700 0; then sh bench/degrade.sh 16; fi
else
    if part lossy 0 60; then BENCH_COURSES='50:0:1:0 50:0.1:1:0 50:1:1:0' sh bench/lossy.sh "$repetitions" cubic; fi
    if part pairs 0 70; then BENCH_PAIR='50 20 30 70' sh bench/pairs.sh "$repetitions"; fi
fi

sh bench/svg.sh "$out" >"$out/bench.svg"
echo
echo "As a picture: build/bench/bench.svg"
echo
sh bench/targets.sh "$out"
