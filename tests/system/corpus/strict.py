"""HTTP/1.1 as its grammar has it and not a byte beside it (RFC 9112): the judge's own reader, which shares nothing with
the daemon's or with the harness's. What it does not know for certain is Malformed."""
import re

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
REQUEST_LINE = re.compile(rb"(%s) ([!-~]+) HTTP/1\.1" % TOKEN)
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-9][0-9]{2}) [\t -~\x80-\xff]*")
# No white space around a value but the one space that everybody writes.
FIELD = re.compile(rb"(%s): ([!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?" % TOKEN)
CHUNK = re.compile(rb"[0-9A-Fa-f]{1,8}")
LENGTH = re.compile(rb"0|[1-9][0-9]{0,9}")


class Malformed(Exception):
    """These bytes are not HTTP/1.1."""


class Incomplete(Exception):
    """The head has not come whole."""


class Message:
    """One message. complete: its end has come; framing: none, length, chunked or close."""

    def __init__(self, start, fields):
        self.start = start
        self.fields = fields
        self.body = b""
        self.trailers = []
        self.framing = "none"
        self.complete = False

    def all(self, name):
        return [v for n, v in self.fields if n == name.lower()]

    def get(self, name):
        values = self.all(name)
        if len(values) > 1:
            raise Malformed(f"{name} is repeated: {values}")
        return values[0] if values else None

    def __repr__(self):
        end = "" if self.complete else ", cut"
        return f"<{self.start} {self.framing} {self.body[:60]!r}{end}>"


def parse_field(line):
    m = FIELD.fullmatch(line)
    if not m:
        raise Malformed(f"field line {line!r}")
    return m[1].decode().lower(), (m[2] or b"").decode("latin-1")


def parse_lines(data, at):
    """The lines of a head or a trailer section and where it ends; every line ends with CRLF, the last one is empty."""
    end = data.find(b"\r\n\r\n", at)
    if end < 0:
        raise Incomplete
    lines = bytes(data[at:end]).split(b"\r\n")
    for line in lines:
        if re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", line):
            raise Malformed(f"a control byte in {line!r}")
    return lines, end + 4


def parse_framing(m):
    """Sets framing; the number of bytes, if it is a length."""
    length, coding = m.get("content-length"), m.get("transfer-encoding")
    if coding is not None:
        if length is not None or coding != "chunked":
            raise Malformed(f"Transfer-Encoding {coding!r} with Content-Length {length!r}")
        m.framing = "chunked"
    elif length is not None:
        if not LENGTH.fullmatch(length.encode("latin-1")):
            raise Malformed(f"Content-Length {length!r}")
        m.framing = "length"
        return int(length)
    return 0


def parse_chunked(m, data, at):
    """Reads as much as there is; returns where it stands."""
    while True:
        eol = data.find(b"\r\n", at)
        if eol < 0:
            if len(data) - at > 10 or not re.fullmatch(rb"[0-9A-Fa-f]*\r?", bytes(data[at:])):
                raise Malformed(f"chunk line {bytes(data[at:at + 40])!r}")
            return len(data)
        if not CHUNK.fullmatch(bytes(data[at:eol])):
            raise Malformed(f"chunk line {bytes(data[at:eol])!r}")
        size, at = int(data[at:eol], 16), eol + 2
        if size == 0:
            return parse_trailers(m, data, at)
        m.body += data[at:at + size]
        if data[at + size:at + size + 2] != b"\r\n"[:max(0, len(data) - at - size)]:
            raise Malformed(f"chunk of {size} bytes is followed by {bytes(data[at + size:at + size + 2])!r}")
        if len(data) < at + size + 2:
            return len(data)
        at += size + 2


def parse_trailers(m, data, at):
    if data[at:at + 2] == b"\r\n":
        m.complete = True
        return at + 2
    try:
        lines, end = parse_lines(data, at)
    except Incomplete:
        return len(data)
    m.trailers = [parse_field(line) for line in lines]
    m.complete = True
    return end


def parse_body(m, data, at):
    length = parse_framing(m)
    if m.framing == "chunked":
        return parse_chunked(m, data, at)
    m.body = bytes(data[at:at + length])
    m.complete = len(m.body) == length
    return at + len(m.body)


def parse_request(data, at=0):
    """The request that starts at data[at], and where it ends."""
    lines, end = parse_lines(data, at)
    line = REQUEST_LINE.fullmatch(lines[0])
    if not line:
        raise Malformed(f"request line {lines[0]!r}")
    m = Message(lines[0].decode(), [parse_field(x) for x in lines[1:]])
    m.method, m.target = line[1].decode(), line[2].decode()
    if len(m.all("host")) != 1:
        raise Malformed(f"Host {m.all('host')}")
    return m, parse_body(m, data, end)


def parse_response(data, at, method, ended):
    """The response that starts at data[at], and where it ends. ended: no more will come after data."""
    lines, end = parse_lines(data, at)
    line = STATUS_LINE.fullmatch(lines[0])
    if not line:
        raise Malformed(f"status line {lines[0]!r}")
    m = Message(lines[0].decode("latin-1"), [parse_field(x) for x in lines[1:]])
    m.status = int(line[1])
    bodiless = m.status < 200 or m.status == 204
    if bodiless and (m.all("content-length") or m.all("transfer-encoding")):
        raise Malformed(f"framing in {m.start!r}")
    if bodiless or m.status == 304 or method == "HEAD":
        m.complete = True
        return m, end
    if m.all("content-length") or m.all("transfer-encoding"):
        return m, parse_body(m, data, end)
    m.framing = "close"
    m.body, m.complete = bytes(data[end:]), ended
    return m, len(data)


def parse_responses(data, methods, ended):
    """All responses so far, 1xx among them, and the bytes behind them."""
    found, at, methods = [], 0, list(methods)
    while at < len(data):
        try:
            m, end = parse_response(data, at, methods[0] if methods else "GET", ended)
        except Incomplete:
            break
        found.append(m)
        at = end
        if m.status == 101 or not m.complete:
            break
        if m.status >= 200 and methods:
            methods.pop(0)
    return found, bytes(data[at:])
