"""The proxies, each configured to do the same work, and the origin behind them."""
import dataclasses
import os
import pathlib
import subprocess

from process import Process, free_port

BODY = '{"order":"' + "7" * 98 + '"}'
SIZES = {"10k": 10240, "100k": 102400, "1m": 1048576}
DESCRIPTORS = 20000


@dataclasses.dataclass
class Work:
    """What a proxy is to do beside forwarding, in each one's words. None: it cannot, or not the same."""

    weir_top: str = ""
    weir_upstream: str = ""
    weir_route: str | None = "proxy origin; max_body 10m;"  # of the route for /; None: there is none
    nginx_http: str | None = ""
    nginx_server: str = ""
    nginx_location: str = ""
    haproxy: str | None = ""  # of the frontend
    haproxy_backend: str = ""
    log: bool = False
    workers: int = 1
    tls: bool = False
    http2: bool = False  # of the clients, by ALPN or at once
    http2_origin: bool = False  # asked by HTTP/2
    keepalive: int = 512  # idle connections to the origin: one for each request that may be in flight
    idle: int = 60  # seconds that they are kept
    endpoints: int = 0  # of the upstream, each an address of its own; 0: the origin's one
    uploads: bool = False  # to an origin that reads them before it answers
    haproxy_global: str = ""
    floor: bool = True
    haproxy_master: bool = False  # a master that can be told to reload


