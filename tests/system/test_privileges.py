"""Started by root, it serves as somebody else: with nothing left of root in the process that faces clients, and all that needs root still done."""
import itertools
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from harness import Conn, eventually, run_weir, sanitized
from test_supervisor import LOST, Clients, channel_of, only, refuses, successor

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

WHO = pwd.getpwnam("nobody")
CONF = """
user nobody;
drain { lag 1s; timeout 20s; }
upstream o { endpoint @O@; }
route / { proxy o; }
route /here { respond 200 here; }
"""
BIND_SERVICE = 1 << 10
numbers = itertools.count(1)


class Low:
    """An address of loopback that nobody else uses, and a port that root alone may bind there."""

    def __init__(self, port=443):
        self.address = (f"127.{64 + os.getpid() % 128}.{os.getpid() // 128 % 256}.{next(numbers)}", port)

    def __str__(self):
        return "%s:%d" % self.address


def open_files(pid):
    """What its descriptors are of; connections come and go meanwhile."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            pass
    return found


def status(pid):
    """Of each thread: what /proc says of its rights."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as f:
            found.append(dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line))
    return found


def limit(pid, name):
    with open(f"/proc/{pid}/limits", encoding="ascii") as f:
        return next(line for line in f if line.startswith(name))[len(name):].split()[:2]


def serving(w, supervised):
    return only(w) if supervised else w.process.pid


