#!/bin/sh
# Builds weir in ./build and runs all its tests: make check, then tests/system against the installed tree in ./build/root. Installs
# what is missing first (packages.txt). Arguments go to pytest. Environment:
#   WEIR_BUILD            build directory (build)
#   WEIR_CONFIGURE_FLAGS  for ./configure: --enable-werror --enable-sanitizers ...
#   WEIR_JOBS             system tests at a time (twice the processors)
set -eu
cd "$(dirname "$0")"
build=${WEIR_BUILD:-build}
cpus=$(nproc)

packaging/packages.sh build test
mkdir -p "$build"
build=$(cd "$build" && pwd)
# Also after a `rm -rf build*`, which takes build-aux with it.
[ -x configure ] && [ -e build-aux/install-sh ] && ! [ configure.ac -nt configure ] || ./autogen.sh
# shellcheck disable=SC2086
(cd "$build" && "$OLDPWD/configure" -q --prefix="$build/root" ${WEIR_CONFIGURE_FLAGS-})
make -s -C "$build" -j"$cpus"
make -s -C "$build" -j"$cpus" check || { cat "$build/test-suite.log"; exit 1; }
make -s -C "$build" install >/dev/null

WEIR_BIN=$build/root/sbin/weir
export WEIR_BIN
# -p no:cacheprovider: nothing is written into the source tree.
exec env PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest -p no:cacheprovider -n "${WEIR_JOBS:-$((cpus * 2))}" tests/system "$@"
