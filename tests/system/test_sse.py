"""Streams of server-sent events: passed at once, as long as they last, and ended so that their clients come again."""
import re
import signal
import threading

import pytest

from harness import eventually
from harness.h2 import H2

CONF = """
upstream o { endpoint @O@; }
route / { proxy o; %s }
"""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(i):
    return b"id: %d\ndata: event %d\n\n" % (i, i)


class Stream:
    """The origin's end of one stream: sends what the test says, and tells when its peer has left."""

    def __init__(self, origin, path="/events"):
        self.conn = None
        self.ready, self.left = threading.Event(), threading.Event()

        def script(conn, _):
            self.conn = conn
            conn.send(HEAD)
            self.ready.set()
            conn.until_closed()
            self.left.set()
            return False
        origin.on(path, script)

    def say(self, i):
        assert self.ready.wait(20)
        self.conn.send(chunk(event(i)))

    def end(self):
        self.conn.send(b"0\r\n\r\n")


class Http1:
    def __init__(self, w, path="/events"):
        self.c = w.connect()
        self.first = None
        self.c.write("GET", path, {"Accept": "text/event-stream", "Last-Event-ID": "6"})

    def head(self):
        self.first = self.first or self.c.reader.until(b"\r\n\r\n", "a head").lower()
        return self.first

    def next(self):
        """The next event; None at a well-formed end."""
        self.head()
        piece = self.c.reader.chunk()
        if piece is None:
            assert self.c.reader.until(b"\r\n", "the end") == b"\r\n"
        return piece

    def leave(self):
        self.c.close()


class Http2:
    def __init__(self, w, path="/events"):
        self.c = H2(w.port.address)
        self.s = self.c.write(path, more=[("accept", "text/event-stream"), ("last-event-id", "6")])
        self.taken = 0

    def head(self):
        self.c.wait(lambda: self.c.answer(self.s).status, "a head")
        return repr(self.c.answer(self.s).headers).lower().encode()

    def next(self):
        a = self.c.answer(self.s)
        self.c.wait(lambda: len(a.body) > self.taken or a.ended or a.reset is not None, "an event")
        assert a.reset is None, a
        piece, self.taken = bytes(a.body[self.taken:]), len(a.body)
        return piece or None

    def leave(self):
        self.c.close()


@pytest.fixture(params=[Http1, Http2], ids=["h1", "h2"])
def client(request):
    made = []

    def one(*args):
        made.append(request.param(*args))
        return made[-1]
    yield one
    for c in made:
        c.leave()


@pytest.fixture
def start(weir, origin):
    return lambda more="", top="": weir(CONF % more + top, O=origin)


def test_events_come_at_once(start, origin, client):
    """The head before the first event, and each event before the next is sent; the deadline of the request is none of the stream."""
    stream = Stream(origin)
    w = start("timeout 1s;")
    c = client(w)
    head = c.head()
    assert b"text/event-stream; charset=utf-8" in head and b"no-store" in head and b"content-length" not in head
    assert origin.request("/events").get("Last-Event-ID") == "6"
    assert w.metric("weir_streams", kind="events") == 1
    for i in range(3):
        threading.Event().wait(0.4)  # more than the timeout in all: that is what is tested
        stream.say(i)
        assert c.next() == event(i)
    stream.end()
    assert c.next() is None
    line = w.access(path="/events")
    assert line["status"] == 200 and line["reason"] is None and line["duration_ms"] >= 1000
    assert w.metric("weir_streams", kind="events") == 0 and w.metric("weir_streams_total", kind="events") == 1


def test_the_origin_hears_that_the_client_left(start, origin, client):
    stream = Stream(origin)
    w = start()
    c = client(w)
    stream.say(1)
    assert c.next() == event(1)
    c.leave()
    assert stream.left.wait(20)
    assert w.access(path="/events")["reason"] == "client_closed"
    eventually(lambda: w.metric("weir_streams", kind="events") == 0, "the end of the stream")


