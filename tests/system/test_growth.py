"""Cost grows gently: with the number of routes, upstreams and policies at load, and not at all with what is gone."""
import os
import re
import resource
import subprocess
import sys

import pytest

from harness import eventually
from harness.daemon import BINARY, environment, sanitized

GROW = os.path.join(os.path.dirname(__file__), "..", "bench", "grow.py")

CHURN = """
use rate_limit;
upstream u@K@ { endpoint @O@; }
upstream kept { endpoint @O@; }
route /kept { proxy kept; }
route /a@K@ { rate_limit { rate 1000000/s; } proxy u@K@; }
route ~ ^/b@K@/[a-z]+$ { proxy u@K@; }
host h@K@.example { route /c { respond 200; } }
"""


def grown(tmp_path, shape, n):
    path = tmp_path / f"{shape}.conf"
    done = subprocess.run([sys.executable, GROW, shape, str(n)], capture_output=True, text=True, check=True)
    path.write_text(done.stdout)
    return path


def cpu_limit():
    """Far more than it takes, far less than what a square of the number would."""
    resource.setrlimit(resource.RLIMIT_CPU, (6, 6))


@pytest.mark.skipif(sanitized(), reason="a sanitized binary's time is no measure")
@pytest.mark.parametrize("shape", ["prefix", "exact", "regex", "wild", "hosts", "policies", "jwt", "upstreams",
                                   "endpoints"])
def test_ten_thousand_of_anything_are_checked(tmp_path, shape):
    done = subprocess.run([BINARY, "check", "-c", grown(tmp_path, shape, 10000)], env=environment(),
                          capture_output=True, text=True, preexec_fn=cpu_limit, timeout=240)
    assert (done.returncode, done.stderr) == (0, "")


def ask_all(w, k):
    assert w.get("/kept").status == 200
    assert w.get(f"/a{k}/x").status == 200
    assert w.get(f"/b{k}/x").status == 200
    assert w.request("GET", "/c", [("Host", f"h{k}.example")]).status == 200


def passed(w, route):
    return w.metric("weir_policy_verdicts_total", route=route, policy="rate_limit", verdict="pass", mode="enforce")


def test_what_a_reload_takes_away_leaves_no_series(weir, origin):
    """Names that change with each reload: the metrics hold those of the last one only, and count on for the others."""
    w = weir(CHURN, K=0, O=origin)
    ask_all(w, 0)
    eventually(lambda: passed(w, "/a0") == 1, "the verdict")
    for k in range(1, 31):
        assert w.reload(CHURN, K=k, O=origin)[0] == 200
        ask_all(w, k)

    def vanished():
        values = [v for _, labels, _ in w.metrics() for v in labels.values()]
        return [v for v in values if re.search(r"(^/a|b|^u|^h)[0-9]+", v) and "30" not in v]
    eventually(lambda: not vanished(), "the series of vanished routes and upstreams to go")
    assert passed(w, "/a30") == 1
    assert w.metric("weir_requests_total", route="/a30", method="GET", code="200") == 1
    assert w.metric("weir_requests_total", route="/kept", method="GET", code="200") == 31


@pytest.mark.skipif(sanitized(), reason="a sanitized binary's memory is no measure")
def test_what_a_reload_takes_away_leaves_no_memory(weir, origin):
    """But for the buckets of limits, which are kept for a minute in case the limit comes back."""
    churning = CHURN.replace("rate_limit { rate 1000000/s; }", "")
    w = weir(churning, K=0, O=origin)

    def churn(begin, n):
        for k in range(begin, begin + n):
            assert w.reload(churning, K=k, O=origin)[0] == 200
            ask_all(w, k)
        eventually(lambda: len(w.view("generations")) == 1, "the old generations to go")
        return w.resident()
    before = churn(1, 40)
    after = churn(100, 120)
    assert after < before + (1 << 20), f"{before} bytes became {after}"


def resident(pid):
    with open(f"/proc/{pid}/statm") as f:
        return int(f.read().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(sanitized(), reason="a sanitized binary's memory is no measure")
def test_what_is_resident_after_a_start(weir, origin):
    """The supervisor and the process that serves."""
    w = weir("upstream o { endpoint @O@; }\nroute / { proxy o; }", O=origin, supervised=True)
    assert w.get("/").status == 200

    def small():
        sizes = [resident(pid) for pid in (w.process.pid, *w.serving())]
        return len(sizes) == 2 and sum(sizes) <= 8 << 20
    eventually(small, "two processes of 8 MiB together")


def peak(w):
    """The most that was ever resident, in bytes."""
    with open(f"/proc/{w.process.pid}/status") as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read())[1]) * 1024


@pytest.mark.skipif(sanitized(), reason="a sanitized binary's memory is no measure")
def test_a_reload_of_many_routes_gives_its_memory_back(weir, origin):
    """The old configuration and the new one at the same time, and then one again; and requests do not notice."""
    routes = "\n".join(f"route /api/v{i}/items/ {{ proxy o; }}\nroute ~ ^/re{i}/[a-z]+$ {{ proxy o; }}"
                       for i in range(3000))
    text = "upstream o { endpoint @O@; }\n" + routes
    w = weir(text, O=origin)
    begin = w.resident()
    for _ in range(8):
        assert w.reload(text, O=origin)[0] == 200
        assert w.get("/api/v2999/items/x").status == 200
        assert w.get("/re2999/x").status == 200
    eventually(lambda: len(w.view("generations")) == 1, "the old generations to go")
    # The heap of the thread that builds grows in the first reloads and then stays: two generations would be more.
    eventually(lambda: w.resident() < begin * 3 / 2, "the memory of the old generations to go")
    assert peak(w) < 2 * w.resident()
