"""What the origin is sent, and what passes back."""
import re
import socket
import tempfile
import threading

import pytest

from harness import Conn, Port

PROXY = """
route / { proxy o; }
upstream o { endpoint @O@; }
"""
TRUSTING = "trusted_proxies 127.0.0.0/8 10.0.0.0/8;\n" + PROXY
OF_PROXIES = ["X-Forwarded-Server", "x-forwarded-ssl", "X-FORWARDED-BY", "X-Forwarded-Client-Cert", "X-Original-URL", "X-Rewrite-URL",
              "X-Client-IP", "True-Client-IP"]
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def received(w, origin, headers=(), **how):
    """The request as the origin got it."""
    origin.forget()
    r = w.get("/x", headers, **how)
    assert r.status == 200, r
    return origin.request("/x")


def test_request_arrives_as_it_was_sent(weir, origin):
    w = weir(PROXY, O=origin)
    r = w.request("POST", "/a/b?c=d&e", {"X-Mine": "1", "Content-Type": "text/x"}, b"a body")
    assert r.status == 200
    got = origin.request("/a/b")
    assert (got.method, got.target, got.version, got.body) == ("POST", "/a/b?c=d&e", "HTTP/1.1", b"a body")
    assert got.get("X-Mine") == "1" and got.get("Content-Type") == "text/x" and got.get("Host") == "weir.test"


def test_repeated_fields_keep_their_order(weir, origin):
    got = received(weir(PROXY, O=origin), origin, [("X-A", "1"), ("X-B", "2"), ("X-A", "3")])
    assert got.headers.all("X-A") == ["1", "3"]


def test_hop_by_hop_fields_end_here(weir, origin):
    got = received(weir(PROXY, O=origin), origin, [
        ("Connection", "X-Named, keep-alive"), ("X-Named", "gone"), ("Keep-Alive", "timeout=9"), ("Proxy-Connection", "keep-alive"),
        ("Proxy-Authorization", "Basic eA=="), ("TE", "gzip"), ("X-Kept", "here")])
    for name in ("X-Named", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "TE"):
        assert not got.headers.has(name), got.headers
    assert got.get("X-Kept") == "here"


RELIED_ON = ["Host", "Content-Length", "Content-Type", "Content-Encoding", "Authorization", "Cookie", "X-Forwarded-For", "X-Forwarded-Proto",
             "X-Forwarded-Host", "Forwarded", "X-Request-Id", "Via", "traceparent", "tracestate", "Cache-Control", "Range", "Origin", "X-API-Key"]


@pytest.mark.parametrize("spelling", [str, str.lower, str.upper])
def test_connection_cannot_take_away_what_weir_or_policies_rely_on(weir, origin, spelling):
    """Neither named one by one, nor all at once, nor among empty members and over several lines."""
    w = weir(PROXY, O=origin)
    sent = {"Authorization": "Bearer x", "Cookie": "a=b", "Content-Type": "text/x", "Content-Encoding": "x", "Cache-Control": "no-store",
            "Range": "bytes=0-1", "Origin": "http://o", "X-API-Key": "k", "traceparent": TRACE, "tracestate": "a=b"}
    named = [spelling(n) for n in RELIED_ON]
    for connection in ([[n] for n in named] + [[", ".join(named)], ["close,, ," + named[0], ",".join(named[1:]) + ","]]):
        origin.forget()
        assert w.post("/x", b"body", [("Connection", v) for v in connection] + list(sent.items())).status == 200
        got = origin.request("/x")
        assert got.body == b"body"
        for name in RELIED_ON:
            assert got.headers.has(name), (connection, name)
        assert got.get("X-Forwarded-For") == "127.0.0.1" and got.get("Host") == "weir.test" and not got.headers.has("Connection")


