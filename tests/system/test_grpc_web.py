"""gRPC-Web to gRPC: what browsers send, before origins that speak gRPC."""
import base64
import concurrent.futures
import struct
import threading

import grpc
import pytest

from harness import Port
from harness.h2 import H2
from harness.message import Closed

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
    assert r.status == 200 and not r.headers.has("grpc-status"), (r, w.log.text)
    sent = origin.request("/pkg.S/M")
    assert sent.body == frame(b"a") + frame(b"bc") and sent.get("Content-Type") == "application/grpc+proto"
    assert r.get("Content-Type") == "application/grpc-web-text+proto"
    assert frames(untext(r.body)) == [(0, b"one"), (0, b""), (0, b"three"), (0x80, b"grpc-status: 5\r\n")]


def test_text_that_comes_before_there_is_a_connection(start, origin):
    """What waits is no message of gRPC yet, and is not measured as one."""
    origin.on("/pkg.S/M", grpc_answer(b"one"))
    w = start(CONF.replace("endpoint @O@;", "endpoint @O@; limits connections=1;"))
    text = base64.b64encode(frame(b"x" * 100))
    with w.connect() as first, w.connect() as c:
        first.write("GET", "/hold")
        origin.request("/hold")
        c.write("POST", "/pkg.S/M", {**TEXT, "Content-Length": str(len(text))})
        for i in range(0, len(text), 50):
            c.send(text[i:i + 50])
            w.view("status")
        origin.release()
        r = c.response("POST")
    assert frames(untext(r.body)) == [(0, b"one"), (0x80, b"grpc-status: 0\r\n")]
    assert origin.request("/pkg.S/M").body == frame(b"x" * 100)


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
    missing = (0x80, b"grpc-status: 2\r\ngrpc-message: the upstream sent no status\r\n")
    r = w.post("/pkg.S/M", frame(b"q"), WEB)
    assert frames(r.body) == [(0, b"one"), missing]
    for framing in (b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"Content-Length: 0\r\n\r\n"):
        origin.raw("/pkg.S/M", b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\n" + framing, close=False)
        assert frames(w.post("/pkg.S/M", frame(b"q"), WEB).body) == [missing]


@pytest.mark.parametrize("headers, put, take", [(WEB, bytes, bytes), (TEXT, base64.b64encode, untext)], ids=["binary", "text"])
def test_an_answer_that_breaks_off(start, origin, headers, put, take):
    """Between two messages the client is told; inside of one it would take what it is told for the rest of the message."""
    def script(conn, r):
        data = frame(b"one") if r.path == "/pkg.S/Between" else frame(b"two")[:6]
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(data), data))
        origin.releases.acquire(timeout=20)
        return False
    origin.on("/pkg.S/Between", script)
    origin.on("/pkg.S/Inside", script)
    w = start()
    with w.connect() as c:
        c.write("POST", "/pkg.S/Between", headers, put(frame(b"q")))
        c.reader.until(b"\r\n\r\n", "a head")
        assert frames(take(c.reader.chunk())) == [(0, b"one")]
        origin.release()
        [(flag, text)] = frames(take(c.reader.chunk()))
        assert flag == 0x80 and text.startswith(b"grpc-status: 14\r\ngrpc-message: ")
        assert c.reader.chunk() is None
    with w.connect() as c:
        c.write("POST", "/pkg.S/Inside", headers, put(frame(b"q")))
        c.reader.until(b"\r\n\r\n", "a head")
        c.reader.chunk()
        origin.release()
        assert c.at_end()
    assert w.access(path="/pkg.S/Inside")["reason"] == "body_aborted"


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


def test_a_request_is_bounded_as_a_whole(start, origin):
    """Also one that says no length, the first of which came with its head."""
    def script(conn, _):
        conn.until_closed()
    script.reads_body = True
    origin.on("/x", script)
    w = start(CONF.replace("proxy", "max_body 1k; proxy"))
    with w.connect() as c:
        c.write("POST", "/x", {**WEB, "Transfer-Encoding": "chunked"}, b"5\r\n" + frame(b"") + b"\r\n")
        origin.request("/x")
        c.send(b"400\r\n" + frame(b"") * 204 + b"1234\r\n")
        r = c.response("POST")
    assert r.get("grpc-status") == "8" and w.logged(r)["reason"] == "body_too_large"


def test_a_connection_goes_on_after_what_weir_says(start, origin):
    """A head alone is an answer that has come to its end, also in HTTP/1.1."""
    w = start()
    with w.connect() as c:
        for _ in range(2):
            assert w.logged(c.request("POST", "/x", TEXT, b"AAAAA"))["reason"] == "grpc_web_bad_body"
        assert w.view("status")["requests_total"] == 2


def test_what_is_no_grpc_breaks_off_visibly(start, origin):
    """Behind half a document no trailers of gRPC make it look complete."""
    def script(conn, _):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\nhalf")
        origin.releases.acquire(timeout=20)
        return False
    origin.on("/x", script)
    w = start()
    with w.connect() as c:
        c.write("POST", "/x", WEB, frame(b"q"))
        head = c.reader.until(b"\r\n\r\n", "a head")
        assert b"Content-Length: 9\r\n" in head and c.exactly(4) == b"half"
        origin.release()
        with pytest.raises((Closed, ConnectionResetError)):
            c.exactly(1)


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


# ---- a real server behind ----

