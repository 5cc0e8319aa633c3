"""A configuration replaces another while requests run: nothing is dropped, and what was learned stays known."""
import signal
import socket
import threading

import pytest

from harness import Conn, Port, eventually, run_weir
from harness.kernel import OnTheWay
from harness.message import Closed

pytestmark = pytest.mark.workers


class Traffic:
    """Clients that ask without pause on connections that stay open, until stop(); anything but 200 is kept in .wrong."""

    def __init__(self, w, target="/", clients=8, headers=()):
        self.wrong, self.done, self.going = [], 0, True
        self.threads = [threading.Thread(target=self.run, args=(w, target, headers), daemon=True) for _ in range(clients)]
        for t in self.threads:
            t.start()

    def run(self, w, target, headers):
        n = 0
        try:
            while self.going:
                with w.connect() as c:
                    for _ in range(50):
                        r = c.get(target, headers)
                        n += 1
                        if r.status != 200:
                            self.wrong.append(r)
                        if not self.going:
                            break
                self.done += 50
        except Exception as e:  # noqa: BLE001 - whatever it is, a client must not see it
            self.wrong.append(e)

    def stop(self):
        self.going = False
        for t in self.threads:
            t.join(20)
        assert not self.wrong, self.wrong[:3]


def generation(w):
    return w.view("status")["generation"]


def test_twenty_reloads_under_load(weir, make_origin):
    a, b = make_origin("a"), make_origin("b")
    conf = """
use rate_limit circuit_breaker;
upstream o {{ endpoint @A@; endpoint @B@; {balance} circuit_breaker {{ }} }}
route / {{ rate_limit {{ rate 1000000/s; }} proxy o; }}
"""
    w = weir(conf.format(balance=""), A=a, B=b)
    t = Traffic(w)
    for i in range(20):
        seen = len(a.requests) + len(b.requests)
        w.write(conf.format(balance="balance random;" if i % 2 else ""))
        if i % 2:
            assert w.reload()[0] == 200
        else:
            w.signal(signal.SIGHUP)
            eventually(lambda: generation(w) == i + 2, f"generation {i + 2}")
        eventually(lambda: len(a.requests) + len(b.requests) > seen + 20, "requests after the reload")
    t.stop()
    assert generation(w) == 21
    assert w.metric("weir_config_generation") == 21
    assert [g["id"] for g in eventually(lambda: (lambda v: v if len(v) == 1 else None)(w.view("generations")), "one generation")] == [21]
    assert w.view("upstreams")[0]["balance"] == "random"


def test_reloads_that_come_together(weir):
    """Many orders at once are few loads; each is answered, and after it the file as it was then is live."""
    w = weir('route / { respond 200 one; }')
    w.write('route / { respond 200 two; }')
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(w.admin("POST", "/api/v1/reload"))) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(20)
    assert [s for s, _ in answers] == [200] * 20
    assert w.get("/").text == "two"
    assert 2 <= generation(w) <= 21


def test_an_exchange_keeps_its_generation(weir, origin):
    w = weir("route / { proxy o; }\nupstream o { endpoint @O@; }", O=origin)
    with w.connect() as c:
        c.write("GET", "/hold")
        origin.request("/hold")
        assert w.reload("route / { respond 200 new; }")[0] == 200
        ids = {g["id"]: g["holders"] for g in w.view("generations")}
        assert set(ids) == {1, 2} and ids[1] >= 1
        origin.release()
        r = c.response()
        assert (r.status, r.body) == (200, b"held")
        # The connection stays, its next request is for the new one.
        assert c.get("/").body == b"new"
    eventually(lambda: [g["id"] for g in w.view("generations")] == [2], "one generation")


def test_a_tunnel_outlives_reloads(weir, origin):
    w = weir("route / { proxy o; }\nupstream o { endpoint @O@; }", O=origin)
    with w.connect() as c:
        r = c.get("/echo", {"Connection": "Upgrade", "Upgrade": "echo"})
        assert r.status == 101
        for _ in range(3):
            assert w.reload()[0] == 200
            assert c.send(b"ping").exactly(4) == b"ping"
    eventually(lambda: len(w.view("generations")) == 1, "one generation")


