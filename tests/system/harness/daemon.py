"""A real weir under test."""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading

from .client import Conn
from .message import Closed, Reader
from .ports import Port
from .wait import DEADLINE, eventually

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
BINARY = os.environ.get("WEIR_BIN", os.path.join(TOP, "build", "root", "sbin", "weir"))

# So many workers for every daemon, whatever its configuration says: for runs under ThreadSanitizer.
WORKERS = os.environ.get("WEIR_TEST_WORKERS")

# What every daemon of a test has, unless its own configuration says otherwise. It stands behind it, so that lines keep their numbers.
PRELUDE = [
    ("workers", f"workers {WORKERS or 2};"),
    ("access_log", "access_log stdout format=json;"),
    ("admin", "admin { bind unix:@ADMIN@; }"),
    ("listener", "listener main { bind @LISTEN@; }"),
    ("drain", "drain { lag 0s; timeout 5s; }"),
]

REPORT = re.compile(r"(ERROR|WARNING): (Address|Leak|Thread|Undefined\w*)Sanitizer|runtime error:")


def sanitized():
    """Whether the binary is a sanitized one: memory and time are then no measure of anything."""
    if not hasattr(sanitized, "answer"):
        with open(BINARY, "rb") as f:
            data = f.read()
        sanitized.answer = b"__asan_init" in data or b"__tsan_init" in data
    return sanitized.answer


def environment(extra=None):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("NOTIFY_", "LISTEN_", "WATCHDOG_"))}
    env.update(ASAN_OPTIONS="exitcode=99:detect_leaks=1:abort_on_error=0:" + env.get("ASAN_OPTIONS", ""),
               UBSAN_OPTIONS="print_stacktrace=1:" + env.get("UBSAN_OPTIONS", ""),
               TSAN_OPTIONS="exitcode=99:" + env.get("TSAN_OPTIONS", ""))
    env.update(extra or {})
    return env


def run_weir(*words, cwd=None, env=None, timeout=60):
    """A command of weir, run to its end."""
    done = subprocess.run([BINARY, *map(str, words)], cwd=cwd, env=environment(env), capture_output=True, text=True, timeout=timeout)
    assert not REPORT.search(done.stderr), done.stderr
    assert done.returncode >= 0, f"weir {words[0]} was killed by signal {-done.returncode}:\n{done.stderr}"
    return done


class Lines:
    """The lines of a pipe, read as they come; anybody may wait for one."""

    def __init__(self, pipe, parse=lambda line: line):
        self.all = []
        self.news = threading.Condition()
        self.ended = False
        self.thread = threading.Thread(target=self.read, args=(pipe, parse), daemon=True)
        self.thread.start()

    def read(self, pipe, parse):
        for line in pipe:
            with self.news:
                self.all.append(parse(line.rstrip("\n")))
                self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()

    def wait(self, good, what, deadline=DEADLINE):
        """The first line, come or to come, for which good(line)."""
        def first():
            return next((x for x in self.all if good(x)), None)
        with self.news:
            self.news.wait_for(lambda: first() is not None or self.ended, deadline)
            found = first()
            assert found is not None, f"no {what} in:\n" + "\n".join(str(x) for x in self.all[-40:])
            return found

    def count(self, good=lambda x: True):
        with self.news:
            return sum(1 for x in self.all if good(x))

    @property
    def text(self):
        with self.news:
            return "\n".join(str(x) for x in self.all)


