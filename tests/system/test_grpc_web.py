"""gRPC-Web to gRPC: what browsers send, before origins that speak gRPC."""
import base64
import struct

import pytest

from harness.h2 import H2

CONF = """
use grpc_web;
upstream o { endpoint @O@; }
route / { grpc_web; proxy o; }
"""


def frame(message, flag=0):
    return struct.pack(">BI", flag, len(message)) + message


def frames(body):
    """[(flag, message)]"""
    found = []
    while body:
        flag, n = struct.unpack_from(">BI", body)
        assert len(body) >= 5 + n
        found.append((flag, body[5:5 + n]))
        body = body[5 + n:]
    return found


def untext(body):
    """Groups of four, padded wherever the sender flushed."""
    assert len(body) % 4 == 0
    return b"".join(base64.b64decode(body[i:i + 4], validate=True) for i in range(0, len(body), 4))


def grpc_answer(*messages, status=0, more=b""):
    """A server over HTTP/1.1: there is no such thing as gRPC over it, but trailers are."""
    def script(conn, _):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n")
        for m in messages:
            conn.send(b"%x\r\n%s\r\n" % (5 + len(m), frame(m)))
        conn.send(b"0\r\nGrpc-Status: %d\r\n%s\r\n" % (status, more))
    return script


WEB = {"Content-Type": "application/grpc-web+proto", "X-Grpc-Web": "1", "Grpc-Timeout": "5S"}
TEXT = {"Content-Type": "application/grpc-web-text+proto", "Accept": "application/grpc-web-text"}


@pytest.fixture
def start(weir, origin):
    return lambda conf=CONF: weir(conf, O=origin)


def test_binary(start, origin):
    origin.on("/pkg.S/M", grpc_answer(b"one", b"two", status=0, more=b"grpc-message: fine\r\n"))
    w = start()
    r = w.post("/pkg.S/M", frame(b"question"), WEB)
    sent = origin.request("/pkg.S/M")
    assert sent.get("Content-Type") == "application/grpc+proto" and sent.get("TE") == "trailers" and sent.get("Grpc-Timeout")
    assert sent.body == frame(b"question") and sent.get("Content-Length") == "13"
    assert r.status == 200 and r.get("Content-Type") == "application/grpc-web+proto" and not r.trailers
    assert frames(r.body) == [(0, b"one"), (0, b"two"), (0x80, b"grpc-status: 0\r\ngrpc-message: fine\r\n")]
    assert not r.headers.has("Content-Length")
    assert any(d["subject"] == "grpc_web" and d["reason"] == "binary" for d in w.logged(r)["why"])


def test_text(start, origin):
    origin.on("/pkg.S/M", grpc_answer(b"one", b"", b"three", status=5))
    w = start()
    # Two messages, each padded on its own, in pieces that are cut anywhere.
    text = base64.b64encode(frame(b"a")) + base64.b64encode(frame(b"bc"))
    with w.connect() as c:
        c.write("POST", "/pkg.S/M", {**TEXT, "Transfer-Encoding": "chunked"})
        for i in range(0, len(text), 3):
            piece = text[i:i + 3]
            c.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        r = c.send(b"0\r\n\r\n").response("POST")
    sent = origin.request("/pkg.S/M")
    assert sent.body == frame(b"a") + frame(b"bc") and sent.get("Content-Type") == "application/grpc+proto"
    assert r.get("Content-Type") == "application/grpc-web-text+proto"
    assert frames(untext(r.body)) == [(0, b"one"), (0, b""), (0, b"three"), (0x80, b"grpc-status: 5\r\n")]


def test_over_http2(start, origin):
    origin.on("/pkg.S/M", grpc_answer(b"x" * 100_000, status=0))
    w = start()
    with H2(w.port.address) as h2:
        a = h2.request("/pkg.S/M", "POST", [("content-type", "application/grpc-web")], frame(b"q"))
        assert a.status == 200 and a.headers.get("content-type") == "application/grpc-web" and not a.trailers
        assert frames(a.body) == [(0, b"x" * 100_000), (0x80, b"grpc-status: 0\r\n")]
        a = h2.request("/pkg.S/M", "POST", [("content-type", "application/grpc-web-text")], base64.b64encode(frame(b"q")))
        assert frames(untext(a.body)) == [(0, b"x" * 100_000), (0x80, b"grpc-status: 0\r\n")]


