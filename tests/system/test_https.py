"""From http to https, and what keeps clients there."""
import pytest

from harness import Conn, Port, run_weir

CONF = """
listener plain { bind @PLAIN@; }
listener main { bind @LISTEN@; tls { certificate @CRT@; key @KEY@; } }
trusted_proxies 127.0.0.2;
upstream o { endpoint @O@; }
redirect_https on;
hsts on;
host strict.test { hsts on max_age=24h include_subdomains=on preload=on; route / { proxy o; } route /off { hsts off; respond 200; } }
host port.test { redirect_https 301 port=8443; route / { respond 200; } }
route / { methods GET POST; proxy o; }
route /challenge/ { redirect_https off; respond 200 open; }
"""


@pytest.fixture
def w(weir, origin, certificate):
    plain = Port()
    d = weir(CONF, O=origin, CRT=certificate.file, KEY=certificate.key, PLAIN=plain)
    d.plain = plain
    yield d
    plain.close()


def test_redirect(w, origin):
    with Conn(w.plain.address) as c:
        r = c.get("/a%20b?c=d&e", {"Host": "weir.test:8080"})
        assert (r.status, r.get("Location"), r.body) == (308, "https://weir.test/a%20b?c=d&e", b"")
        assert r.get("Strict-Transport-Security") is None  # RFC 6797 7.2: not in the open
        assert w.logged(r)["why"][-1]["reason"] == "https"
        r = c.request("POST", "/x", {"Host": "PORT.test"}, b"body")
        assert (r.status, r.get("Location")) == (301, "https://port.test:8443/x")
        assert c.request("DELETE", "/x", {"Host": "weir.test"}).status == 308
        assert c.get("/challenge/x").text == "open"
        assert c.get("/x", {"Host": "[::1]:8080"}).get("Location") == "https://[::1]/x"
    with Conn(w.plain.address) as c:
        assert c.send(b"GET /x HTTP/1.0\r\n\r\n").response().status == 400
    assert origin.connections == 0


def test_behind_a_proxy_of_ours(w):
    with Conn(w.plain.address, source="127.0.0.2") as c:
        r = c.get("/x", {"X-Forwarded-Proto": "https"})
        assert r.status == 200 and r.get("Strict-Transport-Security") == "max-age=31536000"
        assert c.get("/x", {"X-Forwarded-Proto": "http"}).status == 308
    with Conn(w.plain.address) as c:
        assert c.get("/x", {"X-Forwarded-Proto": "https"}).status == 308


def test_hsts(w, origin, certificate):
    origin.on("/own", lambda conn, r: conn.answer(200, b"", [("Strict-Transport-Security", "max-age=1")]))
    with w.connect(tls=certificate.client(), server_name="weir.test") as c:
        for path, host, expected in (("/x", "weir.test", "max-age=31536000"), ("/own", "weir.test", "max-age=31536000"),
                                     ("/challenge/x", "weir.test", "max-age=31536000"), ("/off", "strict.test", None),
                                     ("/x", "strict.test", "max-age=86400; includeSubDomains; preload")):
            r = c.get(path, {"Host": host})
            assert r.status == 200 and r.get("Strict-Transport-Security") == expected, path
        r = c.request("DELETE", "/x")  # answers of weir's own have it too
        assert r.status == 405 and r.get("Strict-Transport-Security") == "max-age=31536000"


def test_explained(w):
    done = run_weir("explain", "-c", w.path, "GET", "http://weir.test/x")
    assert "308" in done.stdout and "https://weir.test/x" in done.stdout, done.stdout
    done = run_weir("explain", "-c", w.path, "--json", "GET", "https://weir.test/x")
    assert '"outcome":"proxy"' in done.stdout.replace(" ", "")
