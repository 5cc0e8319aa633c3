"""rate_limit: buckets in memory and in Redis, what clients are told, and what happens without Redis."""
import re
import threading
import time
from collections import Counter

import pytest

from harness import H2, eventually
from harness import h2 as wire

STORE = "store main { url @REDIS@; timeout 200ms; }\n"


def conf(inside, where="/r"):
    return "use rate_limit;\nroute " + where + " { rate_limit { " + inside + " } respond 200 ok; }\nroute /free { respond 200 ok; }\n"


def statuses(w, n, headers=(), target="/r"):
    with w.connect() as c:
        return Counter(c.get(target, headers).status for _ in range(n))


# ---- what a client is told ----

@pytest.mark.parametrize("store", [False, True])
def test_headers(weir, redis, store):
    w = weir((STORE if store else "") + conf("rate 2/m burst=3; " + ("store main;" if store else "")), REDIS=redis.url)
    with w.connect() as c:
        for left in (2, 1, 0):
            r = c.get("/r")
            assert r.status == 200
            assert r.get("RateLimit-Policy") == '"/r";q=2;w=60'
            m = re.fullmatch(r'"/r";r=(\d+);t=(\d+)', r.get("RateLimit"))
            assert int(m[1]) == left
            assert 30 * (3 - left) - 25 <= int(m[2]) <= 30 * (3 - left)
            assert not r.headers.has("Retry-After")
        r = c.get("/r")
    assert (r.status, r.reason) == (429, "rate_limited")
    assert 5 <= int(r.get("Retry-After")) <= 30  # until the next token
    assert r.get("RateLimit-Policy") == '"/r";q=2;w=60' and r.get("RateLimit").startswith('"/r";r=0;t=')
    line = w.logged(r)
    assert line["reason"] == "rate_limited"
    assert any(d["subject"] == "rate_limit" and d["verdict"] == "refuse" and d["at"] for d in line["why"])
    assert w.metric("weir_policy_verdicts_total", policy="rate_limit", verdict="refuse") == 1
    assert w.metric("weir_policy_verdicts_total", policy="rate_limit", verdict="pass") == 3


def test_the_headers_are_on_the_origins_answers_too(weir, origin):
    w = weir("use rate_limit;\nroute /r { rate_limit { rate 5/h name api; } proxy o; }\nupstream o { endpoint @O@; }".replace("5/h name", "5/h; name"),
             O=origin)
    r = w.get("/r")
    assert r.get("RateLimit").startswith('"api";r=4;') and r.get("RateLimit-Policy") == '"api";q=5;w=3600'


def test_burst_defaults_to_the_count(weir):
    assert statuses(weir(conf("rate 4/h;")), 10) == {200: 4, 429: 6}


def test_a_refusal_costs_nothing(weir):
    """A client that keeps asking gets its tokens all the same."""
    w = weir(conf("rate 2/s burst=1;"))
    got = Counter()
    with w.connect() as c:
        while got[200] < 4:  # none would come after the first if being refused cost anything
            got[c.get("/r").status] += 1
    assert set(got) == {200, 429}


# ---- who shares a bucket ----

def test_keys(weir):
    w = weir(conf("rate 2/h; key ${request.header.x-user};"))
    assert statuses(w, 4, {"X-User": "a"}) == {200: 2, 429: 2}
    assert statuses(w, 4, {"X-User": "b"}) == {200: 2, 429: 2}
    assert statuses(w, 4) == {200: 2, 429: 2}
    assert statuses(w, 4, target="/free") == {200: 4}


def test_the_default_key_is_the_client(weir):
    w = weir("trusted_proxies 127.0.0.1;\n" + conf("rate 2/h;"))
    for client in ("1.1.1.1", "1.1.1.2"):
        assert statuses(w, 3, {"X-Forwarded-For": client}) == {200: 2, 429: 1}


def test_ipv6_counts_by_64(weir):
    w = weir("trusted_proxies 127.0.0.1;\n" + conf("rate 3/h;"))
    got = [w.get("/r", {"X-Forwarded-For": f"2001:db8:1:2::{i}"}).status for i in range(1, 5)]
    assert got == [200, 200, 200, 429]
    assert w.get("/r", {"X-Forwarded-For": "2001:db8:1:3::1"}).status == 200


def test_scopes_are_identities(weir):
    """A policy in `host` is one bucket for its routes; one at the top one for all; a name joins what is written apart."""
    w = weir("""
use rate_limit;
host h.test { rate_limit { rate 2/h; } route /a { respond 200 x; } route /b { respond 200 x; } }
route /n1 { rate_limit { rate 2/h; name shared; } respond 200 x; }
route /n2 { rate_limit { rate 2/h; name shared; } respond 200 x; }
""")
    assert [w.get(t, host="h.test").status for t in ("/a", "/b", "/a")] == [200, 200, 429]
    assert [w.get(t).status for t in ("/n1", "/n2", "/n1", "/n2")] == [200, 200, 429, 429]


