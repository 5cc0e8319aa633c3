"""Puts a case to a weir between a raw client and a recording origin, and judges by what went over their sockets."""
import itertools
import re
import socket
from collections import Counter

from harness import Conn, eventually

from .strict import parse_responses

PATIENCE = 10.0
BYTEWISE = 600  # what is longer is sent in larger pieces, but for its ends
# Nothing an origin could take for another path: no dot segments, no empty ones, no escapes of slashes or control bytes.
CANONICAL = re.compile(r"\*|(/(?!\.{1,2}(/|$))([^/%\\?#;]|;|%(?!2[fF]|5[cC]|[01]|7[fF])[0-9A-F]{2})*)*")
NAMELESS = re.compile(r"%(2[de]|3[0-9]|4[1-9a-f]|5[0-9a]|5f|6[1-9a-f]|7[0-9ae])", re.I)  # escapes of unreserved bytes


def cuts(data):
    """The pieces of a byte by byte delivery."""
    if len(data) <= BYTEWISE:
        return [data[i:i + 1] for i in range(len(data))]
    middle = data[100:-100]
    return [*cuts(data[:100]), *(middle[i:i + 997] for i in range(0, len(middle), 997)), *cuts(data[-100:])]


class Client:
    """A connection from an address of its own, by which the log and the origin know it again."""

    def __init__(self, to, source):
        self.sock = socket.socket()
        self.sock.bind((source, 0))
        self.sock.connect(to)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(PATIENCE)
        self.data = b""
        self.ended = None  # or "end", "reset"

    def send(self, pieces):
        try:
            for piece in pieces:
                self.sock.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before it was all sent; the answer tells

    def receive(self):
        try:
            got = self.sock.recv(1 << 20)
        except ConnectionResetError:
            got, self.ended = b"", "reset"
        except TimeoutError:
            raise AssertionError(f"nothing more came; before that: {self.data!r}") from None
        self.data += got
        if not got:
            self.ended = self.ended or "end"

    def responses(self, methods, enough, complete=True):
        """Reads until enough(all responses so far), the last of them complete, or the end; with the bytes behind."""
        while True:
            found, left = parse_responses(self.data, methods, self.ended == "end")
            if self.ended or (found and (found[-1].complete or not complete) and enough(found)):
                return found, left
            self.receive()

    def close(self):
        self.sock.close()


class Judge:
    """flush: an address where request lines may be long and /flush/ is answered by weir itself."""

    def __init__(self, weir, origin, flush):
        self.weir = weir
        self.origin = origin
        self.flush = flush
        self.numbers = itertools.count(1)

    def judge(self, case):
        """Both deliveries; AssertionError says what is wrong."""
        runs = [self.deliver(case, whole) for whole in (True, False)]
        self.flush_log()
        for run in runs:
            run.judge_log(self.weir.log)

    def flush_log(self):
        """All that was logged so far is in sight. Lines are written in batches or after a while; a long one makes a
        batch."""
        path = f"/flush/{next(self.numbers)}"
        with Conn(self.flush) as c:
            assert c.get(f"{path}?{'x' * 40000}").status == 200
        self.weir.access(path=path)

    def deliver(self, case, whole):
        n = next(self.numbers)
        run = Run(case, f"127.20.{n >> 8}.{n & 255}", whole)
        self.origin.begin()
        if case.answer is not None:
            run.prepare(self.origin)
        client = Client(self.weir.port.address, run.source)
        try:
            run.converse(client, self.origin)
            if run.lives_on:
                run.victim(client, f"/victim-{n}-same")
        finally:
            client.close()
        client = Client(self.weir.port.address, run.source)
        try:
            run.victim(client, f"/victim-{n}")
        finally:
            client.close()
        run.judge_origin(self.origin)
        return run