class Peers:
    """Starts them in one directory. `files` of a scenario are written there first."""

    def __init__(self, args, directory):
        self.args, self.dir = args, directory
        self.cpus = {1: str(args.cpu), 2: f"{args.cpu},{args.load_cpu}"}
        self.origin_port, self.sink_port, self.http2_port = free_port(), free_port(), free_port()
        os.mkdir(os.path.join(directory, "body"))
        for name, size in SIZES.items():
            self.write(f"body/{name}", "x" * size)
        listen = "".join(
            f"listen {a}:{self.origin_port} backlog=4096;\n" for a in ["127.0.0.1", *self.addresses(1000)]
        )
        self.write(
            "origin.conf",
            f"""worker_processes 1; worker_rlimit_nofile {DESCRIPTORS}; daemon off; pid origin.pid;
            error_log stderr;
            events {{ worker_connections {DESCRIPTORS}; }}
            http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 600; client_max_body_size 10m;
              client_body_buffer_size 2m;
              server {{ {listen}
                listen 127.0.0.1:{self.http2_port} http2;
                location / {{ default_type application/json; return 200 '{BODY}'; }}
                location /body/ {{ root {directory}; }}
                location /slow/ {{ alias {directory}/body/; limit_rate 1000; }} }} }}""",
        )
        self.origin = Process(
            args.load_cpu, ["nginx", "-p", directory, "-c", "origin.conf"], self.origin_port, directory
        )
        self.sink = Process(args.load_cpu, [self.program("sink"), str(self.sink_port)], self.sink_port, directory)

    def stop(self):
        self.origin.stop()
        self.sink.stop()

    def program(self, name):
        return os.path.join(self.args.programs, name)

    @staticmethod
    def addresses(n):
        return [f"127.0.{1 + i // 250}.{1 + i % 250}" for i in range(n)]

    def origins(self, work):
        port = self.http2_port if work.http2_origin else self.origin_port
        port = self.sink_port if work.uploads else port
        return [f"{a}:{port}" for a in self.addresses(work.endpoints) or ["127.0.0.1"]]

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def certificate(self):
        crt, key = (os.path.join(self.dir, n) for n in ("tls.crt", "tls.key"))
        if not os.path.exists(crt):
            subprocess.run(
                [
                    "openssl",
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                    "-nodes",
                    "-days",
                    "7",
                    "-subj",
                    "/CN=localhost",
                    "-keyout",
                    key,
                    "-out",
                    crt,
                ],
                check=True,
                capture_output=True,
            )
            self.write("tls.pem", pathlib.Path(crt).read_text() + pathlib.Path(key).read_text())
            os.chmod(key, 0o644)
        return crt, key

    def floor(self, work):
        if not work.floor or work.tls or work.http2 or work.http2_origin:
            return None
        port, origin = free_port(), self.origins(work)[0].partition(":")[2]
        return Process(self.args.cpu, [self.program("floor"), str(port), origin], port, self.dir)

    def weir_conf(self, work, port):
        tls = "tls {{ certificate {}; key {}; }}".format(*self.certificate()) if work.tls else ""
        endpoints = " ".join(f"endpoint {o};" for o in self.origins(work))
        return f"""workers {work.workers}; access_log {self.dir + "/weir-access.log" if work.log else "off"};
            modules {pathlib.Path(self.args.weir).parents[1] / "lib/weir/modules"};
            use jwt rate_limit circuit_breaker canary;
            admin {{ bind unix:{self.dir}/admin-{port}.sock; }}
            drain {{ lag 1ms; timeout 1s; }}
            listener public {{
              bind 127.0.0.1:{port}; {tls} limits {{ connections {DESCRIPTORS}; }} timeouts {{ idle 300s; }}
            }}
            upstream origin {{
              {endpoints} {"protocol http2;" if work.http2_origin else ""}
              keepalive {work.keepalive} idle={work.idle}s; {work.weir_upstream}
            }}
            {work.weir_top}
            {"route / { " + work.weir_route + " }" if work.weir_route is not None else ""}"""

    def weir(self, work, *flags):
        port = free_port()
        conf = self.write(f"weir-{port}.conf", self.weir_conf(work, port))
        return Process(self.cpus[work.workers], [self.args.weir, "run", "-c", conf, *flags], port, self.dir)

    def nginx(self, work):
        if work.nginx_http is None:
            return None
        port = free_port()
        log = f"access_log {self.dir}/nginx-access.log combined buffer=32k;" if work.log else "access_log off;"
        tls, words = "", ("ssl " if work.tls else "") + ("http2" if work.http2 else "")
        if work.tls:
            crt, key = self.certificate()
            tls = f"ssl_certificate {crt}; ssl_certificate_key {key}; ssl_protocols TLSv1.3;"
        servers = " ".join(f"server {o};" for o in self.origins(work))
        self.write(
            f"nginx-{port}.conf",
            f"""worker_processes {work.workers}; worker_rlimit_nofile {DESCRIPTORS}; daemon off;
            pid nginx-{port}.pid; error_log stderr;
            events {{ worker_connections {DESCRIPTORS}; }}
            http {{ {log} keepalive_requests 100000000; keepalive_timeout 300; client_max_body_size 10m;
              proxy_temp_path {self.dir}/nginx-{port}; client_body_temp_path {self.dir}/nginx-{port};
              upstream o {{ {servers} keepalive {work.keepalive}; keepalive_requests 100000000;
                keepalive_timeout {work.idle}s; }}
              {work.nginx_http}
              server {{ listen 127.0.0.1:{port} backlog=4096 {words}; {tls}
                proxy_http_version 1.1; proxy_set_header Connection "";
                proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
                {work.nginx_server}
                location / {{ {work.nginx_location} proxy_pass http://o; }} }} }}""",
        )
        return Process(self.cpus[work.workers], ["nginx", "-p", self.dir, "-c", f"nginx-{port}.conf"], port, self.dir)

    def haproxy(self, work):
        if work.haproxy is None:
            return None
        port = free_port()
        self.certificate()
        servers = "\n".join(
            f"    server s{i} {o} pool-purge-delay {work.idle}s {'proto h2' if work.http2_origin else ''}"
            for i, o in enumerate(self.origins(work))
        )
        bind = f"ssl crt {self.dir}/tls.pem ssl-min-ver TLSv1.3" if work.tls else ""
        if work.http2:
            bind += " alpn h2" if work.tls else " proto h2"
        conf = self.write(
            f"haproxy-{port}.cfg",
            f"""
global
    nbthread {work.workers}
    no strict-limits
    {work.haproxy_global}
    maxconn 10100
    {"log stdout format raw local0" if work.log else ""}
defaults
    mode http
    timeout connect 5s
    timeout client 300s
    timeout server 300s
    option http-keep-alive
    http-reuse always
    {"log global" if work.log else ""}
    {"option httplog" if work.log else ""}
frontend f
    bind 127.0.0.1:{port} {bind}
    option forwardfor
{work.haproxy}
    default_backend b
backend b
{work.haproxy_backend}
{servers}
""",
        )
        return Process(
            self.cpus[work.workers], ["haproxy", *(["-W"] if work.haproxy_master else []), "-f", conf], port, self.dir
        )
