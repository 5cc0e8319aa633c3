"""Sessions that clients keep and take up again: at every worker, after a reload, at another instance that has the same keys."""
import re
import secrets

import pytest

from harness import Port, s_client

VERSIONS = pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
HELLO = "GET / HTTP/1.1\r\nHost: weir.test\r\nConnection: close\r\n\r\n"


def conf(certificate, *lines):
    return f"workers 2;\nlistener main {{ bind @LISTEN@; tls {{ certificate {certificate.file}; key {certificate.key};\n" \
           + " ".join(lines) + " } }\nroute / { respond 200; }"


def begin(w, session, version):
    got = s_client(w.port, version, "-sess_out", session, "-ign_eof", send=HELLO)
    assert "HTTP/1.1 200" in got and "New, TLS" in got
    return got


def resumed(w, session, version, port=None):
    got = s_client(port or w.port, version, "-sess_in", session, "-ign_eof", send=HELLO)
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
