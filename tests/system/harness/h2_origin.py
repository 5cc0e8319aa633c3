"""An origin of HTTP/2, in cleartext by prior knowledge or on TLS by ALPN, that does as it is told, by path or by script."""
import json
import socket
import threading

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from .message import Fields
from .ports import Port
from .wait import eventually


class H2Request:
    def __init__(self, headers):
        self.headers = Fields(headers)
        self.method, self.target = self.headers.get(":method"), self.headers.get(":path")
        self.path = self.target.partition("?")[0]
        self.body, self.trailers, self.ended, self.reset, self.answered = b"", Fields(), False, None, False

    def get(self, name, default=None):
        return self.headers.get(name, default)


class H2OriginConn:
    """One connection, as a script sees it; from any thread."""

    def __init__(self, origin, sock):
        self.origin, self.sock, self.lock = origin, sock, threading.RLock()
        config = h2.config.H2Configuration(client_side=False, header_encoding="latin-1", validate_outbound_headers=False,
                                           normalize_outbound_headers=False, validate_inbound_headers=True)
        self.h2 = h2.connection.H2Connection(config)
        self.streams, self.seen, self.pings, self.most = {}, [], 0, 0

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def send(self, data):
        """Bytes as they are, frames or not."""
        with self.lock:
            self.sock.sendall(data)

    def head(self, stream, status=200, headers=(), end=False):
        with self.lock:
            self.streams[stream].answered |= end
            self.h2.send_headers(stream, [(":status", str(status)), *headers], end_stream=end)
            self.flush()

    def data(self, stream, data, end=False):
        """As far as the windows allow at once; the rest as they open."""
        with self.lock:
            self.streams[stream].out += data
            self.streams[stream].out_end |= end
            self.pump()

    def trailers(self, stream, headers):
        with self.lock:
            self.streams[stream].answered = True
            self.h2.send_headers(stream, headers, end_stream=True)
            self.flush()

    def answer(self, stream, status=200, body=b"", headers=()):
        self.head(stream, status, [("content-length", str(len(body))), ("x-origin", self.origin.name), *headers], end=not body)
        if body:
            self.data(stream, body, end=True)

    def rst(self, stream, code):
        with self.lock:
            self.h2.reset_stream(stream, code)
            self.flush()

    def goaway(self, code=0, last=None):
        with self.lock:
            self.h2.close_connection(code, last_stream_id=last)
            self.flush()

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    # ---- serving ----

    def pump(self):
        for stream, request in list(self.streams.items()):
            while request.out or request.out_end:
                try:
                    room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(request.out))
                    if request.out and not room:
                        break
                    piece, request.out = request.out[:room], request.out[room:]
                    last = request.out_end and not request.out
                    self.h2.send_data(stream, piece, end_stream=last)
                except (h2.exceptions.ProtocolError, KeyError):
                    request.out, request.out_end = b"", False
                    break
                if last:
                    request.out_end, request.answered = False, True
        self.flush()

    def on_event(self, e):
        if isinstance(e, h2.events.RequestReceived):
            request = H2Request(e.headers)
            request.out, request.out_end = b"", False
            self.streams[e.stream_id] = request
            self.most = max(self.most, len([r for r in self.streams.values() if not (r.answered or r.reset)]))
            self.origin.note(request)
            early = self.origin.early.get(request.path)
            if early:
                early(self, e.stream_id, request)
        elif isinstance(e, h2.events.DataReceived):
            self.streams[e.stream_id].body += e.data
            if self.origin.reads:
                self.h2.acknowledge_received_data(e.flow_controlled_length, e.stream_id)
        elif isinstance(e, h2.events.TrailersReceived):
            self.streams[e.stream_id].trailers = Fields(e.headers)
        elif isinstance(e, h2.events.StreamEnded):
            request = self.streams[e.stream_id]
            request.ended = True
            if request.path not in self.origin.early:
                self.origin.serve(self, e.stream_id, request)
        elif isinstance(e, h2.events.StreamReset):
            self.streams[e.stream_id].reset = e.error_code
        elif isinstance(e, h2.events.PingReceived):
            self.pings += 1

    def run(self):
        with self.lock:
            if self.origin.settings:
                self.h2.local_settings = h2.settings.Settings(client=False, initial_values=self.origin.settings)
            self.h2.initiate_connection()
            self.flush()
        while True:
            try:
                data = self.sock.recv(65536)
            except OSError:
                return
            if not data:
                return
            with self.lock:
                try:
                    events = self.h2.receive_data(data)
                except h2.exceptions.ProtocolError as e:
                    self.origin.complaints.append(repr(e))
                    self.flush()
                    return
                try:
                    for e in events:
                        self.on_event(e)
                    self.pump()
                except (OSError, h2.exceptions.ProtocolError):
                    return


