"""Nothing is left at the end: every shutdown after traffic is clean under the sanitizers, or under valgrind without them."""
import json
import re
import shutil
import signal
import threading

import pytest

from harness import Conn, Port, eventually, run_weir, sanitized
from harness import daemon as harness_daemon

pytestmark = pytest.mark.workers

CONF = """
use jwt rate_limit circuit_breaker canary;
store main { url redis://@REDIS@; timeout 1s; }
upstream one { endpoint @A@; endpoint localhost:@BPORT@; health_check { path /healthz; interval 100ms; } circuit_breaker { min_requests 5; } }
upstream two { endpoint @B@; retry { attempts 2; on reset 503; } outlier { consecutive 3; } }
host api.test {
    route /orders/ {
        jwt { issuer https://idp.test/; audience orders; jwks http://@A@/jwks.json ttl=10m; }
        rate_limit { rate 1000/s burst=5; key ${jwt.sub}; store main; }
        canary { variant one 50%; variant two 50%; sticky cookie v; }
    }
}
route /local { rate_limit { rate 2/h; } respond 200 "${request.id}\\n"; }
route ~ ^/re/(a|b)$ { redirect 302 /x; }
route / { proxy one; }
route /two { proxy two; }
listener secure { bind @SECURE@; tls { certificate @CRT@; key @KEY@; } }
listener main { bind @LISTEN@; }
test "local" { request GET http://a/local; expect status 200; }
# @NOTE@
"""


