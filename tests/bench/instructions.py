#!/usr/bin/python3
"""Counts the instructions of the worker per request, under callgrind, and compares them with instructions.txt.

One connection, one request at a time, and an origin in the same thread as the client: every request is the same walk
through the event loop, however busy the machine. What a request costs is the difference of two run lengths, so start-up
cancels out. Fails when a figure rises by more than 3 %; says so when one falls by more, for then the figure is to be
lowered (--update).

    instructions.py --weir build/root/sbin/weir [--scenario NAME]... [--update] [--keep DIR]

The figures are of Debian 12's gcc and its -O2, without sanitizers; libc is kept to code that every x86-64 has. `tls` is
counted without libcrypto: ciphers without the help of the CPU would be most of it.
"""
import argparse
import base64
import collections
import concurrent.futures
import contextlib
import dataclasses
import hashlib
import hmac
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

import h2.config
import h2.connection
import h2.events

HERE = pathlib.Path(__file__).resolve().parent
FIGURES = HERE / "instructions.txt"
TOLERANCE = 0.03
SHORT, LONG = 200, 1000
STREAMS = 100  # of HTTP/2 at a time
WAIT = 300  # seconds for anything: valgrind on a machine that may be busy with other things for minutes

BODY = b'{"order":"' + b"7" * 98 + b'"}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Sat, 01 Aug 2026 10:00:00 GMT\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: keep-alive\r\n\r\n" % len(BODY)
) + BODY
HTTP2_ANSWER = [
    (":status", "200"),
    ("server", "origin"),
    ("date", "Sat, 01 Aug 2026 10:00:00 GMT"),
    ("content-type", "application/json"),
    ("content-length", str(len(BODY))),
]
SMALL = "Host: 127.0.0.1:8080\r\n"
BROWSER = (
    "Host: bench.example\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Referer: http://bench.example/orders/list?page=2&sort=date\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=all; _ga=GA1.1.1234567890.1234567890\r\n"
    "Upgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
)
SECRET = "0123456789abcdef0123456789abcdef"


def token():
    def b64(b):
        return base64.urlsafe_b64encode(b).rstrip(b"=")

    text = (
        b64(b'{"alg":"HS256","typ":"JWT"}')
        + b"."
        + b64(json.dumps({"iss": "bench", "aud": "bench", "sub": "ada", "exp": 4102444800}).encode())
    )
    return (text + b"." + b64(hmac.new(SECRET.encode(), text, hashlib.sha256).digest())).decode()


def request(fields, target="/orders/17?view=full", body=b""):
    method, length = ("POST", f"Content-Length: {len(body)}\r\n") if body else ("GET", "")
    return f"{method} {target} HTTP/1.1\r\n{fields}{length}\r\n".encode() + body


PLAIN = "access_log off; upstream origin { ORIGIN } route / { proxy origin; }"
ROUTES = "".join(f"route /r{i}/ {{ proxy origin; }}\n" for i in range(10000))


class Link:
    """One end of a connection that carries one message at a time."""

    def __init__(self, sock):
        sock.settimeout(WAIT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.rest = sock, b""

    def message(self):
        while b"\r\n\r\n" not in self.rest:
            self.more()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        length = int(length.group(1)) if length else 0
        while len(self.rest) < length:
            self.more()
        self.rest = self.rest[length:]
        return head

    def end(self):
        while self.sock.recv(65536):
            pass
        self.sock.close()

    def more(self):
        piece = self.sock.recv(65536)
        if not piece:
            raise EOFError("weir closed a connection")
        self.rest += piece


@contextlib.contextmanager
def paused(process):
    """What is sent meanwhile weir sees all at once: else it would see it now in one piece and now in several."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def connect(port):
    return socket.create_connection(("127.0.0.1", port), WAIT)


def connect_and_send(process, port, text):
    with paused(process):
        client = Link(connect(port))
        client.sock.sendall(text)
    return client


def connect_tls(process, port, text):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = Link(context.wrap_socket(connect(port)))
    client.sock.sendall(text)
    return client


def drive(process, port, origin, text, count, begin=connect_and_send):
    """The same request `count` times, each answered by the origin before the next is sent: on one connection, or, when
    it says close, each on its own."""
    client, up, fresh = None, None, b"\r\nConnection: close\r\n" in text
    try:
        for _ in range(count):
            if client and not fresh:
                client.sock.sendall(text)
            else:
                client = begin(process, port, text)
            if not up:
                up = Link(origin.accept()[0])
            up.message()
            up.sock.sendall(ANSWER)
            head = client.message()
            if not head.startswith(b"HTTP/1.1 200"):
                sys.exit(f"not the origin's answer: {head[:200]}")
            if fresh:
                client.end()
    finally:
        for link in (client, up):
            if link:
                link.sock.close()


def drive_tls(process, port, origin, text, count):
    drive(process, port, origin, text, count, connect_tls)


def read_answers(client, connection, wanted):
    while wanted:
        for event in connection.receive_data(client.recv(65536)):
            if isinstance(event, h2.events.ResponseReceived) and dict(event.headers)[":status"] != "200":
                sys.exit(f"not the origin's answer: {event.headers}")
            wanted -= isinstance(event, h2.events.StreamEnded)


def drive_h2(process, port, origin, fields, count):
    """So many streams of one connection at a time: all are asked at once, and all answered at once."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="ascii"))
    connection.initiate_connection()
    connection.increment_flow_control_window(1 << 30)
    with contextlib.ExitStack() as open_ones:
        client, ups = open_ones.enter_context(connect(port)), []
        client.settimeout(WAIT)
        for _ in range(count // STREAMS):
            for _ in range(STREAMS):
                connection.send_headers(connection.get_next_available_stream_id(), fields, end_stream=True)
            with paused(process):
                client.sendall(connection.data_to_send())
            while len(ups) < STREAMS:
                ups.append(Link(open_ones.enter_context(origin.accept()[0])))
            for up in ups:
                up.message()
            with paused(process):
                for up in ups:
                    up.sock.sendall(ANSWER)
            read_answers(client, connection, STREAMS)


def drive_h2_origin(process, port, origin, text, count):
    """As `drive`, with an origin that speaks HTTP/2 on the one connection that weir makes to it."""
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="ascii"))
    server.initiate_connection()
    client, up = connect_and_send(process, port, text), None
    for i in range(count):
        if i:
            client.sock.sendall(text)
        if not up:
            up = origin.accept()[0]
            up.settimeout(WAIT)
            up.sendall(server.data_to_send())
        stream = None
        while not stream:
            for event in server.receive_data(up.recv(65536)):
                stream = event.stream_id if isinstance(event, h2.events.StreamEnded) else stream
        server.send_headers(stream, HTTP2_ANSWER)
        server.send_data(stream, BODY, end_stream=True)
        up.sendall(server.data_to_send())
        head = client.message()
        if not head.startswith(b"HTTP/1.1 200"):
            sys.exit(f"not the origin's answer: {head[:200]}")
    client.sock.close()
    up.close()


