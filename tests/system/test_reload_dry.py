"""`weir reload --dry` says what a reload would change, and changes nothing."""
import json
import socket
import threading

import pytest

from harness import run_weir
from harness.daemon import WORKERS

BEFORE = """use rate_limit circuit_breaker canary;
upstream o { endpoint 127.0.0.1:1; endpoint 127.0.0.1:2; circuit_breaker { } }
upstream gone { endpoint 127.0.0.1:3; circuit_breaker { } }
host a.example { route /old { proxy gone; } route /x { rate_limit { rate 5/s; } proxy o; timeout 5s; } }
route ~ ^/a { respond 200 a; }
route ~ ^/b { respond 200 b; }
route / { proxy o; max_body 1m; }
"""
AFTER = """use rate_limit circuit_breaker canary;
workers 3;
upstream o { endpoint 127.0.0.1:1 weight=3; endpoint 127.0.0.1:9; balance random; circuit_breaker { min_requests 7; } }
host a.example b.example { route /x { rate_limit { rate 9/s; mode shadow; } proxy o; } }
route ~ ^/b { respond 200 b; }
route ~ ^/a { respond 200 a; }
route / { proxy o; max_body 1024k; }
"""
PLAN = """\
compared with generation 1: 1 added, 4 removed, 7 changed, 1 moved
routes
  ~ host a.example  (gateway.conf:4)
      host a.example -> host a.example b.example
  - host a.example > route /x > timeout  (gateway.conf:4)
      timeout 5s;
  - host a.example > route /old  (gateway.conf:4)
      route /old { proxy gone; }
  ~ route ~ ^/b: another place in the order  (gateway.conf:6 -> gateway.conf:5)
upstreams
  ~ upstream o > endpoint 127.0.0.1:1  (gateway.conf:2 -> gateway.conf:3)
      endpoint 127.0.0.1:1 -> endpoint 127.0.0.1:1 weight=3
  + upstream o > endpoint 127.0.0.1:9  (gateway.conf:3)
      endpoint 127.0.0.1:9;
  ~ upstream o > balance  (default -> gateway.conf:3)
      balance round_robin -> balance random
  - upstream o > endpoint 127.0.0.1:2  (gateway.conf:2)
      endpoint 127.0.0.1:2;
  - upstream gone  (gateway.conf:3)
      upstream gone { endpoint 127.0.0.1:3; circuit_breaker { } }
policies
  ~ upstream o > circuit_breaker > min_requests  (default -> gateway.conf:3)
      min_requests 20 -> min_requests 7
  ~ host a.example > route /x > rate_limit > rate  (gateway.conf:4)
      rate 5/s -> rate 9/s
  ~ host a.example > route /x > rate_limit > mode  (default -> gateway.conf:4)
      mode enforce -> mode shadow
settings
  ~ workers  (gateway.conf:1 -> gateway.conf:2)
      workers 2 -> workers 3
run-time state
  kept: listener main @LISTEN@
  kept: endpoint o 127.0.0.1:1
  kept: circuit_breaker o
  kept: rate_limit a.example/x
  kept: metrics a.example/x, ~ ^/a, ~ ^/b, /
  lost: endpoint o 127.0.0.1:2, gone 127.0.0.1:3
  lost: circuit_breaker gone
  lost: metrics a.example/old
"""
WORKERS_NOTE = "note: `workers` is 3 now; the 2 threads that run stay until a restart\n"


def dry(w, *words):
    return run_weir("reload", "--dry", "--admin", "unix:" + w.admin_path, *words)


def nothing_happened(w, generation=1):
    status = w.view("status")
    assert (status["generation"], status["reload"]["at"]) == (generation, None)
    assert [g["id"] for g in w.view("generations")] == [generation]
    assert w.metric("weir_config_generation") == generation and w.metric("weir_config_last_reload_success") == 1


@pytest.mark.skipif(WORKERS is not None, reason="the number of workers is given from outside")
def test_the_whole_difference(weir):
    w = weir(BEFORE.replace("canary;", "canary; workers 2;", 1), own=["workers"])
    w.write(AFTER)
    done = dry(w)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == PLAN.replace("@LISTEN@", str(w.port)) + WORKERS_NOTE
    nothing_happened(w)
    assert w.get("/b").text == "b"

    assert w.reload()[0] == 200
    done = dry(w)
    assert done.returncode == 0 and done.stdout.startswith("no difference to generation 2\nrun-time state\n  kept: ")
    assert "lost" not in done.stdout


