"""Every row of the table of reasons, as a client sees it."""
import re
import select
import signal
import time
from email.utils import parsedate_to_datetime

import pytest

from harness import eventually
from harness.message import Closed

# Proxy-Status errors as RFC 9209 2.3 names them.
ERRORS = {
    "destination_not_found", "http_request_error", "http_request_denied", "destination_unavailable", "connection_limit_reached",
    "connection_refused", "connection_terminated", "http_protocol_error", "connection_timeout", "http_response_timeout",
    "proxy_internal_error", "proxy_internal_response", "tls_protocol_error", "proxy_loop_detected", "http_response_incomplete",
}


def refused(w, r, status, reason, close=False):
    """What every answer made by weir carries."""
    assert r.status == status, r
    assert r.get("Content-Type") == "application/problem+json"
    problem = r.json
    assert set(problem) == {"type", "title", "status", "detail", "reason", "request_id"}
    assert (problem["status"], problem["reason"], problem["request_id"]) == (status, reason, r.id)
    assert all(isinstance(problem[k], str) and problem[k] for k in ("type", "title", "detail"))
    m = re.fullmatch(r"weir; error=([a-z_]+)", r.get("Proxy-Status"))
    assert m and m[1] in ERRORS, r.get("Proxy-Status")
    assert abs(parsedate_to_datetime(r.get("Date")).timestamp() - time.time()) < 100
    assert (r.get("Connection") == "close") == close
    # No version or address leaks.
    everything = (r.raw_head + r.body).decode()
    assert not r.headers.has("Server") and "0.1" not in everything.replace("127.0.0.1", "LEAK"), everything
    assert "127.0.0.1" not in everything, everything
    # The log says the same.
    line = w.logged(r)
    assert (line["status"], line["reason"]) == (status, reason)
    assert line["why"][-1]["reason"] == reason or any(d["reason"] == reason for d in line["why"]), line
    return r


def test_no_route(weir):
    w = weir("route /a { respond 200 x; }")
    refused(w, w.get("/b"), 404, "no_route")
    r = w.request("HEAD", "/b")
    assert r.status == 404 and r.body == b"" and int(r.get("Content-Length")) > 100


def test_method_not_allowed(weir):
    w = weir("route /a { methods GET POST; respond 200 x; }")
    r = refused(w, w.request("DELETE", "/a"), 405, "method_not_allowed")
    assert set(r.get("Allow").split(", ")) == {"GET", "HEAD", "POST"}
    refused(w, w.request("TRACE", "/a"), 405, "method_not_allowed")


def test_bad_request(weir):
    w = weir("route / { respond 200 x; }")
    with w.connect() as c:
        refused(w, c.send(b"GET / HTTP/1.1\r\n\r\n").response(), 400, "bad_request", close=True)
        assert c.at_end()


def test_uri_too_long(weir):
    w = weir("route / { respond 200 x; }")
    refused(w, w.get("/" + "a" * 9000), 414, "uri_too_long", close=True)


def test_headers_too_large(weir):
    w = weir("route / { respond 200 x; }")
    refused(w, w.get("/", {"X": "a" * 9000}), 431, "headers_too_large", close=True)


def test_body_too_large(weir, origin):
    w = weir("route / { max_body 1; proxy o; }\nupstream o { endpoint @O@; }", O=origin)
    refused(w, w.post("/", b"ab"), 413, "body_too_large", close=True)


def test_request_timeout(weir):
    w = weir("listener main { bind @LISTEN@; timeouts { head 100ms; } }\nroute / { respond 200 x; }")
    with w.connect() as c:
        refused(w, c.send(b"GET").response(), 408, "request_timeout", close=True)


def test_no_healthy_endpoint(weir, origin):
    origin.healthy = False
    w = weir("route / { proxy o; }\nupstream o { endpoint @O@; health_check { path /healthz; interval 100ms; } }", O=origin)
    refused(w, w.get("/"), 503, "no_healthy_endpoint")


def test_a_name_that_does_not_resolve(weir):
    w = weir("route / { proxy o; }\nroute /other { respond 200 x; }\nupstream o { endpoint nowhere.invalid:80; }", ready=False)
    refused(w, w.get("/"), 503, "no_healthy_endpoint")
    assert w.get("/other").status == 200


def test_overflow_requests(weir, origin):
    w = weir("route / { proxy o; }\nupstream o { endpoint @O@; limits requests=1; }", O=origin)
    with w.connect() as c:
        c.write("GET", "/hold")
        origin.request("/hold")
        refused(w, w.get("/"), 503, "overflow_requests")
        origin.release()
        assert c.response().status == 200
    eventually(lambda: w.get("/").status == 200, "room for a request")


