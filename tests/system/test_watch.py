"""`watch on;`: files that change are loaded by themselves, however they are replaced."""
import os
import shutil
import subprocess
import tempfile

import pytest

from harness import Conn, eventually, run_weir

CONF = """watch on;
log_level info;
route / { respond 200 @SAYS@; }
"""


def says(w, what, path="/"):
    eventually(lambda: w.get(path).text == what, f"`{what}` from {path}")


def generation(w):
    return w.view("status")["generation"]


def reached(w, n):
    """A worker may serve by a generation a moment before the status says so."""
    eventually(lambda: generation(w) >= n, f"generation {n}")
    assert generation(w) == n


def settled(w):
    """The generation when every reload that was begun is over, and all files are watched: from now on only an event can tell."""
    def calm():  # a change is said before its load begins
        said = [line for line in w.stderr.all if any(word in line for word in (
            "has changed", "is live", "reload failed", "waiting for a change"))]
        return said and "waiting for a change" in said[-1]
    eventually(calm, "calm")
    return generation(w)


def watches(w):
    fds = f"/proc/{w.process.pid}/fd"

    def kind(fd):
        try:
            return os.readlink(os.path.join(fds, fd))
        except FileNotFoundError:  # closed since
            return None
    return sum(kind(fd) == "anon_inode:inotify" for fd in os.listdir(fds))


