"""HTTP/2 to origins: every pair of protocols, requests that share a connection, and origins that do not keep to it."""
import base64
import hashlib
import json
import os
import signal
import struct
import threading

import pytest
import websockets

from harness import H2, Port, TlsOrigin, eventually
from harness import h2 as wire
from test_websocket import Server, talk

CONF = """
workers 1;
listener main { bind @LISTEN@; }
upstream o { endpoint @O@; protocol http2 @STREAMS@; @MORE@ }
route / { proxy o; timeout 20s; max_body 100m; }
"""


@pytest.fixture
def start(weir, h2_origin):
    def one(more="", streams="", settings=None, **how):
        o = h2_origin(settings=settings, **how)
        w = weir(CONF, O=o, MORE=more, STREAMS=streams)
        w.origin = o
        return w
    return one


def seen(response):
    got = json.loads(response.body)
    return got, {n: v for n, v in got["headers"]}


def until_the_end(c):
    """Whatever comes before the connection is closed or reset."""
    got = b""
    try:
        while piece := c.sock.recv(65536):
            got += piece
    except ConnectionResetError:
        pass
    return got


def together(n, ask):
    """ask(i) by n threads at a time; what each returned."""
    results = [None] * n

    def run(i):
        results[i] = ask(i)
    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    return results


# ---- one exchange ----


def test_a_request(start):
    w = start()
    with w.connect() as c:
        got, fields = seen(c.request("GET", "/x?y=1", [("X-Own", "1"), ("Connection", "X-Hop, keep-alive"), ("X-Hop", "1"),
                                                       ("TE", "trailers"), ("Cookie", "a=1; b=2")]))
    assert (got["method"], got["target"]) == ("GET", "/x?y=1")
    assert [n for n, _ in got["headers"][:4]] == [":method", ":scheme", ":authority", ":path"]
    assert (fields[":scheme"], fields[":authority"]) == ("http", "weir.test")
    assert fields["via"] == "1.1 weir" and fields["x-own"] == "1" and fields["cookie"] == "a=1; b=2"
    assert not {"host", "connection", "x-hop", "keep-alive", "transfer-encoding", "content-length"} & set(fields)
    line = w.access(path="/x")
    assert (line["status"], line["upstream"], line["attempts"]) == (200, "o", 1)
    assert w.metric("weir_upstream_requests_total", upstream="o", endpoint=str(w.origin), outcome="ok") == 1
    assert not w.origin.complaints


def test_bodies(start):
    w = start()
    with w.connect() as c:
        got, fields = seen(c.request("POST", "/x", [("Content-Length", "3")], b"abc"))
        assert (got["body"], fields["content-length"]) == ("abc", "3")
        c.send(b"POST /x HTTP/1.1\r\nHost: weir.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Check: 7\r\n\r\n")
        got, fields = seen(c.response("POST"))
        assert got["body"] == "abcde" and "content-length" not in fields and got["trailers"] == [["x-check", "7"]]
        got, fields = seen(c.request("POST", "/x", [("Content-Length", "0")], b""))
        assert (got["body"], fields["content-length"]) == ("", "0")
        r = c.get("/bytes/300000")
        assert len(r.body) == 300000 and r.get("Content-Length") == "300000"
        r = c.get("/unsized/300000")
        assert len(r.body) == 300000 and r.get("Transfer-Encoding") == "chunked"
        r = c.get("/trailers")
        assert (r.body, list(r.trailers)) == (b"body", [("x-sum", "42")])
        assert (c.request("HEAD", "/bytes/77").get("Content-Length"), c.get("/status/204").status) == ("77", 204)
        for _ in range(2):  # whose head is all of it; the connection serves the next request
            r = c.get("/status/404")
            assert (r.status, r.body, r.get("Content-Length")) == (404, b"", "0")
    assert len(w.origin.conns) == 1 and not w.origin.complaints


def test_interim_answers(start):
    w = start()

    def hints(conn, stream, _):
        conn.head(stream, 103, [("link", "</a.css>; rel=preload")])
        conn.answer(stream, 200, b"ok")
    w.origin.on("/hints", hints)
    with H2(w.port.address) as c:
        a = c.request("/hints")
        assert a.interim == [(103, [("link", "</a.css>; rel=preload"), ("via", "2 weir")])] and (a.status, a.body) == (200, b"ok")


