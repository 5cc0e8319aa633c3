#!/usr/bin/python3
"""Counts what a request costs where a busy machine does not matter: system calls (strace) and allocations (a library
that is preloaded), under the load of bench.py's scenarios. What is counted is divided by the answers of the load, of
which a run has thousands: figures like 0.003 are starting and ending.

    counts.py --weir build/root/sbin/weir --programs build/tests/bench [--scenario NAME]... [--seconds 3] [--no-calls]
"""
import argparse
import collections
import concurrent.futures
import fnmatch
import os
import pathlib
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

import measures  # noqa: E402
from load import Load  # noqa: E402
from peers import Peers  # noqa: E402
from process import Process, family, free_port  # noqa: E402
from scenarios import scenarios  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SCENARIOS = ("plain", "log_on", "rate_limit_memory", "rate_limit_redis_256", "jwt_rs256_one_token", "four_policies",
             "body_100k", "body_1m", "post_1m", "new_connections", "tls", "h2_100_streams")
SHOWN = 0.005  # calls per request that are worth a word


def strace_on(argv, pid):
    """Returns when it counts."""
    argv = [*argv, *(w for p in family(pid) for w in ("-p", str(p)))]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    while "attached" not in (line := process.stderr.readline()):
        if not line:
            sys.exit("strace cannot attach")
    return process


def calls(bench, proxy, load):
    out = os.path.join(bench.peers.dir, "strace")
    tracer = strace_on(["strace", "-f", "-c", "-o", out], proxy.pid)
    time.sleep(0.3)
    requests = load(proxy)["requests"]
    tracer.send_signal(signal.SIGINT)
    tracer.communicate()
    rows = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", pathlib.Path(out).read_text(), re.M)
    counted = collections.Counter({name: int(n) / requests for n, name in rows if name != "total"})
    return ", ".join(f"{name} {n:.2f}" for name, n in counted.most_common() if n > SHOWN)


def asked_per_turn(bench, proxy, load, port):
    """How many turns of the loop wrote to the store, and how often the one that did it most: which is to be once."""
    out = os.path.join(bench.peers.dir, "turns")
    argv = ["strace", "-f", "-yy", "-e", "trace=epoll_wait,sendmsg,sendto,write,writev", "-o", out]
    tracer = strace_on(argv, proxy.pid)
    time.sleep(0.3)
    load(proxy)
    tracer.send_signal(signal.SIGINT)
    tracer.communicate()
    writes = collections.Counter()  # by thread and turn
    turns = collections.Counter()
    for line in pathlib.Path(out).read_text().splitlines():
        thread, _, call = line.partition(" ")
        if " epoll_wait(" in line or "<... epoll_wait" in line:
            turns[thread] += "<unfinished" not in line
        elif f"->127.0.0.1:{port}]" in line and "resumed>" not in call:
            writes[thread, turns[thread]] += 1
    return f"{len(writes)} of {sum(turns.values())} turns wrote to the store, each at most {max(writes.values())} times"


def answered(bench, proxy):
    metrics = measures.admin(bench, proxy.port, "/metrics")
    return sum(int(n) for n in re.findall(r"^weir_requests_total{.*} (\d+)$", metrics, re.M))


def allocations(bench, proxy, load, file):
    """In the middle of a load, when all connections are there and what is recycled has been allocated."""
    def read():
        return struct.unpack("QQ", pathlib.Path(file).read_bytes())

    load(proxy)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        running = pool.submit(load, proxy)
        time.sleep(bench.args.seconds / 3)
        first, before = answered(bench, proxy), read()
        time.sleep(bench.args.seconds / 3)
        after, last = read(), answered(bench, proxy)
        running.result()
    n, size = (b - a for a, b in zip(before, after))
    return f"{n} allocations, {size} bytes in {last - first} requests"


def preload(directory):
    library = os.path.join(directory, "allocs.so")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, HERE / "allocs.c"], check=True)
    return library


class Counter:
    def __init__(self, args, directory):
        self.args = args
        self.peers, self.load = Peers(args, directory), Load(args, directory)
        self.scenarios = scenarios(self.peers)
        self.library, self.file = preload(directory), os.path.join(directory, "allocs")

    def count(self, name):
        scenario, redis = self.scenarios[name], None
        if "REDIS" in scenario.work.weir_top:
            scenario, redis = self.with_redis(scenario)
        load = measures.load_of(self, scenario)
        if self.args.calls:
            for label in ("floor", "weir"):
                proxy = getattr(self.peers, label)(scenario.work)
                if proxy:
                    load(proxy)
                    print(f"{name:22} {label:6} {calls(self, proxy, load)}", flush=True)
                    if redis and label == "weir":
                        print(f"{name:22} {label:6} {asked_per_turn(self, proxy, load, redis.port)}", flush=True)
                    proxy.stop()
        os.environ.update(LD_PRELOAD=self.library, ALLOCS_FILE=self.file)
        proxy = self.peers.weir(scenario.work, "--no-supervisor")
        for variable in ("LD_PRELOAD", "ALLOCS_FILE"):
            del os.environ[variable]
        print(f"{name:22} malloc {allocations(self, proxy, load, self.file)}", flush=True)
        proxy.stop()
        if redis:
            redis.stop()

    def with_redis(self, scenario):
        port = free_port()
        argv = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", self.peers.dir]
        return measures.at_redis(scenario, port), Process(self.args.load_cpu, argv, port, self.peers.dir)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--weir", required=True, type=os.path.abspath)
    p.add_argument("--programs", required=True, type=os.path.abspath, help="where floor and sink are")
    p.add_argument("--scenario", action="append", help="a name, or a pattern like jwt_*")
    p.add_argument("--seconds", type=int, default=3)
    p.add_argument("--no-calls", dest="calls", action="store_false", help="allocations only")
    p.set_defaults(cpu=0, load_cpu=min(1, (os.cpu_count() or 1) - 1))
    return p.parse_args()


def main():
    args = arguments()
    if any(not shutil.which(t) for t in ("strace", "wrk", "h2load", "nginx", "redis-server", "cc")):
        subprocess.run([HERE / "../../packaging/packages.sh", "bench"], check=True)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="weir-counts-") as directory:
        os.chmod(directory, 0o755)
        counter = Counter(args, directory)
        try:
            for pattern in args.scenario or SCENARIOS:
                for name in fnmatch.filter(counter.scenarios, pattern):
                    counter.count(name)
        finally:
            counter.peers.stop()


if __name__ == "__main__":
    main()
