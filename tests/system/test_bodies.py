"""Body phases of policies: a module for tests (modules/testing/bodies.c) passes, changes, holds and refuses bodies."""
import os
import subprocess
import threading

import pytest

from harness import eventually, sanitized
from harness.daemon import BINARY, TOP
from harness.h2 import H2
from harness.message import Closed, ProtocolError

PREFIX = os.path.dirname(os.path.dirname(BINARY))
CONF = """
modules @M@; use bodies;
upstream o { endpoint @O@; }
route / { %s proxy o; }
"""


@pytest.fixture(scope="session")
def module(tmp_path_factory):
    """The directory where it was built, as a module author would do it."""
    d = tmp_path_factory.mktemp("modules")
    subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Werror", f"-I{PREFIX}/include", "-o", str(d / "bodies.so"),
                    os.path.join(TOP, "modules", "testing", "bodies.c")], check=True)
    return str(d)


@pytest.fixture
def start(weir, origin, module):
    return lambda policies, **how: weir(CONF % policies, M=module, **{"O": origin, **how})


def test_requests_are_changed(start, origin):
    w = start("bodies_a { request upper; } bodies_b { request look; }")
    r = w.post("/x", b"hello " * 1000)
    sent = origin.request("/x")
    assert r.json["body"] == "HELLO " * 1000
    assert sent.get("Transfer-Encoding") == "chunked" and not sent.headers.has("Content-Length")
    assert w.get("/none").json["body"] == ""  # no body, no phase
    why = [d for d in w.logged(r)["why"] if d["subject"] == "bodies_a"]
    assert [d["verdict"] for d in why] == ["pass"]


def test_who_only_looks_leaves_the_framing(start, origin):
    w = start("bodies_a { request look; response whole; }")
    r = w.post("/x", b"hello")
    assert origin.request("/x").get("Content-Length") == "5" and r.headers.has("Content-Length")
    assert r.json["body"] == "hello"


@pytest.mark.parametrize("path, body", [("/bytes/30000", b"X" * 30000), ("/chunked", b"HELLO WORLD"), ("/bytes/0", b"")])
def test_answers_are_changed(start, path, body):
    w = start("bodies_a { response upper; }")
    r = w.get(path)
    assert r.body == body and r.headers.has("Content-Length") == (not body)
    with H2(w.port.address) as h2:
        a = h2.request(path)
        assert a.body == body and a.headers.get("content-length") == (None if body else "0")
    head = w.request("HEAD", path)  # of what length GET would be nobody knows
    assert not head.headers.has("Content-Length") or not body


def test_an_answer_without_its_body_promises_no_length(start, origin):
    origin.raw("/x", b"HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nContent-Length: 10\r\n\r\n", close=False)
    assert start("bodies_a { response upper; }").get("/x").headers.all("Content-Length") == []
    assert start("bodies_a { response look; }").get("/x").headers.all("Content-Length") == ["10"]


def test_answers_of_weir_have_no_body_phase(weir, module):
    w = weir("modules @M@; use bodies;\nroute / { bodies_a { response upper; } respond 200 \"hello\"; }", M=module)
    assert w.get("/").body == b"hello"


def test_requests_in_order_and_answers_in_reverse(start):
    w = start("bodies_a { request brackets; response brackets; } bodies_b { request upper; response lines; }")
    with w.connect() as c:
        c.write("POST", "/x", {"Transfer-Encoding": "chunked"})
        c.send(b"3\r\nabc\r\n0\r\n\r\n")
        r = c.response()
    assert '"body": "[ABC][.]"' in r.text or '"body": "[ABC.]"' in r.text
    assert r.text.startswith("[<{") and r.text.endswith(".]")


def test_a_request_is_refused(start, origin):
    """The origin sees that it is not whole; the client gets the reason, or loses a connection whose answer has begun."""
    whole = []

    def script(conn, r):
        try:
            conn.reader.body(r, False)
            whole.append(r.body)
        except (Closed, ProtocolError, OSError):
            pass
        return False
    script.reads_body = True
    origin.on("/x", script)
    w = start("bodies_a { request refuse; }")
    with w.connect() as c:
        c.write("POST", "/x", {"Transfer-Encoding": "chunked"}).send(b"3\r\nabc\r\n")
        origin.request("/x")
        c.send(b"1\r\nX\r\n")
        r = c.response()
    assert (r.status, r.reason) == (422, "bodies_refused")
    assert w.post("/x", b"an X").reason == "bodies_refused"
    line = w.logged(r)
    assert line["reason"] == "bodies_refused" and line["status"] == 422
    eventually(lambda: w.view("status")["connections"]["upstream"] == 0, "the end of the origin's connections")
    assert whole == []


