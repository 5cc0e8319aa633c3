"""Upstream: what is tried again, and what never is."""
import random
import threading
import time

import pytest

from harness import eventually

TWO = """
route / { proxy o; }
upstream o { endpoint @A@; endpoint @B@; retry { @RETRY@ } }
"""
RETRY = "attempts 2; on connect_failure reset 502 503 504;"


@pytest.fixture
def pair(make_origin):
    return make_origin("a"), make_origin("b")


def answers(w, path, n=6, method="GET", **how):
    return [w.request(method, path, **how).status for _ in range(n)]


def test_a_refused_connection_goes_elsewhere(weir, pair):
    a, b = pair
    a.stop()
    w = weir(TWO, A=a, B=b, RETRY=RETRY)
    assert answers(w, "/x") == [200] * 6
    # Nothing was sent, so that even a POST may go elsewhere.
    assert answers(w, "/x", method="POST", body=b"body") == [200] * 6
    assert all(r.body == b"body" for r in b.requests if r.method == "POST")
    why = w.access(attempts=2)["why"]
    assert [(d["verdict"], d["reason"]) for d in why if d["step"] in ("attempt", "retry")] == \
        [("error", "connect_failed"), ("pass", "retry"), ("pass", None)]


@pytest.mark.parametrize("path", ["/close", "/reset", "/status/503"])
def test_failures_that_are_listed(weir, pair, path):
    a, b = pair
    b.on(path, lambda conn, _: conn.answer(200))
    w = weir(TWO, A=a, B=b, RETRY=RETRY)
    assert answers(w, path) == [200] * 6
    assert a.count(path) >= 2


def test_statuses_that_are_not_listed(weir, pair):
    a, b = pair
    b.on("/status/500", lambda conn, _: conn.answer(200))
    w = weir(TWO, A=a, B=b, RETRY=RETRY)
    assert sorted(answers(w, "/status/500")) == [200] * 3 + [500] * 3


def test_the_last_answer_passes_when_attempts_are_used(weir, pair):
    a, b = pair
    w = weir(TWO, A=a, B=b, RETRY=RETRY)
    r = w.get("/status/503")
    assert (r.status, r.body) == (503, b"503")
    assert a.count() + b.count() == 2
    assert w.logged(r)["attempts"] == 2


@pytest.mark.parametrize("path", ["/close", "/status/503"])
def test_a_post_that_reached_an_origin_is_never_repeated(weir, pair, path):
    a, b = pair
    w = weir(TWO, A=a, B=b, RETRY=RETRY)
    for _ in range(4):
        w.post(path, b"body")
    assert a.count() + b.count() == 4


def test_a_body_is_sent_again(weir, pair):
    """In tiny pieces, so that what is kept for the second try is made of many."""
    a, b = pair
    for o in pair:
        o.on("/first", lambda conn, _, o=o: False)
    b.on("/first", lambda conn, _: conn.answer(200))
    w = weir(TWO, A=a, B=b, RETRY=RETRY)
    body = bytes(i % 251 for i in range(40000))
    for _ in range(4):
        with w.connect() as c:
            c.write("PUT", "/first", {"Transfer-Encoding": "chunked"})
            for i in range(0, len(body), 100):
                c.send(b"64\r\n" + body[i:i + 100] + b"\r\n")
            c.send(b"0\r\n\r\n")
            assert c.response().status == 200
    assert a.count("/first") >= 1
    assert all(r.body == body for o in pair for r in o.requests)


def test_a_body_too_large_to_keep_is_not_repeated(weir, pair):
    a, b = pair
    w = weir(TWO, A=a, B=b, RETRY=RETRY)
    r = w.request("PUT", "/close", (), b"x" * 900000)
    assert r.status == 502
    assert a.count() + b.count() == 1
    assert any(d["reason"] == "body_too_large_to_replay" for d in w.logged(r)["why"])


def test_per_try_timeout(weir, pair):
    a, b = pair
    b.on("/hold", lambda conn, _: conn.answer(200))
    w = weir(TWO, A=a, B=b, RETRY="attempts 2; on timeout; per_try_timeout 200ms;")
    assert answers(w, "/hold", 4) == [200] * 4
    a.release(10)


def test_the_deadline_of_the_request_holds_over_all_tries(weir, pair):
    a, b = pair
    w = weir("timeout 300ms;\n" + TWO, A=a, B=b, RETRY="attempts 10; on timeout; per_try_timeout 100ms; budget 100%;")
    r = w.get("/hold")
    assert (r.status, r.reason) == (504, "upstream_timeout")
    assert 2 <= w.logged(r)["attempts"] <= 4
    a.release(10)
    b.release(10)