def test_an_origin_cannot_take_away_what_the_client_relies_on(weir, origin):
    names = ["Content-Length", "Content-Type", "Set-Cookie", "Date", "Via", "X-Request-Id", "Location", "WWW-Authenticate", "Content-Encoding"]
    origin.raw("/r", b"HTTP/1.1 200 OK\r\nConnection: " + ", ".join(names).encode() + b", X-Hop\r\nX-Hop: 1\r\nContent-Length: 2\r\n"
               b"Content-Type: a/b\r\nSet-Cookie: a=b\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nLocation: /\r\nWWW-Authenticate: Basic\r\n"
               b"Content-Encoding: x\r\nProxy-Connection: keep-alive\r\nTrailer: X\r\nProxy-Authenticate: Basic\r\n\r\nok", close=False)
    r = weir(PROXY, O=origin).get("/r")
    assert r.body == b"ok" and all(r.headers.has(n) for n in names), r
    assert not any(r.headers.has(n) for n in ("X-Hop", "Proxy-Connection", "Trailer", "Proxy-Authenticate", "Connection"))


def test_te_trailers_goes_on(weir, origin):
    got = received(weir(PROXY, O=origin), origin, [("Connection", "TE"), ("TE", "trailers, gzip")])
    assert got.get("TE") == "trailers" and got.get("Connection") == "TE"
    got = received(weir(PROXY, O=origin), origin, [("TE", "gzip, deflate;q=0.5")])
    assert not got.headers.has("TE") and not got.headers.has("Connection")


def test_via_and_forwarding_fields(weir, origin):
    got = received(weir(PROXY, O=origin), origin)
    assert got.get("Via") == "1.1 weir"
    assert got.get("X-Forwarded-For") == "127.0.0.1"
    assert got.get("X-Forwarded-Proto") == "http"
    assert got.get("X-Forwarded-Host") == "weir.test"
    assert got.get("Forwarded") == "for=127.0.0.1;host=weir.test;proto=http"


def test_strangers_are_not_believed(weir, origin):
    got = received(weir(PROXY, O=origin), origin, {
        "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil", "X-Forwarded-Port": "1",
        "X-Forwarded-Prefix": "/evil", "X-Real-IP": "1.2.3.4", "Forwarded": "for=1.2.3.4", "X-Request-Id": "mine",
        **{name: "evil" for name in OF_PROXIES}})
    assert got.get("X-Forwarded-For") == "127.0.0.1"
    assert got.get("X-Forwarded-Proto") == "http"
    assert got.get("X-Forwarded-Host") == "weir.test"
    assert got.get("Forwarded") == "for=127.0.0.1;host=weir.test;proto=http"
    assert got.get("X-Request-Id") != "mine"
    for name in ("X-Forwarded-Port", "X-Forwarded-Prefix", "X-Real-IP", *OF_PROXIES):
        assert not got.headers.has(name), name


def test_strangers_do_not_speak_for_proxies_to_policies_either(weir, origin):
    w = weir('route / { match header X-Forwarded-Proto = https; respond 200 "secret"; }\n' + PROXY, O=origin)
    assert b"secret" not in w.get("/x", {"X-Forwarded-Proto": "https"}).body


def test_trusted_proxies_may_say_all_of_it(weir, origin):
    sent = {"X-Forwarded-Port": "1", "X-Forwarded-Prefix": "/p", "X-Real-IP": "1.2.3.4", **{name: "good" for name in OF_PROXIES}}
    got = received(weir(TRUSTING, O=origin), origin, sent)
    for name, value in sent.items():
        assert got.get(name) == value


def test_trusted_proxies_are_appended_to(weir, origin):
    w = weir(TRUSTING, O=origin)
    got = received(w, origin, {"X-Forwarded-For": "6.6.6.6, 1.2.3.4, 10.1.1.1", "X-Forwarded-Proto": "https",
                               "X-Forwarded-Host": "shop.test", "Forwarded": "for=1.2.3.4", "X-Request-Id": "mine-1"})
    assert got.get("X-Forwarded-For") == "6.6.6.6, 1.2.3.4, 10.1.1.1, 127.0.0.1"
    assert got.get("X-Forwarded-Proto") == "https"
    assert got.get("X-Forwarded-Host") == "shop.test"
    assert got.get("Forwarded").startswith("for=1.2.3.4, for=127.0.0.1;")
    assert got.get("X-Request-Id") == "mine-1"
    # The client is the last one that no trusted proxy stands for: what is left of it may be made up.
    assert w.access(path="/x")["client"] == "1.2.3.4"


