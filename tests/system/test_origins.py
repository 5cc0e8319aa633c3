"""What origins say: that nothing of it can be taken for more, or for less, than it is."""
import threading

import pytest

from harness import eventually
from harness.message import Closed

PROXY = """
workers 1;
route / { proxy o; }
upstream o { endpoint @O@; }
"""
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


def in_two(origin, path, first, rest=b"", reset=False):
    """Answers a path with `first`, and once the event is set with `rest`; then closes."""
    go_on = threading.Event()

    def script(conn, _):
        conn.send(first)
        assert go_on.wait(20)
        conn.send(rest)
        if reset:
            conn.reset()
        return False
    origin.on(path, script)
    return go_on


# ---- answers that break ----

BROKEN = [CHUNKED + b"xyz\r\n", CHUNKED + b"5\r\nhelloX", CHUNKED + b"5 \r\nhello\r\n0\r\n\r\n", CHUNKED + b"-5\r\nhello",
          CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n", CHUNKED + b"5\nhello\n0\n\n", CHUNKED + b"10000000000000000\r\nhello",
          CHUNKED + b"5;" + b"x" * 300 + b"\r\nhello\r\n0\r\n\r\n", CHUNKED + b"5\r\nhello\r\n0\r\nHost: x\r\n\r\n",
          CHUNKED + b"5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n", CHUNKED + b"5\r\nhello\r\n0\r\nX: a\0b\r\n\r\n"]


@pytest.mark.parametrize("data", BROKEN)
def test_a_body_that_is_broken_from_the_start_is_a_502(weir, origin, data):
    """Nobody was told of the head yet."""
    origin.raw("/bad", data, close=False)
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        r = c.get("/bad")
        assert (r.status, r.reason) == (502, "upstream_bad_response")
        assert c.get("/x").status == 200  # and the client's connection goes on
    assert w.logged(r)["why"][-1]["reason"] == "upstream_bad_response"


@pytest.mark.parametrize("data", BROKEN)
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_a_body_that_breaks_later_is_visibly_aborted(weir, origin, data, version):
    go_on = in_two(origin, "/bad", CHUNKED + b"4\r\ngood\r\n", data[len(CHUNKED):])
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        c.write("GET", "/bad", version=version)
        assert b" 200 " in c.reader.until(b"good", "the first chunk")
        go_on.set()
        if version == "HTTP/1.0":
            with pytest.raises(ConnectionResetError):  # a FIN would be the end of the body
                c.reader.rest()
        else:
            assert b"0\r\n\r\n" not in c.reader.rest()
    line = w.access(path="/bad")
    assert (line["status"], line["reason"]) == (200, "body_aborted")


@pytest.mark.parametrize("first", [LENGTH + b"hell", CHUNKED + b"4\r\nhell\r\n", CHUNKED + b"5\r\nhell", CHUNKED + b"4\r\nhell\r\n0\r\n"])
@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_an_answer_cut_short_never_looks_whole(weir, origin, first, reset, version):
    go_on = in_two(origin, "/cut", first, reset=reset)
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        c.write("GET", "/cut", version=version)
        c.reader.until(b"hell", "the start of a body")
        go_on.set()
        if version == "HTTP/1.0" and first.startswith(CHUNKED):
            with pytest.raises(ConnectionResetError):
                c.reader.rest()
        else:
            assert c.reader.rest().strip() == b""  # no last chunk, no last byte
    assert w.access(path="/cut")["reason"] == "body_aborted"


def test_an_answer_cut_short_at_once_is_an_error_of_its_own(weir, origin):
    w = weir(PROXY, O=origin)
    for path, data in (("/length", LENGTH + b"hell"), ("/chunks", CHUNKED + b"5\r\nhello\r\n")):
        def script(conn, _, data=data):
            conn.send(data)
            return False
        origin.on(path, script)
        try:
            r = w.get(path)
        except (Closed, ConnectionResetError):  # the head went on before the end was there
            assert w.access(path=path)["reason"] == "body_aborted"
        else:
            assert (r.status, r.reason) == (502, "upstream_reset")