LEARNED = """
use rate_limit circuit_breaker canary jwt;
upstream bad { endpoint @O@; circuit_breaker { min_requests 5; open 60s; } }
upstream one { endpoint @O@; }
upstream two { endpoint @P@; }
route = /status/500 { proxy bad; }
route = /limited { rate_limit { rate 3/h; } respond 200 ok; }
route /canary { canary { variant one @ONE@%; variant two @TWO@%; } }
route /pair { proxy pair; }
upstream pair { endpoint @O@ weight=1; endpoint @P@ weight=1; }
# @NOTE@
"""


@pytest.fixture
def learned(weir, make_origin):
    o, p = make_origin("one"), make_origin("two")
    return weir(LEARNED, O=o, P=p, ONE=100, TWO=0, NOTE="first"), o, p


def test_the_breaker_stays_open(learned):
    w, o, _ = learned
    for _ in range(5):
        assert w.get("/status/500").status == 500
    assert w.get("/status/500").reason == "breaker_open"
    assert w.reload(LEARNED, NOTE="second")[0] == 200
    assert w.get("/status/500").reason == "breaker_open"
    assert w.upstream("bad")["breaker"]["state"] == "open"
    assert o.count("/status/500") == 5


def test_the_bucket_stays_empty(learned):
    w, _, _ = learned
    assert [w.get("/limited").status for _ in range(4)] == [200] * 3 + [429]
    assert w.reload(LEARNED, NOTE="second")[0] == 200
    assert w.get("/limited").status == 429


def test_an_override_of_weights_stays_until_the_file_changes_it(learned):
    w, _, _ = learned
    assert w.get("/canary").json["origin"] == "one"
    status, body = w.admin("PATCH", "/api/v1/routes/%2Fcanary/canary", {"weights": {"two": 100}})
    assert status == 200, body
    assert w.get("/canary").json["origin"] == "two"
    assert w.reload(LEARNED, NOTE="second")[0] == 200
    assert {w.get("/canary").json["origin"] for _ in range(5)} == {"two"}
    assert w.reload(LEARNED, ONE=0, TWO=100)[0] == 200
    assert w.reload(LEARNED, ONE=100, TWO=0)[0] == 200
    assert {w.get("/canary").json["origin"] for _ in range(5)} == {"one"}


def test_an_order_to_an_endpoint_stays(learned):
    w, o, _ = learned
    assert w.admin("PATCH", f"/api/v1/upstreams/pair/endpoints/{o}", {"state": "down"})[0] == 200
    assert {w.get("/pair").json["origin"] for _ in range(4)} == {"two"}
    assert w.reload(LEARNED, NOTE="second")[0] == 200
    assert w.endpoint("pair", o)["state"] == "down"
    assert {w.get("/pair").json["origin"] for _ in range(4)} == {"two"}
    assert w.admin("PATCH", f"/api/v1/upstreams/pair/endpoints/{o}", {"state": "up"})[0] == 200
    assert {w.get("/pair").json["origin"] for _ in range(4)} == {"one", "two"}


def test_counts_and_connections_stay(learned):
    w, o, _ = learned
    with w.connect() as c:
        c.get("/pair")
        c.get("/pair")
        eventually(lambda: w.metric("weir_requests_total", route="/pair") == 2, "two requests counted")
        opened = o.connections
        assert w.reload(LEARNED, NOTE="second")[0] == 200
        assert {c.get("/pair").status for _ in range(4)} == {200}
        eventually(lambda: w.metric("weir_requests_total", route="/pair") == 6, "six requests counted")
    # The worker of that connection had a warm one to each origin; it needs no others.
    assert o.connections == opened


def test_health_is_not_asked_anew(weir, make_origin):
    good, bad = make_origin("good"), make_origin("bad")
    bad.healthy = False
    conf = "upstream o { endpoint @G@; endpoint @B@; health_check { path /healthz; interval 60s; } }\nroute / { proxy o; }\n# @NOTE@"
    w = weir(conf, G=good, B=bad, NOTE="first")
    assert w.endpoint("o", bad)["healthy"] is False
    assert w.reload(conf, NOTE="second")[0] == 200
    assert w.admin("GET", "/ready")[0] == 200
    assert w.endpoint("o", bad)["healthy"] is False
    assert {w.get("/x").json["origin"] for _ in range(4)} == {"good"}
    assert bad.count("/x") == 0