def test_for_programs(weir):
    w = weir("upstream o { endpoint 127.0.0.1:1; }\nroute / { proxy o; }")
    w.write("upstream o { endpoint 127.0.0.1:1; }\nroute / { proxy o; }\nroute /new { respond 204; }\nroute /new { respond 204; }")
    done = dry(w, "--json")
    status, plan = w.admin("POST", "/api/v1/reload?dry=on")
    assert (done.returncode, status) == (0, 200) and json.loads(done.stdout) == plan
    assert (plan["ok"], plan["generation"], plan["added"], plan["removed"], plan["changed"], plan["moved"]) == (True, 1, 2, 0, 0, 0)
    assert plan["changes"][0] == {"change": "added", "kind": "route", "path": "route /new", "was": None, "was_at": None,
                                  "now": "route /new { respond 204; }", "now_at": "gateway.conf:3", "secret": False}
    assert plan["state"] == {"kept": [{"kind": "listener", "of": "main", "name": str(w.port)}, {"kind": "endpoint", "of": "o", "name": "127.0.0.1:1"},
                                      {"kind": "metrics", "of": "/", "name": None}], "lost": []}
    assert "gateway.conf:4:" in plan["warnings"] and plan["notes"] == []
    nothing_happened(w)
    assert w.admin("POST", "/api/v1/reload?dry=perhaps")[0] == 400
    assert w.admin("GET", "/api/v1/reload?dry=on")[0] == 405
    nothing_happened(w)
    assert w.admin("POST", "/api/v1/reload?dry=off")[0] == 200
    assert w.view("status")["generation"] == 2


def test_a_file_that_is_not_good(weir):
    w = weir("route / { respond 200 first; }")
    w.write("route / { respond 200 second; }\nroutte /x { respond 200 x; }\nroute /y { respond 999 y; }")
    done = dry(w)
    assert (done.returncode, done.stdout) == (1, "")
    # Every error of it, as `weir check` has them.
    assert "gateway.conf:2:1: error: " in done.stderr and "gateway.conf:3:" in done.stderr and "did you mean" in done.stderr
    status, body = w.admin("POST", "/api/v1/reload?dry=on")
    assert status == 409 and body["reason"] == "bad_configuration"
    w.write('route / { respond 503 down; }\ntest "the front page" { request GET http://a/; expect status 200; }')
    done = dry(w)
    assert done.returncode == 1 and "the front page" in done.stderr
    nothing_happened(w)
    assert w.get("/").text == "first"
    assert w.stderr.count(lambda line: "reload failed" in line) == 0


def test_an_address_that_is_taken(weir):
    w = weir("route / { respond 200; }\nlistener main { bind @LISTEN@; }")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        w.write(f"route / {{ respond 200; }}\nlistener main {{ bind @LISTEN@; bind 127.0.0.1:{port}; }}")
        done = dry(w)
        assert done.returncode == 1 and "gateway.conf:2:" in done.stderr and str(port) in done.stderr
    done = dry(w)
    assert done.returncode == 0 and f"+ listener main > bind 127.0.0.1:{port}" in done.stdout
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_no_secret_is_shown(weir, tmp_path):
    key = tmp_path / "key"
    conf = """use jwt;
route / { jwt { issuer i; audience any; key secret:${env.WEIR_TEST_KEY} alg=HS256; key secret:@INLINE@ alg=HS384; } respond 200 "${file:@FILE@}"; }
"""
    key.write_text("hush-one\n")
    w = weir(conf, env={"WEIR_TEST_KEY": "hush-environment-0123456789abcdef"}, INLINE="hush-inline-one-0123456789abcdef0123456789abcdef", FILE=key)
    key.write_text("hush-two\n")
    w.write(conf, INLINE="hush-inline-two-0123456789abcdef0123456789abcdef")
    for words in [], ["--json"]:
        done = dry(w, *words)
        assert done.returncode == 0 and "hush" not in done.stdout + done.stderr
    assert "      another secret: respond 200 \"***\"\n" in dry(w).stdout
    changes = w.admin("POST", "/api/v1/reload?dry=on")[1]["changes"]
    assert [c["secret"] for c in changes if "respond" in c["path"]] == [True]
    assert any("secret:***" in (c["now"] or "") for c in changes)


@pytest.mark.workers
def test_dry_ones_and_real_ones_together(weir):
    w = weir("route / { respond 200 one; }")
    w.write("route / { respond 200 two; }")
    answers = []

    def ask(path):
        answers.append((path, *w.admin("POST", path)))
    threads = [threading.Thread(target=ask, args=("/api/v1/reload" + ("?dry=on" if i % 2 else ""),)) for i in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(20)
    assert len(answers) == 20
    for path, status, body in answers:
        assert status == 200 and ("changes" in body) == path.endswith("dry=on") and ("message" in body) != path.endswith("dry=on")
    assert w.get("/").text == "two"
    assert w.admin("POST", "/api/v1/reload?dry=on")[1]["changes"] == []


def test_while_draining_and_without_a_daemon(weir, origin):
    w = weir("route / { proxy o; }\nupstream o { endpoint @O@; }", O=origin)
    with w.connect() as c:
        c.write("GET", "/hold")
        origin.request("/hold")
        assert w.admin("POST", "/api/v1/drain")[0] == 200
        done = dry(w)
        assert done.returncode == 1 and "draining" in done.stderr
        origin.release()
        assert c.response().status == 200
    assert w.wait() == 0
    assert dry(w).returncode == 1
    assert run_weir("reload", "--json").returncode == 2
    assert run_weir("drain", "--dry").returncode == 2
