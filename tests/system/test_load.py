"""Many requests through all four policies at once, with a reload in the middle: nobody sees what the configuration does not ask for."""
import json
import os
import subprocess
import time

import pytest

from harness import eventually

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

# Each thread of wrk asks in turn for what is in `requests`, most of all for orders, and counts statuses per kind.
SCRIPT = """
local kinds = { "orders", "orders", "orders", "orders", "orders", "limited", "orders", "none", "orders", "flaky" }
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init()
    bearer = { Authorization = "Bearer " .. os.getenv("TOKEN") }
    made = {
        orders = wrk.format("GET", "/orders/1", bearer),
        limited = wrk.format("GET", "/limited/1", bearer),
        none = wrk.format("GET", "/orders/1"),
        flaky = wrk.format("GET", "/flaky"),
    }
    n = 0
    counts = ""
    seen = {}
end
function request()
    n = n + 1
    return made[kinds[n % #kinds + 1]]
end
-- Responses of many connections come in any order, so that each is told by its status and body, not by its turn.
function response(status, headers, body)
    local what = status .. " " .. (body:match('"reason":"([a-z_]+)"') or body:match("^%a+") or "?")
    seen[what] = (seen[what] or 0) + 1
    local t = {}
    for k, v in pairs(seen) do t[#t + 1] = k .. "=" .. v end
    counts = table.concat(t, ";")
end
function done(summary)
    local e = summary.errors
    for _, t in ipairs(threads) do print("COUNTS " .. t:get("counts")) end
    print(string.format("ERRORS %d %d %d %d", e.connect, e.read, e.write, e.timeout))
    print("REQUESTS " .. summary.requests)
end
"""


class Wrk:
    """One run of wrk."""

    def __init__(self, directory, to, token, seconds):
        script = directory / "load.lua"
        script.write_text(SCRIPT)
        self.process = subprocess.Popen(["wrk", "-t", "2", "-c", "200", "-d", f"{seconds}s", "--timeout", "30s", "-s", str(script),
                                         f"http://{to}"], stdout=subprocess.PIPE, text=True, env={**os.environ, "TOKEN": token})

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()

    def result(self):
        """Number of requests, and how many were answered with what."""
        out, _ = self.process.communicate(timeout=110)
        assert self.process.returncode == 0, out
        got, errors, requests = {}, None, 0
        for line in out.splitlines():
            word, _, rest = line.partition(" ")
            if word == "COUNTS":
                for pair in filter(None, rest.split(";")):
                    what, _, n = pair.rpartition("=")
                    got[what] = got.get(what, 0) + int(n)
            elif word == "ERRORS":
                errors = [int(n) for n in rest.split()]
            elif word == "REQUESTS":
                requests = int(rest)
        assert errors == [0, 0, 0, 0], f"connect, read, write, timeout: {errors}"
        return requests, got


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
    token = secret.token(scope="orders:read")

    begin = time.monotonic()
    total, got = 0, {}
    while total < TOTAL:
        with Wrk(tmp_path, w.port, token, 5) as run:
            before = w.view("status")["requests_total"]
            eventually(lambda: w.view("status")["requests_total"] > before + 500, "requests")
            assert w.reload()[0] == 200
            requests, answers = run.result()
        total += requests
        for what, n in answers.items():
            got[what] = got.get(what, 0) + n
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
