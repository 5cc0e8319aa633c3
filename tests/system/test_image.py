"""The image of packaging/container: what collect.sh gathers runs with nothing else beside it."""
import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from harness import eventually, sanitized
from harness.daemon import BINARY, TOP, environment

CONTAINER = pathlib.Path(TOP, "packaging", "container")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for chroot and namespaces")
@pytest.mark.skipif(sanitized(), reason="an image is made of an ordinary build")
@pytest.mark.skipif(not os.path.exists("/etc/ssl/certs/ca-certificates.crt"), reason="no ca-certificates here")
def test_what_is_collected_runs_alone(tmp_path):
    """As the Dockerfile has it: process 1, a numeric user, a root that cannot be written, nothing but what collect.sh gathered."""
    modules = pathlib.Path(BINARY).parent.parent / "lib" / "weir" / "modules"
    for place, what in (("usr/sbin", [BINARY]), ("usr/lib/weir/modules", modules.glob("*.so"))):
        (tmp_path / "out" / place).mkdir(parents=True)
        for file in what:
            shutil.copy(file, tmp_path / "out" / place)
    image = tmp_path / "image"
    subprocess.run([CONTAINER / "collect.sh", tmp_path / "out", image], check=True)
    # This build looks for its configuration and its modules in its own prefix.
    conf = image / "etc" / "weir" / "gateway.conf"
    conf.write_text("modules /usr/lib/weir/modules;\nuse jwt rate_limit circuit_breaker canary;\n" + conf.read_text())

    lines = (CONTAINER / "Dockerfile").read_text(encoding="utf-8").splitlines()
    words = dict(line.split(None, 1) for line in lines[lines.index("FROM scratch"):] if line)
    enter = ["chroot", f"--userspec={words['USER']}", "--groups=", str(image)]
    command = [*json.loads(words["ENTRYPOINT"]), *json.loads(words["CMD"]), "-c", "/etc/weir/gateway.conf"]
    ready = ["sh", "-c", 'ip link set lo up && mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"', str(image)]
    with open(tmp_path / "log", "w+", encoding="utf-8") as log:
        outer = subprocess.Popen(["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", *ready, *enter, *command],
                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment())
        try:
            def first():
                with open(f"/proc/{outer.pid}/task/{outer.pid}/children", encoding="ascii") as f:
                    return f.read().strip()
            inner = eventually(first, "process 1")

            def inside(*words):
                return subprocess.run(["nsenter", "--target", inner, "--net", "--pid", "--mount", *words],
                                      capture_output=True, text=True, check=False)

            check = json.loads(words["HEALTHCHECK"].partition("CMD ")[2])
            eventually(lambda: inside(*enter, *check).returncode == 0, "HEALTHCHECK")
            assert json.loads(inside("curl", "-sS", "http://127.0.0.1:9901/health").stdout) == {"status": "ok"}
            assert inside("curl", "-sS", "http://127.0.0.1:8080/status").stdout == "ok\n"
            loaded = json.loads(inside("curl", "-sS", "http://127.0.0.1:9901/api/v1/modules").stdout)
            assert {m["name"] for m in loaded} == {"jwt", "rate_limit", "circuit_breaker", "canary"}
            assert "ead-only" in inside(*enter, "/usr/sbin/weir", "demo", "--once").stderr
            inside("kill", f"-{signal.SIGTERM.value}", "1")
            assert outer.wait(60) == 0
        finally:
            outer.kill()
            outer.wait()
            log.seek(0)
            print(log.read())
