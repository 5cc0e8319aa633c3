"""The supervisor: what serves may crash, be killed or be replaced by another binary, and clients hardly notice."""
import ctypes
import os
import shutil
import signal
import socket
import sys
import threading

import pytest

from harness import Conn, Port, eventually, run_weir
from harness.daemon import BINARY
from harness.kernel import OnTheWay
from harness.message import Closed

LOST = (Closed, ConnectionError, EOFError)


class Clients:
    """Ask without pause, and as the protocol says: after `Connection: close` on a new connection. What an answer did not come to is in
    .lost, anything but 200 in .wrong."""

    def __init__(self, w, target="/", count=8, requests=1000000):
        self.lost, self.wrong, self.good, self.going = [], [], 0, True
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(w, target, requests), daemon=True) for _ in range(count)]
        for t in self.threads:
            t.start()

    def run(self, w, target, requests):
        c = None
        for _ in range(requests):
            if not self.going:
                break
            try:
                c = c or w.connect()
                r = c.get(target)
            except LOST as e:
                with self.lock:
                    self.lost.append(e)
                c = None
                continue
            with self.lock:
                self.good += r.status == 200
            if r.status != 200:
                self.wrong.append(r)
            if r.get("Connection") == "close":
                c.close()
                c = None
        if c:
            c.close()

    def progress(self, more=200):
        goal = self.good + more
        eventually(lambda: self.good >= goal, f"{more} more answers", 60)

    def stop(self):
        self.going = False
        for t in self.threads:
            t.join(60)
        assert not self.wrong, self.wrong[:3]
        return len(self.lost)


CONF = """
drain { lag 1s; timeout 20s; }
upstream o { endpoint @O@; }
route / { proxy o; }
route /here { respond 200 here; }
"""


@pytest.fixture
def start(weir, origin):
    return lambda conf=CONF, **how: weir(conf, O=origin, supervised=True, **how)


def stopped(pid):
    tasks = os.listdir(f"/proc/{pid}/task")
    states = []
    for task in tasks:
        with open(f"/proc/{pid}/task/{task}/stat", encoding="ascii") as f:
            states.append(f.read().rsplit(")", 1)[1].split()[0])
    return set(states) == {"T"}


def only(w):
    pids = w.serving()
    assert len(pids) == 1, pids
    return pids[0]


def successor(w, old):
    """The process that serves instead of old, once it does."""
    def look():
        pids = w.serving()
        return len(pids) == 1 and pids[0] != old and w.admin("GET", "/ready")[0] == 200 and pids[0]

    def quietly():
        try:
            return look()
        except OSError:
            return None
    return eventually(quietly, "the successor", 60)


def test_it_serves_and_ends(start):
    w = start()
    child = only(w)
    assert w.view("status")["pid"] == child != w.process.pid
    assert w.get("/").status == 200
    w.signal(signal.SIGTERM)
    assert w.wait() == 0
    assert not os.path.exists(f"/proc/{child}")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_a_crash_costs_what_was_under_way(start, number):
    """Who waits in the queue is served by the next process; each client loses at most the one exchange that it had."""
    w = start()
    clients = Clients(w)
    clients.progress()
    old = only(w)
    os.kill(old, number)
    successor(w, old)
    clients.progress()
    lost = clients.stop()
    assert lost <= 8, clients.lost
    print(f"{number.name}: {clients.good} answers, {lost} lost of 8 clients")
    assert any(f"the serving process {old} was ended by signal {number.value}" in line for line in w.stderr.all)


def test_connections_wait_for_the_next_process(start):
    """Nobody is refused while nothing serves: the sockets are the supervisor's."""
    w = start()
    old = only(w)
    os.kill(old, signal.SIGSTOP)
    eventually(lambda: stopped(old), "all its threads to stand still")
    waiting = [w.connect() for _ in range(20)]
    for c in waiting:
        c.write("GET", "/here")
    os.kill(old, signal.SIGKILL)
    for c in waiting:
        with c:
            assert c.response().body == b"here"


def test_pauses_grow(start):
    """A process that dies again and again is not started as fast as it can die."""
    w = start()
    pauses = []
    for _ in range(4):
        old = only(w)
        os.kill(old, signal.SIGKILL)
        line = w.stderr.wait(lambda x, old=old: f"the serving process {old} was ended" in x, "the word of its end")
        pauses.append(int(line.rsplit(" in ", 1)[1].split()[0]))
        successor(w, old)
    assert pauses == [100, 200, 400, 800]


