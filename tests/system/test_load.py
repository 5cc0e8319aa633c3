"""Many requests through all four policies at once, with a reload in the middle: nobody sees what the configuration does not ask for."""
import json
import os
import time

import pytest

from harness import Wrk, eventually

TOTAL = int(os.environ.get("WEIR_LOAD_REQUESTS", "100000"))
RATE, BURST = 50, 100

ORIGIN = """
access_log off;
route / { respond 200 "fine\\n"; }
route /flaky { respond 500 "broken\\n"; }
"""

CONF = """
use jwt rate_limit circuit_breaker canary;
access_log @LOG@ format=json;
@STORE@
upstream v1 { endpoint @ORIGIN@; circuit_breaker { window 10s; min_requests 20; failure_rate 50%; open 5s; } }
upstream v2 { endpoint @ORIGIN@; circuit_breaker { window 10s; min_requests 20; failure_rate 50%; open 5s; } }
upstream flaky { endpoint @ORIGIN@; circuit_breaker { window 10s; min_requests 20; failure_rate 50%; open 1s; probes 1; } }
policy known {
    jwt {
        issuer https://idp.test/;
        audience orders;
        key "secret:@SECRET@" alg=HS256;
        require scope orders:read;
        forward sub as X-User-Id;
    }
}
route /orders/ {
    apply known;
    rate_limit { rate 1000000/s burst=1000000; key ${jwt.sub}; @USE@ }
    canary { variant v1 90%; variant v2 10%; }
}
route /limited/ {
    apply known;
    rate_limit { rate @RATE@/s burst=@BURST@; key ${jwt.sub}; @USE@ }
    canary { variant v1 50%; variant v2 50%; }
}
route /flaky { proxy flaky; }
"""

@pytest.mark.load
@pytest.mark.parametrize("where", ["memory", "redis"])
def test_all_four_policies(weir, redis, tmp_path, secret, where):
    origin = weir(ORIGIN)
    stored = where == "redis"
    # With `deny` every answer that Redis owes would show as 503; its time is the machine's here, not 5 ms.
    w = weir(CONF, ORIGIN=origin.port, SECRET=secret.text, RATE=RATE, BURST=BURST, LOG=tmp_path / "access.log",
             STORE=f"store main {{ url {redis.url}; timeout 10s; }}" if stored else "",
             USE="store main; on_store_error deny;" if stored else "")
    if stored:
        eventually(lambda: w.view("stores")[0]["state"] == "up", "the store")
    bearer = "Bearer " + secret.token(scope="orders:read")
    orders = ("/orders/1", bearer)
    requests = [orders] * 5 + [("/limited/1", bearer), orders, "/orders/1", orders, "/flaky"]

    begin = time.monotonic()
    total, got = 0, {}
    while total < TOTAL:
        with Wrk(tmp_path, w.port, requests, 5) as run:
            before = w.view("status")["requests_total"]
            eventually(lambda: w.view("status")["requests_total"] > before + 500, "requests")
            assert w.reload()[0] == 200
            n, answers = run.result()
        total += n
        for what, m in answers.items():
            got[what] = got.get(what, 0) + m
    took = time.monotonic() - begin

    passed = got.pop("200 fine")
    limited = got.pop("429 rate_limited", 0)
    missing = got.pop("401 jwt_missing")
    broken, refused = got.pop("500 broken"), got.pop("503 breaker_open")
    assert not got, f"answers that nothing asks for: {got}"
    sent = passed + limited + missing + broken + refused
    tenth = sent / 10
    assert sent >= TOTAL and abs(missing - tenth) < 0.01 * sent and abs(broken + refused - tenth) < 0.01 * sent
    # The bucket and its reloads: never more than the burst and what has dripped in since.
    through = w.metric("weir_policy_verdicts_total", route="/limited/", policy="rate_limit", verdict="pass")
    assert BURST <= through <= BURST + RATE * (took + 1)
    # Each round of the breaker lets through what it takes to open it and one probe a second afterwards, over what was under way.
    assert refused > broken
    v1 = w.metric("weir_upstream_requests_total", upstream="v1")
    assert abs(v1 - 0.9 * (passed - through) - 0.5 * through) < 0.02 * passed + 200

    # A disk that stands still for long makes lines be dropped rather than requests wait; they are counted.
    dropped = w.metric("weir_access_log_dropped_total")
    w.stop()
    with open(tmp_path / "access.log") as f:
        lines = sum(1 for line in f if json.loads(line)["status"] != 0)
    assert lines + dropped >= sent
