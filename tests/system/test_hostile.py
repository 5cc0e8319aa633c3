"""What hostile clients, origins and providers try beside the corpus: each of these once worked, or is worth staying
impossible."""
import threading
import time

import pytest

from harness import FakeRedis
from harness.message import ProtocolError

PROXY = """
route / { proxy o; }
upstream o { endpoint @O@; }
"""
TOKENS = """
use jwt;
route / { jwt { audience orders; key secret:@SECRET@ alg=HS256; forward sub as X-User-Id; forward none as X-Nothing; } proxy o; }
upstream o { endpoint @O@; }
"""


def with_trailers(c, target, headers, trailers):
    head = "".join(f"{n}: {v}\r\n" for n, v in headers.items())
    lines = "".join(f"{n}: {v}\r\n" for n, v in trailers)
    c.send(f"POST {target} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n{head}\r\n1\r\na\r\n0\r\n{lines}\r\n".encode())
    return c.response()


# ---- clients ----

def test_trailers_do_not_speak_in_a_claims_name(weir, origin, secret):
    """Origins that merge trailers into the head would believe them."""
    w = weir(TOKENS, O=origin, SECRET=secret.text.replace(" ", "-"))
    secret = type(secret)(secret.text.replace(" ", "-"))
    with w.connect() as c:
        r = with_trailers(c, "/x", secret.bearer(), [("X-User-Id", "root"), ("x-nothing", "root"), ("X-Sum", "1"), ("X_Sum", "2")])
        assert r.status == 200
    got = origin.request("/x")
    assert got.get("X-User-Id") == "alice" and not got.headers.has("X-Nothing")
    assert got.trailers == [("X-Sum", "1")]


def test_no_spelling_speaks_in_a_claims_name(weir, origin, secret):
    """`underscores allow` lets names through that many origins take for the one that a policy sets or removes."""
    w = weir("underscores allow;\n" + TOKENS, O=origin, SECRET=secret.text.replace(" ", "-"))
    secret = type(secret)(secret.text.replace(" ", "-"))
    posing = ["X_User_Id", "x-user_id", "X_USER-ID", "X_Nothing"]
    with w.connect() as c:
        r = with_trailers(c, "/x", {**secret.bearer(), **{name: "root" for name in posing}, "X_Other": "1"},
                          [*((name, "root") for name in posing), ("X_Sum", "1")])
        assert r.status == 200
    got = origin.request("/x")
    assert got.get("X-User-Id") == "alice" and got.get("X_Other") == "1" and not any(got.headers.has(n) for n in posing if n != "X-User-Id")
    assert got.trailers == [("X_Sum", "1")]


def test_what_connection_names_is_of_one_hop_in_trailers_too(weir, origin):
    """RFC 9110 7.6.1, on both ways; what is not named goes on."""
    origin.raw("/r", b"HTTP/1.1 200 OK\r\nConnection: X-Hop, keep-alive, x-second\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
               b"X-Sum: 1\r\nx-hop: 2\r\nX-HOP: 3\r\nX-Second: 4\r\nkeep-Alive-Not: 5\r\n\r\n", close=False)
    w = weir(PROXY, O=origin)
    with w.connect() as c:
        r = with_trailers(c, "/x", {"Connection": "close, X-Hop ,, x-second"}, [("X-Sum", "1"), ("x-hop", "2"), ("X-HOP", "3"), ("X-Second", "4")])
        assert r.status == 200
    assert origin.request("/x").trailers == [("X-Sum", "1")]
    r = w.get("/r")
    assert r.body == b"ok" and r.trailers == [("X-Sum", "1"), ("keep-Alive-Not", "5")]


# ---- origins ----

ANSWERS = [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nwhole",
           b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nwh\r\n3\r\nole\r\n0\r\nX-T: 1\r\n\r\n",
           b"HTTP/1.1 103 Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole"]


@pytest.mark.parametrize("answer", ANSWERS, ids=["length", "chunked", "interim"])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_an_answer_that_ends_anywhere_is_never_whole(weir, origin, answer, version):
    sent = []

    def script(conn, _):
        conn.send(answer[:len(sent)])
        if len(sent) % 2:
            conn.reset()
        return False
    origin.on("/x", script)
    w = weir(PROXY, O=origin)
    while len(sent) <= len(answer):
        with w.connect() as c:
            c.write("GET", "/x", version=version)
            try:
                r = c.response()
            except (ProtocolError, OSError):
                r = None
        if r is None or r.status != 200:
            assert len(sent) < len(answer) or len(sent) % 2
        else:
            assert r.body == b"whole" and len(sent) == len(answer)
        sent.append(1)


# ---- stores ----

REPLIES = [b"\0\1\2\3", b"HTTP/1.1 200 OK\r\n\r\n", b"+OK\r\n", b"-ERR \x1b[31m\r\n", b":5\r\n", b"$-1\r\n", b"*-1\r\n", b"*0\r\n", b"$-5\r\n",
           b"*2147483647\r\n", b"*99999999999999999999\r\n", b"*1\r\n" * 2000, b"*4\r\n:1\r\n:-5\r\n:-9223372036854775808\r\n:9223372036854775807\r\n",
           b"*4\r\n:1\r\n:99999999999999999999\r\n:0\r\n:0\r\n", b"*4\r\n:2\r\n:0\r\n:0\r\n:0\r\n", b"+" + b"x" * 200000, b"-MOVED 99999 x:99999\r\n"]


@pytest.mark.parametrize("reply", REPLIES, ids=lambda r: repr(r[:24]))
def test_a_store_that_is_none(weir, reply):
    """Whatever it says instead of an answer, the operator's choice for a store that is away holds."""
    fake = FakeRedis(lambda piece: b"+PONG\r\n" if b"PING" in piece else reply)
    try:
        w = weir("""
use rate_limit;
store main { url redis://127.0.0.1:@P@; timeout 200ms; }
route / { respond 200 ok; rate_limit { rate 100/s; store main; on_store_error deny; } }
""", P=fake.port)
        for _ in range(4):
            r = w.get("/")
            assert (r.status, r.reason) == (503, "store_unavailable")
    finally:
        fake.close()


# ---- policies ----

def test_a_canary_cookie_cannot_be_made(weir, make_origin):
    a, b = make_origin("a"), make_origin("b")
    w = weir("""
use canary;
route / { canary { variant a 100%; variant b 0%; sticky cookie v; } }
upstream a { endpoint @A@; }
upstream b { endpoint @B@; }
""", A=a, B=b)
    value = w.get("/").get("Set-Cookie").split(";")[0].split("=", 1)[1]
    name, expires, nonce, mac = value.split("~")
    for forged in ("b", value.replace("a", "b", 1), f"b~{expires}~{nonce}~{mac}", f"b~~~{mac}", "b~0~0~" + "A" * 22, "~" * 50, ""):
        r = w.get("/", {"Cookie": "v=" + forged})
        assert r.get("X-Origin") == "a" and r.headers.has("Set-Cookie"), forged
    assert not w.get("/", {"Cookie": "v=" + value}).headers.has("Set-Cookie")


@pytest.mark.workers
def test_workers_together_let_no_more_pass_than_the_rate(weir):
    w = weir("workers 4;\nuse rate_limit;\nroute / { respond 200 ok; rate_limit { rate 20/s burst=30; } }")
    passed, began = [], time.monotonic()

    def hammer():
        with w.connect() as c:
            while time.monotonic() < began + 2:
                if c.get("/").status == 200:
                    passed.append(1)
    threads = [threading.Thread(target=hammer) for _ in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert 30 < len(passed) <= 30 + 20 * (time.monotonic() - began)
