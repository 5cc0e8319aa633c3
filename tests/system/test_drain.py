"""The end of a daemon: asked to stop, it says so, lets everybody finish, and is gone with 0."""
import os
import signal
import socket
import threading

import pytest

from harness import Conn, eventually, run_weir
from harness.message import Closed

pytestmark = pytest.mark.workers

CONF = """
drain { lag @LAG@; timeout @TIMEOUT@; }
upstream o { endpoint @O@; }
route / { proxy o; }
route /here { respond 200 here; }
"""


@pytest.fixture
def start(weir, origin):
    def one(lag="0s", timeout="20s"):
        return weir(CONF, O=origin, LAG=lag, TIMEOUT=timeout), origin
    return one


def begin_drain(w, number=signal.SIGTERM):
    w.signal(number)
    eventually(lambda: w.view("status")["draining"], "the drain")


def closed(connect):
    """Whether nobody listens any more."""
    try:
        connect().close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_daemon_ends(start, number):
    w, _ = start()
    w.signal(number)
    assert w.wait() == 0


def test_during_the_lag_everything_works(start):
    """Whoever balances has not yet seen that /ready says no: new connections are served as ever, but not kept."""
    w, _ = start(lag="60s")
    with w.connect() as old, w.connect() as idle:
        assert old.get("/here").headers.has("Connection") is False
        assert idle.get("/here").status == 200
        begin_drain(w)
        status, body = w.admin("GET", "/ready")
        assert status == 503 and body["reasons"] == ["draining"] and body["ready"] is False
        assert w.admin("GET", "/health")[0] == 200
        assert w.view("status")["ready"] is False
        r = old.get("/here")
        assert (r.status, r.get("Connection")) == (200, "close")
        assert old.at_end()
        for _ in range(5):
            r = w.get("/x")
            assert (r.status, r.get("Connection")) == (200, "close")
        # Who is idle may stay as long as there is time.
        assert idle.get("/here").status == 200
        # A second signal does not wait.
        w.signal(signal.SIGTERM)
        assert w.wait() == 0


def test_after_the_lag_it_listens_no_more(start):
    w, origin = start()
    with w.connect() as busy:
        busy.write("GET", "/hold")
        origin.request("/hold")
        begin_drain(w)
        eventually(lambda: closed(w.connect), "the end of listening")
        # Who asks for the state still gets an answer.
        assert w.admin("GET", "/ready")[0] == 503
        origin.release()
        r = busy.response()
        assert (r.status, r.body) == (200, b"held")
        assert r.get("Connection") == "close"
        assert busy.at_end()
    assert w.wait() == 0


def test_idle_connections_are_closed(start):
    w, origin = start()
    with w.connect() as idle, w.connect() as busy:
        assert idle.get("/here").status == 200
        busy.write("GET", "/hold")
        origin.request("/hold")
        w.signal(signal.SIGTERM)
        assert idle.at_end()
        origin.release()
        assert busy.response().status == 200
    assert w.wait() == 0


def test_a_request_that_is_underway_is_answered(start):
    """Its head was half here when the drain began."""
    w, _ = start()
    with w.connect() as c, w.connect() as idle:
        assert idle.get("/here").status == 200
        assert c.get("/here").status == 200
        c.send(b"GET /here HTTP/1.1\r\nHo")
        # Answers show that the half was read: the same worker or not, what is sent after it is not read before it.
        eventually(lambda: w.metric("weir_connections", side="downstream", state="active") >= 1, "the half being read")
        w.signal(signal.SIGTERM)
        assert idle.at_end()
        c.send(b"st: weir.test\r\n\r\n")
        r = c.response()
        assert (r.status, r.body, r.get("Connection")) == (200, b"here", "close")
    assert w.wait() == 0


def test_an_upload_goes_through(start):
    w, origin = start()
    with w.connect() as c:
        c.send(b"POST /up HTTP/1.1\r\nHost: weir.test\r\nContent-Length: 10\r\n\r\nhalf.")
        eventually(lambda: w.metric("weir_connections", side="downstream", state="active") == 1, "the request")
        begin_drain(w)
        eventually(lambda: closed(w.connect), "the end of listening")
        c.send(b"whole")
        r = c.response()
        assert r.status == 200 and r.json["body"] == "half.whole" and r.get("Connection") == "close"
    assert w.wait() == 0