# ---- heads ----

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize("data", [
    # status lines
    b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n", b"HTTP/1.1 099 OK\r\n\r\n", b"HTTP/1.1 +20 OK\r\n\r\n", b"HTTP/1.1 2OO OK\r\n\r\n",
    b"HTTP/1.1  200 OK\r\n\r\n", b"HTTP/1.1\t200 OK\r\n\r\n", b"HTTP/1.1200 OK\r\n\r\n", b" HTTP/1.1 200 OK\r\n\r\n", b"\r\nHTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/2.0 200 OK\r\n\r\n", b"HTTP/2 200 OK\r\n\r\n", b"HTTP/1.2 200 OK\r\n\r\n", b"HTTP/0.9 200 OK\r\n\r\n", b"http/1.1 200 OK\r\n\r\n",
    b"HTTP/1.10 200 OK\r\n\r\n", b"HTTP/11 200 OK\r\n\r\n", b"ICY 200 OK\r\n\r\n", b"HTTP/1.1 200 O\0K\r\n\r\n", b"HTTP/1.1 200 O\rK\r\n\r\n",
    b"HTTP/1.1 200 OK\n\n", b"<html>hello</html>\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x28",
    # fields
    OK + b"X: a\rSet-Cookie: evil=1\r\n\r\n", OK + b"X: a\nSet-Cookie: evil=1\r\n\r\n", OK + b"X: a\0b\r\n\r\n", OK + b"X: a\x7f\r\n\r\n",
    OK + b"X: a\r\n folded\r\n\r\n", OK + b"X: a\r\n\tfolded\r\n\r\n", OK + b" X: first\r\n\r\n", OK + b"X : a\r\n\r\n", OK + b": a\r\n\r\n",
    OK + b"X\r\n\r\n", OK + b"X\0Y: a\r\n\r\n", OK + b"X Y: a\r\n\r\n", OK + b"X: a\n\n", OK + b"X: a\r\n\n",
    # framing
    OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", OK + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc", OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nab",
    OK + b"Content-Length: 2, 2\r\n\r\nab", OK + b"Content-Length: +2\r\n\r\nab", OK + b"Content-Length: 0x2\r\n\r\nab", OK + b"Content-Length: 2 2\r\n\r\nab",
    OK + b"Content-Length: \r\n\r\n", OK + b"Content-Length: 18446744073709551618\r\n\r\nab", OK + b"Content-Length: 9223372036854775808\r\n\r\nab",
    OK + b"Content_Length: 2\r\n\r\nab", OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", OK + b"Transfer-Encoding: identity\r\n\r\nab",
    OK + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", OK + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n", OK + b"Transfer-Encoding:\r\n\r\n",
    OK + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", OK + b"Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"HTTP/1.1 204 No\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 304 No\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", b"HTTP/1.1 103 Hints\r\nX: a\nb\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n",
])
@pytest.mark.parametrize("piece", [1, 10000])
def test_heads_that_could_be_read_in_two_ways(weir, origin, data, piece):
    def script(conn, _):
        for i in range(0, len(data), piece):
            conn.send(data[i:i + piece])
        conn.until_closed()
        return False
    origin.on("/bad", script)
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        r = c.get("/bad")
        assert (r.status, r.reason) == (502, "upstream_bad_response")
        assert not r.headers.has("Set-Cookie") and not r.headers.has("X")
        assert c.get("/x").status == 200