def test_an_end_between_two_processes(start):
    """While nothing serves nothing is to be drained: that is a good end, and nobody is started for it."""
    w = start()
    for _ in range(4):  # until the pause is long enough to be met
        old = only(w)
        os.kill(old, signal.SIGKILL)
        line = w.stderr.wait(lambda x, old=old: f"the serving process {old} was ended" in x, "the word of its end")
        if " in 800 ms" in line:
            break
        successor(w, old)
    w.signal(signal.SIGTERM)
    assert w.wait() == 0


def test_a_bad_start_is_not_repeated(tmp_path):
    path = tmp_path / "gateway.conf"
    path.write_text("nonsense;\n")
    done = run_weir("run", "-c", path)
    assert done.returncode == 1
    assert done.stderr.count("unknown directive") == 1


def test_signals_are_passed_on(start):
    w = start()
    w.write(CONF.replace("200 here", "200 there"))
    w.signal(signal.SIGHUP)
    eventually(lambda: w.get("/here").body == b"there", "the reload")
    w.signal(signal.SIGUSR1)
    assert w.get("/here").status == 200


def test_the_group_gets_a_signal(start, origin):
    """systemd and pkill signal every process: that is one order to end, not two."""
    w = start(CONF.replace("lag 1s", "lag 0s"))
    with w.connect() as c:
        c.write("GET", "/hold")
        origin.request("/hold")
        for pid in [*w.serving(), w.process.pid]:
            os.kill(pid, signal.SIGTERM)
        eventually(lambda: w.view("status")["draining"], "the drain")
        origin.release()
        assert c.response().body == b"held"
    assert w.wait() == 0


def test_drain_by_command(start):
    w = start(CONF.replace("lag 1s", "lag 0s"))
    assert run_weir("drain", "--admin", "unix:" + w.admin_path).returncode == 0
    assert w.wait() == 0


def test_without_supervisor_the_process_drains(start):
    """Nobody holds the sockets any more, and nobody would start it anew."""
    w = start(CONF.replace("lag 1s", "lag 0s"))
    child = only(w)
    w.process.kill()
    eventually(lambda: not os.path.exists(f"/proc/{child}"), "the end of the process")
    assert any("the supervisor is gone; draining" in line for line in w.stderr.all)
    w.stopped = True


# ---- upgrades ----

def test_an_upgrade_loses_nothing(start):
    w = start()
    clients = Clients(w)
    clients.progress()
    for _ in range(3):
        old = only(w)
        w.signal(signal.SIGUSR2)
        successor(w, old)
        clients.progress()
    assert clients.stop() == 0, clients.lost
    assert w.process.poll() is None
    print(f"3 upgrades: {clients.good} answers, 0 lost")


def test_what_is_under_way_is_finished_by_the_old_process(start, origin):
    w = start()
    with w.connect() as slow, w.connect() as tunnel:
        assert tunnel.get("/t", {"Connection": "Upgrade", "Upgrade": "echo"}).status == 101
        slow.write("GET", "/hold")
        origin.request("/hold")
        w.signal(signal.SIGUSR2)
        w.stderr.wait(lambda x: "a successor serves" in x, "the successor")
        assert w.get("/here").status == 200
        tunnel.send(b"still here")
        assert tunnel.exactly(10) == b"still here"
        origin.release()
        r = slow.response()
        assert (r.body, r.get("Connection")) == (b"held", "close")
    eventually(lambda: len(w.serving()) == 1, "the end of the old process")


def test_a_new_file_is_what_runs(weir, origin, tmp_path):
    """The file that weir was started from is replaced, as a package does it; a crash later starts the new one too."""
    copy = tmp_path / "weir"
    shutil.copy(BINARY, copy)
    w = weir(CONF, O=origin, supervised=True, binary=str(copy))
    old = only(w)
    inode = os.stat(copy).st_ino
    shutil.copy(BINARY, tmp_path / "new")
    os.rename(tmp_path / "new", copy)
    # A crash before the upgrade starts what ran before.
    os.kill(old, signal.SIGKILL)
    old = successor(w, old)
    assert os.stat(f"/proc/{old}/exe").st_ino == inode
    w.signal(signal.SIGUSR2)
    new = successor(w, old)
    for pid in (new, w.process.pid):
        assert os.stat(f"/proc/{pid}/exe").st_ino == os.stat(copy).st_ino != inode
    os.kill(new, signal.SIGKILL)
    last = successor(w, new)
    assert os.stat(f"/proc/{last}/exe").st_ino == os.stat(copy).st_ino


