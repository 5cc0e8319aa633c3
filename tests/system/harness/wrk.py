"""Load by wrk."""
import os
import signal
import subprocess

# Each thread asks in turn for what @REQUESTS@ names and counts what comes. Responses of many connections come in any order, so that each is
# told by its status and body, not by its turn.
SCRIPT = """
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init()
    made = { @REQUESTS@ }
    n = 0
    counts = ""
    seen = {}
end
function request()
    n = n + 1
    return made[n % #made + 1]
end
function response(status, headers, body)
    local what = status .. " " .. (body:match('"reason":"([a-z_]+)"') or body:match("^%a+") or "?")
    seen[what] = (seen[what] or 0) + 1
    local t = {}
    for k, v in pairs(seen) do t[#t + 1] = k .. "=" .. v end
    counts = table.concat(t, ";")
end
function done(summary, latency)
    local e = summary.errors
    for _, t in ipairs(threads) do print("COUNTS " .. t:get("counts")) end
    print(string.format("ERRORS %d %d %d %d", e.connect, e.read, e.write, e.timeout))
    print("REQUESTS " .. summary.requests)
    print("P99 " .. latency:percentile(99))
end
"""


class Wrk:
    """One run. requests: a path, or a path and what stands in Authorization, in the order in which they are asked for."""

    def __init__(self, directory, to, requests, seconds, connections=200):
        made = []
        for r in requests:
            path, token = (r, None) if isinstance(r, str) else r
            made.append(f'wrk.format("GET", "{path}"' + (f', {{ Authorization = "{token}" }})' if token else ")"))
        script = directory / "load.lua"
        script.write_text(SCRIPT.replace("@REQUESTS@", ", ".join(made)))
        self.process = subprocess.Popen(["wrk", "-t", "2", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "30s", "-s", str(script),
                                         f"http://{to}"], stdout=subprocess.PIPE, text=True, env=dict(os.environ))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()

    def running(self):
        return self.process.poll() is None

    def stop(self):
        """Ends it before its time; the result is that of what was done."""
        self.process.send_signal(signal.SIGINT)

    def result(self, errors=False):
        """Number of requests, and how many were answered with what. errors: connections may fail."""
        out, _ = self.process.communicate(timeout=110)
        assert self.process.returncode == 0, out
        got, failed, requests = {}, None, 0
        self.p99 = None  # of the latencies, in seconds
        for line in out.splitlines():
            word, _, rest = line.partition(" ")
            if word == "COUNTS":
                for pair in filter(None, rest.split(";")):
                    what, _, n = pair.rpartition("=")
                    got[what] = got.get(what, 0) + int(n)
            elif word == "ERRORS":
                failed = [int(n) for n in rest.split()]
            elif word == "P99":
                self.p99 = float(rest) / 1e6
            elif word == "REQUESTS":
                requests = int(rest)
        assert errors or failed == [0, 0, 0, 0], f"connect, read, write, timeout: {failed}"
        return requests, got