@pytest.mark.workers
@pytest.mark.parametrize("origin_tls", [False, True], ids=["h2c", "h2"])
@pytest.mark.parametrize("client", ["h1", "h1-tls", "h2", "h2-tls"])
def test_every_pair(weir, h2_origin, certificate, client, origin_tls):
    o = h2_origin(certificate if origin_tls else None)
    tls = f"tls {{ certificate {certificate.file}; key {certificate.key}; }}" if "tls" in client else ""
    w = weir("listener main { bind @LISTEN@; @TLS@ }\nupstream o { endpoint @O@; protocol http2; @CA@ }\n"
             "route / { proxy o; max_body 10m; }", O=o, TLS=tls, CA=f"tls {{ ca {certificate.file}; }}" if origin_tls else "")
    how = {"tls": certificate.client(), "server_name": "weir.test"} if tls else {}
    if "h2" in client:
        if tls:
            how["tls"].set_alpn_protocols(["h2"])
        with H2(w.port.address, **how) as c:
            a = c.request("/x", "POST", body=b"p" * 60000)
            assert a.status == 200 and json.loads(a.body)["body"] == "p" * 60000
            assert len(c.request("/bytes/200000").body) == 200000
            assert c.request("/trailers").trailers == [("x-sum", "42")]
    else:
        with w.connect(**how) as c:
            got, _ = seen(c.request("POST", "/x", [("Content-Length", "200000")], b"p" * 200000))
            assert got["body"] == "p" * 200000
            assert len(c.get("/bytes/200000").body) == 200000
    assert o.request("/x").get(":scheme") == ("https" if origin_tls else "http")
    assert len(o.conns) == 1 and not o.complaints


@pytest.mark.parametrize("tls", [False, True], ids=["h2c", "h2"])
def test_a_stock_origin(weir, nginx, certificate, tls):
    words = f"ssl; ssl_certificate {certificate.file}; ssl_certificate_key {certificate.key}" if tls else ""
    n = nginx(f"listen @LISTEN@ http2 reuseport {words};\nkeepalive_requests 50; client_max_body_size 10m;\n"
              'location /up { return 200 "$server_protocol $request_method $http_host $http2"; }\n'
              + 'location / { add_header X-Conn $connection; return 200 "$request_uri"; }')
    w = weir("workers 1;\nlistener main { bind @LISTEN@; }\nupstream o { endpoint @N@; protocol http2; @CA@ }\nroute / { proxy o; }",
             N=n, CA=f"tls {{ ca {certificate.file}; }}" if tls else "")
    with w.connect() as c:
        assert c.get("/up").body == b"HTTP/2.0 GET weir.test " + (b"h2" if tls else b"h2c")
        # Beyond the 50th request of a connection it says GOAWAY: nobody is to notice.
        answers = [c.get(f"/{i}") for i in range(170)]
    assert [r.body for r in answers] == [b"/%d" % i for i in range(170)]
    assert 4 <= len({r.get("X-Conn") for r in answers}) <= 5
    assert {r.status for r in together(60, lambda i: w.get(f"/{i}"))} == {200}


