"""Load on the proxies: closed loops by wrk and h2load, fixed rates by steady.c, redis-benchmark for the bare store. All
of it on the load's CPU."""
import csv
import io
import os
import re
import subprocess

from process import cpu_ns, cpu_ticks, rss_kib, user_share


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}[unit]


class Load:
    def __init__(self, args, directory):
        self.args, self.dir = args, directory
        self.pin = ["taskset", "-c", str(args.load_cpu)]

    def wrk(self, proxy, seconds, path, connections, lua, tls):
        script = os.path.join(self.dir, "load.lua")
        with open(script, "w") as f:
            f.write(lua)
        out = subprocess.run(
            [
                *self.pin,
                "wrk",
                "-t1",
                f"-c{connections}",
                f"-d{seconds}s",
                "--latency",
                "--timeout",
                "20s",
                "-s",
                script,
                f"http{'s' if tls else ''}://127.0.0.1:{proxy.port}{path}",
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
        latency = dict(re.findall(r"(50|99)%\s+([\d.]+\w+)", out))
        return {
            "requests": int(re.search(r"(\d+) requests in", out).group(1)),
            "rps": float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)),
            "p50": milliseconds(latency["50"]),
            "p99": milliseconds(latency["99"]),
            "bad": (int(bad.group(1)) if bad else 0) + (sum(map(int, errors.groups())) if errors else 0),
        }

    def h2load(self, proxy, seconds, path, connections, streams, tls):
        """A closed loop of HTTP/2: so many requests at a time on each connection. It tells no percentiles."""
        argv = ["h2load", "-t1", f"-c{connections}", f"-m{streams}", f"-D{seconds}", "--warm-up-time=0"]
        out = subprocess.run(
            [*self.pin, *argv, f"http{'s' if tls else ''}://127.0.0.1:{proxy.port}{path}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        done, failed, errored = map(
            int, re.search(r"(\d+) done, \d+ succeeded, (\d+) failed, (\d+) errored", out).groups()
        )
        other = sum(map(int, re.search(r"2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", out).groups()))
        return {
            "requests": done,
            "rps": float(re.search(r"([\d.]+) req/s", out).group(1)),
            "p50": None,
            "p99": None,
            "bad": failed + errored + other,
        }

    def measure(self, proxy, load):
        """`load` is called with nothing, and says how many requests there were."""
        before, ticks = cpu_ns(proxy.pid), cpu_ticks(proxy.pid)
        result = load()
        result["cpu_us"] = (cpu_ns(proxy.pid) - before) / 1000 / max(result["requests"], 1)
        result["user_us"] = result["cpu_us"] * user_share(ticks, cpu_ticks(proxy.pid))
        result["rss_kib"] = rss_kib(proxy.pid)
        return result

    def steady(self, proxy, path, clients, rate, seconds):
        """Starts a fixed rate of requests, spread over the clients; ended by steady_result. Rate 0: a closed loop."""
        numbers = map(str, (clients, rate, seconds))
        argv = [*self.pin, os.path.join(self.args.programs, "steady"), str(proxy.port), path, *numbers]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)

    @staticmethod
    def steady_result(process):
        answered, failed, *times = map(int, process.communicate(timeout=120)[0].split())
        return {"requests": answered, "bad": failed, **dict(zip(("p50", "p99", "max"), (t / 1000 for t in times)))}

    def settled(self, proxy, path, clients, seconds):
        """A closed loop of which only the time counts in which all connections are there already."""
        process = self.steady(proxy, path, clients, 0, seconds)
        if process.stdout.readline() != "go\n":
            raise RuntimeError("the connections were not made")
        before, ticks = cpu_ns(proxy.pid), cpu_ticks(proxy.pid)
        row = process.stdout.readline()  # it is still to end its connections
        spent, share = cpu_ns(proxy.pid) - before, user_share(ticks, cpu_ticks(proxy.pid))
        process.communicate(timeout=120)
        answered, failed, *times = map(int, row.split())
        return {
            "requests": answered,
            "rps": answered / seconds,
            "bad": failed,
            **dict(zip(("p50", "p99"), (t / 1000 for t in times))),
            "cpu_us": spent / 1000 / answered,
            "user_us": spent / 1000 / answered * share,
            "rss_kib": rss_kib(proxy.pid),
        }

    def evalsha(self, redis_port, connections, script):
        """The bare rate of the store for one script, as its own benchmark reaches it."""
        cli = ["redis-cli", "-p", str(redis_port)]
        sha = subprocess.run(
            [*cli, "script", "load", script], capture_output=True, text=True, check=True
        ).stdout.strip()
        n = 20000 if connections == 1 else 60000
        out = subprocess.run(
            [
                *self.pin,
                "redis-benchmark",
                "-p",
                str(redis_port),
                "-c",
                str(connections),
                "-n",
                str(n),
                "--csv",
                "EVALSHA",
                sha,
                "1",
                "weir:{bench:1}",
                "0.001",
                "1000000.000",
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        row = list(csv.DictReader(io.StringIO(out[out.index('"test"') :])))[0]
        return {
            "requests": n,
            "rps": float(row["rps"]),
            "p50": float(row["p50_latency_ms"]),
            "p99": float(row["p99_latency_ms"]),
            "bad": 0,
        }
