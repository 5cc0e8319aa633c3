"""What RFC 9113 and RFC 7541 ask of a server, frame by frame, on cleartext and on TLS, where the answer is there at once and where
an origin makes it: conformance/. Each case sends something and names what may come of it. conformance/suite.py tells which case
of the well-known conformance suite h2spec is which one here."""
import pytest

from conformance.checks import Client, alive
from conformance.suite import ABOUT, CASES, OWN_START
from harness import Blackhole, Certificate, Origin, Port, Weir

CONF = """
listener main { bind @LISTEN@; }
listener secure { bind @SECURE@; tls { certificate @CRT@; key @KEY@; } }
upstream o { endpoint @O@; }
upstream b { endpoint @B@; connect_timeout 20s; }
route / { respond 200 "a body of some length"; }
route /nobody { proxy b; }
route /o/ { proxy o; strip_prefix /o; }
"""


@pytest.fixture(scope="module")
def listeners(tmp_path_factory):
    certificate = Certificate(tmp_path_factory.mktemp("h2"), "weir.test")
    secure, origin, nobody = Port(), Origin(), Blackhole()
    w = Weir(CONF, O=origin, B=nobody, SECURE=secure, CRT=certificate.file, KEY=certificate.key)
    context = certificate.client()
    context.set_alpn_protocols(["h2"])
    yield {"cleartext": (w.port.address, {}), "tls": (secure.address, {"tls": context, "server_name": "weir.test"})}
    w.close()
    origin.close()
    nobody.close()
    secure.close()


@pytest.mark.parametrize("where", ["cleartext", "tls"])
@pytest.mark.parametrize("name", CASES)
def test_conformance(listeners, name, where):
    case = CASES[name]
    address, how = listeners[where]
    for path in ("/", "/o/x"):
        with Client(address, path, start=case not in OWN_START, **how) as c:
            case(c)
    with Client(listeners["cleartext"][0]) as c:
        alive(c)


def test_the_suite_is_covered():
    assert len(ABOUT) == 149
    assert not set(ABOUT.values()) - set(CASES)
