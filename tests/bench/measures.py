"""How a scenario is measured. Each takes the bench and the scenario and returns a row for each proxy."""
import contextlib
import dataclasses
import os
import pathlib
import re
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import time

from process import Process, anonymous_kib, forget_peak, free_port, peak_kib, pss_kib, rss_kib

NAMES = ("floor", "weir", "nginx", "haproxy")
HERE = pathlib.Path(__file__).resolve().parent


@contextlib.contextmanager
def started(bench, scenario):
    """The proxies of the scenario, and the weir that it is to be compared with."""
    proxies = {}
    try:
        for name in NAMES:
            proxy = getattr(bench.peers, name)(scenario.work)
            if proxy:
                proxies[name] = proxy
            if name == "weir" and scenario.beside:
                proxies[f"weir {scenario.beside}"] = bench.peers.weir(bench.scenarios[scenario.beside].work)
        yield proxies
    finally:
        for proxy in proxies.values():
            proxy.stop()


def median(rounds, key):
    values = [r[key] for r in rounds]
    return None if None in values else statistics.median(values)


def ratio(rounds, others):
    """Of CPU time, round by round: a slow minute of the machine hits both."""
    return statistics.median(a["cpu_us"] / max(b["cpu_us"], 0.001) for a, b in zip(rounds, others))


def summary(rounds, beside):
    """Medians of the rounds, and ratios."""
    rows = {p: {k: median(r, k) for k in r[0]} for p, r in rounds.items()}
    peers = [p for p in ("nginx", "haproxy") if p in rounds]
    best = min(peers, key=lambda p: rows[p]["cpu_us"]) if peers else None
    for p, row in rows.items():
        row["bad"] = sum(r["bad"] for r in rounds[p])
        row["to_floor"] = ratio(rounds[p], rounds["floor"]) if "floor" in rounds and "floor" != p else None
        row["to_best_peer"] = ratio(rounds[p], rounds[best]) if best else None
    if beside:
        rows["weir"]["to_beside"] = ratio(rounds["weir"], rounds[f"weir {beside}"])
    if "nginx" in rounds:
        rows["weir"]["to_nginx"] = ratio(rounds["weir"], rounds["nginx"])
    return rows


def rounds_of(bench, scenario, proxies, load, after=None, measure=None):
    """All proxies in turn, round by round. `after` is asked once in each round, for what is measured beside them."""
    measure = measure or (lambda proxy: bench.load.measure(proxy, lambda: load(proxy)))
    rounds = {p: [] for p in proxies}
    for _ in range(bench.args.rounds):
        for p, proxy in proxies.items():
            rounds[p].append(measure(proxy))
            time.sleep(scenario.options.get("pause", 0))
        if after:
            after()
    return summary(rounds, scenario.beside)


def settled(bench, scenario):
    seconds = max(1, int(bench.args.seconds * scenario.stretch))
    with started(bench, scenario) as proxies:
        return rounds_of(
            bench,
            scenario,
            proxies,
            None,
            measure=lambda proxy: bench.load.settled(proxy, scenario.path, scenario.connections, seconds),
        )


def wrk(bench, scenario):
    lua = scenario.lua() if callable(scenario.lua) else scenario.lua
    seconds = max(1, int(bench.args.seconds * scenario.stretch))
    return lambda proxy: bench.load.wrk(proxy, seconds, scenario.path, scenario.connections, lua, scenario.work.tls)


def h2load(bench, scenario):
    seconds, streams = max(1, int(bench.args.seconds * scenario.stretch)), scenario.options["streams"]
    return lambda proxy: bench.load.h2load(
        proxy, seconds, scenario.path, scenario.connections, streams, scenario.work.tls
    )


def load_of(bench, scenario):
    return (h2load if scenario.work.http2 else wrk)(bench, scenario)


def closed_loop(bench, scenario, prepare=None):
    with started(bench, scenario) as proxies:
        if prepare:
            prepare(proxies)
        load = load_of(bench, scenario)
        if scenario.warm:
            for proxy in proxies.values():
                load(proxy)
        return rounds_of(bench, scenario, proxies, load)


# ---- a store ----


def rate_limit_script():
    """The text that weir sends: the string literals of its header."""
    source = (HERE / "../../modules/rate_limit/redis_script.h").read_text()
    literals = re.findall(r'^\s*"((?:[^"\\]|\\.)*)"', source, re.M)
    return "".join(literals).replace("\\n", "\n").replace('\\"', '"')


