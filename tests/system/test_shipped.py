"""What is shipped beside the program: configurations, unit, pages and README say what is true."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from harness import run_weir
from harness.daemon import BINARY, TOP, environment

SECRETS = {"JWT_SECRET": "0123456789abcdef" * 4, "REDIS_URL": "redis://127.0.0.1:6379", "CANARY_SECRET": "0123456789abcdef" * 2}
EXAMPLES = sorted(os.listdir(os.path.join(TOP, "conf", "examples")))
PREFIX = os.path.dirname(os.path.dirname(BINARY))


def source(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as f:
        return f.read()


def shipped(tmp_path, **places):
    """gateway.conf as shipped, but at places of the test's own."""
    text = source("conf", "gateway.conf")
    for old, new in {"unix:/run/weir/admin.sock": f"unix:{tmp_path}/a.sock", "127.0.0.1:9901": "127.0.0.1:0", **places}.items():
        assert text.count(f"bind {old};") == 1, old
        text = text.replace(f"bind {old};", f"bind {new};")
    return text


# ---- configurations ----

def test_installed_configuration_is_good():
    done = run_weir("check")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout == os.path.join(PREFIX, "etc", "weir", "gateway.conf") + ": good\n"


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_is_good(name):
    done = run_weir("check", "-c", os.path.join(TOP, "conf", "examples", name), env=SECRETS)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_is_installed_and_teaches_tests(name):
    text = source("conf", "examples", name)
    with open(os.path.join(PREFIX, "share", "doc", "weir", "examples", name), encoding="utf-8") as f:
        assert f.read() == text
    assert re.search(r"^test ", text, re.M)


def test_examples_name_the_secrets_that_are_missing(monkeypatch):
    for name in SECRETS:
        monkeypatch.delenv(name, raising=False)
    done = run_weir("check", "-c", os.path.join(TOP, "conf", "examples", "limits.conf"))
    assert done.returncode == 1
    # One error for each, and none that only follows from it.
    assert re.findall(r": error: (.*)", done.stderr) == [f"the environment variable `{n}` is not set" for n in ("REDIS_URL", "JWT_SECRET")]


def test_shipped_configuration_serves(weir, origin, tmp_path):
    w = weir(shipped(tmp_path, **{"unix:/run/weir/admin.sock": "unix:@ADMIN@", "127.0.0.1:8080": "@LISTEN@"}).replace(
        "endpoint 127.0.0.1:9001;", "endpoint @O@;"), O=origin)
    assert w.get("/status").text == "ok\n"
    assert w.get("/anything").status == 200 and origin.request("/anything")


def test_shipped_configuration_is_for_this_host_alone():
    """A package starts it unasked: nobody elsewhere can reach it, and nobody but its user and group can give it orders."""
    blocks = re.findall(r"^(admin|listener \w+) \{(.*?)^\}", source("conf", "gateway.conf"), re.S | re.M)
    binds = [(name, b) for name, text in blocks for b in re.findall(r"^\s*bind (\S+);", text, re.M)]
    assert binds == [("admin", "unix:/run/weir/admin.sock"), ("listener public", "127.0.0.1:8080")]


def test_missing_directory_is_one_clear_line(tmp_path):
    path = tmp_path / "gateway.conf"
    path.write_text(shipped(tmp_path, **{"unix:/run/weir/admin.sock": f"unix:{tmp_path}/no/a.sock", "127.0.0.1:8080": "127.0.0.1:0"}))
    done = run_weir("run", "-c", path)
    said = [line for line in done.stderr.splitlines() if ": error: " in line]
    assert done.returncode == 1 and len(said) == 1, done.stderr
    assert f"unix:{tmp_path}/no/a.sock: the directory does not exist (create it, or choose another path)" in said[0]


def test_readme_configuration_works_when_pasted(weir, origin, tmp_path):
    text = re.search(r"^```\n(.*?)^```", source("README.md"), re.S | re.M)[1]
    assert len(text.splitlines()) <= 12
    for old, new in (("127.0.0.1:9901", "unix:@ADMIN@"), ("127.0.0.1:8080", "@LISTEN@"), ("127.0.0.1:9001", "@O@")):
        assert text.count(old) == 1
        text = text.replace(old, new)
    w = weir(text, O=origin)
    assert w.get("/status").text == "ok\n" and w.get("/x").status == 200


# ---- unit ----

def test_unit_runs_the_installed_program():
    with open(os.path.join(PREFIX, "lib", "systemd", "system", "weir.service"), encoding="utf-8") as f:
        unit = f.read()
    assert f"ExecStart={BINARY} run -c {PREFIX}/etc/weir/gateway.conf" in unit and f"ExecReload={BINARY} reload" in unit


