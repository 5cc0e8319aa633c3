"""Mode and percent are the host's, for every policy alike."""
from collections import Counter

import pytest

POLICIES = {
    "rate_limit": ("rate 1/h; key x;", "rate_limited", 429),
    "jwt": ("audience any; key 'secret:a secret that is long enough' alg=HS256;", "jwt_missing", 401),
}


def start(weir, policy, more):
    return weir(f"use {policy};\nroute /p {{ {policy} {{ {POLICIES[policy][0]} {more} }} respond 200 ok; }}\n")


def statuses(w, n):
    with w.connect() as c:
        return Counter(c.get("/p").status for _ in range(n))


@pytest.mark.parametrize("policy", POLICIES)
def test_shadow_records_and_counts_but_does_not_refuse(weir, policy):
    w = start(weir, policy, "mode shadow;")
    assert statuses(w, 10) == {200: 10}
    refused = 9 if policy == "rate_limit" else 10
    assert w.metric("weir_policy_verdicts_total", policy=policy, verdict="refuse", mode="shadow") == refused
    line = w.log.wait(lambda r: any(d["subject"] == policy and d["verdict"] == "shadow_refuse" for d in r["why"]), "a refusal in shadow")
    assert (line["status"], line["reason"]) == (200, None)
    d = next(d for d in line["why"] if d["subject"] == policy)
    assert d["reason"] == POLICIES[policy][1]
    r = w.get("/p")
    assert not r.headers.has("WWW-Authenticate") and not r.headers.has("Retry-After")
    assert next(x for x in w.view("routes"))["policies"][0]["mode"] == "shadow"


def test_the_log_tells_a_shadow_verdict_from_an_enforced_one(weir):
    """By the verdict alone, with the keys that each decision has: also where one of either kind speaks in one exchange."""
    w = weir("use jwt rate_limit;\nroute /p { rate_limit { rate 1/h; key x; mode shadow; }\n"
             "jwt { audience any; key 'secret:a secret that is long enough' alg=HS256; }\nrespond 200; }\n")
    assert statuses(w, 2) == {401: 2}
    said = []
    for n in range(2):
        line = w.log.wait(lambda r: r["status"] == 401 and r["request_id"] not in [i for i, _ in said], "a refusal")
        said.append((line["request_id"], [(d["subject"], d["verdict"]) for d in line["why"] if d["step"] == "policy"]))
        assert all(set(d) == {"step", "subject", "verdict", "reason", "at"} for d in line["why"])
    assert sorted(v for _, v in said) == [[("rate_limit", "shadow_pass"), ("jwt", "refuse")],
                                          [("rate_limit", "shadow_refuse"), ("jwt", "refuse")]]


@pytest.mark.parametrize("policy", POLICIES)
def test_off(weir, policy):
    w = start(weir, policy, "mode off;")
    assert statuses(w, 10) == {200: 10}
    assert not w.metric("weir_policy_verdicts_total", policy=policy, verdict="refuse")


def test_percent(weir):
    """A share of the requests goes through the policy; the rest does not even meet it."""
    w = start(weir, "jwt", "percent 30%;")
    got = statuses(w, 1000)
    assert abs(got[401] - 300) < 5 * (1000 * 0.3 * 0.7) ** 0.5


def test_shadow_of_a_breaker(weir, origin):
    origin.on("/x", lambda conn, _: conn.answer(500))
    w = weir("use circuit_breaker;\nroute / { proxy o; }\nupstream o { endpoint @O@; circuit_breaker { min_requests 2; mode shadow; } }", O=origin)
    assert [w.get("/x").status for _ in range(6)] == [500] * 6
    assert w.metric("weir_policy_verdicts_total", policy="circuit_breaker", verdict="refuse", mode="shadow") == 4
