"""One configuration with everything in it: three origins, a real Redis,
an identity provider that serves its keys, a TLS listener; and what a client sees of it."""
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from harness import H2, Conn, Port, b64, eventually

CONF = """
workers   auto;
use       jwt rate_limit circuit_breaker canary;
access_log stdout format=json;
trusted_proxies 10.0.0.0/8;

store main { url ${env.REDIS_URL}; timeout 5ms; }

admin    { bind @ADMINPORT@; bind unix:@ADMIN@; }

listener public { bind @LISTEN@; }
listener secure { bind @SECURE@; tls { certificate @CRT@; key @KEY@; } }

upstream orders-v1 {
    endpoint @A@ weight=2;
    endpoint localhost:@BPORT@;
    balance  least_request;
    connect_timeout 1s;
    keepalive 64 idle=4s;
    limits   connections=1024 pending=256 requests=1024;
    health_check { path /healthz; interval 10s; timeout 2s; healthy 2; unhealthy 3; expect 200-299; }
    outlier  { consecutive 5; interval 10s; eject 30s; max_ejected 50%; }
    retry    { attempts 2; on connect_failure reset 502 503 504; per_try_timeout 2s; budget 20%; }
    circuit_breaker { window 10s; min_requests 20; failure_rate 50%; slow 2s 80%; open 5s max=60s; probes 5; }
}
upstream orders-v2 { endpoint @C@; }

host api.example.com *.api.example.com {
    route /orders/ {
        methods GET POST;
        jwt {
            issuer   https://idp.example.com/;
            audience orders;
            jwks     http://@IDP@/jwks.json ttl=10m;
            algorithms RS256 ES256;
            leeway   60s;
            require  scope orders:read;
            forward  sub as X-User-Id;
        }
        rate_limit {
            rate  100/s burst=200;
            key   ${jwt.sub};
            store main;
            on_store_error local;
        }
        canary {
            variant orders-v1 95%;
            variant orders-v2 5%;
            sticky  cookie weir_variant;
            force   header x-canary = always to orders-v2;
        }
        timeout 30s;
        max_body 10m;
    }
}
route = /status { respond 200 "ok\\n" type=text/plain; }
route ~ ^/v[0-9]+/legacy/ { redirect 308 https://${request.host}/new${request.path}; }
route / { proxy orders-v1; strip_prefix /api; }
"""

HOST = "api.example.com"


class Site:
    """weir with all that stands around it."""

    def __init__(self, weir, make_origin, redis, certificate, keys, up=("idp", "a", "b", "c"), healthy=True, conf=CONF):
        self.a, self.b, self.c, self.idp = (make_origin(n) for n in ("v1a", "v1b", "v2", "idp"))
        self.redis, self.key, self.secure = redis, keys[0], Port()
        jwks = json.dumps({"keys": [k.jwk() for k in keys]}).encode()
        self.idp.on("/jwks.json", lambda conn, _: conn.answer(200, jwks, [("Content-Type", "application/json")]))
        self.a.healthy = self.b.healthy = healthy
        for name in ("a", "b", "c", "idp"):
            if name not in up:
                getattr(self, name).stop()
        self.admin_port = Port()
        self.w = weir(conf, env={"REDIS_URL": redis.url}, A=self.a, BPORT=self.b.port.number, C=self.c, IDP=self.idp,
                      SECURE=self.secure, CRT=certificate.file, KEY=certificate.key, ADMINPORT=self.admin_port)

    def bearer(self, key=None, header=None, payload=None, **claims):
        claims = {"iss": "https://idp.example.com/", "scope": "orders:read orders:write", **claims}
        return (key or self.key).bearer(header, payload, **claims)

    def orders(self, method="GET", target="/orders/1", headers=None, body=None, key=None, more=(), **claims):
        """A request with a good token, except for what is said."""
        headers = self.bearer(key, **claims) if headers is None else headers
        return self.w.request(method, target, {**headers, **dict(more)}, body, host=HOST)

    def forced(self, target):
        """By way of orders-v2 alone."""
        return self.orders(target=target, more={"X-Canary": "always"})


