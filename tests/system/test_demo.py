"""The demonstration shows what it says, and leaves nothing behind."""
import os
import re
import signal
import subprocess

import pytest

from harness import eventually, run_weir
from harness.daemon import BINARY, REPORT, Lines, environment


def test_once():
    done = run_weir("demo", "--once", timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) >= 7 and all(re.match(r"ok +\S", line) for line in lines), done.stdout
    for shown in (r"200 .*v1 \S+ %, v2 \S+ %", "401", "403", "429", "503"):
        assert any(re.search(shown, line) for line in lines), shown
    m = re.search(r"v1 ([\d.]+) %, v2 ([\d.]+) %", done.stdout)
    assert abs(float(m[1]) + float(m[2]) - 100) < 0.2 and 65 < float(m[1]) < 85


def test_two_at_a_time():
    """Ports are found, not assumed."""
    both = [subprocess.Popen([BINARY, "demo", "--once"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment())
            for _ in range(2)]
    for p in both:
        out, _ = p.communicate(timeout=110)
        assert p.returncode == 0, out


@pytest.fixture
def demo():
    p = subprocess.Popen([BINARY, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    p.lines, p.errors = Lines(p.stdout), Lines(p.stderr)
    p.lines.wait(lambda line: "Ctrl-C" in line, "the last line", 60)
    yield p
    if p.poll() is None:
        p.kill()
        p.wait()
    assert not REPORT.search(p.errors.text), p.errors.text


def shell(demo, pattern, n=0):
    """Pastes the n-th printed line that matches into a shell, as a user would."""
    token = next(line for line in demo.lines.all if line.startswith("TOKEN="))
    line = [line for line in demo.lines.all if re.search(pattern, line)][n]
    done = subprocess.run(["bash", "-c", token + "\n" + line], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (line, done)
    return done.stdout


def test_printed_lines_do_what_they_say(demo):
    out = shell(demo, r"^curl .*TOKEN")
    assert out.startswith("HTTP/1.1 200 ")
    assert shell(demo, r"^curl -i \S+/orders/1$").startswith("HTTP/1.1 401 ")
    assert shell(demo, r"^curl .*Bearer ey").startswith("HTTP/1.1 403 ")
    assert shell(demo, r"^for .*limited").split() == ["200", "200", "200", "429"]
    out = shell(demo, r"^for .*flaky")
    assert "HTTP/1.1 503 " in out and "breaker_open" in out
    assert '"breaker"' in shell(demo, r"^curl .*api/v1/upstreams")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_and_leaves_nothing(demo, number):
    directory = next(m[1] for line in demo.lines.all if (m := re.search(r"(/\S+)/gateway\.conf", line)))
    assert os.path.isdir(directory)
    children = open(f"/proc/{demo.pid}/task/{demo.pid}/children").read().split()
    assert children
    demo.send_signal(number)
    assert demo.wait(60) == 0
    assert not os.path.exists(directory)
    eventually(lambda: not any(os.path.exists(f"/proc/{c}") for c in children), "the end of the processes")
