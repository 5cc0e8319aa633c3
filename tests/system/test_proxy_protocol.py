"""Connections that begin with a PROXY header: the client has the announced address, for everybody who asks."""
import socket
import struct
import subprocess

import pytest

from harness import Conn, run_weir, eventually

CONF = """
listener main { bind @LISTEN@; proxy_protocol on; proxy_trusted 127.0.0.0/8; timeouts { head 30s; } }
upstream o { endpoint @O@; }
route / { proxy o; }
route /here { respond 200 "${client.ip} ${client.port}\\n"; }
"""
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
REQUEST = b"GET /here HTTP/1.1\r\nHost: a\r\n\r\n"


def v2(command=0x21, family=0x11, rest=b"", source="192.0.2.7", port=56324, length=None):
    if family == 0x11:
        rest = socket.inet_aton(source) + socket.inet_aton("198.51.100.1") + struct.pack(">HH", port, 443) + rest
    if family == 0x21:
        rest = socket.inet_pton(socket.AF_INET6, source) + bytes(16) + struct.pack(">HH", port, 443) + rest
    return SIGNATURE + bytes((command, family)) + struct.pack(">H", len(rest) if length is None else length) + rest


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def sealed(rest=b""):
    data = v2(rest=rest + b"\x03\0\x04" + bytes(4))
    return data[:-4] + struct.pack(">I", crc32c(data))


