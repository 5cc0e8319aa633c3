"""WebSockets through the gateway, with a library's client and server; and tunnels where they are delicate."""
import asyncio
import resource
import signal
import socket
import threading
import time

import pytest
import websockets

from harness import Port, eventually, sanitized
from harness.h2 import END_STREAM, H2

CONF = """
upstream o {{ endpoint @O@; }}
route / {{ proxy o; {} }}
route /denied {{ respond 403 no; }}
"""


class Server:
    """An echo in a thread of its own; keeps how each connection ended."""

    def __init__(self, ping_interval=None):
        self.port = Port()
        self.closed = []
        self.paths = []
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def serve(ws):
            self.paths.append((ws.path, ws.request_headers))
            try:
                async for message in ws:
                    if message == "bye":
                        await ws.close(4001, "as you wish")
                    elif message == "flood":
                        while True:
                            await ws.send("y" * 100_000)
                    else:
                        await ws.send(message)
            except websockets.ConnectionClosed:
                pass
            finally:
                self.closed.append(ws.close_code)

        async def main():
            self.end = asyncio.Event()
            async with websockets.serve(serve, *self.port.address, subprotocols=["chat"], reuse_port=True, max_size=None, backlog=2000,
                                        ping_interval=ping_interval):
                ready.set()
                await self.end.wait()
        self.thread = threading.Thread(target=lambda: self.loop.run_until_complete(main()), daemon=True)
        self.thread.start()
        assert ready.wait(20)

    def close(self):
        self.loop.call_soon_threadsafe(self.end.set)
        self.thread.join(20)
        self.port.close()


@pytest.fixture
def server():
    s = Server()
    yield s
    s.close()


@pytest.fixture
def start(weir, server):
    return lambda more="", **how: weir(CONF.format(more), **{"O": server.port, **how})


def talk(w, script, path="/chat", scheme="ws", **how):
    """Runs script(connection)."""
    async def run():
        async with websockets.connect(f"{scheme}://{w.port}{path}", max_size=None, ping_interval=None, open_timeout=20, compression=None, **how) as ws:
            return await asyncio.wait_for(script(ws), 30)
    return asyncio.run(run())


def test_messages(start, server):
    async def script(ws):
        for message in ("hello", "", "ä" * 1000, b"\0\1\2", "x" * 300_000):
            await ws.send(message)
            assert await ws.recv() == message
        pong = await ws.ping()
        await pong
        return ws.subprotocol
    w = start()
    assert talk(w, script, subprotocols=["chat", "other"], extra_headers={"X-Mine": "1"}) == "chat"
    path, headers = server.paths[0]
    assert path == "/chat" and headers["X-Mine"] == "1" and headers["X-Forwarded-For"] == "127.0.0.1" and headers["Via"] == "1.1 weir"
    line = w.access(path="/chat")
    assert line["status"] == 101 and line["bytes_out"] > 300_000 and line["bytes_in"] > 300_000
    assert server.closed == [1000]


def test_many_messages_both_ways_at_once(start):
    async def script(ws):
        messages = [f"{i}-" + "y" * (i * 37 % 5000) for i in range(500)]

        async def send():
            for m in messages:
                await ws.send(m)
        sending = asyncio.ensure_future(send())
        got = [await ws.recv() for _ in messages]
        await sending
        assert got == messages
    talk(start(), script)


def test_the_servers_close_comes_through(start, server):
    async def script(ws):
        await ws.send("bye")
        with pytest.raises(websockets.ConnectionClosed):
            await ws.recv()
        return ws.close_code, ws.close_reason
    w = start()
    assert talk(w, script) == (4001, "as you wish")
    eventually(lambda: w.view("status")["connections"] == {"downstream": 0, "upstream": 0}, "the end of both connections")


def test_over_tls(weir, server, certificate):
    w = weir("listener main { bind @LISTEN@; tls { certificate @CRT@; key @KEY@; } }\n" + CONF.format(""), O=server.port,
             CRT=certificate.file, KEY=certificate.key)

    async def script(ws):
        await ws.send("x" * 100_000)
        assert await ws.recv() == "x" * 100_000
    talk(w, script, scheme="wss", ssl=certificate.client(), server_hostname="weir.test")


