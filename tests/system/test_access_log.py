"""The access log."""
import json
import os
import re
import signal

from harness import eventually

KEYS = ("time request_id client method scheme host path query protocol status bytes_in bytes_out duration_ms upstream endpoint attempts "
        "upstream_ms route reason why").split()
CONF = """route /o { proxy o; }
route /l { respond 200 hello; }
upstream o { endpoint @O@; }
"""


def test_a_proxied_request(weir, origin):
    w = weir(CONF, O=origin)
    r = w.post("/o/x?a=b", b"12345")
    line = w.logged(r)
    assert list(line) == KEYS
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert {k: line[k] for k in ("client", "method", "scheme", "host", "path", "query", "protocol", "status", "upstream", "endpoint",
                                 "attempts", "route", "reason")} == \
        {"client": "127.0.0.1", "method": "POST", "scheme": "http", "host": "weir.test", "path": "/o/x", "query": "a=b",
         "protocol": "HTTP/1.1", "status": 200, "upstream": "o", "endpoint": str(origin), "attempts": 1, "route": "/o", "reason": None}
    assert line["bytes_in"] >= 5 and line["bytes_out"] >= len(r.body)
    assert 0 < line["upstream_ms"] <= line["duration_ms"] < 20000
    for d in line["why"]:
        assert list(d) == ["step", "subject", "verdict", "reason", "at"]
    assert [(d["step"], d["subject"], d["verdict"], d["at"]) for d in line["why"]] == \
        [("route", "/o", "pass", "gateway.conf:1"), ("endpoint", "o", "pass", "gateway.conf:3"), ("attempt", "o", "pass", "gateway.conf:3")]


def test_a_local_answer(weir, origin):
    w = weir(CONF, O=origin)
    line = w.logged(w.get("/l"))
    assert (line["upstream"], line["endpoint"], line["attempts"], line["upstream_ms"]) == (None, None, 0, None)
    assert line["why"][-1]["step"] == "reply" and line["why"][-1]["at"] == "gateway.conf:2"


def test_control_bytes_are_escaped(weir, origin):
    w = weir(CONF, O=origin)
    with w.connect() as c:
        c.send(b'GET /o/%00%0a"\\?x=\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n')
        r = c.response()
    line = w.logged(r)  # each line of the log is JSON, or the harness would have failed
    assert "\n" not in json.dumps(line)


def test_a_file_is_opened_anew_by_sigusr1(weir, origin):
    w = weir("access_log @DIR@/log format=json;\n" + CONF, O=origin)
    path = os.path.join(w.dir, "log")

    def lines(name):
        if not os.path.exists(name):
            return []
        with open(name) as f:
            return [json.loads(line)["path"] for line in f]
    w.get("/l/1")
    eventually(lambda: lines(path) == ["/l/1"], "a line")
    os.rename(path, path + ".1")
    w.signal(signal.SIGUSR1)
    eventually(lambda: os.path.exists(path), "a new file")
    w.get("/l/2")
    eventually(lambda: lines(path) == ["/l/2"], "a line in the new file")
    assert lines(path + ".1") == ["/l/1"]


def test_off(weir, origin):
    w = weir("access_log off;\n" + CONF, O=origin)
    w.get("/l")
    w.stop()
    assert w.log.all == []


def test_every_request_is_logged_once_and_none_is_lost_at_the_end(weir, origin):
    w = weir(CONF, O=origin)
    with w.connect() as c:
        for i in range(500):
            c.write("GET", f"/l/{i}")
        for i in range(500):
            assert c.response().status == 200
    w.stop()
    assert [line["path"] for line in w.log.all] == [f"/l/{i}" for i in range(500)]
    assert len({line["request_id"] for line in w.log.all}) == 500


def test_values_from_the_environment_do_not_show(weir, origin):
    """Secrets are not in the log, nor in the views and dumps."""
    w = weir("""
use jwt;
route /j { jwt { audience any; key secret:${env.KEY} alg=HS256; } proxy o; }
""" + CONF, O=origin, env={"KEY": "very-secret-value-of-the-environment"})
    w.get("/j")
    w.access(path="/j")
    shown = w.log.text + w.stderr.text + json.dumps([w.view(v) for v in ("config", "routes", "upstreams", "stores", "modules", "status")])
    assert "very-secret" not in shown
    assert "***" in w.view("config")["text"]


def test_a_reader_that_is_behind_gets_the_last_lines(weir, origin):
    """More than a pipe holds; the reader comes back when the daemon is already ending."""
    w = weir(CONF, O=origin, read_log=False)
    for i in range(4):
        with w.connect() as c:
            c.send(b"GET /l HTTP/1.1\r\nHost: a\r\n\r\n" * 100)
            assert [c.response().status for _ in range(100)] == [200] * 100
    eventually(lambda: w.metric("weir_requests_total") == 400, "the end of all requests")
    w.signal(signal.SIGTERM)
    w.stderr.wait(lambda line: "draining" in line, "word of draining")
    w.read_log()
    assert w.wait() == 0
    assert w.log.count() == 400
