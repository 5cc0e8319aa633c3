#!/bin/bash
# Installs the packages as a user would, into a Debian 12 of its own, and tries what they promise: packaging/debian/try.sh DIRECTORY
# DIRECTORY holds weir_*.deb and weir-dev_*.deb (`make deb` leaves them in deb/). As root, with the packages of section [package] of
# packages.txt. The system is made by mmdebstrap from the sources of apt of this one, is used in namespaces of its own (mounts, processes,
# network), and is gone afterwards. There is no systemd as process 1 in it: the daemon is started as the unit says, by hand, and `systemctl`
# is a few lines that send the signals it is asked for.
set -euo pipefail
debs=$(realpath "$1")

if [ -z "${2-}" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # $1 is the root, which mmdebstrap gives to the hook.
    # shellcheck disable=SC2016
    mmdebstrap --quiet --variant=apt --include=logrotate \
        --customize-hook="copy-in $(echo "$debs"/weir_*.deb "$debs"/weir-dev_*.deb) /root" \
        --customize-hook='chroot "$1" sh -c "apt-get install -qq -y --no-install-recommends /root/weir_*.deb /root/weir-dev_*.deb"' \
        bookworm "$work/root" >"$work/log" 2>&1 </dev/null || { tail -n 40 "$work/log" >&2; exit 1; }
    unshare --mount --mount-proc --pid --net --fork --kill-child "$0" "$debs" "$work/root"
    exit
fi
root=$2

say() { echo "try: $*"; }
fail() { echo "try: $*" >&2; cat "$root/tmp/weir.log" >&2 || true; exit 1; }
inside() { chroot "$root" "$@"; }
ask() { curl -sS -m 10 --unix-socket "$root/run/weir/admin.sock" "http://admin$1"; }
# await WHAT COMMAND...: at most 20 s.
await() {
    local what=$1
    shift
    for _ in $(seq 200); do
        if "$@" >/dev/null 2>&1; then
            return
        fi
        sleep 0.1
    done
    fail "it did not come: $what"
}
of_unit() { sed -n "s/^$1=//p" "$root/lib/systemd/system/weir.service"; }

ip link set lo up
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/run"

# ---- what is installed ----
inside dpkg --verify weir weir-dev | grep . && fail "files are not as packaged"
grep -q '^weir:[^:]*:[1-9][0-9]*:[^:]*:[^:]*:[^:]*:/usr/sbin/nologin$' "$root/etc/passwd" || fail "no system user"
[ -L "$root/etc/systemd/system/multi-user.target.wants/weir.service" ] || fail "the unit is not enabled"
inside weir check | grep -q 'good$' || fail "the configuration as shipped is not good"
for page in man8/weir.8 man5/gateway.conf.5; do
    [ -s "$root/usr/share/man/$page.gz" ] || fail "no manual page $page"
done
say "installed, with $(inside weir version | head -n 1)"

# ---- a start as systemd would ----
read -ra command <<<"$(of_unit ExecStart)"
read -ra reload <<<"$(of_unit ExecReload)"
for made in RuntimeDirectory=/run LogsDirectory=/var/log; do
    install -d -m "$(of_unit "${made%=*}Mode")" "$root${made#*=}/$(of_unit "${made%=*}")"
    inside chown "$(of_unit User):$(of_unit Group)" "${made#*=}/$(of_unit "${made%=*}")"
done
start() {
    (umask "$(of_unit UMask)" && exec chroot --userspec="$(of_unit User):$(of_unit Group)" "$root" "${command[@]}") >>"$root/tmp/weir.log" 2>&1 &
    weir=$!
    await "/ready" curl -sSf -m 5 --unix-socket "$root/run/weir/admin.sock" http://admin/ready
}
start
[ "$(ask /health)" != "" ] || fail "no /health"
say "/health: $(ask /health | tr -d '\n')"
[ "$(curl -sS -m 10 http://127.0.0.1:8080/status)" = ok ] || fail "no /status"
inside weir status >/dev/null || fail "weir status"
# Nobody but this host can reach it, and nobody but its user the admin listener. 0100007F is 127.0.0.1.
others=$(awk 'FNR > 1 && $4 == "0A" && $2 !~ /^0100007F:/' /proc/net/tcp /proc/net/tcp6)
[ -z "$others" ] || fail "it listens on more than loopback: $others"
[ "$(awk 'FNR > 1 && $4 == "0A" { print $2 }' /proc/net/tcp | sort -u | wc -l)" = 1 ] || fail "it listens on more than 8080"
[ "$(stat -c %a "$root/run/weir/admin.sock" "$root/run/weir" | xargs)" = "660 750" ] || fail "the admin socket is open to others"
inside "${reload[@]}" | grep -q reloaded || fail "ExecReload"
say "serves on 127.0.0.1:8080 alone, reloads"

# ---- what systemctl is asked for ----
mkdir -p "$root/run/systemd/system"
cat >"$root/usr/local/bin/systemctl" <<EOF
#!/bin/sh
echo "\$*" >>/run/asked
case "\$*" in
*SIGUSR1*) kill -USR1 $weir ;;
*SIGUSR2*) kill -USR2 $weir ;;
esac
EOF
chmod +x "$root/usr/local/bin/systemctl"