class Run:
    """One delivery of a case."""

    def __init__(self, case, source, whole):
        self.case = case
        self.source = source
        self.whole = whole
        self.victims = []
        self.final = []        # statuses of the final responses
        self.reached = []      # "METHOD target" of all requests that the origin has seen, victims too
        self.cut = []          # and of those that ended before their end
        self.lives_on = case.closed is False
        self.bad_gateway = False

    def prepare(self, origin):
        """What the origin will answer. In the second delivery, what goes wrong behind a head is held back until the
        client has the head."""
        case = self.case
        head = case.answer.find(b"\r\n\r\n") + 4
        target, last = case.seen[0].target, case.answer[-1:] + case.extra
        if self.whole:
            origin.answer(target, [case.answer + case.extra], case.hangs_up)
        elif case.broken:
            origin.answer(target, cuts(case.answer[:head]), case.hangs_up, cuts(case.answer[head:]))
        else:
            origin.answer(target, [*cuts(case.answer[:-1]), last], case.hangs_up)

    def converse(self, client, origin):
        case = self.case
        for i, piece in enumerate(case.sends):
            if i:
                client.responses(case.methods, lambda found, n=i: len(found) >= n)
            client.send([piece] if self.whole or case.answer is not None else cuts(piece))
        if case.ends:
            client.sock.shutdown(socket.SHUT_WR)
        if case.broken and not self.whole:
            client.responses(case.methods, bool, complete=False)
            origin.go_on()
        self.judge_responses(client, *client.responses(case.methods, self.enough))

    def enough(self, found):
        """Broken answers are a 502 where the fault came together with the head."""
        case, found = self.case, self.expected(found)
        if not found:
            return False
        self.bad_gateway = case.broken and self.whole and found[-1].status == 502
        return self.bad_gateway or (not case.closed and len(found) >= len(case.statuses))

    def expected(self, found):
        """A client that does not wait may be told to go on, if weir has its head before its body."""
        told = 100 in self.case.statuses or self.whole or b"Expect:" not in self.case.sends[0]
        return found if told else [m for m in found if m.status != 100]

    def judge_responses(self, client, found, left):
        case, what, found = self.case, f"{client.data!r}, {client.ended}", self.expected(found)
        statuses = [m.status for m in found]
        assert left == b"", what
        assert statuses == ([502] if self.bad_gateway else list(case.statuses)), what
        assert not any(m.all(name) for m in found for name in case.lacks), what
        self.final = [s for s in statuses if s >= 200]
        if found:
            self.judge_last(found[-1], what)
        assert all(m.complete for m in found[:-1]), what
        if case.answer is None:
            answers = [m.get("x-answer") for m in found if m.all("x-answer")]
            assert answers == [f"{s.method} {s.target}" for s in case.seen][:len(answers)], what

    def judge_last(self, last, what):
        case, closes = self.case, last.get("connection") == "close"
        assert last.complete != (case.broken and not self.bad_gateway), what
        if self.bad_gateway:
            self.lives_on = not closes
        elif not case.broken and not case.ends and case.closed is not None:
            assert closes == case.closed, what
        if case.body is not None:
            assert last.body == case.body, what
        for name, value in case.has:
            assert last.get(name) == value, what

    def victim(self, client, target):
        """Somebody else's request: it gets its own answer."""
        self.victims.append(target)
        client.data = b""
        client.send([f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode()])
        found, left = client.responses(("GET",), lambda found: True)
        assert [(m.status, m.get("x-answer"), m.body) for m in found] == [(200, f"GET {target}",
                                                                           target.encode())] and not left, client.data
        self.final.append(200)

    # ---- the origin ----

    def judge_origin(self, origin):
        expected = [f"{s.method} {s.target}" for s in self.case.seen] + [f"GET {v}" for v in self.victims]
        got, rests = origin.snapshot(lambda connections: (list(origin.requests), [(c, c.rest()) for c in connections]))
        self.reached = [f"{m.method} {m.target}" for m in got]
        for connection, rest in rests:
            self.judge_rest(connection, rest)
        assert self.reached == expected, got
        for m in got:
            self.judge_request(m)
        for m, seen in zip(got, self.case.seen):
            self.compare(m, seen)

    def judge_rest(self, connection, rest):
        """What lies behind the last whole request of a connection to the origin."""
        if rest is None:
            return
        assert not isinstance(rest, str), f"the origin got bytes that are no request: {rest}"
        assert self.case.partial, f"the origin got the beginning of {rest}"
        eventually(lambda: connection.ended, f"the end of a connection with half of {rest}", PATIENCE)
        self.judge_request(rest)
        self.cut.append(f"{rest.method} {rest.target}")

    def judge_request(self, m):
        """What holds for whatever goes to an origin."""
        path, _, query = m.target.partition("?")
        assert CANONICAL.fullmatch(path) and not NAMELESS.search(path) and "#" not in query, m
        assert m.get("x-forwarded-for") == self.source, m.fields
        assert m.get("via") in ("1.1 weir", "1.0 weir"), m.fields
        assert m.get("te") in (None, "trailers"), m.fields
        hops = {name for name in ("upgrade", "te") if m.all(name)}
        assert {name for v in m.all("connection") for name in v.lower().split(", ")} == hops, m.fields
        for name in ("keep-alive", "proxy-connection", "trailer", "expect", "http2-settings", "x-real-ip"):
            assert not m.all(name), m.fields
        assert not any("_" in name for name, _ in m.fields), m.fields

    def compare(self, m, seen):
        assert m.body == seen.body, (m.body[:200], seen.body[:200])
        assert m.framing == (seen.framing or ("length" if seen.body else "none")), m
        assert m.trailers == [(n.lower(), v) for n, v in seen.trailers], m.trailers
        for name, value in seen.has:
            assert m.get(name) == value, m.fields
        for name in seen.lacks:
            assert not m.all(name), m.fields

    # ---- the access log ----

    def judge_log(self, log):
        with log.news:
            lines = [x for x in log.all if x["client"] == self.source]
        proxied = Counter(f"{x['method']} {x['path']}" +
                          (f"?{x['query']}" if x["query"] else "") for x in lines if x["attempts"])
        reached = Counter(r.rstrip("?") for r in self.reached + self.cut)
        if self.case.partial:  # a request may be taken back before a byte of it is written
            assert reached <= proxied, (reached, proxied)
        else:
            assert reached == proxied, (reached, proxied)
        if not self.case.broken and not self.case.ends:
            assert sorted(x["status"] for x in lines) == sorted(self.final), lines
