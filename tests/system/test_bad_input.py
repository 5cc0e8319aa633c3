"""What operators get wrong: each is one clear line that names the thing and says what to do; and the daemon outlives what it is sent."""
import os
import random
import socket

import pytest

from harness import FakeRedis, Port, eventually, run_weir

GOOD = "listener l { bind 127.0.0.1:@FREE@; }\nroute / { respond 200 x; }\n"


@pytest.fixture
def start(tmp_path):
    """Starts a daemon that must refuse to: its one line of error and the hint, without the source line and the caret."""
    port = Port()

    def run(text, name="gateway.conf", env=None, **values):
        (tmp_path / "gateway.conf").write_text(text.replace("@FREE@", str(port.number)))
        done = run_weir("run", "-c", name, cwd=tmp_path, env=env)
        lines = done.stderr.splitlines()
        assert done.returncode == 1 and done.stdout == ""
        assert len(lines) == 1 or (len(lines) in (3, 4) and lines[2].strip() == "^"), done.stderr
        return " ".join(lines[:1] + lines[3:])
    yield run
    port.close()


def test_no_configuration(start):
    assert start(GOOD, "nothing.conf") == "nothing.conf: error: cannot read the configuration: No such file or directory"
    assert start(GOOD, ".") == ".: error: cannot read the configuration: Is a directory"


@pytest.mark.parametrize("where", ["listener l", "admin"])
def test_a_port_that_is_taken(start, where):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        number = other.getsockname()[1]
        text = (GOOD if where == "admin" else "route / { respond 200 x; }\n") + where + " { bind 127.0.0.1:%d; }\n" % number
        line = start(text)
    assert line.startswith("gateway.conf:") and f"127.0.0.1:{number}: address already in use" in line and "ss -ltnp" in line


def test_a_port_that_another_weir_has(weir, start):
    """SO_REUSEPORT would let both serve in turns."""
    w = weir("route / { respond 200 x; }")
    line = start("listener l { bind 127.0.0.1:%d; }\nroute / { respond 200 x; }\n" % w.port.number)
    assert "address already in use" in line
    line = start(GOOD + f"admin {{ bind unix:{w.admin_path}; }}\n")
    assert "address already in use" in line
    assert w.get("/").status == 200 and w.admin("GET", "/health")[0] == 200


def test_a_socket_that_a_dead_weir_left(weir):
    w = weir("route / { respond 200 x; }")
    w.kill()
    assert os.path.exists(w.admin_path)
    w.stopped = False
    w.start()
    assert w.get("/").status == 200


@pytest.mark.parametrize("text,expected", [
    ("use nothing;\n", "no module `nothing`: there is no nothing.so in"),
    ("modules /nowhere;\nuse jwt;\n", "no module `jwt`: there is no jwt.so in /nowhere; `modules DIR;` says where modules are"),
    ("listener s { bind 127.0.0.1:1; tls { certificate no.crt; key no.key; } }\n", "no.crt: the certificate cannot be read: No such file"),
    ("include no.conf;\n", "cannot include `no.conf`: No such file or directory"),
    ("listener s { bind 127.0.0.1:${env.WEIR_NOPE}; }\n", "the environment variable `WEIR_NOPE` is not set"),
    ("route /f { respond 200 ${file:nope}; }\n", "cannot take the file `nope`: No such file or directory"),
    ("listener s { bind 192.0.2.1:8080; }\n", "192.0.2.1:8080: no interface of this host has this address"),
    ("access_log /nowhere/log;\n", "cannot open /nowhere/log: No such file or directory"),
    ("admin { bind unix:/nowhere/a.sock; }\n", "unix:/nowhere/a.sock: the directory does not exist"),
    ("rout /x { respond 200 x; }\n", "did you mean `route`?"),
    ("use jwt;\nroute /j { jwt { audience any; key file:no.pem alg=RS256; } respond 200 x; }\n", "no.pem"),
    ("use jwt;\nroute /j { jwt { audience any; jwks http://idp.example.com/keys; } respond 200 x; }\n", "insecure on"),
    ("use rate_limit;\nroute /r { rate_limit { rate 5/s; store nobody; } respond 200 x; }\n", 'there is no store "nobody"'),
    ("store s { url http://127.0.0.1; }\n", "redis://"),
    ("route /p { proxy nobody; }\n", "nobody"),
])
def test_what_is_missing_or_wrong(start, text, expected):
    line = start(text + GOOD)
    assert ": error: " in line and expected in line, line


def test_a_file_that_is_no_module(start, tmp_path):
    (tmp_path / "fake.so").write_text("no module at all")
    line = start("modules .;\nuse fake;\n" + GOOD)
    assert "module `fake`" in line and "cannot be loaded" in line


