"""What is measured: the work of each proxy and the load on it. The special ones have a measure of their own
(measures.py)."""
import dataclasses
from typing import Callable

import measures
from peers import Work
from tokens import Tokens

BROWSER = """
wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
wrk.headers["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
wrk.headers["Accept-Language"] = "en-US,en;q=0.5"
wrk.headers["Accept-Encoding"] = "gzip, deflate, br, zstd"
wrk.headers["Cookie"] = "session=0123456789abcdef0123456789abcdef; theme=dark; " ..
                        "consent=all; _ga=GA1.1.1234567890.1234567890"
wrk.headers["Sec-Fetch-Dest"] = "document"
wrk.headers["Sec-Fetch-Mode"] = "navigate"
wrk.headers["Sec-Fetch-Site"] = "same-origin"
wrk.headers["Upgrade-Insecure-Requests"] = "1"
wrk.headers["Referer"] = "http://bench.example/orders/list?page=2&sort=date"
"""
STREAM = """client_body_buffer_size 64k; proxy_request_buffering off; proxy_max_temp_file_size 0;
    proxy_buffer_size 16k; proxy_buffers 8 32k; proxy_busy_buffers_size 64k;"""
CLOSE = 'wrk.headers["Connection"] = "close"\n'


@dataclasses.dataclass
class Scenario:
    work: Work = dataclasses.field(default_factory=Work)
    path: str = "/"
    connections: int = 64
    lua: str | Callable[[], str] = ""
    beside: str | None = None  # weir doing this other scenario's work under the same load, in the same rounds
    note: str = ""
    stretch: float = 1  # times the seconds
    warm: bool = False  # one round is not counted
    measure: Callable = measures.closed_loop
    options: dict = dataclasses.field(default_factory=dict)  # of the measure


def post(size):
    return f'wrk.method = "POST"\nwrk.body = string.rep("x", {size})\n'


def bodies():
    """Streamed by all of them (nginx would write a long body into a file first), and with as large buffers as help the
    peers."""
    made = {}
    for name, size, connections in (("10k", 10240, 64), ("100k", 102400, 64), ("1m", 1048576, 8)):
        work = Work(nginx_http=STREAM, haproxy_global="tune.bufsize 65536")
        made[f"body_{name}"] = Scenario(work, path=f"/body/{name}", connections=connections)
        up = dataclasses.replace(work, uploads=True)
        made[f"post_{name}"] = Scenario(up, lua=post(size), connections=connections)
    return made


def spread(n, path):
    """A script for wrk: 20,000 requests over the n routes in turn, no two alike, so that it helps nobody to remember
    paths."""
    return f"""local requests, at = {{}}, 0
        function init(args)
          for i = 1, 20000 do
            requests[i] = wrk.format(nil, string.format("{path}", i * 7919 % {max(n - 1, 1)}, i))
          end
        end
        function request() at = at % 20000 + 1; return requests[at] end"""


def routed(n, routes, path):
    """n routes in all, and requests for all of them in turn; path makes one of the number of a route and of a request."""
    return Scenario(routes, lua=spread(n, path), stretch=1 if n == 10000 else 0.5)


def prefixes(peers, n):
    """haproxy looks the prefix up in a map, nginx in its tree of locations."""
    mapped = peers.write(f"prefix-{n}.map", "".join(f"/r{i}/ b\n" for i in range(n - 1)) or "/none/ b\n")
    routes = Work(
        weir_top="".join(f"route /r{i}/ {{ proxy origin; }}\n" for i in range(n - 1)),
        nginx_server="".join(f"location /r{i}/ {{ proxy_pass http://o; }}\n" for i in range(n - 1)),
        haproxy=f"    use_backend %[path,map_beg({mapped},b)]\n",
    )
    return routed(n, routes, "/r%d/%d")


def regexes(peers, n):
    """haproxy has a map of regexes, nginx regex locations: both try one after the other, as written."""
    mapped = peers.write(f"regex-{n}.map", "".join(f"^/v{i}/[0-9]+$ b\n" for i in range(n - 1)) or "^/none$ b\n")
    routes = Work(
        weir_top="".join(f"route ~ ^/v{i}/[0-9]+$ {{ proxy origin; }}\n" for i in range(n - 1)),
        nginx_server="".join(f"location ~ ^/v{i}/[0-9]+$ {{ proxy_pass http://o; }}\n" for i in range(n - 1)),
        haproxy=f"    use_backend %[path,map_reg({mapped},b)]\n",
    )
    return routed(n, routes, "/v%d/%d")


def routes(peers):
    made = {}
    for n in (1, 10, 100, 1000, 10000):
        made[f"routes_{n}"] = prefixes(peers, n)
        made[f"regex_routes_{n}"] = regexes(peers, n)
    made["routes_10000"].beside = "routes_1"
    made["routes_10000_one_path"] = dataclasses.replace(
        made["routes_10000"], path="/r5000/x", lua="", beside="plain", note="all requests for one of them"
    )
    made["regex_routes_10000"].beside = "regex_routes_1"
    return made


