#!/bin/sh
# Installs the Debian packages that are missing: scripts/setup.sh demo|check. Calls apt only if one is.
set -eu
cd "$(dirname "$0")/.."

# As root, with the packages' names as arguments. Nothing installed here starts a service, now or at the next boot:
# braid runs nginx in its lab only. A service that was there before is left as it was.
install_as_root() {
    export DEBIAN_FRONTEND=noninteractive
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        trap 'rm -f $policy' EXIT
        trap 'exit 130' INT TERM
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod 755 $policy
    fi
    # Lists may be missing, or older than the archive: fetch them only if it does not work without.
    try_install "$@" >/dev/null 2>&1 || { apt-get update && try_install "$@"; }
    case " $* " in *" nginx "*)
        update-rc.d nginx disable || true
        deb-systemd-helper disable nginx.service || true ;;
    esac
}

try_install() {
    apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"
}

# Those of the packages given that are not installed.
missing_of() {
    dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
        awk -v wanted="$*" '$2 == "installed" { there[$1] = 1 }
            END { n = split(wanted, w, " "); for (i = 1; i <= n; i++) if (!(w[i] in there)) printf "%s ", w[i] }'
}

case ${1-} in
--as-root) shift; install_as_root "$@"; exit ;;
demo | check) ;;
*) echo "usage: scripts/setup.sh demo|check" >&2; exit 2 ;;
esac

packages=$(awk -v need="$1" '/^[^#]/ && ($2 == "demo" || $2 == need) { print $1 }' scripts/packages.txt)
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "This is not a Debian machine: braid cannot install what it needs by itself. It goes on with what is there." >&2
    exit 0
fi
# Word splitting is wanted: these are lists of names.
# shellcheck disable=SC2086
missing=$(missing_of $packages)
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    sudo=
elif command -v sudo >/dev/null; then
    sudo=sudo
else
    echo "braid needs these packages, and neither you are root nor is there sudo: apt-get install $missing" >&2
    exit 2
fi
echo "Installing: $missing"
mkdir -p build
# shellcheck disable=SC2086
if ! $sudo sh scripts/setup.sh --as-root $missing >build/setup.log 2>&1; then
    tail -n 15 build/setup.log >&2
    echo "Could not install: $missing(all of what apt said is in build/setup.log)" >&2
    exit 2
fi
