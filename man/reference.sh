#!/bin/sh
# Keeps the part of gateway.conf(5) that is made from weir's tables. With PAGE = man/gateway.conf.5:
#   man/reference.sh PAGE WEIR [MODULE_DIR...]          prints the page with the part renewed
#   man/reference.sh --check PAGE WEIR [MODULE_DIR...]  1, and what differs, when the page lags behind the program
# WEIR is the program; the directories hold its modules where they are not installed yet.
set -eu
check=
[ "$1" != --check ] || { check=yes; shift; }
page=$1 weir=$2
shift 2
part=$(mktemp)
trap 'rm -f "$part"' EXIT
# The place where modules are depends on ./configure; the page shows that of a package, and `make install` puts the true one in.
"$weir" help --reference "$@" | sed 's|Default: [^ ]*/weir/modules\.|Default: /usr/lib/weir/modules.|' >"$part"
[ -s "$part" ] || { echo "$weir help --reference printed nothing" >&2; exit 1; }

renewed() {
    awk -v part="$part" '
        /^\.\\" end of the generated part/ { inside = 0 }
        !inside { print }
        /^\.\\" begin of the generated part/ { inside = 1; while ((getline line < part) > 0) print line }
    ' "$page"
}

if [ -z "$check" ]; then
    renewed
elif ! renewed | diff -u "$page" - >&2; then
    echo "$page differs from the tables: run \`make man-reference\` and commit it" >&2
    exit 1
fi
