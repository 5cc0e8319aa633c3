"""Everything that workers share, used by all of them at once while it is changed from outside. It is made for ThreadSanitizer, whose reports fail
a test when its daemon ends; it holds with any binary."""
import json
import signal

import pytest

from harness import Conn, Wrk, eventually

pytestmark = pytest.mark.workers

ORIGIN = """
access_log off;
route / { respond 200 "fine\\n"; }
route /flaky { respond 500 "broken\\n"; }
"""

CONF = """
workers 3;
use jwt rate_limit circuit_breaker canary;
access_log @LOG@ format=json;
store main { url @REDIS@; timeout 10s; }
policy known { jwt { issuer https://idp.test/; audience orders; jwks http://@IDP@/jwks.json ttl=@TTL@ refetch=1s; } }
upstream v1 {
    endpoint @A@;
    endpoint localhost:@B@;
    balance least_request;
    keepalive 8 idle=1s;
    limits connections=64 pending=1000 requests=1000;
    connect_timeout 20s;
    health_check { path /health; interval 100ms; timeout 20s; }
    outlier { consecutive 1000; }
    retry { attempts 2; on reset connect_failure; }
    circuit_breaker { window 1s; min_requests 1000000; failure_rate 50%; }
}
upstream v2 { endpoint @A@; balance hash ${jwt.sub}; }
upstream flaky { endpoint @A@; circuit_breaker { window 10s; min_requests 20; failure_rate 50%; open 100ms; probes 1; } }
route /redis { apply known; rate_limit { rate 2/s burst=5; key ${jwt.sub}; store main; on_store_error deny; } proxy v2; }
route /memory { apply known; rate_limit { rate 2/s burst=5; key ${jwt.sub}; } proxy v1; }
route /split { apply known; canary { variant v1 @SHARE@%; variant v2 @REST@%; sticky cookie variant; } }
route /flaky { proxy flaky; }
route /here { respond 200 "fine ${request.id}\\n"; rate_limit { mode shadow; rate 1/s; key ${client.port}; } }
"""

VIEWS = ["/health", "/ready", "/metrics"] + ["/api/v1/" + v for v in ("config", "routes", "upstreams", "stores", "modules", "generations", "status")]

# What may be answered, and what must have been.
ASKED = {"200 fine", "401 jwt_missing", "429 rate_limited", "500 broken", "503 breaker_open"}


@pytest.fixture
def site(weir, make_origin, redis, tmp_path, rsa):
    """A daemon with all that stands around it, and what is to be asked of it."""
    idp, a, b = make_origin("idp"), weir(ORIGIN), weir(ORIGIN)
    jwks = json.dumps({"keys": [rsa.jwk()]}).encode()
    idp.on("/jwks.json", lambda conn, _: conn.answer(200, jwks, [("Content-Type", "application/json")]))
    w = weir(CONF, LOG=tmp_path / "access.log", REDIS=redis.url, IDP=idp, A=a.port, B=b.port.number, TTL="1s", SHARE=50, REST=50)
    eventually(lambda: w.view("stores")[0]["state"] == "up", "the store")
    tokens = ["Bearer " + rsa.token(sub=f"user-{i}") for i in range(8)]
    requests = [(path, t) for t in tokens for path in ("/redis", "/memory", "/split", "/split")] + ["/memory", "/flaky", "/here"] * 4
    w.requests, w.endpoint_a = requests, a.port
    return w


def change(w, n):
    """One of each thing that is changed from outside."""
    share = 10 + n % 80
    status, said = w.reload(CONF, SHARE=share, REST=100 - share, TTL=f"{1 + n % 3}s")
    assert status == 200, said
    endpoint = f"/api/v1/upstreams/v1/endpoints/{w.endpoint_a}"
    for state in ("drain", "down", "up"):
        assert w.admin("PATCH", endpoint, {"state": state, "weight": 1 + n % 5})[0] == 200
    for state in ("open", "closed", "auto"):
        assert w.admin("POST", "/api/v1/upstreams/flaky/breaker", {"state": state})[0] == 200
    assert w.admin("PATCH", "/api/v1/routes/%2Fsplit/canary", {"weights": {"v2": n % 100}})[0] == 200
    for path in VIEWS:
        with Conn(w.admin_path) as c:
            assert c.get(path).status == 200, path
    w.signal(signal.SIGUSR1)


def test_changes_under_load(site, tmp_path):
    w = site
    with Wrk(tmp_path, w.port, w.requests, 8, connections=60) as run:
        n = 0
        while run.running():
            change(w, n)
            n += 1
        requests, got = run.result()
    assert n >= 2 and requests > 500
    assert set(got) == ASKED, f"answers that nothing asks for, or that are missing: {got}"
    assert w.view("status")["workers"] == 3
    assert w.metric("weir_requests_total") >= requests


def test_the_end_under_load(site, tmp_path):
    """What was accepted is answered; nobody else is there any more."""
    w = site
    with Wrk(tmp_path, w.port, w.requests, 3, connections=60) as run:
        eventually(lambda: w.view("status")["requests_total"] > 300, "requests")
        w.stop()
        _, got = run.result(errors=True)
    assert set(got) <= ASKED | {"503 draining"}, got