def test_unit_names_a_user_that_systemd_makes():
    with open(os.path.join(PREFIX, "lib", "sysusers.d", "weir.conf"), encoding="utf-8") as f:
        made = [line.split()[:3] for line in f if line[0] != "#"]
    unit = source("packaging", "systemd", "weir.service")
    assert made == [["u", re.search(r"^User=(.*)", unit, re.M)[1], "-"]] and re.search(r"^Group=weir$", unit, re.M)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
def test_systemd_understands_the_unit():
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", os.path.join(PREFIX, "lib", "systemd", "system", "weir.service")],
                          capture_output=True, text=True)
    assert "weir.service" not in done.stdout + done.stderr, done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
def test_little_is_exposed_by_the_unit():
    unit = os.path.join(PREFIX, "lib", "systemd", "system", "weir.service")
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", unit], capture_output=True, text=True)
    exposure = re.search(r"Overall exposure level for weir.service: ([\d.]+)", done.stdout)
    assert done.returncode == 0 and float(exposure[1]) <= 2.0, done.stdout + done.stderr


# ---- pages ----

def test_every_metric_is_in_the_manual(weir, origin):
    w = weir("""
        use jwt rate_limit circuit_breaker canary;
        upstream o { endpoint @O@; circuit_breaker; health_check { path /; } }
        route /r { rate_limit { rate 1/s; } canary { variant o 100%; } }
        route / { proxy o; }
    """, O=origin)
    w.get("/r")
    w.get("/x")
    text = w.admin_response("GET", "/metrics").text
    names = set(re.findall(r"^# TYPE (\w+)", text, re.M))
    page = source("man", "weir.8")
    assert names and not [n for n in sorted(names) if f".It Li {n}" not in page]


def test_every_metric_that_the_source_names_is_in_the_manual():
    """Also those that show only with a store, or after something went wrong."""
    files = [f for top in ("src", "modules") for f in pathlib.Path(TOP, top).rglob("*.c") if "test" not in f.name]
    names = {n for f in files for n in re.findall(r'"(weir_[a-z_]+)",', f.read_text(encoding="utf-8"))}
    page = source("man", "weir.8")
    assert len(names) > 20 and not [n for n in sorted(names) if f".It Li {n}" not in page]


def test_every_command_is_in_the_manual():
    page = source("man", "weir.8")
    commands = re.findall(r"^  weir (\w+)", run_weir("help").stdout, re.M)
    assert len(commands) >= 9 and not [c for c in commands if f".It Cm {c}" not in page]


def test_installed_pages_name_the_true_places():
    with open(os.path.join(PREFIX, "share", "man", "man8", "weir.8"), encoding="utf-8") as f:
        page = f.read()
    assert os.path.join(PREFIX, "etc", "weir", "gateway.conf") in page and "Pa /etc/weir" not in page


@pytest.mark.skipif(not shutil.which("mandoc"), reason="no mandoc here")
@pytest.mark.parametrize("name", ["weir.8", "gateway.conf.5"])
def test_page_is_well_formed(name):
    done = subprocess.run(["mandoc", "-Tlint", "-W", "warning", os.path.join(TOP, "man", name)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_pkg_config_is_enough_to_build_a_module(tmp_path, check):
    env = {**environment(), "PKG_CONFIG_PATH": os.path.join(PREFIX, "lib", "pkgconfig")}

    def ask(*words):
        return subprocess.run(["pkg-config", *words, "weir"], env=env, check=True, capture_output=True, text=True).stdout.split()
    assert ask("--variable=moduledir") == [os.path.join(PREFIX, "lib", "weir", "modules")]
    subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Werror", *ask("--cflags"), "-o", str(tmp_path / "example.so"),
                    os.path.join(TOP, "modules", "example", "example.c")], check=True)
    done = check("""modules .; use example;
        listener l { bind 127.0.0.1:1; }
        route / { require_header X-Api-Version { value 2; } respond 200; }
    """)
    assert done.returncode == 0, done.stderr


def test_examples_of_the_manual_are_good(check):
    """Each display of gateway.conf(5) that holds configuration, with what it leaves out to be whole."""
    page = source("man", "gateway.conf.5").split(".\\\" begin of the generated part")[0]
    shown = [s.replace("\\e", "\\") for s in re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", page, re.S | re.M)]
    first, message, routes, policies, tests, https = shown
    done = check(first.replace("proxy hello", "proxy helo"))
    assert done.returncode == 1 and done.stderr == message
    upstreams = "upstream orders { endpoint 127.0.0.1:1; } upstream web { endpoint 127.0.0.1:1; }\n"
    others = "upstream acme { endpoint 127.0.0.1:1; } upstream app { endpoint 127.0.0.1:1; }\n"
    for text in (first, others + https, upstreams + routes, upstreams + policies,
                 upstreams + policies.replace("alg=HS256;", "alg=HS256; forward sub as X-User-Id;").replace(
                     "route /orders/ {", "route /orders/ name=orders {") + tests):
        done = check(text if "listener" in text else "listener l { bind 127.0.0.1:1; }\n" + text, env=SECRETS)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
