"""HTTP/1.1 as bytes: a strict little reader for both sides, which keeps what it read."""
import json


class ProtocolError(Exception):
    """The peer did not send what HTTP/1.1 asks for."""


class Closed(ProtocolError):
    """The peer closed the connection where a message was expected or under way."""


class Fields(list):
    """Header fields in order, as (name, value) with the names as they were sent."""

    def get(self, name, default=None):
        """The one value of a field; several are an error, for they would hide from a test."""
        values = self.all(name)
        if len(values) > 1:
            raise AssertionError(f"{name} is repeated: {values}")
        return values[0] if values else default

    def all(self, name):
        return [v for n, v in self if n.lower() == name.lower()]

    def has(self, name):
        return bool(self.all(name))

    def names(self):
        return [n.lower() for n, _ in self]


class Message:
    def __init__(self, raw_head):
        self.raw_head = raw_head
        lines = raw_head[:-4].split(b"\r\n")
        self.start = lines[0].decode("latin-1")
        self.headers = Fields()
        self.trailers = Fields()
        self.body = b""
        for line in lines[1:]:
            self.headers.append(split_field(line))

    def get(self, name, default=None):
        return self.headers.get(name, default)

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()


class Request(Message):
    def __init__(self, raw_head):
        super().__init__(raw_head)
        parts = self.start.split(" ")
        if len(parts) != 3:
            raise ProtocolError(f"request line {self.start!r}")
        self.method, self.target, self.version = parts
        self.path, _, self.query = self.target.partition("?")


class Response(Message):
    def __init__(self, raw_head):
        super().__init__(raw_head)
        parts = self.start.split(" ", 2)
        if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or len(parts[1]) != 3:
            raise ProtocolError(f"status line {self.start!r}")
        self.version, self.status = parts[0], int(parts[1])
        self.phrase = parts[2] if len(parts) > 2 else ""
        self.interim = []  # the 1xx that came before

    @property
    def id(self):
        return self.headers.get("X-Request-Id")

    @property
    def reason(self):
        """The reason code of weir's own answers."""
        assert self.get("Content-Type") == "application/problem+json", f"{self.start}: {self.headers} {self.body[:200]!r}"
        return self.json["reason"]

    def __repr__(self):
        return f"<{self.start} {dict(self.headers)} {self.body[:300]!r}>"


def split_field(line):
    name, colon, value = line.partition(b":")
    if not colon or not name or name != name.strip() or b"\n" in line:
        raise ProtocolError(f"field line {line!r}")
    return name.decode("latin-1"), value.strip(b" \t").decode("latin-1")


class Reader:
    """Messages out of a socket."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""

    def fill(self):
        """More bytes; False at the end."""
        got = self.sock.recv(65536)
        self.buffer += got
        return bool(got)

    def until(self, mark, what):
        while mark not in self.buffer:
            if not self.fill():
                raise Closed(f"closed within {what}: {self.buffer[:200]!r}" if self.buffer else f"closed before {what}")
        end = self.buffer.index(mark) + len(mark)
        out, self.buffer = self.buffer[:end], self.buffer[end:]
        return out

    def exactly(self, n, what="a body"):
        while len(self.buffer) < n:
            if not self.fill():
                raise Closed(f"closed within {what}: {len(self.buffer)} of {n} bytes")
        out, self.buffer = self.buffer[:n], self.buffer[n:]
        return out

    def rest(self):
        while self.fill():
            pass
        out, self.buffer = self.buffer, b""
        return out

    def head(self, kind):
        return kind(self.until(b"\r\n\r\n", f"a {kind.__name__.lower()} head"))

    def chunk(self):
        """One chunk; None for the last, whose trailers stay in the buffer."""
        line = self.until(b"\r\n", "a chunk size")
        n = int(line.split(b";")[0].strip(), 16)
        if n == 0:
            return None
        data = self.exactly(n + 2, "a chunk")
        if data[-2:] != b"\r\n":
            raise ProtocolError(f"chunk of {n} bytes ends with {data[-2:]!r}")
        return data[:-2]

    def chunked(self, message):
        while (piece := self.chunk()) is not None:
            message.body += piece
        while (line := self.until(b"\r\n", "trailers")) != b"\r\n":
            message.trailers.append(split_field(line[:-2]))

    def body(self, message, until_close):
        if (message.get("Transfer-Encoding") or "").lower() == "chunked":
            self.chunked(message)
        elif message.get("Content-Length") is not None:
            message.body = self.exactly(int(message.get("Content-Length")))
        elif until_close:
            message.body = self.rest()

    def request(self):
        r = self.head(Request)
        self.body(r, False)
        return r

    def response(self, method="GET"):
        """The next final response; those before it with 1xx are in its .interim."""
        interim = []
        while True:
            r = self.head(Response)
            if r.status == 101 or r.status >= 200:
                break
            interim.append(r)
        r.interim = interim
        if method != "HEAD" and r.status not in (101, 204, 304):
            self.body(r, True)
        return r
