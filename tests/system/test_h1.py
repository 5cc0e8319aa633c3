"""HTTP/1.1 on both sides: persistence, framing, streaming, interim answers, upgrades, limits."""
import asyncio
import threading

import pytest

from harness import Conn, eventually, sanitized
from harness.message import Closed, Response

PROXY = """
route / { proxy o; }
route /local { respond 200 local; }
upstream o { endpoint @O@; }
"""


# ---- persistence ----

def test_keep_alive_on_both_sides(weir, origin):
    w = weir("workers 1;\n" + PROXY, O=origin)
    with w.connect() as c:
        for i in range(20):
            assert c.get(f"/{i}").status == 200
    assert origin.connections == 1


def test_connection_close_is_honoured(weir, origin):
    w = weir(PROXY, O=origin)
    for target in ("/x", "/local", "/chunked"):
        with w.connect() as c:
            r = c.get(target, {"Connection": "close"})
            assert r.status == 200 and r.get("Connection") == "close"
            assert c.at_end()


def test_http_1_0(weir, origin):
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        r = c.send(b"GET /chunked HTTP/1.0\r\nHost: a\r\n\r\n").response()
        assert (r.status, r.body) == (200, b"hello world")
        assert not r.headers.has("Transfer-Encoding")
        assert c.at_end()
    with w.connect() as c:
        for _ in range(2):
            r = c.send(b"GET /x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n").response()
            assert r.status == 200 and r.get("Connection").lower() == "keep-alive"
    assert origin.request("/x").get("Via") == "1.0 weir"


def test_a_long_pipeline_that_comes_in_many_pieces(weir):
    """Whatever way the requests fall into reads and turns, none is left lying in the kernel."""
    w = weir("workers 1;\nroute / { respond 200 x; }")
    for _ in range(30):
        with w.connect() as c:
            for i in range(500):
                c.send(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % i)
            for i in range(500):
                assert c.response().body == b"x"


def test_pipelined_answers_keep_their_order(weir, origin):
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        c.write("GET", "/hold").write("POST", "/b", (), b"body").write("GET", "/local").write("HEAD", "/c").write("GET", "/d")
        origin.request("/hold")
        origin.release()
        assert c.response().body == b"held"
        assert c.response().json["body"] == "body"
        assert c.response().body == b"local"
        assert c.response("HEAD").status == 200
        assert c.response().json["target"] == "/d"


# ---- bodies ----

def test_lengths_and_chunks_to_the_origin(weir, origin):
    w = weir(PROXY, O=origin)
    body = bytes(range(256)) * 1000
    r = w.post("/len", body)
    assert r.status == 200 and origin.request("/len").body == body
    chunked = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(body[i:i + 999]), body[i:i + 999]) for i in range(0, len(body), 999))
    with w.connect() as c:
        c.write("POST", "/chunks", {"Transfer-Encoding": "chunked"}).send(chunked + b"0\r\nX-T: 1\r\n\r\n")
        assert c.response().status == 200
    got = origin.request("/chunks")
    assert got.body == body and got.trailers == [("X-T", "1")]


def test_bodies_to_the_client(weir, origin):
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        assert len(c.get("/bytes/3000000").body) == 3000000
        assert c.get("/chunked").body == b"hello world"
        r = c.get("/trailers", {"TE": "trailers", "Connection": "TE"})
        assert r.body == b"body" and r.trailers == [("X-Sum", "42")]
        origin.raw("/until-close", b"HTTP/1.1 200 OK\r\n\r\nno length")
        r = c.get("/until-close")
        assert r.body == b"no length"
        r = c.get("/status/204")
        assert r.status == 204 and not r.headers.has("Content-Length") and not r.headers.has("Transfer-Encoding")
        assert c.get("/status/304").status == 304