def jwt(peers):
    made = {}
    for alg in ("RS256", "ES256", "HS256"):
        t = Tokens(alg, peers.dir)

        def work(more="", t=t):
            return Work(weir_route=t.weir(more) + " proxy origin;", haproxy=t.haproxy(), nginx_http=None)

        name = f"jwt_{alg.lower()}"
        made[f"{name}_one_token"] = Scenario(work(), lua=lambda t=t: t.lua(1), beside="plain")
        made[f"{name}_10000_tokens"] = Scenario(
            work(), lua=lambda t=t: t.lua(10000), stretch=0.5, note="default cache of 4,096 tokens"
        )
        if alg == "RS256":
            made[f"{name}_10000_cached"] = Scenario(
                work("cache 40000;"), lua=lambda t=t: t.lua(10000), beside="plain", note="cache 40000", warm=True
            )
    return made


def rate_limits(peers):
    memory = Work(
        weir_route="rate_limit { rate 1000000000/s; } proxy origin;",
        nginx_http="limit_req_zone $remote_addr zone=z:10m rate=1000000r/s;",
        nginx_location="limit_req zone=z burst=1000000 nodelay;",
        haproxy="    stick-table type ip size 100k expire 10s store http_req_rate(1s)\n    http-request track-sc0 src\n"
        "    http-request deny deny_status 429 if { sc_http_req_rate(0) gt 1000000000 }\n",
    )
    redis = Work(
        weir_top="store main { url redis://127.0.0.1:REDIS; timeout 1s; }",
        weir_route="rate_limit { rate 1000000000/s; store main; } proxy origin;",
        nginx_http=None,
        haproxy=None,
    )
    made = {"rate_limit_memory": Scenario(memory, beside="plain")}
    for n in (1, 16, 256):
        made[f"rate_limit_redis_{n}"] = Scenario(redis, connections=n, beside="plain", measure=measures.with_redis)
    return made


def policies(peers):
    t = Tokens("HS256", peers.dir)
    work = Work(
        weir_top="upstream other { endpoint unix:/nowhere; }",
        weir_upstream="circuit_breaker { }",
        log=True,
        nginx_http=None,
        haproxy=None,
        weir_route=t.weir() + " rate_limit { rate 1000000000/s; key ${jwt.sub}; }"
        " canary { variant origin 100%; variant other 0%; }",
    )
    return {"four_policies": Scenario(work, lua=lambda: t.lua(1), beside="plain", note="and the log")}


def connections():
    """The proxies in turn, and none before the connections of the one before it have left the origin."""
    many = Work(keepalive=10000, idle=1)
    return {
        f"connections_{n}": Scenario(
            many,
            connections=n,
            stretch=1 if n > 1000 else 0.5,
            measure=measures.settled,
            options={"pause": 1.5 if n > 1000 else 0},
        )
        for n in (1, 64, 512, 4096, 9000)
    }


def endpoints():
    made = {}
    for n in (1, 10, 100, 1000):
        made[f"endpoints_{n}"] = Scenario(
            Work(endpoints=n, keepalive=4000), stretch=0.5, beside=None if n == 1 else "endpoints_1"
        )
    return made


def generations():
    alone = Work(nginx_http=None, haproxy=None)
    return {
        f"generations_{n}": Scenario(
            alone, beside="plain", stretch=0.5, measure=measures.with_generations, options={"alive": n}
        )
        for n in (2, 10, 50)
    }


def tls():
    work = Work(tls=True)
    return {
        "tls": Scenario(work),
        "tls_full_handshake": Scenario(work, measure=measures.handshakes, options={"resume": False}),
        "tls_resumed": Scenario(work, measure=measures.handshakes, options={"resume": True}),
    }


def http2():
    """Of one client with many streams, and of several; the origin is asked by HTTP/1.1, which nginx knows alone, or by
    HTTP/2."""
    origin = Work(http2_origin=True, nginx_http=None)
    made = {
        "h2_origin": Scenario(origin, beside="plain"),
        "h2_both": Scenario(dataclasses.replace(origin, http2=True), connections=1, options={"streams": 100}),
    }
    for name, work in (("h2", Work(http2=True)), ("h2_tls", Work(http2=True, tls=True))):
        for load, connections, streams in (("100_streams", 1, 100), ("8_connections", 8, 16)):
            made[f"{name}_{load}"] = Scenario(work, connections=connections, options={"streams": streams})
    return made


def states(peers):
    many = prefixes(peers, 10000).work
    changing = dataclasses.replace(many, haproxy_master=True, floor=False)
    return {
        "idle_10000": Scenario(Work(floor=False), measure=measures.idle, options={"connections": 10000}),
        "idle_tls_2000": Scenario(Work(tls=True), measure=measures.idle, options={"connections": 2000}),
        "start": Scenario(Work(), measure=measures.start),
        "start_10000": Scenario(many, measure=measures.start),
        "reload_10000": Scenario(changing, path="/r5000/x", measure=measures.reload),
    }


def scenarios(peers):
    return {
        "plain": Scenario(),
        "browser_heads": Scenario(lua=BROWSER),
        "log_on": Scenario(Work(log=True)),
        **bodies(),
        "new_connections": Scenario(
            lua=CLOSE, note="the floor opens one to the origin each time: its ratio says nothing"
        ),
        "workers_2": Scenario(Work(workers=2), note="on both CPUs, beside the load; the floor has one thread on one"),
        **routes(peers),
        **jwt(peers),
        **rate_limits(peers),
        **policies(peers),
        **connections(),
        **endpoints(),
        **generations(),
        **tls(),
        **http2(),
        **states(peers),
    }
