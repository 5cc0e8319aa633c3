"""The admin listener."""
import re
import urllib.parse

import pytest

from harness import Conn, Port, eventually, run_weir

CONF = """
use circuit_breaker canary rate_limit;
host api.test {
    route /c { methods GET POST; rate_limit { rate 1000/s; } canary { variant v1 90%; variant v2 10%; } }
}
route /v1 { proxy v1; }
route = /plain { proxy plain; }
route ~ ^/re { respond 200 x; }
upstream v1 { endpoint @A@ weight=3; endpoint @B@; balance least_request; circuit_breaker { min_requests 5; open 500ms; } }
upstream v2 { endpoint @B@; }
upstream plain { endpoint @A@; }
"""


@pytest.fixture
def w(weir, make_origin):
    a, b = make_origin("a"), make_origin("b")
    d = weir(CONF, A=a, B=b)
    d.a, d.b = a, b
    return d


def test_health_and_ready(w):
    r = w.admin_response("GET", "/health")
    assert r.status == 200
    status, body = w.admin("GET", "/ready")
    assert (status, body) == (200, {"ready": True, "reasons": []})


def test_only_on_the_admin_listener(w):
    assert w.get("/health").status == 404
    assert w.get("/metrics").status == 404
    assert w.get("/api/v1/status").status == 404


def test_metrics_are_prometheus_text(w):
    w.get("/c", host="api.test")
    eventually(lambda: "weir_requests_total{" in w.admin_response("GET", "/metrics").text, "the count")
    r = w.admin_response("GET", "/metrics")
    assert r.get("Content-Type").startswith("text/plain; version=0.0.4")
    types, seen = {}, set()
    for line in r.text.splitlines():
        if m := re.fullmatch(r"# TYPE (\w+) (counter|gauge|histogram)", line):
            assert m[1] not in types, f"{m[1]} is declared twice"
            types[m[1]] = m[2]
        elif not line.startswith("#"):
            m = re.fullmatch(r'(weir_\w+)(\{(?:\w+="(?:[^"\\]|\\.)*",?)*\})? (\S+)', line)
            assert m, line
            assert line.rsplit(" ", 1)[0] not in seen, f"twice: {line}"
            seen.add(line.rsplit(" ", 1)[0])
            base = re.sub("_(bucket|sum|count)$", "", m[1]) if m[1] not in types else m[1]
            assert base in types, line
            assert (types[base] == "counter") == m[1].endswith("_total"), line
            float(m[3])
    names = {s.split("{")[0] for s in seen}
    expected = {"weir_requests_total", "weir_request_duration_seconds_bucket", "weir_upstream_requests_total",
                "weir_policy_verdicts_total", "weir_breaker_state", "weir_endpoint_healthy", "weir_config_generation",
                "weir_config_last_reload_success", "weir_connections", "weir_loop_lag_seconds"}
    assert expected - names == set()


def test_metrics_count(w):
    for _ in range(3):
        w.get("/plain")
    w.get("/c", host="api.test")
    for value, name, labels in (
            (3, "weir_requests_total", {"route": "= /plain", "method": "GET", "code": "200"}), (4, "weir_request_duration_seconds_count", {}),
            (3, "weir_upstream_requests_total", {"upstream": "plain", "endpoint": str(w.a), "outcome": "ok"}),
            (1, "weir_policy_verdicts_total", {"route": "api.test/c", "policy": "rate_limit", "verdict": "pass", "mode": "enforce"})):
        eventually(lambda: w.metric(name, **labels) == value, f"{name} {labels} of {value}")
    states = {labels["state"]: v for n, labels, v in w.metrics() if n == "weir_breaker_state" and labels["upstream"] == "v1"}
    assert states == {"closed": 1, "open": 0, "half_open": 0, "forced_open": 0, "forced_closed": 0}
    assert w.metric("weir_config_generation") == 1 and w.metric("weir_config_last_reload_success") == 1
    w.a.stop()
    w.get("/plain")
    eventually(lambda: w.metric("weir_upstream_requests_total", upstream="plain", outcome="connect_failed") == 1, "a failed connection")


def test_routes(w):
    routes = {r["name"]: r for r in w.view("routes")}
    assert set(routes) == {"api.test/c", "/v1", "= /plain", "~ ^/re"}
    c = routes["api.test/c"]
    assert (c["host"], c["pattern"], c["target"], c["at"]) == ("api.test", "/c", "canary", "gateway.conf:4")
    assert c["methods"] == ["GET", "HEAD", "POST"]
    assert [(p["name"], p["mode"], p["at"]) for p in c["policies"]] == [("rate_limit", "enforce", "gateway.conf:4"), ("canary", "enforce", "gateway.conf:4")]
    assert routes["/v1"]["target"] == "v1" and routes["/v1"]["host"] is None


