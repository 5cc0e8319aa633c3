"""Which route a request takes."""


def names(w, *requests):
    """The bodies, which say the route."""
    return [w.get(target, headers).text for target, headers in requests]


def where(w, target, headers=(), method="GET", **how):
    r = w.request(method, target, headers, **how)
    return r.text if r.status == 200 else r.status


def test_exact_then_regex_then_longest_prefix(weir):
    w = weir("""
route /        { respond 200 root; }
route /a       { respond 200 a; }
route /a/b     { respond 200 ab; }
route ~ ^/a/b/[0-9]+$ { respond 200 number; }
route ~ ^/a/b/1 { respond 200 second; }
route = /a/b/1 { respond 200 exact; }
""")
    assert [where(w, t) for t in ("/", "/z", "/a", "/a/", "/a/x", "/ab", "/a/b", "/a/b/x", "/a/b/2", "/a/b/12x", "/a/b/1", "/a/b/1/")] == \
        ["root", "root", "a", "a", "a", "root", "ab", "ab", "number", "second", "exact", "second"]


def test_prefix_ends_on_a_segment(weir):
    w = weir("route /orders { respond 200 o; }\nroute /slash/ { respond 200 s; }")
    assert [where(w, t) for t in ("/orders", "/orders/", "/orders/1", "/orders?x", "/orders.json", "/ordersx")] == ["o"] * 4 + [404] * 2
    assert [where(w, t) for t in ("/slash", "/slash/", "/slash/x")] == [404, "s", "s"]


def test_hosts(weir):
    w = weir("""
host api.test { route / { respond 200 exact; } }
host *.api.test { route / { respond 200 sub; } }
host *.b.api.test { route / { respond 200 longer; } }
host two.test other.test { route /only { respond 200 two; } }
route / { respond 200 any; }
""")

    def at(host, target="/"):
        return where(w, target, host=host)
    assert at("api.test") == "exact"
    assert at("API.Test") == "exact"
    assert at("api.test:8080") == "exact"
    assert at("x.api.test") == "sub" and at("x.y.api.test") == "sub"
    assert at("x.b.api.test") == "longer"
    assert at("xapi.test") == "any"
    assert at("two.test", "/only") == "two" and at("other.test", "/only") == "two"
    # Routes outside any host come after those of the best host.
    assert at("two.test", "/else") == "any"
    assert at("unknown.test") == "any"


def test_a_route_of_the_host_beats_a_better_pattern_outside(weir):
    w = weir("host h.test { route /a { respond 200 inside; } }\nroute = /a/b { respond 200 outside; }")
    assert where(w, "/a/b", host="h.test") == "inside"


def test_only_the_best_host_counts(weir):
    w = weir("host a.h.test { route /x { respond 200 exact; } }\nhost *.h.test { route / { respond 200 sub; } }")
    assert where(w, "/y", host="a.h.test") == 404


def test_methods_are_a_gate(weir):
    w = weir("""
route / { respond 200 root; }
route /a { methods POST PUT; respond 200 a; }
route = /g { methods GET; respond 200 g; }
route = /s { methods GET; respond 200 s1; }
route = /s { methods DELETE; respond 200 s2; }
""")
    r = w.get("/a")
    assert (r.status, r.reason, r.get("Allow")) == (405, "method_not_allowed", "POST, PUT")
    assert where(w, "/a", method="PUT") == "a"
    assert w.request("HEAD", "/g").status == 200
    # Routes of one pattern stand in for each other; the union is allowed.
    assert where(w, "/s", method="DELETE") == "s2"
    r = w.post("/s")
    assert r.status == 405 and set(r.get("Allow").split(", ")) == {"GET", "HEAD", "DELETE"}
    assert w.logged(r)["route"] == "= /s"


def test_matchers(weir):
    w = weir("""
route /h { match header x-a = 1; respond 200 eq; }
route /h { match header x-a ~ ^[5-9]$; respond 200 re; }
route /h { match header x-b present; match header x-a absent; respond 200 presence; }
route /h { match header x-c != no; match header x-c present; respond 200 ne; }
route /h { match header x-d !~ ^n; match header x-d present; respond 200 nre; }
route /h { respond 200 none; }
route /q { match query k = "a b"; respond 200 q; }
route /c { match cookie k = v; respond 200 c; }
route /ip { match client 127.0.0.0/8; respond 200 ip; }
route /no { match client 10.0.0.0/8 ::1; respond 200 ip; }
""")
    assert names(w, ("/h", {"X-A": "1"}), ("/h", {"X-A": "7"}), ("/h", {"X-B": ""}), ("/h", {"X-B": "1", "X-A": "3"}),
                 ("/h", {"X-C": "yes"}), ("/h", {"X-C": "no"}), ("/h", {"X-D": "yes"}), ("/h", {"X-D": "no"}), ("/h", {})) == \
        ["eq", "re", "presence", "none", "ne", "none", "nre", "none", "none"]
    assert [where(w, "/q?k=a%20b"), where(w, "/q?z=1&k=a+b"), where(w, "/q?k=x"), where(w, "/q")] == ["q", "q", 404, 404]
    assert [where(w, "/c", {"Cookie": "z=1; k=v"}), where(w, "/c", {"Cookie": "k=w"})] == ["c", 404]
    assert [where(w, "/ip"), where(w, "/no")] == ["ip", 404]


