#!/usr/bin/python3
"""Instructions of the worker per request, by the number of routes: what must not grow. Counted as instructions.py does.

    growth.py --weir build/root/sbin/weir [--shape SHAPE]... [--sizes 1,1000,10000]

One line for each shape of grow.py, asked for the last route of the file.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import instructions

HERE = pathlib.Path(__file__).resolve().parent
PATHS = {
    "prefix": "/api/v{i}/items/17",
    "exact": "/api/v{i}/items",
    "regex": "/api/v{i}/abc",
    "wild": "/abc/v{i}/items",
    "hosts": "/p{j}/17",
    "upstreams": "/api/v{i}/items/17",
}


def scenario(shape, n, i):
    text = subprocess.run(
        [sys.executable, HERE / "grow.py", shape, str(n), "--origin", "ORIGIN"],
        capture_output=True, text=True, check=True,
    ).stdout
    lines = [line for line in text.splitlines() if not line.startswith(("workers", "listener"))]
    text = "access_log off;\n" + "\n".join(lines).replace("endpoint ORIGIN;", "ORIGIN")
    host = f"h{i // 10}.example.com" if shape == "hosts" else "127.0.0.1:8080"
    return instructions.Scenario(text, instructions.request(f"Host: {host}\r\n", PATHS[shape].format(i=i, j=i % 10)))


def count(weir, shape, n, i, directory):
    name = f"{shape}-{n}-{i}"
    instructions.SCENARIOS[name] = scenario(shape, n, i)
    return instructions.per_request(weir, name, directory)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--weir", required=True, type=lambda s: pathlib.Path(s).resolve())
    p.add_argument("--shape", action="append", choices=PATHS)
    p.add_argument("--sizes", default="1,1000,10000", type=lambda s: [int(n) for n in s.split(",")])
    a = p.parse_args()
    with tempfile.TemporaryDirectory(prefix="weir-growth-") as d:
        for shape in a.shape or PATHS:
            counts = [count(a.weir, shape, n, n - 1, pathlib.Path(d)) for n in a.sizes]
            cells = "  ".join(f"{n} routes {c:.0f}" for n, c in zip(a.sizes, counts))
            print(f"{shape:10} {cells}  ratio {counts[-1] / counts[0]:.3f}", flush=True)


if __name__ == "__main__":
    main()
