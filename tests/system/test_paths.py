"""One form of a path: what is routed, logged, explained and sent to the origin is the same, and no spelling walks around a route."""
import json

import pytest

from harness import run_weir

CONF = """
@RULES@
route / { proxy o; }
route /admin/ { proxy o; }
upstream o { endpoint @O@; }
"""
# The target as a client writes it -> the path at the origin and the route; or the status of a refusal.
DEFAULT = [
    ("/admin/x", "/admin/x", "/admin/"),
    ("/ADMIN/x", "/ADMIN/x", "/"),                              # paths have a case (RFC 3986 6.2.2.1)
    ("/%61dmin/x", "/admin/x", "/admin/"),
    ("/%61%64%6d%69%6E/x", "/admin/x", "/admin/"),
    ("/x/../admin/x", "/admin/x", "/admin/"),
    ("/x/%2e%2e/admin/x", "/admin/x", "/admin/"),
    ("/x/.%2E/admin/x", "/admin/x", "/admin/"),
    ("/./admin/./x", "/admin/x", "/admin/"),
    ("/admin/x/..", "/admin/", "/admin/"),
    ("//admin//x", "/admin/x", "/admin/"),
    ("///x///..//admin/x", "/admin/x", "/admin/"),
    ("/x//../admin/x", "/admin/x", "/admin/"),
    ("/%252e%252e/admin/x", "/%252e%252e/admin/x", "/"),       # decoded once and no more, here and at the origin
    ("/x/%252e%252e/admin/x", "/x/%252e%252e/admin/x", "/"),
    ("/admin%252fx", "/admin%252fx", "/"),
    ("/%2561dmin/x", "/%2561dmin/x", "/"),
    ("/admin%3fx", "/admin%3Fx", "/"),                          # a `?` that does not begin the query
    ("/admin%3F/../admin/x", "/admin/x", "/admin/"),
    ("/x?/../admin/x", "/x?/../admin/x", "/"),                  # dots in a query are no segments
    ("/x?y=%2e%2e%2f", "/x?y=%2e%2e%2f", "/"),
    ("/admin/x?a=//b;c", "/admin/x?a=//b;c", "/admin/"),
    ("/admin%23/x", "/admin%23/x", "/"),
    ("/admin%20/x", "/admin%20/x", "/"),
    ("/admin./x", "/admin./x", "/"),
    ("/.../admin/x", "/.../admin/x", "/"),
    ("/admin;a=b/x", "/admin;a=b/x", "/"),                      # see path_parameters
    ("/admin/;a/../x", "/admin/x", "/admin/"),
    ("/caf%c3%a9/%7euser", "/caf%C3%A9/~user", "/"),
    ("http://other.test/admin/x", "/admin/x", "/admin/"),
    ("http://other.test//x/../admin/x", "/admin/x", "/admin/"),
    ("HTTP://other.test/%61dmin/x?q", "/admin/x?q", "/admin/"),
    ("http://other.test?/admin/x", "/?/admin/x", "/"),
    ("http://other.test", "/", "/"),
    ("/..", 400), ("/../admin/x", 400), ("/x/../../admin/x", 400), ("/%2e%2e/admin/x", 400),
    ("/x/..;/admin/x", 400), ("/x/..;a=b/admin/x", 400), ("/x/.;/admin/x", 400), ("/x/..%3b/admin/x", 400),
    ("/x/%2e%2e;/admin/x", 400), ("/x/%2e%2e%3B/admin/x", 400), ("/x/.%2e;", 400),
    ("/x/..%2fadmin/x", 400), ("/admin%2fx", 400), ("/x%5cadmin", 400), ("/x/..%5cadmin/x", 400), ("/x\\admin", 400),
    ("/x\\..\\admin/x", 400), ("/admin/x%00", 400), ("/admin%0ax", 400), ("/admin%0d%0aX:y", 400), ("/admin%7f", 400),
    ("/admin/%", 400), ("/admin/%4", 400), ("/admin/%zz", 400), ("/%u0061dmin/x", 400), ("/%c0%ae%c0%ae/../..", 400),
    ("/admin/x#y", 400), ("/x#/../admin/x", 400), ("/x?y#z", 400), ("http://other.test#/admin", 400), ("http://other.test/x#y", 400),
    ("http://", 400), ("http:///admin/x", 400), ("http:/admin/x", 400), ("ftp://other.test/admin", 400), ("admin/x", 400), ("*", 400),
    ("http://a@other.test/admin", 400), ("http://other.test:99999/", 400), ("http://other.test:/", 400), ("http://o%74her.test/", 400),
    ("http://other.test\\@weir.test/admin/x", 400), ("?x", 400), ("%2fadmin", 400), ("\xe9", 400), ("/caf\xc3\xa9", 400),
]
KEEP = [
    ("/admin%2fx", "/admin%2Fx", "/"),
    ("/admin/a%2Fb%5Cc", "/admin/a%2Fb%5Cc", "/admin/"),
    ("/admin/a..%2fb", "/admin/a..%2Fb", "/admin/"),
    ("/x/..%2fadmin/x", 400), ("/x/a%2f../admin/x", 400), ("/x/a%2f..%2f..%2fadmin/x", 400), ("/x/..%5cadmin/x", 400),
    ("/x/.%2fadmin", 400), ("/x/a%2f..;/admin/x", 400), ("/x/%2e%2e%2f", 400),
]
DECODE = [
    ("/admin%2fx", "/admin/x", "/admin/"),
    ("/x/..%2fadmin/x", "/admin/x", "/admin/"),
    ("/x%2f%2e%2e%2Fadmin%2fx", "/admin/x", "/admin/"),
    ("/%2fadmin%2f%2fx", "/admin/x", "/admin/"),
    ("/admin/a%252fb", "/admin/a%252fb", "/admin/"),
    ("/admin%5cx", "/admin%5Cx", "/"),
    ("/..%2fadmin/x", 400), ("/x/..;%2fadmin/x", 400), ("/x/..%5cadmin/x", 400),
]
DOUBLE = [
    ("//admin/x", "//admin/x", "/"),
    ("/admin//x", "/admin//x", "/admin/"),
    ("/x//../admin/x", "/x/admin/x", "/"),
    ("/x//../../admin/x", "/admin/x", "/admin/"),
    ("//../../x", 400),
]
PLAIN = [
    ("/admin/x", "/admin/x", "/admin/"),
    ("/admin/x?a;b", "/admin/x?a;b", "/admin/"),
    ("/admin;a/x", 400), ("/admin%3ba/x", 400), ("/x;", 400), ("/x/..;/admin/x", 400),
]
RULES = {"": DEFAULT, "encoded_slashes keep;": KEEP, "encoded_slashes decode;": DECODE, "merge_slashes off;": DOUBLE,
         "path_parameters refuse;": PLAIN}