@pytest.mark.parametrize("stranger", ['"', '"a', 'x", "', '\\"', "a\\", '""', '"1.1.1.1, ', "unknown", ", ,"])
def test_what_strangers_write_does_not_hide_what_proxies_add(weir, origin, stranger):
    """A proxy appends the address it sees to what its client sent: an open quote in that must not swallow it."""
    w = weir(TRUSTING, O=origin)
    assert w.get("/x", {"X-Forwarded-For": stranger + ", 1.2.3.4"}).status == 200
    assert w.access(path="/x")["client"] == "1.2.3.4"


@pytest.mark.parametrize("stranger", ['for="1.1.1.1', '"', 'for="a\\"', 'for="a";by="'])
def test_an_open_quote_does_not_swallow_what_is_appended_to_forwarded(weir, origin, stranger):
    own = "for=127.0.0.1;host=weir.test;proto=http"
    w = weir(TRUSTING, O=origin)
    assert received(w, origin, [("Forwarded", stranger)]).get("Forwarded") == own
    assert received(w, origin, [("Forwarded", 'for="[::1]"'), ("Forwarded", stranger)]).get("Forwarded") == f'for="[::1]", {own}'


def test_request_id_is_made_and_shown_to_both_sides(weir, origin):
    w = weir(PROXY, O=origin)
    a, b = w.get("/1"), w.get("/2")
    assert a.id and b.id and a.id != b.id
    assert origin.request("/1").get("X-Request-Id") == a.id
    assert w.logged(a)["path"] == "/1"


@pytest.mark.parametrize("bad", ["", "x" * 200, "a b", 'a"b'])
def test_a_trusted_request_id_must_still_be_one(weir, origin, bad):
    got = received(weir(TRUSTING, O=origin), origin, {"X-Request-Id": bad})
    assert got.get("X-Request-Id") != bad


def test_a_trace_begins_here(weir, origin):
    got = received(weir(PROXY, O=origin), origin)
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", got.get("traceparent"))


def test_a_trace_goes_on_without_a_strangers_sampled_flag(weir, origin):
    got = received(weir(PROXY, O=origin), origin, {"traceparent": TRACE, "tracestate": "a=b"}).headers
    version, trace, parent, flags = got.get("traceparent").split("-")
    assert (version, trace, flags) == ("00", "0af7651916cd43dd8448eb211c80319c", "00")
    assert parent != "b7ad6b7169203331"
    assert got.get("tracestate") == "a=b"


def test_a_trusted_proxy_may_say_sampled(weir, origin):
    assert received(weir(TRUSTING, O=origin), origin, {"traceparent": TRACE}).get("traceparent").endswith("-01")


@pytest.mark.parametrize("bad", ["nonsense", TRACE.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32), "ff" + TRACE[2:], TRACE.upper()])
def test_a_broken_trace_is_begun_anew(weir, origin, bad):
    got = received(weir(PROXY, O=origin), origin, {"traceparent": bad, "tracestate": "a=b"}).headers
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", got.get("traceparent")) and got.get("traceparent")[3:35] != bad[3:35].lower()
    assert not got.has("tracestate")


@pytest.mark.parametrize("setting,expected", [("", "weir.test"), ("host_header endpoint;", "ENDPOINT"), ("host_header in.test;", "in.test"),
                                              ('host_header "${request.header.x-tenant}.in.test";', "t1.in.test")])
