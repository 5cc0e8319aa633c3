"""Upstream: active checks, passive ejection, panic."""
import re

import pytest

from harness import eventually

CHECKED = """
route / { proxy o; }
upstream o {
    endpoint @A@;
    endpoint @B@;
    health_check { path /healthz; interval 100ms; timeout 500ms; healthy 2; unhealthy 2; @MORE@ }
    @UP@
}
"""


def seen(w, n=20, path="/x"):
    return {w.get(path).get("X-Origin") for _ in range(n)}


def healthy(w, origin):
    return w.endpoint("o", origin)["healthy"]


def test_the_first_round_decides_alone_and_ready_waits_for_it(weir, make_origin):
    a, b = make_origin("a"), make_origin("b")
    b.healthy = False
    w = weir(CHECKED, A=a, B=b, MORE="", UP="")
    # Ready: both were tried, one result each was enough.
    assert healthy(w, a) and not healthy(w, b)
    assert w.metric("weir_endpoint_healthy", upstream="o", endpoint=str(a)) == 1
    assert w.metric("weir_endpoint_healthy", upstream="o", endpoint=str(b)) == 0
    assert seen(w) == {"a"}
    assert b.count("/x") == 0


def test_ready_says_what_it_waits_for(weir, make_origin):
    a, b = make_origin("a"), make_origin("b")
    b.on("/healthz", lambda conn, _: b.releases.acquire(timeout=20) and conn.answer(200))
    w = weir(CHECKED.replace("timeout 500ms", "timeout 20s"), A=a, B=b, MORE="", UP="", ready=False)
    status, body = w.admin("GET", "/ready")
    assert status == 503 and body["ready"] is False and re.search("o has not been checked", body["reasons"][0])
    # Endpoints count as healthy until their first result.
    assert seen(w) == {"a", "b"}
    b.release(100)
    eventually(lambda: w.admin("GET", "/ready")[0] == 200, "readiness")


def test_an_endpoint_falls_ill_and_recovers(weir, make_origin):
    a, b = make_origin("a"), make_origin("b")
    w = weir(CHECKED, A=a, B=b, MORE="", UP="")
    assert seen(w) == {"a", "b"}
    a.healthy = False
    eventually(lambda: not healthy(w, a), "an ill endpoint")
    assert seen(w) == {"b"}
    a.healthy = True
    n = a.count("/healthz")
    eventually(lambda: healthy(w, a), "a recovered endpoint")
    assert a.count("/healthz") - n >= 2  # `healthy 2`
    assert seen(w) == {"a", "b"}


def test_expect(weir, make_origin):
    a, b = make_origin("a"), make_origin("b")
    a.on("/healthz", lambda conn, _: conn.answer(404))
    w = weir(CHECKED, A=a, B=b, MORE="expect 400-404;", UP="")
    assert healthy(w, a) and not healthy(w, b)


@pytest.mark.parametrize("setting,expected", [("", "ENDPOINT"), ("host_header endpoint;", "ENDPOINT"), ("host_header in.test;", "in.test"),
                                              ('host_header "${request.header.x}.test";', "ENDPOINT")])
def test_probes_say_the_host_that_requests_do(weir, make_origin, setting, expected):
    """Where it is the same for all of them."""
    a, b = make_origin("a"), make_origin("b")
    weir(CHECKED, A=a, B=b, MORE="", UP=setting)
    for o in (a, b):
        assert o.request("/healthz").get("Host") == expected.replace("ENDPOINT", str(o))


def test_probes_follow_a_new_host(weir, make_origin):
    a, b = make_origin("a"), make_origin("b")
    w = weir(CHECKED, A=a, B=b, MORE="", UP="host_header one.test;")
    w.reload(CHECKED, A=a, B=b, MORE="", UP="host_header two.test;")
    eventually(lambda: a.requests[-1].get("Host") == "two.test", "a probe with the new host")


def test_an_origin_that_is_not_there(weir, make_origin):
    a, b = make_origin("a"), make_origin("b")
    a.stop()
    w = weir(CHECKED, A=a, B=b, MORE="", UP="")
    assert seen(w) == {"b"}
    a.start()
    eventually(lambda: healthy(w, a), "a recovered endpoint")


def test_none_healthy(weir, make_origin):
    a, b = make_origin("a"), make_origin("b")
    a.healthy = b.healthy = False
    w = weir(CHECKED, A=a, B=b, MORE="", UP="")
    assert w.get("/x").reason == "no_healthy_endpoint"


def test_panic_sends_anyway(weir, make_origin):
    a, b = make_origin("a"), make_origin("b")
    a.healthy = b.healthy = False
    w = weir(CHECKED, A=a, B=b, MORE="", UP="panic 50%;")
    assert seen(w) == {"a", "b"}


def test_health_survives_a_reload(weir, make_origin):
    a, b = make_origin("a"), make_origin("b")
    b.healthy = False
    w = weir(CHECKED, A=a, B=b, MORE="", UP="")
    b.on("/healthz", lambda conn, _: b.releases.acquire(timeout=20) and conn.answer(503))  # no new result comes
    assert w.reload()[0] == 200
    assert not healthy(w, b)
    assert seen(w) == {"a"}
    b.release(1000)


OUTLIER = """
route / { proxy o; }
upstream o { endpoint @A@; endpoint @B@; outlier { consecutive 3; eject 500ms; interval 10s; max_ejected 50%; } }
"""


def test_outlier_is_ejected_and_comes_back(weir, make_origin):
    a, b = make_origin("a"), make_origin("b")
    a.on("/x", lambda conn, _: conn.answer(500))
    w = weir(OUTLIER, A=a, B=b)
    for _ in range(6):
        w.get("/x")
    assert w.endpoint("o", a)["state"] == "ejected"
    n = a.count("/x")
    assert n == 3 and {w.get("/x").status for _ in range(10)} == {200}
    assert a.count("/x") == n
    a.on("/x", lambda conn, _: conn.answer(200))
    eventually(lambda: w.endpoint("o", a)["state"] == "up", "the end of the ejection")
    assert seen(w) == {"a", "b"}


def test_the_last_endpoint_is_never_ejected(weir, make_origin):
    a, b = make_origin("a"), make_origin("b")
    for o in (a, b):
        o.on("/x", lambda conn, _: conn.answer(500))
    w = weir(OUTLIER, A=a, B=b)
    assert {w.get("/x").status for _ in range(20)} == {500}
    assert sorted(e["state"] for e in w.upstream("o")["endpoints"]) == ["ejected", "up"]
    one = weir("route / { proxy o; }\nupstream o { endpoint @A@; outlier { consecutive 1; max_ejected 100%; } }", A=a)
    assert {one.get("/x").status for _ in range(10)} == {500}


def test_client_errors_eject_nobody(weir, make_origin):
    a, b = make_origin("a"), make_origin("b")
    w = weir(OUTLIER, A=a, B=b)
    assert {w.get("/status/404").status for _ in range(20)} == {404}
    assert {e["state"] for e in w.upstream("o")["endpoints"]} == {"up"}