def test_a_refusal_is_an_answer(start):
    async def nothing(_):
        pass
    with pytest.raises(websockets.InvalidStatusCode) as e:
        talk(start(), nothing, path="/denied")
    assert e.value.status_code == 403


def test_policies_stand_before_it(start, secret):
    """A token is asked for before the switch, and the request's deadline ends with it."""
    jwt = f'jwt {{ issuer https://idp.test/; audience orders; key "secret:{secret.text}" alg=HS256; }} timeout 300ms;'

    async def script(ws):
        await ws.send("one")
        assert await ws.recv() == "one"
        await asyncio.sleep(0.5)  # longer than the route's timeout: that is what is tested
        await ws.send("two")
        assert await ws.recv() == "two"
    w = start(jwt, use=["jwt"])
    with pytest.raises(websockets.InvalidStatusCode) as e:
        talk(w, script)
    assert e.value.status_code == 401
    talk(w, script, extra_headers=secret.bearer())


# ---- how long, and how it ends ----

async def until_closed(ws):
    """What came before the end."""
    got = []
    with pytest.raises(websockets.ConnectionClosed):
        while True:
            got.append(await ws.recv())
    return got


@pytest.mark.parametrize("who", ["client", "server"])
def test_pings_keep_it_open(start, server, who):
    async def script(ws):
        end = time.monotonic() + 1.2  # twice what silence may last
        while time.monotonic() < end:
            if who == "client":
                await (await ws.ping())
            else:
                await asyncio.sleep(0.05)
        await ws.send("still here")
        assert await ws.recv() == "still here"
    s = Server(ping_interval=0.05) if who == "server" else None
    try:
        talk(start("idle_timeout 600ms;", **({"O": s.port} if s else {})), script)
    finally:
        if s:
            s.close()


@pytest.mark.parametrize("more, reason, why", [("idle_timeout 500ms;", "upstream_timeout", "tunnel_idle"),
                                               ("max_duration 500ms;", "duration_exceeded", "duration_exceeded")])
def test_time_is_up(start, server, more, reason, why):
    """Silence, or any duration: a Close frame to both sides, none of which sees a broken connection."""
    async def script(ws):
        await ws.send("one")
        assert await until_closed(ws) == ["one"]
        return ws.close_code
    w = start(more)
    assert talk(w, script) == 1001
    eventually(lambda: server.closed, "the end at the server")
    assert server.closed == [1001]
    line = w.access(path="/chat")
    assert line["reason"] == reason and line["status"] == 101
    row = next(d for d in line["why"] if d["reason"] == why)
    assert row["at"].startswith("gateway.conf:")
    eventually(lambda: w.view("status")["connections"] == {"downstream": 0, "upstream": 0}, "the end of both connections")


def test_what_moves_is_bounded_too(start):
    """Nothing is torn: whole messages come, then the Close frame."""
    async def script(ws):
        await ws.send("flood")
        got = await until_closed(ws)
        assert got and set(got) == {"y" * 100_000}
        return ws.close_code
    assert talk(start("max_duration 500ms;"), script) == 1001


def test_a_drain_takes_leave(start, server):
    async def script(ws):
        await ws.send("one")
        assert await ws.recv() == "one"
        w.signal(signal.SIGTERM)
        assert await until_closed(ws) == []
        return ws.close_code
    w = start()
    assert talk(w, script) == 1001
    assert w.wait() == 0
    assert server.closed == [1001] and w.access(path="/chat")["reason"] == "draining"


