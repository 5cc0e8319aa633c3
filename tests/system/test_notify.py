"""What systemd hears of a daemon (sd_notify(3)), from a socket that stands for it."""
import os
import signal
import socket
import struct
import time

import pytest

from harness import eventually
from test_supervisor import channel_of


class Systemd:
    """The far end of $NOTIFY_SOCKET."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind("\0" + path[1:] if path[0] == "@" else path)
        self.sock.settimeout(30)
        self.env = {"NOTIFY_SOCKET": path}

    def message(self):
        return dict(line.split("=", 1) for line in self.sock.recv(4096).decode().splitlines())

    def until(self, name):
        """The next message with this name."""
        while True:
            message = self.message()
            if name in message:
                return message


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path):
    s = Systemd(str(tmp_path / "notify") if request.param == "path" else f"@weir-test-{os.getpid()}-{id(request)}")
    yield s
    s.sock.close()


CONF = "route / { respond 200; }"


def test_a_life(weir, systemd):
    w = weir(CONF, env=systemd.env)
    assert systemd.until("READY") == {"READY": "1", "STATUS": "serving"}
    assert w.reload()[0] == 200
    begun = systemd.until("RELOADING")
    assert begun["RELOADING"] == "1" and int(begun["MONOTONIC_USEC"]) > 0
    assert systemd.message() == {"READY": "1"}
    w.signal(signal.SIGTERM)
    assert systemd.until("STOPPING")["STOPPING"] == "1"
    assert w.wait() == 0


@pytest.mark.parametrize("supervised", [False, True])
def test_reload_by_signal(weir, systemd, supervised):
    """Type=notify-reload: SIGHUP to the main process, then RELOADING with a time after it, then READY; all of it from that process, as
    NotifyAccess=main wants it."""
    systemd.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    w = weir(CONF, env=systemd.env, supervised=supervised)

    def from_main():
        data, ancillary, _, _ = systemd.sock.recvmsg(4096, socket.CMSG_SPACE(12))
        assert struct.unpack("iII", ancillary[0][2][:12])[0] == w.process.pid
        return dict(line.split("=", 1) for line in data.decode().splitlines())
    assert from_main()["READY"] == "1"
    before = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
    w.signal(signal.SIGHUP)
    begun = from_main()
    assert begun["RELOADING"] == "1" and int(begun["MONOTONIC_USEC"]) >= int(before)
    assert from_main() == {"READY": "1"}
    w.signal(signal.SIGTERM)
    assert from_main()["STOPPING"] == "1"
    assert w.wait() == 0


def test_orders_are_not_passed_on(weir, systemd):
    """The supervisor passes on what a serving process has to say of itself, not what would be an order to systemd."""
    w = weir(CONF, env=systemd.env, supervised=True)
    systemd.until("READY")
    with channel_of(w.serving()[0]) as channel:
        for words in (b"MAINPID=1", b"FDSTORE=1", b"READY=1\nMAINPID=1", b"STATUS=x\n\nBARRIER=1", b"READY=1\nSTATUS=mine"):
            channel.send(b"N" + words)
    assert systemd.message() == {"READY": "1", "STATUS": "mine"}


def test_a_failed_reload_is_over_too(weir, systemd):
    w = weir(CONF, env=systemd.env)
    systemd.until("READY")
    assert w.reload("nonsense;")[0] == 409
    systemd.until("RELOADING")
    assert systemd.message() == {"READY": "1"}


def test_the_watchdog_is_fed(weir, systemd):
    weir(CONF, env={**systemd.env, "WATCHDOG_USEC": "200000"})
    for _ in range(3):
        assert systemd.until("WATCHDOG") == {"WATCHDOG": "1"}


def test_another_process_is_watched(weir, systemd):
    """WATCHDOG_PID names somebody else: nothing is sent but the rest."""
    w = weir(CONF, env={**systemd.env, "WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"})
    systemd.until("READY")
    for _ in range(3):
        w.reload()
    eventually(lambda: w.view("status")["reload"]["ok"], "the reloads")
    for _ in range(6):
        assert "WATCHDOG" not in systemd.message()


@pytest.mark.parametrize("path", ["", "/", "relative", "/" + "x" * 200, "/nobody/listens"])
def test_nobody_listens(weir, path):
    w = weir(CONF, env={"NOTIFY_SOCKET": path})
    assert w.get("/").status == 200
    w.stop()
