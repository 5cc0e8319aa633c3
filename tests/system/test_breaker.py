"""circuit_breaker: when it opens, what it lets through, how it closes."""
import threading
import time

import pytest

from harness import eventually


def conf(breaker, more=""):
    return ("use circuit_breaker;\nroute / { proxy o; }\nupstream o { endpoint @O@; " + more + " circuit_breaker { " + breaker + " } }\n")


def state(w):
    return w.upstream("o")["breaker"]["state"]


@pytest.fixture
def switch(origin):
    """/x answers with origin.status."""
    origin.status = 200
    origin.on("/x", lambda conn, _: conn.answer(origin.status))
    return origin


def fail(w, origin, n, status=500):
    origin.status = status
    got = [w.get("/x") for _ in range(n)]
    return [r.status for r in got]


def test_opens_half_opens_and_closes(weir, switch):
    w = weir(conf("window 10s; min_requests 10; failure_rate 50%; open 400ms max=10s; probes 3;"), O=switch)
    assert [w.get("/x").status for _ in range(5)] == [200] * 5
    assert fail(w, switch, 5) == [500] * 5  # the tenth call: 50 % of ten
    assert state(w) == "open"
    r = w.get("/x")
    assert (r.status, r.reason, r.get("Retry-After")) == (503, "breaker_open", "1")
    assert w.logged(r)["attempts"] == 0
    assert any(d["subject"] == "circuit_breaker" and d["verdict"] == "refuse" for d in w.logged(r)["why"])
    assert w.metric("weir_breaker_state", upstream="o", state="open") == 1
    view = w.upstream("o")["breaker"]
    assert 0 < view["retry_after_ms"] <= 400
    n = switch.count("/x")
    switch.status = 200
    eventually(lambda: w.get("/x").status == 200, "a probe")
    assert state(w) == "half_open"
    assert [w.get("/x").status for _ in range(2)] == [200] * 2  # three probes
    assert state(w) == "closed"
    assert switch.count("/x") == n + 3
    assert w.metric("weir_breaker_state", upstream="o", state="closed") == 1


def test_few_calls_open_nothing(weir, switch):
    w = weir(conf("min_requests 20; failure_rate 50%;"), O=switch)
    assert fail(w, switch, 19) == [500] * 19
    assert state(w) == "closed"
    assert fail(w, switch, 1) == [500] and state(w) == "open"


def test_client_errors_and_weirs_own_refusals_are_no_failures(weir, switch):
    w = weir("workers 1;\n" + conf("min_requests 2; failure_rate 50%;", "limits requests=1;"), O=switch)
    assert fail(w, switch, 10, 404) == [404] * 10
    with w.connect() as c:
        c.write("GET", "/hold")
        switch.request("/hold")
        for _ in range(10):
            assert w.get("/x").reason == "overflow_requests"
        switch.release()
        c.response()
    assert state(w) == "closed"


def test_clients_that_leave_are_no_failures(weir, switch):
    w = weir(conf("min_requests 2; failure_rate 50%;"), O=switch)
    for n in range(5):
        with w.connect() as c:
            c.write("GET", "/hold")
            switch.request("/hold", n + 1)
            c.reset()
    eventually(lambda: w.metric("weir_upstream_requests_total", outcome="cancelled") == 5, "five cancelled attempts")
    assert state(w) == "closed"
    switch.release(10)


@pytest.mark.parametrize("path", ["/close", "/reset"])
def test_resets_are_failures(weir, switch, path):
    w = weir(conf("min_requests 5; failure_rate 50%;"), O=switch)
    assert [w.get(path).status for _ in range(5)] == [502] * 5
    assert state(w) == "open"


def test_refused_connections_are_failures(weir, switch):
    switch.stop()
    w = weir(conf("min_requests 5; failure_rate 50%;"), O=switch)
    assert [w.get("/x").status for _ in range(5)] == [502] * 5
    assert state(w) == "open"


def test_timeouts_are_failures(weir, switch):
    w = weir("timeout 100ms;\n" + conf("min_requests 3; failure_rate 50%;"), O=switch)
    assert [w.get("/hold").status for _ in range(3)] == [504] * 3
    assert state(w) == "open"
    switch.release(10)


def test_failure_on(weir, switch):
    w = weir(conf("min_requests 3; failure_rate 50%; failure_on 503;"), O=switch)
    assert fail(w, switch, 5, 500) == [500] * 5
    assert state(w) == "closed"
    fail(w, switch, 5, 503)
    assert state(w) == "open"


def test_slow_calls(weir, switch):
    switch.on("/slow", lambda conn, _: threading.Event().wait(0.12) or conn.answer(200))
    w = weir(conf("min_requests 4; failure_rate 50%; slow 100ms 75%;"), O=switch)
    assert [w.get("/slow").status for _ in range(4)] == [200] * 4
    view = w.upstream("o")["breaker"]
    assert (view["state"], view["slow_rate"], view["failure_rate"], view["calls"]) == ("open", 100, 0, 4)


