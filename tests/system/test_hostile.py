"""What hostile clients, origins and providers try: each of these once worked, or is worth staying impossible."""
import pytest

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
