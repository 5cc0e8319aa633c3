"""DESIGN 9: what the origin is sent, and what passes back."""
import re

PROXY = """
route / { proxy o; }
upstream o { endpoint @O@; }
"""


def test_request_arrives(weir, origin):
    w = weir(PROXY, O=origin)
    r = w.get("/a/b?c=d", {"X-Mine": "1"})
    assert r.status == 200
    got = origin.request("/a/b")
    assert got.method == "GET" and got.target == "/a/b?c=d" and got.version == "HTTP/1.1"
    assert got.get("X-Mine") == "1"
    assert got.get("Host") == "weir.test"