class H2Origin:
    """HTTP/2 on 127.0.0.1. By default a request is answered with what was received, as JSON; paths say otherwise:

        /status/N   that status          /bytes/N    N bytes with a length     /unsized/N  N bytes without
        /hold       200 once release() was called                              /trailers   a body and x-sum: 42
        /healthz    200

    on(path, script) puts script(conn, stream, request) in charge of a path once the request is complete, early=True when its head is."""

    def __init__(self, certificate=None, settings=None, alpn=("h2",), name="origin"):
        self.name, self.settings, self.port = name, settings, Port("127.0.0.1")
        self.context = certificate.server() if certificate else None
        if certificate and alpn:
            self.context.set_alpn_protocols(list(alpn))
        self.scripts, self.early, self.requests, self.conns, self.complaints = {}, {}, [], [], []
        self.lock, self.releases, self.reads = threading.Lock(), threading.Semaphore(0), True
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.listener.bind(self.port.address)
        self.listener.listen(128)
        threading.Thread(target=self.accept, daemon=True).start()

    def __str__(self):
        return str(self.port)

    def on(self, path, script, early=False):
        (self.early if early else self.scripts)[path] = script

    def release(self, n=1):
        self.releases.release(n)

    def note(self, request):
        with self.lock:
            self.requests.append(request)

    def count(self, path=None):
        with self.lock:
            return len([r for r in self.requests if path is None or r.path == path])

    def request(self, path, n=1):
        def seen():
            with self.lock:
                found = [r for r in self.requests if r.path == path]
            return found[n - 1] if len(found) >= n else None
        return eventually(seen, f"request {n} for {path} at {self.name}")

    def close(self):
        self.listener.close()
        self.release(1000)
        for c in self.conns:
            c.close()
        self.port.close()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                return
            threading.Thread(target=self.begin, args=(sock,), daemon=True).start()

    def begin(self, sock):
        try:
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
            conn = H2OriginConn(self, sock)
            with self.lock:
                self.conns.append(conn)
            conn.run()
        except OSError:
            pass
        finally:
            sock.close()

    def hold(self, conn, stream, _):
        def wait():
            self.releases.acquire()
            try:
                conn.answer(stream, 200, b"held")
            except (OSError, h2.exceptions.ProtocolError):
                pass
        threading.Thread(target=wait, daemon=True).start()

    def serve(self, conn, stream, request):
        script = self.scripts.get(request.path)
        word, _, n = request.path[1:].partition("/")
        if script:
            script(conn, stream, request)
        elif word == "hold":
            self.hold(conn, stream, request)
        elif word == "status":
            conn.answer(stream, int(n))
        elif word == "bytes":
            conn.answer(stream, 200, b"x" * int(n))
        elif word == "unsized":
            conn.head(stream)
            conn.data(stream, b"x" * int(n), end=True)
        elif word == "trailers":
            conn.head(stream)
            conn.data(stream, b"body")
            conn.trailers(stream, [("x-sum", "42")])
        else:
            seen = {"method": request.method, "target": request.target, "headers": list(request.headers),
                    "trailers": list(request.trailers), "body": request.body.decode("latin-1")}
            conn.answer(stream, 200, json.dumps(seen).encode(), [("content-type", "application/json")])