def test_an_ejected_endpoint_stays_ejected(weir, make_origin):
    good, bad = make_origin("good"), make_origin("bad")
    conf = "upstream o { endpoint @G@; endpoint @B@; outlier { consecutive 2; eject 10m; } }\nroute / { proxy o; }\n# @NOTE@"
    bad.on("/x", lambda conn, request: conn.answer(500))
    w = weir(conf, G=good, B=bad, NOTE="first")
    eventually(lambda: w.get("/x") and w.endpoint("o", bad)["state"] == "ejected", "the ejection")
    asked = bad.count("/x")
    assert w.reload(conf, NOTE="second")[0] == 200
    assert w.endpoint("o", bad)["state"] == "ejected"
    assert {w.get("/x").status for _ in range(6)} == {200} and bad.count("/x") == asked


def test_a_stream_outlives_reloads(weir, origin):
    """A response that is being sent goes on piece by piece, and a request body that is being received too."""
    go = threading.Semaphore(0)

    def pieces(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):
            go.acquire(timeout=20)
            conn.send(b"5\r\npiece\r\n")
        conn.send(b"0\r\n\r\n")
    origin.on("/stream", pieces)
    conf = "upstream o { endpoint @O@; }\nroute / { proxy o; }\n# @NOTE@"
    w = weir(conf, O=origin, NOTE=0)
    with w.connect() as down, w.connect() as up:
        down.write("GET", "/stream")
        origin.request("/stream")
        up.send(b"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc")
        for n in range(3):
            assert w.reload(conf, NOTE=n + 1)[0] == 200
            go.release()
            if n < 2:
                up.send(b"def" if n else b"ghi")
        assert down.response().body == b"piece" * 3
        assert up.response().status == 200
    assert len(origin.request("/upload").body) == 9
    eventually(lambda: len(w.view("generations")) == 1, "one generation")


def test_listeners_come_and_go(weir):
    conf = """
listener main { bind @LISTEN@; }
%s
route / { respond 200 "${request.path}"; }
"""
    p = Port()
    w = weir(conf % "")
    with w.connect() as old:
        assert old.get("/1").text == "/1"
        assert w.reload(conf % f"listener second {{ bind {p}; }}")[0] == 200
        with Conn(p.address) as c:
            assert c.get("/2").text == "/2"
            # Whoever is connected to a listener that is gone is served to the end of the connection's request.
            assert w.reload(conf % "")[0] == 200
        with pytest.raises(ConnectionRefusedError):
            Conn(p.address)
        assert old.get("/3").text == "/3"
    p.close()


@pytest.mark.parametrize("supervised", [False, True])
def test_who_is_on_the_way_to_an_address_that_goes(weir, supervised):
    """A client whose handshake has begun comes in and is served; nobody else does."""
    conf = "listener main { bind @LISTEN@; %s }\nroute / { respond 200 here; }"
    p = Port()
    w = weir(conf % f"bind {p};", supervised=supervised)
    with OnTheWay(p.address) as late:
        assert w.reload(conf % "")[0] == 200
        with pytest.raises(ConnectionRefusedError):
            Conn(p.address)
        sock = late.arrive()
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
    # Nothing of that stands in the way of the next one there.
    assert w.reload(conf % f"bind {p};")[0] == 200
    with Conn(p.address) as c:
        assert c.get("/").text == "here"
    p.close()


