"""The operator's log: on stderr, in the journal's form where it leads there, in a file, or at syslog; the supervisor's too."""
import os
import re
import signal
import socket
import sys
import threading

import pytest

from harness import eventually, run_weir
from harness.daemon import Lines
from test_supervisor import only, successor

CONF = """
route /here { respond 200 here; }
"""
TIMED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warning|notice) ")


class Syslog:
    """What listens at /dev/log: .lines is what came."""

    def __init__(self, path, read=True):
        self.path, self.lines = str(path), []
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        if read:
            self.start()

    def start(self):
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            while line := self.sock.recv(8192):
                self.lines.append(line.decode())
        except OSError:
            pass

    def wait(self, *words):
        return eventually(lambda: next((x for x in self.lines if all(w in x for w in words)), None), f"{words} at syslog")

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        os.unlink(self.path)


@pytest.fixture
def syslog(tmp_path):
    made = []

    def one(**how):
        made.append(Syslog(tmp_path / "log", **how))
        return made[-1]
    yield one
    for s in made:
        if s.sock.fileno() >= 0:
            s.close()


def read(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def test_a_file(weir, tmp_path):
    path = tmp_path / "error.log"
    w = weir(f"error_log {path};\n" + CONF)
    eventually(lambda: "weir is serving" in read(path), "the first line")
    assert all(TIMED.match(line) for line in read(path).splitlines())
    assert not w.stderr.all
    assert os.stat(path).st_mode & 0o777 == 0o640
    assert w.reload("nonsense;\n")[0] == 409
    eventually(lambda: "unknown directive `nonsense`" in read(path), "why it failed")
    # Moved away, and opened anew.
    os.rename(path, str(path) + ".1")
    w.signal(signal.SIGUSR1)
    eventually(lambda: os.path.exists(path), "the new file")
    assert w.reload(f"error_log {path};\n" + CONF)[0] == 200
    eventually(lambda: "is live" in read(path), "a line in the new file")
    # Elsewhere by a reload.
    assert w.reload(f"error_log {path}.2;\n" + CONF)[0] == 200
    eventually(lambda: "is live" in read(str(path) + ".2"), "a line in another file")
    assert w.reload(CONF)[0] == 200
    w.stderr.wait(lambda line: "is live" in line, "a line on stderr")


def test_a_file_that_cannot_be_opened(weir, check, tmp_path):
    bad = "error_log /no/such/directory/log;\n" + CONF
    assert check(bad).returncode == 0  # on this machine, now: it is not tried
    w = weir(CONF)
    code, body = w.reload(bad)
    assert code == 409 and "cannot open /no/such/directory/log: No such file or directory" in body["detail"]
    assert w.get("/here").status == 200
    (tmp_path / "g.conf").write_text(bad + "listener l { bind 127.0.0.1:0; }\n")
    done = run_weir("run", "-c", "g.conf", cwd=tmp_path)
    assert done.returncode == 1 and "g.conf:1:11: error: cannot open /no/such/directory/log" in done.stderr


def test_the_supervisor_follows(weir, tmp_path):
    """Causes of a crash are where the rest is; after an upgrade, and in a file that was moved away, too."""
    path = tmp_path / "error.log"
    w = weir(f"error_log {path};\n" + CONF, supervised=True)

    def crash():
        old = only(w)
        os.kill(old, signal.SIGKILL)
        eventually(lambda: f"the serving process {old} was ended by signal 9" in read(path), "the cause")
        return successor(w, old)
    old = crash()
    os.rename(path, str(path) + ".1")
    w.signal(signal.SIGUSR1)
    eventually(lambda: os.path.exists(path), "the new file")
    w.reload()
    old = crash()
    w.signal(signal.SIGUSR2)
    successor(w, old)
    eventually(lambda: f"the replaced process {old} ended with exit code 0" in read(path), "the end of the old one")
    crash()
    assert not any("ended" in line for line in w.stderr.all)


@pytest.mark.parametrize("facility, number", [("", 3), (":local3", 19), (":user", 1)])
def test_syslog(weir, syslog, facility, number):
    s = syslog()
    w = weir(f"error_log syslog{facility} socket={s.path};\n" + CONF)
    line = s.wait("weir is serving")
    assert re.fullmatch(rf"<{number * 8 + 5}>[A-Z][a-z][a-z] [ \d]\d \d\d:\d\d:\d\d weir\[{w.process.pid}\]: notice weir is serving with gateway.conf", line)
    assert w.reload("nonsense;\n")[0] == 409
    assert s.wait("unknown directive `nonsense`").startswith(f"<{number * 8 + 3}>")
    assert not any("\n" in x for x in s.lines)


def test_syslog_and_its_supervisor(weir, syslog):
    s = syslog()
    w = weir(f"error_log syslog socket={s.path};\n" + CONF, supervised=True)
    old = only(w)
    os.kill(old, signal.SIGKILL)
    assert f"weir[{w.process.pid}]: error the serving process {old}" in s.wait("was ended by signal 9")
    successor(w, old)


def test_a_syslog_that_starts_anew(weir, syslog):
    """Lines that nobody took are counted, and said when somebody is there again."""
    s = syslog()
    w = weir(f"error_log syslog socket={s.path};\n" + CONF)
    s.wait("weir is serving")
    s.close()
    for _ in range(3):
        assert w.reload("nonsense;\n")[0] == 409
    s = syslog()

    def told():
        w.reload()
        return any("lines before this were lost" in x for x in s.lines)
    eventually(told, "the word of what was lost")


def test_a_syslog_that_comes_later(weir, syslog, tmp_path):
    w = weir(f"error_log syslog socket={tmp_path}/log;\n" + CONF)
    w.stderr.wait(lambda line: "lines are lost until somebody listens there" in line, "the word of it")
    s = syslog()

    def told():
        w.reload()
        return s.lines
    eventually(told, "a line")


def test_a_syslog_that_does_not_read(weir, syslog):
    """Its queue is full: nobody waits for it."""
    s = syslog(read=False)
    w = weir(f"error_log syslog socket={s.path};\n" + CONF)
    for _ in range(300):
        assert w.reload("nonsense;\n")[0] == 409
    assert w.get("/here").status == 200
    s.start()

    def told():
        w.reload()
        return any("lines before this were lost" in x for x in s.lines)
    eventually(told, "the word of what was lost")


@pytest.mark.parametrize("words, why", [("syslog:local8", "there is no such facility"), ("stderr socket=/dev/log", "only syslog has a socket")])
def test_what_is_not_possible(check, words, why):
    done = check(f"error_log {words};\n" + CONF)
    assert done.returncode == 1 and why in done.stderr


def test_the_dump_keeps_it(check):
    done = check("error_log syslog:local0;\n" + CONF, "--dump")
    assert "error_log syslog:local0" in done.stdout


# ---- the journal ----

class Journal:
    """A stream socket as journald makes one for standard error, and the name of it in the environment."""

    def __init__(self):
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        st = os.fstat(self.theirs.fileno())
        self.env = {"JOURNAL_STREAM": f"{st.st_dev}:{st.st_ino}"}
        # Over this process's stderr, which is the pipe that the harness reads.
        self.prefix = [sys.executable, "-c", f"import os, sys; os.dup2({self.theirs.fileno()}, 2); os.execv(sys.argv[1], sys.argv[1:])"]


@pytest.fixture
def journal():
    j = Journal()
    yield j
    j.ours.close()


@pytest.mark.parametrize("supervised", [False, True])
def test_lines_for_the_journal(weir, journal, supervised):
    """<PRIORITY> (sd-daemon(3)), and no time: the journal has its own."""
    w = weir("error_log stderr;\n" + CONF, supervised=supervised, env=journal.env, prefix=journal.prefix, pass_fds=[journal.theirs.fileno()],
             ready=True, sign=False)
    journal.theirs.close()
    lines = Lines(journal.ours.makefile(encoding="utf-8"))
    lines.wait(lambda x: x == "<5>notice weir is serving with gateway.conf", "the line")
    w.reload("nonsense;\n")
    lines.wait(lambda x: x.startswith("<3>error gateway.conf:1:1: error: unknown directive"), "the error")
    if supervised:
        old = only(w)
        os.kill(old, signal.SIGKILL)
        lines.wait(lambda x: x.startswith(f"<3>error the serving process {old} was ended by signal 9"), "the cause")
        w.write(CONF)
        successor(w, old)
    assert all(re.match(r"<\d>", x) for x in lines.all), lines.all


def test_another_journal(weir, journal):
    """JOURNAL_STREAM of somebody else's stderr means nothing for this one."""
    w = weir(CONF, env=journal.env)
    assert any(TIMED.match(line) for line in w.stderr.all)


def test_a_journal_that_does_not_read(weir, journal):
    journal.ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    journal.theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    w = weir("error_log stderr;\n" + CONF, env=journal.env, prefix=journal.prefix, pass_fds=[journal.theirs.fileno()], sign=False)
    for _ in range(200):
        assert w.reload("nonsense;\n")[0] == 409
    assert w.get("/here").status == 200
    Lines(journal.ours.makefile(encoding="utf-8")).wait(lambda x: x.startswith("<3>"), "an error")