@pytest.mark.parametrize("data,status,phrase", [
    (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200, "OK"), (b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", 200, "OK"),
    (b"HTTP/1.1 299 Odd\tbut \xe9\r\nContent-Length: 2\r\n\r\nok", 299, "Odd\tbut \xe9"), (b"HTTP/1.1 999 Far\r\nContent-Length: 2\r\n\r\nok", 999, "Far"),
    (b"HTTP/1.0 200 OK\r\n\r\nok", 200, "OK"), (b"HTTP/1.1 200 OK\r\n\r\nok", 200, "OK"), (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "OK"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n002;a=\"b\"\r\nok\r\n000\r\n\r\n", 200, "OK"),
    (b"HTTP/1.1 200 OK\r\ncontent-LENGTH:\t 2 \t\r\nX_Y: fine\r\n\r\nok", 200, "OK"),
])
def test_odd_heads_that_cannot_be_misread(weir, origin, data, status, phrase):
    origin.raw("/odd", data)
    r = weir(PROXY, O=origin).get("/odd")
    assert (r.status, r.phrase, r.body) == (status, phrase, b"ok")


@pytest.mark.parametrize("data,detail", [
    (b"HTTP/1.1 200 " + b"x" * 8200 + b"\r\n\r\n", "a status line longer than the limit"),
    (OK + b"X: " + b"x" * 33000 + b"\r\n\r\n", "a field longer than the limit"),
    (OK + b"".join(b"X%d: y\r\n" % i for i in range(201)) + b"\r\n", "more fields than the limit"),
    (OK + b"".join(b"X: " + b"y" * 30000 + b"\r\n" for i in range(3)) + b"\r\n", "a head larger than the limit"),
    (b"HTTP/1.1 103 H\r\nX: " + b"x" * 33000 + b"\r\n\r\n", "a field longer than the limit"),
])
def test_heads_that_are_too_large(weir, origin, data, detail):
    origin.raw("/large", data, close=False)
    w = weir(PROXY, O=origin)
    r = w.get("/large")
    assert (r.status, r.reason) == (502, "upstream_bad_response")
    assert r.json["detail"] == "the head of the upstream's answer is larger than the limits allow"
    assert w.logged(r)["why"], "a record"
    assert w.get("/x").status == 200


# ---- interim answers and upgrades ----

@pytest.mark.parametrize("interim,n,status", [(b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n", 16, 200), (b"HTTP/1.1 103 Hints\r\n\r\n", 17, 502),
                                              (b"HTTP/1.1 100 Continue\r\n\r\n", 100000, 502), (b"HTTP/1.1 102 P\r\nX: " + b"x" * 20000 + b"\r\n\r\n", 3, 200),
                                              (b"HTTP/1.1 102 P\r\nX: " + b"x" * 20000 + b"\r\n\r\n", 4, 502)], ids=str)
def test_interim_answers_are_bounded(weir, origin, interim, n, status):
    def script(conn, _):
        try:
            conn.send(interim * n + OK + b"Content-Length: 2\r\n\r\nok")
        except OSError:
            return False
    origin.on("/i", script)
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        r = c.get("/i")
        assert r.status == status and len(r.interim) <= 16
        if status == 502:
            assert r.reason == "upstream_bad_response"
        assert c.get("/x").status == 200


def test_an_endless_flood_of_interim_answers_ends(weir, origin):
    ended = threading.Event()

    def script(conn, _):
        try:
            while True:
                conn.send(b"HTTP/1.1 102 Processing\r\n\r\n" * 10)
        except OSError:
            ended.set()
        return False
    origin.on("/i", script)
    w = weir(PROXY, O=origin)
    assert w.get("/i").reason == "upstream_bad_response" and ended.wait(20)


SWITCH = b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: "


@pytest.mark.parametrize("asked,offered", [((), b"echo"), ({"Upgrade": "echo"}, b"echo"), ({"Connection": "upgrade"}, b"echo"),
                                           ({"Connection": "upgrade", "Upgrade": "echo"}, b"h2c"), ({"Connection": "upgrade", "Upgrade": "echo"}, b"echo, h2c"),
                                           ({"Connection": "upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABk"}, b"h2c")])
def test_switching_to_what_was_not_asked_for(weir, origin, asked, offered):
    origin.raw("/ws", SWITCH + offered + b"\r\n\r\n" + OK + b"Content-Length: 4\r\n\r\nEVIL", close=False)
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        r = c.get("/ws", asked)
        assert (r.status, r.reason) == (502, "upstream_bad_response")
        assert b"EVIL" not in c.get("/x").body


def test_an_http_1_0_client_never_switches(weir, origin):
    w = weir(PROXY, O=origin)
    origin.on("/ws", lambda conn, r: conn.answer(200, b"no" if not r.headers.has("Upgrade") else b"yes"))
    assert w.get("/ws", {"Connection": "upgrade", "Upgrade": "echo"}, version="HTTP/1.0").body == b"no"


# ---- bytes that belong to nobody ----

EVIL = OK + b"Content-Length: 4\r\n\r\nEVIL"


@pytest.mark.parametrize("method,head", [
    ("GET", b"HTTP/1.1 204 No\r\n\r\n"), ("GET", b"HTTP/1.1 204 No\r\nContent-Length: 40\r\n\r\n"), ("GET", b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("GET", b"HTTP/1.1 304 No\r\nContent-Length: 40\r\n\r\n"), ("GET", b"HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("HEAD", OK + b"Content-Length: 40\r\n\r\n"), ("HEAD", OK + b"Transfer-Encoding: chunked\r\n\r\n"), ("HEAD", OK + b"\r\n"),
    ("GET", OK + b"Content-Length: 2\r\n\r\nok"), ("GET", OK + b"Content-Length: 0\r\n\r\n"), ("GET", CHUNKED + b"0\r\n\r\n"),
])
@pytest.mark.parametrize("when", ["together", "at once", "later"])
def test_what_comes_behind_an_answer_is_not_the_next_one(weir, origin, method, head, when):
    """Neither a body where none can be, nor a second answer: the connection goes, and with it all that came on it."""
    behind = [b"x" * 40 + EVIL, EVIL]
    sent = threading.Event()

    def script(conn, _):
        if when == "together":
            conn.send(head + behind[0])
        else:
            conn.send(head)
            if when == "later":
                sent.wait(20)
            conn.send(behind[0])
        conn.until_closed()
        sent.set()
        return False
    origin.on("/first", script)
    w = weir(PROXY, O=origin)
    for behind[0] in behind[:]:
        sent.clear()
        with w.connect() as c:
            r = c.write(method, "/first").response(method)
            assert r.status in (200, 204, 304) and b"EVIL" not in r.body
            if when == "later":
                sent.set()
            eventually(lambda: w.metric("weir_connections", side="upstream") == 0, "the end of that connection")
            for _ in range(3):
                assert b"EVIL" not in c.get("/x").body


def test_a_response_without_end_to_head(weir, origin):
    """A body where none can be does not even cost memory."""
    def script(conn, _):
        try:
            conn.send(OK + b"Content-Length: 99\r\n\r\n")
            while True:
                conn.send(b"x" * 65536)
        except OSError:
            return False
    origin.on("/h", script)
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        for _ in range(5):
            assert c.request("HEAD", "/h").status == 200
    assert w.get("/x").status == 200
