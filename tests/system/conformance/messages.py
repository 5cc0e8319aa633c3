"""RFC 9113, section 8: HTTP in frames."""
from harness.h2 import PROTOCOL_ERROR

from .checks import served, stream_error
from .frames import push_from_a_client


def malformed(fields):
    def case(c):
        stream_error(c, c.headers(fields(c)), PROTOCOL_ERROR)
    return case


def field(name, value, *more):
    return malformed(lambda c: c.head(c.path, more=[*more, (name, value)]))


def without(name):
    return malformed(lambda c: [(n, v) for n, v in c.head(c.path) if n != name])


def twice(name):
    return malformed(lambda c: c.head(c.path) + [f for f in c.head(c.path) if f[0] == name])


def twice_in_front(name):
    return malformed(lambda c: [f for f in c.head(c.path) if f[0] == name] + c.head(c.path))


def request(method, *pieces, trailers=None, more=()):
    """Is served, whatever its parts are."""
    def case(c):
        s = c.headers(c.head(c.path, method, more), end=not pieces)
        for i, piece in enumerate(pieces):
            c.data(s, piece, end=i == len(pieces) - 1 and trailers is None)
        if trailers:
            c.headers(trailers, stream=s)
        a = served(c, s)
        assert bool(a.body) == (method != "HEAD")
    return case


def bad_trailers(fields, end, body=b"test"):
    def case(c):
        s = c.post()
        if body:
            c.data(s, body, end=False)
        c.headers(fields, stream=s, end=end)
        stream_error(c, s, PROTOCOL_ERROR)
    return case


def length(value, *pieces):
    def case(c):
        s = c.headers(c.head(c.path, "POST", [("content-length", value)]), end=not pieces)
        for i, piece in enumerate(pieces):
            c.data(s, piece, end=i == len(pieces) - 1)
        stream_error(c, s, PROTOCOL_ERROR)
    return case


MESSAGES = {
    "8.1 GET": request("GET"),
    "8.1 HEAD": request("HEAD"),
    "8.1 POST": request("POST", b"test"),
    "8.1 POST with trailers": request("POST", b"test", trailers=[("x-test", "ok")], more=[("trailer", "x-test")]),
    "8.1 pseudo-header fields in trailers": bad_trailers([(":method", "POST")], end=True),
    "8.1 pseudo-header fields in trailers without an end": bad_trailers([(":method", "POST")], end=False),
    "8.1 pseudo-header fields in trailers without a body": bad_trailers([(":method", "GET")], end=True, body=b""),
    "8.1 trailers without an end": bad_trailers([("x-a", "1")], end=False),
    "8.1 trailers without an end, without a body": bad_trailers([("x-a", "1")], end=False, body=b""),
    "8.1.1 a length that is too small": length("1", b"test"),
    "8.1.1 a length that is too small for two pieces": length("1", b"test", b"test"),
    "8.1.1 a length that is too large": length("9", b"test"),
    "8.1.1 a length that is too large for two pieces": length("9", b"test", b"test"),
    "8.1.1 a length without a body": length("9"),
    "8.1.1 a length that is none": length("x", b"test"),
    "8.2.1 a name in capitals": field("X-A", "1"),
    "8.2.2 connection": field("connection", "keep-alive"),
    "8.2.2 keep-alive": field("keep-alive", "timeout=5"),
    "8.2.2 proxy-connection": field("proxy-connection", "x"),
    "8.2.2 transfer-encoding": field("transfer-encoding", "chunked"),
    "8.2.2 upgrade": field("upgrade", "x"),
    "8.2.2 te": field("te", "trailers, deflate", ("trailers", "test")),
    "8.3 an unknown pseudo-header field": field(":test", "ok"),
    "8.3 a pseudo-header field of answers": field(":status", "200"),
    "8.3 a pseudo-header field too late": malformed(lambda c: [("x-a", "1")] + c.head(c.path)),
    "8.3.1 an empty path": malformed(lambda c: c.head("")),
    "8.3.1 a path without a slash": malformed(lambda c: c.head("x")),
    "8.3.1 no method": without(":method"),
    "8.3.1 no scheme": without(":scheme"),
    "8.3.1 no path": without(":path"),
    "8.3.1 no authority": without(":authority"),
    "8.3.1 method twice": twice(":method"),
    "8.3.1 method twice, in front": twice_in_front(":method"),
    "8.3.1 scheme twice": twice(":scheme"),
    "8.3.1 scheme twice, in front": twice_in_front(":scheme"),
    "8.3.1 path twice": twice(":path"),
    "8.4 a push from a client": push_from_a_client,
    "8.5 CONNECT with a path": malformed(lambda c: [(":method", "CONNECT"), (":authority", "a:1"), (":path", "/")]),
}