@pytest.mark.parametrize("more, reason, why", [("idle_timeout 500ms;", "upstream_timeout", "body_idle"),
                                               ("max_duration 500ms;", "duration_exceeded", "duration_exceeded")])
def test_time_is_up(start, origin, client, more, reason, why):
    """The stream ends well, upon which clients of events come again, and the origin is let go."""
    stream = Stream(origin)
    w = start(more)
    c = client(w)
    stream.say(1)
    assert c.next() == event(1)
    assert c.next() is None
    assert stream.left.wait(20)
    line = w.access(path="/events")
    assert line["reason"] == reason and any(d["reason"] == why and d["at"].startswith("gateway.conf:") for d in line["why"])


def test_comments_break_the_silence(start, origin, client):
    stream = Stream(origin)
    c = client(start("idle_timeout 600ms;"))
    stream.say(0)
    for _ in range(12):  # twice what silence may last
        threading.Event().wait(0.1)
        stream.conn.send(chunk(b":\n\n"))
    stream.end()
    got = b""
    while (piece := c.next()) is not None:
        got += piece
    assert got == event(0) + b":\n\n" * 12


def test_a_reload_keeps_it(start, origin, client):
    stream = Stream(origin)
    w = start()
    c = client(w)
    stream.say(1)
    assert c.next() == event(1)
    status, _ = w.reload("route / { respond 200 new; }")
    assert status == 200 and w.get("/").body == b"new"
    stream.say(2)
    assert c.next() == event(2)
    assert any(g["held_by"]["exchanges"] for g in w.view("generations"))
    stream.end()
    assert c.next() is None


def test_a_drain_ends_it(start, origin, client):
    """Long before its timeout; what was sent has come, and what is no stream of events is waited for."""
    stream = Stream(origin)
    w = start(top="drain { lag 0s; timeout 4s; }\n")
    c = client(w)
    stream.say(1)
    assert c.next() == event(1)
    with w.connect() as other:
        other.write("GET", "/hold")
        origin.request("/hold")
        w.signal(signal.SIGTERM)
        assert c.next() is None
        assert stream.left.wait(20)
        origin.release()
        assert other.response().body == b"held"
    assert w.wait() == 0
    assert w.access(path="/events")["reason"] == "draining" and "closing" not in w.stderr.text


def test_other_streams_are_cut_when_their_time_is_up(weir, origin):
    """A well-formed end would pass for the whole of it."""
    origin.on("/big", lambda conn, _: conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"part")) or conn.until_closed())
    w = weir(CONF % "max_duration 500ms;", O=origin)
    with w.connect() as c:
        c.write("GET", "/big")
        c.reader.until(b"\r\n\r\n", "a head")
        assert c.reader.chunk() == b"part"
        assert c.at_end()
    with H2(w.port.address) as h2:
        assert h2.request("/big").reset is not None
    assert w.access(path="/big")["reason"] == "duration_exceeded"


def test_a_crowd(start, origin):
    """Each of two hundred gets each event, and all are told at the end."""
    n, conns = 200, []
    lock = threading.Lock()

    def script(conn, _):
        conn.send(HEAD)
        with lock:
            conns.append(conn)
        conn.until_closed()
        return False
    origin.on("/events", script)
    w = start(top="drain { lag 0s; timeout 2s; }\n")
    clients = [Http1(w) for _ in range(n)]
    eventually(lambda: len(conns) == n, "all streams at the origin")
    for c in clients:
        c.head()
    assert w.metric("weir_streams", kind="events") == n
    for i in range(3):
        for conn in conns:
            conn.send(chunk(event(i)))
        for c in clients:
            assert c.next() == event(i)
    w.signal(signal.SIGTERM)
    for c in clients:
        assert c.next() is None
        c.leave()
    assert w.wait() == 0
    assert not re.search("closing .* connections", w.stderr.text)
