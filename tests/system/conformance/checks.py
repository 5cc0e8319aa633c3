"""A client whose frames go out together, and what may come of a case."""
from harness import H2
from harness.h2 import ACK, GOAWAY, PING, RST_STREAM


class Client(H2):
    """What is sent goes out in one piece with what follows it, once the client waits for something: how long it takes to
    send says nothing. `path` is the one to ask for."""

    def __init__(self, to, path="/", **how):
        self.path, self.waiting = path, b""
        super().__init__(to, **how)

    def send(self, data):
        self.waiting += data
        return self

    def flush(self):
        data, self.waiting = self.waiting, b""
        try:
            self.conn.send(data)
        except OSError:
            pass  # it has closed: what it said before is read all the same

    def read(self):
        if self.waiting:
            self.flush()
        return super().read()

    def get(self, end=True, stream=None, more=()):
        return self.headers(self.head(self.path, more=more), end=end, stream=stream)

    def post(self, more=()):
        """The head of a request with a body to come."""
        return self.headers(self.head(self.path, "POST", more), end=False)


def served(c, stream):
    a = c.response(stream)
    assert (a.status, a.ended, a.reset) == (200, True, None), a
    return a


def alive(c):
    c.ping()
    served(c, c.write("/"))


def last_goaway(c):
    return next((f for f in reversed(c.frames) if f.kind == GOAWAY), None)


def connection_error(c, *codes):
    """A GOAWAY with one of the codes, and behind it the end of the connection (RFC 9113 5.4.1)."""
    goaway = c.rest()
    assert goaway and goaway.code in codes, goaway
    return goaway


def stream_error(c, stream, *codes):
    """RST_STREAM with one of the codes, and nothing else happens; or the same for the connection (RFC 9113 5.4.2)."""
    while c.answer(stream).reset is None:
        if c.read() is None:
            assert last_goaway(c) and last_goaway(c).code in codes, last_goaway(c)
            return
    assert c.answer(stream).reset in codes, c.answer(stream)
    alive(c)


def passed_over(c, stream):
    """What was sent on the stream changes nothing: no other reset of it, no end of the connection."""
    before = [f for f in c.frames if f.kind == RST_STREAM]
    alive(c)
    assert [f for f in c.frames if f.kind == RST_STREAM] == before


def answered(c, payload):
    """A PING with that payload is, and no other."""
    c.until(PING, payload=payload)
    assert [(f.flags & ACK, f.payload) for f in c.frames if f.kind == PING] == [(ACK, payload)]
