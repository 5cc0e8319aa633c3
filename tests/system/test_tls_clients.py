"""Clients that name themselves with a certificate: who gets in, what routes and origins learn, and what a resumed session may not hide."""
import base64
import datetime
import json
import re
import ssl
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from harness import Certificate, Conn, Port, eventually, make_crl, run_weir, s_client

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
WORDS = pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
HELLO = "GET / HTTP/1.1\r\nHost: weir.test\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    d = tmp_path_factory.mktemp("people")
    ca = Certificate(d, "ca")
    return {
        "ca": ca,
        "alice": Certificate(d, "alice.test", "URI:spiffe://corp/alice", "email:alice@corp.test", "192.0.2.9", subject="/O=Corp/CN=alice", issuer=ca),
        "bob": Certificate(d, "bob.test", subject="/O=Corp/CN=bob", issuer=ca),
        "stranger": Certificate(d, "alice.test", subject="/O=Corp/CN=alice", file="stranger"),
    }


def listener(certificate, people, *lines, name="main", bind="@LISTEN@"):
    return f"listener {name} {{ bind {bind}; tls {{ certificate {certificate.file}; key {certificate.key}; client_ca {people['ca'].file}; " \
           + " ".join(lines) + " } }\n"


def served(w, certificate, who=None, version=None):
    """Status, or None when the handshake is refused."""
    context = certificate.client(who)
    if version:
        context.minimum_version = context.maximum_version = version
    try:
        with w.connect(tls=context, server_name="weir.test") as c:
            return c.get("/")
    except (ssl.SSLError, OSError, AssertionError):
        return None


@VERSIONS
def test_who_gets_in(weir, certificate, people, version):
    conf = "\nroute / { respond 200 \"${client_cert.subject}|${client_cert.san}|${client_cert.issuer}\"; }"
    w = weir("log_level info;\n" + listener(certificate, people) + conf)
    assert served(w, certificate, people["alice"], version).text == \
        "CN=alice,O=Corp|alice.test,spiffe://corp/alice,alice@corp.test,192.0.2.9|CN=ca"
    assert served(w, certificate, None, version) is None
    assert served(w, certificate, people["stranger"], version) is None
    w.stderr.wait(lambda line: "the client's certificate was refused: self-signed certificate" in line, "line about the stranger")
    assert w.reload(listener(certificate, people, "client_verify optional;") + conf)[0] == 200
    assert served(w, certificate, people["bob"], version).text == "CN=bob,O=Corp|bob.test|CN=ca"
    assert served(w, certificate, None, version).text == "||"
    assert served(w, certificate, people["stranger"], version) is None


def test_over_http2(weir, certificate, people, origin):
    w = weir(listener(certificate, people) + """route / { proxy o; }
route /here { match client_cert subject = "CN=bob,O=Corp"; respond 200 "${client_cert.subject}"; }
upstream o { endpoint @O@; connect_timeout 20s; client_cert_header on; }""", O=origin)
    done = subprocess.run(["curl", "-sS", "--http2", "--max-time", "20", "--cacert", certificate.file, "--cert", people["bob"].file, "--key",
                           people["bob"].key, "--resolve", f"weir.test:{w.port.number}:127.0.0.1", "-w", "%{http_version}",
                           f"https://weir.test:{w.port.number}/here"], capture_output=True, text=True)
    assert done.stdout == "CN=bob,O=Corp2", done.stderr
    done = subprocess.run(["curl", "-sS", "--http2", "--max-time", "20", "--cacert", certificate.file, "--cert", people["bob"].file, "--key",
                           people["bob"].key, "--resolve", f"weir.test:{w.port.number}:127.0.0.1", "-H", "Client-Cert: :bGll:",
                           f"https://weir.test:{w.port.number}/x"], capture_output=True, text=True)
    assert [v for n, v in json.loads(done.stdout)["headers"] if n.lower() == "client-cert"] == [f":{der(people['bob'])}:"]