def test_a_thousand_at_once(weir, server):
    """All of them talk, are counted, and are told to go when the gateway goes: none sees a broken connection."""
    n = 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 8 * n:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(8 * n, hard), hard))
    # They go in the first half of it; the client here is one process, and slow beside a sanitizer.
    w = weir(CONF.format("") + f"drain {{ lag 0s; timeout {30 if sanitized() else 8}s; }}\n", O=server.port)
    at_once = asyncio.Semaphore(100)

    async def one(i, opened, codes):
        async with at_once:
            ws = await websockets.connect(f"ws://{w.port}/{i}", ping_interval=None, open_timeout=60, compression=None)
            await ws.send(str(i))
            assert await ws.recv() == str(i)
        opened.append(i)
        if len(opened) == n:
            await asyncio.get_running_loop().run_in_executor(None, look)
            w.signal(signal.SIGTERM)
        await until_closed(ws)
        codes.append(ws.close_code)

    def look():
        assert w.metric("weir_streams", kind="websocket") == n
        assert sum(g["held_by"]["tunnels"] for g in w.view("generations")) == n

    async def all_of_them():
        opened, codes = [], []
        await asyncio.gather(*(one(i, opened, codes) for i in range(n)))
        return codes
    assert asyncio.run(all_of_them()) == [1001] * n
    assert w.wait() == 0
    assert "closing" not in w.stderr.text  # nothing was left to be cut
    eventually(lambda: len(server.closed) == n, "the end of all at the server")
    assert set(server.closed) == {1001}


# ---- frames as bytes ----

WEBSOCKET = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
CLOSE = b"\x88\x02\x03\xe9"


def sends(origin, data, got):
    def script(conn, _):
        conn.send(SWITCH + data)
        conn.until = conn.sock.recv(100)
        got.append(conn.until)
        conn.until_closed()
        return False
    origin.on("/ws", script)


@pytest.fixture
def short(weir, origin):
    return weir("upstream o { endpoint @O@; }\nroute / { proxy o; max_duration 300ms; }\n", O=origin)


def unmasked(frame):
    return bytes(b ^ frame[2 + i % 4] for i, b in enumerate(frame[6:]))


@pytest.mark.parametrize("data", [b"", b"\x01\x03abc", b"\x81\x00", b"\x82\x7e\x01\x00" + b"x" * 256], ids=["nothing", "fragment", "empty", "long"])
def test_between_frames(short, origin, data):
    """Also between the fragments of a message, where frames of control may stand."""
    got = []
    sends(origin, data, got)
    with short.connect() as c:
        assert c.get("/ws", WEBSOCKET).status == 101
        assert c.exactly(len(data) + 4) == data + CLOSE
        eventually(lambda: got, "the frame at the origin")
        assert got[0][:2] == b"\x88\x82" and unmasked(got[0]) == b"\x03\xe9"
        c.send(b"\x88\x80abcd").half_close()
        assert c.at_end()


def test_a_frame_is_waited_for(short, origin):
    """Its rest comes after the time was up: it is passed, and no more than that."""
    def script(conn, _):
        conn.send(SWITCH + b"\x81\x05ab")
        conn.sock.recv(100)  # the Close frame for the origin, which stood between two
        conn.send(b"cde\x81\x01z")
        conn.until_closed()
        return False
    origin.on("/ws", script)
    with short.connect() as c:
        assert c.get("/ws", WEBSOCKET).status == 101
        assert c.exactly(11) == b"\x81\x05abcde" + CLOSE
        c.half_close()
        assert c.at_end()


def test_who_has_said_close_hears_no_other(short, origin):
    got = []
    sends(origin, b"\x88\x02\x0f\xa1", got)
    with short.connect() as c:
        assert c.get("/ws", WEBSOCKET).status == 101
        assert c.exactly(4) == b"\x88\x02\x0f\xa1"
        eventually(lambda: got, "the frame at the origin")  # the time is up
        c.half_close()
        assert c.at_end()


def test_other_tunnels_are_cut(weir, origin):
    w = weir("upstream o { endpoint @O@; }\nroute / { proxy o; max_duration 500ms; }\n", O=origin)
    with w.connect() as c:
        assert c.get("/t", TUNNEL).status == 101
        assert c.send(b"ping").exactly(4) == b"ping"
        assert w.metric("weir_streams", kind="tunnel") == 1
        assert c.at_end()
    assert w.access(path="/t")["reason"] == "duration_exceeded"