HEADERS = {
    "v1 TCP4": (b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n", "192.0.2.7 56324\n"),
    "v1 TCP6": (b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n", "2001:db8::7 56324\n"),
    "v1 UNKNOWN": (b"PROXY UNKNOWN\r\n", None),
    "v1 UNKNOWN with a tail": (b"PROXY UNKNOWN ffff::1 ffff::1 65535 65535\r\n", None),
    "v2 IPv4": (v2(), "192.0.2.7 56324\n"),
    "v2 IPv6": (v2(family=0x21, source="2001:db8::7"), "2001:db8::7 56324\n"),
    "v2 with TLVs": (v2(rest=b"\x02\0\x04host\xe0\x01\0" + bytes(256)), "192.0.2.7 56324\n"),
    "v2 with a checksum": (sealed(b"\x01\0\x02h2"), "192.0.2.7 56324\n"),
    "v2 LOCAL": (v2(command=0x20, family=0), None),
    "v2 LOCAL with an address": (v2(command=0x20), None),
    "v2 unspecified": (v2(family=0), None),
    "v2 unix": (v2(family=0x31, rest=bytes(216)), "unix \n"),
}

REFUSED = {
    "no header": REQUEST,
    "v1 without CR": b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\n",
    "v1 of another family": b"PROXY TCP6 192.0.2.7 198.51.100.1 56324 443\r\n",
    "v1 with a port too high": b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n",
    "v1 without an end": b"PROXY UNKNOWN " + b"x" * 200,
    "v1 with another header's start": b"PROXY TCP4 192.0.2.7\r\nPROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n",
    "v2 of version 1": v2(command=0x11),
    "v2 with an unknown command": v2(command=0x2f),
    "v2 of datagrams": v2(family=0x12, rest=bytes(12)),
    "v2 too short for its addresses": SIGNATURE + b"\x21\x11\0\x04" + bytes(4),
    "v2 with a TLV past its end": v2(rest=b"\x02\x10\0x"),
    "v2 with a wrong checksum": sealed(b"\x02\0\x01a")[:-1] + b"!",
    "v2 too long": v2(rest=bytes(4096)),
}


@pytest.fixture
def w(weir, origin):
    return weir(CONF, O=origin)


def expected(announced, c):
    return announced or "127.0.0.1 %d\n" % c.sock.getsockname()[1]


@pytest.mark.parametrize("name", HEADERS)
def test_the_announced_address_is_the_clients(w, name):
    header, announced = HEADERS[name]
    with w.connect() as c:
        c.send(header + REQUEST + REQUEST)
        assert [c.response().text for _ in range(2)] == [expected(announced, c)] * 2
        assert w.access(path="/here")["client"] == expected(announced, c).split()[0]


@pytest.mark.parametrize("name", ["v1 TCP6", "v1 UNKNOWN", "v2 with a checksum", "v2 LOCAL with an address"])
def test_byte_by_byte(w, name):
    header, announced = HEADERS[name]
    with w.connect() as c:
        for byte in header + REQUEST:
            c.send(bytes((byte,)))
        assert c.response().text == expected(announced, c)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(w, origin, name):
    with w.connect() as c:
        c.send(REFUSED[name] + (b"" if name == "no header" else REQUEST))
        assert c.at_end()
    w.stderr.wait(lambda line: "PROXY header refused" in line, "the refusal in the log")
    assert w.metric("weir_exchanges_total") == 0
    # Others are served.
    with w.connect() as c:
        assert c.send(HEADERS["v1 TCP4"][0] + REQUEST).response().status == 200


def test_a_second_header_is_no_request(w):
    with w.connect() as c:
        r = c.send(HEADERS["v1 TCP4"][0] * 2 + REQUEST).response()
        assert (r.status, r.reason) == (400, "bad_request")


@pytest.mark.parametrize("sent", [b"", b"PROXY TCP4", SIGNATURE[:5], v2()[:-1]])
def test_a_client_that_leaves_before_its_end(w, sent):
    with w.connect() as c:
        c.send(sent)
        c.half_close()
        assert c.at_end()
    with w.connect() as c:
        assert c.send(v2() + REQUEST).response().status == 200
    if sent:
        w.stderr.wait(lambda line: "ended within it" in line, "the reason in the log")
    else:
        assert "PROXY" not in w.stderr.text


@pytest.mark.parametrize("sent", [b"", b"PROXY TCP4", v2()[:-1]])
def test_it_has_the_time_of_a_head(weir, origin, sent):
    w = weir(CONF.replace("head 30s", "head 50ms"), O=origin)
    with w.connect() as c:
        c.send(sent)
        assert c.at_end()
    w.stderr.wait(lambda line: "did not come in time" in line, "the reason in the log")


def test_what_the_origin_sees(w, origin):
    with w.connect() as c:
        c.send(HEADERS["v1 TCP4"][0]).get("/x", {"X-Forwarded-For": "203.0.113.9"})
    sent = origin.request("/x")
    assert sent.get("X-Forwarded-For") == "192.0.2.7"
    assert "for=192.0.2.7" in sent.get("Forwarded")


def test_trusted_proxies_apply_to_the_announced_address(weir, origin):
    w = weir(CONF + "trusted_proxies 192.0.2.0/24;", O=origin)
    for source, seen in [("192.0.2.7", "203.0.113.9, 192.0.2.7"), ("198.18.0.1", "198.18.0.1")]:
        with w.connect() as c:
            c.send(v2(source=source)).get("/x", {"X-Forwarded-For": "203.0.113.9"})
        assert origin.request("/x").get("X-Forwarded-For") == seen
        origin.forget()


def test_only_who_is_trusted_may_send_one(weir, origin):
    w = weir(CONF.replace("127.0.0.0/8", "10.0.0.0/8 127.0.0.2"), O=origin)
    with w.connect() as c:
        assert c.at_end()
    w.stderr.wait(lambda line: "may not send a PROXY header" in line and "127.0.0.1" in line, "the refusal in the log")
    s = socket.create_connection(w.port.address, source_address=("127.0.0.2", 0), timeout=20)
    s.sendall(v2() + REQUEST)
    assert s.recv(100).startswith(b"HTTP/1.1 200 ")
    s.close()


def test_trusted_proxies_are_the_default(weir, origin):
    w = weir(CONF.replace("proxy_trusted 127.0.0.0/8;", "") + "trusted_proxies 127.0.0.1;", O=origin)
    with w.connect() as c:
        assert c.send(v2() + REQUEST).response().text == "192.0.2.7 56324\n"


def test_a_unix_listener_needs_no_list(weir, origin):
    w = weir(CONF.replace("bind @LISTEN@; proxy_protocol on; proxy_trusted 127.0.0.0/8;", "bind unix:@DIR@/l.sock; proxy_protocol on;"),
             O=origin)
    with Conn(w.dir + "/l.sock") as c:
        assert c.send(v2() + REQUEST).response().text == "192.0.2.7 56324\n"


def test_before_tls(weir, origin, certificate):
    w = weir(CONF.replace("proxy_protocol on;", "proxy_protocol on; tls { certificate @CRT@; key @KEY@; }"), O=origin,
             CRT=certificate.file, KEY=certificate.key)
    for header in (HEADERS["v1 TCP4"][0], sealed()):
        with socket.create_connection(w.port.address, timeout=20) as s:
            s.sendall(header)
            with certificate.client().wrap_socket(s, server_hostname="weir.test") as t:
                t.sendall(REQUEST)
                assert b"192.0.2.7 56324" in t.recv(4096)


def test_with_curl(w):
    url = f"http://127.0.0.1:{w.port.number}/here"
    done = subprocess.run(["curl", "-sS", "--max-time", "20", "--haproxy-protocol", url], capture_output=True, text=True)
    assert done.stdout.startswith("127.0.0.1 "), done.stderr
    done = subprocess.run(["curl", "-sS", "--max-time", "20", "--haproxy-clientip", "192.0.2.44", url], capture_output=True, text=True)
    if "unknown" not in done.stderr:  # an old curl
        assert done.stdout.startswith("192.0.2.44 "), done.stderr


def test_waiting_connections_count(weir, origin):
    w = weir(CONF.replace("proxy_protocol", "limits { connections 2; } proxy_protocol"), O=origin)
    waiting = [w.connect() for _ in range(2)]
    eventually(lambda: w.admin("GET", "/api/v1/status")[1]["connections"]["downstream"] == 2, "two connections")
    with w.connect() as c:
        assert c.at_end()
    assert waiting[0].send(v2() + REQUEST).response().status == 200
    for c in waiting:
        c.close()


def test_a_drain_lets_them_finish(w):
    with w.connect() as c:
        c.send(v2()[:20])
        eventually(lambda: w.admin("GET", "/api/v1/status")[1]["connections"]["downstream"] == 1, "the connection")
        w.admin("POST", "/api/v1/drain")
        r = c.send(v2()[20:] + REQUEST).response()
        assert (r.status, r.get("Connection")) == (200, "close")
        assert c.at_end()
    assert w.wait() == 0


def test_reloads(w, origin):
    """It can be turned off and on; who waits goes on as it began."""
    with w.connect() as c:
        c.send(v2()[:20])
        w.reload(CONF.replace("proxy_protocol on; proxy_trusted 127.0.0.0/8;", ""))
        with w.connect() as plain:
            assert plain.send(REQUEST).response().text.startswith("127.0.0.1 ")
        assert c.send(v2()[20:] + REQUEST).response().text == "192.0.2.7 56324\n"
    w.reload(CONF)
    with w.connect() as c:
        assert c.send(v2() + REQUEST).response().text == "192.0.2.7 56324\n"


@pytest.mark.parametrize("lines, error", [
    ("proxy_protocol on;", "who may send a PROXY header?"),
    ("proxy_trusted 10.0.0.0/8;", "`proxy_protocol` is off here"),
    ("proxy_protocol off; proxy_trusted 10.0.0.0/8;", "`proxy_protocol` is off here"),
    ("proxy_protocol on; proxy_trusted 10.0.0.0/99;", "proxy_trusted"),
    ("proxy_protocol yes;", "neither `on` nor `off`"),
])
def test_check(tmp_path, lines, error):
    (tmp_path / "g.conf").write_text("admin { bind unix:/a; }\nlistener l { bind 127.0.0.1:1; %s }\nroute / { respond 200; }\n" % lines)
    done = run_weir("check", "-c", "g.conf", cwd=tmp_path)
    assert done.returncode == 1 and error in done.stderr, done.stderr
