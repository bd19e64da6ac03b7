#!/bin/sh
# A run as a picture: bench/svg.sh FOLDER > FILE.svg, from the JSON that FOLDER has. A bar for each way, braid's, the kernel's and
# those of programs that only move packets side by side, each group with a scale of its own, with a whisker from the lowest to the
# highest run; a row of boxes for the goodput of each congestion control in virtual time. Needs jq.
set -eu
folder=$1

# rows FILE EXPRESSION: tab-separated rows of what EXPRESSION makes of FILE's JSON, if it is there. Of a bar: group, unit, label,
# kind, median, least, most, and perhaps a note. Of boxes: group, "boxes", label, and each box as NAME=PERCENT.
names='def named: {kernel_tcp: ["kernel TCP", "tcp"], kernel_mptcp: ["kernel MPTCP", "mptcp"], tcp: ["kernel TCP", "tcp"],
    mptcp: ["kernel MPTCP", "mptcp"], braid: ["braid run, MPTCP", "braid"], braid_tcp: ["braid run, TCP server", "braid"],
    forward_tcp: ["forwarder, kernel TCP", "bare"], forward_mptcp: ["forwarder, kernel MPTCP", "bare"],
    bare: ["bare UDP sockets", "bare"], bare_packet: ["bare AF_PACKET", "bare"], packet: ["braid, MPTCP by AF_PACKET", "braid"],
    packet_tcp: ["braid, TCP by AF_PACKET", "braid"], udp: ["braid, MPTCP by UDP", "braid"], udp_tcp: ["braid, TCP by UDP", "braid"],
    team1: ["braid by UDP, 2 clients", "braid"], team2: ["the same, 2 threads", "braid"]}[.] // [., "braid"];
    def order: sort_by(if has("client") then .client else .way end | named | {bare: 0, tcp: 1, mptcp: 2, braid: 3}[.[1]]);
    def spread: [.median, .least, .most];'
rows() { if [ -e "$folder/$1.json" ]; then jq -r "$names $2 | @tsv" "$folder/$1.json"; fi; }