@pytest.mark.parametrize("how", ["configuration", "not a program"])
def test_a_failed_upgrade_changes_nothing(weir, origin, tmp_path, how):
    copy = tmp_path / "weir"
    shutil.copy(BINARY, copy)
    w = weir(CONF, O=origin, supervised=True, binary=str(copy))
    clients = Clients(w)
    clients.progress()
    old = only(w)
    if how == "configuration":
        w.write("nonsense;")
    else:
        (tmp_path / "new").write_text("nothing that runs")
        os.chmod(tmp_path / "new", 0o755)
        os.rename(tmp_path / "new", copy)
    w.signal(signal.SIGUSR2)
    w.stderr.wait(lambda x: "upgrade failed: the new process" in x and "the old one goes on" in x, "the failure")
    clients.progress()
    assert clients.stop() == 0, clients.lost
    assert only(w) == old


def test_an_upgrade_that_hangs_changes_nothing(weir, origin):
    """The new process starts and never serves: it is ended after --upgrade-timeout, and the old one goes on."""
    w = weir(CONF, O=origin, supervised=True, words=["--upgrade-timeout", "500ms"])
    clients = Clients(w)
    clients.progress()
    old = only(w)
    held = Held(w)  # nobody writes: it waits for its configuration
    w.signal(signal.SIGUSR2)
    pid = candidate_of(w)
    w.stderr.wait(lambda x: f"process {pid} was not ready in 0.5 s" in x, "the deadline")
    w.stderr.wait(lambda x: f"the new process {pid} was ended by signal 9" in x and "the old one goes on" in x, "the failure")
    clients.progress()
    assert clients.stop() == 0, clients.lost
    assert only(w) == old
    # The next one is tried as if nothing had been.
    w.signal(signal.SIGUSR2)
    w.stderr.wait(lambda x: "is starting as process" in x and not x.endswith(f" {pid}"), "the next candidate")
    held.undo()


@pytest.mark.parametrize("word", ["0", "0s", "5", "soon", "-1s"])
def test_upgrade_timeout_is_a_duration(word):
    done = run_weir("run", "--upgrade-timeout", word)
    assert done.returncode == 2 and "a duration" in done.stderr and word in done.stderr


def test_listeners_that_are_gone_and_new_ones(weir, origin, make_origin):
    """The new process has another configuration: what it does not listen at any more is refused, the rest goes on."""
    other, third = Port(), Port()
    conf = CONF + "listener main { bind @LISTEN@; bind @OTHER@; }\n"
    w = weir(conf, O=origin, OTHER=other, supervised=True)
    old = only(w)
    with Conn(other.address) as c:
        assert c.get("/here").status == 200
    w.write(CONF + "listener main { bind @LISTEN@; bind @THIRD@; }\nworkers 1;\n", THIRD=third)
    with OnTheWay(other.address) as late:  # the old one still serves whose handshake had begun
        w.signal(signal.SIGUSR2)
        w.stderr.wait(lambda x: "a successor serves" in x, "the successor")
        sock = late.arrive()
        sock.sendall(b"GET /here HTTP/1.1\r\nHost: a\r\n\r\n")
        assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
    successor(w, old)
    with Conn(third.address) as c:
        assert c.get("/here").status == 200
    for _ in range(20):  # two workers before, one now: no socket is left that nobody accepts from
        assert w.get("/here").status == 200

    def refused():
        try:
            socket.create_connection(other.address).close()
        except ConnectionRefusedError:
            return True
        return False
    eventually(refused, "the end of the address")
    other.close()
    third.close()


# ---- socket activation ----