def test_routes(weir, certificate, people):
    w = weir(listener(certificate, people, "client_verify optional;") + """
route /subject name=alice { match client_cert subject = "CN=alice,O=Corp"; respond 200 alice; }
route /subject { match client_cert subject ~ ^CN=[a-z]+,O=Corp$; respond 200 corp; }
route /subject { respond 200 nobody; }
route /san { match client_cert san = spiffe://corp/alice; respond 200 alice; }
route /san { match client_cert dns ~ \\.test$; respond 200 dns; }
route /san { match client_cert san absent; respond 200 none; }
route /uri { match client_cert uri = alice.test; respond 200 wrong; }
route /uri { match client_cert ip = 192.0.2.9; match client_cert email = alice@corp.test; respond 200 alice; }
route /uri { respond 200 other; }
""")
    for who, expected in (("alice", ("alice", "alice", "alice")), ("bob", ("corp", "dns", "other")), (None, ("nobody", "none", "other"))):
        with w.connect(tls=certificate.client(people.get(who)), server_name="weir.test") as c:
            assert tuple(c.get(p).text for p in ("/subject", "/san", "/uri")) == expected
    status, body = w.reload(listener(certificate, people) + "route / { match client_cert common_name = alice; respond 200; }")
    assert status == 409 and "no part of a certificate" in body["detail"]


def der(certificate):
    return base64.b64encode(ssl.PEM_cert_to_DER_cert(open(certificate.file).read())).decode()


def test_origins(weir, certificate, people, origin, tmp_path):
    """RFC 9440; and whatever clients say by these names is never passed on."""
    middle = Certificate(tmp_path, "middle", issuer=people["ca"], authority=True)
    carol = Certificate(tmp_path, "carol", issuer=middle)
    with open(carol.file, "a", encoding="ascii") as f, open(middle.file, encoding="ascii") as m:
        f.write(m.read())
    w = weir(listener(certificate, people, "client_verify optional;") + """
route /off { proxy off; } route /on { proxy on; } route /chain { proxy chain; }
upstream off { endpoint @O@; }
upstream on { endpoint @O@; client_cert_header on; }
upstream chain { endpoint @O@; client_cert_header chain; }
""", O=origin)
    lies = {"Client-Cert": ":bGll:", "client-cert-chain": ":bGll:"}
    leaf = tmp_path / "leaf.crt"
    leaf.write_text(open(carol.file).read().split("-----END")[0] + "-----END CERTIFICATE-----\n")
    for who, path, expected in ((carol, "/off", (None, None)), (None, "/on", (None, None)), (None, "/chain", (None, None)),
                                (people["bob"], "/on", (f":{der(people['bob'])}:", None)),
                                (people["bob"], "/chain", (f":{der(people['bob'])}:", None)),
                                (carol, "/on", (f":{der(type('leaf', (), {'file': leaf}))}:", None)),
                                (carol, "/chain", (f":{der(type('leaf', (), {'file': leaf}))}:", f":{der(middle)}:"))):
        with w.connect(tls=certificate.client(who), server_name="weir.test") as c:
            for _ in range(2):
                sent = {n.lower(): v for n, v in c.get(path, lies).json["headers"]}
                assert (sent.get("client-cert"), sent.get("client-cert-chain")) == expected, path


@WORDS
def test_a_session_keeps_its_certificate(weir, certificate, people, tmp_path, version):
    w = weir("workers 2;\n" + listener(certificate, people) + "\nroute / { respond 200 \"<${client_cert.subject}>\"; }")
    session, own = tmp_path / "session", ["-cert", people["alice"].file, "-key", people["alice"].key]
    first = s_client(w.port, version, *own, "-sess_out", session, "-ign_eof", send=HELLO)
    assert "<CN=alice,O=Corp>" in first and "New, TLS" in first
    for _ in range(4):  # whichever worker it is
        again = s_client(w.port, version, "-sess_in", session, "-ign_eof", send=HELLO)
        assert "<CN=alice,O=Corp>" in again and "Reused, TLS" in again


@WORDS
def test_a_session_is_no_way_past_verification(weir, certificate, people, tmp_path, version):
    """What another listener gave out, or this one under another CA, is not taken up."""
    other, open_ = Port(), Port()
    conf = listener(certificate, people) + listener(certificate, people, "client_verify optional;", name="other", bind="@OTHER@") \
        + f"listener open {{ bind @OPEN@; tls {{ certificate {certificate.file}; key {certificate.key}; }} }}\n" \
        + "route / { respond 200 \"<${client_cert.subject}>\"; }"
    w = weir(conf, OTHER=other, OPEN=open_)
    session, own = tmp_path / "session", ["-cert", people["alice"].file, "-key", people["alice"].key]
    for port in (other, open_):
        got = s_client(port, version, "-sess_out", session, "-ign_eof", send=HELLO)
        assert "<>" in got
        got = s_client(port, version, "-sess_in", session, "-ign_eof", send=HELLO)
        assert "<>" in got and "Reused" in got
        got = s_client(w.port, version, "-sess_in", session, "-ign_eof", send=HELLO)
        assert "<" not in got.split("---")[-1] and "HTTP/1.1 200" not in got and "Reused" not in got
    got = s_client(w.port, version, *own, "-sess_out", session, "-ign_eof", send=HELLO)
    assert "<CN=alice,O=Corp>" in got
    ca = Certificate(tmp_path, "ca")
    assert w.reload(conf.replace(people["ca"].file, ca.file))[0] == 200
    got = s_client(w.port, version, "-sess_in", session, "-ign_eof", send=HELLO)
    assert "HTTP/1.1 200" not in got and "Reused" not in got
    other.close()
    open_.close()


