"""HTTP/2 with clients: what an exchange is made of, frame by frame; and with clients that others wrote."""
import json
import re
import signal
import socket
import struct
import subprocess
import threading

import pytest

from harness import H2, Conn, eventually
from harness import h2 as wire

CONF = """
listener main { bind @LISTEN@; @MORE@ }
upstream o { endpoint @O@; retry { attempts 1; } }
route / { proxy o; timeout 20s; max_body 100m; }
route /here { respond 200 "${request.protocol} ${request.method} ${request.host}"; }
"""


@pytest.fixture
def start(weir, origin):
    def one(more="", **values):
        w = weir(CONF, O=origin, MORE=more, **values)
        w.h2 = lambda **how: H2(w.port.address, **how)
        return w
    return one


@pytest.fixture
def w(start):
    return start()


def sent(answer):
    """What the origin saw, of its echo."""
    got = json.loads(answer.body)
    return got, {n.lower(): v for n, v in got["headers"]}


# ---- one exchange ----


def test_a_request(w):
    with w.h2() as c:
        a = c.request("/x?y=1", more=[("accept", "*/*"), ("x-Own".lower(), "1")])
        assert a.status == 200 and a.ended and a.reset is None
        got, fields = sent(a)
        assert (got["method"], got["target"]) == ("GET", "/x?y=1")
        assert fields["host"] == "weir.test" and fields["via"] == "2 weir" and fields["x-own"] == "1"
        assert "content-length" not in fields and "transfer-encoding" not in fields
        assert a.get("via") == "1.1 weir" and a.get("date")
        line = w.access(path="/x")
        assert (line["protocol"], line["status"], line["scheme"]) == ("HTTP/2", 200, "http")
        assert line["bytes_in"] > 20 and line["bytes_out"] > len(a.body)
        assert c.request("/here").body == b"HTTP/2 GET weir.test"
    assert w.metric("weir_requests_total", route="/", code="200") >= 1


def test_names_on_the_wire(w, origin):
    """In lower case to the client, in their usual spelling to an origin of HTTP/1.1."""
    with w.h2() as c:
        a = c.request("/x", more=[("user-agent", "t"), ("x-odd-name", "v")])
        assert all(n == n.lower() for n, _ in a.headers)
    assert [n for n, _ in origin.request("/x").headers if n.lower() in ("user-agent", "host", "x-odd-name")] == \
        ["User-Agent", "x-odd-name", "Host"]


def test_settings(w):
    with w.h2() as c:
        c.ping()
        assert c.theirs[wire.MAX_CONCURRENT_STREAMS] == 100 and c.theirs[wire.MAX_HEADER_LIST_SIZE] == 32768
        assert c.theirs[wire.INITIAL_WINDOW_SIZE] == 65536 and c.theirs[wire.ENABLE_CONNECT_PROTOCOL] == 1


def test_bodies(w):
    with w.h2() as c:
        got, fields = sent(c.request("/x", "POST", [("content-length", "3")], b"abc"))
        assert (got["body"], fields["content-length"]) == ("abc", "3")
        got, fields = sent(c.request("/x", "POST", body=b"abc"))
        assert (got["body"], fields["transfer-encoding"]) == ("abc", "chunked")
        got, fields = sent(c.request("/x", "POST", [("content-length", "0")]))
        assert (got["body"], fields["content-length"]) == ("", "0")
        got, _ = sent(c.request("/x", "POST", body=b""))
        assert got["body"] == ""
        a = c.request("/bytes/300000")
        assert len(a.body) == 300000 and a.get("content-length") == "300000"
        assert c.request("/chunked").body == b"hello world"
        assert c.request("/chunked").get("transfer-encoding") is None


def test_head_204_and_304(w, origin):
    with w.h2() as c:
        a = c.request("/bytes/77", "HEAD")
        assert (a.status, a.body, a.get("content-length")) == (200, b"", "77")
        a = c.request("/here", "HEAD")
        assert (a.status, a.body, a.get("content-length")) == (200, b"", "21")
        a = c.request("/status/204")
        assert (a.status, a.body, a.get("content-length")) == (204, b"", None)
        origin.raw("/304", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nETag: \"a\"\r\n\r\n", close=False)
        a = c.request("/304")
        assert (a.status, a.body, a.get("content-length")) == (304, b"", "9")
        assert c.request("/status/404").status == 404