class Weir:
    """conf may hold @NAME@: the values given by name, and ADMIN, LISTEN, DIR. What PRELUDE holds is added unless conf has it, or
    own names it as something that shall not be there."""

    def __init__(self, conf, ready=True, host="127.0.0.1", env=None, use=(), own=(), read_log=True, supervised=False, binary=None, prefix=(), words=(), pass_fds=(), sign=True, **values):
        self.dir = tempfile.mkdtemp(prefix="weir-test-", dir="/tmp")  # short: unix sockets allow 107 characters
        self.admin_path = os.path.join(self.dir, "a.sock")
        self.path = os.path.join(self.dir, "gateway.conf")
        self.port = Port(host)
        self.values = {"ADMIN": self.admin_path, "LISTEN": self.port, "DIR": self.dir, **values}
        self.use = list(use)
        self.own = set(own)
        self.env = environment(env)
        self.command = [*prefix, binary or BINARY, "run", "-c", "gateway.conf", *([] if supervised else ["--no-supervisor"]), *words]
        self.pass_fds = pass_fds
        self.process = None
        self.sign = sign and not re.search(r"^\s*error_log (?!stderr)", conf, re.M)  # whether stderr says that it serves
        self.write(conf)
        self.start(ready, read_log)

    # ---- life ----

    def text(self, conf):
        if WORKERS:
            conf = re.sub(r"^\s*workers\s+\w+;", f"workers {WORKERS};", conf, flags=re.M)
        own = self.own | set(re.findall(r"^\s*([a-z_]+)\b", conf, re.M))
        if self.use and "use" not in own:
            conf += "\nuse " + " ".join(self.use) + ";\n"
        conf += "\n" + "\n".join(line for name, line in PRELUDE if name not in own) + "\n"
        return re.sub(r"@(\w+)@", lambda m: str(self.values[m[1]]), conf)

    def write(self, conf, **values):
        """What the next load will find."""
        self.values.update(values)
        with open(self.path + ".new", "w") as f:
            f.write(self.text(conf))
        os.rename(self.path + ".new", self.path)

    def start(self, ready=True, read_log=True):
        self.stopped = False
        self.process = subprocess.Popen(self.command, env=self.env, stdin=subprocess.DEVNULL, cwd=self.dir, pass_fds=self.pass_fds,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
        if read_log:
            self.read_log()
        self.stderr = Lines(self.process.stderr)
        try:
            if self.sign:
                self.stderr.wait(lambda line: "weir is serving" in line, "sign of serving", 60)
            if ready:
                eventually(self.is_ready, "readiness", 60)
        except BaseException:
            self.kill()
            raise

    def is_ready(self):
        try:
            return self.admin("GET", "/ready")[0] == 200
        except OSError:
            if self.sign:  # it has said that it serves
                raise
            return False

    def read_log(self):
        """Reads the access log from now on."""
        self.log = Lines(self.process.stdout, json.loads)

    def serving(self):
        """The processes that a supervisor has started."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as f:
            return [int(pid) for pid in f.read().split()]

    def signal(self, number):
        self.process.send_signal(number)

    @contextlib.contextmanager
    def paused(self):
        """All that comes meanwhile is there at once when it goes on: events of one turn, in the order in which they came."""
        tasks = f"/proc/{self.process.pid}/task"

        def stands():
            states = []
            for task in os.listdir(tasks):
                with open(f"{tasks}/{task}/stat", encoding="ascii", errors="replace") as f:
                    states.append(f.read().rsplit(")", 1)[1].split()[0])
            return set(states) == {"T"}
        self.signal(signal.SIGSTOP)
        try:
            eventually(stands, "standstill")
            yield
        finally:
            self.signal(signal.SIGCONT)

    def wait(self, deadline=60):
        """Waits for its end; the exit code. Any report of a sanitizer is an error."""
        try:
            code = self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"weir did not end in {deadline} s:\n" + self.stderr.text) from None
        self.stopped = True
        self.stderr.thread.join(DEADLINE)
        self.log.thread.join(DEADLINE)
        assert not REPORT.search(self.stderr.text), self.stderr.text
        return code

    def stop(self):
        """Drains, and expects a clean end."""
        if not self.stopped:
            assert self.process.poll() is None, f"weir died with {self.process.returncode}:\n{self.stderr.text}"
            self.signal(signal.SIGTERM)
            code = self.wait()
            assert code == 0, f"exit code {code}:\n{self.stderr.text}"

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.stopped = True

    def close(self):
        try:
            self.stop()
        finally:
            self.kill()
            self.port.close()
            shutil.rmtree(self.dir, ignore_errors=True)

    # ---- clients ----

    def connect(self, **how):
        return Conn(self.port.address, **how)

    def request(self, method, target, headers=(), body=None, **how):
        """One request on a connection of its own."""
        with self.connect() as c:
            return c.request(method, target, headers, body, **how)

    def get(self, target, headers=(), **how):
        return self.request("GET", target, headers, **how)

    def post(self, target, body=b"", headers=(), **how):
        return self.request("POST", target, headers, body, **how)

    # ---- what it says of itself ----

    def access(self, deadline=DEADLINE, **members):
        """The first line of the access log with these members."""
        return self.log.wait(lambda r: all(r.get(k) == v for k, v in members.items()), f"access log line with {members}", deadline)

    def logged(self, response):
        """The access log line of a response."""
        return self.access(request_id=response.id)

    def admin_response(self, method, path, body=None, headers=()):
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        with Conn(self.admin_path) as c:
            return c.request(method, path, headers, body)

    def admin(self, method, path, body=None):
        """Status and JSON."""
        r = self.admin_response(method, path, body)
        return r.status, r.json if r.body else None

    def view(self, name):
        status, value = self.admin("GET", "/api/v1/" + name)
        assert status == 200, (status, value)
        return value

    def upstream(self, name):
        return next(u for u in self.view("upstreams") if u["name"] == name)

    def endpoint(self, upstream, address):
        return next(e for e in self.upstream(upstream)["endpoints"] if e["address"] == str(address))

    def reload(self, conf=None, **values):
        """Loads anew through the admin listener; status and JSON."""
        if conf is not None:
            self.write(conf, **values)
        return self.admin("POST", "/api/v1/reload")

    def metrics(self):
        """[(name, labels, value)]"""
        found = []
        for line in self.admin_response("GET", "/metrics").text.splitlines():
            if line and not line.startswith("#"):
                m = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
                assert m, line
                found.append((m[1], dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', m[2] or "")), float(m[3])))
        return found

    def metric(self, name, **labels):
        """Sum of all series of a name with these labels; None: there is none."""
        values = [v for n, l, v in self.metrics() if n == name and labels.items() <= l.items()]
        return sum(values) if values else None

    def resident(self):
        """Resident memory in bytes."""
        with open(f"/proc/{self.process.pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


__all__ = ["BINARY", "Closed", "Reader", "TOP", "Weir", "run_weir", "sanitized"]
