"""TLS to a stock origin: who it is, who weir is to it, and sessions that are taken up again."""
import pytest

from harness import Certificate, make_crl

UPSTREAM = "workers 1;\nroute / { proxy o; }\nupstream o { endpoint @P@; connect_timeout 20s; keepalive 0; tls { ca @CA@; server_name weir.test; %s } }"


def server(certificate, *lines):
    return f"""listen @LISTEN@ ssl reuseport; ssl_certificate {certificate.file}; ssl_certificate_key {certificate.key}; ssl_protocols TLSv1.2 TLSv1.3;
location / {{
    add_header X-Reused $ssl_session_reused; add_header X-Name $ssl_server_name; add_header X-Client $ssl_client_s_dn;
    add_header X-Protocol $ssl_protocol/$ssl_cipher; return 200 "here\\n";
}}
""" + "\n".join(lines)


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Certificate(tmp_path_factory.mktemp("ca"), "the-ca")


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_sessions_are_taken_up_again(weir, nginx, certificate, version):
    n = nginx(server(certificate))
    conf = UPSTREAM % f"protocols {version};"
    w = weir(conf, P=n, CA=certificate.file)
    seen = [w.get("/") for _ in range(4)]
    assert [r.get("X-Reused") for r in seen] == [".", "r", "r", "r"]
    assert {r.get("X-Name") for r in seen} == {"weir.test"}
    assert seen[0].get("X-Protocol").startswith(version)
    # Nor does a reload forget them, as long as everything that was verified stays.
    assert w.reload(conf + "\n# changed")[0] == 200
    assert w.get("/").get("X-Reused") == "r"
    # Another name is another matter, whoever answers.
    assert w.reload(conf.replace("server_name weir.test", "server_name 127.0.0.1"))[0] == 200
    assert w.get("/").get("X-Reused") == "."
    assert w.reload(conf.replace("server_name weir.test", "server_name other.test"))[0] == 200
    assert w.get("/").reason == "upstream_tls_error"
    assert w.reload(conf.replace("server_name", "session_reuse off; server_name"))[0] == 200
    assert [w.get("/").get("X-Reused") for _ in range(2)] == [".", "."]


def test_a_session_is_not_taken_up_under_another_trust(weir, nginx, certificate, tmp_path):
    n = nginx(server(certificate))
    conf = UPSTREAM % ""
    w = weir(conf, P=n, CA=certificate.file)
    assert [w.get("/").get("X-Reused") for _ in range(2)] == [".", "r"]
    other = Certificate(tmp_path, "weir.test")
    assert w.reload(conf, CA=other.file)[0] == 200
    for _ in range(2):
        assert w.get("/").reason == "upstream_tls_error"
    # The same file with another content.
    w.reload(conf, CA=certificate.file)
    assert w.get("/").status == 200
    held = tmp_path / "ca.crt"
    with open(certificate.file, encoding="ascii") as f:
        held.write_text(f.read())
    w.reload(conf, CA=held)
    assert w.get("/").get("X-Reused") == "r"  # the same trust, whatever the file is called
    with open(other.file, encoding="ascii") as f:
        held.write_text(f.read())
    w.reload()
    assert w.get("/").reason == "upstream_tls_error"


def test_a_session_that_the_origin_forgot(weir, nginx, certificate):
    """The origin's keys for tickets went with its process: a whole handshake, and nobody notices."""
    n = nginx(server(certificate))
    w = weir(UPSTREAM % "", P=n, CA=certificate.file)
    assert [w.get("/").get("X-Reused") for _ in range(2)] == [".", "r"]
    n.restart()
    assert [w.get("/").get("X-Reused") for _ in range(2)] == [".", "r"]


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_weir_names_itself(weir, nginx, certificate, ca, tmp_path, version):
    n = nginx(server(certificate, f"ssl_client_certificate {ca.file}; ssl_verify_client on;"))
    one, two, stranger = (Certificate(tmp_path, name, issuer=issuer) for name, issuer in (("one", ca), ("two", ca), ("three", None)))
    conf = UPSTREAM.replace("keepalive 0;", "") % ("certificate @CRT@; key @KEY@; protocols " + version + ";")
    w = weir(conf, P=n, CA=certificate.file, CRT=one.file, KEY=one.key)
    assert [w.get("/").get("X-Client") for _ in range(2)] == ["CN=one", "CN=one"]
    # A connection of one identity is not used, and a session not taken up, under another one.
    assert w.reload(conf, CRT=two.file, KEY=two.key)[0] == 200
    assert {w.get("/").get("X-Client") for _ in range(3)} == {"CN=two"}
    assert w.reload(conf, CRT=stranger.file, KEY=stranger.key)[0] == 200
    assert w.get("/").get("X-Client") is None and w.get("/").status in (400, 502)
    status, body = w.reload(conf, CRT=one.file, KEY=two.key)
    assert status == 409 and "does not belong" in body["detail"]


def test_an_origin_that_is_revoked(weir, nginx, ca, tmp_path):
    one, crl = Certificate(tmp_path, "weir.test", issuer=ca), tmp_path / "crl"
    n = nginx(server(one))
    make_crl(ca, crl)
    w = weir(UPSTREAM.replace("keepalive 0;", "") % f"crl {crl};", P=n, CA=ca.file)
    assert w.get("/").status == 200
    make_crl(ca, crl, one)
    assert w.reload()[0] == 200
    r = w.get("/")  # no connection of before is used, and no session taken up
    assert (r.status, r.reason, r.json["detail"]) == (502, "upstream_tls_error", "the upstream's certificate was refused: certificate revoked")
    make_crl(ca, crl, ended=True)
    assert w.reload()[0] == 200
    assert w.get("/").json["detail"] == "the upstream's certificate was refused: CRL has expired"
    crl.write_text("nothing")
    status, body = w.reload()
    assert status == 409 and "not lists of revoked certificates" in body["detail"]


def test_what_is_wrong_with_the_certificate(weir, nginx, certificate, tmp_path):
    """Clients are told what kind of thing, the log of whom."""
    n = nginx(server(certificate))
    w = weir("""route /name { proxy name; } route /unknown { proxy unknown; } route /protocol { proxy protocol; }
upstream name { connect_timeout 20s; endpoint @P@; tls { ca @CA@; server_name other.test; } }
upstream unknown { connect_timeout 20s; endpoint @P@; tls { server_name weir.test; } }
upstream protocol { connect_timeout 20s; endpoint @Q@; tls { ca @CA@; server_name weir.test; } }
""", P=n, Q=nginx("listen @LISTEN@ reuseport;"), CA=certificate.file)
    for path, told, known in (("/name", "hostname mismatch", "it is for weir.test"),
                              ("/unknown", "self-signed certificate", "its issuer is /CN=weir.test")):
        r = w.get(path)
        assert (r.status, r.reason) == (502, "upstream_tls_error")
        assert r.json["detail"] == "the upstream's certificate was refused: " + told
        assert "tls_protocol_error" in r.get("Proxy-Status")
        w.stderr.wait(lambda line: f"[upstream {path[1:]} {n}] certificate verify failed: {told}; {known}" in line, "line about the certificate")
        assert next(s for s in w.logged(r)["why"] if s["step"] == "attempt")["reason"] == "upstream_tls_error"
    r = w.get("/protocol")
    assert (r.status, r.reason, r.json["detail"]) == (502, "upstream_tls_error", "no trusted TLS connection to the upstream could be made")
    for name in ("name", "protocol"):
        assert w.metric("weir_upstream_requests_total", upstream=name, outcome="connect_failed") == 1