def test_over_http2(short, origin):
    got = []
    sends(origin, b"\x81\x02hi", got)
    with H2(short.port.address) as h2:
        s = h2.headers([(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/ws"),
                        (":authority", "weir.test"), ("sec-websocket-version", "13")], end=False)
        a = h2.answer(s)
        h2.wait(lambda: a.ended, "the end of the stream")
        assert a.status == 200 and bytes(a.body) == b"\x81\x02hi" + CLOSE and a.reset is None
        h2.frame(0, END_STREAM, s)
        h2.ping()
    eventually(lambda: got and got[0][:2] == b"\x88\x82", "the frame at the origin")


def test_by_http2_to_the_origin(weir, server):
    """Through a second gateway, to which it is a stream of HTTP/2 (RFC 8441): talk, and the leave that the first one takes."""
    async def script(ws):
        await ws.send("x" * 100_000)
        assert await ws.recv() == "x" * 100_000
        assert await until_closed(ws) == []
        return ws.close_code
    behind = weir(CONF.format(""), O=server.port)
    w = weir("upstream o { endpoint @O@; protocol http2; }\nroute / { proxy o; max_duration 700ms; }\n", O=behind.port)
    assert talk(w, script) == 1001
    assert behind.access(path="/chat")["protocol"] == "HTTP/2"
    eventually(lambda: server.closed, "the end at the server")
    assert server.closed == [1001]


# ---- tunnels as bytes ----

TUNNEL = {"Connection": "Upgrade", "Upgrade": "echo"}


@pytest.fixture
def tunnel(weir, origin):
    def one(conf="upstream o { endpoint @O@; }\nroute / { proxy o; }"):
        w = weir(conf, O=origin)
        return w, w.connect()
    return one


def test_half_close_by_the_client(tunnel, origin):
    """What was sent before its end arrives, then the end; what comes back arrives after that."""
    def script(conn, _):
        conn.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        data = conn.reader.rest()
        conn.send(b"you said " + data)
        return False
    origin.on("/half", script)
    w, c = tunnel()
    with c:
        assert c.get("/half", TUNNEL).status == 101
        c.send(b"everything").half_close()
        assert c.exactly(19) == b"you said everything"
        assert c.at_end()


def test_half_close_by_the_origin(tunnel, origin):
    got = []

    def script(conn, _):
        conn.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nlast words")
        conn.sock.shutdown(socket.SHUT_WR)
        got.append(conn.reader.rest())
        return False
    origin.on("/half", script)
    w, c = tunnel()
    with c:
        assert c.get("/half", TUNNEL).status == 101
        assert c.exactly(10) == b"last words"
        assert c.at_end()
        c.send(b"still heard").half_close()
        eventually(lambda: got == [b"still heard"], "the client's last bytes at the origin")


def test_resets_go_through(tunnel, origin):
    ended = threading.Event()

    def script(conn, _):
        conn.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        conn.until_closed()
        ended.set()
        return False
    origin.on("/t", script)
    w, c = tunnel()
    assert c.get("/t", TUNNEL).status == 101
    c.reset()
    assert ended.wait(20)
    eventually(lambda: w.view("status")["connections"] == {"downstream": 0, "upstream": 0}, "the end of both connections")


def test_an_idle_tunnel_ends(tunnel, origin):
    w, c = tunnel("upstream o { endpoint @O@; }\nroute / { proxy o; idle_timeout 200ms; }")
    with c:
        assert c.get("/t", TUNNEL).status == 101
        for _ in range(5):  # what is not idle stays
            assert c.send(b"ping").exactly(4) == b"ping"
        assert c.at_end()


def test_a_reader_that_is_slow(tunnel, origin):
    """Back-pressure both ways through the tunnel: nothing is lost, nothing piles up in the gateway."""
    size = 8_000_000
    w, c = tunnel()
    with c:
        assert c.get("/t", TUNNEL).status == 101
        sender = threading.Thread(target=lambda: c.send(b"z" * size), daemon=True)
        sender.start()
        # It can only go on when the echo is read: all buffers between are far smaller.
        assert c.exactly(size) == b"z" * size
        sender.join(20)
