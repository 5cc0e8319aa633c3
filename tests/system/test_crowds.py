"""Many clients that mean no good, at once: the others do not notice, and memory stays bounded. WEIR_CROWD=1 runs them at full size and
prints figures (with -s)."""
import os
import selectors
import socket
import statistics
import threading
import time

import pytest

from harness import eventually, sanitized
from harness.client import request_bytes

FULL = bool(os.environ.get("WEIR_CROWD"))
CONF = """
workers 1;
timeout @TIMEOUT@;
listener main { bind @LISTEN@; limits { connections 20000; } timeouts { @TIMEOUTS@ } }
route / { max_body 1000g; proxy o; }
route /local { respond 200 ok; }
upstream o { endpoint @O@; connect_timeout 20s; limits connections=5000; }
"""


# Of one transfer that goes nowhere: what lies in weir, and in the kernel on its two sides. How much a receiving socket takes before its
# program is found to be slow is the kernel's own to say (tcp_rmem); what waits unsent in weir's is not (TCP_NOTSENT_LOWAT).
DOWN, UP = 12 << 20, 3 << 20


def serve(weir, origin, timeouts, timeout="60s"):
    return weir(CONF, O=origin, TIMEOUTS=timeouts, TIMEOUT=timeout)


def turn_about(daemons, n):
    """The latencies of n requests to each in microseconds, one daemon after the other, so that what else the machine does meets them
    alike."""
    conns = [w.connect() for w in daemons]
    times = [[] for _ in daemons]
    for _ in range(n):
        for c, mine in zip(conns, times):
            began = time.perf_counter()
            assert c.get("/local").status == 200
            mine.append((time.perf_counter() - began) * 1e6)
    for c in conns:
        c.close()
    return times


def quickest(times):
    """Median and 90th percentile of the quietest stretch of a hundred: what the daemon does to each is in all of them, what the rest of
    the machine does is not."""
    cuts = [statistics.quantiles(times[i:i + 100], n=10) for i in range(0, len(times), 100)]
    return min(c[4] for c in cuts), min(c[8] for c in cuts)


def shown(times):
    cut = statistics.quantiles(times, n=100)
    return f"p50 {cut[49]:.0f} us, p99 {cut[98]:.0f} us"


