"""TLS towards clients and towards origins."""
import hashlib
import json
import signal
import socket
import ssl
import subprocess

import pytest

from harness import Certificate, Conn, Port, Response, TlsOrigin, eventually

CONF = """
listener main { bind @LISTEN@; tls { certificate @CRT@; key @KEY@; } }
upstream o { endpoint @O@; }
route / { proxy o; }
route /here { respond 200 "${request.method}\\n"; }
"""


@pytest.fixture
def w(weir, origin, certificate):
    d = weir(CONF, O=origin, CRT=certificate.file, KEY=certificate.key)
    d.tls = certificate.client()
    return d


def connect(w, **how):
    return w.connect(tls=how.pop("tls", w.tls), server_name="weir.test", **how)


def curl(w, certificate, path, *words):
    done = subprocess.run(["curl", "-sS", "--max-time", "20", "--cacert", certificate.file,
                           "--resolve", f"weir.test:{w.port.number}:127.0.0.1", *words, f"https://weir.test:{w.port.number}{path}"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_with_curl(w, origin, certificate):
    got = json.loads(curl(w, certificate, "/x", "-d", "a=b"))
    sent = {n.lower(): v for n, v in got["headers"]}
    assert (got["method"], got["body"]) == ("POST", "a=b")
    assert sent["x-forwarded-proto"] == "https" and "proto=https" in sent["forwarded"]
    assert w.access(path="/x")["scheme"] == "https"
    # Two requests, one connection.
    url = f"https://weir.test:{w.port.number}/here"
    assert curl(w, certificate, "/here", url, "-w", "%{num_connects} ") == "GET\n1 GET\n0 "


def test_a_connection_is_kept(w):
    with connect(w) as c:
        assert {c.get("/here").status for _ in range(10)} == {200}
        assert c.sock.version() in ("TLSv1.2", "TLSv1.3")
        c.send(b"GET /here HTTP/1.1\r\nHost: a\r\n\r\n" * 5)
        assert {c.response().status for _ in range(5)} == {200}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions(w, version):
    w.tls.minimum_version = w.tls.maximum_version = version
    with connect(w) as c:
        assert c.get("/here").status == 200


def test_alpn(w):
    w.tls.set_alpn_protocols(["h3", "http/1.1"])
    with connect(w) as c:
        assert c.sock.selected_alpn_protocol() == "http/1.1"
        assert c.get("/here").status == 200


def test_a_session_is_resumed(weir, certificate):
    w = weir("workers 1;\nlistener main { bind @LISTEN@; tls { certificate @CRT@; key @KEY@; } }\nroute / { respond 200; }",
             CRT=certificate.file, KEY=certificate.key)
    context = certificate.client()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with w.connect(tls=context, server_name="weir.test") as c:
        assert c.get("/").status == 200
        session = c.sock.session
    raw = socket.create_connection(w.port.address)
    with context.wrap_socket(raw, server_hostname="weir.test", session=session) as s:
        assert s.session_reused


def test_a_lot_both_ways(w, origin):
    sent = bytes(range(256)) * 4000
    origin.on("/sum", lambda conn, r: conn.answer(200, hashlib.sha256(r.body).hexdigest().encode()))
    with connect(w) as c:
        assert c.request("POST", "/sum", (), sent).body.decode() == hashlib.sha256(sent).hexdigest()
        assert c.get("/bytes/3000000").body == b"x" * 3000000


def test_a_client_that_does_not_read(w, origin):
    """What waits for it is bounded by the socket's buffers, and comes whole in the end."""
    size = 20_000_000
    with connect(w, receive_buffer=4096) as slow:
        slow.write("GET", f"/bytes/{size}")
        origin.request(f"/bytes/{size}")
        with connect(w) as c:
            assert c.get("/here").status == 200
        head = slow.reader.head(Response)
        assert head.status == 200
        left = size - len(slow.reader.buffer)
        while left:
            left -= len(slow.sock.recv(left))


def test_what_is_no_handshake(w):
    for data in (b"GET /here HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01\xff\xff" + b"\0" * 500, b"\x80\x2e\x01"):
        with w.connect() as c:
            c.send(data).half_close()
            try:
                while c.sock.recv(4096):
                    pass
            except ConnectionError:
                pass
    with connect(w) as c:
        assert c.get("/here").status == 200
    eventually(lambda: w.view("status")["connections"]["downstream"] == 0, "the end of all connections")
    assert not w.log.count(lambda line: line["status"] == 400)


def test_a_handshake_that_does_not_come(weir, certificate):
    w = weir("listener main { bind @LISTEN@; tls { certificate @CRT@; key @KEY@; } timeouts { head 100ms; } }\nroute / { respond 200; }",
             CRT=certificate.file, KEY=certificate.key)
    with w.connect() as c:
        assert c.at_end()


def test_handshakes_take_turns(weir, tmp_path):
    """Whoever knocks in hundreds waits in order; who is in is served in between."""
    certificate = Certificate(tmp_path, "weir.test", key="rsa")
    w = weir(CONF.replace("upstream o { endpoint @O@; }\nroute / { proxy o; }\n", "workers 1;\n"), CRT=certificate.file, KEY=certificate.key)
    w.tls = certificate.client()
    inside = connect(w)
    assert inside.get("/here").status == 200
    crowd = []
    w.signal(signal.SIGSTOP)  # so that they are all there at once
    for _ in range(150):
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = w.tls.wrap_bio(into, out, server_hostname="weir.test")
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        sock = socket.create_connection(w.port.address, 20)
        sock.sendall(out.read())
        crowd.append((sock, tls, into, out))
    for sock, *_ in crowd[:20]:  # some do not have the patience
        sock.close()
    w.signal(signal.SIGCONT)
    assert inside.get("/here").status == 200
    for sock, tls, into, out in crowd[20:]:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                into.write(sock.recv(65536))
        tls.write(b"GET /here HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        sock.sendall(out.read())
        assert sock.recv(1)
        sock.close()
    inside.close()
    assert w.metric("weir_tls_handshakes_deferred_total") > 50
    assert w.metric("weir_tls_handshakes_total", side="downstream", outcome="full") >= 131


def test_the_certificate_by_name(weir, tmp_path):
    one, two = Certificate(tmp_path, "one.test"), Certificate(tmp_path, "two.test")
    w = weir("listener main { bind @LISTEN@; tls { certificate @C1@; key @K1@; certificate @C2@; key @K2@; } }\nroute / { respond 200; }",
             C1=one.file, K1=one.key, C2=two.file, K2=two.key)
    for certificate, name in ((one, "one.test"), (two, "two.test")):
        with w.connect(tls=certificate.client(), server_name=name) as c:
            assert c.get("/").status == 200
    # Whoever names another gets the first.
    context = one.client()
    context.check_hostname = False
    with w.connect(tls=context, server_name="three.test") as c:
        assert c.get("/").status == 200


def test_a_new_certificate_by_reload(weir, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    old, new = Certificate(tmp_path / "a", "weir.test"), Certificate(tmp_path / "b", "weir.test")
    conf = "listener main { bind @LISTEN@; tls { certificate @CRT@; key @KEY@; } }\nroute / { respond 200; }"
    w = weir(conf, CRT=old.file, KEY=old.key)
    with w.connect(tls=old.client(), server_name="weir.test") as c:
        assert c.get("/").status == 200
        assert w.reload(conf, CRT=new.file, KEY=new.key)[0] == 200
        with w.connect(tls=new.client(), server_name="weir.test") as d:
            assert d.get("/").status == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            w.connect(tls=old.client(), server_name="weir.test")
        assert c.get("/").status == 200
    # A pair that does not fit changes nothing.
    status, body = w.reload(conf, CRT=new.file, KEY=old.key)
    assert status == 409 and old.key in body["detail"]
    with w.connect(tls=new.client(), server_name="weir.test") as d:
        assert d.get("/").status == 200


def test_tls_and_plain_side_by_side(weir, certificate):
    plain = Port()
    w = weir("listener a { bind @LISTEN@; tls { certificate @CRT@; key @KEY@; } }\nlistener b { bind @P@; }\nroute / { respond 200 x; }",
             CRT=certificate.file, KEY=certificate.key, P=plain)
    with w.connect(tls=certificate.client(), server_name="weir.test") as c, Conn(plain.address) as d:
        assert c.get("/").status == d.get("/").status == 200
    assert {w.access(path="/", scheme=s)["scheme"] for s in ("http", "https")} == {"http", "https"}
    plain.close()


# ---- origins ----

@pytest.fixture
def secure(certificate):
    o = TlsOrigin(certificate)
    yield o
    o.close()


def test_origins(weir, secure, certificate):
    w = weir("""
route /good { proxy good; }
route /off { proxy off; }
route /unknown { proxy unknown; }
route /name { proxy name; }
route /plain { proxy plain; }
upstream good { endpoint @P@; tls { ca @CA@; server_name weir.test; } }
upstream off { endpoint @P@; tls { verify off; } }
upstream unknown { endpoint @P@; tls { server_name weir.test; } }
upstream name { endpoint @P@; tls { ca @CA@; server_name other.test; } }
upstream plain { endpoint @P@; }
""", P=secure, CA=certificate.file)
    assert w.get("/good").json["origin"] == "tls"
    assert secure.names == ["weir.test"]
    assert w.get("/off").json["origin"] == "tls"
    for path in ("/unknown", "/name"):
        r = w.get(path)
        assert (r.status, r.reason) == (502, "upstream_tls_error")
        assert "other.test" not in r.text and certificate.file not in r.text
        # Whoever operates it is told what was wrong.
        w.stderr.wait(lambda line: f"[upstream {path[1:]} {secure}]" in line and "certificate" in line, "line about the certificate")
    r = w.get("/plain")
    assert r.status == 502 and r.reason in ("upstream_reset", "upstream_bad_response")


def test_a_connection_to_an_origin_is_kept(weir, secure, certificate):
    w = weir("workers 1;\nroute / { proxy o; }\nupstream o { endpoint @P@; keepalive 8 idle=60s; tls { ca @CA@; server_name weir.test; } }",
             P=secure, CA=certificate.file)
    body = b"y" * 1000000
    with w.connect() as c:
        for ask in [lambda: c.get("/x").status == 200] * 5 + [
                lambda: c.get("/bytes/1000000").body == b"x" * 1000000,
                lambda: c.request("POST", "/up", (), body).json["body"] == body.decode()]:
            assert ask()
            # It is back at the end of the turn, which a next request may come before.
            eventually(lambda: w.metric("weir_connections", side="upstream", state="idle") == 1, "the idle connection")
    assert secure.connections == 1


def test_health_over_tls(weir, secure, certificate):
    w = weir("""
route / { proxy o; }
route /distrusted { proxy d; }
upstream o { endpoint @P@; tls { ca @CA@; server_name weir.test; } health_check { path /healthz; interval 100ms; unhealthy 1; healthy 1; } }
upstream d { endpoint @P@; tls { } health_check { path /healthz; interval 100ms; } }
""", P=secure, CA=certificate.file)
    assert w.endpoint("o", secure)["healthy"] is True
    assert w.endpoint("d", secure)["healthy"] is False
    assert w.get("/distrusted").reason == "no_healthy_endpoint"
    secure.healthy = False
    eventually(lambda: w.endpoint("o", secure)["healthy"] is False, "the bad health")
    assert w.get("/x").reason == "no_healthy_endpoint"
    secure.healthy = True
    eventually(lambda: w.endpoint("o", secure)["healthy"], "the good health")
    assert w.get("/x").status == 200


def test_tls_on_both_sides(weir, secure, certificate):
    w = weir(CONF.replace("endpoint @O@;", "endpoint @O@; tls { ca @CRT@; server_name weir.test; }"), O=secure, CRT=certificate.file,
             KEY=certificate.key)
    w.tls = certificate.client()
    with connect(w) as c:
        assert c.get("/x").json["origin"] == "tls"
        assert c.get("/chunked").body == b"hello world"
        r = c.get("/t", {"Connection": "Upgrade", "Upgrade": "echo"})
        assert r.status == 101
        for _ in range(3):
            assert c.send(b"ping" * 1000).exactly(4000) == b"ping" * 1000
