"""What a case is. README.md beside this file says how to write one."""
from dataclasses import dataclass, replace
from typing import NamedTuple

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"
GET = "GET /x HTTP/1.1\r\nHost: h\r\n"
POST = "POST /x HTTP/1.1\r\nHost: h\r\n"
CHUNKED = POST + "Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = HIDDEN.decode()


class Seen(NamedTuple):
    """A request that the origin must have got, whole."""
    method: str
    target: str
    body: bytes = b""
    framing: str = None    # none, length or chunked; None: length if there is a body, else none
    has: tuple = ()        # (name, value) of fields that must be there, once
    lacks: tuple = ()      # names of fields that must not be there
    trailers: tuple = ()   # (name, value), all of them


@dataclass(frozen=True)
class Case:
    name: str
    outcome: str             # refused, served, dropped, closed, bad gateway, cut: for the table
    sends: tuple             # pieces; before each but the first the client waits for one more response
    statuses: tuple = ()     # of all responses, 1xx too
    seen: tuple = ()
    closed: bool = True      # weir ends the connection behind the last response
    ends: bool = False       # the client ends its side behind the last piece
    methods: tuple = ()      # of the requests, where a response depends on it
    partial: bool = False    # the origin may have got the beginning of a request, on a connection that then ended
    answer: bytes = None     # what the origin answers the first of `seen` with
    extra: bytes = b""       # and what comes along with the last byte of that, though nobody asked for it
    hangs_up: bool = False   # and ends the connection then
    body: bytes = None       # of the last response
    has: tuple = ()          # (name, value) of fields of the last response
    lacks: tuple = ()        # names of fields that no response may have
    broken: bool = False     # the answer goes wrong behind its head: the last response is visibly cut
    family: str = None

    @property
    def id(self):
        return f"{self.family}:{self.name}".replace(" ", "-")


def pieces(sends):
    """Text and bytes, one or several, as a tuple of bytes."""
    many = sends if isinstance(sends, (list, tuple)) else [sends]
    return tuple(s if isinstance(s, bytes) else s.encode("latin-1") for s in many)


def refused(name, sends, status=400, then=HIDDEN, **how):
    """Answered by weir itself, which then closes: the request and all behind it is gone. `then` is sent along behind
    it, for a parser that goes on where this one stops."""
    sends = pieces(sends)
    return Case(name, "refused", (*sends[:-1], sends[-1] + then), **{"statuses": (status,), **how})


def answered(name, sends, status, **how):
    """Answered by weir itself, and the connection goes on."""
    return Case(name, how.pop("outcome", "answered"), pieces(sends), (status,), **{"closed": False, **how})


def dropped(name, sends, **how):
    """The connection is closed without an answer: no request has come whole, and the client has ended its side."""
    return Case(name, "closed", pieces(sends), ends=True, **how)


def served(name, sends, *seen, **how):
    """Reaches the origin as exactly these requests, and each is answered."""
    how = {"closed": False, "statuses": (200,) * len(seen), **how}
    return Case(name, how.pop("outcome", "served"), pieces(sends), seen=seen, **how)


def response(name, answer, status, method="GET", outcome=None, sends=None, extra="", **how):
    """The origin answers `GET /r` with these bytes. extra: bytes behind them that belong to no answer. They come at
    once with the last of them, for what comes when the next request was sent already passes for its answer."""
    answer, extra = answer.encode("latin-1"), extra.encode("latin-1")
    sends = pieces(sends or f"{method} /r HTTP/1.1\r\nHost: h\r\n\r\n")
    statuses = status if isinstance(status, tuple) else (status,)
    how = {"closed": False, "seen": (Seen(method, "/r"),), "methods": (method,), **how}
    return Case(name, outcome or ("bad gateway" if statuses[-1] == 502 else "served"), sends, statuses, answer=answer,
                **how)


def broken(name, answer, **how):
    """The origin's answer goes wrong behind its head: what the client gets is visibly no whole answer, or a 502 where
    the fault was seen before the head was sent on."""
    return response(name, answer, 200, outcome="cut", closed=True, broken=True, **how)


def family(name, *cases):
    return [replace(c, family=name) for c in cases]
