#!/bin/sh
# What `cmake --install` leaves is enough to build and run a program against, by pkg-config, with nothing of the source.
. "${0%/*}/../lib.sh"

installed() {
    grep -q 'BRAID_SANITIZE:STRING=.' "$build/CMakeCache.txt" && skip "outside programs do not link the sanitizers"
    cmake --install "$build" --prefix "$PWD/prefix" >install.log
    config=$(find prefix -name braid-sockets.pc)
    PKG_CONFIG_PATH=$PWD/${config%/*}
    LD_LIBRARY_PATH=${PKG_CONFIG_PATH%/pkgconfig}
    export PKG_CONFIG_PATH LD_LIBRARY_PATH
}

# The moved prefix is what a package's staging area makes of it: pkg-config is told where it is.
flags() { pkg-config --define-variable=prefix="$PWD/prefix" --cflags --libs "$1"; }

the_documented_program() {
    installed
    awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$root/docs/sockets.md" >program.c
    # shellcheck disable=SC2046
    "${CC:-cc}" -std=gnu17 -Wall -Wextra -Werror program.c $(flags braid-sockets) -o program
    ./program >out
    printf 'connected after 20 ms\nhello after 40 ms\n' | diff - out
}
promise 60 the_documented_program "the program of docs/sockets.md builds against the installed library and says what it should"

every_public_call() {
    installed
    for header in braid address env packet stack steering sockets; do
        printf '#include <braid/%s.h>\n' "$header" >only.c
        # shellcheck disable=SC2046
        "${CC:-cc}" -std=gnu17 -Wall -Werror -c only.c $(flags braid) || fail "braid/$header.h does not stand alone"
    done
    # Every function that a header declares is in the library it belongs to, and no other is.
    for pair in sockets:braid_sockets.so:'sockets stack packet' library:braid.so:'braid stack packet steering'; do
        library=$LD_LIBRARY_PATH/lib$(echo "$pair" | cut -d: -f2)
        for header in ${pair##*:}; do cat "prefix/include/braid/$header.h"; done | sed 's://.*::' |
            awk 'BEGIN { RS = "\\*/" } { sub(/\/\*.*/, ""); print }' |
            grep -oE '\bbraid_[a-z0-9_]+\(' | tr -d '(' | sort -u >declared
        nm -D --defined-only --format=posix "$library" | awk '{ print $1 }' | sort -u >shown
        missing=$(comm -23 declared shown)
        [ -z "$missing" ] || fail "$library lacks: $missing"
        extra=$(comm -13 declared shown | grep -vx packetdrill_interface_init || true)
        [ -z "$extra" ] || fail "$library shows: $extra"
    done
}
promise 60 every_public_call "the shared libraries show what the public headers declare, and nothing else"

the_host_api() {
    installed
    cat >host.c <<'END'
#include <braid/braid.h>
#include <stdio.h>
int main(void) {
    char text[BRAID_TEXT_MAX];
    struct braid_host *host = braid_host_create(
        &(struct braid_host_config){.uplinks = &(struct braid_uplink){.interface = "wifi7"}, .uplink_count = 1}, text);
    puts(text);
    return host == NULL ? 0 : 1;
}
END
    # shellcheck disable=SC2046
    "${CC:-cc}" -std=gnu17 -Wall -Wextra -Werror host.c $(flags braid) -o host
    ./host >out
    grep -q wifi7 out || fail "it said: $(cat out)"
}
promise 60 the_host_api "a program builds against libbraid, and is told of an interface that does not exist"

the_program_and_its_manual() {
    installed
    prefix/bin/braid --version >/dev/null
    if command -v scdoc >/dev/null; then
        for page in "$root"/man/*.scd; do
            name=$(basename "$page" .scd)
            [ -s "prefix/share/man/man${name##*.}/$name" ] || fail "no manual page $name"
        done
    fi
}
promise 60 the_program_and_its_manual "the program runs from where it was installed, with its manual beside it"

keep_promises "$@"
