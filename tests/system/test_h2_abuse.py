"""What clients of HTTP/2 do to wear a server out: each kind is bounded and counted, the log names the counter, and the connection
ends with the right GOAWAY, while others are served."""
import pytest

from harness import H2, eventually, sanitized
from harness.h2 import (CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, INITIAL_WINDOW_SIZE, PING, PRIORITY,
                        REFUSED_STREAM, WINDOW_UPDATE, frame, number, settings)

CONF = """
upstream o { endpoint @O@; }
route / { proxy o; timeout 20s; }
route /here { respond 200 "${request.protocol}"; }
"""


@pytest.fixture
def w(weir, origin):
    return weir(CONF, O=origin)


def push(c, data):
    """Sends as long as it is listened to."""
    try:
        c.send(data)
    except OSError:
        pass


def tripped(w, c, counter):
    goaway = c.rest()
    assert goaway is None or goaway.code == ENHANCE_YOUR_CALM, goaway
    w.stderr.wait(lambda line: f"the counter `{counter}`" in line and "ENHANCE_YOUR_CALM" in line, f"word of {counter}")
    assert w.metric("weir_http2_cut_off_total", counter=counter) == 1
    assert w.metric("weir_http2_cut_off_total") == 1
    with H2(w.port.address) as other:
        assert other.request("/here").status == 200
    return goaway


def requests(c, n, path="/here", reset=True):
    """n requests, each given up at once, as bytes."""
    out = b""
    for _ in range(n):
        s = c.new_stream()
        out += frame(HEADERS, END_HEADERS | END_STREAM, s, c.encode(c.head(path)))
        if reset:
            out += frame(3, 0, s, number(8))
    return out


def test_rapid_reset(w, origin):
    """CVE-2023-44487."""
    with H2(w.port.address, quiet=True) as c:
        push(c, requests(c, 2000, "/hold"))
        assert tripped(w, c, "reset")
    assert w.metric("weir_http2_glitches_total", counter="reset") < 600
    assert origin.count("/hold") < 600
    eventually(lambda: w.upstream("o")["endpoints"][0]["active"] == 0, "the end of all attempts")


def test_resets_that_the_server_is_made_to_send(w):
    """CVE-2025-8671: streams that break the protocol once their requests are under way."""
    with H2(w.port.address, quiet=True) as c:
        for _ in range(5):
            out = b""
            for _ in range(60):
                s = c.new_stream()
                out += frame(HEADERS, END_HEADERS, s, c.encode(c.head("/hold", "POST")))
                out += frame(WINDOW_UPDATE, 0, s, number(0x7fffffff))
            push(c, out + frame(PING, 0, 0, bytes(8)))
            while c.read() and c.frames[-1].kind != PING:
                pass
        assert tripped(w, c, "malformed")


def test_continuations_without_end(w):
    """CVE-2024-28182: also when each is small."""
    for size in (0, 10, 16000):
        with H2(w.port.address, quiet=True) as c:
            c.headers(c.head("/here"), flags=0)
            piece = b"" if not size else c.encode([("x-a", "v" * size)])
            push(c, frame(CONTINUATION, 0, 1, piece) * 3000)
            goaway = c.rest()
            assert goaway is None or goaway.code == ENHANCE_YOUR_CALM
    w.stderr.wait(lambda line: "the counter `continuation`" in line, "word of it")
    cut = w.metric("weir_http2_cut_off_total", counter="continuation") + w.metric("weir_http2_cut_off_total", counter="head")
    assert cut == 3


@pytest.mark.parametrize("counter, data", [
    ("ping", frame(PING, 0, 0, bytes(8)) * 1500),
    ("settings", settings((INITIAL_WINDOW_SIZE, 65535)) * 300),
    ("settings", settings() * 300),
    ("priority", frame(PRIORITY, 0, 1, number(0) + b"\1") * 3000),
    ("priority", frame(0x10, 0, 0, number(1) + b"u=1") * 3000),
    ("window_update", frame(WINDOW_UPDATE, 0, 0, number(1)) * 6000),
], ids=lambda v: v if isinstance(v, str) else f"type {v[3]}, {len(v)}")
def test_floods_of_frames(w, counter, data):
    with H2(w.port.address, quiet=True) as c:
        push(c, data)
        tripped(w, c, counter)