@pytest.fixture
def site(weir, make_origin, redis, certificate, rsa, ec):
    return lambda **how: Site(weir, make_origin, redis, certificate, [rsa, ec], **how)


def problem(r, status, reason):
    """All that every answer of weir's own carries."""
    assert (r.status, r.reason) == (status, reason)
    p = r.json
    assert set(p) == {"type", "title", "status", "detail", "reason", "request_id"}
    assert p["status"] == status and p["title"] and p["request_id"] == r.id
    assert r.get("Proxy-Status").startswith("weir; error=")
    assert r.headers.has("Date") and not r.headers.has("Server")
    return r


def test_a_request_passes(site):
    s = site()
    r = s.orders()
    assert r.status == 200 and r.json["origin"] in ("v1a", "v1b", "v2")
    sent = {n.lower(): v for n, v in r.json["headers"]}
    assert sent["x-user-id"] == "alice" and sent["via"] == "1.1 weir" and sent["x-forwarded-for"] == "127.0.0.1"
    assert r.get("RateLimit-Policy").endswith(";q=100;w=1") and "r=199" in r.get("RateLimit").replace(" ", "")
    assert r.get("Set-Cookie").startswith("weir_variant=")
    why = [d["subject"] for d in s.w.logged(r)["why"]]
    assert [w for w in why if w in ("jwt", "rate_limit", "canary", "circuit_breaker")][:3] == ["jwt", "rate_limit", "canary"]


def test_the_bucket_is_in_redis(site):
    s = site()

    # 5 ms may pass without an answer on a busy machine; then the local bucket answers, and a request asks again once the store is back.
    def keys_after_a_request():
        if s.w.view("stores")[0]["state"] == "up":
            assert s.orders().status in (200, 429)
        return s.redis.keys()
    keys = eventually(keys_after_a_request, "the bucket in Redis")
    assert keys and all(k.startswith("weir:{") for k in keys)
    assert all(0 < s.redis.command("PTTL", k) <= 3000 for k in keys)


def test_static_answers(site):
    w = site().w
    r = w.get("/status")
    assert (r.status, r.body, r.get("Content-Type")) == (200, b"ok\n", "text/plain")
    r = w.get("/v2/legacy/x?y=1", host="old.test")
    assert (r.status, r.get("Location")) == (308, "https://old.test/new/v2/legacy/x")
    r = w.get("/api/list?x=1")
    assert r.status == 200 and r.json["target"] == "/list?x=1" and r.json["origin"] in ("v1a", "v1b")


def test_hosts_of_the_block(site):
    s = site()
    assert s.w.get("/orders/1", host="eu.api.example.com").reason == "jwt_missing"
    assert s.w.get("/orders/1", host="api.example.com:8080").reason == "jwt_missing"
    assert s.w.get("/orders/1", host="elsewhere.test").status == 200