def test_messages_of_a_stream_come_at_once(start, origin):
    """Each is there before the next is sent, in text too, where groups of three bytes end elsewhere."""
    def script(conn, _):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n")
        for m in (b"a", b"bb", b"ccc"):
            origin.releases.acquire(timeout=20)
            conn.send(b"%x\r\n%s\r\n" % (5 + len(m), frame(m)))
        origin.releases.acquire(timeout=20)
        conn.send(b"0\r\ngrpc-status: 0\r\n\r\n")
    origin.on("/pkg.S/M", script)
    w = start()
    for headers, decode in ((WEB, bytes), (TEXT, untext)):
        with w.connect() as c:
            body = frame(b"q") if headers is WEB else base64.b64encode(frame(b"q"))
            c.write("POST", "/pkg.S/M", headers, body)
            c.reader.until(b"\r\n\r\n", "a head")  # before any message
            for m in (b"a", b"bb", b"ccc"):
                origin.release()
                assert frames(decode(c.reader.chunk())) == [(0, m)]
            origin.release()
            assert frames(decode(c.reader.chunk())) == [(0x80, b"grpc-status: 0\r\n")]
            assert c.reader.chunk() is None


def test_trailers_only(start, origin):
    """An answer that is a head alone keeps its status there, where the clients look for it."""
    origin.raw("/pkg.S/M", b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\ngrpc-status: 12\r\nContent-Length: 0\r\n\r\n", close=False)
    w = start()
    r = w.post("/pkg.S/M", frame(b"q"), WEB)
    assert (r.get("grpc-status"), r.body, r.get("Content-Type")) == ("12", b"", "application/grpc-web+proto")


def test_a_status_that_is_missing(start, origin):
    origin.raw("/pkg.S/M", b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nContent-Length: 8\r\n\r\n" + frame(b"one"), close=False)
    w = start()
    r = w.post("/pkg.S/M", frame(b"q"), WEB)
    assert frames(r.body) == [(0, b"one"), (0x80, b"grpc-status: 2\r\ngrpc-message: the upstream sent no status\r\n")]


def test_what_is_no_grpc_passes(start, origin):
    w = start()
    r = w.post("/x", b"{}", {"Content-Type": "application/json"})
    assert r.json["body"] == "{}" and origin.request("/x").get("Content-Type") == "application/json"
    assert not origin.request("/x").headers.has("TE")
    origin.raw("/down", b"HTTP/1.1 503 No\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\noops", close=False)
    r = w.post("/down", frame(b"q"), WEB)
    assert (r.status, r.body, r.get("Content-Type")) == (503, b"oops", "text/html")


def test_text_that_is_none(start, origin):
    w = start()
    for body in (b"AAAA!AAA", b"AAAAA"):
        r = w.post("/x", body, TEXT)
        assert (r.status, r.get("grpc-status"), r.get("content-type")) == (200, "13", "application/grpc-web-text+proto")
        assert (w.logged(r)["status"], w.logged(r)["reason"]) == (400, "grpc_web_bad_body")


def test_off_and_shadow(start, origin):
    for mode in ("off", "shadow"):
        w = start(CONF.replace("grpc_web; proxy", f"grpc_web {{ mode {mode}; }} proxy"))
        r = w.post(f"/{mode}", frame(b"q"), WEB)
        assert r.json["body"] == frame(b"q").decode("latin-1")
        assert origin.request(f"/{mode}").get("Content-Type") == WEB["Content-Type"]


def test_explain(check, start):
    from harness import run_weir
    w = start()
    done = run_weir("explain", "-c", w.path, "POST", "http://h/pkg.S/M", "-H", "Content-Type: application/grpc-web-text")
    assert done.returncode == 0 and "application/grpc" in done.stdout and "grpc_web" in done.stdout, done.stdout
