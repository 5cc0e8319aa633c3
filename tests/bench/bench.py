#!/usr/bin/python3
"""Measures weir beside the floor forwarder, nginx and haproxy in one run: CPU time of the proxy per request (from
/proc/PID/task/*/schedstat, children included), requests per second, latency, memory, and ratios. Proxy on one CPU, load and
origin on the other. Wall-clock figures of a busy machine mean nothing: look at ratios, and at medians over the rounds.

    bench.py --weir build/root/sbin/weir --floor build/tests/bench/floor [--scenario NAME]... [--rounds 3] [--seconds 4] [--json FILE]
"""
import argparse
import base64
import hashlib
import hmac
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

BODY = '{"order":"' + "7" * 98 + '"}'
BROWSER = """
wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
wrk.headers["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
wrk.headers["Accept-Language"] = "en-US,en;q=0.5"
wrk.headers["Accept-Encoding"] = "gzip, deflate, br, zstd"
wrk.headers["Cookie"] = "session=0123456789abcdef0123456789abcdef; theme=dark; consent=all; _ga=GA1.1.1234567890.1234567890"
wrk.headers["Sec-Fetch-Dest"] = "document"
wrk.headers["Sec-Fetch-Mode"] = "navigate"
wrk.headers["Sec-Fetch-Site"] = "same-origin"
wrk.headers["Upgrade-Insecure-Requests"] = "1"
wrk.headers["Referer"] = "http://bench.example/orders/list?page=2&sort=date"
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"nothing came up on port {port}")


def family(pid):
    """A process and all its descendants."""
    pids = [pid]
    for p in pids:
        for task in pathlib.Path(f"/proc/{p}/task").glob("*/children"):
            pids += [int(c) for c in task.read_text().split()]
    return pids


def cpu_ns(pid):
    total = 0
    for p in family(pid):
        for stat in pathlib.Path(f"/proc/{p}/task").glob("*/schedstat"):
            total += int(stat.read_text().split()[0])
    return total


def rss_kib(pid):
    total = 0
    for p in family(pid):
        found = re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{p}/status").read_text())
        total += int(found.group(1)) if found else 0
    return total


class Process:
    """One server pinned to a CPU, ended by its pid."""

    def __init__(self, cpu, argv, port, cwd):
        log = open(os.path.join(cwd, f"{os.path.basename(argv[0])}-{port}.log"), "w")
        self.proc = subprocess.Popen(["taskset", "-c", str(cpu), *argv], cwd=cwd, stdout=log, stderr=log)
        self.port = port
        wait_port(port)

    def stop(self):
        self.proc.terminate()
        try:
            self.proc.wait(5)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()


def token(secret):
    def b64(b):
        return base64.urlsafe_b64encode(b).rstrip(b"=")
    head = b64(b'{"alg":"HS256","typ":"JWT"}')
    claims = b64(json.dumps({"iss": "bench", "aud": "bench", "sub": "ada", "exp": int(time.time()) + 86400}).encode())
    mac = hmac.new(secret.encode(), head + b"." + claims, hashlib.sha256).digest()
    return (head + b"." + claims + b"." + b64(mac)).decode()


SECRET = "0123456789abcdef0123456789abcdef"


class Bench:
    def __init__(self, args, directory):
        self.args, self.dir = args, directory
        self.origin_port = free_port()
        self.write("origin.conf", f"""worker_processes 1; daemon off; pid origin.pid; error_log stderr;
            events {{ worker_connections 20000; }}
            http {{ access_log off; keepalive_requests 100000000; client_max_body_size 10m; client_body_buffer_size 2m;
              server {{ listen 127.0.0.1:{self.origin_port} backlog=4096;
                location / {{ default_type application/json; return 200 '{BODY}'; }}
                location /body/ {{ root {directory}; }} }} }}""")
        os.mkdir(os.path.join(directory, "body"))
        for name, size in (("10k", 10240), ("100k", 102400), ("1m", 1048576)):
            self.write(f"body/{name}", "x" * size)
        self.origin = Process(args.load_cpu, ["nginx", "-p", directory, "-c", "origin.conf"], self.origin_port, directory)

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    # ---- the proxies, each configured to do the same work ----

    def floor(self, scenario):
        port = free_port()
        return Process(self.args.cpu, [self.args.floor, str(port), str(self.origin_port)], port, self.dir)

    def weir(self, scenario):
        port = free_port()
        routes = scenario.get("weir", "")
        log = f"access_log {self.dir}/weir-access.log;" if scenario.get("log") else "access_log off;"
        conf = self.write(f"weir-{port}.conf", f"""workers 1; {log}
            modules {pathlib.Path(self.args.weir).parents[1] / "lib/weir/modules"};
            use jwt rate_limit circuit_breaker canary;
            admin {{ bind unix:{self.dir}/admin-{port}.sock; }}
            listener public {{ bind 127.0.0.1:{port}; limits {{ connections 20000; }} }}
            upstream origin {{ endpoint 127.0.0.1:{self.origin_port}; keepalive 128; {scenario.get('weir_upstream', '')} }}
            {routes}
            {'' if scenario.get('no_default') else 'route / { proxy origin; max_body 10m; }'}""")
        return Process(self.args.cpu, [self.args.weir, "run", "-c", conf], port, self.dir)

    def nginx(self, scenario):
        if "nginx" in scenario and scenario["nginx"] is None:
            return None
        port = free_port()
        log = f"access_log {self.dir}/nginx-access.log combined buffer=32k;" if scenario.get("log") else "access_log off;"
        self.write(f"nginx-{port}.conf", f"""worker_processes 1; daemon off; pid nginx-{port}.pid; error_log stderr;
            events {{ worker_connections 20000; }}
            http {{ {log} keepalive_requests 100000000; client_max_body_size 10m;
              upstream o {{ server 127.0.0.1:{self.origin_port}; keepalive 128; keepalive_requests 100000000; }}
              {scenario.get('nginx_http', '')}
              server {{ listen 127.0.0.1:{port} backlog=4096;
                proxy_http_version 1.1; proxy_set_header Connection "";
                proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
                {scenario.get('nginx', '')}
                location / {{ {scenario.get('nginx_location', '')} proxy_pass http://o; }} }} }}""")
        return Process(self.args.cpu, ["nginx", "-p", self.dir, "-c", f"nginx-{port}.conf"], port, self.dir)

    def haproxy(self, scenario):
        if "haproxy" in scenario and scenario["haproxy"] is None:
            return None
        port = free_port()
        conf = self.write(f"haproxy-{port}.cfg", f"""
global
    nbthread 1
    maxconn 9000
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option http-keep-alive
    http-reuse always
frontend f
    bind 127.0.0.1:{port}
    option forwardfor
{scenario.get('haproxy', '')}
    default_backend b
backend b
    server s 127.0.0.1:{self.origin_port}
""")
        return Process(self.args.cpu, ["haproxy", "-f", conf], port, self.dir)

    # ---- load ----

    def load(self, port, scenario):
        script = self.write("load.lua", scenario.get("lua", ""))
        out = subprocess.run(
            ["taskset", "-c", str(self.args.load_cpu), "wrk", "-t1", f"-c{scenario.get('connections', 64)}",
             f"-d{self.args.seconds}s", "--latency", "-s", script, f"http://127.0.0.1:{port}{scenario.get('path', '/')}"],
            capture_output=True, text=True, check=True).stdout
        requests = int(re.search(r"(\d+) requests in", out).group(1))
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
        latency = dict(re.findall(r"(50|99)%\s+([\d.]+\w+)", out))
        return {"requests": requests, "rps": float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)),
                "bad": int(bad.group(1)) if bad else 0, "p50": latency.get("50"), "p99": latency.get("99")}

    def measure(self, proxy, scenario):
        before = cpu_ns(proxy.proc.pid)
        result = self.load(proxy.port, scenario)
        result["cpu_us"] = (cpu_ns(proxy.proc.pid) - before) / 1000 / max(result["requests"], 1)
        result["rss_kib"] = rss_kib(proxy.proc.pid)
        return result

    def run(self, name, scenario):
        """All proxies in turn, round by round, so that a slow minute of the machine hits all of them."""
        proxies = {p: getattr(self, p)(scenario) for p in ("floor", "weir", "nginx", "haproxy")}
        rounds = {p: [] for p, proc in proxies.items() if proc}
        try:
            for _ in range(self.args.rounds):
                for p in rounds:
                    rounds[p].append(self.measure(proxies[p], scenario))
        finally:
            for proc in proxies.values():
                if proc:
                    proc.stop()
        rows = {}
        for p, results in rounds.items():
            middle = sorted(results, key=lambda r: r["cpu_us"])[len(results) // 2]
            rows[p] = dict(middle, cpu_us=statistics.median(r["cpu_us"] for r in results))
        floor, peers = rows["floor"]["cpu_us"], [rows[p]["cpu_us"] for p in ("nginx", "haproxy") if p in rows]
        for row in rows.values():
            row["to_floor"] = row["cpu_us"] / floor
            row["to_best_peer"] = row["cpu_us"] / min(peers) if peers else None
        return rows


def routes(n):
    return "\n".join(f"route /r{i}/ {{ proxy origin; }}" for i in range(n - 1))


def scenarios(directory):
    auth = f'wrk.headers["Authorization"] = "Bearer {token(SECRET)}"\n'
    return {
        "plain": {},
        "browser_heads": {"lua": BROWSER},
        "log_on": {"log": True, "haproxy": None},
        "body_10k": {"path": "/body/10k"},
        "body_100k": {"path": "/body/100k"},
        "body_1m": {"path": "/body/1m", "connections": 8},
        "post_10k": {"lua": 'wrk.method = "POST"\nwrk.body = string.rep("x", 10240)\n'},
        "new_connections": {"lua": 'wrk.headers["Connection"] = "close"\n'},
        "routes_1000": {"weir": routes(1000), "path": "/r500/x",
                        "nginx": "".join(f"location /r{i}/ {{ proxy_pass http://o; }}" for i in range(999)),
                        "haproxy": "".join(f"    use_backend b if {{ path_beg /r{i}/ }}\n" for i in range(999))},
        "routes_10000": {"weir": routes(10000), "path": "/r5000/x", "nginx": None, "haproxy": None},
        "jwt_hs256_one_token": {"lua": auth, "nginx": None, "no_default": True, "weir":
                                f"route / {{ jwt {{ issuer bench; audience bench; key secret:{SECRET} alg=HS256; }} proxy origin; }}",
                                "haproxy": '    http-request set-var(txn.bearer) http_auth_bearer\n'
                                f'    http-request deny unless {{ var(txn.bearer),jwt_verify(\\"HS256\\",\\"{SECRET}\\") 1 }}\n'.replace('\\"', '"')},
        "rate_limit_memory": {"no_default": True, "weir": "route / { rate_limit { rate 1000000000/s; } proxy origin; }",
                              "nginx_http": "limit_req_zone $remote_addr zone=z:10m rate=1000000r/s;",
                              "nginx_location": "limit_req zone=z burst=1000000 nodelay;", "haproxy": None},
        "four_policies": {"lua": auth, "log": True, "nginx": None, "haproxy": None, "no_default": True,
                          "weir_upstream": "circuit_breaker { }",
                          "weir": "upstream other { endpoint unix:/nowhere; }\n"
                          f"route / {{ jwt {{ issuer bench; audience bench; key secret:{SECRET} alg=HS256; }}"
                          " rate_limit { rate 1000000000/s; key ${jwt.sub}; }"
                          " canary { variant origin 100%; variant other 0%; } }"},
    }


def show(name, rows):
    print(f"\n{name}")
    print(f"  {'':8} {'us/request':>10} {'x floor':>8} {'x best peer':>11} {'req/s':>9} {'p50':>8} {'p99':>8} {'RSS MiB':>8} {'bad':>5}")
    for p, r in rows.items():
        peer = f"{r['to_best_peer']:.2f}" if r["to_best_peer"] else "-"
        print(f"  {p:8} {r['cpu_us']:10.2f} {r['to_floor']:8.2f} {peer:>11} {r['rps']:9.0f} {r['p50']:>8} {r['p99']:>8} "
              f"{r['rss_kib'] / 1024:8.1f} {r['bad']:5}")
    sys.stdout.flush()


def main():
    p = argparse.ArgumentParser(description="weir beside its floor and its peers")
    p.add_argument("--weir", required=True)
    p.add_argument("--floor", required=True)
    p.add_argument("--scenario", action="append")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=int, default=4)
    p.add_argument("--cpu", type=int, default=0, help="of the proxy")
    p.add_argument("--load-cpu", type=int, default=min(1, (os.cpu_count() or 1) - 1), help="of the load and the origin")
    p.add_argument("--json")
    args = p.parse_args()
    args.weir, args.floor = os.path.abspath(args.weir), os.path.abspath(args.floor)
    missing = [t for t in ("wrk", "nginx", "haproxy", "taskset") if not shutil.which(t)]
    if missing:
        sys.exit("missing: " + " ".join(missing))
    with tempfile.TemporaryDirectory(prefix="weir-bench.") as directory:
        os.chmod(directory, 0o755)
        bench, results = Bench(args, directory), {}
        try:
            for name, scenario in scenarios(directory).items():
                if args.scenario and name not in args.scenario:
                    continue
                results[name] = bench.run(name, scenario)
                show(name, results[name])
        finally:
            bench.origin.stop()
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