sed -i 's|^access_log .*|access_log /var/log/weir/access.log format=json;|' "$root/etc/weir/gateway.conf"
inside "${reload[@]}" >/dev/null || fail "a log file cannot be opened"
log=$root/var/log/weir/access.log
curl -sS -m 10 -o /dev/null http://127.0.0.1:8080/status
await "a line in the log" grep -q /status "$log"
inside logrotate --force /etc/logrotate.d/weir || fail "logrotate"
[ -s "$log.1" ] || fail "the log was not moved away"
await "a new log" test -e "$log"
curl -sS -m 10 -o /dev/null http://127.0.0.1:8080/status
await "a line in the new log" grep -q /status "$log"
[ "$(stat -c %U:%a "$log")" = "$(stat -c %U "$log.1"):600" ] || fail "the log is readable by others"
say "logrotate moves the log away, and it is opened anew"

# ---- an upgrade ----
serving() { ask /api/v1/status | sed 's/.*"pid": *\([0-9]*\).*/\1/'; }
before=$(serving)
inside sh -c 'DEBIAN_FRONTEND=noninteractive dpkg -i /root/weir_*.deb' >/dev/null 2>&1 || fail "dpkg -i over itself"
another() { local now; now=$(serving) && [ -n "$now" ] && [ "$now" != "$before" ]; }
await "another process that serves" another
kill -0 "$weir" || fail "the supervisor ended"
[ "$(curl -sS -m 10 http://127.0.0.1:8080/status)" = ok ] || fail "no /status after the upgrade"
grep -q 'access.log' "$root/etc/weir/gateway.conf" || fail "the upgrade changed the configuration"
grep -Eq '(stop|restart)' "$root/run/asked" && fail "the upgrade stopped the daemon"
say "an upgrade hands over to a new process; the configuration stays"

# ---- a policy of one's own ----
PKG_CONFIG_LIBDIR=$(echo "$root"/usr/lib/*/pkgconfig)
export PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR=$root
modules=$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --variable=moduledir weir)
# shellcheck disable=SC2046
cc -shared -fPIC -Wall -Werror $(pkg-config --cflags weir) -o "$root$modules/example.so" "$root/usr/share/doc/weir-dev/examples/example.c"
printf 'use example;\nlistener l { bind 127.0.0.1:1; }\nroute / { require_header X-A { value 2; } respond 200; }\n' >"$root/tmp/own.conf"
inside weir check -c /tmp/own.conf >/dev/null || fail "a policy built with weir-dev is not loaded"
rm "$root$modules/example.so"
say "a policy built with weir-dev is loaded"

# ---- the end ----
kill -TERM "$weir"
wait "$weir" || fail "it ended with $?"
inside dpkg --purge weir weir-dev >/dev/null 2>&1 || fail "dpkg --purge"
left=$(find "$root" -xdev -name '*weir*' ! -path "$root/root/*" ! -path "$root/tmp/*" ! -path "$root/usr/share/lintian/*")
[ -z "$left" ] || fail "a purge leaves: $left"
say "good: it drains and ends with 0, and a purge leaves nothing"
