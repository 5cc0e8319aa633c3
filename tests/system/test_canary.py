"""canary: who goes to which variant."""
import re
from collections import Counter

import pytest

from harness import eventually

pytestmark = pytest.mark.workers

UPSTREAMS = "upstream v1 { endpoint @A@; }\nupstream v2 { endpoint @B@; }\nupstream v3 { endpoint @C@; }\n"


@pytest.fixture
def start(weir, make_origin):
    def run(inside, upstreams=UPSTREAMS, **how):
        w = weir("use canary;\nroute /c { canary { " + inside + " } }\n" + upstreams,
                 A=w_origins[0], B=w_origins[1], C=w_origins[2], **how)
        w.origins = w_origins
        return w
    w_origins = [make_origin(n) for n in ("v1", "v2", "v3")]
    return run


def ask(w, headers=(), target="/c"):
    r = w.get(target, headers)
    assert r.status == 200, r
    return r.get("X-Origin")


def share(w, n, headers=lambda i: ()):
    with w.connect() as c:
        return Counter(c.get("/c", headers(i)).get("X-Origin") for i in range(n))


def test_the_split_is_as_configured(start):
    w = start("variant v1 80%; variant v2 15%; variant v3 5%;")
    got = share(w, 4000)
    # Five standard deviations of the binomial distribution.
    for name, p in (("v1", 0.80), ("v2", 0.15), ("v3", 0.05)):
        assert abs(got[name] - 4000 * p) < 5 * (4000 * p * (1 - p)) ** 0.5, got
    line = w.access(path="/c")
    assert any(d["step"] == "target" and d["subject"] == "canary" for d in line["why"])


def cookie(r):
    m = re.fullmatch(r"(\w+)=([^;]+); (.*)", r.get("Set-Cookie"))
    return f"{m[1]}={m[2]}", m[3]


def test_a_cookie_keeps_a_client_with_its_variant(start):
    w = start("variant v1 50%; variant v2 50%; sticky cookie weir_variant;")
    seen = set()
    for _ in range(12):
        r = w.get("/c")
        mine, attributes = cookie(r)
        assert {"HttpOnly", "SameSite=Lax"} <= set(attributes.split("; ")) and "Secure" not in attributes and "Max-Age" not in attributes
        first = r.get("X-Origin")
        seen.add(first)
        for _ in range(6):
            again = w.get("/c", {"Cookie": "a=b; " + mine})
            assert again.get("X-Origin") == first and not again.headers.has("Set-Cookie")
    assert seen == {"v1", "v2"}


def test_a_forged_cookie_is_worth_nothing(start):
    w = start("variant v1 100%; variant v2 0%; sticky cookie weir_variant;")
    mine, _ = cookie(w.get("/c"))
    name, value = mine.split("=", 1)
    for forged in (f"{name}=v2", f"{name}=" + value.replace("v1", "v2"), f"{name}=" + "A" * len(value), f"{name}=", f"{name}=" + value[:-2]):
        r = w.get("/c", {"Cookie": forged})
        assert r.get("X-Origin") == "v1" and r.headers.has("Set-Cookie"), forged


def test_ttl(start):
    w = start("variant v1 50%; variant v2 50%; sticky cookie weir_variant ttl=1h;")
    assert "Max-Age=3600" in cookie(w.get("/c"))[1].split("; ")


def test_sticky_by_template(start):
    w = start("variant v1 50%; variant v2 50%; sticky by ${request.header.x-user};")
    got = {}
    for i in range(60):
        got[i] = ask(w, {"X-User": f"u{i}"})
        assert ask(w, {"X-User": f"u{i}"}) == got[i]
    assert 10 < Counter(got.values())["v1"] < 50
    # Many clients without a key are not one client.
    assert set(share(w, 60)) == {"v1", "v2"}


def test_weights_move_only_who_must(start):
    w = start("variant v1 50%; variant v2 50%; sticky by ${request.header.x-user};")
    before = {i: ask(w, {"X-User": f"u{i}"}) for i in range(200)}
    assert w.admin("PATCH", "/api/v1/routes/%2Fc/canary", {"weights": {"v2": 70}})[0] == 200
    after = {i: ask(w, {"X-User": f"u{i}"}) for i in range(200)}
    assert all(after[i] == "v2" for i in before if before[i] == "v2")
    assert 15 < sum(before[i] != after[i] for i in before) < 75


