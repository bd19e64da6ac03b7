#!/bin/sh
# Two unlike paths and small receive buffers in the lab: 8 Mb/s of 20 ms (80 ms of queue) and 2 Mb/s of 150 ms (2 s of queue),
# CUBIC at both ends; braid, kernel MPTCP, and kernel TCP on the better path: bench/buffers.sh [REPETITIONS [kB...]]. The
# receiver's buffer is bounded: SO_RCVBUF of a kernel's socket, braid run --receive-buffer. The same in virtual time:
# docs/bonding.md. Needs build/release (scripts/build.sh release). Prints Mb/s: medians, lowest and highest.
set -eu
cd "$(dirname "$0")/.."
. bench/undisturbed.sh
repetitions=${1:-3}
[ $# -lt 1 ] || shift
[ $# -gt 0 ] || set -- 50 100 200 350 500 700 1000
. bench/two_paths.sh
out=$PWD/build/bench/buffers
rm -rf "$out"
mkdir -p "$out"

# transfers OPTIONS: as many as repetitions, each for 12 s or so.
transfers() {
    bytes=12000000
    for _ in $(seq "$repetitions"); do
        echo "$braid probe bulk 10.0.9.1:7000 --bytes $bytes $* || true"
    done >"$out/commands"
}

run() {
    client=$1
    shift
    "$braid" lab "$out/paths.yaml" --quiet -- phone "$@" |
        jq -c "{client: \"$client\", way: \"$way\", kb: $kb, mbps: .goodput_mbps, completed}" >>"$out/lines"
}

: >"$out/lines"
printf '%-6s %-10s %24s %24s %24s\n' kB way 'braid' 'kernel MPTCP' 'kernel TCP'
for way in download upload; do
    for kb in "$@"; do
        bytes=$((kb * 1000))
        if [ $way = download ]; then
            server= buffer="--receive-buffer $bytes" upload=
        else
            server="--receive-buffer $bytes" buffer= upload='--upload --congestion cubic'
        fi
        # shellcheck disable=SC2086
        two_paths '8 20 80' '2 150 2000' $server >"$out/paths.yaml"
        ours=
        [ $way = upload ] || ours="--receive-buffer $((bytes / 1024))K"
        transfers ${upload:+--upload}
        # shellcheck disable=SC2086
        run braid $of_braid $ours -- sh "$out/commands"
        # shellcheck disable=SC2086
        transfers --mptcp $buffer $upload
        run 'kernel MPTCP' sh -c "$kernel_paths; sh $out/commands"
        # shellcheck disable=SC2086
        transfers $buffer $upload
        run 'kernel TCP' sh "$out/commands"
        jq -rs "$jq_spread"' map(select(.kb == '"$kb"' and .way == "'$way'")) | group_by(.client) | map(map(.mbps) | spread) | @tsv' "$out/lines" |
            awk -F '\t' -v kb="$kb" -v way="$way" '{ printf "%-6s %-10s %24s %24s %24s\n", kb, way, $1, $2, $3 }'
    done
done
jq -s . "$out/lines" >build/bench/buffers.json