def test_a_failed_reload_changes_nothing(weir):
    w = weir("route / { respond 200 first; }")
    status, body = w.reload("route / { respond 200 second; }\nroutte /x { respond 200 x; }\nroute /y { respond 999 y; }")
    assert status == 409 and body["reason"] == "reload_failed"
    # The message is what `weir check` says.
    assert "gateway.conf:2:1: error: " in body["detail"] and "route" in body["detail"]
    assert w.get("/").text == "first"
    assert generation(w) == 1
    assert w.metric("weir_config_last_reload_success") == 0
    assert w.metric("weir_config_generation") == 1
    last = w.view("status")["reload"]
    assert last["ok"] is False and "gateway.conf:2:1" in last["message"] and last["at"]
    w.stderr.wait(lambda line: "gateway.conf:3:" in line and "error" in line, "the second error")
    w.stderr.wait(lambda line: "reload failed, the running configuration stays" in line, "a line that says so")

    w.write("route / { respond 200 third; }")
    done = run_weir("reload", "--admin", "unix:" + w.admin_path)
    assert (done.returncode, done.stderr) == (0, "") and "generation 2 is live" in done.stdout
    assert w.get("/").text == "third"
    assert w.metric("weir_config_last_reload_success") == 1
    assert w.view("status")["reload"]["ok"] is True

    w.write("nonsense;")
    done = run_weir("reload", "--admin", "unix:" + w.admin_path)
    assert done.returncode == 1 and "gateway.conf:1:1: error:" in done.stderr
    assert w.get("/").text == "third"


def test_a_failed_build_changes_nothing(weir, tmp_path):
    """What only shows after the syntax is good: files, ports."""
    w = weir("route / { respond 200 first; }\nlistener main { bind @LISTEN@; }")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, body = w.reload(f"route / {{ respond 200 second; }}\nlistener main {{ bind @LISTEN@; bind 127.0.0.1:{port}; }}")
        assert status == 409 and str(port) in body["detail"] and "gateway.conf:2:" in body["detail"]
        assert w.get("/").text == "first" and generation(w) == 1
    status, body = w.reload(f"route / {{ respond 200 second; }}\nlistener main {{ bind @LISTEN@; tls {{ certificate {tmp_path}/none; "
                            f"key {tmp_path}/none; }} }}")
    assert status == 409 and f"{tmp_path}/none" in body["detail"]
    assert w.get("/").text == "first" and generation(w) == 1
    assert w.reload("route / { respond 200 third; }\nlistener main { bind @LISTEN@; }")[0] == 200
    assert w.get("/").text == "third"


def test_a_test_that_fails_stops_a_reload(weir):
    w = weir('route / { respond 200 first; }')
    status, body = w.reload('route / { respond 503 down; }\ntest "the front page" { request GET http://a/; expect status 200; }')
    assert status == 409 and "the front page" in body["detail"]
    assert w.get("/").text == "first"


def test_warnings_do_not_stop_a_reload(weir):
    w = weir("route / { respond 200 first; }")
    assert w.reload("route / { respond 200 second; }\nroute / { respond 200 never; }")[0] == 200
    w.stderr.wait(lambda line: "gateway.conf:2:" in line and "warning:" in line, "the warning")
    assert w.get("/").text == "second"
    limited = "use jwt rate_limit;\nroute / { rate_limit { key ${jwt.sub}; rate 100/s; } respond 200 third; }"
    assert w.reload(limited)[0] == 200
    w.stderr.wait(lambda line: "gateway.conf:2:" in line and "warning: `${jwt.sub}` has no value in" in line, "the warning")


def test_removed_routes_and_upstreams_leave_nothing(weir, origin):
    w = weir("upstream o { endpoint @O@; }\nroute / { proxy o; }\nroute /gone { proxy o; }", O=origin)
    assert w.get("/gone").status == 200
    assert w.reload("upstream p { endpoint @O@; }\nroute / { proxy p; }")[0] == 200
    assert w.get("/gone").status == 200
    assert [u["name"] for u in w.view("upstreams")] == ["p"]
    assert [r["name"] for r in w.view("routes")] == ["/"]
    with pytest.raises(StopIteration):
        w.upstream("o")


def test_the_connection_is_kept_while_the_answer_is_due(weir, origin):
    """A listener that goes away does not take the exchange with it."""
    p = Port()
    conf = "upstream o { endpoint @O@; }\nroute / { proxy o; }\nlistener main { bind @LISTEN@; %s }"
    w = weir(conf % f"bind {p};", O=origin)
    with Conn(p.address) as c:
        c.write("GET", "/hold")
        origin.request("/hold")
        assert w.reload(conf % "")[0] == 200
        origin.release()
        assert c.response().body == b"held"
        try:
            again = c.get("/x")
        except (Closed, ConnectionError):
            pass
        else:
            assert again.status == 200
    p.close()