def redis_stat(port, name):
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(b"INFO stats\r\n")
        text = b""
        while name not in text or not text.endswith(b"\r\n"):
            text += s.recv(65536)
    return int(re.search(name + rb":(\d+)", text).group(1))


def at_redis(scenario, port):
    work = dataclasses.replace(scenario.work, weir_top=scenario.work.weir_top.replace("REDIS", str(port)))
    return dataclasses.replace(scenario, work=work)


def with_redis(bench, scenario):
    port = free_port()
    redis = Process(
        bench.args.load_cpu,
        [
            "redis-server",
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            bench.peers.dir,
        ],
        port,
        bench.peers.dir,
    )
    try:
        bare, reads, script = [], [], rate_limit_script()
        load = wrk(bench, scenario)

        def counted(proxy):
            before = redis_stat(port, b"total_reads_processed")
            result = load(proxy)
            done = redis_stat(port, b"total_reads_processed") - before - 1  # the question itself
            if done > result["requests"] / 1000:
                reads.append(done / result["requests"])
            return result

        with started(bench, at_redis(scenario, port)) as proxies:
            rows = rounds_of(
                bench,
                scenario,
                proxies,
                counted,
                lambda: bare.append(bench.load.evalsha(port, scenario.connections, script)),
            )
        rows["weir"]["reads_per_request"] = statistics.median(reads)
        rows["weir"]["note"] = f"{rows['weir']['reads_per_request']:.2f} reads of redis per request"
        rows["bare EVALSHA"] = {k: median(bare, k) for k in bare[0]}
        return rows
    finally:
        redis.stop()


# ---- what is alive beside the traffic ----


