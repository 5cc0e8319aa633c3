"""A client of HTTP/2 that sends exactly the frames it is told and reads whatever comes, frame by frame."""
import struct

import hpack

from .client import Conn
from .message import Closed, Fields

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
NAMES = ["DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY", "WINDOW_UPDATE", "CONTINUATION"]

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
WITH_PRIORITY = 0x20

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = range(1, 7)
ENABLE_CONNECT_PROTOCOL = 8

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, \
    CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM = range(12)


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def settings(*pairs, flags=0, stream=0):
    return frame(SETTINGS, flags, stream, b"".join(struct.pack(">HI", k, v) for k, v in pairs))


def number(n):
    return struct.pack(">I", n)


class Frame:
    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags, self.stream, self.payload = kind, flags, stream, payload

    @property
    def code(self):
        """The error code of RST_STREAM or GOAWAY."""
        return struct.unpack(">I", self.payload[4:8] if self.kind == GOAWAY else self.payload[:4])[0]

    @property
    def last(self):
        """The last stream of a GOAWAY."""
        return struct.unpack(">I", self.payload[:4])[0]

    def __repr__(self):
        name = NAMES[self.kind] if self.kind < len(NAMES) else self.kind
        return f"<{name} {self.flags:#x} stream {self.stream} {self.payload[:60]!r}>"


class Answer:
    """What came on one stream."""

    def __init__(self):
        self.interim, self.headers, self.trailers = [], Fields(), Fields()
        self.status, self.body, self.ended, self.reset = None, b"", False, None

    def get(self, name, default=None):
        return self.headers.get(name, default)

    @property
    def id(self):
        return self.headers.get("x-request-id")

    @property
    def reason(self):
        import json
        assert self.get("content-type") == "application/problem+json", (self.status, self.headers)
        return json.loads(self.body)["reason"]

    def __repr__(self):
        return f"<{self.status} {dict(self.headers)} {self.body[:200]!r} ended={self.ended} reset={self.reset}>"