def test_the_timeout_ends_what_does_not_end(start):
    w, origin = start(timeout="100ms")
    with w.connect() as busy, w.connect() as tunnel:
        assert tunnel.get("/t", {"Connection": "Upgrade", "Upgrade": "echo"}).status == 101
        busy.write("GET", "/hold")
        origin.request("/hold")
        w.signal(signal.SIGTERM)
        assert w.wait() == 0
        with pytest.raises((Closed, ConnectionError)):
            busy.response()
        assert tunnel.at_end()
    assert any("`timeout` passed; closing 2 connections" in line for line in w.stderr.all)
    assert {r["reason"] for r in w.log.all if r["path"] == "/hold"} == {"draining"}


def test_a_second_signal_ends_it_at_once(start):
    w, origin = start(timeout="600s")
    with w.connect() as busy:
        busy.write("GET", "/hold")
        origin.request("/hold")
        begin_drain(w)
        w.signal(signal.SIGTERM)
        assert w.wait() == 0
        with pytest.raises((Closed, ConnectionError)):
            busy.response()


@pytest.mark.parametrize("by", ["post", "command"])
def test_drain_by_admin(start, by):
    w, _ = start(lag="60s")
    if by == "post":
        assert w.admin("POST", "/api/v1/drain") == (200, {"draining": True})
    else:
        done = run_weir("drain", "--admin", "unix:" + w.admin_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "draining\n", "")
    assert w.admin("GET", "/ready")[0] == 503
    assert w.get("/here").status == 200
    # Once more changes nothing, and nothing is loaded any more.
    assert w.admin("POST", "/api/v1/drain")[0] == 200
    status, body = w.reload()
    assert status == 409 and "draining" in body["detail"]
    assert w.get("/here").status == 200
    # What stops a pod or a unit sends SIGTERM after `weir drain` has begun: that is no second asking.
    w.signal(signal.SIGTERM)
    assert w.admin("GET", "/ready")[0] == 503
    assert w.get("/here").status == 200
    w.signal(signal.SIGTERM)
    assert w.wait() == 0


def test_nothing_is_lost_under_load(start):
    """Clients that connect for each request: every one that was accepted is answered, until connecting is refused."""
    w, origin = start(lag="100ms")
    wrong, counts = [], []

    def client():
        n = 0
        while True:
            try:
                c = Conn(w.port.address)
            except ConnectionRefusedError:
                break
            try:
                with c:
                    r = c.get("/x" if n % 2 else "/here")
                    if r.status != 200:
                        wrong.append(r)
            except Exception as e:  # noqa: BLE001 - a client must see nothing at all
                wrong.append(e)
            n += 1
        counts.append(n)
    threads = [threading.Thread(target=client, daemon=True) for _ in range(8)]
    for t in threads:
        t.start()
    eventually(lambda: origin.count("/x") > 50, "traffic")
    w.signal(signal.SIGTERM)
    assert w.wait() == 0
    for t in threads:
        t.join(20)
    assert len(counts) == 8 and not wrong, wrong[:3]


def test_keep_alive_under_load(start):
    """Clients that keep their connection learn of its end from an answer, never by a broken exchange."""
    w, _ = start(lag="60s")
    wrong, ended = [], []

    def client():
        try:
            with w.connect() as c:
                while True:
                    r = c.get("/here")
                    if r.status != 200:
                        wrong.append(r)
                    if r.get("Connection") == "close":
                        ended.append(c.at_end())
                        return
        except Exception as e:  # noqa: BLE001 - a client must see nothing at all
            wrong.append(e)
    threads = [threading.Thread(target=client, daemon=True) for _ in range(8)]
    for t in threads:
        t.start()
    eventually(lambda: w.view("status")["requests_total"] > 100, "traffic")
    w.signal(signal.SIGTERM)
    for t in threads:
        t.join(20)
    assert len(ended) == 8 and not wrong, wrong
    w.signal(signal.SIGTERM)
    assert w.wait() == 0