def test_more_matchers_win_among_equals(weir):
    w = weir("""
route /m { respond 200 zero; }
route /m { match header a present; respond 200 one; }
route /m { match header a present; match header b present; respond 200 two; }
""")
    assert names(w, ("/m", {}), ("/m", {"A": "1"}), ("/m", {"A": "1", "B": "1"})) == ["zero", "one", "two"]


def test_a_longer_prefix_whose_matcher_fails_gives_way(weir):
    w = weir("route / { respond 200 root; }\nroute /a { match header x present; respond 200 a; }")
    assert names(w, ("/a", {}), ("/a", {"X": "1"})) == ["root", "a"]


def test_strip_prefix(weir, origin):
    w = weir("route /api { strip_prefix /api; proxy o; }\nupstream o { endpoint @O@; }", O=origin)
    for target, sent in (("/api/x?q=1", "/x?q=1"), ("/api", "/"), ("/api?q", "/?q"), ("/api/", "/")):
        origin.forget()
        assert w.get(target).status == 200
        assert origin.requests[0].target == sent


def test_respond_and_redirect_are_templates(weir):
    w = weir("""
route /r { respond 201 "${request.method} ${request.path} ${request.query} ${request.arg.k} ${client.ip} ${route.name}\\n" type=text/x; }
route /to { redirect 308 https://${request.host}/new${request.path}; }
route /empty { respond 204; }
""")
    r = w.get("/r/1?k=a%20b")
    assert (r.status, r.body, r.get("Content-Type")) == (201, b"GET /r/1 k=a%20b a b 127.0.0.1 /r\n", "text/x")
    r = w.get("/to/x")
    assert (r.status, r.get("Location")) == (308, "https://weir.test/new/to/x")
    r = w.get("/empty")
    assert r.status == 204 and r.body == b"" and not r.headers.has("Content-Length")


def test_control_bytes_never_reach_a_header(weir):
    w = weir('route /to { redirect 302 "https://h/${request.arg.x}"; }')
    r = w.get("/to?x=a%0d%0aSet-Cookie:%20b=c")
    assert not r.headers.has("Set-Cookie")
    assert "\r" not in (r.get("Location") or "") and "\n" not in (r.get("Location") or "")


def test_names_of_routes(weir):
    w = weir("""
host h.test { route /orders/ { respond 200 x; } }
route = /status { respond 200 x; }
route /a { match header x present; respond 200 x; }
route /a { respond 200 x; }
route /b name=mine { respond 200 "${route.name}"; }
""")
    assert {r["name"] for r in w.view("routes")} == {"h.test/orders/", "= /status", "/a", "/a#2", "mine"}
    assert where(w, "/b") == "mine"


def test_paths_cannot_slip_past_a_route(weir, origin):
    """/b asks for a header; no spelling of /b may reach the origin by the route of /."""
    w = weir("""
route /   { proxy o; }
route /b  { match header x-key = 1; proxy o; }
route /b  { respond 403 no; }
upstream o { endpoint @O@; }
""", O=origin)
    for spelling in ("/b", "/%62", "/a/../b", "/./b", "/a/%2e%2e/b", "//b"):
        origin.forget()
        r = w.get(spelling)
        if r.status == 200:
            assert origin.requests[0].path not in ("/b", "/a/../b", "/./b", "/%62"), spelling


def test_bundles_and_replacement(weir):
    """policy NAME { } with apply; a route replaces a policy of the host, or drops it."""
    w = weir("""
use rate_limit;
policy slow { rate_limit { rate 1/h; } }
host h.test {
    rate_limit { rate 2/h; }
    route /host { respond 200 x; }
    route /own { rate_limit { rate 3/h; } respond 200 x; }
    route /off { rate_limit off; respond 200 x; }
}
route /slow { apply slow; respond 200 x; }
route /free { respond 200 x; }
""")

    def passed(target, host="h.test", tries=5):
        return [w.get(target, host=host).status for _ in range(tries)].count(200)
    assert passed("/host") == 2
    assert passed("/own") == 3
    assert passed("/off") == 5
    assert passed("/slow", "other.test") == 1
    assert passed("/free", "other.test") == 5


def test_settings_are_inherited(weir, origin):
    """The route's own, else the host's, else that of the file."""
    w = weir("""
max_body 30;
host h.test { max_body 20; route /own { max_body 10; proxy o; } route /host { proxy o; } }
route /top { proxy o; }
upstream o { endpoint @O@; }
""", O=origin)
    for target, host, most in (("/own", "h.test", 10), ("/host", "h.test", 20), ("/top", "other.test", 30)):
        assert w.post(target, b"x" * most, host=host).status == 200
        assert w.post(target, b"x" * (most + 1), host=host).status == 413


def test_policies_apply_outermost_first(weir, secret):
    """What stands further out decides first, and a refusal ends it."""
    w = weir("""
use jwt rate_limit;
jwt { audience any; key "secret:@SECRET@" alg=HS256; }
host h.test {
    rate_limit { rate 1/h; }
    route / { respond 200 x; }
}
""", SECRET=secret.text)
    for _ in range(3):
        assert w.get("/", host="h.test").reason == "jwt_missing"  # and no token of the bucket is taken
    assert w.get("/", secret.bearer(), host="h.test").status == 200
    r = w.get("/", secret.bearer(), host="h.test")
    assert r.reason == "rate_limited"
    assert [d["subject"] for d in w.logged(r)["why"] if d["subject"] in ("jwt", "rate_limit")] == ["jwt", "rate_limit"]
