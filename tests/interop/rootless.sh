#!/bin/sh
# The lab and `braid run` for those who are not root.
. "${0%/*}/../lib.sh"
. "${0%/*}/hosts/network.sh"

as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all env HOME=/nonexistent "$@"; }

# The ends of a connection meet in a lab that nobody made, in a folder of nobody's, with a /dev/net/tun as Debian has
# it: for everyone. What stands before the client's command is given.
ends_meet_as_nobody() {
    [ "$(id -u)" = 0 ] || skip "it takes root to become somebody else"
    as_nobody unshare --user --map-root-user --net true || skip "this system has no namespaces for users"
    "${CC:-cc}" -O1 -o ends "$root/tests/interop/hosts/ends.c"
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    cp "$braid" ends "$folder"
    cd "$folder"
    services="  ends:
    host: server
    command: '$folder/ends serve --mptcp 7000 both_close'
    ready: {tcp: 7000}"
    network
    chown -R 65534:65534 .
    mknod tun c 10 200
    chmod 666 tun
    unshare --mount sh -c 'mount --bind tun /dev/net/tun && exec "$@"' - \
        setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all env HOME=/nonexistent \
        ./braid lab lab.yaml --quiet -- phone env -C "$folder" "$@" ./ends connect 10.0.9.1 7000 both_close
}

lab() { ends_meet_as_nobody env; }
promise 30 lab "the lab needs no root"

run() { ends_meet_as_nobody ./braid run --uplink wlan0 --uplink wwan0 --; }
promise 30 run "braid run in the lab needs no root"

run_threads() { ends_meet_as_nobody ./braid run --threads 3 --uplink wlan0 --uplink wwan0 --; }
promise 30 run_threads "braid run with several threads in the lab needs no root"

keep_promises "$@"