def test_the_open_time_doubles_up_to_max(weir, switch):
    w = weir(conf("min_requests 1; failure_rate 50%; open 100ms max=300ms; probes 1;"), O=switch)
    fail(w, switch, 1)
    open_times = []
    for _ in range(4):
        open_times.append(eventually(lambda: w.upstream("o")["breaker"]["retry_after_ms"], "an open breaker"))
        eventually(lambda: w.get("/x").status == 500, "a probe that fails")
    assert open_times[0] <= 100 < open_times[2] <= 300 and open_times[3] <= 300


def test_no_more_probes_than_configured_at_a_time(weir, switch):
    w = weir(conf("min_requests 1; failure_rate 50%; open 100ms; probes 2;"), O=switch)
    fail(w, switch, 1)
    eventually(lambda: w.upstream("o")["breaker"]["retry_after_ms"] == 0, "the end of the open time")
    clients = [w.connect() for _ in range(10)]
    for c in clients:
        c.write("GET", "/hold")
    eventually(lambda: w.metric("weir_requests_total", code="503") == 8, "eight refusals")
    assert switch.count("/hold") <= 2
    switch.release(2)
    assert sorted(c.response().status for c in clients) == [200] * 2 + [503] * 8
    eventually(lambda: state(w) == "closed", "a closed breaker")
    for c in clients:
        c.close()


def test_clients_that_leave_do_not_lead_one_another_to_a_half_open_origin(weir, switch):
    w = weir(conf("min_requests 1; failure_rate 50%; open 100ms; probes 2;"), O=switch)
    fail(w, switch, 1)
    eventually(lambda: w.upstream("o")["breaker"]["retry_after_ms"] == 0, "the end of the open time")
    began = time.monotonic()
    for n in range(50):
        with w.connect() as c:
            c.write("GET", "/hold")
            eventually(lambda: switch.count("/hold") + w.log.count(lambda r: r["reason"] == "breaker_open") > n, "a request that was dealt with")
    assert 2 <= switch.count("/hold") <= 2 * (1 + int(time.monotonic() - began))
    switch.release(100)
    switch.status = 200
    eventually(lambda: w.get("/x").status == 200 and state(w) == "closed", "a closed breaker")


def test_a_stale_connection_is_no_probe(weir, switch):
    """The one place is there for the request on the fresh connection."""
    w = weir("workers 1;\n" + conf("min_requests 1; failure_rate 50%; open 100ms; probes 1;", "keepalive 8 idle=60s;"), O=switch)
    seen = []

    def script(conn, r):
        seen.append(r)
        if len(seen) == 2:
            return False
        conn.answer(500 if len(seen) == 1 else 200)
        return True
    switch.on("/x", script)
    assert w.get("/x").status == 500
    eventually(lambda: w.upstream("o")["breaker"]["retry_after_ms"] == 0, "the end of the open time")
    assert w.get("/x").status == 200
    assert state(w) == "closed" and len(seen) == 3


def test_retries_ask_the_breaker_each_time(weir, switch):
    """A breaker that opens between two tries ends them."""
    w = weir(conf("min_requests 2; failure_rate 50%;", "retry { attempts 5; on 500; budget 100%; }"), O=switch)
    fail(w, switch, 1)
    assert switch.count("/x") == 2
    assert state(w) == "open"


def test_state_survives_a_reload(weir, switch):
    w = weir(conf("min_requests 2; failure_rate 50%; open 60s;"), O=switch)
    fail(w, switch, 2)
    assert w.reload()[0] == 200
    assert w.get("/x").reason == "breaker_open"


def test_forced_states(weir, switch):
    w = weir(conf("min_requests 2; failure_rate 50%; open 60s;"), O=switch)

    def order(name):
        status, view = w.admin("POST", "/api/v1/upstreams/o/breaker", {"state": name})
        assert status == 200
        return view["state"]
    assert order("open") == "forced_open"
    r = w.get("/x")
    assert (r.status, r.reason) == (503, "breaker_open") and not r.headers.has("Retry-After")
    # Forced closed: failures are counted, and pass.
    assert order("closed") == "forced_closed"
    assert fail(w, switch, 5) == [500] * 5
    view = w.upstream("o")["breaker"]
    assert (view["state"], view["calls"], view["failure_rate"]) == ("forced_closed", 5, 100)
    assert order("auto") in ("closed", "open")
    fail(w, switch, 1)
    assert state(w) == "open"


def test_each_upstream_has_its_own(weir, make_origin):
    a, b = make_origin("a"), make_origin("b")
    a.on("/a/x", lambda conn, _: conn.answer(500))
    w = weir("""
use circuit_breaker;
route /a { proxy a; }
route /b { proxy b; }
upstream a { endpoint @A@; circuit_breaker { min_requests 2; } }
upstream b { endpoint @B@; circuit_breaker { min_requests 2; } }
""", A=a, B=b)
    assert [w.get("/a/x").status for _ in range(3)] == [500, 500, 503]
    assert [w.get("/b/x").status for _ in range(3)] == [200] * 3
