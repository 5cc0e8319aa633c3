#!/usr/bin/python3
"""Measures weir beside the floor forwarder, nginx and haproxy in one run: CPU time of the proxy per request (from
/proc/PID/task/*/schedstat, children included), requests per second, latency, memory, and ratios. Proxy on one CPU;
load, origin and store on the other. Wall-clock figures of a busy machine mean nothing: look at ratios. NOTES.md says
how to read the table.

    bench.py --weir build/root/sbin/weir --programs build/tests/bench [--scenario NAME]... [--rounds 3] [--seconds 2]
             [--json FILE]
    bench.py --table FILE...        prints the table of results that were kept
"""
import argparse
import fnmatch
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

import report  # noqa: E402
from load import Load  # noqa: E402
from peers import Peers  # noqa: E402
from scenarios import scenarios  # noqa: E402

TOOLS = ("wrk", "h2load", "nginx", "haproxy", "redis-server", "redis-benchmark", "openssl", "taskset")
PACKAGES = pathlib.Path(__file__).resolve().parents[2] / "packaging/packages.sh"


class Bench:
    def __init__(self, args, directory):
        self.args = args
        self.peers, self.load = Peers(args, directory), Load(args, directory)
        self.scenarios = scenarios(self.peers)

    def run(self, name):
        scenario = self.scenarios[name]
        return {"note": scenario.note, "rows": scenario.measure(self, scenario)}


def arguments():
    p = argparse.ArgumentParser(description="weir beside its floor and its peers")
    p.add_argument("--weir")
    p.add_argument("--programs", help="where floor and steady are")
    p.add_argument("--scenario", action="append", help="a name, or a pattern like jwt_*")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=int, default=2)
    p.add_argument("--cpu", type=int, default=0, help="of the proxy")
    p.add_argument(
        "--load-cpu", type=int, default=min(1, (os.cpu_count() or 1) - 1), help="of the load, the origin and the store"
    )
    p.add_argument(
        "--json", type=pathlib.Path, help="results go into this file, in place of older ones of the same scenarios"
    )
    p.add_argument("--table", type=pathlib.Path, nargs="+")
    p.add_argument("--list", action="store_true")
    args = p.parse_args()
    if not args.table and not (args.weir and args.programs):
        p.error("--weir and --programs are needed")
    return args


def keep(path, name, result):
    if path:
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**known, name: result}, indent=1))


def measure(args):
    args.weir, args.programs = os.path.abspath(args.weir), os.path.abspath(args.programs)
    if any(not shutil.which(t) for t in TOOLS):
        subprocess.run([PACKAGES, "bench"], check=True)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="weir-bench.") as directory:
        os.chmod(directory, 0o755)
        bench = Bench(args, directory)
        wanted = [n for n in bench.scenarios if not args.scenario or any(fnmatch.fnmatch(n, s) for s in args.scenario)]
        try:
            if args.list:
                print("\n".join(wanted))
                return
            print(report.heading())
            for name in wanted:
                result = bench.run(name)
                keep(args.json, name, result)
                print(report.table(name, result["rows"], result["note"]), flush=True)
        finally:
            bench.peers.stop()


def main():
    args = arguments()
    if not args.table:
        measure(args)
        return
    print(report.heading())
    for path in args.table:
        for name, result in json.loads(path.read_text()).items():
            print(report.table(name, result["rows"], result["note"]))


if __name__ == "__main__":
    main()
