#!/bin/sh
# Builds weir in ./build, installs it into ./build/root (nothing else of the system changes, but for Debian packages that are missing,
# see packages.txt) and runs its demonstration: a gateway with all policies and its origins on loopback. Arguments are passed on to it:
#   ./quickstart.sh            keeps it running until Ctrl-C and prints curl lines to try
#   ./quickstart.sh --once     makes the requests itself, says what each showed, exits 0 only if all came out as stated
# Environment: WEIR_BUILD is the build directory (build).
set -eu
cd "$(dirname "$0")"
top=$PWD
mkdir -p "${WEIR_BUILD:-build}"
build=$(cd "${WEIR_BUILD:-build}" && pwd)

# step NAME TEXT COMMAND...: says what is done; what the command prints goes to a log, whose end is shown when it fails.
step() {
    name=$1 text=$2
    shift 2
    printf '%s\n' "$text" >&2
    if ! "$@" >"$build/$name.log" 2>&1; then
        printf '%s\n' "quickstart: this failed; the end of $build/$name.log:" >&2
        tail -n 30 "$build/$name.log" >&2
        exit 1
    fi
}

configure() {
    cd "$build" && "$top/configure" -q --prefix="$build/root"
}

step packages "weir: packages that are missing (packages.txt)" packaging/packages.sh build
if ! [ -x configure ] || ! [ -e build-aux/install-sh ] || [ configure.ac -nt configure ]; then
    step autogen "weir: autogen.sh" ./autogen.sh
fi
if ! [ -f "$build/config.status" ] || [ configure -nt "$build/config.status" ]; then
    (step configure "weir: configure" configure)
fi
step make "weir: make" make -s -C "$build" -j"$(nproc)"
step install "weir: make install into $build/root" make -s -C "$build" install
printf '%s\n\n' "weir: $build/root/sbin/weir demo${*:+ $*}" >&2
exec "$build/root/sbin/weir" demo "$@"