def test_head(weir, origin):
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        r = c.request("HEAD", "/bytes/10")
        assert r.status == 200
        origin.raw("/h", b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n", close=False)
        r = c.request("HEAD", "/h")
        assert r.get("Content-Length") == "12345"
        r = c.request("HEAD", "/local")
        assert r.status == 200 and r.get("Content-Length") == "5"
        assert c.get("/local").body == b"local"


def test_each_byte_passes_when_it_comes(weir, origin):
    """Streaming both ways: nothing waits for the end of a body."""
    def script(conn, r):
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while (piece := conn.reader.chunk()) is not None:
            conn.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        conn.reader.until(b"\r\n", "end")
        conn.send(b"0\r\n\r\n")
    script.reads_body = True
    origin.on("/duplex", script)
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        c.write("POST", "/duplex", {"Transfer-Encoding": "chunked"})
        assert c.reader.head(Response).status == 200
        for i in range(5):
            c.send(b"3\r\nab%d\r\n" % i)
            got = b""
            while len(got) < 3:
                got += c.reader.chunk()
            assert got == b"ab%d" % i
        c.send(b"0\r\n\r\n")
        assert c.reader.chunk() is None


def test_body_cap(weir, origin):
    w = weir("route /small { max_body 10; proxy o; }\n" + PROXY, O=origin)
    assert w.post("/small", b"x" * 10).status == 200
    with w.connect() as c:
        r = c.write("POST", "/small", {"Content-Length": "11"}).response()
        assert (r.status, r.reason, r.get("Connection")) == (413, "body_too_large", "close")
        assert c.at_end()
    assert w.post("/big", b"x" * (1 << 20)).status == 200
    with w.connect() as c:  # not a byte of it: sending goes wrong once weir has waited long enough for its end
        assert c.write("POST", "/big", {"Content-Length": str((1 << 20) + 1)}).response().status == 413


@pytest.mark.parametrize("at_once", [True, False])
def test_body_cap_while_streaming(weir, origin, at_once):
    w = weir("route /small { max_body 1000; proxy o; }\n" + PROXY, O=origin)
    chunk = b"200\r\n" + b"x" * 512 + b"\r\n"
    with w.connect() as c:
        if at_once:
            c.send(b"POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + chunk)
        else:
            c.write("POST", "/small", {"Transfer-Encoding": "chunked"}).send(chunk)
            eventually(lambda: w.endpoint("o", origin)["active"], "an attempt")
            c.send(chunk)
        r = c.response()
        assert (r.status, r.reason) == (413, "body_too_large")
    line = w.logged(r)
    assert line["status"] == 413 and line["reason"] == "body_too_large"


def test_an_early_answer_does_not_wait_for_the_body(weir, origin):
    def script(conn, _):
        conn.answer(403, b"no", [("Connection", "close")])
        conn.until_closed()
        return False
    script.reads_body = True
    origin.on("/early", script)
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        r = c.write("POST", "/early", {"Content-Length": "100000"}).send(b"x" * 10).response()
        assert (r.status, r.body) == (403, b"no")


# ---- interim answers ----

def test_expect_is_not_met_when_the_answer_is_known(weir, origin):
    w = weir("route /small { max_body 1; proxy o; }\n" + PROXY, O=origin)
    with w.connect() as c:
        r = c.write("POST", "/small", {"Expect": "100-continue", "Content-Length": "4"}).response()
        assert r.status == 413 and r.interim == []


def test_interim_answers_of_the_origin(weir, origin):
    origin.raw("/i", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
               close=False)
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        r = c.get("/i")
        assert [i.status for i in r.interim] == [103, 102] and r.interim[0].get("Link") == "</a>"
        assert [i.get("Via") for i in r.interim] == ["1.1 weir"] * 2  # as every message that a proxy forwards (RFC 9110 7.6.3)
        r = c.send(b"GET /i HTTP/1.0\r\nHost: a\r\n\r\n").response()
        assert r.status == 200 and r.interim == []


# ---- upgrades ----

def test_upgrade_is_a_tunnel(weir, origin):
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        r = c.get("/ws", {"Connection": "Upgrade", "Upgrade": "Echo/1"})
        assert r.status == 101 and r.get("Upgrade") == "Echo/1" and r.get("Connection").lower() == "upgrade"
        for piece in (b"hello", b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 4000):
            c.send(piece)
            assert c.exactly(len(piece)) == piece
        c.half_close()
        assert c.at_end()
    line = w.access(path="/ws")
    assert line["status"] == 101 and line["bytes_in"] > 1000000 < line["bytes_out"]


def test_bytes_behind_the_upgrade_are_not_lost(weir, origin):
    origin.on("/now", lambda conn, _: conn.send(b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nfirst") or
              conn.send(conn.reader.exactly(5)) or False)
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        c.write("GET", "/now", {"Connection": "Upgrade", "Upgrade": "x"})
        assert c.response().status == 101
        assert c.exactly(5) == b"first"
        assert c.send(b"after").exactly(5) == b"after"


def test_upgrade_that_the_origin_does_not_take(weir, origin):
    origin.on("/plain", lambda conn, _: conn.answer(200, b"plain"))
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        r = c.get("/plain", {"Connection": "Upgrade", "Upgrade": "x"})
        assert (r.status, r.body) == (200, b"plain")
        assert c.get("/x").status == 200


def test_websocket(weir, tmp_path):
    """A real WebSocket client and server with weir between them."""
    import websockets

    async def conversation():
        async def echo(ws):
            async for message in ws:
                await ws.send(message)
        async with websockets.serve(echo, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            w = await asyncio.to_thread(weir, PROXY, O=f"127.0.0.1:{port}")
            async with websockets.connect(f"ws://{w.port}/chat") as ws:
                for message in ("hello", "ü" * 1000, b"\0" * 200000):
                    await ws.send(message)
                    assert await ws.recv() == message
                await (await ws.ping())
    asyncio.run(conversation())


# ---- back-pressure ----

@pytest.mark.skipif("sanitized()", reason="memory is no measure under a sanitizer")
def test_a_client_that_does_not_read_stops_the_origin(weir, origin):
    total, sent = 400 << 20, [0]

    def script(conn, _):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        piece = b"x" * 65536
        conn.sock.settimeout(1)
        try:
            while sent[0] < total:
                sent[0] += conn.sock.send(piece)
        except TimeoutError:
            stuck.set()
        return False
    stuck = threading.Event()
    origin.on("/flood", script)
    w = weir(PROXY, O=origin)
    w.get("/x")
    before = w.resident()
    with w.connect(receive_buffer=4096) as c:
        c.write("GET", "/flood")
        assert stuck.wait(60)
        # What was sent lies in the kernel's buffers on both sides; weir holds next to none of it.
        assert sent[0] < total / 4
        assert w.resident() - before < 4 << 20


@pytest.mark.skipif("sanitized()", reason="memory is no measure under a sanitizer")
def test_an_origin_that_does_not_read_stops_the_client(weir, origin):
    release = threading.Event()

    def script(conn, _):
        release.wait(60)
        return False
    script.reads_body = True
    origin.on("/sink", script)
    w = weir("max_body 1g;\n" + PROXY, O=origin)
    w.get("/x")
    before = w.resident()
    with w.connect() as c:
        c.write("POST", "/sink", {"Content-Length": str(1 << 30)})
        c.sock.settimeout(1)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 1 << 30:
                sent += c.sock.send(b"x" * 65536)
        assert sent < 1 << 28
        assert w.resident() - before < 4 << 20
    release.set()


# ---- what clients do wrong: the corpus has the rest ----

def test_limits_of_a_head(weir, origin):
    w = weir("listener main { bind @LISTEN@; limits { request_line 100; field 200; head 1k; fields 10; } }\n" + PROXY, O=origin)

    def refused(target="/", headers=()):
        with w.connect() as c:
            r = c.get(target, headers)
            if r.status != 200:
                assert r.get("Connection") == "close" and c.at_end()
                return r.status, r.reason
            return 200
    assert refused("/" + "a" * 50) == 200
    assert refused("/" + "a" * 100) == (414, "uri_too_long")
    assert refused(headers={"X": "a" * 100}) == 200
    assert refused(headers={"X": "a" * 200}) == (431, "headers_too_large")
    assert refused(headers=[("X", "a" * 150)] * 8) == (431, "headers_too_large")
    assert refused(headers=[("X", "a")] * 9) == 200
    assert refused(headers=[("X", "a")] * 10) == (431, "headers_too_large")


def test_timeouts_of_a_listener(weir, origin):
    w = weir("listener main { bind @LISTEN@; timeouts { head 300ms; body 300ms; idle 300ms; } }\n" + PROXY, O=origin)
    with w.connect() as c:
        r = c.send(b"GET / HTTP/1.1\r\n").response()
        assert (r.status, r.reason) == (408, "request_timeout") and c.at_end()
    with w.connect() as c:
        r = c.write("POST", "/b", {"Content-Length": "10"}).send(b"x").response()
        assert (r.status, r.reason) == (408, "request_timeout") and c.at_end()
    with w.connect() as c:  # idle: closed without a word
        assert c.get("/x").status == 200
        assert c.at_end()
    with w.connect() as c:
        assert c.at_end()


def test_write_timeout(weir, origin):
    w = weir("listener main { bind @LISTEN@; timeouts { write 300ms; } }\n" + PROXY, O=origin)
    with w.connect(receive_buffer=4096) as c:
        c.write("GET", "/bytes/50000000")
        line = w.access(path="/bytes/50000000")
        assert line["bytes_out"] < 50000000


def test_connections_of_a_listener(weir):
    w = weir("listener main { bind @LISTEN@; limits { connections 2; } }\nroute / { respond 200 ok; }")
    a, b = w.connect(), w.connect()
    assert a.get("/").status == 200 and b.get("/").status == 200
    with w.connect() as c:
        with pytest.raises((Closed, ConnectionError)):
            c.get("/")
    a.close()

    def served():
        try:
            with w.connect() as c:
                return c.get("/").status == 200
        except (Closed, ConnectionError):
            return False
    eventually(served, "room for a connection")
    b.close()


def test_requests_of_a_connection(weir):
    w = weir("listener main { bind @LISTEN@; limits { requests 2; } }\nroute / { respond 200 ok; }")
    with w.connect() as c:
        assert not c.get("/").headers.has("Connection")
        assert c.get("/").get("Connection") == "close"
        assert c.at_end()


# ---- what origins do wrong: the corpus has the rest ----

def test_a_response_that_falls_silent(weir, origin):
    def script(conn, _):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        conn.until_closed()
        return False
    origin.on("/silent", script)
    w = weir("idle_timeout 200ms;\n" + PROXY, O=origin)
    with w.connect() as c:
        c.write("GET", "/silent")
        with pytest.raises((Closed, ConnectionResetError)):
            c.response()
    line = w.access(path="/silent")
    assert (line["status"], line["reason"]) == (200, "upstream_timeout")
    assert any(d["step"] == "idle_timeout" and d["reason"] == "body_idle" for d in line["why"])


def test_a_slow_response_is_not_a_silent_one(weir, origin):
    """The deadline of a request ends with the head of its response."""
    def script(conn, _):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
        for _ in range(8):
            origin.releases.acquire(timeout=0.06)
            conn.send(b"x")
    origin.on("/slow", script)
    w = weir("timeout 200ms;\nidle_timeout 5s;\n" + PROXY, O=origin)
    assert w.get("/slow").body == b"x" * 8


def test_a_client_that_leaves_cancels_the_attempt(weir, origin):
    gone = threading.Event()

    def script(conn, _):
        conn.until_closed()
        gone.set()
        return False
    origin.on("/leave", script)
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        c.write("GET", "/leave")
        origin.request("/leave")
        c.reset()
    assert gone.wait(20)
    assert w.access(path="/leave")["reason"] == "client_closed"
    eventually(lambda: w.metric("weir_upstream_requests_total", outcome="cancelled") == 1, "a cancelled attempt")


def test_a_client_body_that_stops(weir, origin):
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        c.write("POST", "/half", {"Content-Length": "100"}).send(b"half")
        c.half_close()
        c.close()
    assert w.access(path="/half")["status"] in (0, 400)
    assert w.get("/x").status == 200


def test_many_connections_at_a_time(weir, origin):
    w = weir(PROXY, O=origin)
    clients = [Conn(w.port.address) for _ in range(200)]
    for c in clients:
        c.write("GET", "/hold")
    eventually(lambda: origin.count("/hold") == 200, "200 requests at the origin")
    assert w.metric("weir_connections", side="downstream", state="active") == 200
    origin.release(200)
    for c in clients:
        assert c.response().body == b"held"
        c.close()
