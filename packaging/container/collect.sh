#!/bin/sh
# Gathers what the image holds: packaging/container/collect.sh DESTDIR IMAGE
# DESTDIR is where weir was installed to with --prefix=/usr (make install DESTDIR=...), IMAGE the new root directory. The libraries are those
# that this system's loader finds, under the names and in the directories where it looks for them; of each package that one comes from the
# licence and the version are there too, the latter where scanners of images without dpkg look.
set -eu
from=$1 image=$2
here=$(dirname "$0")

# put FILE [NAME]: to the same place of the image; what the name refers to, not a link.
put() {
    mkdir -p "$image$(dirname "${2:-$1}")"
    cp -L "$1" "$image${2:-$1}"
}

# Links of a system whose /lib is /usr/lib, with the loader's own path (/lib64) among them.
for link in /lib /lib64; do
    if [ -L $link ]; then
        mkdir -p "$image$(realpath $link)"
        ln -sfn ".$(realpath $link)" "$image$link"
    fi
done

modules=$(cd "$from" && find usr/lib -path '*/weir/modules/*.so' ! -name example.so)
for file in usr/sbin/weir $modules; do
    put "$from/$file" "/$file"
done
put "$here/gateway.conf" /etc/weir/gateway.conf
put "$here/../../LICENSE" /usr/share/doc/weir/copyright
printf 'root:x:0:0::/:/nologin\nweir:x:65532:65532::/:/nologin\n' >"$image/etc/passwd"
printf 'root:x:0:\nweir:x:65532:\n' >"$image/etc/group"
# Where a volume may be mounted, and what the kernel and the engine expect.
mkdir -p "$image/run" "$image/tmp" "$image/proc" "$image/sys" "$image/dev"
chmod 1777 "$image/tmp"

# The certificates, as one file, which OpenSSL opens under its own name for it.
put /etc/ssl/certs/ca-certificates.crt
mkdir -p "$image/usr/lib/ssl"
ln -sfn /etc/ssl/certs/ca-certificates.crt "$image/usr/lib/ssl/cert.pem"
packages=ca-certificates

# ldd FILE: `NAME => PATH (ADDRESS)`, and the loader as `PATH (ADDRESS)`. Whatever is not found is an error.
# shellcheck disable=SC2086
needed=$(cd "$from" && ldd usr/sbin/weir $modules | grep -v '^usr/' | sed -n -e '/not found/p' -e 's/^.* => \(\/[^ ]*\) .*/\1/p' -e 's/^\s*\(\/[^ ]*\) .*/\1/p' | sort -u)
case $needed in
*"not found"*)
    echo "collect.sh: $needed" >&2
    exit 1
    ;;
esac
for file in $needed; do
    # /lib/x86_64-linux-gnu/libc.so.6 is /usr/lib/x86_64-linux-gnu/libc.so.6.
    name=$(realpath "$(dirname "$file")")/$(basename "$file")
    put "$file" "$name"
    owner=$(dpkg-query -S "$(realpath "$file")" 2>/dev/null || dpkg-query -S "$(realpath "$file" | sed 's|^/usr||')")
    packages="$packages ${owner%%:*}"
done

for package in $(echo "$packages" | tr ' ' '\n' | sort -u); do
    put "/usr/share/doc/$package/copyright"
    mkdir -p "$image/var/lib/dpkg/status.d"
    dpkg-query -s "$package" >"$image/var/lib/dpkg/status.d/$package"
done