class Busy:
    """A daemon with everything that leaves something in memory."""

    def __init__(self, weir, make_origin, redis, certificate, rsa, **how):
        self.a, self.b, self.rsa, self.redis, self.secure = make_origin("a"), make_origin("b"), rsa, redis, Port()
        keys = ('{"keys": [%s]}' % json.dumps(rsa.jwk())).encode()
        self.a.on("/jwks.json", lambda conn, _: conn.answer(200, keys))
        self.tls = certificate.client()
        self.w = weir(CONF, REDIS=redis.port, A=self.a, B=self.b, BPORT=self.b.port.number, SECURE=self.secure, CRT=certificate.file,
                      KEY=certificate.key, NOTE="first", **how)

    def traffic(self, clients=4):
        threads = [threading.Thread(target=self.client) for _ in range(clients)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

    def client(self):
        w = self.w
        with w.connect() as c:
            for _ in range(5):
                assert c.get("/orders/1", self.rsa.bearer(), host="api.test").status in (200, 429)
                assert c.get("/orders/1", host="api.test").status == 401
                c.get("/local")
                assert c.get("/re/a").status == 302
                assert c.get("/chunked").status in (200, 503)
                c.get("/two/x")
                assert c.request("POST", "/two/up", (), b"x" * 100_000).status == 200
            c.get("/status/503")
        with Conn(self.secure.address, tls=self.tls, server_name="weir.test") as c:
            assert c.get("/local").status in (200, 429)
        with w.connect() as c:
            c.send(b"GARBAGE\r\n\r\n").half_close()
            c.reader.rest()
        for path in ("/reset", "/close"):
            w.get("/two" + path)
        with w.connect() as c:  # one that leaves in the middle
            c.write("GET", "/bytes/3000000")
            c.exactly(1000)
            c.reset()

    def reload(self, note):
        status, body = self.w.reload(CONF, NOTE=note)
        assert status == 200, body


@pytest.fixture
def busy(weir, make_origin, redis, certificate, rsa):
    made = []

    def one(**how):
        made.append(Busy(weir, make_origin, redis, certificate, rsa, **how))
        return made[-1]
    yield one
    for b in made:
        b.secure.close()


def test_after_traffic_and_a_reload(busy):
    b = busy()
    b.traffic()
    b.reload("second")
    b.traffic()
    b.w.stop()


def test_with_everything_open(busy):
    """Idle connections, a request that waits, a tunnel, a half-sent head: all end with it."""
    b = busy()
    w = b.w
    with w.connect() as idle, w.connect() as waiting, w.connect() as tunnel, w.connect() as half, w.connect() as upload:
        idle.get("/local")
        waiting.write("GET", "/two/hold")
        waiting.write("GET", "/hold")
        assert tunnel.get("/t", {"Connection": "Upgrade", "Upgrade": "echo"}).status == 101
        half.send(b"GET / HT")
        upload.send(b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbeginning")
        eventually(lambda: w.view("status")["connections"]["downstream"] == 5, "five connections")
        b.reload("second")
        w.signal(signal.SIGTERM)
        eventually(lambda: w.view("status")["draining"], "the drain")
        w.signal(signal.SIGTERM)
        assert w.wait() == 0


def test_without_any_traffic(weir):
    weir("route / { respond 200; }").stop()


def test_right_after_the_start(weir):
    w = weir("upstream o { endpoint @P@; health_check { interval 100ms; } }\nroute / { proxy o; }", P="127.0.0.1:1", ready=False)
    w.stop()


@pytest.mark.parametrize("reloads", [1, 10])
def test_in_the_middle_of_a_reload(busy, reloads):
    b = busy()
    b.client()
    for i in range(reloads):
        b.w.signal(signal.SIGHUP)
    b.w.signal(signal.SIGTERM)
    b.w.signal(signal.SIGTERM)
    assert b.w.wait() == 0


def test_when_orders_to_reload_wait(busy):
    """Those who wait for an answer see the connection end, or are told why."""
    b = busy()
    answers = []

    def order():
        try:
            answers.append(b.w.admin("POST", "/api/v1/reload")[0])
        except Exception:  # noqa: BLE001 - the daemon is gone
            answers.append(None)
    threads = [threading.Thread(target=order) for _ in range(6)]
    for t in threads:
        t.start()
    b.w.signal(signal.SIGTERM)
    b.w.signal(signal.SIGTERM)
    assert b.w.wait() == 0
    for t in threads:
        t.join(20)
    assert set(answers) <= {200, 409, None} and len(answers) == 6


def test_without_its_surroundings(busy):
    """Redis and the origins are gone before it."""
    b = busy()
    b.client()
    b.redis.kill()
    b.a.stop()
    b.b.stop()
    b.w.get("/x")
    b.w.get("/orders/1", b.rsa.bearer(), host="api.test")
    b.w.stop()


def test_a_start_that_fails_leaves_nothing(tmp_path, certificate):
    """The certificates, modules and stores of a configuration whose listener cannot be bound."""
    (tmp_path / "g.conf").write_text("""
use jwt rate_limit;
store s { url redis://127.0.0.1:1; }
upstream u { endpoint 127.0.0.1:1; health_check { } }
route / { rate_limit { rate 1/s; store s; } proxy u; }
""" + f"listener l {{ bind 192.0.2.1:1; tls {{ certificate {certificate.file}; key {certificate.key}; }} }}\n")
    done = run_weir("run", "-c", "g.conf", cwd=tmp_path)
    assert done.returncode == 1 and "192.0.2.1:1" in done.stderr


# ---- valgrind ----

VALGRIND = shutil.which("valgrind")
SUMMARY = re.compile(r"ERROR SUMMARY: (\d+) errors|definitely lost: ([\d,]+) bytes|indirectly lost: ([\d,]+) bytes")


@pytest.mark.load
@pytest.mark.skipif(sanitized(), reason="a sanitized program does not run under valgrind")
@pytest.mark.skipif(not VALGRIND, reason="valgrind is not installed")
def test_under_valgrind(busy, tmp_path, monkeypatch):
    """All of it once more where every access is looked at."""
    wrapper, log = tmp_path / "weir", tmp_path / "valgrind.log"
    wrapper.write_text(f"#!/bin/sh\nexec {VALGRIND} --leak-check=full --error-exitcode=97 --log-file={log} {harness_daemon.BINARY} \"$@\"\n")
    wrapper.chmod(0o755)
    monkeypatch.setattr(harness_daemon, "BINARY", str(wrapper))
    b = busy()
    b.traffic(1)
    b.reload("second")
    b.traffic(1)
    b.w.signal(signal.SIGTERM)
    code = b.w.wait(110)
    text = log.read_text()
    assert code == 0, text
    assert all(set(m.groups()) <= {"0", None} for m in SUMMARY.finditer(text)) and "ERROR SUMMARY: 0 errors" in text, text