def test_top_and_route(weir):
    """Outermost first: both must pass."""
    w = weir("use rate_limit;\nrate_limit { rate 3/h; }\nroute /a { respond 200 x; }\nroute /b { respond 200 x; }\n")
    assert [w.get(t).status for t in ("/a", "/b", "/a", "/b")] == [200, 200, 200, 429]


# ---- never more than burst and rate, however many ask ----

@pytest.mark.workers
@pytest.mark.parametrize("store", [False, True])
def test_parallel_clients_never_get_more(weir, redis, store):
    rate, burst = 50, 20
    patient = STORE.replace("200ms", "5s")  # what Redis misses would be allowed from memory
    w = weir("workers 4;\n" + (patient if store else "") + conf(f"rate {rate}/s burst={burst}; " + ("store main;" if store else "")),
             REDIS=redis.url)
    passed, total, lock = [0], [0], threading.Lock()
    stop = time.monotonic() + 1.5
    begin = time.monotonic()

    def client():
        with w.connect() as c:
            while time.monotonic() < stop:
                status = c.get("/r").status
                assert status in (200, 429)
                with lock:
                    total[0] += 1
                    passed[0] += status == 200
    threads = [threading.Thread(target=client) for _ in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    took = time.monotonic() - begin
    assert total[0] > 2 * passed[0]
    assert burst + rate < passed[0] <= burst + rate * took + 1


def test_two_gateways_share_a_bucket(weir, redis):
    text = STORE + conf("rate 10/h; store main;")
    a, b = weir(text, REDIS=redis.url), weir(text, REDIS=redis.url)
    got = Counter()
    for _ in range(10):
        got += statuses(a, 1) + statuses(b, 1)
    assert got == {200: 10, 429: 10}


# ---- Redis ----

def test_every_key_expires(weir, redis):
    w = weir(STORE + conf("rate 100/h; store main; key ${request.header.x-user};"), REDIS=redis.url)
    with w.connect() as c:
        for i in range(200):
            assert c.get("/r", {"X-User": f"user-{i}"}).status == 200
    keys = redis.keys()
    assert len(keys) == 200
    for key in keys:
        assert re.fullmatch(r"weir:\{/r:[0-9a-f]{32}\}", key), key
        assert 0 < redis.command("PTTL", key) <= 36000
    assert "user-" not in " ".join(keys)


def test_keys_do_not_outlive_their_bucket(weir, redis):
    w = weir(STORE + conf("rate 20/s burst=2; store main;"), REDIS=redis.url)
    statuses(w, 5)
    eventually(lambda: redis.keys() == [], "an empty Redis")


def test_one_command_for_a_request(weir, redis):
    w = weir(STORE + conf("rate 1000/s; store main;"), REDIS=redis.url)
    w.get("/r")
    def evals():
        return sum(int(re.search(rf"cmdstat_{c}:calls=(\d+)", redis.command("INFO", "commandstats") or "")[1])
                   if f"cmdstat_{c}:" in redis.command("INFO", "commandstats") else 0 for c in ("eval", "evalsha"))
    before = evals()
    statuses(w, 50)
    assert evals() - before <= 50


def test_one_write_to_redis_for_a_turn_of_the_loop(weir, redis):
    """Whatever came in one read is decided in one turn: 50 questions leave together."""
    w = weir(STORE + conf("rate 1000/s; store main;"), REDIS=redis.url)
    with H2(w.port.address) as c, redis.connect() as f:
        assert c.request("/r").status == 200  # there are the connection to Redis and the script now

        def reads():
            return int(re.search(r"total_reads_processed:(\d+)", redis.talk(f, ["INFO", "stats"]))[1])
        before = reads()
        streams = [c.new_stream() for _ in range(50)]
        c.send(b"".join(wire.frame(wire.HEADERS, wire.END_STREAM | wire.END_HEADERS, s, c.encode(c.head("/r"))) for s in streams))
        assert {c.response(s).status for s in streams} == {200}
        assert reads() - before - 1 == 1, "beside the reading of this question"


@pytest.mark.parametrize("url", ["unix", "password", "database"])
def test_kinds_of_url(weir, make_redis, url):
    redis = make_redis("s3cret") if url == "password" else make_redis()
    text = {"unix": f"unix:{redis.socket}", "password": f"redis://:s3cret@{redis.port}", "database": f"redis://{redis.port}/3"}[url]
    w = weir("store main { url ${env.REDIS_URL}; timeout 200ms; }\n" + conf("rate 100/h; store main;"), env={"REDIS_URL": text})
    assert w.get("/r").status == 200
    store = w.view("stores")[0]
    assert (store["name"], store["state"]) == ("main", "up") and "s3cret" not in store["url"] and store["latency_ms"] >= 0
    assert w.metric("weir_store_up", store="main") == 1
    if url == "database":
        assert redis.keys() == [] and redis.command("INFO", "keyspace").startswith("# Keyspace\r\ndb3:keys=1")


# ---- without Redis ----

def up(w):
    return w.view("stores")[0]["state"] == "up"


@pytest.mark.parametrize("how", ["kill", "pause"])
@pytest.mark.parametrize("mode,expected", [("allow", {200: 40}), ("deny", {503: 40}), ("local", {200: 10, 429: 30})])
def test_redis_goes_away_and_comes_back(weir, redis, mode, expected, how):
    w = weir(STORE.replace("200ms", "100ms") + conf(f"rate 10/h; store main; on_store_error {mode};"), REDIS=redis.url)
    assert w.get("/r").get("RateLimit").startswith('"/r";r=9;')
    getattr(redis, how)()
    assert statuses(w, 40) == expected
    if mode == "deny":
        r = w.get("/r")
        assert r.reason == "store_unavailable" and int(r.get("Retry-After")) >= 1
    eventually(lambda: not up(w), "word that the store is down")
    assert w.metric("weir_store_up", store="main") == 0
    assert w.metric("weir_store_degraded", policy="/r") == 1
    assert w.admin("GET", "/ready")[0] == 200
    if mode == "allow":
        assert any(d["reason"] == "store_unavailable" for d in w.logged(w.get("/r"))["why"])
    if how == "kill":
        redis.start()
    else:
        redis.resume()
    eventually(lambda: up(w), "the store")
    # What was asked while it stood still is carried out now, so that the bucket may be empty: but it is the store that says so.
    eventually(lambda: w.get("/r").status in (200, 429) and redis.keys(), "a bucket in Redis")
    eventually(lambda: w.get("/r") and w.metric("weir_store_degraded", policy="/r") == 0, "decisions by the store")


def test_a_dead_redis_does_not_cost_its_timeout_each_time(weir, redis):
    """After a few failures calls fail at once: 300 requests would otherwise take a minute."""
    w = weir(STORE + conf("rate 1000/s; store main; on_store_error allow;"), REDIS=redis.url)
    w.get("/r")
    redis.pause()
    with w.connect() as c:
        assert [c.get("/r").status for _ in range(300)] == [200] * 300
    w.log.wait(lambda _: w.log.count() == 301, "all lines")
    assert w.log.count(lambda r: r["duration_ms"] > 150) < 30
    redis.resume()


def test_replicas_share_the_local_rate(weir, redis):
    redis.kill()
    w = weir(STORE + conf("rate 12/h; store main; replicas 3;"), REDIS=redis.url)
    assert statuses(w, 20) == {200: 4, 429: 16}


def test_it_starts_without_redis(weir, redis):
    redis.kill()
    w = weir(STORE + conf("rate 5/h; store main;"), REDIS=redis.url)
    assert statuses(w, 10) == {200: 5, 429: 5}
    redis.start()
    eventually(lambda: w.get("/r") and redis.keys(), "a bucket in Redis")


def test_a_store_that_answers_nonsense(weir, make_origin):
    """Whatever comes from there, the daemon lives and the mode holds."""
    fake = make_origin("not a redis")
    w = weir(STORE + conf("rate 5/h; store main; on_store_error allow;"), REDIS=f"redis://{fake}")
    assert statuses(w, 20) == {200: 20}


def test_redis_forgets_its_scripts(weir, redis):
    w = weir(STORE + conf("rate 1000/h; store main;"), REDIS=redis.url)
    assert w.get("/r").status == 200
    redis.command("SCRIPT", "FLUSH")
    r = w.get("/r")
    assert r.status == 200 and r.get("RateLimit").startswith('"/r";r=998;')
    assert up(w)


def test_redis_out_of_memory(weir, redis):
    w = weir(STORE + conf("rate 5/h; store main; on_store_error allow;"), REDIS=redis.url)
    redis.command("CONFIG", "SET", "maxmemory", "1")
    redis.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert statuses(w, 20) == {200: 20}


def test_buckets_survive_a_reload(weir):
    w = weir(conf("rate 5/h;"))
    assert statuses(w, 3) == {200: 3}
    assert w.reload()[0] == 200
    assert statuses(w, 5) == {200: 2, 429: 3}
