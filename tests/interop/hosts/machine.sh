# What a run leaves on its machine; sourced after tests/lib.sh.

# What a machine has that a lab, or a run, might leave: namespaces, interfaces, addresses, routes, rules, processes.
machine_state() {
    ls /run/netns 2>/dev/null || true
    ip -o link | sed 's/^[0-9]*: //; s/ qlen .*//'
    ip -o address | awk '{ print $2, $4 }'
    ip -4 route show table all
    ip rule
    nft list ruleset 2>/dev/null || true
    ps -e -o comm= | sort | grep -E -v '^(ps|sort|grep|sh|timeout|kworker.*)$' || true
}

# Runs a function of this script in namespaces of its own, so that what it leaves can be told from what others do.
in_a_machine_of_its_own() {
    [ "$(id -u)" = 0 ] || skip "it takes root to see all that might be left"
    unshare --net --pid --fork --mount --mount-proc sh -c '
        mount -t tmpfs tmpfs /run
        ip link set lo up
        exec sh "$0" --here "$1"' "$script" "$1"
}