def is_nobody(pid, caps=0):
    for s in status(pid):
        assert s["Uid"].split() == [str(WHO.pw_uid)] * 4
        assert s["Gid"].split() == [str(WHO.pw_gid)] * 4
        assert s["Groups"].split() == [str(WHO.pw_gid)]
        assert [int(s[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] == [0, caps, caps, caps, 0]
        assert s["NoNewPrivs"] == "1"


@pytest.fixture
def public():
    """A directory of root's that anybody can reach; pytest's own are root's alone."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="weir-test-", dir="/tmp"))
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def private(public, certificate):
    """A directory that root alone may look into."""
    top = public / "private"
    top.mkdir(mode=0o700)

    class Private:
        path = top

        def key(self, name):
            """A certificate and its key, copied here: their paths."""
            for source, end in ((certificate.file, ".crt"), (certificate.key, ".key")):
                shutil.copy(source, top / (name + end))
                os.chmod(top / (name + end), 0o600)
            return f"certificate {top}/{name}.crt; key {top}/{name}.key;"
    return Private()


@pytest.fixture
def start(weir, origin):
    return lambda conf=CONF, **how: weir(conf, O=origin, **how)


def get(address, target="/here", tls=None):
    with Conn(address, tls=tls, server_name="weir.test" if tls else None) as c:
        return c.get(target)


# ---- the drop ----

@pytest.mark.parametrize("supervised", [False, True])
def test_nothing_of_root_is_left(start, supervised):
    w = start(supervised=supervised)
    assert w.get("/").status == 200
    is_nobody(serving(w, supervised))
    if supervised:
        assert status(w.process.pid)[0]["Uid"].split() == ["0"] * 4


@pytest.mark.parametrize("supervised", [False, True])
def test_a_low_port(start, supervised):
    """Without a supervisor the right to bind such ports stays, since a reload may have to; with one it does not."""
    low = Low()
    w = start(CONF + "listener main { bind @LISTEN@; bind @LOW@; }\n", LOW=low, supervised=supervised)
    assert get(low.address).body == b"here"
    is_nobody(serving(w, supervised), 0 if supervised else BIND_SERVICE)


@pytest.mark.parametrize("who, uid, gid, groups", [
    ("nobody daemon", WHO.pw_uid, 1, [1]),
    ("54321", 54321, 54321, [54321]),
    ("54321 54322", 54321, 54322, [54322]),
])
def test_names_and_numbers(start, who, uid, gid, groups):
    w = start(CONF.replace("user nobody", "user " + who))
    s = status(w.process.pid)[0]
    assert (s["Uid"].split()[0], s["Gid"].split()[0], s["Groups"].split()) == (str(uid), str(gid), [str(g) for g in groups])


@pytest.mark.parametrize("words, why", [("no-such-user", "there is no user `no-such-user` here"), ("nobody no-such-group", "there is no group")])
def test_nobody_of_that_name(check, tmp_path, words, why):
    """A check on another machine warns; serving as root by mistake is out of the question."""
    text = f"user {words};\nroute / {{ respond 200; }}\nlistener l {{ bind 127.0.0.1:0; }}\n"
    done = check(text)
    assert done.returncode == 0 and "warning: " + why in done.stderr
    done = run_weir("run", "-c", "gateway.conf", cwd=tmp_path)
    assert done.returncode == 1 and "error " + why in done.stderr


def test_somebody_else_stays_who_it_is(start):
    setpriv = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups", "--"]
    w = start("user nobody;\nadmin { bind 127.0.0.1:0; }\nroute /here { respond 200 here; }\n", ready=False,
              prefix=["sh", "-c", 'chmod 755 . && exec "$@"', "-", *setpriv])
    assert any("`user` changes nothing: weir was not started by root, but by 54321" in line for line in w.stderr.all)
    assert w.get("/here").status == 200
    assert status(w.process.pid)[0]["Uid"].split() == ["54321"] * 4


# ---- what needs root later ----

def test_a_reload_binds_low_ports_and_reads_keys_of_root(start, private, certificate):
    """The configuration, a file it includes, a secret, certificate and key: none of them is nobody's to read."""
    low, lower = Low(), Low(80)
    w = start(CONF, supervised=True)
    pid = only(w)
    (private.path / "secret").write_text("from a file\n")
    (private.path / "more.conf").write_text('route /secret { respond 200 "${file:secret}"; }\n')
    clients = Clients(w)
    clients.progress()
    status_, body = w.reload(CONF + f"""
include {private.path}/more.conf;
listener main {{ bind @LISTEN@; bind {lower}; }}
listener secure {{ bind {low}; tls {{ {private.key("a")} }} }}
""")
    assert status_ == 200, body
    assert get(low.address, tls=certificate.client()).body == b"here"
    assert get(lower.address, "/secret").body == b"from a file"
    assert only(w) == pid
    is_nobody(pid)
    # The copies are gone with the reload.
    assert not [link for link in open_files(pid) if "weir-grant" in link]
    # Another one, and back: what is left is closed.
    assert w.reload(CONF + f"listener secure {{ bind {low}; tls {{ {private.key('b')} }} }}\nlistener main {{ bind @LISTEN@; }}\n")[0] == 200
    assert get(low.address, tls=certificate.client()).body == b"here"
    eventually(lambda: refuses(lower.address), "the end of the address")
    clients.progress()
    assert clients.stop() == 0, clients.lost
    # Whoever serves next has them too.
    os.kill(pid, signal.SIGKILL)
    successor(w, pid)
    assert get(low.address, tls=certificate.client()).body == b"here"


def test_a_port_moves_to_every_address(start):
    """The old address still has the port while the new one is bound: by the opener, and by the process of an upgrade."""
    port = 600 + os.getpid() % 300
    low = Low(port)
    w = start(CONF + f"listener main {{ bind @LISTEN@; bind {low}; }}\n", supervised=True)
    assert get(low.address).body == b"here"
    code, body = w.reload(CONF + f"listener main {{ bind @LISTEN@; bind 0.0.0.0:{port}; }}\n")
    assert code == 200, body

    def served():
        """Where the kernel lets root alone attach filters, one that comes while the old socket is closed may be reset."""
        try:
            return get(low.address).body == b"here"
        except LOST:
            return False
    eventually(served, "the new address")
    for _ in range(10):
        assert get(low.address).body == b"here"
    old = only(w)
    w.write(CONF + f"listener main {{ bind @LISTEN@; bind {low}; }}\n")
    w.signal(signal.SIGUSR2)
    successor(w, old)
    eventually(lambda: len(w.serving()) == 1, "the end of the old process")
    eventually(served, "the old address")
    for _ in range(10):
        assert get(low.address).body == b"here"


def test_a_policys_file(start, private, rsa):
    w = start(CONF, supervised=True)
    (private.path / "jwk").write_text('{"keys": [%s]}' % json.dumps(rsa.jwk()))
    status_, body = w.reload("use jwt;\n" + CONF + f"""
route /orders {{ jwt {{ issuer https://idp.test/; audience orders; jwks file:{private.path}/jwk; }} respond 200 fine; }}
""")
    assert status_ == 200, body
    assert w.get("/orders", rsa.bearer()).body == b"fine"
    assert w.get("/orders").status == 401


def test_a_crash_and_an_upgrade(start, private, certificate):
    """Every process that starts is root until it has opened what there is to open."""
    low = Low()
    w = start(CONF + f"listener main {{ bind @LISTEN@; }}\nlistener secure {{ bind {low}; tls {{ {private.key('a')} }} }}\n", supervised=True)
    clients = Clients(w)
    clients.progress()
    for _ in range(2):
        old = only(w)
        w.signal(signal.SIGUSR2)
        old = successor(w, old)
        is_nobody(old)
        clients.progress()
    assert clients.stop() == 0, clients.lost
    os.kill(old, signal.SIGKILL)
    is_nobody(successor(w, old))
    assert get(low.address, tls=certificate.client()).body == b"here"


def test_a_reload_that_fails_leaves_nothing(start, private):
    """The port was opened for it, and is closed; what is missing for root too is said."""
    low = Low()
    w = start(CONF, supervised=True)
    pid = only(w)
    w.view("status")  # it has opened all that it needs
    before = [len(os.listdir(f"/proc/{p}/fd")) for p in (w.process.pid, pid)]
    for _ in range(3):
        code, body = w.reload(CONF + f"listener main {{ bind @LISTEN@; bind {low}; bind 192.0.2.1:81; }}\n")
        assert code == 409 and "192.0.2.1:81: no interface of this host has this address" in body["detail"]
    eventually(lambda: refuses(low.address), "the end of the address")
    code, body = w.reload(CONF + f"listener secure {{ bind @LISTEN@; tls {{ certificate {private.path}/none.crt; key {private.path}/none.key; }} }}\n")
    assert code == 409 and "none.crt: the certificate cannot be read" in body["detail"]
    assert w.get("/here").body == b"here" and only(w) == pid
    eventually(lambda: [len(os.listdir(f"/proc/{p}/fd")) for p in (w.process.pid, pid)] <= before, "as many descriptors as before")


def test_without_a_supervisor(start, private):
    """Ports stay possible; a key must be nobody's to read, and the reason is said."""
    low, other = Low(), Low(80)
    w = start(CONF + f"listener main {{ bind @LISTEN@; bind {low}; }}\n", prefix=["sh", "-c", 'chmod 755 . && exec "$@"', "-"])
    code, body = w.reload(CONF + f"listener main {{ bind @LISTEN@; bind {low}; bind {other}; }}\n")
    assert code == 200, body
    assert get(other.address).body == b"here"
    code, body = w.reload(CONF + f"listener main {{ bind @LISTEN@; }}\nlistener s {{ bind {low}; tls {{ {private.key('a')} }} }}\n")
    assert code == 409 and "the certificate cannot be read: Permission denied" in body["detail"]
    assert get(other.address).body == b"here"


# ---- what it must not get ----

@pytest.mark.skipif(sanitized(), reason="a sanitizer needs the calls that are given up")
@pytest.mark.parametrize("user", ["", "user nobody;\n"])
def test_confine(start, private, certificate, user):
    """Every thread is under the filter, and all the work goes on: reloads, TLS, a new process after a crash."""
    w = start(user + "confine on;\n" + CONF.replace("user nobody;", ""), supervised=True)
    low = Low()
    pid = only(w)
    assert {s["Seccomp"] for s in status(pid)} == {"2"}
    assert status(w.process.pid)[0]["Seccomp"] == "0"
    assert w.reload(user + "confine on;\n" + CONF.replace("user nobody;", "") + "listener main { bind @LISTEN@; }\n"
                    f"listener s {{ bind {low}; tls {{ {private.key('a')} }} }}\n")[0] == 200
    assert {s["Seccomp"] for s in status(pid)} == {"2"}
    assert w.get("/").status == 200
    assert get(low.address, tls=certificate.client()).body == b"here"
    os.kill(pid, signal.SIGKILL)
    pid = successor(w, pid)
    assert {s["Seccomp"] for s in status(pid)} == {"2"}
    assert get(low.address, tls=certificate.client()).body == b"here"


def test_confine_is_off_otherwise(start):
    w = start()
    assert {s["Seccomp"] for s in status(w.process.pid)} == {status(os.getpid())[0]["Seccomp"]}


def test_where_nobody_has_a_hand_in_root_reads_nothing(start, public, certificate):
    """A link that the serving process itself could have made leads to a key of somebody else's: that is not handed over."""
    theirs = public / "theirs"
    theirs.mkdir()
    os.chmod(theirs, 0o755)
    secret = public / "secret.key"
    shutil.copy(certificate.key, secret)
    os.chmod(secret, 0o600)
    os.symlink(secret, theirs / "a.key")
    os.chown(theirs, WHO.pw_uid, WHO.pw_gid)
    shutil.copy(certificate.file, public / "a.crt")
    os.chmod(public / "a.crt", 0o644)
    conf = CONF + f"listener main {{ bind @LISTEN@; }}\nlistener s {{ bind {Low()}; tls {{ certificate {public}/a.crt; key %s; }} }}\n"
    w = start(supervised=True)
    code, body = w.reload(conf % (theirs / "a.key"))
    assert code == 409 and "a.key: the key cannot be read: Permission denied" in body["detail"]
    # A link of root's is followed.
    os.symlink(secret, public / "b.key")
    code, body = w.reload(conf % (public / "b.key"))
    assert code == 200, body


def test_orders_of_a_process_that_was_taken_over(start, private):
    """It may ask for the configuration to be read, and name no file; what only an opener says means nothing from it."""
    (private.path / "x").write_text("x")
    w = start(supervised=True)
    pid = only(w)
    with channel_of(pid) as channel, open(private.path / "x", "rb") as f:
        for _ in range(3):
            channel.send(b"A/etc/shadow")
        channel.send(b"F/etc/shadow")
        socket.send_fds(channel, [b"F/etc/shadow"], [f.fileno()])
        socket.send_fds(channel, [b"G"], [f.fileno()])
        channel.send(b"D")
    eventually(lambda: w.serving() == [pid], "the end of what was asked for")
    assert w.get("/here").status == 200
    assert w.reload()[0] == 200


# ---- logs, limits, dumps ----

def test_a_log_where_root_alone_makes_files(start, private):
    w = start(CONF + f"access_log {private.path}/access.log;\n")
    assert w.get("/here").status == 200
    found = os.stat(private.path / "access.log")
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (WHO.pw_uid, WHO.pw_gid, 0o640)
    # Moved away: as the user it cannot make another there, and goes on with the one it has.
    os.rename(private.path / "access.log", private.path / "access.log.1")
    w.signal(signal.SIGUSR1)
    w.stderr.wait(lambda x: "still writing to the old file" in x, "the word of it")
    # As logrotate's `create` and a directory that others may pass have it.
    os.chmod(private.path, 0o711)
    (private.path / "access.log").touch(mode=0o640)
    os.chown(private.path / "access.log", WHO.pw_uid, WHO.pw_gid)
    w.signal(signal.SIGUSR1)
    def written():
        w.get("/here?again")
        return "again" in (private.path / "access.log").read_text()
    eventually(written, "a line in the new file")


@pytest.mark.skipif(sanitized(), reason="the leak checker needs to look at the process")
@pytest.mark.parametrize("user", ["", "user nobody;\n"])
@pytest.mark.parametrize("dumps", ["", "core_dumps off;\n", "core_dumps on;\n"])
def test_core_dumps(start, user, dumps):
    """Whose /proc/PID is tells whether a process may be dumped: root's when it may not (proc(5))."""
    w = start(user + dumps + CONF.replace("user nobody;", ""), prefix=["sh", "-c", 'ulimit -S -c unlimited; exec "$@"', "-"])
    on = "on" in dumps
    soft, hard = limit(w.process.pid, "Max core file size")
    assert soft == (hard if on else "0")
    if user:
        assert (os.stat(f"/proc/{w.process.pid}/environ").st_uid == WHO.pw_uid) == on


def may_raise_limits():
    return int(status(os.getpid())[0]["CapEff"], 16) >> 24 & 1


@pytest.mark.parametrize("supervised", [False, True])
@pytest.mark.parametrize("n", [500, 5000])
def test_open_files(start, supervised, n):
    """Root may have more than the hard limit it was started with; then nobody has it."""
    if n > 1000 and not may_raise_limits():
        pytest.skip("this root may not raise limits (CAP_SYS_RESOURCE)")
    w = start(CONF + f"open_files {n};\n", prefix=["sh", "-c", 'ulimit -n 1000; exec "$@"', "-"], supervised=supervised)
    assert limit(serving(w, supervised), "Max open files") == [str(n), str(max(n, 1000))]


def test_open_files_that_are_not_to_be_had(start):
    drop = ["setpriv", "--bounding-set=-sys_resource", "--"] if may_raise_limits() else []
    w = start(CONF.replace("user nobody;", "") + "open_files 5000;\n", prefix=["sh", "-c", 'ulimit -n 1000; exec "$@"', "-", *drop])
    assert limit(w.process.pid, "Max open files") == ["1000", "1000"]
    assert any("`open_files 5000` is not possible, only 1000" in line for line in w.stderr.all)


@pytest.mark.parametrize("value, good", [("max", True), ("64", True), ("63", False), ("many", False), ("1073741817", False)])
def test_open_files_is_checked(check, value, good):
    done = check(f"open_files {value};\nroute / {{ respond 200; }}\n")
    assert (done.returncode == 0) == good, done.stderr
    assert good or "`max` or a number from 64" in done.stderr


def test_rights_that_are_missing(tmp_path):
    """Root without the right to become somebody else does not serve as root instead."""
    (tmp_path / "g.conf").write_text("user nobody;\nlistener l { bind 127.0.0.1:0; }\nroute / { respond 200; }\n")
    from harness.daemon import BINARY, environment
    done = subprocess.run(["setpriv", "--bounding-set=-setuid,-setgid", "--", BINARY, "run", "--no-supervisor", "-c", "g.conf"], cwd=tmp_path,
                          env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "cannot become user nobody" in done.stderr


@pytest.mark.skipif(sanitized(), reason="the leak checker needs to look at the process")
def test_the_supervisor_leaves_no_core_dump(weir):
    """What ${env.*} stands for is in its environment. Not root, so that /proc/PID tells whether it may be dumped."""
    setpriv = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups", "--"]
    w = weir("admin { bind 127.0.0.1:0; }\nroute /here { respond 200 here; }\n", ready=False, supervised=True,
             prefix=["sh", "-c", 'chmod 755 . && ulimit -S -c unlimited; exec "$@"', "-", *setpriv])
    assert w.get("/here").status == 200
    for pid in (w.process.pid, only(w)):
        assert limit(pid, "Max core file size")[0] == "0"
        assert os.stat(f"/proc/{pid}/environ").st_uid == 0