@dataclasses.dataclass
class Scenario:
    conf: str
    message: object  # what `drive` sends
    drive: object = drive
    tls: bool = False
    without: str = ""  # a library that is not counted


SCENARIOS = {
    "plain": Scenario(PLAIN, request(SMALL)),
    "browser_heads": Scenario(PLAIN, request(BROWSER)),
    "post_10k": Scenario(PLAIN, request(SMALL, body=b"x" * 10240)),
    "routes_10000": Scenario(PLAIN + ROUTES, request(SMALL, "/r5000/orders/17?view=full")),
    "new_connection": Scenario(PLAIN, request(SMALL + "Connection: close\r\n")),
    "log_on": Scenario(
        "access_log access.log; upstream origin { ORIGIN } route / { proxy origin; }", request(BROWSER)
    ),
    "rate_limit": Scenario(
        "access_log off; use rate_limit; upstream origin { ORIGIN }"
        " route / { rate_limit { rate 1000000000/s; } proxy origin; }",
        request(SMALL),
    ),
    "four_policies": Scenario(
        f"""access_log access.log;
        use jwt rate_limit circuit_breaker canary;
        upstream origin {{ ORIGIN circuit_breaker {{ }} }}
        upstream other {{ endpoint 127.0.0.1:9; }}
        route / {{
            jwt {{ issuer bench; audience bench; key secret:{SECRET} alg=HS256; }}
            rate_limit {{ rate 1000000000/s; key ${{jwt.sub}}; }}
            canary {{ variant origin 100%; variant other 0%; }}
        }}""",
        request(BROWSER + f"Authorization: Bearer {token()}\r\n"),
    ),
    "tls": Scenario(PLAIN, request(SMALL), drive_tls, tls=True, without="libcrypto"),
    "h2_100_streams": Scenario(
        PLAIN,
        [
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "127.0.0.1:8080"),
            (":path", "/orders/17?view=full"),
            ("user-agent", "h2load nghttp2/1.52.0"),
        ],
        drive_h2,
    ),
    "h2_origin": Scenario(PLAIN.replace("ORIGIN", "ORIGIN protocol http2;"), request(SMALL), drive_h2_origin),
}


def wait_port(port, process, log):
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit(f"weir did not start under valgrind:\n{log.read_text()}")


def own_costs(profile):
    """Of each object file, by name: what its own code has cost."""
    costs, names, current = collections.Counter(), {}, None
    lines = iter(profile.splitlines())
    for line in lines:
        if named := re.match(r"(c?ob)=\((\d+)\)(?: (.+))?$", line):
            kind, number, name = named.groups()
            if name:
                names[number] = name
            current = number if kind == "ob" else current
        elif line.startswith("calls="):
            next(lines)  # what was called cost that
        elif cost := re.match(r"[-+*\d]\d* (\d+)$", line):
            costs[names[current]] += int(cost.group(1))
    return costs