@pytest.mark.parametrize("supervised", [True, False])
def test_sockets_from_systemd(weir, supervised):
    """LISTEN_FDS (sd_listen_fds(3)): a socket that was bound before is taken as it is, with who waits there."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(16)
    address = sock.getsockname()
    early = Conn(address)
    early.write("GET", "/here")
    starter = f"import os, sys; os.dup2({sock.fileno()}, 3); os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); os.execv(sys.argv[1], sys.argv[1:])"
    w = weir("listener main { bind @L@; }\nroute /here { respond 200 here; }", L="%s:%d" % address, supervised=supervised,
             prefix=[sys.executable, "-c", starter], pass_fds=[sock.fileno()])
    with early:
        assert early.response().body == b"here"
    with Conn(address) as c:
        assert c.get("/here").body == b"here"
    if supervised:
        old = only(w)
        os.kill(old, signal.SIGKILL)
        with Conn(address) as c:
            assert c.get("/here").body == b"here"
    # systemd goes on listening: who comes while weir is restarted waits for the next one.
    w.stop()
    with Conn(address) as c:
        c.write("GET", "/here")
        w.start()
        assert c.response().body == b"here"
    sock.close()


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="no systemd-socket-activate here")
def test_systemd_socket_activate(weir):
    """It listens, and starts weir with the first connection, which is served."""
    port = Port()
    port.close()
    answers = []

    def first():
        c = eventually(lambda: connected(port.address), "somebody who listens")
        with c:
            answers.append(c.get("/here"))

    client = threading.Thread(target=first, daemon=True)
    client.start()
    weir("listener main { bind @L@; }\nroute /here { respond 200 here; }", L=port, supervised=True,
         prefix=["systemd-socket-activate", "-l", str(port)])
    client.join(60)
    assert [r.body for r in answers] == [b"here"]


def connected(address):
    try:
        return Conn(address)
    except ConnectionRefusedError:
        return None


# ---- what goes wrong between the processes ----

def getfd(pid, fd):
    """A copy of another process's descriptor (pidfd_getfd(2))."""
    handle = os.pidfd_open(pid)
    try:
        copy = ctypes.CDLL(None, use_errno=True).syscall(438, handle, fd, 0)
    finally:
        os.close(handle)
    if copy < 0:
        pytest.skip("not allowed to take a copy of a descriptor")
    return copy


def channel_of(pid):
    """The end that a serving process has."""
    for fd in os.listdir(f"/proc/{pid}/fd"):
        if os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:"):
            s = socket.socket(fileno=getfd(pid, int(fd)))
            if (s.family, s.type) == (socket.AF_UNIX, socket.SOCK_SEQPACKET):
                return s
            s.close()
    raise AssertionError("no channel")


def candidate_of(w):
    line = w.stderr.wait(lambda x: "is starting as process" in x, "the candidate")
    return int(line.rsplit(" ", 1)[1])


class Held:
    """The next process that loads the configuration waits for its text."""

    def __init__(self, w):
        self.w = w
        with open(w.path, encoding="utf-8") as f:
            self.text = f.read()
        os.mkfifo(w.path + ".fifo")
        self.fd = os.open(w.path + ".fifo", os.O_RDWR)
        os.rename(w.path + ".fifo", w.path)

    def reader(self, pid):
        def reads():
            return any(os.readlink(f"/proc/{pid}/fd/{fd}") == self.w.path for fd in os.listdir(f"/proc/{pid}/fd"))

        def quietly():
            try:
                return reads()
            except FileNotFoundError:
                return False
        eventually(quietly, "the reading of the configuration")

    def undo(self):
        """The configuration is a file again."""
        os.close(self.fd)
        with open(self.w.path + ".new", "w", encoding="utf-8") as f:
            f.write(self.text)
        os.rename(self.w.path + ".new", self.w.path)

    def go_on(self):
        out = os.open(f"/proc/self/fd/{self.fd}", os.O_WRONLY)
        os.close(self.fd)
        os.write(out, self.text.encode())
        os.close(out)


def refuses(address):
    try:
        socket.create_connection(address).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_listener_that_came_beside_a_candidate(start):
    """The new process has read the configuration before a reload of the old one: nobody may wait for ever at an address that it does not
    know."""
    other = Port()
    w = start()
    old = only(w)
    held = Held(w)
    w.signal(signal.SIGUSR2)
    held.reader(candidate_of(w))
    w.write(CONF + "listener main { bind @LISTEN@; bind @OTHER@; }\n", OTHER=other)
    w.signal(signal.SIGHUP)
    w.stderr.wait(lambda x: "is live" in x, "the reload")
    with Conn(other.address) as c:
        assert c.get("/here").status == 200
    held.go_on()
    successor(w, old)
    assert w.get("/here").status == 200
    eventually(lambda: refuses(other.address), "the end of the address")
    other.close()


def test_a_crash_beside_a_candidate(start):
    """Who is started anew meanwhile has the same sockets as the candidate."""
    w = start()
    old = only(w)
    held = Held(w)
    w.signal(signal.SIGUSR2)
    pid = candidate_of(w)
    held.reader(pid)
    with open(w.path + ".new", "w", encoding="utf-8") as f:
        f.write(held.text)
    os.rename(w.path + ".new", w.path)
    first = w.stderr.wait(lambda x: "weir is serving" in x, "the first word")
    os.kill(old, signal.SIGKILL)
    w.stderr.wait(lambda x: "weir is serving" in x and x is not first, "the one started anew")
    assert w.get("/here").status == 200
    held.go_on()
    eventually(lambda: w.serving() == [pid], "the upgrade")
    os.kill(pid, signal.SIGKILL)
    successor(w, pid)
    for _ in range(20):
        assert w.get("/here").status == 200


