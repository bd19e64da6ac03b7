#!/bin/sh
# The rates of a run as a picture: bench/svg.sh FOLDER > FILE.svg, from what FOLDER has of pipe.json, udp.json,
# fast_link.json, fast_link_single.json, stream.json and stream_single.json. A bar for each way, braid's and the kernel's TCP
# and MPTCP side by side, with a whisker from the lowest to the highest run; for streams also the longest time of any run
# without a byte. Needs jq.
set -eu
folder=$1

# group, label, kind, median, least, most, and perhaps the longest gap in ms: one line a bar
bars() {
    if [ -e "$folder/pipe.json" ]; then
        jq -r '.[] | select(.super == 1) | ["Memory, one core", (if .paths == 0 then "braid TCP" else
            "braid MPTCP, \(.paths) path\(if .paths > 1 then "s" else "" end)\(if .checksum == 1 then ", checksum" else "" end)" end),
            (if .paths == 0 then "tcp" else "braid" end), .gbps, (.least // .gbps), (.most // .gbps)] | @tsv' "$folder/pipe.json"
    fi
    if [ -e "$folder/udp.json" ]; then
        jq -r '{bare: ["bare UDP sockets", "bare"], tcp: ["kernel TCP", "tcp"], mptcp: ["kernel MPTCP", "mptcp"],
            braid: ["braid in UDP", "braid"]} as $names | .[] | ["veth: UDP, 64 KB writes", $names[.way][0], $names[.way][1],
            .gbps.median, .gbps.least, .gbps.most] | @tsv' "$folder/udp.json"
    fi
    for run in fast_link fast_link_single; do
        [ -e "$folder/$run.json" ] || continue
        what=
        [ $run = fast_link ] || what=', offloads off'
        jq -r --arg what "$what" '{kernel_tcp: ["kernel TCP", "tcp"], kernel_mptcp: ["kernel MPTCP", "mptcp"],
            braid: ["braid run, MPTCP", "braid"], braid_tcp: ["braid run, TCP server", "braid"],
            forward_tcp: ["forwarder, TCP", "bare"], forward_mptcp: ["forwarder, MPTCP", "bare"]} as $names | .[] |
            ["veth: iperf3, \(.way)\($what)", $names[.client][0], $names[.client][1], .gbps.median, .gbps.least, .gbps.most] | @tsv' \
            "$folder/$run.json"
    done
    for run in stream stream_single; do
        [ -e "$folder/$run.json" ] || continue
        what=
        [ $run = stream ] || what=', offloads off'
        jq -r --arg what "$what" '{kernel_tcp: ["kernel TCP", "tcp"], kernel_mptcp: ["kernel MPTCP", "mptcp"],
            braid: ["braid run, MPTCP", "braid"], forward_mptcp: ["forwarder, MPTCP", "bare"]} as $names | .[] |
            ["veth: \(.congestion | ascii_upcase), \(.write_bytes / 1024) KB writes, \(.way)\($what)", $names[.client][0],
            $names[.client][1], .gbps.median, .gbps.least, .gbps.most, .longest_ms.most] | @tsv' "$folder/$run.json"
    done
}

bars | awk -F '\t' '
    { group[NR] = $1; label[NR] = $2; kind[NR] = $3; median[NR] = $4; least[NR] = $5; most[NR] = $6; gap[NR] = $7
      if ($6 > top[$1]) top[$1] = $6
      if ($1 != last) groups++
      last = $1 }
    function text(x, y, anchor, weight, s) {
        gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s)
        printf "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"%s\" font-weight=\"%s\">%s</text>\n", x, y, anchor, weight, s
    }
    END {
        colour["braid"] = "#0072b2"; colour["tcp"] = "#999999"; colour["mptcp"] = "#d55e00"; colour["bare"] = "#dddddd"
        left = 230; width = 420; picture = gap[NR] != "" ? 840 : 740; row = 20; height = 46 + NR * row + groups * 34
        printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n", picture, height
        print "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
        text(14, 22, "start", "bold", "Gb/s in one run, medians; whiskers: lowest and highest")
        y = 34
        for (i = 1; i <= NR; i++) {
            if (group[i] != group[i - 1]) { y += 24; text(14, y, "start", "bold", group[i]); y += 10 }
            scale = width / top[group[i]]; length_ = median[i] * scale
            text(left - 8, y + 13, "end", "normal", label[i])
            printf "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"14\" fill=\"%s\"/>\n", left, y + 2, length_, colour[kind[i]]
            if (most[i] > least[i])
                printf "<path d=\"M%.1f %dH%.1f\" stroke=\"black\" stroke-width=\"1.5\"/>\n", left + least[i] * scale, y + 9, left + most[i] * scale
            text(left + (most[i] > median[i] ? most[i] : median[i]) * scale + 6, y + 13, "start", "normal", sprintf("%.1f", median[i]) (gap[i] != "" ? sprintf("; %.0f ms without a byte", gap[i]) : ""))
            y += row
        }
        print "</svg>"
    }'