@pytest.mark.parametrize("force,headers,target", [
    ("header x-canary = always", {"X-Canary": "always"}, "/c"),
    ("cookie beta = yes", {"Cookie": "z=1; beta=yes"}, "/c"),
    ("query beta = 'a b'", {}, "/c?beta=a%20b"),
])
def test_force(start, force, headers, target):
    w = start(f"variant v1 100%; variant v2 0%; sticky cookie weir_variant; force {force} to v2;")
    r = w.get(target, headers)
    assert r.get("X-Origin") == "v2" and not r.headers.has("Set-Cookie")
    assert any(d["reason"] == "forced" for d in w.logged(r)["why"])
    assert ask(w, {"X-Canary": "Always", "Cookie": "beta=no"}, "/c?beta=c") == "v1"


def test_weight_0_takes_no_newcomers_but_keeps_its_own(start):
    inside = "variant v1 @W1@%; variant v2 @W2@%; sticky cookie weir_variant; secret 'a secret of many characters';"
    w = start(inside.replace("@W1@", "0").replace("@W2@", "100"))
    mine, _ = cookie(w.get("/c"))
    assert ask(w, {"Cookie": mine}) == "v2"
    text = open(w.path).read()
    w.write(text.replace("v1 0%", "v1 100%").replace("v2 100%", "v2 0%"))
    assert w.reload()[0] == 200
    assert share(w, 20) == {"v1": 20}
    assert ask(w, {"Cookie": mine}) == "v2"
    # With `drain` they leave, too.
    w.write(text.replace("v1 0%", "v1 100%").replace("v2 100%", "v2 0% drain"))
    assert w.reload()[0] == 200
    assert ask(w, {"Cookie": mine}) == "v1"


CHECKED = """upstream v1 { endpoint @A@; }
upstream v2 { endpoint @B@; health_check { path /healthz; interval 100ms; healthy 1; unhealthy 1; } }
upstream v3 { endpoint @C@; }
"""


def test_an_unhealthy_variant_gives_its_share_to_the_others(start):
    w = start("variant v1 50%; variant v2 50%; sticky cookie weir_variant;", CHECKED)
    b = w.origins[1]
    tied = next(c for c in (cookie(r)[0] for r in (w.get("/c") for _ in range(50)) if r.get("X-Origin") == "v2"))
    b.healthy = False
    eventually(lambda: not w.upstream("v2")["endpoints"][0]["healthy"], "an ill variant")
    assert share(w, 20) == {"v1": 20}
    r = w.get("/c", {"Cookie": tied})
    assert r.get("X-Origin") == "v1" and not r.headers.has("Set-Cookie")
    assert any(d["reason"] == "variant_unhealthy" for d in w.logged(r)["why"])
    b.healthy = True
    eventually(lambda: w.upstream("v2")["endpoints"][0]["healthy"], "a variant that is well again")
    assert ask(w, {"Cookie": tied}) == "v2"


def test_none_healthy(start):
    w = start("variant v2 100%;", CHECKED)
    w.origins[1].healthy = False
    eventually(lambda: not w.upstream("v2")["endpoints"][0]["healthy"], "an ill variant")
    r = w.get("/c")
    assert (r.status, r.reason) == (503, "no_healthy_endpoint")


def test_replicas_with_one_secret_know_each_others_cookies(start):
    inside = "variant v1 50%; variant v2 50%; sticky cookie weir_variant; secret 'a secret of many characters';"
    a, b = start(inside), start(inside)
    for _ in range(10):
        r = a.get("/c")
        assert ask(b, {"Cookie": cookie(r)[0]}) == r.get("X-Origin")


def test_secure_under_tls(start, certificate):
    w = start("variant v1 100%; sticky cookie weir_variant;",
              UPSTREAMS + "listener l { bind @LISTEN@; tls { certificate @CERT@; key @KEY@; } }", CERT=certificate.file, KEY=certificate.key)
    with w.connect(tls=certificate.client(), server_name="weir.test") as c:
        assert "Secure" in cookie(c.get("/c"))[1].split("; ")