class Service(grpc.GenericRpcHandler):
    """Echoes, in all kinds of calls that gRPC-Web has; messages are bytes."""

    def __init__(self):
        self.port = Port()
        self.seen = {}
        self.go = threading.Semaphore(0)
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), handlers=[self])
        assert self.server.add_insecure_port(str(self.port))
        self.server.start()

    def close(self):
        self.go.release(100)
        self.server.stop(0).wait()
        self.port.close()

    def service(self, call):
        self.seen = dict(call.invocation_metadata)
        return {
            "/pkg.S/Echo": grpc.unary_unary_rpc_method_handler(self.echo),
            "/pkg.S/Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "/pkg.S/Wait": grpc.unary_unary_rpc_method_handler(self.wait),
            "/pkg.S/Count": grpc.unary_stream_rpc_method_handler(self.count),
        }.get(call.method)

    def echo(self, message, context):
        context.set_trailing_metadata([("x-after", "Yes"), ("x-after-bin", b"\0\1")])
        return b"you said " + message

    def fail(self, message, context):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "nö: not now")

    def wait(self, message, context):
        self.go.acquire(timeout=20)
        return message

    def count(self, message, context):
        for i in range(3):
            self.go.acquire(timeout=20)
            yield b"%d" % i * (i + 1)


@pytest.fixture
def service():
    s = Service()
    yield s
    s.close()


@pytest.fixture
def real(weir, service):
    return weir(CONF.replace("endpoint @O@;", "endpoint @O@; protocol http2;") + "upstream nobody { endpoint 127.0.0.1:1; }\n"
                "route /away/ { grpc_web; proxy nobody; }\n", O=service.port)


def trailers(frame_of_them):
    flag, text = frame_of_them
    assert flag == 0x80 and text.endswith(b"\r\n")
    return dict(line.split(": ", 1) for line in text.decode().split("\r\n")[:-1])


FORMS = pytest.mark.parametrize("headers, put, take", [(WEB, bytes, bytes), (TEXT, base64.b64encode, untext)], ids=["binary", "text"])


@FORMS
def test_a_call_of_a_real_server(real, service, headers, put, take):
    r = real.post("/pkg.S/Echo", put(frame(b"\xff\0hello")), {**headers, "X-Before": "mine"})
    *messages, last = frames(take(r.body))
    assert r.status == 200 and messages == [(0, b"you said \xff\0hello")] and not r.trailers
    assert trailers(last) == {"grpc-status": "0", "x-after": "Yes", "x-after-bin": "AAE"}
    assert service.seen["x-before"] == "mine" and service.seen["via"] == "1.1 weir"
    assert r.get("Content-Type") == headers["Content-Type"]
    assert real.logged(r) and real.metric("weir_grpc_requests_total", grpc_status="OK") == 1


@FORMS
def test_a_failure_of_a_real_server(real, headers, put, take):
    r = real.post("/pkg.S/Fail", put(frame(b"")), headers)
    told = trailers(frames(take(r.body))[-1]) if r.body else dict(r.headers)
    assert told["grpc-status"] == "9" and told["grpc-message"] == "n%C3%B6: not now"
    r = real.post("/pkg.S/Nothing", put(frame(b"")), headers)
    told = trailers(frames(take(r.body))[-1]) if r.body else dict(r.headers)
    assert told["grpc-status"] == "12"


@FORMS
def test_a_stream_of_a_real_server(real, service, headers, put, take):
    with real.connect() as c:
        c.write("POST", "/pkg.S/Count", headers, put(frame(b"")))
        came = []
        for i in range(3):
            service.go.release()
            if i == 0:
                c.reader.until(b"\r\n\r\n", "a head")
            came += frames(take(c.reader.chunk()))
            assert came[i] == (0, b"%d" % i * (i + 1))
        if len(came) == 3:  # the end may come along with the last message
            came += frames(take(c.reader.chunk()))
        assert trailers(came[3])["grpc-status"] == "0"
        assert c.reader.chunk() is None


def test_a_stream_over_http2(real, service):
    with H2(real.port.address) as h2:
        service.go.release(3)
        a = h2.request("/pkg.S/Count", "POST", [(n.lower(), v) for n, v in TEXT.items()], base64.b64encode(frame(b"")))
        assert not a.headers.has("grpc-status"), (a, real.log.text)
        *messages, last = frames(untext(a.body))
        assert messages == [(0, b"0"), (0, b"11"), (0, b"222")] and trailers(last)["grpc-status"] == "0" and not a.trailers


@FORMS
def test_what_weir_says_itself(real, service, headers, put, take):
    """Of an upstream that is away or late: a head that has the status, where the clients look for it."""
    r = real.post("/pkg.S/Wait", put(frame(b"")), {**headers, "Grpc-Timeout": "100m"})
    assert (r.status, r.get("grpc-status"), r.get("Content-Type"), r.body) == (200, "4", headers["Content-Type"], b"")
    r = real.post("/away/S/M", put(frame(b"")), headers)
    assert (r.status, r.get("grpc-status"), r.get("Content-Type"), r.body) == (200, "14", headers["Content-Type"], b"")


def test_refusals_of_policies_are_documents(weir, origin):
    w = weir("""
        use grpc_web example;
        upstream o { endpoint @O@; }
        route /before/ { require_header X-Key; grpc_web; proxy o; }
        route /behind/ { grpc_web; require_header X-Key; proxy o; }
    """, O=origin)
    r = w.post("/before/S/M", frame(b"q"), WEB)
    assert (r.status, r.reason) == (400, "header_required")
    r = w.post("/behind/S/M", frame(b"q"), WEB)
    assert (r.status, r.reason) == (400, "header_required")
