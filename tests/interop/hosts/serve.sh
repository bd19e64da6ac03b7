#!/bin/sh
# The servers that the tests talk to, on one host of the lab: serve.sh FOLDER, where FOLDER/www is what the web server
# shows. Makes the file FOLDER/serving when all of them listen, and ends when it is told to.
#
#   80, 443   nginx: GET and PUT; the certificate's authority is FOLDER/ca.pem; the name is server.lab
#   22        dropbear: root, by the key FOLDER/client_key
#   5201      iperf3
#   53        dnsmasq: server.lab is the address of this host, IPv4 and IPv6
#
# All of TCP speaks the kernel's MPTCP unless net.mptcp.enabled is 0 here. SERVE_ADDRESSES has the addresses that
# server.lab gets (default: 10.0.9.1 fd00:9::1).
set -eu
mkdir -p "$1/www"
folder=$(cd "$1" && pwd)
cd "$folder"
addresses=${SERVE_ADDRESSES:-10.0.9.1 fd00:9::1}
mptcpize=
[ "$(cat /proc/sys/net/mptcp/enabled 2>/dev/null || echo 0)" = 0 ] || mptcpize='mptcpize run'

names=DNS:server.lab
for address in $addresses; do names="$names,IP:$address"; done
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=server.lab \
    -addext "subjectAltName=$names" -keyout key.pem -out ca.pem 2>/dev/null

mkdir -p nginx
cat >nginx.conf <<EOF
daemon off;
master_process off;
pid $folder/nginx.pid;
error_log $folder/nginx.log;
events { worker_connections 1024; }
http {
    access_log off;
    sendfile on;
    client_max_body_size 0;
    client_body_temp_path nginx/body; proxy_temp_path nginx/proxy; fastcgi_temp_path nginx/fastcgi;
    uwsgi_temp_path nginx/uwsgi; scgi_temp_path nginx/scgi;
    server {
        listen 80; listen [::]:80; listen 443 ssl; listen [::]:443 ssl;
        ssl_certificate ca.pem; ssl_certificate_key key.pem;
        root $folder/www;
        location / { dav_methods PUT DELETE; create_full_put_path on; }
    }
}
EOF
started=
start() {
    "$@" >>"$folder/servers.log" 2>&1 </dev/null &
    started="$started $!"
}
trap 'kill $started 2>/dev/null || true' EXIT
trap 'exit 0' TERM INT HUP
rm -f serving
: >servers.log

start $mptcpize nginx -p "$folder" -c nginx.conf -e "$folder/nginx.log"
start $mptcpize iperf3 --server

# dropbear looks for keys in the home of the user who logs in: this one has a home of its own, in a private view of
# the file system; and so that nothing is lost from sight that lies below the old one, the folder is /mnt there.
mkdir -p home/.ssh
chmod 700 home home/.ssh
rm -f client_key client_key.pub host_key
ssh-keygen -q -t ed25519 -N '' -f client_key
cp client_key.pub home/.ssh/authorized_keys
dropbearkey -t ed25519 -f host_key >/dev/null 2>&1
start unshare --mount sh -c 'mount --bind . /mnt && mount --bind home "$(getent passwd root | cut -d: -f6)" && exec "$@"' - \
    $mptcpize dropbear -F -E -s -r /mnt/host_key -p 22 -P /mnt/dropbear.pid

records=
for address in $addresses; do records="$records --host-record=server.lab,$address"; done
start dnsmasq --keep-in-foreground --user=root --conf-file=/dev/null --no-resolv --no-hosts --port=53 \
    --pid-file="$folder/dnsmasq.pid" $records

listening() { ss -Hltn "sport = :$1" | grep -q . ; }
for port in 80 443 5201 22 53; do
    tries=0
    until listening $port; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { echo "nothing listens on port $port:" >&2; cat servers.log nginx.log >&2; exit 1; }
        sleep 0.05
    done
done
: >serving
wait
