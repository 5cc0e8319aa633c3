"""Stock servers as origins."""
import shutil
import subprocess
import tempfile

from .client import Conn
from .ports import Port
from .wait import eventually


class Peer:
    """A daemon in the foreground with a configuration of its own, in which @LISTEN@ and @DIR@ stand for what it was given."""

    def __init__(self, conf):
        self.dir = tempfile.mkdtemp(prefix="weir-peer-", dir="/tmp")
        self.port = Port()
        self.file = self.dir + "/conf"
        with open(self.file, "w", encoding="ascii") as f:
            f.write(self.text(conf).replace("@LISTEN@", str(self.port)).replace("@DIR@", self.dir))
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        eventually(self.listens, f"{self.command()[0]} to listen")

    def stop(self):
        self.process.terminate()
        self.process.communicate(timeout=60)

    def restart(self):
        self.stop()
        self.start()

    def listens(self):
        assert self.process.poll() is None, self.process.stdout.read()
        try:
            Conn(self.port.address).close()
        except OSError:
            return False
        return True

    def close(self):
        self.stop()
        self.port.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __str__(self):
        return str(self.port)


class Nginx(Peer):
    """conf: what stands in its one `server` block; `listen` needs reuseport, since the port is held."""

    def text(self, conf):
        paths = "".join(f"{kind}_temp_path @DIR@/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return f"""daemon off; worker_processes 1; pid @DIR@/pid; error_log stderr;
events {{ worker_connections 64; }}
http {{ access_log off; {paths} server {{ {conf} }} }}
"""

    def command(self):
        return ["nginx", "-c", self.file, "-p", self.dir, "-e", "stderr"]


class HaProxy(Peer):
    def text(self, conf):
        return "global\n    maxconn 64\ndefaults\n    mode http\n    timeout connect 5s\n    timeout client 20s\n    timeout server 20s\n" + conf

    def command(self):
        return ["haproxy", "-db", "-f", self.file]