def worker_instructions(directory, without):
    """Of the thread that serves: of those beside the main thread, the one that did most. Start-up and threads that wake
    by the clock are not in it."""
    counts = [0]
    for path in directory.glob("callgrind.out-*"):
        profile = path.read_text()
        if "\nthread: 1\n" in profile:
            continue
        total = int(re.search(r"^(?:summary|totals): (\d+)", profile, re.M).group(1))
        if without:
            total -= sum(n for name, n in own_costs(profile).items() if without in name)
        counts.append(total)
    return max(counts)


def make_certificate(directory):
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "7", "-subj", "/CN=localhost", "-keyout", "tls.key", "-out", "tls.crt"),
        ],
        cwd=directory,
        check=True,
        capture_output=True,
    )


def run(weir, name, count, directory):
    directory.mkdir(parents=True)
    scenario = SCENARIOS[name]
    if scenario.tls:
        make_certificate(directory)
    tls = "tls { certificate tls.crt; key tls.key; }" if scenario.tls else ""
    with socket.socket() as origin, socket.socket() as probe:
        origin.bind(("127.0.0.1", 0))
        origin.listen(STREAMS)
        origin.settimeout(WAIT)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        endpoint = f"endpoint 127.0.0.1:{origin.getsockname()[1]};"
        text = scenario.conf.replace("ORIGIN", f"{endpoint} keepalive {STREAMS} idle=10m;")
        (directory / "gateway.conf").write_text(
            f"workers 1; modules {weir.parents[1]}/lib/weir/modules; drain {{ lag 1ms; }}\n"
            f"admin {{ bind unix:{directory}/admin.sock; }}\n"
            f"listener public {{ bind 127.0.0.1:{port}; {tls} }}\n{text}\n"
        )
        # The names of the files are relative: they are in every line of the access log, and the length of a temporary
        # name would be counted.
        log = directory / "weir.log"
        argv = [
            "valgrind",
            "-q",
            "--tool=callgrind",
            "--separate-threads=yes",
            "--callgrind-out-file=callgrind.out",
            str(weir),
            "run",
            "-c",
            "gateway.conf",
            "--no-supervisor",
        ]
        env = dict(
            os.environ,
            GLIBC_TUNABLES="glibc.cpu.hwcaps=-AVX2,-AVX,-ERMS,-AVX512F,-AVX512VL,-SSE4_2,-BMI2",
            OPENSSL_ia32cap="0:0",
        )
        with open(log, "w") as out:
            process = subprocess.Popen(argv, cwd=directory, stdout=out, stderr=out, env=env)
        try:
            wait_port(port, process, log)
            scenario.drive(process, port, origin, scenario.message, count)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(WAIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    return worker_instructions(directory, scenario.without)


def per_request(weir, name, directory):
    short, long = (run(weir, name, n, directory / name / str(n)) for n in (SHORT, LONG))
    return (long - short) / (LONG - SHORT)


def figures():
    lines = (line.split() for line in FIGURES.read_text().splitlines() if line and not line.startswith("#"))
    return {name: int(count) for name, count in lines}


def write_figures(new):
    comment = [line for line in FIGURES.read_text().splitlines() if line.startswith("#")]
    FIGURES.write_text("\n".join(comment + [f"{name:16} {count:8.0f}" for name, count in new.items()]) + "\n")


def judge(name, count, known):
    """One line of the table; true when it is good."""
    if not known:
        print(f"{name:16} {count:10.0f} {'-':>10} {'':8}  no figure in {FIGURES.name}")
        return False
    change = count / known - 1
    verdict = "ok"
    if change > TOLERANCE:
        verdict = (
            f"MORE than {TOLERANCE:.0%} above the figure: make it cheaper, or say why in the commit that raises it"
        )
    elif change < -TOLERANCE:
        verdict = "less: please lower the figure (--update)"
    print(f"{name:16} {count:10.0f} {known:10} {change:+8.2%}  {verdict}")
    return change <= TOLERANCE


def main():
    p = argparse.ArgumentParser(description="instructions of the worker per request")
    p.add_argument("--weir", required=True, type=lambda s: pathlib.Path(s).resolve())
    p.add_argument("--scenario", action="append", choices=SCENARIOS)
    p.add_argument("--update", action="store_true", help="write what was counted into instructions.txt")
    p.add_argument("--keep", type=pathlib.Path, help="keep the profiles in this directory, for callgrind_annotate")
    args = p.parse_args()
    if not shutil.which("valgrind"):
        subprocess.run([HERE / "../../packaging/packages.sh", "bench"], check=True)
    known, names = figures(), args.scenario or list(SCENARIOS)
    with tempfile.TemporaryDirectory(prefix="weir-instructions.") as directory:
        directory = args.keep.resolve() if args.keep else pathlib.Path(directory)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            counts = dict(zip(names, pool.map(lambda name: per_request(args.weir, name, directory), names)))
    print(f"{'instructions':16} {'counted':>10} {'figure':>10} {'change':>8}")
    good = [judge(name, count, known.get(name)) for name, count in counts.items()]
    if args.update:
        write_figures({**known, **counts})
        return 0
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
