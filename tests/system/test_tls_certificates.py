"""Which certificate a client gets, and on which terms."""
import datetime
import re
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from harness import Certificate, openssl, run_weir, s_client

RESPOND = "\nroute / { respond 200; }"


def listener(*lines):
    return "listener main { bind @LISTEN@; tls { " + " ".join(lines) + " } }" + RESPOND


def pairs(*certificates):
    return [f"certificate {c.file}; key {c.key};" for c in certificates]


def subject(text):
    return re.search(r"^subject=(?:CN = )?(.*)$", text, re.M)[1]


def served(w, name, *words):
    return subject(s_client(w.port, *(["-servername", name] if name else ["-noservername"]), *words))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    d = tmp_path_factory.mktemp("certificates")
    return {
        "default": Certificate(d, "default.test", "also.test", subject="/CN=default", file="default"),
        "wild": Certificate(d, "*.a.test", "a.test", subject="/CN=wild", file="wild"),
        "exact": Certificate(d, "x.a.test", subject="/CN=exact", file="exact"),
        "rsa": Certificate(d, "x.a.test", subject="/CN=rsa", key="rsa", file="exact"),
        "ed": Certificate(d, "ed.test", subject="/CN=ed", key="ed25519", file="ed"),
    }


def test_by_name(weir, certificates):
    w = weir(listener(*pairs(*certificates.values())))
    for name, expected in (("default.test", "default"), ("also.test", "default"), (None, "default"), ("elsewhere.test", "default"),
                           ("a.test", "wild"), ("Y.A.test", "wild"), ("x.a.test", "exact"), ("y.x.a.test", "default"), ("test", "default"),
                           ("ed.test", "ed")):
        assert served(w, name) == expected, name


