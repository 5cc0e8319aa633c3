"""A pooled connection that ends just when it is used again: no idempotent request pays for it, and no other one is sent twice."""
import socket
import threading

import pytest

from harness import eventually
from harness.client import request_bytes
from harness.kernel import ended, unread

ONE = "workers 1;\nroute / { max_body 10m; proxy o; }\nupstream o { endpoint @O@; keepalive 8 idle=60s; @MORE@ }"
RETRY = "retry { attempts 3; on connect_failure reset timeout 502 503 504; budget 100%; }"


def leave(conn, end):
    """The connection is over for the kernel of the peer when this returns."""
    (_, here), (_, there) = conn.sock.getsockname(), conn.sock.getpeername()
    if end == "reset":
        conn.reset()
    else:
        conn.sock.close()
    eventually(lambda: ended(there, here), "the end to arrive")


@pytest.mark.parametrize("end", ["fin", "reset"])
@pytest.mark.parametrize("first", ["request", "end"])
@pytest.mark.parametrize("method,size", [("GET", None), ("POST", 4), ("POST", 50000), ("POST", 500000), ("PUT", 500000)])
def test_an_end_that_comes_in_the_same_turn_as_the_request(weir, any_origin, method, size, first, end):
    """Nothing was written when it is heard of, and so not even a POST that is too long to be kept is an error."""
    origin = any_origin
    w = weir(ONE, O=origin, MORE=origin.conf)
    go, gone = threading.Event(), threading.Event()

    def script(conn, r):
        conn.answer(200, b"%d" % len(r.body))
        if len(origin.requests) > 1:
            return True
        go.wait(20)
        leave(conn, end)
        gone.set()
        return False
    origin.on("/s", script)
    data = request_bytes(method, "/s", (), None if size is None else b"x" * size)

    def arrive(c):
        rest = data[c.sock.send(data, socket.MSG_DONTWAIT):]
        eventually(lambda: unread(w.port.number, c.sock.getsockname()[1]), "the request to arrive")
        return rest
    with w.connect() as c:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        assert c.get("/s").status == 200
        with w.paused():
            if first == "request":
                rest = arrive(c)
            go.set()
            assert gone.wait(20)
            if first == "end":
                rest = arrive(c)
        r = c.send(rest).response()
    assert (r.status, r.body) == (200, b"%d" % (size or 0)), w.logged(r)["why"]
    assert origin.count("/s") == 2


def take(reader, part, size):
    """What the origin reads of the request before it goes."""
    if part == "half head":
        reader.exactly(20)
    elif part == "head":
        reader.until(b"\r\n\r\n", "a head")
    elif part == "half body":
        reader.until(b"\r\n\r\n", "a head")
        reader.exactly(size // 2)
    else:
        reader.request()


@pytest.mark.parametrize("more", ["", RETRY], ids=["", "retry"])
@pytest.mark.parametrize("end", ["fin", "reset"])
@pytest.mark.parametrize("part", ["half head", "head", "half body", "whole"])
@pytest.mark.parametrize("method,size", [("GET", 0), ("HEAD", 0), ("DELETE", 0), ("PUT", 4), ("PUT", 40000), ("POST", 0), ("POST", 4),
                                         ("POST", 40000), ("PATCH", 4), ("BREW", 4)])
def test_an_origin_that_goes_after_a_part_of_the_request(weir, any_origin, method, size, part, end, more):
    """With whatever it says about retries."""
    origin = any_origin
    w = weir(ONE, O=origin, MORE=origin.conf + more)
    seen = []

    def script(conn, r):
        seen.append(r.method)
        conn.answer(200, b"" if r.method == "HEAD" else r.body)
        if len(seen) > 1:
            return True
        take(conn.reader, "head" if part == "half body" and not size else part, size)
        seen.append("a part")
        leave(conn, end)
        return False
    origin.on("/s", script)
    body = b"y" * size if size or method == "POST" else None
    with w.connect() as c:
        assert c.get("/s").status == 200
        r = c.request(method, "/s", (), body)
    if method in ("POST", "PATCH", "BREW"):  # RFC 9110 9.2.2
        assert (r.status, r.reason) == (502, "upstream_reset"), w.logged(r)["why"]
        assert seen == ["GET", "a part"]
    else:
        assert (r.status, r.body) == (200, body or b""), w.logged(r)["why"]
        assert seen == ["GET", "a part", method]


def test_every_connection_of_the_pool_is_stale(weir, any_origin):
    """One of them is tried, and then none of the others."""
    origin = any_origin
    w = weir(ONE, O=origin, MORE=origin.conf)
    clients = [w.connect() for _ in range(6)]
    for c in clients:
        c.write("GET", "/hold")
    while origin.count("/hold") < 6:
        origin.request("/hold", origin.count("/hold") + 1)
    origin.release(6)
    assert [c.response().status for c in clients] == [200] * 6
    with w.paused():
        clients[0].write("GET", "/x")
        origin.drop_connections()
    assert clients[0].response().status == 200
    assert w.access(path="/x")["attempts"] <= 2
    for c in clients:
        c.close()
