"""A client that sends exactly what it is told and reads exactly what comes."""
import socket
import ssl

from .message import Reader
from .wait import DEADLINE


def one_line(data):
    return data.replace(b"\n", b"\r\n")


def request_bytes(method, target, headers=(), body=None, host="weir.test", version="HTTP/1.1"):
    """A request as a well-behaved client would write it; what is in headers comes first and is not written twice."""
    headers = list(headers.items()) if isinstance(headers, dict) else list(headers)
    given = {name.lower() for name, _ in headers}
    if host is not None and "host" not in given:
        headers.insert(0, ("Host", host))
    if body is not None and not given & {"content-length", "transfer-encoding"}:
        headers.append(("Content-Length", str(len(body))))
    head = f"{method} {target} {version}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers) + "\r\n"
    return head.encode("latin-1") + (body or b"")


class Conn:
    """One connection. to: (host, port), or the path of a unix socket."""

    def __init__(self, to, tls=None, server_name=None, deadline=DEADLINE, receive_buffer=None, source=None):
        self.sock = socket.socket(socket.AF_UNIX if isinstance(to, str) else socket.AF_INET6 if ":" in to[0] else socket.AF_INET)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(deadline)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect(to)
        if self.sock.family != socket.AF_UNIX:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname=server_name)
        self.reader = Reader(self.sock)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def send(self, data):
        self.sock.sendall(data)
        return self

    def write(self, method, target, headers=(), body=None, **how):
        return self.send(request_bytes(method, target, headers, body, **how))

    def response(self, method="GET"):
        return self.reader.response(method)

    def request(self, method, target, headers=(), body=None, **how):
        return self.write(method, target, headers, body, **how).response(method)

    def get(self, target, headers=(), **how):
        return self.request("GET", target, headers, **how)

    def exactly(self, n):
        return self.reader.exactly(n)

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def at_end(self):
        """Waits for the peer to close; what came before that is an error. A reset counts as closed."""
        try:
            left = self.reader.rest()
        except (ConnectionResetError, ssl.SSLError):
            left = self.reader.buffer
        assert left == b"", f"more came before the end: {left[:200]!r}"
        return True

    def reset(self):
        """Closes so that the peer gets a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def close(self):
        self.sock.close()
