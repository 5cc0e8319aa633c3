"""Processes that are measured: started on a CPU, ended by their id, and what /proc says of them and their
descendants."""
import os
import pathlib
import re
import socket
import subprocess
import sys
import time


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, process=None, log=None):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (process and process.poll() is not None):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.002)
    sys.exit(f"nothing came up on port {port}\n" + (pathlib.Path(log).read_text()[-2000:] if log else ""))


def family(pid):
    """A process and all its descendants."""
    pids = [pid]
    for p in pids:
        for task in pathlib.Path(f"/proc/{p}/task").glob("*/children"):
            try:
                pids += [int(c) for c in task.read_text().split()]
            except OSError:
                pass
    return pids


def each(pid, read):
    """Sum of `read` over the family; one that has just ended counts nothing."""
    total = 0
    for p in family(pid):
        try:
            total += read(pathlib.Path(f"/proc/{p}"))
        except (OSError, ValueError):
            pass
    return total


def cpu_ns(pid):
    return each(pid, lambda proc: sum(int(s.read_text().split()[0]) for s in proc.glob("task/*/schedstat")))


def user_share(before, after):
    """Of the CPU time between two readings of cpu_ticks: what was not the kernel's."""
    user, kernel = (b - a for a, b in zip(before, after))
    return user / max(user + kernel, 1)


def cpu_ticks(pid):
    """User and kernel time, as coarse as the kernel samples it."""

    def read(field):
        return lambda proc: int((proc / "stat").read_text().rpartition(")")[2].split()[field])

    return each(pid, read(11)), each(pid, read(12))


def kib(pid, file, field):
    def read(proc):
        found = re.search(rf"^{field}:\s+(\d+)", (proc / file).read_text(), re.M)
        return int(found.group(1)) if found else 0

    return each(pid, read)


def rss_kib(pid):
    return kib(pid, "status", "VmRSS")


def pss_kib(pid):
    """The proportional share of memory: a page that n processes map counts 1/n for each."""
    return kib(pid, "smaps_rollup", "Pss")


def peak_kib(pid):
    return kib(pid, "status", "VmHWM")


def anonymous_kib(pid):
    """What the process itself filled: heap and stacks, no code and no shared pages."""
    return kib(pid, "smaps_rollup", "Anonymous")


def forget_peak(pid):
    each(pid, lambda proc: (proc / "clear_refs").write_text("5"))


class Process:
    """A server pinned to CPUs (as taskset names them). `ready_s`: from its start until it accepts."""

    def __init__(self, cpus, argv, port, cwd):
        self.port, self.label = port, os.path.basename(argv[0])
        self.log = os.path.join(cwd, f"{self.label}-{port}.log")
        began = time.monotonic()
        with open(self.log, "w") as log:
            self.proc = subprocess.Popen(["taskset", "-c", str(cpus), *argv], cwd=cwd, stdout=log, stderr=log)
        wait_port(port, self.proc, self.log)
        self.ready_s = time.monotonic() - began
        self.pid = self.proc.pid

    def stop(self):
        self.proc.terminate()
        try:
            self.proc.wait(5)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
