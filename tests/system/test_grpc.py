"""gRPC as an exchange: what a client is told frame by frame, deadlines, statuses, what is tried again and what is counted.
test_grpc_peers.py has the real client and server."""
import json
import re

import pytest

from harness import H2, eventually, run_weir
from harness import h2 as wire

CONF = """
use circuit_breaker jwt rate_limit;
listener main { bind @LISTEN@; @LISTENER@ }
upstream o { endpoint @O@; @UPSTREAM@ }
upstream nobody { endpoint 127.0.0.1:1; }
route /s/ { proxy o; @ROUTE@ }
route /nobody/ { proxy nobody; }
route /closed/ { respond 503 "closed for today: 100%\\n"; }
route /moved/ { redirect 308 https://elsewhere.test/; }
route /limited/ { rate_limit { rate 1/m; } proxy o; }
route /secret/ { jwt { issuer a; audience any; key "secret:a secret that is long enough to be one" alg=HS256; } proxy o; }
"""

EMPTY = b"\0\0\0\0\0"  # a message of no bytes

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n"
ONE = b"5\r\n" + EMPTY + b"\r\n"


def end(status, more=b""):
    return b"0\r\ngrpc-status: %d\r\n%s\r\n" % (status, more)


def trailers_only(status, more=b""):
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\ngrpc-status: %d\r\n%sContent-Length: 0\r\n\r\n" % (status, more)


def fields(*more):
    return [("content-type", "application/grpc"), ("te", "trailers"), *more]


@pytest.fixture
def start(weir, origin):
    def run(upstream="", route="", listener="", **values):
        w = weir(CONF, O=origin, UPSTREAM=upstream, ROUTE=route, LISTENER=listener, **values)
        w.h2 = lambda **how: H2(w.port.address, **how)

        def call(path="/s/M", *more, body=EMPTY):
            with w.h2() as c:
                a = c.request(path, "POST", fields(*more), body)
                a.kinds = [f.kind for f in c.frames if f.stream == 1 and f.kind in (wire.HEADERS, wire.DATA)]
                return a
        w.call = call
        w.calls = lambda status, **labels: w.metric("weir_grpc_requests_total", grpc_status=status, **labels) or 0
        return w
    return run


def told(a):
    """Status and message of an answer that is trailers alone."""
    assert a.kinds == [wire.HEADERS] and a.ended and (a.status, a.body) == (200, b"") and not a.trailers, a
    assert a.get("content-type") == "application/grpc" and a.get("content-length") is None
    return int(a.get("grpc-status")), a.get("grpc-message")


def words(line):
    """The record, without what is not asked for here."""
    return [(d["step"], d["verdict"], d["reason"]) for d in line["why"] if d["step"] in ("attempt", "grpc", "retry", "grpc_timeout")]


# ---- what passes ----


def test_a_call(start, origin):
    origin.raw("/s/M", HEAD + ONE + end(0, b"x-more: 1\r\n"), close=False)
    w = start()
    a = w.call("/s/M", ("grpc-encoding", "identity"))
    assert (a.status, a.body, list(a.trailers)) == (200, EMPTY, [("grpc-status", "0"), ("x-more", "1")])
    sent = origin.request("/s/M").headers
    assert sent.get("TE") == "trailers" and sent.get("Content-Type") == "application/grpc" and not sent.has("grpc-timeout")
    line = w.logged(a)
    assert line["status"] == 200 and words(line) == [("attempt", "pass", None), ("grpc", "pass", "ok")]
    assert w.calls("OK", route="/s/") == 1
    assert w.metric("weir_upstream_requests_total", outcome="ok") == 1


@pytest.mark.parametrize("code, name, outcome", [(14, "UNAVAILABLE", "error_status"), (5, "NOT_FOUND", "ok"), (12, "UNIMPLEMENTED", "ok"), (99, "UNKNOWN", "error_status")])
def test_statuses_of_the_origin(start, origin, code, name, outcome):
    """By trailers, or by a head that is all of the answer, which it is to the client too."""
    w = start()
    origin.raw("/s/M", HEAD + ONE + end(code), close=False)
    a = w.call()
    assert list(a.trailers) == [("grpc-status", str(code))] and w.logged(a)["status"] == 200
    origin.raw("/s/M", trailers_only(code, b"grpc-message: no %25\r\n"), close=False)
    a = w.call()
    assert told(a) == (code, "no %25")
    assert words(w.logged(a))[-1] == ("grpc", "error" if outcome == "error_status" else "pass", name.lower())
    assert w.calls(name) == 2 and w.metric("weir_upstream_requests_total", outcome=outcome) == 2