def test_a_session_of_a_certificate_that_ran_out(weir, certificate, people, tmp_path):
    w = weir("log_level info;\n" + listener(certificate, people) + "\nroute / { respond 200 \"<${client_cert.serial}>\"; }")
    ca_key = serialization.load_pem_private_key(open(people["ca"].key, "rb").read(), None)
    ca = x509.load_pem_x509_certificate(open(people["ca"].file, "rb").read())
    key = serialization.load_pem_private_key(open(people["bob"].key, "rb").read(), None)
    now = datetime.datetime.now(datetime.timezone.utc)
    end = now + datetime.timedelta(seconds=3)
    short = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(ca.subject).public_key(key.public_key()).serial_number(7) \
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(end).sign(ca_key, hashes.SHA256())
    (tmp_path / "short.crt").write_bytes(short.public_bytes(serialization.Encoding.PEM))
    session = tmp_path / "session"
    own = ["-cert", tmp_path / "short.crt", "-key", people["bob"].key]
    got = s_client(w.port, *own, "-sess_out", session, "-ign_eof", send=HELLO)
    assert "<07>" in got and int(re.search(r"lifetime hint: (\d+)", got)[1]) <= 3  # it does not outlive the certificate
    eventually(lambda: datetime.datetime.now(datetime.timezone.utc) > end + datetime.timedelta(seconds=1), "the end of the certificate")
    assert "HTTP/1.1 200" not in s_client(w.port, *own, "-sess_in", session, "-ign_eof", send=HELLO)
    w.stderr.wait(lambda line: "the client's certificate was refused: certificate has expired" in line, "line about it")
    # Who has a new one gets in with it, whatever is left of the old session.
    new = ["-cert", people["bob"].file, "-key", people["bob"].key]
    assert "HTTP/1.1 200" in s_client(w.port, *new, "-sess_in", session, "-ign_eof", send=HELLO)


# ---- revocation ----

def refused(w, why):
    w.stderr.wait(lambda line: f"the client's certificate was refused: {why}" in line, why)


@WORDS
def test_revoked(weir, certificate, people, tmp_path, version):
    crl, session = tmp_path / "crl", tmp_path / "session"
    alice, bob = ([version, "-cert", people[n].file, "-key", people[n].key, "-ign_eof"] for n in ("alice", "bob"))
    make_crl(people["ca"], crl)
    w = weir("log_level info;\n" + listener(certificate, people, f"client_crl {crl};") + "\nroute / { respond 200 \"<${client_cert.subject}>\"; }")
    assert "<CN=alice,O=Corp>" in s_client(w.port, *alice, "-sess_out", session, send=HELLO)
    assert "Reused, TLS" in s_client(w.port, *alice, "-sess_in", session, send=HELLO)
    make_crl(people["ca"], crl, people["alice"])
    assert w.reload()[0] == 200
    for words in ([], ["-sess_in", session]):
        got = s_client(w.port, *alice, *words, send=HELLO)
        assert "HTTP/1.1 200" not in got and "Reused" not in got
    refused(w, "certificate revoked")
    assert "<CN=bob,O=Corp>" in s_client(w.port, *bob, send=HELLO)


def test_lists_that_say_nothing(weir, certificate, people, tmp_path):
    """One that has run out, and one of another authority: nobody knows, so nobody gets in, and the log says why."""
    crl = tmp_path / "crl"
    w = weir("log_level info;\n" + listener(certificate, people, f"client_crl {make_crl(people['ca'], crl, form='DER')};", "client_verify optional;")
             + "\nroute / { respond 200; }")
    assert served(w, certificate, people["bob"]).status == 200
    assert w.metric("weir_crl_expiry_timestamp_seconds", listener="main", crl=str(crl)) > datetime.datetime.now().timestamp() + 86400
    make_crl(people["ca"], crl, ended=True)
    assert w.reload()[0] == 200
    assert served(w, certificate, people["bob"]) is None and served(w, certificate, None).status == 200
    refused(w, "CRL has expired")
    w.stderr.wait(lambda line: f"listener main: a list of revoked certificates in {crl} has run out" in line, "warning")
    make_crl(Certificate(tmp_path, "other"), crl)
    assert w.reload()[0] == 200
    assert served(w, certificate, people["bob"]) is None
    refused(w, "unable to get certificate CRL")
    assert "there is no list of revoked certificates of /CN=ca here" in run_weir("check", "-c", w.path).stderr
    crl.write_text("nothing")
    status, body = w.reload()
    assert status == 409 and "not lists of revoked certificates" in body["detail"]


