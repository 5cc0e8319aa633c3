#!/usr/bin/python3
"""Does what the Dockerfile says without docker, and tries the image: packaging/container/try.py ARCHIVE [IMAGE]

ARCHIVE is that of `make dist`. The build stage is a Debian 12 made by mmdebstrap, in which each line of the Dockerfile is carried
out as it stands there; the final stage is the directory that comes of it (IMAGE keeps it), run as the Dockerfile says in namespaces
of its own: process 1, the user of USER, a root that cannot be written, no capability. As root, with the packages of section
[package] of packages.txt."""
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent


def dockerfile():
    """[(word, rest)] of each stage."""
    text = (HERE / "Dockerfile").read_text(encoding="utf-8")
    lines = [line.split(None, 1) for line in text.splitlines() if line and line[0] != "#"]
    stages = []
    for word, rest in lines:
        if word == "FROM":
            stages.append([])
        stages[-1].append((word, rest))
    return stages


def run(*words, **how):
    done = subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, **how)
    if done.returncode:
        sys.exit(f"{shlex.join(str(w) for w in words)}: {done.returncode}\n" + "\n".join(done.stdout.splitlines()[-40:]))
    return done.stdout


def build(stage, archive, root):
    """A stage, line by line; the lines that it may have are those that are known here."""
    at = "/"
    for word, rest in stage:
        print(f"try: {word} {rest}", flush=True)
        if word == "FROM":
            assert rest.split()[0] == "debian:bookworm-slim"
            run("mmdebstrap", "--quiet", "--variant=apt", "--skip=cleanup/apt/lists", "bookworm", root)
        elif word == "WORKDIR":
            at = rest
            os.makedirs(f"{root}{at}", exist_ok=True)
        elif word == "COPY":
            assert rest == ". ."
            run("tar", "-xf", archive, "-C", f"{root}{at}", "--strip-components=1")
        elif word == "RUN":
            run("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
                f'mount -t proc proc {root}/proc && exec chroot {root} sh -c {shlex.quote(f"cd {at} && {rest}")}')
        else:
            sys.exit(f"packaging/container/try.py does not know {word}")


class Container:
    """A running image. The process of it is PID 1 of its own, started with what `docker run --read-only --cap-drop ALL` would."""

    def __init__(self, image, stage):
        words = dict(stage)
        user = words["USER"].split(":")
        self.enter = ["setpriv", "--no-new-privs", "chroot", f"--userspec={user[0]}:{user[1]}", "--groups=", str(image)]
        self.health = json.loads(words["HEALTHCHECK"].partition("CMD ")[2])
        command = json.loads(words["ENTRYPOINT"]) + json.loads(words["CMD"])
        script = f"""ip link set lo up && mount --bind {image} {image} && mount -t proc proc {image}/proc &&
            mount -o remount,bind,ro {image} && cd / && exec {shlex.join(self.enter + command)}"""
        self.log = tempfile.TemporaryFile("w+")
        self.outer = subprocess.Popen(["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-c", script],
                                      stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def inner(self):
        with open(f"/proc/{self.outer.pid}/task/{self.outer.pid}/children", encoding="ascii") as f:
            return f.read().strip()

    def run(self, *words):
        """A command of this system in the namespaces of the container."""
        inside = ["nsenter", "--target", self.inner(), "--net", "--pid", "--mount"]
        return subprocess.run([*inside, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                              check=False)

    def docker_exec(self, *words):
        return self.run(*self.enter, *words)

    def said(self):
        self.log.seek(0)
        return self.log.read()


def check(good, what, container):
    if not good:
        sys.exit(f"try: {what}\n{container.said()}")


def use(image, stage):
    c = Container(image, stage)
    deadline = time.monotonic() + 30
    while not c.inner() and time.monotonic() < deadline:
        time.sleep(0.01)
    while True:
        health = c.docker_exec(*c.health)
        if health.returncode == 0:
            break
        check(time.monotonic() < deadline and c.outer.poll() is None, f"HEALTHCHECK: {health.stderr}", c)
        time.sleep(0.1)
    print("try: HEALTHCHECK: " + health.stdout.splitlines()[0])
    answer = c.run("curl", "-sS", "-m", "10", "http://127.0.0.1:9901/health")
    check(answer.returncode == 0 and json.loads(answer.stdout)["status"] == "ok", f"/health: {answer.stderr}", c)
    print("try: /health: " + answer.stdout.strip())
    answer = c.run("curl", "-sS", "-m", "10", "http://127.0.0.1:8080/status")
    check(answer.stdout == "ok\n", f"/status: {answer.stdout}{answer.stderr}", c)
    status = pathlib.Path(f"/proc/{c.inner()}/status").read_text(encoding="ascii")
    facts = dict(re.findall(r"^(\w+):\t(.*)$", status, re.M))
    check(facts["NSpid"].split()[-1] == "1", "it is not process 1", c)
    check(set(facts["Uid"].split() + facts["Gid"].split()) == {"65532"} and int(facts["CapEff"], 16) == 0, "it has rights", c)
    wrote = c.docker_exec("/usr/sbin/weir", "demo", "--once")
    check("Read-only" in wrote.stderr, f"its root can be written: {wrote.stderr}", c)
    check(c.docker_exec("/usr/sbin/weir", "reload").returncode == 0, "weir reload", c)
    c.run("kill", "-TERM", "1")
    check(c.outer.wait(60) == 0, f"it ended with {c.outer.returncode}", c)
    print("try: good: process 1 as user 65532 with no capability and a root that cannot be written; drains and ends with 0")


def main():
    archive = pathlib.Path(sys.argv[1]).resolve()
    first, last = dockerfile()
    work = pathlib.Path(tempfile.mkdtemp(prefix="weir-image-"))
    try:
        build(first, archive, work / "build")
        copies = [rest for word, rest in last if word == "COPY"]
        assert copies == ["--from=build /image /"] and last[0] == ("FROM", "scratch")
        image = work / "build" / "image"
        if len(sys.argv) > 2:
            shutil.copytree(image, sys.argv[2], symlinks=True)
        files = [p for p in image.rglob("*") if p.is_file() and not p.is_symlink()]
        print(f"try: the image has {len(files)} files, {sum(p.stat().st_size for p in files) / 1e6:.1f} MB")
        use(image, last)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