def test_upstreams(w):
    w.get("/v1")
    u = {x["name"]: x for x in w.view("upstreams")}
    assert u["plain"]["breaker"] is None and u["plain"]["balance"] == "round_robin"
    v1 = u["v1"]
    assert v1["balance"] == "least_request"
    assert set(v1["breaker"]) == {"state", "failure_rate", "slow_rate", "calls", "retry_after_ms"}
    assert v1["breaker"]["state"] == "closed" and v1["breaker"]["calls"] == 1
    e = {x["address"]: x for x in v1["endpoints"]}
    assert set(e[str(w.a)]) == {"address", "weight", "state", "healthy", "active", "requests_total"}
    assert (e[str(w.a)]["weight"], e[str(w.b)]["weight"]) == (3, 1)
    assert sum(x["requests_total"] for x in e.values()) == 1


def test_config_modules_generations_status(w):
    text = w.view("config")["text"]
    assert "upstream v1" in text
    modules = {m["name"]: m for m in w.view("modules")}
    assert set(modules) == {"circuit_breaker", "canary", "rate_limit"}
    assert all(re.fullmatch(r"\d+\.\d+", m["abi"]) and m["path"].endswith(".so") and m["version"] for m in modules.values())
    g = w.view("generations")
    assert g[0]["id"] == 1 and set(g[0]) >= {"id", "loaded_at", "holders"}
    s = w.view("status")
    assert set(s) >= {"version", "pid", "uptime_seconds", "generation", "ready", "draining", "workers", "connections", "requests_total", "reload"}
    assert (s["pid"], s["generation"], s["ready"], s["draining"], s["workers"]) == (w.process.pid, 1, True, False, 2)
    assert set(s["connections"]) == {"downstream", "upstream"} and set(s["reload"]) == {"ok", "at", "message"}


def problem(w, method, path, body, status):
    r = w.admin_response(method, path, body)
    assert r.status == status and r.get("Content-Type") == "application/problem+json", r
    assert {"type", "title", "status", "detail", "reason", "request_id"} <= set(r.json)


def test_what_is_not_there(w):
    problem(w, "GET", "/nothing", None, 404)
    problem(w, "GET", "/api/v1/nothing", None, 404)
    problem(w, "POST", "/health", b"", 405)
    problem(w, "GET", "/api/v1/reload", None, 405)


def endpoint(w, upstream, o):
    return f"/api/v1/upstreams/{upstream}/endpoints/{o}"


def test_endpoint_orders(w):
    with w.connect() as c:
        status, e = w.admin("PATCH", endpoint(w, "v1", w.a), {"state": "down"})
        assert (status, e["state"]) == (200, "down")
        assert {c.get("/v1").get("X-Origin") for _ in range(8)} == {"b"}
        status, e = w.admin("PATCH", endpoint(w, "v1", w.a), {"state": "up", "weight": 100})
        assert (status, e["state"], e["weight"]) == (200, "up", 100)
        assert "a" in {c.get("/v1").get("X-Origin") for _ in range(20)}
        assert w.admin("PATCH", endpoint(w, "v1", w.a), {"state": "drain"})[1]["state"] == "drain"
        assert {c.get("/v1").get("X-Origin") for _ in range(8)} == {"b"}


def test_endpoint_orders_survive_a_reload_until_the_file_changes(w):
    w.admin("PATCH", endpoint(w, "v1", w.a), {"weight": 0})
    assert w.reload()[0] == 200
    assert w.endpoint("v1", w.a)["weight"] == 0
    assert w.reload(CONF.replace("weight=3", "weight=4"))[0] == 200
    assert w.endpoint("v1", w.a)["weight"] == 4


@pytest.mark.parametrize("body", [b"", b"nonsense", b"{}", b"[]", {"state": "sideways"}, {"weight": -1}, {"weight": "3"}, {"state": 1},
                                  {"state": "up", "other": 1}, b'{"state":"up","state":"down"}', {"weight": 1.5}])
def test_bad_endpoint_orders(w, body):
    problem(w, "PATCH", endpoint(w, "v1", w.a), body, 400)
    assert w.endpoint("v1", w.a)["state"] == "up"


def test_unknown_names(w):
    problem(w, "PATCH", "/api/v1/upstreams/nobody/endpoints/1.2.3.4:5", {"state": "up"}, 404)
    problem(w, "PATCH", "/api/v1/upstreams/v1/endpoints/1.2.3.4:5", {"state": "up"}, 404)
    problem(w, "POST", "/api/v1/upstreams/nobody/breaker", {"state": "open"}, 404)
    problem(w, "PATCH", "/api/v1/routes/nobody/canary", {"weights": {}}, 404)


def test_breaker_orders(w):
    path = "/api/v1/upstreams/v1/breaker"
    status, b = w.admin("POST", path, {"state": "open"})
    assert (status, b["state"]) == (200, "forced_open")
    r = w.get("/v1")
    assert (r.status, r.reason) == (503, "breaker_open")
    assert w.metric("weir_breaker_state", upstream="v1", state="forced_open") == 1
    assert w.reload()[0] == 200
    assert w.get("/v1").status == 503
    assert w.admin("POST", path, {"state": "closed"})[1]["state"] == "forced_closed"
    assert w.get("/v1").status == 200
    assert w.admin("POST", path, {"state": "auto"})[1]["state"] == "closed"
    problem(w, "POST", path, {"state": "ajar"}, 400)
    problem(w, "POST", path, b"", 400)
    problem(w, "POST", "/api/v1/upstreams/plain/breaker", {"state": "open"}, 409)