@pytest.mark.parametrize("rules", RULES, ids=lambda r: r.rstrip(";") or "default")
def test_the_origin_gets_what_was_routed(weir, origin, rules):
    w = weir(CONF, O=origin, RULES=rules)
    for target, *want in RULES[rules]:
        origin.forget()
        with w.connect() as c:
            c.send(b"GET " + target.encode("latin-1") + b" HTTP/1.1\r\nHost: weir.test\r\n\r\n")
            r = c.response()
            line = w.logged(r)
            if want == [400]:
                assert (r.status, r.reason) == (400, "bad_request"), target
                assert c.at_end() and not origin.count() and line["route"] is None, target
                continue
        path, route = want
        assert r.status == 200, (target, r.body)
        assert [x.target for x in origin.requests] == [path], target
        assert (line["route"], line["path"]) == (route, path.partition("?")[0]), target
        host = "other.test" if "other.test" in target else "weir.test"
        assert line["host"] == host and origin.requests[0].get("Host") == host, target


@pytest.mark.parametrize("rules", RULES, ids=lambda r: r.rstrip(";") or "default")
def test_explain_says_the_same(tmp_path, rules):
    conf = CONF.replace("@RULES@", rules).replace("@O@", "127.0.0.1:9")
    tests = ""
    for target, *want in RULES[rules]:
        if not target.startswith("/") or not target.isascii() or "\\" in target:
            continue
        expect = "expect reason bad_request; expect status 400;" if want == [400] else f"expect route {want[1]};"
        tests += f'test "{target}" {{ request GET "{target}"; {expect} }}\n'
    (tmp_path / "gateway.conf").write_text(conf + tests)
    done = run_weir("check", "-c", "gateway.conf", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for target, *want in [row for row in RULES[rules] if row[1] != 400][:3]:
        told = json.loads(run_weir("explain", "-c", "gateway.conf", "--json", "GET", target, cwd=tmp_path).stdout)
        assert told["route"] == want[1] and told["request"]["path"] == want[0].partition("?")[0], target


def test_policies_see_the_canonical_path(weir, origin):
    w = weir("""
route ~ ^/secret/ { respond 403 "no\\n"; }
route = /one { respond 403 "no\\n"; }
route / { proxy o; }
route /seen { respond 200 "${request.path}"; }
route /gone { redirect 308 "https://other.test${request.path}"; }
upstream o { endpoint @O@; }
""", O=origin)
    for target in "/secret/x", "//secret/x", "/%73ecret/x", "/a/../secret/x", "/one", "/%6fne", "/./one", "//one", "/one?x", "/x/../one":
        assert w.get(target).status == 403, target
    assert not origin.count()
    assert w.get("//seen/%7ex/./y").body == b"/seen/~x/y"
    assert w.get("//gone//../gone/x").get("Location") == "https://other.test/gone/x"


def test_the_authority_of_a_target_wins(weir, origin):
    """Absolute-form (RFC 9112 3.2.2): the Host beside it neither routes nor reaches anybody."""
    w = weir("""
host inner.test { route / { respond 403 "no\\n"; } }
route /said { respond 200 "${request.host} ${request.header.Host}"; }
route / { proxy o; }
upstream o { endpoint @O@; }
""", O=origin)
    with w.connect() as c:
        r = c.get("http://outer.test/x", {"Host": "inner.test"})
        assert r.status == 200
    got = origin.request("/x")
    assert got.target == "/x" and got.headers.all("Host") == ["outer.test"] and got.get("X-Forwarded-Host") == "outer.test"
    with w.connect() as c:
        assert c.get("http://inner.test/y", {"Host": "outer.test"}).status == 403
        assert c.get("http://INNER.test.:80/y", {"Host": "outer.test"}).status == 403
        assert c.get("http://outer.test:81/said", {"Host": "inner.test"}).text == "outer.test outer.test:81"  # to policies too
    assert not origin.count("/y")


@pytest.mark.parametrize("rules,pattern,error", [
    ("", "/a%2fb", "this path can never be requested: an encoded slash"),
    ("path_parameters refuse;", "/a;b", "this path can never be requested: a parameter"),
    ("encoded_slashes maybe;", "/", "encoded_slashes"),
    ("merge_slashes maybe;", "/", "merge_slashes"),
    ("listener l { bind 127.0.0.1:1; merge_slashes off; }", "/", "merge_slashes"),
])
def test_rules_that_cannot_be(check, rules, pattern, error):
    done = check(f'{rules}\nroute "{pattern}" {{ respond 200 x; }}\n')
    assert done.returncode == 1 and error in done.stderr