def admin(bench, port, path):
    """The body of an answer of the admin listener."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(f"{bench.peers.dir}/admin-{port}.sock")
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        text = b""
        while piece := s.recv(65536):
            text += piece
    return text.partition(b"\r\n\r\n")[2].decode()


def generations(bench, port):
    return len(re.findall(r'"holders"', admin(bench, port, "/api/v1/generations")))


def reload_weir(bench, proxy):
    began = time.monotonic()
    subprocess.run(
        [*bench.load.pin, bench.args.weir, "reload", "--admin", f"unix:{bench.peers.dir}/admin-{proxy.port}.sock"],
        check=True,
        capture_output=True,
    )
    return time.monotonic() - began


def with_generations(bench, scenario):
    """Each older generation is held by a download that trickles."""
    alive, held = scenario.options["alive"], []

    def prepare(proxies):
        proxy = proxies["weir"]
        conf = pathlib.Path(f"{bench.peers.dir}/weir-{proxy.port}.conf")
        for i in range(alive - 1):
            s = socket.create_connection(("127.0.0.1", proxy.port))
            s.sendall(b"GET /slow/1m HTTP/1.1\r\nHost: bench\r\n\r\n")
            s.recv(1000)
            held.append(s)
            conf.write_text(conf.read_text() + f"route = /generation-{i} {{ respond 200 x; }}\n")
            reload_weir(bench, proxy)
        if generations(bench, proxy.port) != alive:
            sys.exit(f"{generations(bench, proxy.port)} generations are alive instead of {alive}")

    try:
        return closed_loop(bench, scenario, prepare)
    finally:
        for s in held:
            s.close()


def get(s):
    s.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n")
    answer = b""
    while b"\r\n\r\n" not in answer or b'"}' not in answer:
        answer += s.recv(65536)
    if not answer.startswith(b"HTTP/1.1 200"):
        sys.exit(f"not the origin's answer: {answer[:200]}")


def connect(proxy, tls):
    s = socket.create_connection(("127.0.0.1", proxy.port))
    return tls.wrap_socket(s) if tls else s


def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def idle(bench, scenario):
    """Connections that have had one answer and wait; what each adds to the anonymous memory of the process."""
    n, rows = scenario.options["connections"], {}
    tls = tls_context() if scenario.work.tls else None
    with started(bench, scenario) as proxies:
        for p, proxy in proxies.items():
            for _ in range(200):
                with connect(proxy, tls) as s:
                    get(s)
            before, clients = anonymous_kib(proxy.pid), []
            for _ in range(n):
                clients.append(connect(proxy, tls))
                get(clients[-1])
            rows[p] = {"bytes_each": (anonymous_kib(proxy.pid) - before) * 1024 / n, "rss_kib": rss_kib(proxy.pid)}
            rows[p]["note"] = f"{rows[p]['bytes_each']:.0f} bytes each"
            for s in clients:
                s.close()
    rows["weir"]["to_nginx"] = rows["weir"]["bytes_each"] / rows["nginx"]["bytes_each"]
    return rows


# ---- handshakes ----


def handshakes(bench, scenario):
    count = 300 * bench.args.seconds

    def load(proxy):
        out = subprocess.run(
            [
                *bench.load.pin,
                sys.executable,
                HERE / "handshakes.py",
                str(proxy.port),
                str(count),
                "resume" if scenario.options["resume"] else "full",
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        reused, p50, p99 = map(float, out.split())
        return {"requests": count, "rps": None, "p50": p50, "p99": p99, "bad": 0, "reused": reused}

    with started(bench, scenario) as proxies:
        rows = rounds_of(bench, scenario, proxies, load)
    for row in rows.values():
        row["note"] = f"{row['reused'] / count:.0%} resumed"
    return rows


# ---- starts and reloads ----


def state(proxy):
    """From exec until it accepts, and what it holds then."""
    sizes = {"rss_kib": rss_kib(proxy.pid), "pss_kib": pss_kib(proxy.pid), "peak_kib": peak_kib(proxy.pid)}
    return {"ready_s": proxy.ready_s, **sizes}


def start(bench, scenario):
    seen = {}
    for _ in range(bench.args.rounds):
        with started(bench, scenario) as proxies:
            proxies["weir, one process"] = bench.peers.weir(scenario.work, "--no-supervisor")
            time.sleep(0.2)
            for p, proxy in proxies.items():
                seen.setdefault(p, []).append(state(proxy))
    rows = {p: {k: median(r, k) for k in r[0]} for p, r in seen.items()}
    for row in rows.values():
        row["peak_ratio"] = row["peak_kib"] / row["rss_kib"]
        row["note"] = (
            f"accepts after {row['ready_s'] * 1000:.0f} ms, peak {row['peak_kib'] / 1024:.1f} MiB, "
            f"Pss {row['pss_kib'] / 1024:.1f} MiB"
        )
    return rows


def touch_routes(bench, p, proxy):
    """A file that is not the one that is loaded."""
    suffix = {"weir": "conf", "nginx": "conf", "haproxy": "cfg"}[p]
    path = pathlib.Path(f"{bench.peers.dir}/{p}-{proxy.port}.{suffix}")
    text = path.read_text()
    path.write_text(re.sub(r"/r17/", "/r17x/", text) if "/r17/" in text else text + "\n# changed\n")


def order_reload(bench, p, proxy):
    """Seconds it took, where the proxy says when it is done."""
    if p == "weir":
        return reload_weir(bench, proxy)
    os.kill(proxy.pid, signal.SIGHUP if p == "nginx" else signal.SIGUSR2)
    return None


def one_reload_round(bench, scenario, p, proxy):
    seconds, rate = 2 * bench.args.seconds, 8000
    steady = bench.load.steady_result(bench.load.steady(proxy, scenario.path, 32, rate, seconds))
    forget_peak(proxy.pid)
    before, took = rss_kib(proxy.pid), []
    load = bench.load.steady(proxy, scenario.path, 32, rate, seconds)
    for _ in range(2):
        time.sleep(seconds / 4)
        touch_routes(bench, p, proxy)
        took.append(order_reload(bench, p, proxy))
    during = bench.load.steady_result(load)
    return {
        **during,
        **{f"steady_{k}": steady[k] for k in ("p50", "p99", "max")},
        "rss_kib": rss_kib(proxy.pid),
        "peak_ratio": peak_kib(proxy.pid) / max(before, rss_kib(proxy.pid)),
        "took_s": max(took) if took[0] else 0,
    }


def reload(bench, scenario):
    """Two reloads under a fixed rate of 8,000 requests per second, against the same without."""
    rounds = {}
    with started(bench, scenario) as proxies:
        for _ in range(bench.args.rounds):
            for p, proxy in proxies.items():
                rounds.setdefault(p, []).append(one_reload_round(bench, scenario, p, proxy))
    rows = {p: {k: median(r, k) for k in r[0]} for p, r in rounds.items()}
    for p, row in rows.items():
        row["bad"] = sum(r["bad"] for r in rounds[p])
        row["p99_ratio"] = median([{"x": r["p99"] / r["steady_p99"]} for r in rounds[p]], "x")
        row["note"] = (
            f"max {row['max']:.1f} ms; steady {row['steady_p50']:.2f}/{row['steady_p99']:.2f}"
            f"/{row['steady_max']:.1f} ms; "
            f"p99 x {row['p99_ratio']:.1f}; peak x {row['peak_ratio']:.2f}"
            + (f"; took {row['took_s'] * 1000:.0f} ms" if row["took_s"] else "")
        )
    return rows
