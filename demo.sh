#!/bin/sh
# The main job, whole: installs what is missing, builds, downloads a file in a lab of network namespaces while WiFi is
# lost, over braid and over the kernel beside it, and draws what happened.
set -eu
cd "$(dirname "$0")"
out=build/demo

scripts/setup.sh demo
scripts/build.sh release
braid=build/release/braid

rm -rf $out
mkdir -p $out
status=0
$braid lab lab/scenarios/handover.yaml --out $out || status=$?
if [ ! -e $out/result.json ]; then
    echo "The demo did not come to a result (exit status $status)." >&2
    [ "$(id -u)" = 0 ] || echo "If this system forbids namespaces to users, try: sudo ./demo.sh" >&2
    exit 1
fi
# The lab has shown the table.
$braid report $out/result.json --svg $out/handover.svg >/dev/null
if command -v rsvg-convert >/dev/null; then
    rsvg-convert -o $out/handover.png $out/handover.svg
    echo "The picture: $out/handover.svg and $out/handover.png"
else
    echo "The picture: $out/handover.svg (no rsvg-convert here to make a PNG of it)"
fi
echo "The figures: $out/result.json"
exit $status
