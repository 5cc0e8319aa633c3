#!/bin/sh
# Installs what is missing of the sections of packages.txt that are named: packaging/packages.sh build [test]
# As root, or through sudo. Does nothing, and needs no right, where nothing is missing.
set -eu
list=$(dirname "$0")/../packages.txt

names() {
    awk -v section="[$1]" '/^\[/ { on = $0 == section; next } on && /^[a-z0-9]/' "$list"
}

missing=
for section in "$@"; do
    for name in $(names "$section"); do
        state=$(dpkg-query -W -f '${Status}' "$name" 2>/dev/null || true)
        [ "$state" = "install ok installed" ] || missing="$missing $name"
    done
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    sudo=
elif command -v sudo >/dev/null; then
    sudo=sudo
else
    echo "packages are missing, and there is neither root nor sudo to install them; please run: apt-get install$missing" >&2
    exit 1
fi
echo "installing:$missing"
# Nothing that is installed here shall start a service: the tests start their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
    $sudo chmod +x $policy
    trap '$sudo rm -f $policy' EXIT
fi
$sudo apt-get update -q
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