def test_an_answer_without_a_status(start, origin):
    w = start()
    origin.raw("/s/M", HEAD + ONE + b"0\r\n\r\n", close=False)
    a = w.call()
    assert a.ended and not a.trailers
    assert words(w.logged(a))[-1] == ("grpc", "error", "no_grpc_status") and w.calls("UNKNOWN") == 1
    origin.raw("/s/M", b"HTTP/1.1 503 No\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nno", close=False)
    a = w.call()
    assert (a.status, a.body, a.get("content-type")) == (503, b"no", "text/html") and w.logged(a)["status"] == 503
    assert w.calls("UNAVAILABLE") == 1 and w.metric("weir_upstream_requests_total", outcome="error_status") == 2


def test_a_status_in_a_head_that_turns_out_to_be_all(start, origin):
    def script(conn, _):
        conn.send(HEAD[:-2] + b"grpc-status: 5\r\n\r\n")
        origin.releases.acquire(timeout=20)
        conn.send(b"0\r\n\r\n")
    origin.on("/s/M", script)
    w = start()
    with w.h2() as c:
        stream = c.write("/s/M", "POST", fields(), EMPTY)
        c.wait(lambda: c.answer(stream).status, "the head")
        origin.release()
        assert c.response(stream).get("grpc-status") == "5" and w.logged(c.answer(stream)) and w.calls("NOT_FOUND") == 1


def test_a_head_and_trailers_at_once(weir, h2_origin):
    """Of a call without messages: they are no trailers-only answer, and the status is in the trailers."""
    def script(conn, stream, _):
        with conn.lock:
            conn.h2.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
            conn.trailers(stream, [("grpc-status", "5"), ("grpc-message", "no")])
    o = h2_origin()
    o.on("/s/M", script)
    w = weir("upstream o { endpoint @O@; protocol http2; }\nroute / { proxy o; }", O=o)
    with H2(w.port.address) as c:
        a = c.request("/s/M", "POST", fields(), EMPTY)
    assert list(a.trailers) == [("grpc-status", "5"), ("grpc-message", "no")] and words(w.logged(a))[-1] == ("grpc", "pass", "not_found")