def test_an_end_during_an_upgrade(start):
    """SIGTERM beside a candidate ends all of them."""
    w = start(CONF.replace("lag 1s", "lag 0s"))
    held = Held(w)
    w.signal(signal.SIGUSR2)
    pid = candidate_of(w)
    held.reader(pid)
    w.signal(signal.SIGUSR2)
    w.stderr.wait(lambda x: "one is under way already" in x, "the word of it")
    w.signal(signal.SIGTERM)
    eventually(lambda: w.serving() == [pid], "the end of the old process")
    held.go_on()
    assert w.wait() == 0
    assert not any("serves" in line and f"process {pid}" in line for line in w.stderr.all)


def sending(pid):
    """It waits for room on a channel: poll of one descriptor."""
    with open(f"/proc/{pid}/syscall", encoding="ascii") as f:
        words = f.read().split()
    return len(words) > 3 and int(words[2], 16) == 1 and int(words[3], 16) == 1000


def test_a_candidate_that_dies_of_its_first_word(start):
    """It has said that it is ready, and is dead when that is heard: the old process goes on."""
    w = start()
    old = only(w)
    with channel_of(w.process.pid) as channel:  # full, and nobody reads: the supervisor waits a second when it has something to say
        os.kill(old, signal.SIGSTOP)
        eventually(lambda: stopped(old), "all its threads to stand still")
        with pytest.raises(BlockingIOError):
            while True:
                channel.send(b"?", socket.MSG_DONTWAIT)
    first = w.stderr.wait(lambda x: "weir is serving" in x, "the first word")
    held = Held(w)
    w.signal(signal.SIGUSR2)
    pid = candidate_of(w)
    held.reader(pid)
    w.signal(signal.SIGHUP)
    eventually(lambda: sending(w.process.pid), "the supervisor to wait")
    w.signal(signal.SIGSTOP)
    held.go_on()
    w.stderr.wait(lambda x: "weir is serving" in x and x is not first, "readiness")
    os.kill(pid, signal.SIGKILL)
    w.signal(signal.SIGCONT)
    w.stderr.wait(lambda x: f"the new process {pid} was ended by signal 9" in x and "the old one goes on" in x, "the failure")
    os.kill(old, signal.SIGCONT)
    assert w.get("/here").status == 200
    assert only(w) == old


# ---- descriptors and nonsense ----

def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_no_descriptor_is_left_behind(start):
    w = start(CONF.replace("lag 1s", "lag 0s"))
    old = only(w)
    w.view("status")  # it has opened all that it needs
    before = descriptors(w.process.pid), descriptors(old)  # one of them may be of the admin connection that just ended
    for _ in range(4):
        w.signal(signal.SIGUSR2)
        old = successor(w, old)
        os.kill(old, signal.SIGKILL)
        old = successor(w, old)
    eventually(lambda: descriptors(w.process.pid) <= before[0] and descriptors(old) <= before[1], "as many descriptors as before")


@pytest.mark.parametrize("nonsense", ["long", "descriptors"])
def test_a_process_that_speaks_nonsense_is_replaced(start, nonsense):
    w = start()
    old = only(w)
    with channel_of(old) as channel:
        if nonsense == "long":
            channel.send(b"N" * 131073)
        else:
            socket.send_fds(channel, [b"O"], [channel.fileno()] * 2)
    successor(w, old)
    assert w.get("/here").status == 200
    assert any(f"process {old} speaks nonsense" in line for line in w.stderr.all)


def test_words_that_mean_nothing(start):
    w = start()
    old = only(w)
    with channel_of(old) as channel:
        for word in [b"?", b"C", b"C-1", b"C99999999999999999999", b"Cx", b"O", b"L", b"S9", b"N", b"N\0\xff"]:
            channel.send(word)
    assert w.get("/here").status == 200
    assert only(w) == old


def test_more_sockets_than_a_shell_allows(start):
    """The supervisor too lifts the soft limit of descriptors: it holds one for each address and worker."""
    binds = [Port() for _ in range(8)]
    w = start("workers 8;\n" + CONF + "listener main { bind @LISTEN@; " + "".join(f"bind {p}; " for p in binds) + "}\n",
              prefix=["sh", "-c", 'ulimit -S -n 48; exec "$@"', "-"])
    old = only(w)
    os.kill(old, signal.SIGKILL)
    successor(w, old)
    with Conn(binds[-1].address) as c:
        assert c.get("/here").status == 200
    for p in binds:
        p.close()