def test_the_whole_chain_is_looked_up(weir, certificate, people, tmp_path):
    middle = Certificate(tmp_path, "middle", issuer=people["ca"], authority=True)
    carol = Certificate(tmp_path, "carol", issuer=middle)
    with open(carol.file, "a", encoding="ascii") as f, open(middle.file, encoding="ascii") as m:
        f.write(m.read())
    crl, above, below = tmp_path / "crl", tmp_path / "above", make_crl(middle, tmp_path / "below")
    conf = "log_level info;\n" + listener(certificate, people, f"client_crl {crl};") + "\nroute / { respond 200; }"

    def both(*revoked):
        make_crl(people["ca"], above, *revoked)
        crl.write_text(above.read_text() + below.read_text())
    both()
    w = weir(conf)
    assert served(w, certificate, carol).status == 200
    both(middle)
    assert w.reload()[0] == 200
    assert served(w, certificate, carol) is None
    refused(w, "certificate revoked")


# ---- offline ----

def test_in_tests_and_explanations(weir, certificate, people, origin, tmp_path):
    text = listener(certificate, people) + f"""
upstream o {{ endpoint @O@; client_cert_header on; }}
route / name=alice {{ match client_cert san = spiffe://corp/alice; proxy o; }}
route / name=others {{ respond 403; }}
test "alice" {{ request GET /x; client_cert {people['alice'].file}; expect route alice; expect header Client-Cert :{der(people['alice'])}:; }}
test "bob" {{ request GET https://weir.test/x; client_cert {people['bob'].file}; expect route others; }}
test "nobody" {{ request GET /x; expect route others; }}
"""
    w = weir(text, O=origin)
    for words, route in ((["--client-cert", people["alice"].file, "GET", "/x"], "alice"), (["GET", "/x"], "others")):
        done = run_weir("explain", "-c", w.path, "--json", *words)
        assert json.loads(done.stdout)["route"] == route, done.stderr
    for words, why in (["--client-cert", people["alice"].key], "not a certificate"), (["--client-cert", tmp_path / "none"], "cannot be read"), \
            (["--client-cert", people["alice"].file, "GET", "http://weir.test/"], "https"):
        done = run_weir("explain", "-c", w.path, *map(str, words), *(["GET", "/x"] if len(words) == 2 else []))
        assert done.returncode == 1 and why in done.stderr, done.stderr
    status, body = w.reload(text.replace("expect route others", "expect route alice"), O=origin)
    assert status == 409 and "got `others`" in body["detail"]
    status, body = w.reload(text.replace(people["bob"].file, people["bob"].key), O=origin)
    assert status == 409 and "not a certificate" in body["detail"]


def test_what_is_wrong_in_the_file(weir, certificate, people, tmp_path):
    w = weir("route / { respond 200; }")
    for line, why in (("client_verify optional;", "client_ca"), ("client_crl none;", "client_ca"), (f"client_ca {certificate.key};", "no CA certificates"),
                      (f"client_ca {tmp_path}/none;", "No such file")):
        status, body = w.reload(f"listener main {{ bind @LISTEN@; tls {{ certificate {certificate.file}; key {certificate.key};\n{line} }} }}\nroute / {{ respond 200; }}")
        assert status == 409 and why in body["detail"] and re.search(r"gateway.conf:2:\d+: error", body["detail"]), body


def test_nobody_is_asked_by_default(weir, certificate):
    w = weir(f"listener main {{ bind @LISTEN@; tls {{ certificate {certificate.file}; key {certificate.key}; }} }}\nroute / {{ respond 200 \"<${{client_cert.subject}}>\"; }}")
    assert "No client certificate CA names sent" in s_client(w.port)
    with Conn(w.port.address, tls=certificate.client(certificate), server_name="weir.test") as c:
        assert c.get("/").text == "<>"