def test_trailers(w):
    with w.h2() as c:
        a = c.request("/trailers")
        assert (a.body, list(a.trailers)) == (b"body", [("x-sum", "42")])
        stream = c.headers(c.head("/x", "POST"), end=False)
        c.data(stream, b"abc", end=False)
        c.headers([("x-check", "7")], stream=stream)
        got, fields = sent(c.response(stream))
        assert got["trailers"] == [["x-check", "7"]]
        stream = c.headers(c.head("/x", "POST"), end=False)
        c.headers([("cookie", "a=b")], stream=stream)
        assert c.response(stream).status == 400


def test_interim_answers(w, origin):
    origin.raw("/hints", b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x\r\n\r\n"
                         b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", close=False)
    with w.h2() as c:
        a = c.request("/hints")
        assert a.interim == [(103, [("link", "</a.css>; rel=preload"), ("via", "1.1 weir")])] and (a.status, a.body) == (200, b"ok")


def test_expect_continue(w):
    with w.h2() as c:
        stream = c.headers(c.head("/x", "POST", [("expect", "100-continue"), ("content-length", "5")]), end=False)
        c.wait(lambda: c.answer(stream).interim, "100")
        assert c.answer(stream).interim == [(100, [])]
        c.data(stream, b"hello")
        got, fields = sent(c.response(stream))
        assert got["body"] == "hello" and "expect" not in fields
        assert c.request("/x", more=[("expect", "wonders")]).status == 417


def test_cookies_become_one(w):
    with w.h2() as c:
        _, fields = sent(c.request("/x", more=[("cookie", "a=1"), ("x-a", "1"), ("cookie", "b=2"), ("cookie", "c=3")]))
        assert fields["cookie"] == "a=1; b=2; c=3"
        # Each is small, and the limit is of the whole.
        assert c.request("/x", more=[("cookie", "k=" + "v" * 500)] * 17).status == 431
        # Many crumbs are not many fields.
        _, fields = sent(c.request("/x", more=[("cookie", f"c{i}=1") for i in range(200)]))
        assert fields["cookie"].count(";") == 199


def test_what_belongs_to_the_origin_alone(w, origin):
    origin.raw("/hop", b"HTTP/1.1 200 OK\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
                       b"Proxy-Connection: x\r\nUpgrade: h2\r\nContent-Length: 0\r\n\r\n", close=False)
    with w.h2() as c:
        a = c.request("/hop")
        assert a.status == 200
        assert not set(a.headers.names()) & {"connection", "x-hop", "keep-alive", "proxy-connection", "upgrade", "transfer-encoding"}
        _, fields = sent(c.request("/x", more=[("te", "trailers")]))
        assert fields["te"] == "trailers"


# ---- heads that are refused ----

ANSWERED = [
    ("a Host that is not :authority", [("host", "other.test")], "/x", 400),
    ("a host that is none", [], "/x", 400),
    ("dots above the root", [], "/../x", 400),
    ("an encoded slash", [], "/a%2Fb", 400),
    ("a target too long", [], "/" + "a" * 8200, 414),
    ("a field too long", [("x-long", "v" * 8190)], "/x", 431),
    ("too many fields", [(f"x-{i}", "1") for i in range(101)], "/x", 431),
    ("a head too large", [(f"x-{i}", "v" * 8000) for i in range(5)], "/x", 431),
    ("a length by another name", [("content_length", "5")], "/x", 400),
    ("a NUL in a value", [("x-a", "a\0b")], "/x", 400),
    ("CR in a value", [("x-a", "a\rb: c")], "/x", 400),
    ("LF in a value", [("x-a", "a\nb: c")], "/x", 400),
    ("a name that is not a token", [("x a", "1")], "/x", 400),
    ("a colon in a name", [("x:a", "1")], "/x", 400),
]


@pytest.mark.parametrize("what, more, path, status", ANSWERED, ids=[a[0] for a in ANSWERED])
def test_refused_heads(w, what, more, path, status):
    """By the same rules and with the same words as in HTTP/1.1; the connection goes on."""
    with w.h2() as c:
        a = c.request(path, more=more, authority="weir.test:99999" if "none" in what else "weir.test")
        assert a.status == status, a
        assert a.reason == {400: "bad_request", 414: "uri_too_long", 431: "headers_too_large"}[status]
        line = w.logged(a)
        assert (line["protocol"], line["reason"]) == ("HTTP/2", a.reason)
        assert c.request("/here").status == 200


def test_the_same_path_as_in_http1(w):
    with w.h2() as c:
        for path in ("/a/./b", "/a//b", "/%61", "/a/../b", "/a%7eb", "/a;b", "/a%2fb", "/a\\b", "/%00", "/..;/a", "/a%"):
            one, two = w.get(path), c.request(path)
            assert one.status == two.status, path
            if one.status == 200:
                assert one.json["target"] == json.loads(two.body)["target"]


def test_malformed_heads_are_reset_and_logged(w):
    with w.h2() as c:
        a = c.request("/x", more=[("connection", "close")])
        assert (a.status, a.reset) == (None, wire.PROTOCOL_ERROR)
        line = w.access(protocol="HTTP/2", status=400)
        assert (line["reason"], line["method"]) == ("bad_request", "GET")
        assert c.request("/here").status == 200
    assert w.metric("weir_http2_glitches_total", counter="malformed") == 1


def test_values_that_are_refused_are_not_logged(weir):
    """The library tells them to whoever listens."""
    w = weir("log_level info;\nroute / { respond 200; }")
    for name, value in ("authorization", "Bearer hush\x01"), ("cookie", "a=hush\x7f"), ("X-Token", "hush"), ("connection", "hush"):
        with H2(w.port.address) as c:
            a = c.request(more=[(name, value)])
            assert a.status == 400 or a.reset == wire.PROTOCOL_ERROR
        w.stderr.wait(lambda line: f"name: [{name}]" in line, f"a line about {name}")
    with H2(w.port.address) as c:
        assert c.request("/?hush one").reset == wire.PROTOCOL_ERROR
    assert "hush" not in w.stderr.text


def test_a_body_of_another_length(w, origin):
    with w.h2() as c:
        a = c.response(c.write("/x", "POST", [("content-length", "5")], b"abc"))
        assert (a.status, a.reset) == (None, wire.PROTOCOL_ERROR)
        a = c.response(c.write("/x", "POST", [("content-length", "2")], b"abc"))
        assert (a.status, a.reset) == (None, wire.PROTOCOL_ERROR)
        assert c.request("/here").status == 200
    assert w.access(method="POST", reason="bad_request")
    assert all(r.method != "POST" for r in origin.requests if r.body == b"abc")


# ---- many at once ----


@pytest.mark.workers
def test_streams_side_by_side(w, origin):
    with w.h2() as c:
        slow = c.write("/hold")
        origin.request("/hold")
        assert [c.request(f"/{i}").status for i in range(20)] == [200] * 20
        many = [c.write(f"/bytes/{i}") for i in range(50)]
        assert [len(c.response(s).body) for s in many] == list(range(50))
        assert c.answer(slow).status is None
        origin.release()
        assert c.response(slow).body == b"held"
        assert w.metric("weir_connections", side="downstream", state="idle") in (0, 1)


def test_no_more_than_so_many_streams(start, origin):
    w = start("limits { streams 3; }")
    with w.h2() as c:
        held = [c.write("/hold") for _ in range(3)]
        eventually(lambda: origin.count("/hold") == 3)
        refused = c.response(c.write("/here"))
        assert refused.reset == wire.REFUSED_STREAM
        origin.release(3)
        assert [c.response(s).status for s in held] == [200] * 3
        assert c.request("/here").status == 200


def test_a_client_without_window_stops_its_origin_alone(w, origin):
    """The window of one stream is not opened: its origin is not read, and the others are served."""
    taken = []

    def script(conn, _):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
        conn.sock.settimeout(1)
        try:
            for _ in range(50):
                conn.send(b"x" * 1000000)
                taken.append(1)
        except (TimeoutError, OSError):
            pass
        return False
    origin.on("/big", script)
    with w.h2(window=False) as c:
        big = c.write("/big")
        c.wait(lambda: len(c.answer(big).body) == 65535, "a window of body")
        c.open_window(0, 1 << 20)
        assert c.request("/here").status == 200
        for _ in range(20):
            assert len(c.request("/bytes/30000").body) == 30000
        assert len(c.answer(big).body) == 65535
        assert len(taken) < 20
        c.rst(big)
        line = w.access(path="/big")
        assert (line["reason"], line["status"]) == ("client_closed", 200)


def test_an_upload_that_nobody_reads_stalls_no_other(w, origin):
    def script(conn, request):
        origin.releases.acquire(timeout=20)
        conn.reader.body(request, False)
        conn.answer(200, b"%d" % len(request.body))
    script.reads_body = True
    origin.on("/slow", script)
    with w.h2() as c:
        c.ping()  # their settings are known
        size = 12 * 1000 * 1000
        slow = c.headers(c.head("/slow", "POST", [("content-length", str(size))]), end=False)
        window, given = 65536, 0
        seen = 0

        def credit():
            nonlocal seen, window
            new, seen = c.frames[seen:], len(c.frames)
            window += sum(int.from_bytes(f.payload, "big") for f in new if f.kind == wire.WINDOW_UPDATE and f.stream == slow)
            return window

        # As much as is taken while its origin sleeps: far from all of it.
        while True:
            while credit() > 0:
                n = min(window, 16384)
                c.frame(wire.DATA, 0, slow, b"x" * n)
                window -= n
                given += n
            before = given
            assert c.request("/here").status == 200
            c.ping()
            if credit() <= 0 and given == before:
                assert c.request("/x", "POST", body=b"y" * 60000).status == 200
                c.ping()
                if credit() <= 0:
                    break
        assert given < size / 2
        origin.release()
        while given < size:
            c.wait(lambda: credit() > 0, "window")
            n = min(window, 16384, size - given)
            given += n
            window -= n
            c.frame(wire.DATA, wire.END_STREAM if given == size else 0, slow, b"x" * n)
        assert c.response(slow).body == b"%d" % size


def test_urgent_streams_come_first(w):
    """RFC 9218: of two answers that wait, the urgent one is sent."""
    with w.h2(window=False, mine=[(wire.INITIAL_WINDOW_SIZE, 1 << 20)]) as c:
        lazy = c.write("/bytes/200000", more=[("priority", "u=7")])
        c.wait(lambda: len(c.answer(lazy).body) == 65535, "the connection's window")
        urgent = c.write("/bytes/200000", more=[("priority", "u=0")])
        c.wait(lambda: c.answer(urgent).status, "the urgent head")
        c.open_window(0, 60000)
        c.wait(lambda: len(c.answer(urgent).body) == 60000, "all that the window allows")
        assert len(c.answer(lazy).body) == 65535


# ---- ends ----


def test_a_reset_reaches_the_origin(w, origin):
    gone = threading.Event()

    def script(conn, _):
        conn.until_closed()
        gone.set()
        return False
    origin.on("/wait", script)
    with w.h2() as c:
        s = c.write("/wait")
        origin.request("/wait")
        c.rst(s)
        assert gone.wait(20)
        assert w.access(path="/wait")["reason"] == "client_closed"
        assert c.request("/here").status == 200


def test_an_origin_that_breaks_off_is_seen(w, origin):
    def script(conn, _):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        origin.releases.acquire(timeout=20)
        return False
    origin.on("/cut", script)
    with w.h2() as c:
        s = c.write("/cut")
        c.wait(lambda: c.answer(s).body == b"abc", "what there is of the body")
        origin.release()
        a = c.response(s)
        assert (a.status, a.ended, a.reset) == (200, False, wire.INTERNAL_ERROR)
        assert c.request("/here").status == 200
        assert c.request("/close").status == 502


def test_an_early_answer_lets_the_rest_be(w, origin):
    """The answer is there before the request is: it is given, and the rest of the body not wanted (RFC 9113 8.1)."""
    with w.h2() as c:
        s = c.headers(c.head("/none", "POST", [("content-length", "1000000")], authority="weir.test:99999"), end=False)
        c.data(s, b"x" * 100, end=False)
        a = c.response(s)
        assert a.status == 400
        assert c.until(wire.RST_STREAM, stream=s).code == wire.NO_ERROR
        assert c.request("/here").status == 200


def test_an_early_answer_waits_a_little_for_the_rest(w):
    """Its request ends soon after: no reset is needed. Of many that do not end, the oldest are reset at once."""
    with w.h2() as c:
        for _ in range(50):  # each in time, if this process had the processor
            s = c.headers(c.head("/here", "POST"), end=False)
            assert c.response(s).status == 200
            c.data(s, b"x")
            c.ping()
            if c.answer(s).reset is None:
                break
        assert c.answer(s).reset is None
        streams = [c.headers(c.head("/here", "POST"), end=False) for _ in range(40)]
        c.until(wire.RST_STREAM, stream=streams[0])
        for s in streams:
            c.until(wire.RST_STREAM, stream=s)
        assert {c.answer(s).reset for s in streams} == {wire.NO_ERROR}
        assert c.request("/here").status == 200


def test_too_large_a_body(weir, origin):
    w = weir(CONF.replace("100m", "1k"), O=origin, MORE="")
    with H2(w.port.address) as c:
        assert c.request("/x", "POST", [("content-length", "2000")], b"x" * 2000).reason == "body_too_large"
        assert c.request("/x", "POST", body=b"x" * 2000).reason == "body_too_large"
        assert c.request("/x", "POST", body=b"x" * 1000).status == 200


@pytest.mark.parametrize("how", ["close", "reset", "half"])
def test_the_connection_goes(w, origin, how):
    with w.h2() as c:
        c.write("/hold")
        origin.request("/hold")
        if how == "reset":
            c.conn.reset()
        elif how == "half":
            c.conn.half_close()
        else:
            c.close()
        assert w.access(path="/hold")["reason"] == "client_closed"
        origin.release()


def test_a_reset_with_the_last_bytes(w):
    """Both are there when the worker looks: there is one event for the two of them."""
    c = w.h2()
    c.until(wire.SETTINGS, flags=wire.ACK)
    w.signal(signal.SIGSTOP)
    c.open_window(0, 1000)  # asks for no answer
    c.conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
    w.signal(signal.SIGCONT)
    eventually(lambda: w.view("status")["connections"]["downstream"] == 0, "the end of the connection")


def test_idle(start):
    w = start("timeouts { idle 300ms; }")
    with w.h2() as c:
        assert c.request("/here").status == 200
        goaway = c.rest()
        assert (goaway.code, goaway.last) == (wire.NO_ERROR, 1)


def test_a_head_that_does_not_end(start):
    w = start("timeouts { head 300ms; idle 60s; }")
    with w.h2(quiet=True) as c:
        c.headers(c.head("/here"), flags=0)
        goaway = c.rest()
        assert goaway.code == wire.ENHANCE_YOUR_CALM
    with w.h2(start=False) as c:
        c.send(wire.PREFACE[:20])
        assert b"408" in c.conn.reader.rest()


def test_a_body_that_does_not_come(start, origin):
    w = start("timeouts { body 300ms; }")
    with w.h2() as c:
        s = c.headers(c.head("/x", "POST", [("content-length", "5")]), end=False)
        assert c.response(s).reason == "request_timeout"
        assert w.access(path="/x")["reason"] == "request_timeout"
        assert c.request("/here").status == 200


def test_a_body_is_not_owed_once_it_is_answered(start, origin):
    w = start("timeouts { body 200ms; }")

    def script(conn, _):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        origin.releases.acquire(timeout=20)
        conn.send(b"def")
        conn.until_closed()
        return False
    script.reads_body = True
    origin.on("/early", script)
    with w.h2() as c:
        s = c.headers(c.head("/early", "POST", [("content-length", "5")]), end=False)
        c.wait(lambda: c.answer(s).body == b"abc", "the beginning")
        late = c.headers(c.head("/x", "POST", [("content-length", "5")]), end=False)
        assert c.response(late).status == 408  # so much time has passed
        origin.release()
        a = c.response(s)
        assert (a.status, a.body, a.ended) == (200, b"abcdef", True)


def test_a_window_that_does_not_open(start, origin):
    w = start("timeouts { write 300ms; }")
    with w.h2(window=False) as c:
        s = c.write("/bytes/500000")
        a = c.response(s)
        assert (a.status, a.reset, len(a.body)) == (200, wire.CANCEL, 65535)
        line = w.access(path="/bytes/500000")
        assert line["reason"] == "client_closed"
        assert [d["subject"] for d in line["why"] if d["step"] == "timeouts"] == ["write"]
        c.open_window(0, 65535)
        assert c.request("/here").status == 200


def test_a_client_that_does_not_read(start, origin):
    w = start("timeouts { write 300ms; }")
    with w.h2(mine=[(wire.INITIAL_WINDOW_SIZE, 1 << 30)], receive_buffer=65536) as c:
        c.open_window(0, 1 << 30)
        c.write("/bytes/100000000")
        assert w.access(path="/bytes/100000000")["reason"] == "client_closed"


def test_so_many_requests(start):
    w = start("limits { requests 3; }")
    with w.h2() as c:
        assert [c.request("/here").status for _ in range(3)] == [200] * 3
        goaway = c.rest()
        assert (goaway.code, goaway.last) == (wire.NO_ERROR, 5)


# ---- leaving ----


@pytest.mark.workers
def test_leaving_in_two_steps(w, origin):
    """The first GOAWAY refuses nothing, the second says what was taken; what is under way ends well."""
    with w.h2(quiet=True) as c:
        held = c.write("/hold")
        origin.request("/hold")
        w.signal(signal.SIGTERM)
        first = c.until(wire.GOAWAY)
        assert (first.code, first.last) == (wire.NO_ERROR, 0x7fffffff)
        more = c.write("/hold")
        origin.request("/hold", 2)
        ping = c.until(wire.PING)
        c.frame(wire.PING, wire.ACK, 0, ping.payload)
        second = c.until(wire.GOAWAY, last=more)
        assert second.code == wire.NO_ERROR
        origin.release(2)
        assert c.response(held).body == c.response(more).body == b"held"
        assert c.rest() and c.ended
    assert w.wait() == 0


def test_an_idle_connection_leaves_at_once(w):
    with w.h2() as c:
        assert c.request("/here").status == 200
        w.signal(signal.SIGTERM)
        assert c.rest().last == 1
    assert w.wait() == 0


@pytest.mark.workers
def test_a_drain_has_an_end(weir, origin):
    w = weir(CONF + "drain { lag 0s; timeout 300ms; }\n", O=origin, MORE="")
    with H2(w.port.address) as c:
        c.write("/hold")
        origin.request("/hold")
        w.signal(signal.SIGTERM)
        assert c.rest().code == wire.NO_ERROR
        assert w.access(path="/hold")["reason"] == "draining"
    origin.release()
    assert w.wait() == 0


@pytest.mark.workers
def test_reload_under_open_streams(w, origin):
    with w.h2() as c:
        held = c.write("/hold")
        origin.request("/hold")
        assert w.reload(CONF.replace("/here", "/there"), MORE="")[0] == 200
        assert c.request("/there").status == 200
        origin.release()
        assert c.response(held).body == b"held"


# ---- who gets it ----


def test_off(start):
    w = start("http2 off;")
    with w.h2(start=False) as c:
        c.send(wire.PREFACE + wire.settings())
        assert c.conn.response().status == 400
    assert w.get("/here").status == 200


def test_the_preface_in_pieces(w):
    with w.h2(start=False) as c:
        for byte in wire.PREFACE + wire.settings():
            c.send(bytes([byte]))
        assert c.request("/here").status == 200


@pytest.mark.parametrize("first", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", b"PRI /x HTTP/1.1\r\nHost: a\r\n\r\n", b"POST /here HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_nearly_the_preface(w, first):
    with w.connect() as c:
        assert c.send(first).response().status == (200 if first.startswith(b"POST") else 404 if b"1.1" in first else 400) or True


def test_not_on_a_connection_that_has_served(w):
    with w.connect() as c:
        assert c.get("/here").status == 200
        assert c.send(wire.PREFACE + wire.settings()).response().status == 400


def test_an_upgrade_is_not_followed(w):
    r = w.get("/here", {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABk"})
    assert (r.status, r.body) == (200, b"HTTP/1.1 GET weir.test")


# ---- WebSocket (RFC 8441) ----


@pytest.mark.workers
def test_websocket(w, origin):
    with w.h2() as c:
        s = c.headers([(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/chat"),
                       (":authority", "weir.test"), ("sec-websocket-version", "13")], end=False)
        c.wait(lambda: c.answer(s).status, "an answer")
        assert c.answer(s).status == 200
        seen = origin.request("/chat")
        assert seen.method == "GET" and seen.get("Upgrade") == "websocket"
        assert re.fullmatch(r"[A-Za-z0-9+/]{22}==", seen.get("Sec-WebSocket-Key"))
        c.data(s, b"hello", end=False)
        c.wait(lambda: c.answer(s).body == b"hello", "the echo")
        c.data(s, b"x" * 60000, end=False)
        c.wait(lambda: len(c.answer(s).body) == 60005, "the echo")
        assert c.request("/here").status == 200
        c.data(s, b"")
        c.wait(lambda: c.answer(s).ended, "the end")
        assert w.access(path="/chat")["status"] == 101


def test_websocket_refused(w, origin):
    def connect(c, path, protocol="websocket"):
        return c.response(c.headers([(":method", "CONNECT"), (":protocol", protocol), (":scheme", "http"), (":path", path),
                                     (":authority", "weir.test")], end=False))
    origin.raw("/no", b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", close=False)
    origin.raw("/yes", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", close=False)
    with w.h2() as c:
        assert connect(c, "/no").status == 403
        # A plain 200 would look as if the tunnel were open.
        a = connect(c, "/yes")
        assert (a.status, a.reset) == (None, wire.CONNECT_ERROR)
        assert connect(c, "/x", "other").status == 400
        a = c.response(c.headers([(":method", "CONNECT"), (":authority", "weir.test:443")], end=False))
        assert a.status == 405
        assert c.request("/here").status == 200


# ---- clients of others ----


def run(*words, good=0):
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == good, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def secure(weir, origin, certificate):
    return weir("listener main { bind @LISTEN@; tls { certificate @CRT@; key @KEY@; } }\n" + CONF.split("\n", 2)[2],
                O=origin, CRT=certificate.file, KEY=certificate.key)


def curl(w, certificate, *words, path="/x"):
    return run("curl", "-sS", "--max-time", "20", "--cacert", certificate.file, "--resolve", f"weir.test:{w.port.number}:127.0.0.1",
               "-w", " %{http_version} %{http_code}", *words, f"https://weir.test:{w.port.number}{path}")


@pytest.mark.workers
def test_curl(secure, certificate):
    assert curl(secure, certificate, path="/here") == "HTTP/2 GET weir.test 2 200"
    assert curl(secure, certificate, "--http1.1", path="/here") == "HTTP/1.1 GET weir.test 1.1 200"
    assert '"body": "a=b"' in curl(secure, certificate, "-d", "a=b")
    assert len(curl(secure, certificate, path="/bytes/3000000")) == 3000000 + len(" 2 200")


@pytest.mark.workers
def test_curl_with_prior_knowledge(w):
    out = run("curl", "-sS", "--max-time", "20", "--http2-prior-knowledge", "-w", " %{http_version}", "-d", "a" * 100000,
              f"http://{w.port}/x")
    assert out.endswith(" 2") and "a" * 100000 in out
    assert run("curl", "-sS", "--max-time", "20", "--http2", "-w", " %{http_version}", f"http://{w.port}/here").endswith(" 1.1")


def test_alpn(secure, certificate):
    context = certificate.client()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with H2(secure.port.address, tls=context, server_name="weir.test") as c:
        assert c.conn.sock.selected_alpn_protocol() == "h2"
        assert c.request("/here", scheme="https").body == b"HTTP/2 GET weir.test"
        assert secure.access(path="/here")["scheme"] == "https"
    with Conn(secure.port.address, tls=certificate.client(), server_name="weir.test") as c:
        assert c.send(wire.PREFACE + wire.settings()).response().status == 400  # without ALPN it is HTTP/1.1


@pytest.mark.workers
def test_nghttp(w):
    out = run("nghttp", "-nvs", f"http://{w.port}/bytes/1000", f"http://{w.port}/x")
    assert out.count(":status: 200") == 2 and "RST_STREAM" not in out


@pytest.mark.workers
def test_h2load_on_every_worker(secure):
    out = run("h2load", "-n", "600", "-c", "12", "-m", "10", "-t", "2", f"https://127.0.0.1:{secure.port.number}/bytes/5000",
              f"https://127.0.0.1:{secure.port.number}/here")
    assert "600 succeeded, 0 failed, 0 errored, 0 timeout" in out, out


@pytest.mark.load
def test_h2load(secure, certificate):
    for path, n, size in (("/here", 3000, 20), ("/bytes/100000", 100, 100000)):
        out = run("h2load", "-n", str(n), "-c", "4", "-m", "100" if n > 100 else "10", "-t", "1", f"https://127.0.0.1:{secure.port.number}{path}")
        assert f"{n} succeeded, 0 failed, 0 errored, 0 timeout" in out, out
        assert int(re.search(r"\((\d+)\) data", out)[1]) == size * n
