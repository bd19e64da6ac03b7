# Sourced by benchmarks: a client and a server on a veth without limits, at 10.0.9.2 and 10.0.9.1. Prints hosts and links as YAML;
# the arguments are the services, a line each.
one_wire() {
    cat <<E2
hosts: {client: {}, server: {}}
links:
  wire:
    from: {host: client, interface: eth0, address: [10.0.9.2/24], gateway: [10.0.9.1]}
    to: {host: server, interface: eth0, address: [10.0.9.1/24]}
    direct: yes
services:
E2
    printf '  %s\n' "$@"
}
