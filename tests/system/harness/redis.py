"""A real redis-server of the test's own."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

from .ports import Port
from .wait import DEADLINE, eventually


class Redis:
    """On a port of 127.0.0.1 and on a unix socket; nothing is written to disk."""

    def __init__(self, password=None):
        self.dir = tempfile.mkdtemp(prefix="weir-redis-")
        self.port = Port()
        self.socket = os.path.join(self.dir, "r.sock")
        self.password = password
        self.process = None
        self.start()

    @property
    def url(self):
        return f"redis://{self.port}"

    def start(self):
        words = ["redis-server", "--port", str(self.port.number), "--bind", "127.0.0.1", "--unixsocket", self.socket,
                 "--save", "", "--appendonly", "no", "--dir", self.dir, "--daemonize", "no"]
        if self.password:
            words += ["--requirepass", self.password]
        self.process = subprocess.Popen(words, stdout=open(os.path.join(self.dir, "log"), "ab"), stderr=subprocess.STDOUT)
        eventually(self.answers, "an answer of redis-server")

    def answers(self):
        try:
            return self.command("PING") == "PONG"
        except (OSError, EOFError):
            assert self.process.poll() is None, open(os.path.join(self.dir, "log")).read()
            return False

    def pause(self):
        """It keeps its connections and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.resume()
        self.kill()
        self.port.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    # ---- RESP, enough of it to look inside ----

    @contextlib.contextmanager
    def connect(self):
        """For `talk`."""
        with socket.socket() as s:
            s.settimeout(DEADLINE)
            s.connect(self.port.address)
            f = s.makefile("rwb")
            if self.password:
                self.talk(f, ("AUTH", self.password))
            yield f

    def command(self, *words):
        with self.connect() as f:
            return self.talk(f, words)

    def talk(self, f, words):
        parts = [str(w).encode() for w in words]
        f.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        f.flush()
        return self.reply(f)

    def reply(self, f):
        line = f.readline()
        if not line:
            raise EOFError("redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise AssertionError(rest.decode())
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else f.read(int(rest) + 2)[:-2].decode("latin-1")
        return [self.reply(f) for _ in range(int(rest))]

    def keys(self):
        return self.command("KEYS", "*")


class FakeRedis:
    """Something in a Redis' place that answers each piece it reads with answer(piece), right or wrong."""

    def __init__(self, answer):
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with sock:
            try:
                while piece := sock.recv(65536):
                    sock.sendall(self.answer(piece))
            except OSError:
                pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
