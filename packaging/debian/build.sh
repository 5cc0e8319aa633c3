#!/bin/sh
# Builds the Debian packages from a source archive of `make dist`: packaging/debian/build.sh ARCHIVE OUT [WORDS FOR dpkg-buildpackage]
# OUT gets the packages, the source package and the logs; `make deb` does it all. Fails for an error or a warning of lintian too.
# DEB_BUILD_OPTIONS counts as ever: nocheck leaves the unit tests out.
set -eu
archive=$(realpath "$1") out=$2
shift 2
version=$(basename "$archive" .tar.xz)
version=${version#weir-}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$archive" "$work/weir_$version.orig.tar.xz"
tar -xf "$archive" -C "$work"
cd "$work/weir-$version"
# In the tree the directory stands with the others that make packages; dpkg wants it on top.
cp -R packaging/debian debian
said=$(dpkg-parsechangelog -S Version)
if [ "${said%-*}" != "$version" ]; then
    echo "packaging/debian/changelog is of $said, the archive of $version" >&2
    exit 1
fi
cd "$OLDPWD"
mkdir -p "$out"
out=$(realpath "$out")
rm -f "$out"/weir*
(cd "$work/weir-$version" && dpkg-buildpackage -us -uc "$@") >"$out/weir.build" 2>&1 || { tail -n 60 "$out/weir.build" >&2; exit 1; }
find "$work" -maxdepth 1 -name 'weir*_*' -exec mv {} "$out" \;
# As root it says that it should not be.
lintian --allow-root --fail-on error,warning "$out"/weir_*.changes 2>&1 | tee "$out/weir.lintian"
if grep -q '^[EW]:' "$out/weir.lintian"; then
    exit 1
fi
echo "packages: $(cd "$out" && echo *.deb); lintian has no error and no warning"
