"""Many clients that mean no good, at once: the others do not notice, and memory stays bounded. WEIR_CROWD=1 runs them at full size and
prints figures (with -s)."""
import os
import socket
import statistics
import threading
import time

import pytest

from harness import eventually, sanitized

FULL = bool(os.environ.get("WEIR_CROWD"))
CONF = """
workers 1;
listener main { bind @LISTEN@; limits { connections 20000; } timeouts { @TIMEOUTS@ } }
route / { proxy o; }
route /local { respond 200 ok; }
upstream o { endpoint @O@; limits connections=5000; }
"""


def latencies(w, n):
    """Of requests one after the other, in microseconds."""
    times = []
    with w.connect() as c:
        for _ in range(n):
            began = time.perf_counter()
            assert c.get("/local").status == 200
            times.append((time.perf_counter() - began) * 1e6)
    return times


def shown(times):
    cut = statistics.quantiles(times, n=100)
    return f"p50 {cut[49]:.0f} us, p99 {cut[98]:.0f} us"


class Slowloris:
    """Connections that begin a head and never end it. Who is cut comes again."""

    def __init__(self, address, n):
        self.address, self.n = address, n
        self.socks, self.cut, self.stopped = [], 0, threading.Event()
        for _ in range(n):
            self.socks.append(self.begin())
        self.thread = threading.Thread(target=self.drip, daemon=True)
        self.thread.start()

    def begin(self):
        s = socket.create_connection(self.address)
        s.sendall(b"GET /local HTTP/1.1\r\nHost: weir.test\r\n")
        s.setblocking(False)
        return s

    def drip(self):
        while not self.stopped.is_set():
            for i, s in enumerate(self.socks):
                if self.stopped.wait(2 / self.n):  # each of them once in two seconds
                    return
                try:
                    s.send(b"X: y\r\n")
                    s.recv(4096)  # an answer, or the end
                    alive = False
                except BlockingIOError:
                    continue
                except OSError:
                    alive = False
                if not alive:
                    self.cut += 1
                    s.close()
                    self.socks[i] = self.begin()

    def close(self):
        self.stopped.set()
        self.thread.join()
        for s in self.socks:
            s.close()


def test_a_slowloris(weir, origin):
    n = 5000 if FULL else 300
    w = weir(CONF, O=origin, TIMEOUTS="head 10s;" if FULL else "head 1s;")
    requests = 3000 if FULL else 300
    latencies(w, 100)
    without = latencies(w, requests)
    before = w.resident()
    crowd = Slowloris(w.port.address, n)
    try:
        eventually(lambda: w.metric("weir_connections", side="downstream", state="active") > n * 0.9, "the crowd")
        during = latencies(w, requests)
        memory = w.resident() - before
        eventually(lambda: crowd.cut > n / 2, "connections to be cut")
    finally:
        crowd.close()
    after = latencies(w, requests)
    print(f"\nslowloris of {n}: without {shown(without)}; with {shown(during)}; after {shown(after)}; "
          f"{memory / n:.0f} bytes of resident memory for each")
    assert w.log.count(lambda r: r["status"] == 408 and r["reason"] == "request_timeout") > n / 4
    if not sanitized():
        assert memory < n * 8192 + (4 << 20)


def test_clients_that_never_read(weir, origin):
    n = 1000 if FULL else 60
    piece = b"x" * 65536
    sent = []

    def flood(conn, _):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        total = 0
        try:
            while True:
                total += conn.sock.send(piece)
        finally:
            sent.append(total)
    origin.on("/flood", flood)
    w = weir(CONF, O=origin, TIMEOUTS="write 10s;" if FULL else "write 2s;")
    latencies(w, 100)
    before, most = w.resident(), 0
    clients = []
    for _ in range(n):
        clients.append(w.connect(receive_buffer=4096))
        clients[-1].write("GET", "/flood")
    eventually(lambda: origin.count("/flood") == n, "all requests at the origin", 60)
    while (cut := w.log.count(lambda r: r["path"] == "/flood")) < n:
        most = max(most, w.resident())
        assert w.get("/local").status == 200
        time.sleep(0.05)
    assert cut == n
    for c in clients:
        c.close()
    lines = [r for r in w.log.all if r["path"] == "/flood"]
    assert {(r["reason"], next(d["subject"] for d in r["why"] if d["step"] in ("timeouts", "limits"))) for r in lines} <= \
        {("client_closed", "write"), ("client_closed", "response_rate")}
    eventually(lambda: len(sent) == n, "the origin's connections to end")
    eventually(lambda: w.metric("weir_connections", side="downstream", state="active") == 0, "no connection")
    print(f"\n{n} clients that never read: {before >> 10} KiB resident before, {most >> 10} KiB at most, "
          f"{(most - before) / n / 1024:.0f} KiB for each; {w.resident() >> 10} KiB after; the origin sent {sum(sent) >> 20} MiB")
    if not sanitized():
        assert most - before < n * (160 << 10) + (4 << 20)


@pytest.mark.skipif("not FULL", reason="WEIR_CROWD is not set")
def test_many_that_never_send_a_body(weir, origin):
    """Uploads that drip: the origin holds a connection for each until the rate ends them."""
    w = weir(CONF, O=origin, TIMEOUTS="body 5s;")
    clients = []
    for _ in range(1000):
        clients.append(w.connect())
        clients[-1].write("POST", "/x", {"Content-Length": "100000"})
    end = time.monotonic() + 4
    while time.monotonic() < end:
        for c in clients:
            c.send(b"a")
        time.sleep(1)
    eventually(lambda: w.log.count(lambda r: r["status"] == 408) == 1000, "1000 refusals")
    assert w.get("/local").status == 200
    for c in clients:
        c.close()
