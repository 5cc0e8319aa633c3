"""What origins say: that nothing of it can be taken for more, or for less, than it is."""
import threading

import pytest

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