def test_host_header(weir, origin, setting, expected):
    w = weir("route / { proxy o; }\nupstream o { endpoint @O@; " + setting + " }", O=origin)
    assert received(w, origin, {"X-Tenant": "t1"}).get("Host") == expected.replace("ENDPOINT", str(origin))


def test_absolute_target_names_the_host(weir, origin):
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        c.send(b"GET http://real.test/x?y HTTP/1.1\r\nHost: other.test\r\n\r\n")
        assert c.response().status == 200
    got = origin.request("/x")
    assert got.target == "/x?y" and got.get("Host") == "real.test"


def test_names_with_underscores_do_not_impersonate(weir, origin):
    got = received(weir(PROXY, O=origin), origin, {"X_Forwarded_For": "1.2.3.4", "X_User": "root"})
    assert not got.headers.has("X_Forwarded_For") and not got.headers.has("X_User")
    got = received(weir("underscores allow;\n" + PROXY, O=origin), origin, {"X_User": "me"})
    assert got.get("X_User") == "me"


POSING = ["X_Forwarded_For", "x-forwarded_for", "X_REAL_IP", "X_Forwarded_Anything", "X_Forwarded_" + "y" * 60, "Client_Cert", "Client_Cert-Chain",
          "X_Request_Id", "Max_Forwards", "Content_Type", "X_API_Key", "Proxy_Authorization", "X_Original-URL", "True_Client_IP"]


@pytest.mark.parametrize("rules", ["", "trusted_proxies 127.0.0.1;\n"], ids=["stranger", "trusted"])
def test_underscores_that_are_allowed_pose_as_nothing_that_weir_answers_for(weir, origin, rules):
    """An origin that makes HTTP_X_FORWARDED_FOR of both spellings must not find the client's in it."""
    w = weir("underscores allow;\n" + rules + PROXY, O=origin)
    got = received(w, origin, {"X_User": "me", **{name: "6.6.6.6" for name in POSING}})
    assert got.get("X_User") == "me"
    assert [n for n in POSING if got.headers.has(n)] == []


def test_the_answer_passes_back(weir, origin):
    w = weir(PROXY, O=origin)
    origin.raw("/r", b"HTTP/1.1 299 Odd\r\nX-A: 1\r\nX-A: 2\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nConnection: X-Hop\r\nX-Hop: 1\r\n"
                     b"Keep-Alive: timeout=5\r\nServer: me\r\nContent-Length: 2\r\n\r\nok", close=False)
    r = w.get("/r")
    assert (r.status, r.body) == (299, b"ok")
    assert r.headers.all("X-A") == ["1", "2"] and r.headers.all("Set-Cookie") == ["a=b", "c=d"] and r.get("Server") == "me"
    for name in ("X-Hop", "Keep-Alive"):
        assert not r.headers.has(name)
    assert r.id and r.get("Via") == "1.1 weir"