class Everybody:
    """Clients of every kind, without pause, until nobody listens any more: .answers counts by kind, .wrong is what no client may see."""

    def __init__(self, w):
        self.w, self.wrong, self.answers = w, [], {"fresh": 0, "kept": 0, "tunnel": 0}
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(kind,), daemon=True)
                        for kind, n in (("fresh", 4), ("kept", 4), ("tunnel", 2)) for _ in range(n)]
        for t in self.threads:
            t.start()

    def run(self, kind):
        try:
            getattr(self, kind)()
        except Exception as e:  # noqa: BLE001 - a client must see nothing at all
            self.wrong.append((kind, e))

    def count(self, kind):
        with self.lock:
            self.answers[kind] += 1

    def connect(self):
        try:
            return self.w.connect()
        except ConnectionRefusedError:
            return None

    def ask(self, c, kind):
        r = c.get("/x" if self.answers[kind] % 2 else "/here")
        if r.status != 200:
            self.wrong.append((kind, r))
        self.count(kind)
        return r

    def fresh(self):
        while c := self.connect():
            with c:
                self.ask(c, "fresh")

    def kept(self):
        while c := self.connect():
            with c:
                while self.ask(c, "kept").get("Connection") != "close":
                    pass
                assert c.at_end()

    def tunnel(self):
        """Until it is cut: by the timeout and not before."""
        with self.w.connect() as c:
            assert c.get("/t", {"Connection": "Upgrade", "Upgrade": "echo"}).status == 101
            try:
                while True:
                    c.send(b"ping")
                    if c.exactly(4) != b"ping":
                        self.wrong.append("another echo")
                    self.count("tunnel")
            except (Closed, ConnectionError, EOFError):
                pass

    def end(self):
        for t in self.threads:
            t.join(60)
        assert not self.wrong, self.wrong[:3]
        assert not any(t.is_alive() for t in self.threads)
        return self.answers


@pytest.mark.parametrize("supervised", [False, True], ids=["alone", "supervised"])
@pytest.mark.parametrize("by", ["signal", "post", "command"])
def test_every_way_to_drain_loses_nothing(weir, origin, by, supervised):
    # Whose SYN is dropped tries again after a second and is refused then; tunnels must outlast that.
    w = weir(CONF, O=origin, LAG="2s", TIMEOUT="4s", supervised=supervised)
    everybody = Everybody(w)
    eventually(lambda: min(everybody.answers.values()) > 50, "traffic")
    if by == "signal":
        w.signal(signal.SIGTERM)
    elif by == "post":
        assert w.admin("POST", "/api/v1/drain") == (200, {"draining": True})
    else:
        assert run_weir("drain", "--admin", "unix:" + w.admin_path).returncode == 0
    eventually(lambda: w.admin("GET", "/ready")[0] == 503, "the word of it")
    before = dict(everybody.answers)
    assert w.get("/here").get("Connection") == "close"  # accepted during the lag
    eventually(lambda: closed(w.connect), "the end of listening")
    after = dict(everybody.answers)
    assert w.wait() == 0
    counts = everybody.end()
    assert after["fresh"] > before["fresh"] and counts["tunnel"] > after["tunnel"]
    assert any("`timeout` passed; closing 2 connections" in line for line in w.stderr.all)
    print(f"{by}, {'supervised' if supervised else 'alone'}: {counts} answers, 0 lost")


def test_unix_sockets_are_removed(weir):
    w = weir("listener l { bind unix:@DIR@/l; }\nroute / { respond 200 x; }")
    assert os.path.exists(w.dir + "/l") and os.path.exists(w.admin_path)
    w.stop()
    assert not os.path.exists(w.dir + "/l") and not os.path.exists(w.admin_path)


def test_the_port_is_free_at_once(start):
    w, _ = start()
    assert w.get("/x").status == 200
    w.stop()
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(w.port.address)
        s.listen()