def test_a_burst_that_a_stock_origin_refuses(weir, nginx):
    """Before its SETTINGS are there weir sends more than it takes: what it refuses goes elsewhere, and nobody notices."""
    n = nginx("listen @LISTEN@ http2 reuseport;\nhttp2_max_concurrent_streams 4; limit_rate 2k;\n"
              "location / { add_header X-Conn $connection; return 200 " + "x" * 3000 + "; }")
    w = weir("workers 1;\nlistener main { bind @LISTEN@; }\nupstream o { endpoint @N@; protocol http2; }\nroute / { proxy o; }", N=n)
    with H2(w.port.address) as c:
        answers = [c.answer(c.headers([(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", f"/{i}")], end=True))
                   for i in range(40)]
        c.wait(lambda: all(a.ended or a.reset is not None for a in answers), "all answers")
    assert {(a.status, len(a.body)) for a in answers} == {(200, 3000)}
    assert len({dict(a.headers)["x-conn"] for a in answers}) > 1


# ---- many at once ----


EVERYWHERE = """
workers 3;
listener main { bind @LISTEN@; }
listener secure { bind @SECURE@; tls { certificate @CRT@; key @KEY@; } }
upstream o { endpoint @O@; protocol http2 streams=4; limits requests=400; tls { ca @CRT@; } }
route / { proxy o; timeout 20s; }
route /here { respond 200 "${request.path}"; }
"""


@pytest.mark.workers
def test_clients_of_every_kind_on_every_worker(weir, h2_origin, certificate):
    """Under way at once: cleartext and TLS, HTTP/1.1 and HTTP/2, streams that end and streams that are reset, and reloads."""
    o, secure = h2_origin(certificate), Port()
    how = {"O": o, "SECURE": secure, "CRT": certificate.file, "KEY": certificate.key}
    w = weir(EVERYWHERE, **how)

    def h2(i):
        tls = certificate.client()
        tls.set_alpn_protocols(["h2"])
        with H2(secure.address, tls=tls, server_name="weir.test") if i % 2 else H2(w.port.address) as c:
            streams = [c.write(f"/{i}/{k}", "POST", body=b"p" * 20000) for k in range(6)]
            c.rst(c.write("/hold"))
            streams += [c.write(f"/here/{i}") for _ in range(6)]
            return {c.response(s).status for s in streams}

    def h1(i):
        with w.connect() as c:
            return {c.request("POST", f"/{i}/{k}", body=b"p" * 20000).status for k in range(6)}

    def reload(i):
        return {w.reload(EVERYWHERE + "# again\n" * i, **how)[0] for _ in range(3)}
    assert together(16, lambda i: (reload if i == 5 else h1 if i % 4 == 2 else h2)(i)) == [{200}] * 16
    assert len(o.conns) > 1 and not o.complaints
    secure.close()


def test_requests_share_a_connection(start):
    w = start()
    held = [w.connect() for _ in range(30)]
    for c in held:
        c.write("GET", "/hold")
    eventually(lambda: w.origin.count("/hold") == 30)
    assert len(w.origin.conns) == 1 and w.get("/bytes/70000").status == 200
    assert w.metric("weir_connections", side="upstream", state="active") == 1
    [endpoint] = w.upstream("o")["endpoints"]
    assert endpoint["active"] == 30
    w.origin.release(30)
    assert [c.response().body for c in held] == [b"held"] * 30
    for c in held:
        c.close()
    eventually(lambda: w.upstream("o")["endpoints"][0]["active"] == 0)
    assert w.metric("weir_connections", side="upstream", state="active") == 0
    assert w.metric("weir_connections", side="upstream", state="idle") == 1


@pytest.mark.parametrize("streams, settings", [("streams=3", None), ("", {wire.MAX_CONCURRENT_STREAMS: 3})], ids=["own", "theirs"])
def test_no_more_than_so_many_on_one(start, streams, settings):
    w = start(streams=streams, settings=settings)
    assert w.get("/first").status == 200  # their settings are known
    held = [w.connect() for _ in range(10)]
    for c in held:
        c.write("GET", "/hold")
    eventually(lambda: w.origin.count("/hold") == 10)
    assert len(w.origin.conns) == 4 and [c.most for c in w.origin.conns] == [3, 3, 3, 1]
    w.origin.release(10)
    assert {c.response().status for c in held} == {200}


def test_limits_hold(start):
    """All that the upstream's one connection can carry is under way: the others wait for it, and come."""
    w = start("limits connections=1; connect_timeout 20s;", streams="streams=2")
    held = [w.connect() for _ in range(7)]
    for c in held:
        c.write("GET", "/hold")
    eventually(lambda: w.origin.count("/hold") == 2)
    w.origin.release(7)
    assert {c.response().status for c in held} == {200}
    assert len(w.origin.conns) == 1


def test_those_that_wait_for_one_connection_hear_of_its_end(weir, blackhole):
    w = weir(CONF, O=blackhole, MORE="connect_timeout 300ms;", STREAMS="")
    answers = together(5, lambda i: w.get(f"/{i}"))
    assert {(r.status, r.reason) for r in answers} == {(504, "connect_timeout")}


def test_a_slow_client_stops_its_stream_alone(start):
    w = start()
    with w.connect(receive_buffer=4096) as slow:
        slow.write("GET", "/bytes/20000000")
        request = w.origin.request("/bytes/20000000")
        # 64 KiB wait in weir, and what the kernel takes.
        assert len(w.get("/bytes/70000").body) == 70000
        assert len(request.out) > 1000000
        assert len(w.get("/bytes/500000").body) == 500000
    eventually(lambda: request.reset == wire.CANCEL)
    assert w.get("/x").status == 200 and len(w.origin.conns) == 1


def test_an_origin_without_window_stops_its_client(start):
    w = start()
    w.origin.reads = False
    with w.connect() as c:
        c.send(b"POST /x HTTP/1.1\r\nHost: weir.test\r\nContent-Length: 50000000\r\n\r\n")
        c.sock.settimeout(1)
        given = 0
        with pytest.raises(TimeoutError):
            while given < 50000000:
                given += c.sock.send(b"x" * 65536)
        assert given < 30000000 and len(w.origin.request("/x").body) == 65535
        assert w.get("/y").status == 200


# ---- ends ----


def test_an_early_answer(start):
    """RFC 9113 8.1: a complete answer, and the origin wants no more of the request."""
    w = start()

    def early(conn, stream, _):
        conn.answer(stream, 413, b"too much")
        conn.rst(stream, wire.NO_ERROR)
    w.origin.on("/up", early, early=True)
    with w.connect() as c:
        c.send(b"POST /up HTTP/1.1\r\nHost: weir.test\r\nContent-Length: 30000000\r\n\r\n" + b"x" * 100000)
        r = c.response("POST")
        assert (r.status, r.body) == (413, b"too much")
    assert w.get("/x").status == 200 and len(w.origin.conns) == 1


def test_a_refused_stream_goes_again(start):
    """RFC 9113 8.7: nothing of it was looked at, so that even a POST may be sent anew."""
    w = start()
    w.get("/first")

    def refuse(conn, stream, request):
        if w.origin.count("/x") == 1:
            conn.rst(stream, wire.REFUSED_STREAM)
        else:
            conn.answer(stream, 200, request.body)
    w.origin.on("/x", refuse)
    r = w.post("/x", b"once")
    assert (r.status, r.body) == (200, b"once") and w.origin.count("/x") == 2
    assert "stale_connection" in [s["reason"] for s in w.logged(r)["why"]]


def test_what_a_goaway_leaves_out_goes_again(start):
    w = start()
    held = w.connect()
    held.write("GET", "/hold")
    w.origin.request("/hold")
    first = w.origin.conns[0]

    def leave(conn, stream, request):
        if conn is first:
            conn.send(wire.frame(wire.GOAWAY, 0, 0, wire.number(stream - 2) + wire.number(0)))
        else:
            conn.answer(stream, 200, request.body)
    w.origin.on("/x", leave)
    r = w.post("/x", b"once")
    assert (r.status, r.body) == (200, b"once") and w.origin.count("/x") == 2
    w.origin.release()
    assert held.response().body == b"held"  # which was begun before
    assert w.get("/y").status == 200 and len(w.origin.conns) == 2


def test_an_origin_that_leaves_again_and_again(start):
    w = start()
    w.origin.on("/x", lambda conn, stream, _: conn.send(wire.frame(wire.GOAWAY, 0, 0, wire.number(0) + wire.number(0))))
    r = w.post("/x", b"once")
    assert (r.status, r.reason) == (502, "upstream_reset") and w.origin.count("/x") == 5


@pytest.mark.parametrize("method, status, n", [("GET", 200, 2), ("POST", 502, 1)])
def test_a_connection_that_is_lost(start, method, status, n):
    """As with HTTP/1.1: what may have been looked at is sent again only where twice is the same as once."""
    w = start()
    w.get("/first")

    def lose(conn, stream, _):
        if w.origin.count("/x") == 1:
            conn.close()
        else:
            conn.answer(stream)
    w.origin.on("/x", lose)
    r = w.request(method, "/x", [("Content-Length", "1")] if method == "POST" else [], b"x" if method == "POST" else None)
    assert r.status == status and w.origin.count("/x") == n
    if status == 502:
        assert r.reason == "upstream_reset"


def test_a_stream_that_is_reset(start):
    w = start()
    w.origin.on("/x", lambda conn, stream, _: conn.rst(stream, wire.INTERNAL_ERROR))
    r = w.get("/x")
    assert (r.status, r.reason) == (502, "upstream_reset")

    def midway(conn, stream, _):
        conn.head(stream, 200)
        conn.data(stream, b"half")
        w.origin.releases.acquire()
        conn.rst(stream, wire.INTERNAL_ERROR)
    w.origin.on("/half", midway)
    with w.connect() as c:
        c.write("GET", "/half")
        c.exactly(20)
        w.origin.release()
        assert not until_the_end(c).endswith(b"0\r\n\r\n")
    assert w.access(path="/half")["reason"] == "body_aborted"
    assert w.get("/y").status == 200 and len(w.origin.conns) == 1


def test_a_client_that_leaves_cancels_its_stream_alone(start):
    w = start()
    with w.connect() as c:
        c.write("GET", "/hold")
        request = w.origin.request("/hold")
    eventually(lambda: request.reset == wire.CANCEL)
    assert w.get("/x").status == 200 and len(w.origin.conns) == 1


def test_an_origin_that_has_fallen_silent(start):
    """Its connection is not used again, though nothing says that it has ended."""
    w = start("retry { attempts 1; per_try_timeout 1200ms; }")
    w.get("/first")

    def sleep(conn, stream, _):
        w.origin.releases.acquire()
    w.origin.on("/sleep", sleep)
    r = w.get("/sleep")
    assert (r.status, r.reason) == (504, "upstream_timeout")
    assert w.get("/x").status == 200 and len(w.origin.conns) == 2
    w.origin.release()


def test_an_idle_connection_goes_in_time(start):
    w = start("keepalive 4 idle=200ms;")
    w.get("/x")
    eventually(lambda: w.metric("weir_connections", side="upstream", state="idle") == 0)
    assert w.get("/x").status == 200 and len(w.origin.conns) == 2


def test_many_resets_are_spread(start):
    """An origin may end a connection on which very many streams are reset; what others have there is not to end with it."""
    w = start()
    w.origin.on("/y", lambda conn, stream, _: conn.head(stream))
    with w.connect() as held, H2(w.port.address) as c:
        held.write("GET", "/hold")
        w.origin.request("/hold")
        for _ in range(350):
            stream = c.headers([(":method", "GET"), (":scheme", "http"), (":authority", "weir.test"), (":path", "/y")], end=True)
            c.wait(lambda: c.answer(stream).status == 200, "its head")
            c.rst(stream)
        assert len(w.origin.conns) == 2
        w.origin.release()
        assert held.response().body == b"held"


def test_a_stop_with_shared_connections(start):
    """What is under way is answered first, on both kinds of connections."""
    w = start()
    held = [w.connect() for _ in range(5)]
    for c in held:
        c.write("GET", "/hold")
    eventually(lambda: w.origin.count("/hold") == 5)
    w.signal(signal.SIGTERM)
    eventually(lambda: "draining" in w.view("status") and w.view("status")["draining"])
    w.origin.release(5)
    assert {c.response().body for c in held} == {b"held"}
    assert w.wait() == 0


def test_a_reload_with_shared_connections(start):
    w = start()
    held = [w.connect() for _ in range(5)]
    for c in held:
        c.write("GET", "/hold")
    eventually(lambda: w.origin.count("/hold") == 5)
    assert w.reload(CONF, O=w.origin, STREAMS="streams=6", MORE="")[0] == 200
    assert w.get("/x").status == 200 and len(w.origin.conns) == 1
    assert w.reload(CONF, O=w.origin, STREAMS="streams=5", MORE="")[0] == 200
    assert w.get("/x").status == 200 and len(w.origin.conns) == 2
    w.origin.release(5)
    assert {c.response().body for c in held} == {b"held"}


# ---- origins that do not keep to it ----

def hpack(*fields):
    import hpack as library
    return library.Encoder().encode(fields)


def head(*fields, flags=wire.END_HEADERS):
    return lambda stream: wire.frame(wire.HEADERS, flags, stream, hpack(*fields))


OK = (":status", "200")
BROKEN = {
    "no status": head(("x", "1")),
    "a status twice": head(OK, OK),
    "a status of two digits": head((":status", "20")),
    "101": head((":status", "101")),
    "a pseudo-header field of requests": head(OK, (":path", "/")),
    "a pseudo-header field behind others": head(("x", "1"), OK),
    "capital letters": head(OK, ("X-Own", "1")),
    "a connection's own field": head(OK, ("connection", "close")),
    "a coding": head(OK, ("transfer-encoding", "chunked")),
    "lookalike": head(OK, ("content_length", "5")),
    "two lengths": head(OK, ("content-length", "1"), ("content-length", "2")),
    "a length that is none": head(OK, ("content-length", "1x")),
    "a line feed": head(OK, ("x", "a\nb")),
    "nul": head(OK, ("x", "a\0b")),
    "less than its length": lambda s: head(OK, ("content-length", "5"))(s) + wire.frame(wire.DATA, wire.END_STREAM, s, b"abc"),
    "data before its head": lambda s: wire.frame(wire.DATA, wire.END_STREAM, s, b"abc"),
    "an interim answer that ends": head((":status", "103"), flags=wire.END_HEADERS | wire.END_STREAM),
    "too many interim answers": lambda s: head((":status", "103"))(s) * 17,
    "too many fields": lambda s: head(OK, *[(f"x-{i}", "1") for i in range(201)])(s),
    "a stream of its own": lambda s: wire.frame(wire.HEADERS, wire.END_HEADERS, 2, hpack(OK)),
    "push": lambda s: wire.frame(wire.PUSH_PROMISE, wire.END_HEADERS, s, struct.pack(">I", 2) + hpack((":method", "GET"))),
    "not HTTP/2": lambda s: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + b"x" * 100,
    "a frame too long": lambda s: struct.pack(">I", 20000)[1:] + bytes([wire.DATA, 0]) + struct.pack(">I", s) + b"x" * 20000,
    "a flood of settings": lambda s: wire.settings() * 1000,
    "a flood of pings": lambda s: wire.frame(wire.PING, 0, 0, b"12345678") * 3000,
    "a flood of empty frames": lambda s: head(OK)(s) + wire.frame(wire.DATA, 0, s) * 1000,
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_answers(start, what):
    w = start()
    w.origin.on("/x", lambda conn, stream, _: conn.send(BROKEN[what](stream)))
    with w.connect() as c:
        c.write("GET", "/x")
        r = c.response()
        assert (r.status, r.reason) == (502, "upstream_bad_response"), r.body
    assert w.get("/y").status == 200


def test_a_body_cut_short_by_its_length(start):
    w = start()

    def short(conn, stream, _):
        conn.head(stream, 200, [("content-length", "10")])
        conn.data(stream, b"abc")
        conn.origin.releases.acquire()
        conn.data(stream, b"", end=True)
    w.origin.on("/x", short)
    with w.connect() as c:
        c.write("GET", "/x")
        c.exactly(20)
        w.origin.release()
        assert until_the_end(c) in (b"", b"abc")  # three came of the ten that were promised
    assert w.access(path="/x")["reason"] == "body_aborted"


# ---- TLS ----


def test_alpn(weir, h2_origin, certificate):
    """http2 and nothing else, or what the origin prefers."""
    conf = "workers 1;\nlistener main { bind @LISTEN@; }\nupstream o { endpoint @O@; protocol %s; tls { ca @CA@; } }\nroute / { proxy o; }"
    old, new = TlsOrigin(certificate), h2_origin(certificate)
    try:
        w = weir(conf % "http2", O=old, CA=certificate.file)
        r = w.get("/x")
        assert (r.status, r.reason) == (502, "upstream_tls_error")
        w.stderr.wait(lambda line: "did not agree on HTTP/2" in line, "why")
        assert w.reload(conf % "auto", O=old, CA=certificate.file)[0] == 200
        assert {r.status for r in together(8, lambda i: w.get(f"/x{i}"))} == {200}
        assert w.reload(conf % "auto", O=new, CA=certificate.file)[0] == 200
        assert {r.status for r in together(8, lambda i: w.get(f"/x{i}"))} == {200}
        assert new.count() == 8 and len(new.conns) == 1
    finally:
        old.close()


def test_a_reload_changes_the_protocol(weir, nginx):
    n = nginx("listen @LISTEN@ http2 reuseport;\nlocation / { return 200 $server_protocol; }")
    w = weir(CONF, O=n, MORE="", STREAMS="")
    assert w.get("/").body == b"HTTP/2.0"
    one = CONF.replace("protocol http2 @STREAMS@;", "")
    assert w.reload(one, O=n, MORE="")[0] == 200
    assert w.get("/").reason == "upstream_bad_response"  # an idle HTTP/2 connection is not taken for one of HTTP/1.1


def test_a_proxy_header_is_for_one_client_alone(weir, h2_origin):
    """A connection that is announced as one client's is never another's."""
    o = h2_origin()
    heads, begin = [], o.begin

    def with_header(sock):
        line = b""
        while not line.endswith(b"\r\n"):
            line += sock.recv(1)
        heads.append(line)
        begin(sock)
    o.begin = with_header
    w = weir(CONF, O=o, MORE="proxy_protocol v1;", STREAMS="")
    assert {r.status for r in together(6, lambda i: w.get(f"/{i}"))} == {200}
    assert len(o.conns) == 6 and all(h.startswith(b"PROXY TCP4 127.0.0.1 ") for h in heads)


# ---- WebSocket (RFC 8441) ----


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()


def upgrade(key):
    return [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", key),
            ("Sec-WebSocket-Protocol", "chat")]


def test_websocket(start):
    w = start(settings={wire.ENABLE_CONNECT_PROTOCOL: 1})
    key = base64.b64encode(os.urandom(16)).decode()
    tunnel = {}

    def accept(conn, stream, request):
        tunnel.update(conn=conn, stream=stream, request=request)
        conn.head(stream, 200, [("sec-websocket-protocol", "chat")])
    w.origin.on("/chat", accept, early=True)
    with w.connect() as c:
        c.write("GET", "/chat", upgrade(key))
        r = c.response()
        assert (r.status, r.get("Upgrade"), r.get("Sec-WebSocket-Protocol")) == (101, "websocket", "chat")
        assert r.get("Sec-WebSocket-Accept") == accept_of(key)
        seen = tunnel["request"]
        assert (seen.method, seen.get(":protocol"), seen.get("sec-websocket-version")) == ("CONNECT", "websocket", "13")
        assert seen.get("sec-websocket-key") is None and seen.get("upgrade") is None
        c.send(b"up" * 50000)
        eventually(lambda: len(seen.body) == 100000)
        tunnel["conn"].data(tunnel["stream"], b"down" * 50000)
        assert c.exactly(200000) == b"down" * 50000
        assert w.get("/beside").status == 200
        c.half_close()
        eventually(lambda: seen.ended)
        tunnel["conn"].data(tunnel["stream"], b"bye", end=True)
        assert c.exactly(3) == b"bye"
        c.at_end()
    assert len(w.origin.conns) == 1 and w.access(path="/chat")["status"] == 101


def test_a_websocket_of_an_h2_client(start):
    w = start(settings={wire.ENABLE_CONNECT_PROTOCOL: 1})
    w.origin.on("/chat", lambda conn, stream, _: conn.head(stream), early=True)
    with H2(w.port.address) as c:
        stream = c.headers([(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":authority", "weir.test"),
                            (":path", "/chat"), ("sec-websocket-version", "13")], end=False)
        c.wait(lambda: c.answer(stream).status == 200, "the tunnel")
        c.data(stream, b"hello", end=False)
        eventually(lambda: w.origin.request("/chat").body == b"hello")
        w.origin.conns[0].data(1, b"world")
        c.wait(lambda: c.answer(stream).body == b"world", "the answer")
        c.rst(stream)
    eventually(lambda: w.origin.request("/chat").reset is not None)


def test_an_origin_without_websockets(start):
    """It gets the request without the offer, and says what it thinks of it."""
    w = start()
    with w.connect() as c:
        r = c.request("GET", "/chat", upgrade("AAAAAAAAAAAAAAAAAAAAAA=="))
        assert r.status == 200
        got, fields = seen(r)
        assert got["method"] == "GET" and ":protocol" not in fields
        assert c.get("/x").status == 200


@pytest.fixture
def chat(weir, haproxy):
    """A library's server of WebSockets, before which HAProxy speaks HTTP/2, for a weir that is given."""
    s = Server()
    h = haproxy(f"frontend f\n    bind @LISTEN@ proto h2\n    default_backend b\nbackend b\n    server s {s.port}\n")
    yield weir(CONF, O=h, STREAMS="", MORE="")
    s.close()


def test_websocket_through_a_stock_origin(chat):
    async def script(ws):
        for message in ("hello", "", b"\0\1\2", "x" * 300_000):
            await ws.send(message)
            assert await ws.recv() == message
        await ws.send("bye")
        with pytest.raises(websockets.ConnectionClosed):
            await ws.recv()
        return ws.subprotocol, ws.close_code
    assert talk(chat, script, subprotocols=["chat"]) == ("chat", 4001)
    assert talk(chat, script, subprotocols=["chat"]) == ("chat", 4001)


def test_websocket_of_an_h2_client_through_a_stock_origin(chat):
    with H2(chat.port.address) as c:
        stream = c.headers([(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":authority", "weir.test"),
                            (":path", "/chat"), ("sec-websocket-version", "13"), ("sec-websocket-protocol", "chat")], end=False)
        a = c.answer(stream)
        c.wait(lambda: a.status == 200, "the tunnel")
        c.data(stream, b"\x81\x85abcd" + bytes(x ^ m for x, m in zip(b"hello", b"abcda")), end=False)
        c.wait(lambda: a.body == b"\x81\x05hello", "the echo")
        c.data(stream, b"\x88\x82abcd" + bytes((0x03 ^ 0x61, 0xe8 ^ 0x62)), end=False)
        c.wait(lambda: a.ended, "the end")
        assert a.body.endswith(b"\x88\x02\x03\xe8") and a.reset is None


# ---- gRPC health checks ----


def message(body):
    return b"\0" + struct.pack(">I", len(body)) + body


def test_grpc_health(weir, h2_origin):
    o = h2_origin()
    status = [1]

    def check(conn, stream, request):
        assert request.get("content-type") == "application/grpc" and request.get("te") == "trailers" and request.method == "POST"
        assert request.body == message(b"\x0a\x06orders")
        if status[0] is None:
            conn.head(stream, 200, [("content-type", "application/grpc"), ("grpc-status", "5")], end=True)
            return
        conn.head(stream, 200, [("content-type", "application/grpc")])
        conn.data(stream, message(b"\x08" + bytes([status[0]]) if status[0] else b""))
        conn.trailers(stream, [("grpc-status", "0")])
    o.on("/grpc.health.v1.Health/Check", check)
    w = weir(CONF, O=o, STREAMS="", MORE="health_check { grpc orders; interval 100ms; healthy 1; unhealthy 1; }")
    assert w.get("/x").status == 200
    for bad, why in ((2, "says NOT_SERVING"), (0, "says UNKNOWN"), (3, "says SERVICE_UNKNOWN"), (None, "grpc-status 5")):
        status[0] = bad
        eventually(lambda: not w.upstream("o")["endpoints"][0]["healthy"])
        w.stderr.wait(lambda line: "unhealthy" in line and why in line, why)
        status[0] = 1
        eventually(lambda: w.upstream("o")["endpoints"][0]["healthy"])
    assert w.get("/x").status == 200


def test_what_cannot_be_meant(check):
    base = "listener main { bind 127.0.0.1:8080; }\nupstream o { endpoint 127.0.0.1:9001; %s }\nroute / { proxy o; }"
    for more, text in (("protocol auto;", "needs a `tls` block"),
                       ("protocol http1 streams=4;", "`streams=` is for `protocol http2`"),
                       ("health_check { grpc; }", "needs `protocol http2;`"),
                       ("protocol http2; health_check { grpc; path /x; }", "cannot stand beside `grpc`"),
                       ("protocol http3;", "http2")):
        done = check(base % more)
        assert done.returncode == 1 and text in done.stderr, done.stderr