def test_canary_orders(w):
    path = "/api/v1/routes/" + urllib.parse.quote("api.test/c", safe="") + "/canary"
    status, body = w.admin("PATCH", path, {"weights": {"v2": 100}})
    assert status == 200, body
    assert {w.get("/c", host="api.test").get("X-Origin") for _ in range(10)} == {"b"}
    assert w.reload()[0] == 200
    assert w.logged(w.get("/c", host="api.test"))["upstream"] == "v2"
    # The file's own value changes: it holds again.
    assert w.reload(CONF.replace("v1 90%", "v1 100%").replace("v2 10%", "v2 0%"))[0] == 200
    assert w.logged(w.get("/c", host="api.test"))["upstream"] == "v1"
    for bad in (b"", {}, {"weights": {"v2": 101}}, {"weights": {"v9": 1}}, {"weights": {"v1": 20, "v2": 20}}, {"weights": {"v2": "x"}},
                {"weights": {"v1": 50}}):
        problem(w, "PATCH", path, bad, 400)
    problem(w, "PATCH", "/api/v1/routes/%2Fv1/canary", {"weights": {"v1": 1}}, 409)


def test_weights_that_are_not_named_share_the_rest(weir, origin):
    w = weir("""
use canary;
route /c { canary { variant a 60%; variant b 30%; variant c 10%; } }
upstream a { endpoint @O@; } upstream b { endpoint @O@; } upstream c { endpoint @O@; }
""", O=origin)
    status, body = w.admin("PATCH", "/api/v1/routes/%2Fc/canary", {"weights": {"c": 40}})
    assert status == 200 and body["weights"] == {"a": 40, "b": 20, "c": 40}
    assert next(r for r in w.view("routes"))["canary"]["weights"] == {"a": 40, "b": 20, "c": 40}


def test_reload_by_admin(w):
    status, body = w.reload()
    assert status == 200 and w.view("status")["generation"] == 2
    w.write("route / {\n")
    problem(w, "POST", "/api/v1/reload", None, 409)
    s = w.view("status")
    assert (s["generation"], s["reload"]["ok"]) == (2, False) and s["reload"]["message"]
    assert w.metric("weir_config_last_reload_success") == 0
    assert w.get("/plain").status == 200


@pytest.mark.parametrize("host, origin, status", [
    ("127.0.0.1:9901", None, 200), ("gateway.example:9901", None, 200),  # no page asks
    ("127.0.0.1:9901", "http://127.0.0.1:9901", 200), ("[::1]:9901", "http://[::1]:9901", 200), ("localhost:9901", "http://localhost:9901", 200),
    ("127.0.0.1:9901", "http://shop.example", 403), ("127.0.0.1:9901", "http://127.0.0.1:8080", 403), ("127.0.0.1:9901", "null", 403),
    # Its name was that of a web server a moment ago, and is of loopback now.
    ("shop.example:9901", "http://shop.example:9901", 403), ("127.0.0.1.shop.example", "http://127.0.0.1.shop.example", 403),
])
def test_orders_of_pages_in_browsers(w, host, origin, status):
    headers = [("Host", host)] + [("Origin", o) for o in [origin] if o]
    r = w.admin_response("POST", "/api/v1/reload", b"", headers)
    assert r.status == status, r.text
    assert w.view("status")["generation"] == (2 if status == 200 else 1)


def test_commands_talk_to_the_admin_listener(w):
    at = ["--admin", f"unix:{w.admin_path}"]
    done = run_weir("status", *at)
    assert done.returncode == 0 and str(w.process.pid) in done.stdout and "v1" in done.stdout
    done = run_weir("reload", *at)
    assert done.returncode == 0 and w.view("status")["generation"] == 2
    w.write("nonsense;\n")
    done = run_weir("reload", *at)
    assert done.returncode == 1 and "nonsense" in done.stderr
    done = run_weir("drain", *at)
    assert done.returncode == 0
    assert w.wait() == 0
    done = run_weir("status", *at)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and w.admin_path in done.stderr


def test_admin_by_tcp(weir):
    port = Port()
    w = weir("admin { bind unix:@ADMIN@; bind @P@; }\nroute / { respond 200 x; }", P=port)
    with Conn(port.address) as c:
        assert c.get("/health").status == 200
        r = c.request("POST", "/api/v1/reload")
        assert r.status == 200
    assert run_weir("status", "--admin", str(port)).returncode == 0
    port.close()
    w.stop()


def test_a_required_store_that_is_away(weir):
    w = weir("store main { url redis://127.0.0.1:1; required on; timeout 50ms; }\nroute / { respond 200 x; }", ready=False)
    eventually(lambda: w.admin("GET", "/ready") == (503, {"ready": False, "reasons": ["store main is away"]}), "word of the store")
    assert w.get("/").status == 200