@pytest.mark.parametrize("begin", [HEAD + ONE, b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nContent-Length: 99\r\n\r\n" + EMPTY],
                         ids=["chunked", "length"])
def test_an_answer_that_breaks_off(start, origin, begin):
    def script(conn, _):
        conn.send(begin)
        origin.releases.acquire(timeout=20)
        return False
    origin.on("/s/M", script)
    w = start()
    with w.h2() as c:
        stream = c.write("/s/M", "POST", fields(), EMPTY)
        c.wait(lambda: c.answer(stream).body, "the answer")
        origin.release()
        a = c.response(stream)
    assert a.body == EMPTY and list(a.trailers) == [("grpc-status", "14"), ("grpc-message", "the upstream's answer ended early")]
    line = w.logged(a)
    assert (line["status"], line["reason"]) == (200, "body_aborted") and w.calls("UNAVAILABLE") == 1
    assert w.metric("weir_upstream_requests_total", outcome="reset") == 1


def test_others_are_no_calls(start, origin):
    """Whoever is no client of gRPC gets documents: HTTP/1.1, another content type, another method."""
    w = start()
    with w.h2() as c:
        assert c.request("/no", "POST", [("content-type", "application/grpc-web")], b"").reason == "no_route"
        assert c.request("/no", "GET", [("content-type", "application/grpc")]).reason == "no_route"
    assert w.request("POST", "/no", fields(), EMPTY).reason == "no_route"
    assert w.request("POST", "/closed/", fields(), EMPTY).status == 503
    assert w.request("POST", "/limited/", fields(), EMPTY).status == 200  # where policies have had their say
    assert w.request("POST", "/limited/", fields(), EMPTY).reason == "rate_limited"
    assert w.metric("weir_grpc_requests_total") is None


# ---- answers of weir's own ----


@pytest.mark.parametrize("path, status, code, reason, message", [
    ("/no/M", 404, 12, "no_route", "no route is configured for this host and path"),
    ("/nobody/M", 502, 14, "connect_failed", "the upstream could not be reached"),
    ("/closed/M", 503, 14, None, "closed for today: 100%25"),
    ("/secret/M", 401, 16, "jwt_missing", None),
])
def test_refusals(start, path, status, code, reason, message):
    w = start()
    a = w.call(path)
    assert told(a)[0] == code and (message is None or told(a)[1] == message) and a.id
    line = w.logged(a)
    assert (line["status"], line["reason"]) == (status, reason)
    assert w.metric("weir_requests_total", code=str(status)) == 1 and w.metric("weir_requests_total", code="200") is None
    assert bool(a.get("www-authenticate")) == (status == 401) and bool(a.get("proxy-status")) == bool(reason)


def test_what_is_limited(start, origin):
    origin.raw("/limited/M", HEAD + ONE + end(0), close=False)
    w = start()
    assert w.call("/limited/M").trailers
    a = w.call("/limited/M")
    assert told(a)[0] == 8 and int(a.get("grpc-retry-pushback-ms")) == 1000 * int(a.get("retry-after")) > 0
    assert a.get("ratelimit") and w.logged(a)["status"] == 429 and w.calls("RESOURCE_EXHAUSTED", route="/limited/") == 1


def test_a_redirect_stays_one(start):
    a = start().call("/moved/M")
    assert (a.status, a.get("location")) == (308, "https://elsewhere.test/")


def test_who_speaks_no_grpc_gets_no_longer_body_by_its_name(start, origin):
    """An origin of HTTP/1.1 is none of gRPC: max_body bounds the whole of what it gets, also what came with the head."""
    w = start(route="max_body 10;")
    for body in (EMPTY * 3, EMPTY * 30000):
        a = w.call(body=body)
        assert (told(a)[0], w.logged(a)["reason"]) == (8, "body_too_large") and origin.count() == 0
    origin.raw("/s/M", HEAD + ONE + end(0), close=False)
    assert w.call(body=EMPTY * 2).trailers.get("grpc-status") == "0"


def test_a_message_that_is_too_large(weir, h2_origin):
    """At once; and when the answer has begun. A call of many messages may be as long as it likes."""
    def script(conn, stream, _):
        conn.head(stream, headers=[("content-type", "application/grpc")])
        conn.data(stream, EMPTY)
    o = h2_origin()
    o.on("/s/M", script, early=True)
    w = weir("upstream o { endpoint @O@; protocol http2; }\nroute / { proxy o; max_body 10; }", O=o)
    with H2(w.port.address) as c:
        a = c.request("/s/all", "POST", fields(), b"\0\0\0\0\x0b")
        assert (a.get("grpc-status"), w.logged(a)["reason"]) == ("8", "body_too_large")
        stream = c.headers(c.head("/s/M", "POST", fields()), end=False)
        c.data(stream, EMPTY, end=False)
        c.wait(lambda: c.answer(stream).body, "the answer")
        for _ in range(50):
            c.data(stream, b"\0\0\0\0\x0a0123456789" + EMPTY, end=False)
        c.ping()
        assert not c.answer(stream).ended
        c.data(stream, EMPTY + b"\0\0\0\0", end=False)
        c.data(stream, b"\x0b", end=False)
        a = c.response(stream)
        assert a.trailers.get("grpc-status") == "8" and "max_body" in a.trailers.get("grpc-message")


# ---- deadlines ----


def milliseconds(text):
    unit = {"n": 1e-6, "u": 1e-3, "m": 1, "S": 1e3, "M": 6e4, "H": 3.6e6}
    assert re.fullmatch(r"\d{1,8}[numSMH]", text)
    return int(text[:-1]) * unit[text[-1]]


def test_a_deadline_before_the_answer(start, origin):
    origin.on("/s/M", lambda conn, _: conn.until_closed())
    w = start()
    a = w.call("/s/M", ("grpc-timeout", "200m"))
    assert told(a) == (4, "the upstream did not answer in time: `grpc-timeout` is 200ms")
    sent = origin.request("/s/M").headers
    assert 0 < milliseconds(sent.get("grpc-timeout")) <= 200
    line = w.logged(a)
    assert (line["status"], line["reason"]) == (504, "upstream_timeout") and words(line)[0] == ("grpc_timeout", "refuse", "upstream_timeout")
    # The client has given up, which says nothing about the origin.
    assert w.metric("weir_upstream_requests_total", outcome="cancelled") == 1 and w.calls("DEADLINE_EXCEEDED") == 1


def test_the_route_has_a_deadline_too(start, origin):
    origin.on("/s/M", lambda conn, _: conn.until_closed())
    w = start(route="timeout 200ms;")
    a = w.call("/s/M", ("grpc-timeout", "20S"))
    assert told(a) == (4, "the upstream did not answer in time: `timeout` is 200ms")
    assert milliseconds(origin.request("/s/M").headers.get("grpc-timeout")) > 10000
    assert w.logged(a) and w.metric("weir_upstream_requests_total", outcome="timeout") == 1


def test_a_deadline_within_the_answer(start, origin):
    def script(conn, _):
        conn.send(HEAD + ONE)
        conn.until_closed()
    origin.on("/s/M", script)
    w = start()
    a = w.call("/s/M", ("grpc-timeout", "300m"))
    assert a.body == EMPTY and a.trailers.get("grpc-status") == "4" and w.logged(a)["reason"] == "upstream_timeout"
    assert w.metric("weir_upstream_requests_total", outcome="cancelled") == 1


def test_the_route_has_none_once_the_answer_has_begun(start, origin):
    def script(conn, _):
        conn.send(HEAD + ONE)
        origin.releases.acquire(timeout=20)
        conn.send(ONE + end(0))
    origin.on("/s/M", script)
    origin.on("/s/late", lambda conn, _: conn.until_closed())
    w = start(route="timeout 100ms;")
    with w.h2() as c:
        stream = c.write("/s/M", "POST", fields(), EMPTY)
        c.wait(lambda: c.answer(stream).body, "the answer")
        assert c.request("/s/late", "POST", fields(), EMPTY).get("grpc-status") == "4"  # the time is over for both
        origin.release()
        assert c.response(stream).trailers.get("grpc-status") == "0"
        line = w.logged(c.answer(stream))
        assert line["duration_ms"] - line["upstream_ms"] > 90  # the origin is judged by its head: streams may be long


@pytest.mark.parametrize("more, code", [([("grpc-timeout", "1s")], 13), ([("grpc-timeout", "123456789m")], 13),
                                        ([("grpc-timeout", "1S"), ("grpc-timeout", "2S")], 13), ([("grpc-timeout", "0n")], 4)])
def test_deadlines_that_are_none(start, origin, more, code):
    w = start()
    a = w.call("/s/M", *more)
    assert told(a)[0] == code and w.logged(a)["reason"] == ("bad_request" if code == 13 else "upstream_timeout")
    assert origin.count() == 0


@pytest.mark.parametrize("bound", ["idle_timeout", "max_duration"])
def test_bounds_of_a_stream(start, origin, bound):
    def script(conn, _):
        conn.send(HEAD + ONE)
        conn.until_closed()
    origin.on("/s/M", script)
    a = start(route=f"{bound} 200ms;").call()
    assert a.body == EMPTY and a.trailers.get("grpc-status") == "14" and f"`{bound}` is 200ms" in a.trailers.get("grpc-message")


def test_a_stream_may_pause(start, origin):
    """The time that a body may take is for uploads: a call that waits for its next message is none."""
    origin.raw("/s/M", HEAD + ONE + end(0), close=False)
    w = start(listener="timeouts { body 200ms; }")
    with w.h2() as c:
        call = c.headers(c.head("/s/M", "POST", fields()), end=False)
        upload = c.headers(c.head("/s/M", "POST"), end=False)
        assert c.response(upload).status == 408
        c.data(call, EMPTY)
        assert c.response(call).trailers.get("grpc-status") == "0"


# ---- learning and trying again ----


def turns(origin, path, *answers):
    """One after the other; the last from then on."""
    left = list(answers)

    def script(conn, _):
        conn.send(left.pop(0) if len(left) > 1 else left[0])
    origin.on(path, script)


RETRY = "retry { attempts 3; on grpc unavailable resource_exhausted; }"


def test_what_is_listed_is_tried_again(start, origin):
    turns(origin, "/s/M", trailers_only(14), trailers_only(8), HEAD + ONE + end(0))
    w = start(RETRY)
    a = w.call("/s/M", ("grpc-timeout", "9S"), body=EMPTY + b"\0\0\0\0\x07message")
    assert a.trailers.get("grpc-status") == "0"
    first, second, third = (origin.request("/s/M", n) for n in (1, 2, 3))
    assert first.body == second.body == third.body == EMPTY + b"\0\0\0\0\x07message"
    assert milliseconds(first.get("grpc-timeout")) > milliseconds(third.get("grpc-timeout"))
    assert words(w.logged(a)) == [
        ("attempt", "pass", None), ("grpc", "error", "unavailable"), ("retry", "pass", "retry"),
        ("attempt", "pass", None), ("grpc", "pass", "resource_exhausted"), ("retry", "pass", "retry"),
        ("attempt", "pass", None), ("grpc", "pass", "ok")]
    assert w.calls("OK") == 1 and w.calls("UNAVAILABLE") == 0  # calls, not attempts


@pytest.mark.parametrize("answer, reason", [
    (trailers_only(13), None),                                        # not listed
    (HEAD + ONE + end(14), None),                                     # something has come
    (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", None),          # no answer of gRPC
    (trailers_only(14, b"grpc-retry-pushback-ms: 1000\r\n"), "pushback"),
])
def test_what_is_not_tried_again(start, origin, answer, reason):
    origin.raw("/s/M", answer, close=False)
    w = start(RETRY)
    a = w.call()
    assert origin.count("/s/M") == 1
    assert [r for s, _, r in words(w.logged(a)) if s == "retry"] == ([reason] if reason else [])


def test_the_last_answer_is_passed_on(start, origin):
    origin.raw("/s/M", trailers_only(14, b"grpc-message: down\r\n"), close=False)
    w = start(RETRY)
    assert told(w.call()) == (14, "down") and origin.count("/s/M") == 3


def test_a_breaker_learns_by_trailers(start, origin):
    origin.raw("/s/M", HEAD + ONE + end(14), close=False)
    w = start("circuit_breaker { min_requests 3; failure_rate 100%; open 60s; }")
    for code in (12, 5, 8, 3):  # the caller's affairs
        origin.raw("/s/caller", HEAD + ONE + end(code), close=False)
        assert w.call("/s/caller").trailers.get("grpc-status") == str(code)
    assert w.upstream("o")["breaker"]["failure_rate"] == 0 and w.upstream("o")["breaker"]["calls"] == 4
    w = start("circuit_breaker { min_requests 3; failure_rate 100%; open 60s; }")
    for _ in range(3):
        assert w.logged(w.call())
    a = w.call()
    assert told(a)[0] == 14 and int(a.get("grpc-retry-pushback-ms")) > 50000 and w.logged(a)["reason"] == "breaker_open"
    assert origin.count("/s/M") == 3


def test_outliers_are_found_by_trailers(weir, make_origin):
    a, b = make_origin("a"), make_origin("b")
    a.raw("/s/M", HEAD + ONE + end(14), close=False)
    b.raw("/s/M", HEAD + ONE + end(0), close=False)
    w = weir("upstream o { endpoint @A@; endpoint @B@; outlier { consecutive 2; eject 60s; } }\nroute / { proxy o; }", A=a, B=b)
    with H2(w.port.address) as c:
        answers = [c.request("/s/M", "POST", fields(), EMPTY).trailers.get("grpc-status") for _ in range(8)]
    assert answers.count("14") == 2
    assert w.endpoint("o", a)["state"] == "ejected"


def test_whoever_leaves_has_cancelled(start, origin):
    def script(conn, _):
        conn.send(HEAD + ONE)
        conn.until_closed()
        origin.release()
    origin.on("/s/M", script)
    w = start()
    with w.h2() as c:
        stream = c.write("/s/M", "POST", fields(), EMPTY)
        c.wait(lambda: c.answer(stream).body, "the answer")
        c.rst(stream)
        eventually(lambda: w.calls("CANCELLED") == 1, "the end of the call")
    assert w.metric("weir_upstream_requests_total", outcome="cancelled") == 1


def test_whoever_leaves_while_it_is_tried_again(start, origin):
    answers = [lambda conn: conn.send(trailers_only(14)), lambda conn: conn.until_closed()]
    origin.on("/s/M", lambda conn, _: answers.pop(0)(conn))
    w = start(RETRY)
    with w.h2() as c:
        stream = c.write("/s/M", "POST", fields(), EMPTY)
        origin.request("/s/M", 2)
        c.rst(stream)
        eventually(lambda: w.calls("CANCELLED") == 1, "the end of the call")
    assert w.calls("UNAVAILABLE") == 0


def test_counts_of_a_route_go_with_it(start):
    w = start()
    w.call("/closed/M")
    eventually(lambda: w.calls("UNAVAILABLE", route="/closed/") == 1, "the call counted")
    w.reload("route / { respond 200; }")
    eventually(lambda: w.metric("weir_grpc_requests_total", route="/closed/") is None, "the end of the route's counts")


def test_a_call_through_grpc_web(weir, origin):
    """What a policy has made a call is one: its deadline, its status, its refusals. Over HTTP/1.1 too."""
    w = weir("use grpc_web;\nupstream o { endpoint @O@; retry { on grpc unavailable; } }\nroute / { grpc_web; proxy o; max_body 20; }", O=origin)
    web = [("Content-Type", "application/grpc-web")]
    turns(origin, "/s/M", trailers_only(14), HEAD + ONE + end(5))
    r = w.post("/s/M", EMPTY, [*web, ("grpc-timeout", "9S")])
    assert r.status == 200 and r.body.endswith(b"grpc-status: 5\r\n") and origin.count("/s/M") == 2
    assert 8000 < milliseconds(origin.request("/s/M").get("grpc-timeout")) < 9000
    assert words(w.logged(r))[-1] == ("grpc", "pass", "not_found") and w.metric("weir_grpc_requests_total", grpc_status="NOT_FOUND") == 1
    origin.on("/s/M", lambda conn, _: conn.until_closed())
    r = w.post("/s/M", EMPTY, [*web, ("grpc-timeout", "200m")])
    assert (r.status, r.get("grpc-status"), r.get("content-type"), r.body) == (200, "4", "application/grpc-web", b"")
    assert w.logged(r)["status"] == 504
    r = w.post("/s/M", EMPTY, [*web, ("grpc-timeout", "soon")])
    assert (r.get("grpc-status"), w.logged(r)["reason"]) == ("13", "bad_request")
    assert w.post("/s/M", b"x" * 21, web).reason == "body_too_large"  # before any policy has looked


# ---- offline ----


def test_explain(tmp_path):
    path = tmp_path / "gateway.conf"
    path.write_text("listener main { bind 127.0.0.1:1; }\nroute = /x { methods GET; respond 200; }\n")
    done = run_weir("explain", "-c", path, "POST", "http://a/x", "-H", "content-type: application/grpc", "--json")
    got = json.loads(done.stdout)
    assert (got["status"], got["reason"]) == (405, "method_not_allowed")
    assert (got["headers"]["grpc-status"], got["headers"]["Content-Type"]) == ("12", "application/grpc")
    done = run_weir("explain", "-c", path, "POST", "http://a/x", "-H", "content-type: application/grpc", "-H", "grpc-timeout: 5")
    assert "bad_request" in done.stdout and "grpc-status: 13" in done.stdout


def test_what_a_retry_lists(check):
    conf = "listener main {{ bind 127.0.0.1:1; }}\nupstream o {{ endpoint 127.0.0.1:2; retry {{ on {}; }} }}\nroute / {{ proxy o; }}\n"
    done = check(conf.format("connect_failure 503 grpc unavailable aborted"), "--dump")
    assert done.returncode == 0 and "on connect_failure 503 grpc unavailable aborted;" in done.stdout
    done = check(conf.format("grpc unavailabel"))
    assert done.returncode == 1 and "did you mean `unavailable`?" in done.stderr
    done = check(conf.format("unavailable"))
    assert done.returncode == 1 and "did you mean `grpc unavailable`?" in done.stderr
