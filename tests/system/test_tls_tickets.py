"""Sessions that clients keep and take up again: at every worker, after a reload, at another instance that has the same keys."""
import base64
import re
import secrets

import pytest

from harness import Port, eventually, s_client

VERSIONS = pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
HELLO = "GET / HTTP/1.1\r\nHost: weir.test\r\nConnection: close\r\n\r\n"


def conf(certificate, *lines):
    return f"workers 2;\nlistener main {{ bind @LISTEN@; tls {{ certificate {certificate.file}; key {certificate.key};\n" \
           + " ".join(lines) + " } }\nroute / { respond 200; }"


def begin(w, session, version):
    got = s_client(w.port, version, "-sess_out", session, "-ign_eof", send=HELLO)
    assert "HTTP/1.1 200" in got and "New, TLS" in got
    return got


def resumed(w, session, version, port=None, keep=None):
    """keep: where the ticket that comes in place of the one used goes."""
    got = s_client(port or w.port, version, "-sess_in", session, *(["-sess_out", keep] if keep else []), "-ign_eof", send=HELLO)
    assert "HTTP/1.1 200" in got
    return "Reused, TLS" in got


@VERSIONS
def test_every_worker_and_after_a_reload(weir, certificate, tmp_path, version):
    w = weir(conf(certificate))
    session = tmp_path / "session"
    assert re.search(r"lifetime hint: (\d+)", begin(w, session, version))[1] == "43200"
    assert all(resumed(w, session, version) for _ in range(8))  # the kernel deals connections out to both workers
    assert w.reload(conf(certificate) + "\n# changed")[0] == 200
    assert resumed(w, session, version)
    assert w.metric("weir_tls_handshakes_total", side="downstream", outcome="resumed") == 9
    assert w.metric("weir_tls_handshakes_total", side="downstream", outcome="full") == 1


@VERSIONS
def test_instances_by_file(weir, certificate, tmp_path, version):
    keys, session = tmp_path / "keys", tmp_path / "session"
    old, new = secrets.token_hex(80), secrets.token_hex(80)
    keys.write_text(f"# of all instances\n{old}\n")
    text = conf(certificate, f"ticket_keys {keys};")
    one, two, stranger = weir(text), weir(text), weir(conf(certificate))
    begin(one, session, version)
    assert resumed(two, session, version) and resumed(one, session, version)
    assert not resumed(stranger, session, version)
    # The next key: first everybody can open with it, then all seal with it, then the old one goes.
    for content, goes_on in ((f"{old}\n{new}\n", True), (f"{new}\n{old}\n", True), (f"{new}\n", False)):
        keys.write_text(content)
        assert one.reload()[0] == two.reload()[0] == 200
        assert resumed(two, session, version) == goes_on
    begin(one, session, version)
    assert resumed(two, session, version)


def test_each_ticket_once(weir, certificate, tmp_path):
    """RFC 8446 C.4: who takes up a session gets a new ticket."""
    w = weir(conf(certificate))
    first, second = tmp_path / "first", tmp_path / "second"
    begin(w, first, "-tls1_3")
    assert resumed(w, first, "-tls1_3", keep=second) and second.read_text() != first.read_text()
    assert resumed(w, second, "-tls1_3")


def patient(session):
    """A client that offers the session for two minutes, whatever it was told: lifetime_hint, [9] of OpenSSL's form, was one second."""
    text = session.read_text()
    body = base64.b64decode("".join(text.splitlines()[1:-1]))
    assert body.count(b"\xa9\x03\x02\x01\x01") == 1
    changed = base64.encodebytes(body.replace(b"\xa9\x03\x02\x01\x01", b"\xa9\x03\x02\x01\x78")).decode()
    session.write_text("-----BEGIN SSL SESSION PARAMETERS-----\n" + changed + "-----END SSL SESSION PARAMETERS-----\n")


def test_a_chain_of_sessions_ends(weir, certificate, tmp_path):
    """With the time after its whole handshake: neither a client that keeps the ticket nor one that has it renewed again and again goes on."""
    w = weir(conf(certificate, "session_tickets on lifetime=1s;"))
    first, last = tmp_path / "first", tmp_path / "last"
    assert re.search(r"lifetime hint: (\d+)", begin(w, first, "-tls1_3"))[1] == "1"
    patient(first)
    last.write_text(first.read_text())
    eventually(lambda: not resumed(w, last, "-tls1_3", keep=last), "the end of the chain")
    assert not resumed(w, first, "-tls1_3")
    # A shorter one holds for those that were given out before, too.
    assert w.reload(conf(certificate))[0] == 200
    begin(w, first, "-tls1_3")
    assert w.reload(conf(certificate, "session_tickets on lifetime=1s;"))[0] == 200
    eventually(lambda: not resumed(w, first, "-tls1_3"), "the end of the session")
    status, body = w.reload(conf(certificate, "session_tickets on lifetime=13h;"))
    assert status == 409 and "12h" in body["detail"]


@VERSIONS
def test_off(weir, certificate, tmp_path, version):
    w = weir(conf(certificate, "session_tickets off;"))
    begin(w, tmp_path / "session", version)
    if (tmp_path / "session").exists():  # of TLS 1.2: without a ticket
        assert not resumed(w, tmp_path / "session", version)


@VERSIONS
def test_another_listener(weir, certificate, tmp_path, version):
    """Its tickets are its own, though the keys are the same."""
    w = weir(conf(certificate))
    session = tmp_path / "session"
    begin(w, session, version)
    other = Port()
    text = conf(certificate).replace("listener main", f"listener other {{ bind {other}; tls {{ certificate {certificate.file}; key {certificate.key}; }} }}\nlistener main")
    assert w.reload(text)[0] == 200
    assert resumed(w, session, version) and not resumed(w, session, version, other)
    other.close()


def test_what_is_wrong_in_the_file(weir, certificate, tmp_path):
    w = weir(conf(certificate))
    keys = tmp_path / "keys"
    good = secrets.token_hex(80)
    for content, why in (("", "there is no key"), (good[:-1], "line 1 is no key"), (good + "\n" + good[:-1] + "x", "line 2 is no key"),
                         ((good + "\n") * 17, "more than 16")):
        keys.write_text(content)
        status, body = w.reload(conf(certificate, f"ticket_keys {keys};"))
        assert status == 409 and why in body["detail"] and "gateway.conf:3:" in body["detail"] and good[:20] not in body["detail"]
    status, body = w.reload(conf(certificate, f"session_tickets off; ticket_keys {keys};"))
    assert status == 409 and "session_tickets" in body["detail"]