def test_budget(weir, make_origin):
    """Three retries are always allowed at a time; beyond them only a share of the active requests."""
    a = make_origin()
    gate = threading.Event()
    first = set()

    def script(conn, r):
        n = r.get("X-N")
        if n in first:
            gate.wait(20)  # a retry: it stays in flight
            conn.answer(200)
            return True
        first.add(n)
        conn.answer(503)
        return True
    a.on("/b", script)
    w = weir("route / { proxy o; }\nupstream o { endpoint @A@; retry { attempts 2; on 503; budget 0%; } }", A=a)
    conns = [w.connect() for _ in range(6)]
    for i, c in enumerate(conns):
        c.write("GET", "/b", {"X-N": str(i)})
    w.log.wait(lambda r: w.log.count(lambda x: x["status"] == 503) == 3, "three that may not be tried again")
    assert a.count("/b") == 9
    gate.set()
    assert sorted(c.response().status for c in conns) == [200, 200, 200, 503, 503, 503]
    for c in conns:
        c.close()


def test_a_stale_connection_costs_nobody_an_error(weir, origin):
    """Without a retry block: an idle connection that the origin closes is replaced by a fresh one, once."""
    w = weir("workers 1;\nroute / { proxy o; }\nupstream o { endpoint @O@; keepalive 8 idle=60s; }", O=origin)
    state = {"n": 0}

    def script(conn, _):
        state["n"] += 1
        conn.answer(200)
        if state["n"] == 1:
            conn.reader.until(b"\r\n\r\n", "the next request")  # takes it, and closes without an answer
            return False
        return True
    origin.on("/s", script)
    assert w.get("/s").status == 200
    r = w.get("/s")
    assert r.status == 200
    line = w.logged(r)
    assert line["attempts"] == 2 and any(d["reason"] == "stale_connection" for d in line["why"])


def test_a_post_on_a_stale_connection_is_not_repeated(weir, origin):
    w = weir("workers 1;\nroute / { proxy o; }\nupstream o { endpoint @O@; keepalive 8 idle=60s; }", O=origin)

    def script(conn, _):
        conn.answer(200)
        conn.reader.until(b"\r\n\r\n", "the next request")
        return False
    origin.on("/s", script)
    assert w.post("/s").status == 200
    r = w.post("/s", b"pay")
    assert (r.status, r.reason) == (502, "upstream_reset")


ONE = "workers 1;\nroute / { proxy o; }\nupstream o { endpoint @O@; keepalive 8 idle=60s; }"