def cpu(w):
    """Seconds of processor time that a daemon has used."""
    total = 0
    for task in os.listdir(f"/proc/{w.process.pid}/task"):
        with open(f"/proc/{w.process.pid}/task/{task}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total / 1e9


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
    timeouts = "head 10s;" if FULL else "head 1s;"
    requests = 5000 if FULL else 1000
    quiet, crowded = serve(weir, origin, timeouts), serve(weir, origin, timeouts)
    turn_about([quiet, crowded], 100)
    before = crowded.resident()
    crowd = Slowloris(crowded.port.address, n)
    try:
        eventually(lambda: crowded.metric("weir_connections", side="downstream", state="active") > n * 0.9, "the crowd")
        began, used = time.monotonic(), cpu(crowded)
        without, during = turn_about([quiet, crowded], requests)
        memory = crowded.resident() - before
        eventually(lambda: crowd.cut > n / 2, "connections to be cut", 60)
        share = (cpu(crowded) - used) / (time.monotonic() - began)
    finally:
        crowd.close()
    print(f"\nslowloris of {n}: without {shown(without)}; with {shown(during)}; {share:.1%} of a processor with those requests; "
          f"{memory / n:.0f} bytes of resident memory for each")
    assert crowded.log.count(lambda r: r["status"] == 408 and r["reason"] == "request_timeout") > n / 4
    if not sanitized():
        assert memory < n * 8192 + (4 << 20)
        assert all(a < 2 * b for a, b in zip(quickest(during), quickest(without))), (quickest(during), quickest(without))


class Flood:
    """An origin in one thread. Whatever it is asked, it sends as much as its client takes, or with `sends` False it never reads what
    comes behind the head."""

    HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"

    def __init__(self, sends=True):
        self.sends = sends
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self.listener.setblocking(False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.asked = self.bytes = 0
        self.open = set()
        self.stopped = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def __str__(self):
        return "127.0.0.1:%d" % self.listener.getsockname()[1]

    def run(self):
        piece = b"x" * 65536
        while not self.stopped:
            for key, events in self.selector.select(0.2):
                if key.fileobj is self.listener:
                    self.accept()
                    continue
                try:
                    if events & selectors.EVENT_READ:
                        self.read(key.fileobj)
                    else:
                        self.bytes += key.fileobj.send(piece)
                except BlockingIOError:
                    pass
                except OSError:
                    self.drop(key.fileobj)

    def accept(self):
        s, _ = self.listener.accept()
        s.setblocking(False)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        self.open.add(s)
        self.selector.register(s, selectors.EVENT_READ)

    def read(self, s):
        if not s.recv(4096):
            raise OSError
        self.asked += 1
        self.selector.unregister(s)
        if self.sends:
            s.send(self.HEAD)
            self.selector.register(s, selectors.EVENT_WRITE)

    def drop(self, s):
        self.selector.unregister(s)
        self.open.discard(s)
        s.close()

    def close(self):
        self.stopped = True
        self.thread.join()
        for s in (self.listener, *self.open):
            s.close()


@pytest.fixture
def flood():
    made = []

    def make(**how):
        made.append(Flood(**how))
        return made[-1]
    yield make
    for f in made:
        f.close()


def watch_memory(w, going_on, extra=lambda: None):
    """Resident sizes in order of time, as long as going_on(); others are served all the while."""
    sizes = []
    while going_on():
        sizes.append(w.resident())
        assert w.get("/local").status == 200
        extra()
        time.sleep(0.02)
    return sizes


def flat(sizes, before, n, each):
    """Bounded for each of n connections, and no more at the end than soon after the beginning."""
    assert len(sizes) > 8
    early, late = max(sizes[:len(sizes) // 2]), max(sizes[len(sizes) // 2:])
    figures = f"{before >> 10} KiB resident before, {early >> 10} KiB at most in the first half of the time, {late >> 10} KiB in the " \
              f"second, {(max(early, late) - before) / n / 1024:.0f} KiB for each"
    if not sanitized():
        assert max(early, late) - before < n * each + (4 << 20), figures
        assert late < early + (early - before) / 20 + (1 << 20), figures
    return figures


def test_clients_that_never_read(weir, flood):
    """And some that read a byte at a time."""
    n = 1000 if FULL else 60
    origin = flood()
    w = serve(weir, origin, "write 25s;" if FULL else "write 3s;")
    w.get("/local")
    before = w.resident()
    clients = []
    for _ in range(n):
        clients.append(w.connect(receive_buffer=4096))
        clients[-1].write("GET", "/flood")
    readers = clients[::10]
    for c in readers:
        c.sock.setblocking(False)

    def nibble():
        for c in readers:
            try:
                c.sock.recv(1)
            except OSError:
                pass

    def cut():
        return w.metric("weir_requests_total", route="/") or 0
    eventually(lambda: origin.asked == n, "all requests at the origin", 60)
    sizes = watch_memory(w, lambda: cut() == 0, nibble)
    figures = flat(sizes, before, n, 160 << 10)
    eventually(lambda: cut() == n, "all of them to be cut", 60)
    w.access(path="/flood")
    lines = [r for r in w.log.all if r["path"] == "/flood"]  # many, if not all: a reader that is too slow loses some
    assert {(r["reason"], next(d["subject"] for d in r["why"] if d["step"] in ("timeouts", "limits"))) for r in lines} <= \
        {("client_closed", "write"), ("client_closed", "response_rate")}
    for c in clients:
        c.close()
    eventually(lambda: not origin.open, "the origin's connections to end")
    eventually(lambda: w.metric("weir_connections", side="downstream", state="active") == 0, "no connection")
    assert origin.bytes < n * DOWN
    print(f"\n{n} clients that never read: {figures}; {w.resident() >> 10} KiB after; the origin sent {origin.bytes >> 20} MiB")


def test_origins_that_never_read(weir, flood):
    """Uploads at full speed: what is not taken from weir is not taken from the client."""
    n = 1000 if FULL else 60
    origin = flood(sends=False)
    w = serve(weir, origin, "body 60s;", "30s" if FULL else "4s")
    w.get("/local")
    before = w.resident()
    head = request_bytes("POST", "/up", {"Content-Length": "100000000000"})
    piece = b"x" * 65536
    clients = []
    for _ in range(n):
        clients.append(w.connect())
        clients[-1].sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        clients[-1].send(head)
        clients[-1].sock.setblocking(False)
    sent = [0]

    def push():
        before = sent[0]
        for c in clients:
            try:
                sent[0] += c.sock.send(piece)
            except OSError:
                pass
        return sent[0] - before

    def over():
        return w.metric("weir_requests_total", route="/") or 0
    eventually(lambda: origin.asked == n, "all requests at the origin", 60)
    eventually(lambda: not any(push() for _ in range(5)), "all buffers to be full", 60)
    sizes = watch_memory(w, lambda: over() == 0, push)
    figures = flat(sizes, before, n, 224 << 10)
    eventually(lambda: over() == n, "their deadline", 60)
    assert w.metric("weir_requests_total", route="/", code="504") == n
    for c in clients:
        c.close()
    eventually(lambda: w.metric("weir_connections", side="downstream", state="active") == 0, "no connection")
    assert sent[0] < n * UP
    print(f"\n{n} uploads that no origin reads: {figures}; {w.resident() >> 10} KiB after; the clients sent {sent[0] >> 20} MiB")


@pytest.mark.skipif("not FULL", reason="WEIR_CROWD is not set")
def test_many_that_never_send_a_body(weir, origin):
    """Uploads that drip: the origin holds a connection for each until the rate ends them."""
    w = serve(weir, origin, "body 5s;")
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