class H2:
    """A connection; what comes is answered as an honest client does it (settings and pings acknowledged, windows given back)
    unless `quiet`."""

    def __init__(self, to, *, tls=None, server_name=None, start=True, mine=(), quiet=False, window=True, **how):
        self.conn = Conn(to, tls=tls, server_name=server_name, **how)
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.decoder.max_header_list_size = 1 << 20
        self.quiet, self.window = quiet, window
        self.answers = {}
        self.frames = []    # all that came
        self.theirs = {}    # settings of the peer
        self.next_id = 1
        self.block = b""
        self.ended = False
        if start:
            self.send(PREFACE + settings(*mine))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.conn.close()

    # ---- sending ----

    def send(self, data):
        self.conn.send(data)
        return self

    def frame(self, kind, flags=0, stream=0, payload=b""):
        return self.send(frame(kind, flags, stream, payload))

    def encode(self, headers):
        return self.encoder.encode(headers, huffman=False)

    def head(self, path="/", method="GET", more=(), authority="weir.test", scheme="http"):
        return [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path), *more]

    def new_stream(self):
        self.next_id += 2
        return self.next_id - 2

    def headers(self, headers, end=True, stream=None, flags=END_HEADERS):
        """HEADERS with these fields, and CONTINUATIONs as they are needed; the stream's number."""
        stream = stream or self.new_stream()
        block = self.encode(headers)
        pieces = [block[i:i + 16384] for i in range(0, len(block), 16384)] or [b""]
        for i, piece in enumerate(pieces):
            last = flags if i == len(pieces) - 1 else 0
            self.frame(CONTINUATION if i else HEADERS, last | (END_STREAM if end and not i else 0), stream, piece)
        return stream

    def write(self, path="/", method="GET", more=(), body=None, **how):
        """A request; the stream's number. A body must fit in the windows."""
        stream = self.headers(self.head(path, method, more, **how), end=body is None)
        if body is not None:
            self.data(stream, body)
        return stream

    def data(self, stream, body=b"", end=True):
        pieces = [body[i:i + 16384] for i in range(0, len(body), 16384)] or [b""]
        for i, piece in enumerate(pieces):
            self.frame(DATA, END_STREAM if end and i == len(pieces) - 1 else 0, stream, piece)

    def rst(self, stream, code=CANCEL):
        self.frame(RST_STREAM, 0, stream, number(code))

    def open_window(self, stream, n):
        self.frame(WINDOW_UPDATE, 0, stream, number(n))

    # ---- reading ----

    def read(self):
        """The next frame; None at the end of the connection."""
        try:
            head = self.conn.exactly(9)
            payload = self.conn.exactly(int.from_bytes(head[:3], "big"))
        except (Closed, ConnectionResetError):
            self.ended = True
            return None
        f = Frame(head[3], head[4], int.from_bytes(head[5:9], "big") & 0x7fffffff, payload)
        self.frames.append(f)
        self.take(f)
        return f

    def answer(self, stream):
        return self.answers.setdefault(stream, Answer())

    def take(self, f):
        if f.kind in (HEADERS, CONTINUATION):
            self.block += f.payload
            self.answer(f.stream).ended |= f.kind == HEADERS and bool(f.flags & END_STREAM)
            if f.flags & END_HEADERS:
                self.take_head(self.answer(f.stream), [(n, v) for n, v in self.decoder.decode(self.block)])
                self.block = b""
        elif f.kind == DATA:
            a = self.answer(f.stream)
            a.body += f.payload
            a.ended |= bool(f.flags & END_STREAM)
            if f.payload and self.window:
                self.reply(frame(WINDOW_UPDATE, 0, 0, number(len(f.payload))) +
                           (b"" if a.ended else frame(WINDOW_UPDATE, 0, f.stream, number(len(f.payload)))))
        elif f.kind == RST_STREAM:
            self.answer(f.stream).reset = f.code
        elif f.kind == SETTINGS and not f.flags & ACK:
            self.theirs.update(struct.iter_unpack(">HI", f.payload))
            self.reply(settings(flags=ACK))
        elif f.kind == PING and not f.flags & ACK:
            self.reply(frame(PING, ACK, 0, f.payload))

    def reply(self, data):
        if self.quiet:
            return
        try:
            self.send(data)
        except OSError:
            pass  # it has closed: what it sent before is read all the same

    @staticmethod
    def take_head(a, fields):
        if fields[0][0] != ":status":
            a.trailers += fields
        elif fields[0][1].startswith("1"):
            a.interim.append((int(fields[0][1]), Fields(fields[1:])))
        else:
            assert a.status is None, f"two final heads: {a} {fields}"
            a.status = int(fields[0][1])
            a.headers += fields[1:]

    def wait(self, good, what="it"):
        """Reads until good() is true, and returns that."""
        while True:
            got = good()
            if got:
                return got
            if self.read() is None:
                raise AssertionError(f"the connection ended before {what}: {self.frames[-10:]}")

    def response(self, stream):
        a = self.answer(stream)
        self.wait(lambda: a.ended or a.reset is not None, f"the end of stream {stream}")
        return a

    def request(self, path="/", method="GET", more=(), body=None, **how):
        return self.response(self.write(path, method, more, body, **how))

    def until(self, kind, **members):
        """The first frame of that kind, come or to come, with these members."""
        def first():
            return next((f for f in self.frames if f.kind == kind and all(getattr(f, k) == v for k, v in members.items())), None)
        return self.wait(first, f"{NAMES[kind]} {members}")

    def ping(self):
        """All that was sent before is dealt with when this returns."""
        n = sum(1 for f in self.frames if f.kind == PING and f.flags & ACK)
        self.frame(PING, 0, 0, b"\0" * 8)
        self.wait(lambda: sum(1 for f in self.frames if f.kind == PING and f.flags & ACK) > n, "the answer to a PING")

    def rest(self):
        """Reads to the end; the last GOAWAY, or None."""
        while self.read():
            pass
        return next((f for f in reversed(self.frames) if f.kind == GOAWAY), None)
