"""Before a new configuration is published, what its first requests need is there: addresses of names, keys, sockets."""
import json
import socket
import threading

import pytest

from harness import eventually
from harness.message import Closed

PLAIN = "use jwt;\nupstream o { endpoint @O@; }\nroute / { proxy o; }"
NAMED = "use jwt;\nupstream named { endpoint orders.test:@PORT@; }\nroute / { proxy named; }"
TOKENS = """use jwt;
upstream o { endpoint @O@; }
route / { jwt { issuer https://idp.test/; audience orders; jwks http://@O@/jwks.json timeout=10s; } proxy o; }
"""


class Dns:
    """A name server for IPv4 addresses of orders.test; holds its answers while .held is set."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.sock.getsockname()[1]
        self.asked, self.held, self.waiting = 0, False, []
        self.lock = threading.Lock()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            while True:
                query, peer = self.sock.recvfrom(1500)
                with self.lock:
                    self.asked += 1
                    if self.held:
                        self.waiting.append((query, peer))
                    else:
                        self.answer(query, peer)
        except OSError:
            pass

    def answer(self, query, peer):
        end = query.index(b"\0", 12) + 5
        question, kind = query[12:end], query[end - 4:end - 2]
        known = question.startswith(b"\6orders\4test\0")
        record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1" if known and kind == b"\0\1" else b""
        self.sock.sendto(query[:2] + (b"\x81\x80" if known else b"\x81\x83") + b"\0\1" + (b"\0\1" if record else b"\0\0") + b"\0\0\0\0"
                         + question + record, peer)

    def release(self):
        with self.lock:
            self.held = False
            for query, peer in self.waiting:
                self.answer(query, peer)
            self.waiting = []

    def close(self):
        self.sock.close()


@pytest.fixture
def dns():
    d = Dns()
    yield d
    d.close()


class Reload:
    """One that somebody waits for."""

    def __init__(self, w):
        self.answer = None
        self.thread = threading.Thread(target=self.run, args=(w,), daemon=True)
        self.thread.start()

    def run(self, w):
        try:
            self.answer = w.reload()
        except (Closed, OSError) as e:  # the daemon has ended
            self.answer = e

    def result(self):
        self.thread.join(20)
        return self.answer


def test_names_have_addresses_from_the_first_request_on(weir, origin, dns):
    w = weir(PLAIN, O=origin, env={"WEIR_DNS_SERVERS": dns.address})
    dns.held = True
    w.write(NAMED, PORT=origin.port.number)
    wrong, done, stop = [], [], threading.Event()

    def traffic():
        with w.connect() as c:
            while not stop.is_set():
                r = c.get("/x")
                (done if r.status == 200 else wrong).append(r)
    t = threading.Thread(target=traffic)
    t.start()
    r = Reload(w)
    eventually(lambda: dns.asked >= 1, "the question for the name")
    # The old one serves meanwhile.
    seen = len(done)
    eventually(lambda: len(done) > seen + 20, "requests")
    assert r.answer is None and w.view("status")["generation"] == 1
    dns.release()
    assert r.result()[0] == 200
    seen = len(done)
    eventually(lambda: len(done) > seen + 20, "requests")
    stop.set()
    t.join(20)
    assert not wrong, wrong[:3]
    assert [u["name"] for u in w.view("upstreams")] == ["named"]
    assert w.stderr.count(lambda line: "no address yet" in line) == 0


def test_a_name_that_does_not_resolve_is_a_warning(weir, origin, dns):
    w = weir(PLAIN, O=origin, env={"WEIR_DNS_SERVERS": dns.address})
    w.write("upstream named { endpoint nobody.test:1; endpoint @O@; }\nroute / { proxy named; }")
    assert w.reload()[0] == 200
    w.stderr.wait(lambda line: "upstream named: nobody.test:1 has no address yet" in line, "the warning")
    assert w.get("/x").status == 200


def test_a_silent_name_server_holds_no_reload_up(weir, origin, dns):
    w = weir(PLAIN, O=origin, env={"WEIR_DNS_SERVERS": dns.address})
    dns.held = True
    w.write(NAMED, PORT=origin.port.number)
    assert w.reload()[0] == 200
    w.stderr.wait(lambda line: "orders.test" in line and "has no address yet" in line, "the warning")
    assert w.get("/x").reason == "no_healthy_endpoint"
    dns.release()
    eventually(lambda: w.get("/x").status == 200, "the address", 60)


def test_a_reload_that_fails_late_leaves_the_names_alone(weir, origin, dns):
    """A port that is taken is found before names are asked for; the drain comes while they are."""
    w = weir(NAMED, PORT=origin.port.number, env={"WEIR_DNS_SERVERS": dns.address})
    eventually(lambda: w.get("/x").status == 200, "the address")
    dns.held = True
    w.write(NAMED.replace("orders.test:@PORT@", "orders.test:@PORT@; endpoint other.test:1"))
    asked = dns.asked
    r = Reload(w)
    eventually(lambda: dns.asked > asked, "the question for the name")
    with w.connect() as c:
        c.write("GET", "/hold")
        origin.request("/hold")
        assert w.admin("POST", "/api/v1/drain")[0] == 200
        status, body = r.result()
        assert (status, body["detail"]) == (409, "the daemon is draining")
        origin.release()
        assert c.response().status == 200
    assert w.wait() == 0


def test_the_end_comes_while_names_are_asked_for(weir, origin, dns):
    w = weir(PLAIN, O=origin, env={"WEIR_DNS_SERVERS": dns.address})
    dns.held = True
    w.write(NAMED, PORT=origin.port.number)
    Reload(w)
    eventually(lambda: dns.asked >= 1, "the question for the name")
    w.stop()


def keys(origin, rsa, held=False):
    body = json.dumps({"keys": [rsa.jwk()]}).encode()

    def serve(conn, request):
        if held:
            origin.releases.acquire(timeout=20)
        conn.answer(200, body)
    origin.on("/jwks.json", serve)


def test_keys_are_there_before_the_first_token(weir, origin, rsa):
    keys(origin, rsa, held=True)
    w = weir(PLAIN, O=origin)
    w.write(TOKENS)
    r = Reload(w)
    origin.request("/jwks.json")
    assert w.view("status")["generation"] == 1 and w.get("/x").status == 200  # without a token: the old one serves
    origin.release()
    assert r.result()[0] == 200
    assert w.get("/x", rsa.bearer()).status == 200
    assert origin.count("/jwks.json") == 1
    # They are the same keys after the next one.
    assert w.reload(TOKENS + "# again")[0] == 200
    assert w.get("/x", rsa.bearer()).status == 200
    assert origin.count("/jwks.json") == 1


def test_a_provider_that_is_down_is_a_warning(weir, origin):
    origin.on("/jwks.json", lambda conn, request: conn.answer(500))
    w = weir(PLAIN, O=origin)
    w.write(TOKENS)
    assert w.reload()[0] == 200
    w.stderr.wait(lambda line: "no keys fetched: status 500" in line, "the message")
    assert w.view("status")["generation"] == 2


def test_a_silent_provider_holds_no_reload_up(weir, origin, rsa):
    keys(origin, rsa, held=True)
    w = weir(PLAIN, O=origin)
    w.write(TOKENS)
    assert w.reload()[0] == 200
    w.stderr.wait(lambda line: "gateway.conf:3: what `jwt` fetches is not there yet" in line, "the warning")
    origin.release()
    eventually(lambda: w.get("/x", rsa.bearer()).status == 200, "the keys")