def test_all_errors_at_once(tmp_path):
    (tmp_path / "gateway.conf").write_text("nonsense 1;\nroute / { respond 99999 x; timeout soon; }\nupstream u { }\n")
    done = run_weir("run", "-c", "gateway.conf", cwd=tmp_path)
    assert done.returncode == 1
    assert [line.split(": error:")[0] for line in done.stderr.splitlines() if ": error:" in line] == \
        ["gateway.conf:1:1", "gateway.conf:2:19", "gateway.conf:2:36", "gateway.conf:3:1"]


def test_nobody_listens(weir):
    w = weir("route / { respond 200 x; }\n# no listener here", own=["listener"])
    w.stderr.wait(lambda line: "gateway.conf has no `listener`: nobody is served" in line, "a warning")


@pytest.mark.parametrize("words,code,expected", [
    ([], 2, "usage: weir COMMAND"),
    (["nonsense"], 2, "`weir help` lists them"),
    (["run", "--nope"], 2, "usage: weir run"),
    (["run", "extra"], 2, "unexpected argument extra"),
    (["check", "extra"], 2, "unexpected argument extra"),
    (["explain", "GET"], 2, "METHOD and URL are needed"),
    (["status", "--admin", "unix:/nowhere"], 1, "unix:/nowhere: No such file or directory"),
    (["reload", "--admin", "127.0.0.1:1"], 1, "127.0.0.1:1: Connection refused"),
    (["help", "rout"], 1, "route"),
    (["help"], 0, ""),
    (["help", "route"], 0, ""),
    (["version"], 0, ""),
])
def test_words_of_the_command_line(words, code, expected):
    done = run_weir(*words)
    assert done.returncode == code and expected in done.stderr + (done.stdout if code == 1 else ""), done
    assert bool(done.stdout) == (code == 0) or code == 1


def test_redis_and_origins_that_are_away_are_named(weir, redis, origin):
    redis.kill()
    origin.stop()
    w = weir("""
use rate_limit;
store main { url @REDIS@; }
route / { rate_limit { rate 5/s; store main; } proxy o; }
upstream o { endpoint @O@; endpoint nowhere.invalid:80; health_check { interval 100ms; } }
""", REDIS=redis.url, O=origin)
    w.get("/")
    for expected in ("[store main]", str(redis.port)), ("[upstream o", str(origin.port)), ("nowhere.invalid", "not found"):
        w.stderr.wait(lambda line: all(x in line for x in expected), f"line about {expected}")
    # One line each, not one for each request or check.
    with w.connect() as c:
        for _ in range(100):
            c.get("/")
    assert w.stderr.count() < 12, w.stderr.text


# ---- the daemon never dies of what it is sent ----

def test_garbage_from_clients(weir, origin):
    w = weir("route / { proxy o; }\nupstream o { endpoint @O@; }", O=origin)
    dice = random.Random(1)
    good = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: 1\r\n\r\n"
    for n in range(400):
        data = bytearray(good * dice.randint(1, 3))
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(len(data))
            data[at:at + dice.randint(0, 3)] = dice.randbytes(dice.randint(0, 4))
        with w.connect() as c:
            try:
                c.send(bytes(data))
                if n % 2:
                    c.half_close()
                    c.sock.settimeout(0.02)
                    c.sock.recv(65536)
            except OSError:
                pass
    assert w.get("/alive").status == 200


def test_garbage_from_origins(weir, origin):
    w = weir("route / { timeout 300ms; idle_timeout 300ms; proxy o; }\nupstream o { endpoint @O@; }", O=origin)
    dice = random.Random(2)
    good = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n5\r\nhello\r\n0\r\nT: 1\r\n\r\n"

    def script(conn, _):
        data = bytearray(good)
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(len(data))
            data[at:at + dice.randint(0, 3)] = dice.randbytes(dice.randint(0, 4))
        conn.send(bytes(data))
        return False
    origin.on("/bad", script)
    for _ in range(300):
        with w.connect() as c:
            try:
                c.get("/bad")
            except Exception:  # noqa: BLE001 - whatever comes of it, see below
                pass
    assert w.get("/alive").status == 200


def test_garbage_from_redis(weir):
    """A server that answers every call with something else."""
    dice = random.Random(3)
    replies = [b"+PONG\r\n", b"*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n", b"$-1\r\n", b"-NOSCRIPT x\r\n", b"*1000000000\r\n", b":9\r\n", b"$5\r\nab",
               b"*4\r\n:99999999999999999999\r\n", b"\0\0\0", b"*-5\r\n", b"%1\r\n+a\r\n+b\r\n", b"-ERR " + b"x" * 70000 + b"\r\n"]
    fake = FakeRedis(lambda _: dice.choice(replies))
    w = weir("use rate_limit;\nstore main { url redis://127.0.0.1:@P@; timeout 20ms; }\n"
             "route / { rate_limit { rate 1000000/s; store main; } respond 200 x; }", P=fake.port)
    with w.connect() as c:
        for _ in range(300):
            assert c.get("/").status in (200, 429)
    fake.close()
    eventually(lambda: w.get("/").status == 200, "an answer")