def test_pings_and_settings_that_are_not_read(w):
    """Answers that wait are few: who does not read is not read from."""
    before = w.resident()
    with H2(w.port.address, quiet=True, receive_buffer=4096) as c:
        c.conn.sock.settimeout(2)
        push(c, frame(PING, 0, 0, bytes(8)) * 500000)
        tripped(w, c, "ping")
    assert sanitized() or w.resident() < before + (8 << 20)


@pytest.mark.parametrize("what", ["empty", "padded"])
def test_empty_data(w, origin, what):
    with H2(w.port.address, quiet=True) as c:
        s = c.headers(c.head("/x", "POST"), end=False)
        push(c, (frame(DATA, 0, s) if what == "empty" else frame(DATA, 8, s, b"\5" + bytes(5))) * 1000)
        tripped(w, c, "empty")


def test_compression_bomb(w):
    """A large field enters the table once and is named thousands of times by one byte each."""
    with H2(w.port.address, quiet=True) as c:
        c.ping()
        block = c.encode(c.head("/here", more=[("x-bomb", "v" * 4000)]))
        push(c, frame(HEADERS, 0, 1, block) + frame(CONTINUATION, END_HEADERS, 1, b"\xbe" * 16000))
        tripped(w, c, "head")


def test_a_small_bomb_is_refused(w):
    with H2(w.port.address, quiet=True) as c:
        c.ping()
        block = c.encode(c.head("/here", more=[("x-bomb", "v" * 4000)]))
        c.frame(HEADERS, END_HEADERS | END_STREAM, 1, block + b"\xbe" * 20)
        c.next_id = 3
        assert c.response(1).reason == "headers_too_large"
        assert c.request("/here").status == 200


def test_heads_beyond_the_limits(w):
    with H2(w.port.address, quiet=True) as c:
        out = b""
        for _ in range(300):
            out += frame(HEADERS, END_HEADERS | END_STREAM, c.new_stream(), c.encode(c.head("/here", more=[("x-a", "v" * 9000)])))
        push(c, out)
        tripped(w, c, "head")


def test_tiny_windows(w, origin):
    """An answer is asked for byte by byte."""
    with H2(w.port.address, quiet=True, window=False, mine=[(INITIAL_WINDOW_SIZE, 1)]) as c:
        streams = [c.write("/bytes/100000") for _ in range(50)]
        for s in streams:
            c.wait(lambda s=s: c.answer(s).body, "a first byte")
        rounds = 1
        while rounds < 200 and not c.ended:
            push(c, b"".join(frame(WINDOW_UPDATE, 0, s, number(1)) for s in streams))
            rounds += 1
            while not c.ended and sum(len(c.answer(s).body) for s in streams) < rounds * len(streams):
                c.read()
        assert 20 < rounds < 100
        assert tripped(w, c, "tiny_window")


def test_large_answers_nobody_takes(w, origin):
    """A hundred streams without a window hold no more than their shares, and the connection goes on."""
    before = w.resident()
    with H2(w.port.address, window=False, mine=[(INITIAL_WINDOW_SIZE, 0)]) as c:
        streams = [c.write("/bytes/3000000") for _ in range(99)]
        for s in streams:
            c.wait(lambda s=s: c.answer(s).status, "a head")
        c.ping()
        eventually(lambda: origin.count("/bytes/3000000") == 99)
        if not sanitized():
            assert w.resident() - before < 99 * 300000
        c.send(b"".join(frame(3, 0, s, number(8)) for s in streams))
        s = c.write("/here")
        c.open_window(s, 100)
        assert c.response(s).body == b"HTTP/2"


def test_honest_clients_never_trip(w):
    """Many requests in a row, each with its pings, windows and a reset now and then."""
    with H2(w.port.address) as c:
        for i in range(300):
            s = c.write("/bytes/20000")
            c.ping()
            if i % 3:
                c.response(s)
            else:
                c.rst(s)
        assert c.request("/here").status == 200
    assert w.metric("weir_http2_cut_off_total") == 0


def test_a_burst_beyond_the_streams(w):
    """Before it has read how many it may send a client may send more: they are refused, not held against it."""
    with H2(w.port.address) as c:
        c.send(requests(c, 150, "/delay/0.2", reset=False))
        answers = [c.response(s) for s in range(1, 300, 2)]
        assert sum(a.status == 200 for a in answers) >= 100
        assert all(a.status == 200 or a.reset == REFUSED_STREAM for a in answers)
        assert c.request("/here").status == 200