def put(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


def test_off_by_default(weir):
    w = weir("route / { respond 200; }")
    assert watches(w) == 0
    assert w.reload(CONF, SAYS="one")[0] == 200
    eventually(lambda: watches(w) == 1, "the watch")
    w.write(CONF.replace("watch on;", "watch off;"), SAYS="two")
    says(w, "two")
    eventually(lambda: watches(w) == 0, "the watch to end")


def test_the_file_itself(weir):
    w = weir(CONF, SAYS="one")
    settled(w)
    w.write(CONF, SAYS="two")  # renamed over
    says(w, "two")
    w.stderr.wait(lambda line: "watch: " in line and "gateway.conf has changed" in line, "a line that says so")
    settled(w)
    put(w.path, w.text(CONF.replace("@SAYS@", "three")))  # written in place
    says(w, "three")
    settled(w)
    os.remove(w.path)
    w.stderr.wait(lambda line: "reload failed" in line, "a load without a file")
    says(w, "three")
    settled(w)
    w.write(CONF, SAYS="four")
    says(w, "four")
    # What is written anew but says the same is no reason to reload.
    before = settled(w)
    w.write(CONF, SAYS="four")
    os.utime(w.path)
    w.write(CONF, SAYS="five")
    says(w, "five")
    reached(w, before + 1)


def test_a_bad_file_leaves_what_runs(weir):
    w = weir(CONF, SAYS="one")
    settled(w)
    w.write("watch on;\nlog_level info;\nnonsense;")
    w.stderr.wait(lambda line: "reload failed, the running configuration stays" in line and "nonsense" in line, "the failure")
    says(w, "one")
    assert generation(w) == 1 and w.metric("weir_config_last_reload_success") == 0
    assert w.view("generations")[0]["reload"]["ok"] is False
    settled(w)
    w.write(CONF, SAYS="two")
    says(w, "two")
    reached(w, 2)
    assert w.metric("weir_config_last_reload_success") == 1
    assert w.stderr.count(lambda line: "reload failed" in line) == 1


def test_included_files(weir):
    w = weir("watch on;\nlog_level info;\ninclude conf.d/*.conf;\nroute / { respond 200 top; }")
    d = os.path.join(w.dir, "conf.d")
    settled(w)
    put(d + "/a.conf", "route /a { respond 200 a; }")  # in a directory that was not there
    says(w, "a", "/a")
    settled(w)
    put(d + "/b.conf", "route /b { respond 200 b; }\ninclude ../more.inc;")
    w.stderr.wait(lambda line: "more.inc" in line, "word of what is missing")
    settled(w)
    put(w.dir + "/more.inc", "route /c { respond 200 c; }")
    says(w, "c", "/c")
    settled(w)
    put(w.dir + "/more.inc", "route /c { respond 200 d; }")
    says(w, "d", "/c")
    settled(w)
    os.remove(d + "/b.conf")
    says(w, "top", "/b")
    says(w, "top", "/c")
    before = settled(w)
    put(d + "/not-included", "nonsense;")
    put(d + "/e.conf", "route /e { respond 200 e; }")
    says(w, "e", "/e")
    reached(w, before + 1)


def test_values_and_links(weir, tmp_path):
    """The value's file is behind links, one of them in the middle of its path."""
    for n in "12":
        put(f"{tmp_path}/releases/{n}/value", f"release{n}\n")
    os.symlink("releases/1", tmp_path / "current")
    w = weir('watch on;\nlog_level info;\nroute / { respond 200 "${file:@V@}"; }', V=tmp_path / "current" / "value")
    says(w, "release1")
    settled(w)
    os.symlink("releases/2", tmp_path / "new")
    os.rename(tmp_path / "new", tmp_path / "current")
    says(w, "release2")
    settled(w)
    put(f"{tmp_path}/releases/2/value", "again\n")
    says(w, "again")
    settled(w)
    shutil.rmtree(tmp_path / "releases" / "2")
    w.stderr.wait(lambda line: "reload failed" in line, "the failure")
    settled(w)
    put(f"{tmp_path}/releases/2/value", "back\n")
    says(w, "back")


class ConfigMap:
    """A directory as kubelet writes it: files are links through ..data, which is exchanged as a whole."""

    def __init__(self, path):
        self.path, self.n = path, 0

    def write(self, **files):
        self.n += 1
        put_in = os.path.join(self.path, f"..2026_{self.n}")
        os.makedirs(put_in)
        for name, text in files.items():
            put(os.path.join(put_in, name), text)
        os.symlink(f"..2026_{self.n}", os.path.join(self.path, "..data_tmp"))
        os.rename(os.path.join(self.path, "..data_tmp"), os.path.join(self.path, "..data"))
        for name in files:
            link = os.path.join(self.path, name)
            if not os.path.lexists(link):
                os.symlink(f"..data/{name}", link)
        if self.n > 2:  # what was exchanged before: the exchange itself is all that can be seen
            shutil.rmtree(os.path.join(self.path, f"..2026_{self.n - 2}"))


def test_a_config_map(weir, tmp_path):
    m = ConfigMap(tmp_path / "cm")
    w = weir(CONF, SAYS="own")
    settled(w)
    m.write(**{"gateway.conf": w.text(CONF.replace("@SAYS@", "one"))})
    os.symlink(m.path / "gateway.conf", w.path + ".new")
    os.rename(w.path + ".new", w.path)
    says(w, "one")
    for n in range(2, 6):
        settled(w)
        m.write(**{"gateway.conf": w.text(CONF.replace("@SAYS@", f"version{n}"))})
        says(w, f"version{n}")
    settled(w)
    m.write(**{"gateway.conf": "nonsense;"})
    w.stderr.wait(lambda line: "reload failed" in line, "the failure")
    settled(w)
    m.write(**{"gateway.conf": w.text(CONF.replace("@SAYS@", "last"))})
    says(w, "last")


def certificate(d, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-keyout", f"{d}/tls.key.new", "-out", f"{d}/tls.crt.new"],
                   check=True, capture_output=True)


def test_certificates(weir, tmp_path):
    import ssl
    certificate(tmp_path, "first")
    for f in "tls.key", "tls.crt":
        os.rename(tmp_path / (f + ".new"), tmp_path / f)
    w = weir("watch on;\nlog_level info;\nlistener main { bind @LISTEN@; tls { certificate @D@/tls.crt; key @D@/tls.key; } }\nroute / { respond 200; }", D=tmp_path)

    def serial():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with Conn(w.port.address, tls=context) as c:
            return c.sock.getpeercert(True)
    before = serial()
    settled(w)
    certificate(tmp_path, "second")
    for f in "tls.key", "tls.crt":  # one after the other: together they are quiet
        os.rename(tmp_path / (f + ".new"), tmp_path / f)
    eventually(lambda: serial() != before, "the new certificate")
    # A dry run would have said that it is another one.
    w.write("watch off;\nlistener main { bind @LISTEN@; tls { certificate @D@/tls.crt; key @D@/tls.key; } }\nroute / { respond 200; }")
    eventually(lambda: watches(w) == 0, "the watch to end")
    certificate(tmp_path, "third")
    for f in "tls.key", "tls.crt":
        os.rename(tmp_path / (f + ".new"), tmp_path / f)
    done = run_weir("reload", "--dry", "--admin", "unix:" + w.admin_path)
    assert done.returncode == 0 and f"files\n  ~ {tmp_path}/tls.crt\n      another content\n" in done.stdout


def test_many_changes_are_few_reloads(weir):
    w = weir(CONF, SAYS="one")
    settled(w)
    for n in range(200):
        w.write(CONF, SAYS=f"change{n}")
    says(w, "change199")
    asked = w.stderr.count(lambda line: "has changed" in line)
    reached(w, 1 + asked)
    assert 1 <= asked <= 10


@pytest.mark.workers
def test_changes_and_orders_together(weir):
    w = weir(CONF, SAYS="one")
    for n in range(20):
        w.write(CONF, SAYS=f"change{n}")
        assert w.reload()[0] == 200
        assert w.get("/").text == f"change{n}"
    w.write(CONF, SAYS="last")
    says(w, "last")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_files_that_only_root_may_read(weir):
    """They are judged from outside, and read by root again when they have changed; nothing is loaded again and again."""
    d = tempfile.mkdtemp(prefix="weir-test-", dir="/tmp")
    os.chmod(d, 0o755)

    def new_key(name):
        certificate(d, name)
        for f in "tls.key", "tls.crt":
            os.chmod(f"{d}/{f}.new", 0o600)
            os.rename(f"{d}/{f}.new", f"{d}/{f}")
    try:
        new_key("first")
        put(d + "/inc.conf", "route /i { respond 200 one; }")
        w = weir("user nobody;\nwatch on;\nlog_level info;\nlistener main { bind @LISTEN@; }\nlistener secure { bind @P@; tls { certificate @D@/tls.crt; key @D@/tls.key; } }\n"
                 "include @D@/inc.conf;", D=d, P="unix:@DIR@/tls.sock".replace("@DIR@", d), supervised=True, own=["listener"])
        settled(w)
        put(d + "/inc.conf", "route /i { respond 200 two; }")
        says(w, "two", "/i")
        reached(w, 2)
        settled(w)
        new_key("second")
        reached(w, 3)
        settled(w)
        put(d + "/inc.conf", "route /i { respond 200 three; }")
        says(w, "three", "/i")
        reached(w, 4)
        w.stop()
    finally:
        shutil.rmtree(d)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_directory_that_is_closed(weir):
    """A key that lies where only root may look is none of the watch's business, and no reason to watch the rest less well."""
    d = tempfile.mkdtemp(prefix="weir-test-", dir="/tmp")
    os.chmod(d, 0o755)
    os.mkdir(d + "/private", 0o700)
    try:
        certificate(d, "weir.test")
        for f in "tls.key", "tls.crt":
            os.rename(f"{d}/{f}.new", f"{d}/private/{f}")
        put(d + "/inc.conf", "route /i { respond 200 zero; }")
        w = weir("user nobody;\nwatch on;\nlog_level info;\nlistener main { bind @LISTEN@; }\n"
                 "listener secure { bind unix:@D@/tls.sock; tls { certificate @D@/private/tls.crt; key @D@/private/tls.key; } }\n"
                 "include @D@/inc.conf;", D=d, supervised=True, own=["listener"])
        for n in range(3):
            settled(w)
            put(d + "/inc.conf", f"route /i {{ respond 200 {n}; }}")
            says(w, str(n), "/i")
            reached(w, n + 2)
        settled(w)
        assert w.stderr.count(lambda line: "files are looked at every" in line) == 0
        w.stop()
    finally:
        shutil.rmtree(d)