def test_rsa_and_ecdsa_side_by_side(weir, certificates):
    w = weir(listener(*pairs(*certificates.values())))
    assert served(w, "x.a.test", "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256") == "rsa"
    assert served(w, "x.a.test", "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256") == "exact"
    assert served(w, "x.a.test", "-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256") == "rsa"
    assert served(w, "x.a.test", "-tls1_3", "-sigalgs", "ecdsa_secp256r1_sha256") == "exact"
    # The first one too has a companion, when that has its first name.
    w = weir(listener(*pairs(certificates["rsa"], certificates["default"], certificates["exact"])))
    assert served(w, None, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256") == "exact"
    assert served(w, "other.test", "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256") == "rsa"


def test_an_encrypted_key(weir, tmp_path):
    (tmp_path / "passphrase").write_text("open sesame\n")
    (tmp_path / "wrong").write_text("open barley\n")
    c = Certificate(tmp_path, "weir.test", password="open sesame")
    line = f"certificate {c.file}; key {c.key} password=${{file:{tmp_path}/passphrase}};"
    w = weir(listener(line))
    with w.connect(tls=c.client(), server_name="weir.test") as conn:
        assert conn.get("/").status == 200
    assert "open sesame" not in run_weir("check", "-c", w.path, "--dump").stdout
    for wrong, why in ((line.replace("passphrase}", "wrong}"), "does not open"), (line.replace(" password=", "; #"), "no passphrase"),
                       (line.replace("${file:", "").replace("passphrase}", "x"), "in the open")):
        w.write(listener(wrong + "\n"))
        done = run_weir("check", "-c", w.path)
        assert done.returncode == 1 and why in done.stderr, done.stderr
        assert "open barley" not in done.stderr


def test_defaults(weir, certificate):
    w = weir(listener(*pairs(certificate)))
    for words in (["-tls1_3"], ["-tls1_2"], ["-tls1_3", "-groups", "P-256"], ["-tls1_3", "-groups", "P-384"], ["-tls1_3", "-groups", "X25519"]):
        assert "Cipher is (NONE)" not in s_client(w.port, *words), words
    weak = ["-cipher", "ALL:@SECLEVEL=0"]
    for words in (["-tls1", *weak], ["-tls1_1", *weak], ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"], ["-tls1_2", "-cipher", "AES128-GCM-SHA256"],
                  ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA"], ["-tls1_3", "-groups", "P-521"]):
        assert "Cipher is (NONE)" in s_client(w.port, *words), words
    # weir's order decides, but for clients without instructions for AES.
    aes128, aes256, chacha = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"
    for order, expected in (((aes256, chacha, aes128), aes128), ((aes256, chacha), aes256), ((chacha, aes256, aes128), chacha)):
        assert f"Cipher is {expected}" in s_client(w.port, "-tls1_2", "-cipher", ":".join(order)), order
    for order, expected in (("TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
                            ("TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")):
        assert f"Cipher is {expected}" in s_client(w.port, "-tls1_3", "-ciphersuites", order), order
    # A new handshake inside of the old one is not for clients to ask for.
    assert "no renegotiation" in s_client(w.port, "-tls1_2", send="R\nGET / HTTP/1.1\r\n\r\n")


def test_other_terms(weir, certificate):
    w = weir(listener(*pairs(certificate), "protocols TLSv1.3;", "ciphers TLS_AES_256_GCM_SHA384;", "curves P-384;"))
    assert "Cipher is (NONE)" in s_client(w.port, "-tls1_2")
    assert "Cipher is (NONE)" in s_client(w.port, "-groups", "X25519")
    assert "Cipher is (NONE)" in s_client(w.port, "-ciphersuites", "TLS_AES_128_GCM_SHA256")
    assert "TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384" in s_client(w.port)
    assert w.reload(listener(*pairs(certificate), "protocols TLSv1.2;", "ciphers ECDHE-ECDSA-AES256-GCM-SHA384;"))[0] == 200
    assert "Cipher is (NONE)" in s_client(w.port, "-tls1_3")
    assert "Cipher is (NONE)" in s_client(w.port, "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")
    assert "TLSv1.2, Cipher is ECDHE-ECDSA-AES256-GCM-SHA384" in s_client(w.port)
    for line, why in (("ciphers ECDHE-ECDSA-AES256-GCM-SHA38;", "`ECDHE-ECDSA-AES256-GCM-SHA38` is no cipher"), ("ciphers !aNULL;", "no cipher"),
                      ("protocols TLSv1.1;", "TLSv1.2"), ("curves P-257;", "curves")):
        status, body = w.reload(listener(*pairs(certificate), "\n" + line))
        assert status == 409 and why in body["detail"] and "gateway.conf:2:" in body["detail"], body


def test_its_end_is_told(weir, certificates, tmp_path):
    old = Certificate(tmp_path, "weir.test")  # two days
    young = Certificate(tmp_path, "other.test", days=100)
    w = weir(listener(*pairs(old, young, old)))
    end = w.metric("weir_certificate_expiry_timestamp_seconds", listener="main", certificate=young.file)
    assert abs(end - time.time() - 100 * 86400) < 3600
    w.stderr.wait(lambda line: re.search(f"listener main: the certificate {re.escape(old.file)} expires in [12] days", line), "warning")
    assert young.file not in w.stderr.text
    assert "never used" in w.stderr.text
    w.reload(listener(*pairs(old)))
    assert w.metric("weir_certificate_expiry_timestamp_seconds", certificate=young.file) is None


def test_one_that_has_expired(tmp_path):
    c = Certificate(tmp_path, "weir.test")
    openssl("req", "-new", "-key", c.key, "-subj", "/CN=weir.test", "-out", tmp_path / "request")
    openssl("x509", "-req", "-in", tmp_path / "request", "-key", c.key, "-days", "-1", "-out", c.file)
    conf = tmp_path / "gateway.conf"
    conf.write_text(listener(*pairs(c)).replace("@LISTEN@", "127.0.0.1:0"))
    done = run_weir("check", "-c", conf)
    assert done.returncode == 0 and "this certificate has expired" in done.stderr


def test_a_chain_comes_whole(weir, tmp_path):
    root = Certificate(tmp_path, "root")
    leaf = Certificate(tmp_path, "weir.test", issuer=root)
    with open(leaf.file, "a", encoding="ascii") as f, open(root.file, encoding="ascii") as r:
        f.write(r.read())
    w = weir(listener(*pairs(leaf)))
    assert s_client(w.port, "-showcerts").count("BEGIN CERTIFICATE") == 2
    with w.connect(tls=root.client(), server_name="weir.test") as c:
        assert c.get("/").status == 200
    with open(leaf.file, "a", encoding="ascii") as f:
        f.write("-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n")
    status, body = w.reload()
    assert status == 409 and "certificate 3 of its chain" in body["detail"]
    with pytest.raises(ssl.SSLCertVerificationError):
        w.connect(tls=root.client(), server_name="other.test")


def staple(directory, ca, certificate, name, days=2, status=ocsp.OCSPCertStatus.GOOD):
    """An OCSP response for it that is good for so many days."""
    issuer, subject = (x509.load_pem_x509_certificate(open(c.file, "rb").read()) for c in (ca, certificate))
    key = serialization.load_pem_private_key(open(ca.key, "rb").read(), None)
    now = datetime.datetime.utcnow()
    revoked = status == ocsp.OCSPCertStatus.REVOKED
    response = ocsp.OCSPResponseBuilder().add_response(
        cert=subject, issuer=issuer, algorithm=hashes.SHA1(), cert_status=status, this_update=now - datetime.timedelta(days=3),
        next_update=now + datetime.timedelta(days=days), revocation_time=now if revoked else None, revocation_reason=None,
    ).responder_id(ocsp.OCSPResponderEncoding.HASH, issuer).sign(key, hashes.SHA256())
    (directory / name).write_bytes(response.public_bytes(serialization.Encoding.DER))
    return directory / name


def stapled(w, *words):
    got = s_client(w.port, "-status", *words)
    return "OCSP Response Status: successful" in got and "Cert Status: good" in got


def test_ocsp(weir, tmp_path):
    ca = Certificate(tmp_path, "ca")
    one, two, bare = (Certificate(tmp_path, "weir.test", issuer=ca, key=k, file=f) for k, f in (("ec", "one"), ("rsa", "two"), ("ec", "bare")))
    first, second = staple(tmp_path, ca, one, "first"), staple(tmp_path, ca, two, "second")
    both = [f"certificate {one.file} ocsp={first}; key {one.key};", f"certificate {two.file} ocsp={second}; key {two.key};"]
    w = weir(listener(*both))
    serials = {}
    for version in ("-tls1_2", "-tls1_3"):
        for kind, algorithm in (("one", "ecdsa_secp256r1_sha256"), ("two", "rsa_pss_rsae_sha256")):
            words = ["-status", version, "-sigalgs", algorithm] if version == "-tls1_3" else \
                ["-status", version, "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256" if kind == "one" else "ECDHE-RSA-AES128-GCM-SHA256"]
            got = s_client(w.port, *words)
            assert "Cert Status: good" in got
            serials.setdefault(kind, set()).add(re.search(r"Serial Number: (\w+)", got)[1])
    assert len(serials["one"]) == len(serials["two"]) == 1 and serials["one"] != serials["two"]
    # Without one, and with one that has run out: the handshake goes on without it.
    assert w.reload(listener(*pairs(bare)))[0] == 200
    assert "no response sent" in s_client(w.port, "-status") and not stapled(w)
    revoked = staple(tmp_path, ca, one, "revoked", status=ocsp.OCSPCertStatus.REVOKED)
    for wrong, why in ((second, "does not speak of the certificate"), (revoked, "does not call the certificate good"),
                       (one.file, "not an OCSP response"), (tmp_path / "none", "No such file")):
        status, body = w.reload(listener(f"\ncertificate {one.file} ocsp={wrong}; key {one.key};"))
        assert status == 409 and why in body["detail"] and "gateway.conf:2:" in body["detail"], body


def test_an_ocsp_response_that_ran_out(weir, tmp_path):
    ca = Certificate(tmp_path, "ca")
    c = Certificate(tmp_path, "weir.test", issuer=ca)
    old = staple(tmp_path, ca, c, "old", days=-1)
    w = weir(listener(f"certificate {c.file} ocsp={old}; key {c.key};"))
    assert "no response sent" in s_client(w.port, "-status")
    w.stderr.wait(lambda line: f"the OCSP response for {c.file} has run out" in line, "warning")


def test_the_order_of_ciphers(weir, certificate):
    ciphers = "ciphers ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-ECDSA-AES128-GCM-SHA256;"
    words = ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"]
    w = weir(listener(*pairs(certificate), ciphers))
    assert "Cipher is ECDHE-ECDSA-AES256-GCM-SHA384" in s_client(w.port, *words)
    assert w.reload(listener(*pairs(certificate), ciphers, "cipher_order client;"))[0] == 200
    assert "Cipher is ECDHE-ECDSA-AES128-GCM-SHA256" in s_client(w.port, *words)
