"""WebSockets through the gateway, with a library's client and server; and tunnels where they are delicate."""
import asyncio
import socket
import threading

import pytest
import websockets

from harness import Port, eventually

CONF = """
upstream o {{ endpoint @O@; }}
route / {{ proxy o; {} }}
route /denied {{ respond 403 no; }}
"""


class Server:
    """An echo in a thread of its own; keeps how each connection ended."""

    def __init__(self):
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
                    else:
                        await ws.send(message)
            finally:
                self.closed.append(ws.close_code)

        async def main():
            self.end = asyncio.Event()
            async with websockets.serve(serve, *self.port.address, subprotocols=["chat"], reuse_port=True, max_size=None, ping_interval=None):
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
    return lambda more="", **how: weir(CONF.format(more), O=server.port, **how)


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


def test_many_at_once(start):
    async def all_of_them():
        async def one(i):
            async with websockets.connect(f"ws://{w.port}/{i}", ping_interval=None, open_timeout=30) as ws:
                for k in range(10):
                    await ws.send(f"{i} {k}")
                    assert await ws.recv() == f"{i} {k}"
        await asyncio.gather(*(one(i) for i in range(50)))
    w = start()
    asyncio.run(all_of_them())
    eventually(lambda: w.view("status")["connections"]["downstream"] == 0, "the end of all connections")


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