def test_a_refused_answer_breaks_off(start, origin):
    origin.raw("/x", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcX")
    origin.raw("/late", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nX\r\n0\r\n\r\n")
    w = start("bodies_a { response refuse; }")
    for path in ("/x", "/late"):
        with pytest.raises((Closed, ConnectionResetError)):
            w.get(path)
        assert w.access(path=path)["reason"] == "bodies_refused"
    with H2(w.port.address) as h2:
        assert h2.request("/x").reset is not None


def test_nothing_passes_behind_a_refusal(start, origin):
    """Not even with the polite end that an answer of gRPC can have: what others held was never looked at."""
    origin.raw("/x", b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nX\nsecret\r\n", close=False)
    w = start("bodies_a { response refuse; } bodies_b { response lines; }")
    with H2(w.port.address) as h2:
        a = h2.request("/x", "POST", [("content-type", "application/grpc")], b"\0\0\0\0\0")
    assert w.access(path="/x")["reason"] == "bodies_refused"
    assert a.body == b"" and a.reset is not None


def test_policies_see_the_end_of_a_stream_that_takes_leave(start, origin):
    def script(conn, _):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        conn.until_closed()
    origin.on("/x", script)
    r = start("max_duration 200ms; bodies_a { response brackets; }").get("/x")
    assert r.body == b"[abc][.]"


def test_no_more_is_held_than_may_be(start, origin):
    w = start("body_hold 1k; bodies_a { request whole; response whole; }")
    with w.connect() as c:
        c.write("POST", "/x", {"Content-Length": "2000"}, b"a" * 1025)  # the end has not come yet
        r = c.response()
    assert (r.status, r.reason) == (413, "body_hold_exceeded") and "`body_hold` is 1024 bytes" in r.json["detail"]
    why = w.logged(r)["why"]
    assert any(d["subject"] == "bodies_a" and d["reason"] == "body_hold_exceeded" and d["at"].startswith("gateway.conf:") for d in why)
    origin.raw("/y", b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"a" * 1025, close=False)
    with pytest.raises((Closed, ConnectionResetError)):
        w.get("/y")
    assert w.access(path="/y")["reason"] == "body_hold_exceeded"
    origin.on("/z", lambda conn, _: conn.answer(200, b"a" * 1024))
    assert w.get("/z").body == b"a" * 1024


def test_an_error_of_a_policy(start):
    w = start("bodies_a { request fail; }")
    r = w.post("/x", b"a")
    assert (r.status, r.reason) == (500, "policy_error")


def test_a_reply_in_place_of_the_origin(start):
    w = start("bodies_a { request reply; }")
    r = w.post("/x", b"short and stout")
    assert (r.status, r.body) == (418, b"short and stout")


def test_shadow_changes_nothing(start, origin):
    w = start("bodies_a { mode shadow; request upper; response refuse; } bodies_b { mode shadow; request whole; response upper; }")
    r = w.post("/x", b"an X, small")
    assert r.json["body"] == "an X, small" and r.headers.has("Content-Length")
    assert origin.request("/x").get("Content-Length") == "11"
    assert any(d["subject"] == "bodies_a" and d["verdict"] == "shadow_refuse" for d in w.logged(r)["why"])


def test_trailers_are_taken_and_given(start, origin):
    w = start("bodies_a { request trailers; response trailers; }")
    r = w.get("/trailers")
    assert r.body == b"bodyX-Sum=42;" and list(r.trailers) == [("x-moved", "yes")]
    with w.connect() as c:
        c.write("POST", "/x", {"Transfer-Encoding": "chunked"}).send(b"1\r\na\r\n0\r\nX-Mine: 7\r\n\r\n")
        r = c.response()
    assert r.json["body"] == "aX-Mine=7;" and r.json["trailers"] == [["x-moved", "yes"]]


def test_another_attempt_gets_what_the_policies_made(weir, make_origin, module):
    a, b = make_origin("a"), make_origin("b")
    w = weir("modules @M@; use bodies;\nupstream o { endpoint @A@; endpoint @B@; retry { attempts 3; on reset; } }\n"
             "route / { bodies_a { request upper; } bodies_b { request last_byte; } proxy o; }", M=module, A=a, B=b)
    a.on("/x", lambda conn, _: conn.reset() or False)
    for _ in range(2):
        r = w.request("PUT", "/x", {}, b"again " * 100)
        assert r.json["body"] == "AGAIN " * 100 and r.json["origin"] == "b"
    assert a.count("/x") >= 1 and a.request("/x").body == b"AGAIN " * 100


def test_a_tunnel_is_left_alone(start):
    w = start("bodies_a { request upper; response upper; }")
    with w.connect() as c:
        assert c.get("/t", {"Connection": "Upgrade", "Upgrade": "echo"}).status == 101
        assert c.send(b"quiet").exactly(5) == b"quiet"


def test_a_tunnel_after_a_body_is_left_alone_too(start):
    w = start("bodies_a { request upper; response upper; }")
    with w.connect() as c:
        c.write("POST", "/t", {"Connection": "Upgrade", "Upgrade": "echo"}, b"abc")
        assert c.response("POST").status == 101
        assert c.send(b"quiet").exactly(5) == b"quiet"


def test_what_is_made_waits_for_the_receiver(start, origin):
    """Eight times the origin's bytes, to a client that reads little by little: the gateway keeps next to nothing of them."""
    size = 2_000_000
    sent = threading.Event()

    def script(conn, _):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        conn.send(b"z" * size)
        sent.set()
    origin.on("/x", script)
    w = start("bodies_a { response expand; } bodies_b { response look; }")
    with w.connect(receive_buffer=16384) as c:
        before = w.resident()
        c.write("GET", "/x")
        most, total = 0, 0
        head = c.reader.until(b"\r\n\r\n", "a head")
        assert b"chunked" in head
        while (piece := c.reader.chunk()) is not None:
            assert piece == b"z" * len(piece)
            total += len(piece)
            most = max(most, w.resident() - before)
    assert total == 8 * size and sent.is_set()
    if not sanitized():
        assert most < 4_000_000, most
