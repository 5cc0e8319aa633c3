"""Connections to origins that begin with a PROXY header."""
import pytest

from harness import Conn

VERSIONS = pytest.mark.parametrize("version", ["v1", "v2"])


def nginx_conf(more="", extra=""):
    return f"listen @LISTEN@ proxy_protocol reuseport{more}; {extra} location / {{ return 200 " \
           "'$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port $connection'; }"


@VERSIONS
def test_each_client_by_its_address(weir, nginx, version):
    n = nginx(nginx_conf())
    w = weir("workers 1;\ntrusted_proxies 127.0.0.2;\nroute / { proxy o; }\nupstream o { endpoint @P@; connect_timeout 20s; proxy_protocol @V@; }", P=n, V=version)
    with w.connect() as c, w.connect() as d:
        seen = []
        for conn in (c, d, c):
            address, port, server, server_port, connection = conn.get("/").text.split()
            assert (address, int(port)) == conn.sock.getsockname()
            assert (server, int(server_port)) == w.port.address
            seen.append(connection)
        assert len(set(seen)) == 3  # no connection serves a second request, whoever's
    # Behind a proxy of ours: its client.
    with Conn(w.port.address, source="127.0.0.2") as c:
        assert c.get("/", {"X-Forwarded-For": "192.0.2.9"}).text.split()[0] == "192.0.2.9"
        assert c.get("/", {"X-Forwarded-For": "2001:db8::9"}).text.split()[0] == "2001:db8::9"
    assert w.metric("weir_connections", side="upstream", state="idle") == 0
    assert w.get("/", {"X-Forwarded-For": "192.0.2.9"}).text.split()[0] == "127.0.0.1"


@VERSIONS
def test_before_tls(weir, haproxy, certificate, tmp_path, version):
    pem = tmp_path / "both.pem"
    pem.write_text(open(certificate.file).read() + open(certificate.key).read())
    h = haproxy(f"""
frontend f
    bind @LISTEN@ accept-proxy ssl crt {pem}
    http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[ssl_fc]"
""")
    w = weir("""route / { proxy o; }
upstream o { endpoint @P@; connect_timeout 20s; proxy_protocol @V@; tls { ca @CA@; server_name weir.test; } health_check { path /; interval 100ms; } }""",
             P=h, V=version, CA=certificate.file)
    with w.connect() as c:
        for _ in range(3):
            assert c.get("/").text == "{} {} 1".format(*c.sock.getsockname())
    assert w.endpoint("o", h)["healthy"] is True


@VERSIONS
def test_probes_speak_for_themselves(weir, make_origin, version):
    """Another weir is the origin: it logs whose requests they are."""
    front = weir("listener main { bind @LISTEN@; proxy_protocol on; proxy_trusted 127.0.0.1; }\nroute / { respond 200 ${client.port}; }")
    w = weir("route / { proxy o; }\nupstream o { endpoint @P@; connect_timeout 20s; proxy_protocol @V@; health_check { path /probe; interval 100ms; } }",
             P=front.port, V=version)
    assert w.endpoint("o", front.port)["healthy"] is True
    front.access(path="/probe", client="127.0.0.1")
    with w.connect() as c:
        assert c.get("/").text == str(c.sock.getsockname()[1])
    # Weir without the header is not served there.
    assert w.reload("route / { proxy o; }\nupstream o { endpoint @P@; }")[0] == 200
    assert w.get("/").status == 502


def test_a_version_that_is_none(check):
    done = check("route / { proxy o; }\nupstream o { endpoint 127.0.0.1:1; proxy_protocol on; }")
    assert done.returncode == 1 and "v1" in done.stderr