@pytest.mark.parametrize("end", ["fin", "reset", "late fin", "late reset"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_a_connection_that_ends_while_the_request_is_on_its_way(weir, origin, method, end):
    """Idempotent requests go on a fresh one; a POST that may have arrived is an error, and at no origin twice."""
    w = weir(ONE, O=origin)
    seen = []

    def script(conn, r):
        seen.append(r.method)
        if len(seen) == 1:
            conn.answer(200)
            return True
        if len(seen) == 2:
            if end.startswith("late"):
                time.sleep(0.01)
            if end.endswith("reset"):
                conn.reset()
            return False
        conn.answer(200, b"fresh")
        return True
    origin.on("/s", script)
    assert w.get("/s").status == 200
    r = w.request(method, "/s", (), b"body" if method in ("PUT", "POST") else None)
    if method == "POST":
        assert (r.status, r.reason) == (502, "upstream_reset") and seen == ["GET", "POST"]
    else:
        assert (r.status, r.body) == (200, b"fresh") and seen == ["GET", method, method]
        assert any(d["reason"] == "stale_connection" for d in w.logged(r)["why"])


@pytest.mark.parametrize("pending", [0, 1])
def test_a_stale_connection_gives_its_place_to_the_fresh_one(weir, origin, pending):
    """Also when it was the only one that the limits allow."""
    w = weir("workers 1;\nroute / { proxy o; }\nupstream o { endpoint @O@; limits connections=1 pending=@N@; keepalive 8 idle=60s; }",
             O=origin, N=pending)

    def script(conn, _):
        conn.answer(200)
        conn.reader.until(b"\r\n\r\n", "the next request")
        return False
    origin.on("/s", script)
    for _ in range(3):
        assert w.get("/s").status == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_408_that_crosses_the_request(weir, origin, method):
    """Some origins end an idle connection with words; they are no answer to what they did not read."""
    w = weir(ONE, O=origin)
    seen = []

    def script(conn, r):
        seen.append(r.method)
        if len(seen) == 2:
            conn.answer(408, b"", [("Connection", "close")])
            return False
        conn.answer(200)
        return True
    origin.on("/s", script)
    assert w.get("/s").status == 200
    assert w.request(method, "/s", (), b"pay" if method == "POST" else None).status == (408 if method == "POST" else 200)
    assert len(seen) == (2 if method == "POST" else 3)


def test_a_408_to_the_first_request_of_a_connection_is_its_answer(weir, origin):
    origin.on("/s", lambda conn, _: conn.answer(408, b"", [("Connection", "close")]) or False)
    w = weir(ONE, O=origin)
    assert w.get("/s").status == 408 and origin.count() == 1


def test_a_408_before_the_request_is_nobodys(weir, origin):
    """The connection is idle when it comes: it goes, and nobody sees the words, not even a POST."""
    w = weir(ONE, O=origin)
    go, gone = threading.Event(), threading.Event()

    def script(conn, r):
        conn.answer(200)
        if len(origin.requests) == 1:
            go.wait(20)
            conn.answer(408, b"", [("Connection", "close")])
            conn.until_closed()
            gone.set()
            return False
        return True
    origin.on("/s", script)
    with w.connect() as c:
        assert c.get("/s").status == 200
        go.set()
        assert gone.wait(20)
        assert c.request("POST", "/s", (), b"pay").status == 200
    assert origin.connections == 2


def test_an_origin_that_closes_after_each_answer(weir, origin):
    """At any moment after it, without having said so: no GET is ever an error, and no POST arrives twice."""
    w = weir(ONE, O=origin)
    dice = random.Random(7)
    delays = [dice.choice([0, 0, 0.0003, 0.001, 0.002, 0.005]) for _ in range(400)]
    posts = []

    def script(conn, r):
        conn.answer(200, r.body)
        if r.method == "POST":
            posts.append(r.body)
        time.sleep(delays.pop() if delays else 0)
        if len(delays) % 3 == 0:
            conn.reset()
        return False
    origin.on("/s", script)
    with w.connect() as c:
        for _ in range(100):
            assert c.get("/s").status == 200
            time.sleep(dice.choice([0, 0, 0.001, 0.002]))
        statuses = [c.request("POST", "/s", (), b"%d" % n).status for n in range(50)]
    assert set(statuses) <= {200, 502} and len(posts) == len(set(posts))


def test_idle_connections_that_the_origin_closed_are_noticed(weir, origin):
    w = weir("workers 1;\nroute / { proxy o; }\nupstream o { endpoint @O@; }", O=origin)
    for _ in range(5):
        r = w.post("/x", b"b")
        assert r.status == 200
        origin.drop_connections()
        eventually(lambda: w.metric("weir_connections", side="upstream") == 0, "an empty pool")
    assert origin.connections == 5


def test_keepalive_idle(weir, origin):
    w = weir("workers 1;\nroute / { proxy o; }\nupstream o { endpoint @O@; keepalive 8 idle=100ms; }", O=origin)
    assert w.get("/x").status == 200
    eventually(lambda: w.metric("weir_connections", side="upstream") == 0, "the end of an idle connection")
    assert w.get("/x").status == 200
    assert origin.connections == 2


def test_keepalive_off(weir, origin):
    w = weir("workers 1;\nroute / { proxy o; }\nupstream o { endpoint @O@; keepalive 0; }", O=origin)
    assert answers(w, "/x", 3) == [200] * 3
    assert origin.connections == 3


def test_the_origins_own_idle_time_counts(weir, origin):
    """Keep-Alive: timeout=1 of the origin makes weir let go before that."""
    origin.raw("/k", b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n", close=False)
    w = weir("workers 1;\nroute / { proxy o; }\nupstream o { endpoint @O@; keepalive 8 idle=60s; }", O=origin)
    assert w.get("/k").status == 200
    eventually(lambda: w.metric("weir_connections", side="upstream") == 0, "the end of an idle connection")


def test_keepalive_bounds_the_idle_connections(weir, origin):
    w = weir("workers 1;\nroute / { proxy o; }\nupstream o { endpoint @O@; keepalive 2 idle=60s; }", O=origin)
    clients = [w.connect() for _ in range(6)]
    for c in clients:
        c.write("GET", "/hold")
    eventually(lambda: origin.count("/hold") == 6, "six requests")
    origin.release(6)
    for c in clients:
        assert c.response().status == 200
        c.close()
    eventually(lambda: w.metric("weir_connections", side="upstream") == 2, "two idle connections")
    assert answers(w, "/x", 10) == [200] * 10
    assert origin.connections == 6