def test_date(weir, origin):
    """Added where it is missing (RFC 9110 6.6.1), else the origin's."""
    w = weir(PROXY, O=origin)
    origin.raw("/with", b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n", close=False)
    assert w.get("/with").get("Date") == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", w.get("/x").get("Date"))


def test_via_names_the_version_that_was_received(weir, origin):
    origin.raw("/old", b"HTTP/1.0 200 OK\r\nVia: 1.1 inner\r\nContent-Length: 0\r\n\r\n")
    w = weir(PROXY, O=origin)
    r = w.get("/old")
    assert r.version == "HTTP/1.1" and r.headers.all("Via") == ["1.1 inner", "1.0 weir"]
    assert received(w, origin, {"Via": "1.1 outer"}, version="HTTP/1.0").headers.all("Via") == ["1.1 outer", "1.0 weir"]


@pytest.mark.parametrize("host,shown", [("weir.test:8080", '"weir.test:8080"'), ("[::1]", '"[::1]"'), ("[::1]:80", '"[::1]:80"'),
                                        ("a-b_c.test", "a-b_c.test"), ("127.0.0.1", "127.0.0.1")])
def test_forwarded_quotes_hosts(weir, origin, host, shown):
    """RFC 7239 4: what is no token is quoted."""
    got = received(weir(PROXY, O=origin), origin, host=host)
    assert got.get("Forwarded") == f"for=127.0.0.1;host={shown};proto=http" and got.get("X-Forwarded-Host") == host


@pytest.mark.parametrize("host", ["a;proto=https", "a,for=1.2.3.4", 'a";for="b', "a=b", "a(b)", "a'b", "a\\", "<a>", "a b"])
def test_no_host_adds_to_forwarded(weir, origin, host):
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        if c.get("/x", host=host).status == 400:
            assert origin.count() == 0
            return
    got = origin.request("/x")
    assert got.get("Forwarded") in (f"for=127.0.0.1;host={host};proto=http", f'for=127.0.0.1;host="{host}";proto=http')
    assert re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", host) or '"' in got.get("Forwarded")


def test_a_forwarding_loop_ends(weir):
    w = weir("route / { proxy o; }\nupstream o { endpoint @LISTEN@; }")
    r = w.get("/")
    assert (r.status, r.reason) == (508, "loop_detected")


@pytest.mark.parametrize("first", ["", '"', '1.1 "a, ', "1.1 a (b, ", "\\, "])
def test_a_loop_over_others_ends(weir, origin, first):
    """Others may put all of Via into one line, behind what a stranger began it with."""
    w = weir(PROXY, O=origin)
    passes = ", 1.1 other, 1.1 weir"
    assert w.get("/x", {"Via": first + passes * 7}).status == 200
    r = w.get("/x", {"Via": first + passes * 8})
    assert (r.status, r.reason) == (508, "loop_detected")


def test_https_is_told(weir, origin, certificate):
    w = weir("listener tls { bind @LISTEN@; tls { certificate @CERT@; key @KEY@; } }\n" + PROXY, O=origin, CERT=certificate.file,
             KEY=certificate.key)
    with w.connect(tls=certificate.client(), server_name="weir.test") as c:
        assert c.get("/x").status == 200
    got = origin.request("/x")
    assert got.get("X-Forwarded-Proto") == "https" and "proto=https" in got.get("Forwarded")


def test_unix_sockets_on_both_sides(weir, make_origin):
    with tempfile.TemporaryDirectory(dir="/tmp") as d:
        origin = make_origin(path=d + "/o")
        weir("listener u { bind unix:@D@/l; }\n" + PROXY, O=origin, D=d)
        with Conn(d + "/l") as c:
            assert c.get("/x").status == 200
        assert origin.request("/x").get("X-Forwarded-For") == "unknown"


def test_ipv6(weir, make_origin):
    origin = make_origin(host="::1")
    w = weir(PROXY, O=origin, host="::1")
    assert w.get("/x").status == 200
    got = origin.request("/x")
    assert got.get("X-Forwarded-For") == "::1" and got.get("Forwarded").startswith('for="[::1]";')
    assert w.access(path="/x")["client"] == "::1"


def test_tls_to_the_origin(weir, certificate):
    """The endpoint's certificate is checked against the name, and a wrong one refused."""
    port = Port()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(port.address)
    listener.listen(16)
    context = certificate.server()

    def serve():
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(sock, server_side=True) as s:
                    s.recv(65536)
                    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\ntls")
            except OSError:
                pass
    threading.Thread(target=serve, daemon=True).start()
    w = weir("""
route /good { proxy good; }
route /name { proxy name; }
route /ca { proxy ca; }
upstream good { endpoint @P@; tls { ca @CA@; server_name weir.test; } }
upstream name { endpoint @P@; tls { ca @CA@; server_name other.test; } }
upstream ca { endpoint @P@; tls { server_name weir.test; } }
""", P=port, CA=certificate.file)
    try:
        assert w.get("/good").body == b"tls"
        for path in ("/name", "/ca"):
            r = w.get(path)
            assert (r.status, r.reason) == (502, "upstream_tls_error")
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        port.close()
