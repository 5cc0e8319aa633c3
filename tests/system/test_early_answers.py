"""Origins that answer before they have read the request: at once to the client, whose connection is none the worse for it."""
import socket
import threading
import time

import pytest

from harness import eventually
from harness.message import Closed

PROXY = """
workers 1;
route / { max_body 100m; proxy o; }
upstream o { endpoint @O@; @REACHED@ }
"""


@pytest.fixture
def origin(any_origin):
    return any_origin


def early(origin, path, answer, after=None):
    """Answers with these bytes as soon as the head is there; then after(conn), and closes."""
    def script(conn, _):
        conn.send(answer)
        if after:
            after(conn)
        return False
    script.reads_body = True
    origin.on(path, script)


def answer(status, body=b"early", close=False):
    return b"HTTP/1.1 %d Early\r\nContent-Length: %d\r\n%s\r\n" % (status, len(body), b"Connection: close\r\n" if close else b"") + body


def hold(conn):
    conn.until_closed()


def reset(conn):
    conn.reset()


@pytest.mark.parametrize("status", [200, 401, 413])
@pytest.mark.parametrize("after", [hold, reset, None], ids=["hold", "reset", "close"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_the_answer_comes_while_the_body_is_still_owed(weir, origin, status, after, framing):
    """The client goes on waiting for nothing: it has its answer before it has sent a tenth of its body."""
    early(origin, "/e", answer(status, close=True), after)
    w = weir(PROXY, O=origin, REACHED=origin.conf)
    with w.connect() as c:
        if framing == "length":
            c.write("POST", "/e", {"Content-Length": "10000"}).send(b"x" * 1000)
        else:
            c.write("POST", "/e", {"Transfer-Encoding": "chunked"}).send(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
        r = c.response()
        assert (r.status, r.body) == (status, b"early")
        # The rest is little: it is read and dropped, and the connection serves the next request.
        assert r.get("Connection") is None
        c.send(b"x" * 9000 if framing == "length" else b"1\r\nx\r\n0\r\n\r\n")
        assert c.get("/x").status == 200
    assert w.logged(r)["status"] == status


def test_interim_answers_come_during_the_upload(weir, origin):
    def script(conn, r):
        conn.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        conn.reader.body(r, False)
        conn.answer(200, r.body)
        return True
    script.reads_body = True
    origin.on("/i", script)
    w = weir(PROXY, O=origin, REACHED=origin.conf)
    with w.connect() as c:
        c.write("POST", "/i", {"Content-Length": "4"}).send(b"bo")
        assert c.reader.until(b"\r\n\r\n", "102").startswith(b"HTTP/1.1 102 ")
        r = c.send(b"dy").response()
        assert (r.status, r.body) == (200, b"body")


@pytest.mark.parametrize("after", [hold, reset, None], ids=["hold", "reset", "close"])
@pytest.mark.parametrize("size", [10, 1000000])
def test_a_long_upload_is_ended_after_the_whole_answer(weir, origin, after, size):
    """What is left is too much to be read: `Connection: close`, and the end is an orderly one behind the last byte."""
    early(origin, "/e", answer(413, b"y" * size, close=True), after if size == 10 else hold)
    w = weir(PROXY, O=origin, REACHED=origin.conf)
    with w.connect() as c:
        c.write("POST", "/e", {"Content-Length": "50000000"}).send(b"x" * 1000)
        r = c.response()
        assert r.status == 413 and len(r.body) == size and r.get("Connection") == "close"
        assert c.reader.rest() == b""  # a FIN, not a reset
    assert w.get("/x").status == 200


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_client_that_does_not_stop_sending_has_its_answer(weir, origin, framing):
    """It writes all it has before it looks: what it gets then is the answer, up to the last byte."""
    early(origin, "/e", answer(401, b"y" * 1000, close=True), hold)
    w = weir(PROXY, O=origin, REACHED=origin.conf)
    with w.connect() as c:
        c.write("POST", "/e", {"Content-Length": "8000000"} if framing == "length" else {"Transfer-Encoding": "chunked"})
        piece = b"x" * 8000 if framing == "length" else b"1f40\r\n" + b"x" * 8000 + b"\r\n"
        try:
            for _ in range(1000):
                c.send(piece)
                time.sleep(0.0005)
        except OSError:
            pass  # it is told that nobody reads any more
        r = c.response()
        assert (r.status, len(r.body)) == (401, 1000)


@pytest.mark.parametrize("after", [hold, reset, None], ids=["hold", "reset", "close"])
@pytest.mark.parametrize("size", [1000, 100000, 5000000])
def test_an_answer_that_crosses_the_upload(weir, origin, after, size):
    """The whole body is on its way when the origin answers and goes: weir finds that nobody takes it before it has read why."""
    early(origin, "/e", answer(413, close=True), after)
    w = weir(PROXY, O=origin, REACHED=origin.conf)
    for _ in range(10):
        with w.connect() as c:
            try:
                c.write("POST", "/e", {}, b"x" * size)
            except OSError:
                pass
            r = c.response()
            assert (r.status, r.body) == (413, b"early"), w.logged(r)["why"]
            if size < 65536:
                assert c.get("/x").status == 200


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_client_that_stops_sending_has_the_whole_answer(weir, origin, framing):
    """However long that takes: what is left of the body is not owed any more once the answer has begun."""
    def script(conn, _):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(20):
            conn.send(b"z" * 50)
            time.sleep(0.03)  # together longer than `timeouts body`
        return True
    script.reads_body = True
    origin.on("/e", script)
    w = weir("listener main { bind @LISTEN@; timeouts { body 200ms; } }" + PROXY, O=origin, REACHED=origin.conf)
    with w.connect() as c:
        if framing == "length":
            c.write("POST", "/e", {"Content-Length": "10000"}).send(b"x" * 1000)
        else:
            c.write("POST", "/e", {"Transfer-Encoding": "chunked"}).send(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
        assert c.response().body == b"z" * 1000
        c.at_end()  # between two requests the rest is owed again
    assert w.access(path="/e")["reason"] is None


def test_the_upload_goes_on_while_the_answer_streams(weir, origin):
    """An origin that echoes: neither side waits for the other to end."""
    def script(conn, r):
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while (piece := conn.reader.chunk()) is not None:
            conn.send(b"%x\r\n" % len(piece) + piece + b"\r\n")
        conn.reader.until(b"\r\n", "trailers")
        conn.send(b"0\r\n\r\n")
        return True
    script.reads_body = True
    origin.on("/echo", script)
    w = weir(PROXY, O=origin, REACHED=origin.conf)
    with w.connect() as c:
        c.write("POST", "/echo", {"Transfer-Encoding": "chunked"})
        for n in range(50):
            c.send(b"4\r\n%04d\r\n" % n)
            if n == 0:
                assert c.reader.until(b"\r\n\r\n", "a head").startswith(b"HTTP/1.1 200 ")
            assert c.reader.chunk() == b"%04d" % n
        c.send(b"0\r\n\r\n")
        assert c.reader.chunk() is None and c.reader.until(b"\r\n", "the end") == b"\r\n"
        assert c.get("/x").status == 200
    assert origin.connections == 1


def test_an_early_answer_to_a_body_that_came_whole_keeps_both_connections(weir, origin):
    def script(conn, r):
        conn.answer(200, b"early")
        conn.reader.body(r, False)
        return True
    script.reads_body = True
    origin.on("/e", script)
    w = weir(PROXY, O=origin, REACHED=origin.conf)
    with w.connect() as c:
        for _ in range(3):
            assert c.request("POST", "/e", (), b"x" * 100).body == b"early"
            assert c.get("/x").status == 200


def test_an_origin_whose_body_was_never_finished_is_not_used_again(weir, origin):
    """Else the rest of one client's body would be the start of another's request."""
    early(origin, "/e", answer(200), hold)
    w = weir(PROXY, O=origin, REACHED=origin.conf)
    with w.connect() as a:
        r = a.write("POST", "/e", {"Content-Length": "60"}).send(b"x").response()
        assert r.status == 200
        with w.connect() as b:
            assert b.get("/x").status == 200
        a.send(b"GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n".ljust(59))
        assert a.get("/y").status == 200
    assert origin.connections >= 2 and origin.count("/hidden") == 0


@pytest.mark.parametrize("cut", [b"", b"HTTP/1.1 413 Too", b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nno"])
def test_an_origin_that_resets_an_upload_with_less_than_an_answer(weir, origin, cut):
    early(origin, "/e", cut, reset)
    w = weir(PROXY, O=origin, REACHED=origin.conf)
    with w.connect() as c:
        c.write("POST", "/e", {"Content-Length": "100000"}).send(b"x" * 1000)
        try:
            r = c.response()
        except (Closed, ConnectionResetError):
            assert cut.endswith(b"no") and w.access(path="/e")["reason"] == "body_aborted"
            return
        assert (r.status, r.reason) == (502, "upstream_reset")


def test_a_client_that_waits_for_100_has_the_answer_instead(weir, origin):
    """weir asks for the body once it has a connection for it; an origin that refuses is heard either way."""
    early(origin, "/e", answer(401, close=True), hold)
    w = weir(PROXY, O=origin, REACHED=origin.conf)
    with w.connect() as c:
        c.write("POST", "/e", {"Content-Length": "10", "Expect": "100-continue"})
        r = c.response()
        assert (r.status, r.body) == (401, b"early") and [i.status for i in r.interim] == [100]
        assert c.send(b"x" * 10).get("/x").status == 200


def test_a_reset_that_comes_with_the_end_of_the_request_is_noticed(weir):
    """Nobody reads the answer: with the rest of the body comes the end of the connection, which nothing is written to any more."""
    w = weir("route / { respond 200 hello; }")
    for _ in range(40):
        with w.connect() as c:
            c.write("POST", "/", {"Transfer-Encoding": "chunked"}).send(b"1\r\nx\r\n")
            c.sock.recv(1, socket.MSG_PEEK)
            c.send(b"0\r\n\r\n")
    eventually(lambda: w.view("status")["connections"]["downstream"] == 0, "the end of all connections")


def test_many_early_answers_leave_nothing_behind(weir, origin):
    early(origin, "/e", answer(413, close=True), reset)
    w = weir(PROXY, O=origin, REACHED=origin.conf)

    def one():
        for _ in range(10):
            with w.connect() as c:
                try:
                    c.write("POST", "/e", {"Content-Length": "300000"}).send(b"x" * 300000)
                except OSError:
                    pass
                assert c.response().status == 413
    threads = [threading.Thread(target=one) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert w.log.wait(lambda _: w.log.count(lambda r: r["status"] == 413) == 80, "eighty answers")
    eventually(lambda: w.metric("weir_connections", side="downstream", state="active") == 0, "quiet")
    eventually(lambda: w.metric("weir_connections", side="upstream") == 0, "no connection to the origin")
