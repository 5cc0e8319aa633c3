"""Process 1 of a container: without a supervisor there is nobody else to do what init does."""
import os
import shutil
import signal
import subprocess

import pytest

from harness import eventually
from harness.daemon import BINARY, environment

CONF = """
drain { lag 0s; timeout 20s; }
upstream o { endpoint @O@; }
route / { proxy o; }
route /here { respond 200 here; }
"""

UNSHARE = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--pid", "--fork", "--kill-child"]


def unshares():
    return shutil.which("unshare") and subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not unshares(), reason="no PID namespaces here")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(child) for child in f.read().split()]


def one(process):
    """The process that is number 1 in there."""
    return eventually(lambda: children(process.pid), "process 1")[0]


def number_inside(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(line.split()[-1] for line in f if line.startswith("NSpid:"))


@pytest.mark.parametrize("supervised", [False, True])
def test_signals_work(weir, origin, supervised):
    w = weir(CONF, O=origin, supervised=supervised, prefix=UNSHARE)
    pid = one(w.process)
    assert number_inside(pid) == "1"
    w.write(CONF.replace("200 here", "200 there"))
    os.kill(pid, signal.SIGHUP)
    eventually(lambda: w.get("/here").body == b"there", "the reload")
    os.kill(pid, signal.SIGUSR1)
    assert w.get("/here").status == 200
    with w.connect() as c:
        c.write("GET", "/hold")
        origin.request("/hold")
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: w.view("status")["draining"], "the drain")
        origin.release()
        assert c.response().body == b"held"
    assert w.wait() == 0


@pytest.mark.parametrize("supervised", [False, True])
def test_orphans_are_reaped(weir, origin, tmp_path, supervised):
    """Two that lost their parent before weir was there; they end while it serves."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    w = weir(CONF, O=origin, supervised=supervised,
             prefix=[*UNSHARE, "sh", "-c", f'(cat <{fifo} &); (cat <{fifo} &); exec "$@"', "-"])
    pid = one(w.process)
    mine = 1 if supervised else 0
    eventually(lambda: len(children(pid)) == 2 + mine, "the orphans")
    os.close(os.open(fifo, os.O_WRONLY))
    eventually(lambda: len(children(pid)) == mine, "the end of the orphans")
    assert w.get("/here").status == 200
    os.kill(pid, signal.SIGTERM)
    assert w.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_start_can_be_ended(tmp_path, number):
    """While it still reads its configuration nothing is there to drain."""
    fifo = tmp_path / "gateway.conf"
    os.mkfifo(fifo)
    held = os.open(fifo, os.O_RDWR)
    process = subprocess.Popen([*UNSHARE, BINARY, "run", "--no-supervisor", "-c", str(fifo)], env=environment())
    try:
        pid = one(process)

        def reads():
            try:
                return str(fifo) in [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            except FileNotFoundError:
                return False
        eventually(reads, "the reading of the configuration")
        os.kill(pid, number)
        assert process.wait(20) == 128 + number
    finally:
        process.kill()
        process.wait()
        os.close(held)