def test_overflow_connections(weir, origin):
    w = weir("route / { proxy o; }\nupstream o { endpoint @O@; limits connections=1 pending=0; }", O=origin)
    with w.connect() as c:
        c.write("GET", "/hold")
        origin.request("/hold")
        refused(w, w.get("/"), 503, "overflow_connections")
        origin.release()
        assert c.response().status == 200


def test_overflow_pending(weir, origin):
    w = weir("route / { proxy o; }\nupstream o { endpoint @O@; connect_timeout 300ms; limits connections=1 pending=1; }", O=origin)
    with w.connect() as c, w.connect() as waits:
        c.write("GET", "/hold")
        origin.request("/hold")
        refused(w, waits.get("/"), 503, "overflow_pending")  # it waited in vain for connect_timeout
        origin.release()
        assert c.response().status == 200


def test_pending_past_the_count(weir, origin):
    w = weir("route / { proxy o; }\nupstream o { endpoint @O@; connect_timeout 20s; limits connections=1 pending=1; }", O=origin)
    with w.connect() as c, w.connect() as one, w.connect() as other:
        c.write("GET", "/hold")
        origin.request("/hold")
        for client in (one, other):  # there is room for one to wait, whoever comes first
            client.write("GET", "/waits")
        refused_one = one if select.select([one.sock, other.sock], [], [], 20)[0] == [one.sock] else other
        refused(w, refused_one.response(), 503, "overflow_pending")
        origin.release()
        assert c.response().status == 200
        assert (other if refused_one is one else one).response().json["target"] == "/waits"


def test_connect_failed(weir, origin):
    origin.stop()
    w = weir("route / { proxy o; }\nupstream o { endpoint @O@; }", O=origin)
    refused(w, w.get("/"), 502, "connect_failed")


def test_connect_timeout(weir, blackhole):
    w = weir("route / { proxy o; }\nupstream o { endpoint @O@; connect_timeout 200ms; }", O=blackhole)
    refused(w, w.get("/"), 504, "connect_timeout")


@pytest.mark.parametrize("path", ["/close", "/reset"])
def test_upstream_reset(weir, origin, path):
    w = weir("route / { proxy o; }\nupstream o { endpoint @O@; }", O=origin)
    refused(w, w.get(path), 502, "upstream_reset")


def test_upstream_bad_response(weir, origin):
    origin.raw("/bad", b"SSH-2.0-OpenSSH\r\n\r\n")
    w = weir("route / { proxy o; }\nupstream o { endpoint @O@; }", O=origin)
    refused(w, w.get("/bad"), 502, "upstream_bad_response")


def test_upstream_timeout(weir, origin):
    w = weir("route / { timeout 200ms; proxy o; }\nupstream o { endpoint @O@; }", O=origin)
    refused(w, w.get("/hold"), 504, "upstream_timeout")
    origin.release()


def test_body_aborted(weir, origin):
    """No last chunk, no full length: the client sees that this is not the end."""
    origin.raw("/cut", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 90000)
    w = weir("route / { proxy o; }\nupstream o { endpoint @O@; }", O=origin)
    with w.connect() as c:
        with pytest.raises((Closed, ConnectionResetError)):
            c.get("/cut")
    line = w.access(path="/cut")
    assert (line["status"], line["reason"]) == (200, "body_aborted")


def test_draining(weir, origin):
    """A connection that was open before the drain is answered once more."""
    w = weir("drain { lag 0s; timeout 10s; }\nroute / { proxy o; }\nupstream o { endpoint @O@; }", O=origin)
    with w.connect() as idle, w.connect() as busy:
        assert idle.get("/x").status == 200
        busy.write("GET", "/hold")
        origin.request("/hold")
        w.signal(signal.SIGTERM)
        w.stderr.wait(lambda line: "draining" in line, "word of draining")
        origin.release()
        r = busy.response()
        assert r.status == 200 and r.get("Connection") == "close"
    assert w.wait() == 0


def test_request_id_is_on_every_response(weir, origin):
    w = weir("route / { proxy o; }\nroute /l { respond 200 x; }\nroute /r { redirect 302 http://x/; }\nupstream o { endpoint @O@; }", O=origin)
    ids = [w.get(t).id for t in ("/", "/l", "/r", "/status/404", "/status/204")]
    assert all(ids) and len(set(ids)) == 5
    assert all(w.get(t).headers.has("Date") for t in ("/l", "/r"))


def test_what_is_counted_is_bounded(weir):
    """Unknown methods are `other`, unrouted exchanges `none`."""
    w = weir("route /a { respond 200 x; }")
    w.get("/b")
    w.get("/a")
    w.request("BREW", "/a")
    for labels in ({"route": "none", "method": "GET", "code": "404"}, {"route": "/a", "method": "GET", "code": "200"},
                   {"route": "/a", "method": "other", "code": "200"}):
        eventually(lambda: w.metric("weir_requests_total", **labels) == 1, f"a count of {labels}")