def test_method_not_allowed(site):
    r = problem(site().orders("DELETE"), 405, "method_not_allowed")
    assert set(r.get("Allow").split(", ")) == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize("request_, status, reason", [
    (b"GET /status HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "bad_request"),
    (b"GET /status HTTP/1.1\r\n\r\n", 400, "bad_request"),
    (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "uri_too_long"),
    (b"GET /status HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"x" * 6000) for i in range(6)) + b"\r\n", 431,
     "headers_too_large"),
    (b"GET /status HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 120 + b"\r\n", 431, "headers_too_large"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", 413, "body_too_large"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n" + b"x" * 0x100001 + b"\r\n0\r\n\r\n", 413, "body_too_large"),
], ids=["two-lengths", "no-host", "uri", "head", "fields", "length", "chunked"])
def test_bad_requests(site, request_, status, reason):
    s = site()
    with s.w.connect() as c:
        c.send(request_[:60000])
        try:
            c.send(request_[60000:])
        except OSError:
            pass  # it need not read what it has refused
        problem(c.response(), status, reason)


def test_request_timeout(site):
    """The one default here that takes its 10 seconds."""
    with site().w.connect() as c:
        c.send(b"GET /status HTTP/1.1\r\nHost: a\r\n")
        problem(c.response(), 408, "request_timeout")
        assert c.at_end()


def test_body_aborted(site):
    """What has begun cannot be taken back: the client must see that it is not whole."""
    s = site()
    begun = threading.Event()

    def half(conn, _):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        begun.wait(20)  # an end that comes along with the head is a 502
        return False
    s.c.on("/orders/half", half)
    with s.w.connect() as c:
        c.write("GET", "/orders/half", {**s.bearer(), "X-Canary": "always"}, host=HOST)
        c.reader.until(b"half", "the start of the body")
        begun.set()
        assert c.at_end()
    assert s.w.access(path="/orders/half")["reason"] == "body_aborted"


def test_every_token_row(site, secret, rsa2, rsa, ec):
    s = site()
    now = int(time.time())
    malformed = {"Authorization": "Bearer a.b"}
    header = {"alg": "RS256", "typ": "JWT", "kid": "rsa"}
    twisted = rsa.token(None, None, iss="https://idp.example.com/", scope="orders:read")
    twisted = twisted[:-6] + ("AAAAAA" if not twisted.endswith("AAAAAA") else "BBBBBB")
    none = b64({"alg": "none", "typ": "JWT"}) + "." + twisted.split(".")[1] + "."
    rows = [
        ("jwt_missing", {}, None),
        ("jwt_malformed", malformed, None),
        ("jwt_malformed", None, {"exp": None}),
        ("jwt_bad_signature", {"Authorization": "Bearer " + twisted}, None),
        ("jwt_expired", None, {"exp": now - 120}),
        ("jwt_not_yet_valid", None, {"nbf": now + 600}),
        ("jwt_bad_issuer", None, {"iss": "https://other.example.com/"}),
        ("jwt_bad_audience", None, {"aud": "payments"}),
        ("jwt_alg_refused", {"Authorization": "Bearer " + none}, None),
        ("jwt_alg_refused", s.bearer(secret), None),
        ("jwt_alg_refused", s.bearer(ec, {"kid": "rsa"}), None),
        ("jwt_unknown_key", s.bearer(rsa2), None),
    ]
    for reason, headers, claims in rows:
        r = problem(s.orders(headers=headers, **(claims or {})), 401, reason)
        challenge = r.get("WWW-Authenticate")
        assert challenge.startswith("Bearer"), reason
        assert ('error="invalid_token"' in challenge) == (reason != "jwt_missing"), reason
        assert ("error=" in challenge) == (reason != "jwt_missing"), reason
        assert s.w.logged(r)["reason"] == reason
    r = problem(s.orders(scope="orders:write"), 403, "jwt_claim_refused")
    assert 'error="insufficient_scope"' in r.get("WWW-Authenticate")
    assert s.orders(key=ec).status == 200  # the second key of the set, another algorithm
    assert s.orders(exp=now - 30).status == 200  # within the leeway


def test_keys_unavailable(site):
    s = site(up=("a", "b", "c"))
    r = problem(s.orders(), 503, "jwt_keys_unavailable")
    assert int(r.get("Retry-After")) > 0
    assert s.w.admin("GET", "/ready")[0] == 200


def until_limited(s, headers, most=40):
    """Bursts on one connection until the first 429; how many passed, and that answer."""
    passed = 0
    with s.w.connect() as c:
        for _ in range(most):
            for _ in range(50):
                c.write("GET", "/orders/1", headers, host=HOST)
            answers = [c.response() for _ in range(50)]
            passed += sum(r.status == 200 for r in answers)
            refused = [r for r in answers if r.status != 200]
            if refused:
                return passed, refused[0]
    raise AssertionError(f"{passed} requests passed")


def test_rate_limited(site):
    s = site()
    passed, r = until_limited(s, s.bearer(sub="greedy"))
    problem(r, 429, "rate_limited")
    assert passed >= 200
    assert int(r.get("Retry-After")) == 1
    assert r.get("RateLimit-Policy").endswith(";q=100;w=1") and "r=0" in r.get("RateLimit").replace(" ", "")
    # Everyone has a bucket of their own.
    assert s.orders(sub="modest").status == 200


def test_limits_hold_without_redis(site):
    """on_store_error local: nobody notices, except that the bucket is in memory."""
    s = site()
    s.redis.kill()
    passed, r = until_limited(s, s.bearer(sub="greedy"))
    problem(r, 429, "rate_limited")
    assert passed >= 200
    assert s.w.admin("GET", "/ready")[0] == 200


def test_canary_force_and_cookie(site):
    s = site()
    assert {s.forced("/orders/1").json["origin"] for _ in range(5)} == {"v2"}
    r = s.orders()
    cookie = r.get("Set-Cookie").split(";")[0]
    first = r.json["origin"] == "v2"
    for _ in range(20):
        r = s.orders(more={"Cookie": cookie})
        assert (r.json["origin"] == "v2") == first
    # A cookie that was tampered with ties nobody.
    assert s.orders(more={"Cookie": cookie[:-2] + "xx"}).get("Set-Cookie")


def test_canary_share(site):
    """Five standard deviations of the binomial around 5 %."""
    s = site()
    n = 600
    headers = {}
    with s.w.connect() as c:
        got = []
        for i in range(n):
            if i % 100 == 0:
                headers = s.bearer(sub=f"user-{i}")  # nobody comes near the limit
            got.append(c.get("/orders/1", headers, host=HOST).json["origin"])
    v2 = got.count("v2")
    sigma = (n * 0.05 * 0.95) ** 0.5
    assert abs(v2 - n * 0.05) <= 5 * sigma, v2
    assert got.count("v1a") and got.count("v1b")


def test_breaker_open(site):
    s = site()
    seen = []
    for _ in range(60):
        seen.append(s.w.get("/status/500"))
        if seen[-1].status == 503:
            break
    r = problem(seen[-1], 503, "breaker_open")
    assert 1 <= int(r.get("Retry-After")) <= 5
    assert [x.status for x in seen[:-1]] == [500] * (len(seen) - 1) and len(seen) - 1 == 20
    assert s.w.upstream("orders-v1")["breaker"]["state"] == "open"
    # The other upstream has none.
    assert s.forced("/orders/1").status == 200


def test_no_healthy_endpoint(site):
    """The first round of checks decides alone."""
    s = site(healthy=False)
    problem(s.w.get("/x"), 503, "no_healthy_endpoint")
    # The canary gives the share of a variant without a healthy endpoint to the other.
    assert {s.orders().json["origin"] for _ in range(5)} == {"v2"}


def test_connect_failed_reset_and_bad_response(site):
    s = site()
    s.c.on("/orders/reset", lambda conn, _: conn.reset() or False)
    s.c.raw("/orders/garbage", b"SMTP ready\r\n\r\n")
    problem(s.forced("/orders/reset"), 502, "upstream_reset")
    problem(s.forced("/orders/garbage"), 502, "upstream_bad_response")
    s.c.stop()
    problem(s.forced("/orders/1"), 502, "connect_failed")


def test_a_try_that_takes_too_long(site):
    """per_try_timeout 2s; a timeout is not among what `retry on` names."""
    s = site()
    problem(s.w.get("/hold"), 504, "upstream_timeout")
    assert s.a.count("/hold") + s.b.count("/hold") == 1


def test_retry_goes_to_the_other_endpoint(site):
    s = site()
    for o in (s.a, s.b):
        o.on("/once", lambda conn, _: conn.reset() or False)
    problem(s.w.get("/once"), 502, "upstream_reset")
    assert (s.a.count("/once"), s.b.count("/once")) == (1, 1)
    s.b.stop()
    assert {s.w.get("/x").status for _ in range(10)} == {200}


def curl(*words):
    done = subprocess.run(["curl", "-s", "-S", "-i", "--max-time", "20", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    return head.split("\n")[0].split(" ")[1], head.lower(), body


def test_tls_with_curl(site, certificate):
    s = site()
    to = ["--cacert", certificate.file, "--resolve", f"weir.test:{s.secure.number}:127.0.0.1"]
    url = f"https://weir.test:{s.secure.number}"
    assert curl(*to, url + "/status")[::2] == ("200", "ok\n")
    status, head, body = curl(*to, "-H", "Host: " + HOST, url + "/orders/1")
    assert status == "401" and "\nwww-authenticate: bearer" in head and json.loads(body)["reason"] == "jwt_missing"
    status, _, body = curl(*to, "-H", "Host: " + HOST, "-H", "Authorization: " + s.bearer()["Authorization"], url + "/orders/1")
    sent = dict((n.lower(), v) for n, v in json.loads(body)["headers"])
    assert status == "200" and sent["x-forwarded-proto"] == "https"


def test_admin_on_both_addresses(site):
    s = site()
    with Conn(s.admin_port.address) as c:
        assert c.get("/health").status == 200
    assert s.w.admin("GET", "/health")[0] == 200
    shown = s.w.view("stores")[0]
    assert (shown["name"], shown["url"]) == ("main", "***")


def test_reload_and_end(site):
    s = site()
    s.orders()
    s.w.signal(signal.SIGHUP)
    s.w.stderr.wait(lambda line: "generation 2 is live" in line, "sign of the second generation")
    assert s.orders().status == 200
    assert os.path.exists(s.w.admin_path)
    s.w.stop()


def test_all_policies_over_http2(site, certificate):
    """Each decides as it does over HTTP/1.1, for many streams of one connection."""
    s = site(conf=CONF.replace("100/s burst=200", "1/s burst=150"))
    context = certificate.client()
    context.set_alpn_protocols(["h2"])

    def orders(c, target="/orders/1", token=True, more=()):
        fields = [(n.lower(), v) for n, v in s.bearer().items()] if token else []
        return c.write(target, more=[*fields, *more], authority=HOST, scheme="https")

    with H2(s.secure.address, tls=context, server_name="weir.test") as c:
        a = c.response(orders(c, token=False))
        assert (a.status, a.reason) == (401, "jwt_missing") and a.get("www-authenticate").startswith("Bearer")
        a = c.response(orders(c))
        sent = {n.lower(): v for n, v in json.loads(a.body)["headers"]}
        assert a.status == 200 and sent["x-user-id"] == "alice" and sent["via"] == "2 weir" and sent["x-forwarded-proto"] == "https"
        assert a.get("ratelimit-policy").endswith(";q=1;w=1") and a.get("set-cookie").startswith("weir_variant=")
        line = s.w.logged(a)
        assert line["protocol"] == "HTTP/2"
        why = [d["subject"] for d in line["why"]]
        assert [w for w in why if w in ("jwt", "rate_limit", "canary", "circuit_breaker")][:3] == ["jwt", "rate_limit", "canary"]
        a = c.response(orders(c, more=[("x-canary", "always")]))
        assert json.loads(a.body)["origin"] == "v2"
        cookie = a.get("set-cookie")
        if cookie:
            a = c.response(orders(c, more=[("cookie", "a=1"), ("cookie", cookie.split(";")[0])]))
            assert json.loads(a.body)["origin"] == "v2"
        # The breaker of orders-v1 opens for what it was answered, and closes nothing else.
        for origin in (s.a, s.b):
            origin.on("/orders/bad", lambda conn, _: conn.answer(500, b""))
        reasons = set()
        for _ in range(4):
            streams = [orders(c, "/orders/bad") for _ in range(20)]
            reasons |= {c.response(x).reason for x in streams if c.response(x).status == 503}
        assert "breaker_open" in reasons
        assert c.response(orders(c, more=[("x-canary", "always")])).status == 200
        # What is left of the bucket is soon taken.
        refused = []
        for _ in range(8):  # a store that is slow for a moment lets the local bucket answer, which has as many
            streams = [orders(c, more=[("x-canary", "always")]) for _ in range(90)]
            refused += [c.answer(x) for x in streams if c.response(x).status == 429]
        assert refused and refused[0].reason == "rate_limited" and int(refused[0].get("retry-after")) >= 1
        assert c.response(c.write("/status", authority="a.test", scheme="https")).body == b"ok\n"
