"""`weir status`: one readable screen, JSON, and a live one."""
import json
import os
import pty
import re
import signal
import subprocess

from harness import eventually, run_weir
from harness.daemon import BINARY, environment

CONF = """use circuit_breaker;
store main { url redis://:hush@127.0.0.1:1; }
upstream orders { endpoint @O@ weight=2; endpoint @BAD@; balance least_request; circuit_breaker { min_requests 5; open 60s; } health_check { path /healthz; interval 60s; } }
upstream plain { endpoint @O@; }
listener main { bind @LISTEN@; limits { connections 77; } }
route /orders { proxy orders; }
route / { proxy plain; }
"""


def status(w, *words):
    done = run_weir("status", "--admin", "unix:" + w.admin_path, *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_one_screen(weir, make_origin):
    good, bad = make_origin("good"), make_origin("bad")
    bad.healthy = False
    w = weir(CONF, O=good, BAD=bad)
    w.get("/")
    eventually(lambda: w.view("status")["requests_total"] == 1, "a request")
    eventually(lambda: w.view("stores")[0]["state"] == "down", "the store to be away")
    with w.connect() as c:
        assert c.get("/orders").status == 200
        eventually(lambda: w.view("status")["requests_total"] == 2 and w.view("status")["clients_active"] == 0, "the request to be over")
        eventually(lambda: w.view("status")["connections"]["downstream"] == 1, "the connection alone")
        text = status(w)
    pattern = rf"""weir \S+  pid {w.process.pid}  up 00:\d\d:\d\d  ready
generation 1 of \S+Z  no reload yet
requests 2, \d+\.\d/s  connections 1 of clients \(0 active\), \d to origins  workers \d+

listeners
  main  {re.escape(str(w.port))}  1 of 77 connections

upstreams
  orders  least_request  breaker closed
    {re.escape(str(good))} *  up       healthy    weight 2  active 0  requests 1
    {re.escape(str(bad))} *  down     UNHEALTHY  weight 1  active 0  requests 0
  plain  round_robin
    {re.escape(str(good))}  up       healthy    weight 1  active 0  requests 1

stores
  main  redis://\S+127.0.0.1:1  down( +[\d.]+ ms)?
"""
    assert re.fullmatch(pattern, text), text
    assert "hush" not in text

    w.write("nonsense \x1b[31m;")
    w.reload()
    text = status(w)
    assert "last reload FAILED" in text and "gateway.conf:1:1: error: " in text and "\x1b" not in text
    assert w.reload(CONF)[0] == 200
    text = status(w)
    assert "last reload good" in text and "generation 2 of " in text


def test_for_programs(weir, origin):
    w = weir(CONF.replace("health_check { path /healthz; interval 60s; }", ""), O=origin, BAD="127.0.0.1:1")
    all_ = json.loads(status(w, "--json"))
    assert set(all_) == {"status", "upstreams", "stores", "generations"}
    s = all_["status"]
    assert s["listeners"] == [{"name": "main", "addresses": [str(w.port)], "tls": False, "connections": 0, "connections_limit": 77}]
    assert isinstance(s["requests_per_second"], float) and s["loaded_at"].endswith("Z")
    assert [u["name"] for u in all_["upstreams"]] == ["orders", "plain"] and all_["stores"][0]["name"] == "main"
    assert all_["generations"][0]["id"] == 1


def test_requests_per_second(weir):
    w = weir("route / { respond 200; }")
    with w.connect() as c:
        def seen():
            assert c.get("/").status == 200
            return w.view("status")["requests_per_second"]
        assert eventually(seen, "a rate") > 0


def test_who_holds_an_old_generation(weir, origin):
    w = weir("upstream o { endpoint @O@; }\nroute / { proxy o; }", O=origin)
    with w.connect() as tunnel, w.connect() as slow:
        assert tunnel.get("/echo", {"Connection": "Upgrade", "Upgrade": "echo"}).status == 101
        slow.write("GET", "/hold")
        origin.request("/hold")
        assert w.reload()[0] == 200
        live, old = w.view("generations")
        workers = w.view("status")["workers"]
        assert (live["id"], live["state"], live["holders"], live["held_by"]) == (2, "live", workers, {"workers": workers, "exchanges": 0, "tunnels": 0})
        assert live["reload"]["ok"] is True and "generation 2" in live["reload"]["message"]
        assert (old["id"], old["state"], old["holders"], old["held_by"]) == (1, "retired", 2, {"workers": 0, "exchanges": 1, "tunnels": 1})
        assert "generation 1 is still held by 1 exchanges, 1 tunnels, 0 workers" in status(w)
        # A reload that fails is seen at the generation that stays.
        w.write("nonsense;")
        assert w.reload()[0] == 409
        live = w.view("generations")[0]
        assert live["id"] == 2 and live["reload"]["ok"] is False and "nonsense" in live["reload"]["message"]
        origin.release()
        assert slow.response().status == 200
        eventually(lambda: w.view("generations")[1]["held_by"] == {"workers": 0, "exchanges": 0, "tunnels": 1}, "the tunnel alone to hold it")
        assert tunnel.send(b"ping").exactly(4) == b"ping"
    eventually(lambda: len(w.view("generations")) == 1, "one generation")
    assert "still held" not in status(w)


def watch(w, out, *words):
    return subprocess.Popen([BINARY, "status", "--admin", "unix:" + w.admin_path, *words], env=environment(), stdin=subprocess.DEVNULL,
                            stdout=out, stderr=subprocess.PIPE, text=True)


def test_a_live_one_on_a_terminal(weir):
    w = weir("route / { respond 200; }")
    ours, theirs = pty.openpty()
    p = watch(w, theirs, "--watch=0.1")
    os.close(theirs)
    seen = b""
    while seen.count(b"\x1b[H") < 3:
        seen += os.read(ours, 4096)
    assert seen.startswith(b"\x1b[2J\x1b[Hweir ") and seen.count(b"\x1b[2J") == 1 and b"listeners\x1b[K" in seen
    p.send_signal(signal.SIGINT)
    assert (p.wait(20), p.stderr.read()) == (0, "")
    os.close(ours)


def test_a_live_one_in_a_pipe(weir):
    w = weir("route / { respond 200; }")
    p = watch(w, subprocess.PIPE, "--watch=0.1")
    screens = 0
    for line in p.stdout:
        assert "\x1b" not in line
        screens += line.startswith("weir ")
        if screens == 3:
            break
    p.send_signal(signal.SIGINT)
    p.stdout.read()
    assert p.wait(20) == 0

    p = watch(w, subprocess.PIPE, "--watch=0.1", "--json")
    assert [json.loads(p.stdout.readline())["status"]["generation"] for _ in range(3)] == [1, 1, 1]
    # The reader has seen enough.
    p.stdout.close()
    assert p.wait(20) == 1

    p = watch(w, subprocess.PIPE, "--watch=0.1")
    p.stdout.readline()
    w.stop()
    p.stdout.read()
    assert p.wait(20) == 1 and "nothing answers" in p.stderr.read()


def test_wrong_words():
    for words in ["--watch=0"], ["--watch=x"], ["--watch=4000"], ["--dry"], ["x"]:
        assert run_weir("status", *words).returncode == 2
