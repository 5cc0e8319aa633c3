"""An origin that does as it is told, by path or by script, and remembers what it was sent."""
import json
import re
import socket
import threading
import time

from .message import Closed, ProtocolError, Reader
from .ports import Port
from .wait import DEADLINE, eventually


class OriginConn:
    """One connection to an origin, as a script sees it."""

    def __init__(self, origin, sock):
        self.origin = origin
        self.sock = sock
        self.reader = Reader(sock)

    def send(self, data):
        self.sock.sendall(data)

    def answer(self, status=200, body=b"", headers=(), phrase="Whatever"):
        """A plain answer with its length, and the origin's name."""
        head = f"HTTP/1.1 {status} {phrase}\r\nX-Origin: {self.origin.name}\r\n"
        head += "".join(f"{n}: {v}\r\n" for n, v in headers)
        if status not in (204, 304) and status >= 200:
            head += f"Content-Length: {len(body)}\r\n"
        self.send(head.encode("latin-1") + b"\r\n" + (body if status not in (204, 304) else b""))

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def until_closed(self):
        """Waits for the peer to go away, reading what it still sends."""
        try:
            while self.sock.recv(65536):
                pass
        except OSError:
            pass


class Origin:
    """HTTP/1.1 origin on 127.0.0.1. By default a request is answered with what was received, as JSON; paths say otherwise:

        /status/N   that status               /delay/S   200 after S seconds (or when released)
        /close      closes without answering  /reset     resets the connection without answering
        /bytes/N    N bytes with a length     /chunked   three chunks         /trailers  chunks with trailers
        /hold       200 once release() was called
        /healthz    200 while .healthy, else 503

    A query "?last" is ignored by all. on(path, script) puts script(conn, request) in charge of a path; it returns False to close."""

    conf = ""  # what an upstream says beside the endpoint to reach it

    def __init__(self, name="origin", host="127.0.0.1", path=None):
        self.name = name
        self.path = path  # of a unix socket, instead of a port
        self.port = None if path else Port(host)
        self.lock = threading.Lock()
        self.scripts = {}
        self.requests = []
        self.connections = 0
        self.healthy = True
        self.releases = threading.Semaphore(0)
        self.open = set()
        self.listener = None
        self.start()

    def __str__(self):
        return f"unix:{self.path}" if self.path else str(self.port)

    # ---- life ----

    def start(self):
        if self.path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(self.path)
        else:
            self.listener = socket.socket(self.port.holder.family)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self.listener.bind(self.port.address)
        self.listener.listen(1024)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        """Refuses connections from now on, and closes those that are open."""
        if self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        self.drop_connections()

    def drop_connections(self):
        with self.lock:
            for sock in self.open:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        self.stop()
        self.release(1000)
        if self.port:
            self.port.close()

    # ---- what a test says and asks ----

    def on(self, path, script):
        self.scripts[path] = script

    def raw(self, path, data, close=True):
        """Answers a path with exactly these bytes."""
        def script(conn, _):
            conn.send(data)
            return not close
        self.on(path, script)

    def release(self, n=1):
        self.releases.release(n)

    def count(self, path=None):
        with self.lock:
            return len([r for r in self.requests if path is None or r.path == path])

    def request(self, path, n=1):
        """The n-th request for a path, waiting for it."""
        def seen():
            with self.lock:
                found = [r for r in self.requests if r.path == path]
            return found[n - 1] if len(found) >= n else None
        return eventually(seen, f"request {n} for {path} at {self.name}")

    def forget(self):
        with self.lock:
            self.requests.clear()

    # ---- serving ----

    def accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections += 1
                self.open.add(sock)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        conn = OriginConn(self, sock)
        try:
            while self.exchange(conn):
                pass
        except (Closed, ProtocolError, OSError):
            pass
        finally:
            with self.lock:
                self.open.discard(sock)
            sock.close()

    def exchange(self, conn):
        from .message import Request
        r = conn.reader.head(Request)
        r.at = time.monotonic()
        script = self.scripts.get(r.path)
        if not getattr(script, "reads_body", False):
            conn.reader.body(r, False)
        with self.lock:
            self.requests.append(r)
        if script:
            return script(conn, r) is not False
        return self.by_path(conn, r)

    def by_path(self, conn, r):
        word, _, arg = r.path.lstrip("/").partition("/")
        special = getattr(self, "do_" + word, None) if re.fullmatch("[a-z]+", word) else None
        if r.headers.has("Upgrade"):
            return self.upgrade(conn, r)
        if special:
            return special(conn, arg) is not False
        conn.answer(200, self.echo(r), [("Content-Type", "application/json")])
        return True

    def echo(self, r):
        return json.dumps({"origin": self.name, "method": r.method, "target": r.target, "headers": r.headers,
                           "body": r.body.decode("latin-1"), "trailers": r.trailers}).encode()

    def do_status(self, conn, arg):
        conn.answer(int(arg), b"" if arg in ("204", "304") else arg.encode())

    def do_delay(self, conn, arg):
        self.releases.acquire(timeout=float(arg))
        conn.answer(200, b"late")

    def do_hold(self, conn, _):
        self.releases.acquire(timeout=DEADLINE)
        conn.answer(200, b"held")

    def do_healthz(self, conn, _):
        conn.answer(200 if self.healthy else 503, b"")

    def do_close(self, _conn, _):
        return False

    def do_reset(self, conn, _):
        conn.reset()
        return False

    def do_bytes(self, conn, arg):
        conn.answer(200, b"x" * int(arg))

    def do_chunked(self, conn, _):
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n")

    def do_trailers(self, conn, _):
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: 42\r\n\r\n")

    def upgrade(self, conn, r):
        """Switches to whatever was asked for, and sends every byte back."""
        conn.send(f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {r.get('Upgrade')}\r\n\r\n".encode())
        data, conn.reader.buffer = conn.reader.buffer, b""
        while True:
            if data:
                conn.send(data)
            data = conn.sock.recv(65536)
            if not data:
                return False


class TlsOrigin(Origin):
    """The same behind TLS."""
    conf = "tls { verify off; }"

    def __init__(self, certificate, name="tls"):
        self.context = certificate.server()
        self.names = []  # that clients asked for
        self.context.sni_callback = lambda _sock, name, _context: self.names.append(name)
        super().__init__(name)

    def serve(self, sock):
        try:
            super().serve(self.context.wrap_socket(sock, server_side=True))
        except OSError:
            sock.close()


class Blackhole:
    """An address where connecting never ends: its queue of connections is full and nobody takes them."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.fillers = []
        for _ in range(3):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(self.listener.getsockname())
            self.fillers.append(s)

    def __str__(self):
        return "127.0.0.1:%d" % self.listener.getsockname()[1]

    def close(self):
        for s in [*self.fillers, self.listener]:
            s.close()