everything() {
    rows pipe '.[] | select(.super == 1) | ["Two stacks in memory, one core, super-segments", "Gb/s",
        (if .paths == 0 then "TCP" else "MPTCP, \(.paths) path\(if .paths > 1 then "s" else "" end)" end) +
        (if .checksum % 2 == 1 then ", DSS checksum" else "" end) + (if .checksum >= 2 then ", checksum" else "" end),
        "braid", .gbps, (.least // .gbps), (.most // .gbps), "\(.of_plain * 100 | round) % of TCP"]'
    rows loopback '.[] | ["The kernel over loopback, two cores", "Gb/s", (if .paths == 0 then "kernel TCP" else
        "kernel MPTCP, \(.paths) path\(if .paths > 1 then "s" else "" end)" end), (if .paths == 0 then "tcp" else "mptcp" end)] +
        (.gbps | spread) + ["\(.of_plain * 100 | round) % of TCP"]'
    rows udp 'order | .[] | ["Two programs over a veth, 64 KB writes: by UDP", "Gb/s"] + ((if .way == "braid" then "udp" else .way end) | named) +
        (.gbps | spread) + ["\(.cpu_s_per_gb.median * 100 | round / 100) CPU s/GB"]'
    for run in packet packet_single; do
        rows $run 'order | .[] | ["Two programs over a veth: by AF_PACKET'"$([ $run = packet ] || echo ', offloads off')"'", "Gb/s"] +
            (.way | named) + (.gbps | spread) + ["\(.cpu_s_per_gb.median * 100 | round / 100) CPU s/GB"]'
    done
    for run in fast_link fast_link_single; do
        rows $run 'group_by(.way) | reverse | map(order) | add | .[] | ["Programs over a veth: iperf3, \(.way)'"$([ $run = fast_link ] || echo ', offloads off')"'", "Gb/s"] +
            (.client | named) + (.gbps | spread) + ["\(.cpu_s_per_gb.median * 100 | round / 100) CPU s/GB"]'
    done
    for run in stream stream_single stream_tun; do
        case $run in stream) what= ;; stream_single) what=', offloads off' ;; *) what=', single to TUN' ;; esac
        rows $run 'group_by([.congestion, .write_bytes, .way]) | map(order) | add | .[] |
            ["\(.congestion | ascii_upcase), \(.write_bytes / 1024) KB writes, \(.way)'"$what"'", "Gb/s"] + (.client | named) +
            (.gbps | spread) + ["gap \(.longest_ms.most | round) ms"]'
    done
    for run in exchange embedded; do
        rows $run 'group_by(.what) | map(order) | add | .[] | [(if .what == "connections" then "Open, a byte each way, close" else "A byte each way" end) +
            "'"$([ $run = exchange ] && echo ': programs' || echo ': programs that embed braid')"'", "a second"] + (.client | named) +
            (.per_second | spread) + ["median \(.median_us.median | round), 99 % \(.p99_us.median | round) us"]'
    done
    rows idle '.[] | ["Memory of an idle connection, one end", "bytes", "\(.connections) of \(if .paths == 0 then "TCP" else "MPTCP, \(.paths) paths" end)",
        "braid", .client_bytes, .client_bytes, .client_bytes, "all: open \(.open_s * 10 | round / 10) s, time out \(.time_out_s * 10 | round / 10) s"]'
    rows scale '.[] | ["A byte carried and acknowledged, both ends, one of so many", "ns", "\(.connections) of \(if .paths == 0 then "TCP" else "MPTCP, \(.paths) paths" end)",
        "braid", .exchange_ns, .exchange_ns, .exchange_ns, "timer \(.timer_ns) ns"]'
    rows checksum '.[] | ["The Internet checksum of 64 KB", "GB/s", .way, "braid", .gb_per_s, .gb_per_s, .gb_per_s, "\(.ns_1460 | round) ns for 1460 bytes"]'
    rows lossy 'def median: sort | .[(length - 1) / 2 | floor];
        group_by([.congestion, .rtt_ms, .loss, .queue_bdp, .reorder]) | .[] | .[0] as $first | [group_by(.bytes)[] |
        (map(select(.client == "kernel").seconds) | median) as $kernel | (map(select(.client == "braid").seconds) | median) as $braid |
        if $kernel != null and $braid != null then $kernel / $braid else empty end] | select(length > 0) |
        ["The lab, TCP, \($first.congestion // "cubic" | ascii_upcase): the kernel'"'"'s time for a transfer to braid'"'"'s", "",
        "\($first.rtt_ms) ms, \($first.loss) % lost" + (if ($first.queue_bdp // 1) != 1 then ", queue \($first.queue_bdp)" else "" end) +
        (if ($first.reorder // 0) > 0 then ", \($first.reorder) % late" else "" end), (if min < 0.95 then "low" else "braid" end), median, min, max]'
    rows goodput '.[] | ["Virtual time, % of the link: \(.table | ascii_downcase)", "boxes", .congestion] + [.cells[] | "\(.at)=\(.percent)"]'
}

everything | awk -F '\t' '
    function escape(s) { gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); return s }
    function text(x, y, anchor, weight, s) {
        printf "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"%s\" font-weight=\"%s\">%s</text>\n", x, y, anchor, weight, escape(s)
    }
    function small(x, y, anchor, colour, s) {
        printf "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"%s\" font-size=\"10\" fill=\"%s\">%s</text>\n", x, y, anchor, colour, escape(s)
    }
    function figure(v) { return v >= 100 ? sprintf("%.0f", v) : v >= 10 ? sprintf("%.1f", v) : sprintf("%.2f", v) }
    function legend(x, kind, what) {
        printf "<rect x=\"%d\" y=\"38\" width=\"14\" height=\"12\" fill=\"%s\"/>\n", x, colour[kind]
        text(x + 20, 48, "start", "normal", what)
    }
    function wrap(s) { return length(s) > 88 ? substr(s, 1, 85) "..." : s }
    { group[NR] = $1; unit[NR] = $2; label[NR] = $3
      if ($2 == "boxes") { for (k = 4; k <= NF; k++) box[NR, k - 4] = $k; boxes[NR] = NF - 3 }
      else { kind[NR] = $4; median[NR] = $5; least[NR] = $6; most[NR] = $7; note[NR] = $8; if ($7 > top[$1]) top[$1] = $7 }
      if ($1 != last) height += 46
      height += 20; size[$1] += 20
      last = $1 }
    END {
        colour["braid"] = "#0072b2"; colour["tcp"] = "#999999"; colour["mptcp"] = "#d55e00"; colour["bare"] = "#d9d9d9"; colour["low"] = "#cc3311"
        left = 205; width = 200; column = 640; columns = height > 1400 ? 3 : height > 700 ? 2 : 1
        most_y = height / columns + 120
        for (pass = 0; pass < 2; pass++) { # the first finds out how tall the picture is
            x0 = 0; y = 60; here = 1
            for (i = 1; i <= NR; i++) {
                if (group[i] != group[i - 1]) {
                    if (y + 34 + size[group[i]] > most_y && here < columns && y > 60) { x0 += column; y = 60; here++ }
                    y += 30
                    if (pass) text(x0 + 14, y, "start", "bold", wrap(group[i] (unit[i] != "boxes" && unit[i] != "" ? ", " unit[i] : "")))
                    y += 10
                    if (pass && unit[i] == "boxes") for (k = 0; k < boxes[i]; k++) { split(box[i, k], p, "="); small(x0 + left + k * 52 + 25, y + 4, "middle", "#555555", p[1]) }
                    if (unit[i] == "boxes") y += 8
                }
                if (pass && unit[i] == "boxes") {
                    text(x0 + left - 8, y + 13, "end", "normal", label[i])
                    for (k = 0; k < boxes[i]; k++) {
                        split(box[i, k], p, "=")
                        printf "<rect x=\"%d\" y=\"%d\" width=\"50\" height=\"17\" fill=\"#0072b2\" fill-opacity=\"%.2f\"/>\n", x0 + left + k * 52, y + 1, 0.06 + p[2] / 120
                        printf "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" fill=\"%s\">%d</text>\n", x0 + left + k * 52 + 25, y + 14, (p[2] > 55 ? "white" : "black"), p[2]
                    }
                } else if (pass) {
                    scale = width / top[group[i]]
                    text(x0 + left - 8, y + 13, "end", "normal", label[i])
                    printf "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"14\" fill=\"%s\"/>\n", x0 + left, y + 2, median[i] * scale, colour[kind[i]]
                    if (most[i] > least[i])
                        printf "<path d=\"M%.1f %dH%.1f\" stroke=\"black\" stroke-width=\"1.5\"/>\n", x0 + left + least[i] * scale, y + 9, x0 + left + most[i] * scale
                    text(x0 + left + (most[i] > median[i] ? most[i] : median[i]) * scale + 6, y + 13, "start", "normal", figure(median[i]))
                    small(x0 + left + width + 58, y + 13, "start", "#555555", note[i])
                }
                y += 20
                if (y > tallest) tallest = y
            }
            if (pass) break
            printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n", here * column, tallest + 20
            print "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
            printf "<text x=\"14\" y=\"24\" font-size=\"15\" font-weight=\"bold\">braid beside the kernel, one run: medians; whiskers: lowest and highest; each group has a scale of its own</text>\n"
            legend(14, "braid", "braid"); legend(90, "tcp", "kernel TCP"); legend(200, "mptcp", "kernel MPTCP"); legend(330, "bare", "only moves packets"); legend(480, "low", "braid, some size below 0.95 of the kernel")
        }
        print "</svg>"
    }'
