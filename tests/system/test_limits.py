"""Limits: those of an upstream hold for the process, over all workers; those of a listener name themselves when they are hit."""
import os
import resource
import select
import socket
import threading
import time

import pytest

from harness import Conn, Port, eventually
from harness.message import Closed

pytestmark = pytest.mark.workers


def test_requests_over_all_workers(weir, origin):
    w = weir("workers 4;\nroute / { proxy o; }\nupstream o { endpoint @O@; limits requests=5; }", O=origin)
    clients = [w.connect() for _ in range(20)]
    for c in clients:
        c.write("GET", "/hold")
    eventually(lambda: w.metric("weir_requests_total", code="503") == 15, "15 refusals")
    eventually(lambda: origin.count("/hold") == 5, "5 requests at the origin")
    origin.release(5)
    answers = [c.response() for c in clients]
    assert [r.status for r in answers].count(200) == 5
    assert {r.reason for r in answers if r.status == 503} == {"overflow_requests"}
    line = w.access(reason="overflow_requests")
    limit = next(d for d in line["why"] if d["reason"] == "overflow_requests")
    assert (limit["step"], limit["at"]) == ("limits", "gateway.conf:3")
    for c in clients:
        c.close()


def test_connections_over_all_workers(weir, origin):
    w = weir("workers 4;\nroute / { proxy o; }\nupstream o { endpoint @O@; connect_timeout 20s; limits connections=3 pending=100; }",
             O=origin)
    clients = [w.connect() for _ in range(20)]
    for c in clients:
        c.write("GET", "/hold")
    eventually(lambda: origin.count("/hold") == 3, "three requests")
    for n in range(20):
        origin.release()
    assert [c.response().status for c in clients] == [200] * 20
    assert origin.connections <= 20
    for c in clients:
        c.close()


def test_the_origin_never_sees_more_connections(weir, make_origin):
    origin, lock, now, most = make_origin(), threading.Lock(), [0], [0]

    def script(conn, _):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.01)
        with lock:
            now[0] -= 1
        conn.answer(200)
    origin.on("/n", script)
    w = weir("workers 2;\nroute / { proxy o; }\nupstream o { endpoint @O@; connect_timeout 20s; limits connections=4 pending=200; }", O=origin)
    statuses = []

    def client():
        with w.connect() as c:
            for _ in range(10):
                statuses.append(c.get("/n").status)
    threads = [threading.Thread(target=client) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert statuses == [200] * 200
    assert most[0] <= 4


@pytest.mark.parametrize("limits,reason,words", [
    ("connections=1 pending=0", "overflow_connections", "`limits connections` is 1"),
    ("connections=1 pending=1", "overflow_pending", "`limits pending` is 1"),
    ("connections=1 pending=9", "overflow_pending", "`limits connections` is 1"),  # it waits, in vain
    ("requests=1", "overflow_requests", "`limits requests` is 1")])
def test_the_limits_of_an_upstream_name_themselves(weir, origin, limits, reason, words):
    waits = "pending=1" in limits
    w = weir("route / { proxy o; }\nupstream o { endpoint @O@; connect_timeout @T@;\nlimits @L@; }", O=origin, L=limits,
             T="20s" if waits else "200ms")
    with w.connect() as busy, w.connect() as other:
        busy.write("GET", "/hold")
        origin.request("/hold")
        if waits:
            other.write("GET", "/x")
            eventually(lambda: w.endpoint("o", origin)["active"] == 2, "a request that waits")
        r = w.get("/y")
        assert (r.status, r.reason, r.get("Retry-After")) == (503, reason, "1")
        assert r.json["detail"].endswith(words) and "gateway.conf" not in r.text
        row = next(d for d in w.logged(r)["why"] if d["step"] == "limits")
        assert (row["subject"], row["verdict"], row["reason"], row["at"]) == ("o", "refuse", reason, "gateway.conf:3")
        origin.release()
        assert busy.response().status == 200
        if waits:
            assert other.response().status == 200


def test_the_deadlines_of_a_route_name_themselves(weir, origin):
    w = weir("timeout 200ms;\nidle_timeout 300ms;\nroute / { proxy o; }\nroute /try { timeout 20s; proxy t; }\nupstream o { endpoint @O@; }\n"
             "upstream t { endpoint @O@; retry { attempts 1; on timeout; per_try_timeout 150ms; } }", O=origin)
    r = w.get("/hold")
    assert (r.status, r.reason) == (504, "upstream_timeout") and r.json["detail"].endswith("`timeout` is 200ms")
    row = next(d for d in w.logged(r)["why"] if d["step"] == "timeout")
    assert (row["subject"], row["at"], row["reason"]) == ("/", "gateway.conf:1", "upstream_timeout")
    origin.on("/try", lambda conn, _: conn.until_closed())
    assert w.get("/try").json["detail"].endswith("`per_try_timeout` is 150ms")

    def half(conn, _):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        conn.until_closed()
    origin.on("/half", half)
    with pytest.raises((Closed, OSError)):
        w.get("/half")
    row = next(d for d in w.access(path="/half")["why"] if d["step"] == "idle_timeout")
    assert (row["reason"], row["at"]) == ("body_idle", "gateway.conf:2")
    origin.release(9)


# ---- each bound of a listener, at its edge, by its name ----

def listener(limits="", timeouts=""):
    blocks = (f" limits {{ {limits} }}" if limits else "") + (f" timeouts {{ {timeouts} }}" if timeouts else "")
    return "listener main { bind @LISTEN@;" + blocks + " }\nroute / { proxy o; }\nupstream o { endpoint @O@; }\n"


def named(w, r, step, subject, words):
    """The answer names the limit and its value, the log the limit and its place."""
    assert words in r.json["detail"], r.json
    line = w.logged(r)
    row = next(d for d in line["why"] if d["step"] == step)
    assert (row["subject"], row["verdict"], row["reason"]) == (subject, "refuse", r.reason)
    return row["at"]


def filled(n, before=b"", after=b""):
    """n bytes in all."""
    return before + b"a" * (n - len(before) - len(after)) + after


HOST = b"Host: a\r\n"
HEADS = [
    # name, value, a head that is right at the edge, one byte (or line) beyond, status, reason, words
    ("request_line", "100", filled(100, b"GET /", b" HTTP/1.1") + b"\r\n" + HOST, filled(101, b"GET /", b" HTTP/1.1") + b"\r\n" + HOST,
     414, "uri_too_long", "`limits request_line` is 100 bytes"),
    ("field", "200", b"GET / HTTP/1.1\r\n" + HOST + filled(200, b"X: ") + b"\r\n", b"GET / HTTP/1.1\r\n" + HOST + filled(201, b"X: ") + b"\r\n",
     431, "headers_too_large", "`limits field` is 200 bytes"),
    ("head", "300", filled(298, b"GET / HTTP/1.1\r\n" + HOST + b"X: ", b"\r\n"), filled(299, b"GET / HTTP/1.1\r\n" + HOST + b"X: ", b"\r\n"),
     431, "headers_too_large", "`limits head` is 300 bytes"),
    ("fields", "3", b"GET / HTTP/1.1\r\n" + HOST + b"A: 1\r\nB: 2\r\n", b"GET / HTTP/1.1\r\n" + HOST + b"A: 1\r\nB: 2\r\nC: 3\r\n",
     431, "headers_too_large", "`limits fields` is 3"),
]


@pytest.mark.parametrize("name,value,edge,beyond,status,reason,words", HEADS, ids=[h[0] for h in HEADS])
def test_bounds_of_a_head(weir, origin, name, value, edge, beyond, status, reason, words):
    w = weir(listener(f"{name} {value};"), O=origin)
    for piece in (1, 10000):
        for head, want in ((edge, 200), (beyond, status)):
            with w.connect() as c:
                data = head + b"\r\n"
                try:
                    for i in range(0, len(data), piece):
                        c.send(data[i:i + piece])
                except OSError:
                    pass  # refused before its end
                r = c.response()
                assert r.status == want, (piece, head)
                if want != 200:
                    assert r.reason == reason and r.get("Connection") == "close" and c.at_end()
                    assert named(w, r, "limits", name, words) == "gateway.conf:1"
                    assert "gateway.conf" not in r.text


def test_a_default_says_that_it_is_one(weir, origin):
    w = weir(listener(), O=origin)
    r = w.get("/" + "a" * 8192)
    assert named(w, r, "limits", "request_line", "`limits request_line` is 8192 bytes") == "default"


def test_trailers_are_bound_like_a_head(weir, origin):
    w = weir(listener("field 200; fields 3;"), O=origin)
    start = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    for trailers, name in ((filled(201, b"X: ") + b"\r\n", "field"), (b"A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\n", "fields")):
        with w.connect() as c:
            r = c.send(start + trailers + b"\r\n").response()
            assert (r.status, r.reason) == (431, "headers_too_large")
            named(w, r, "limits", name, f"`limits {name}` is ")
    with w.connect() as c:
        assert c.send(start + filled(200, b"X: ") + b"\r\nB: 1\r\nC: 1\r\n\r\n").response().status == 200


def test_a_head_that_does_not_come(weir, origin):
    w = weir(listener(timeouts="head 200ms;"), O=origin)
    with w.connect() as c:
        r = c.send(b"GET / HTTP/1.1\r\nHost: a\r\n").response()
        assert (r.status, r.reason) == (408, "request_timeout") and c.at_end()
    assert named(w, r, "timeouts", "head", "`timeouts head` is 200ms") == "gateway.conf:1"


def drip(c, piece, times, pause):
    """Sends a piece now and then, until it is cut or all is sent."""
    for _ in range(times):
        try:
            c.send(piece)
            c.sock.settimeout(pause)
            if c.sock.recv(1, socket.MSG_PEEK) is not None:
                break
        except TimeoutError:
            pass
        except OSError:
            break
    c.sock.settimeout(20)


def test_a_head_that_drips(weir, origin):
    w = weir(listener(timeouts="head 300ms;"), O=origin)
    with w.connect() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        drip(c, b"X: y\r\n", 1000, 0.02)
        assert c.response().status == 408


def test_a_body_that_does_not_come(weir, origin):
    w = weir(listener(timeouts="body 200ms;"), O=origin)
    for headers, body in (({"Content-Length": "10"}, b"abc"), ({"Transfer-Encoding": "chunked"}, b"3\r\nabc\r\n")):
        with w.connect() as c:
            r = c.write("POST", "/x", headers).send(body).response()
            assert (r.status, r.reason) == (408, "request_timeout") and c.at_end()
        assert named(w, r, "timeouts", "body", "`timeouts body` is 200ms") == "gateway.conf:1"
    eventually(lambda: w.metric("weir_upstream_requests_total", outcome="cancelled") == 2, "cancelled attempts")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_drips(weir, origin, chunked):
    w = weir(listener("body_rate 1k;", "body 300ms;"), O=origin)
    with w.connect() as c:
        c.write("POST", "/x", {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": "100000"})
        drip(c, b"1\r\na\r\n" if chunked else b"a", 1000, 0.02)
        r = c.response()
        assert (r.status, r.reason) == (408, "request_timeout") and c.at_end()
    assert named(w, r, "limits", "body_rate", "`limits body_rate` is 1024 bytes per second") == "gateway.conf:1"
    # The origin had no part in it.
    assert not w.metric("weir_upstream_requests_total", outcome="timeout")


def test_a_body_that_comes_at_the_rate(weir, origin):
    w = weir(listener("body_rate 1k;", "body 300ms;"), O=origin)
    with w.connect() as c:
        c.write("POST", "/x", {"Content-Length": str(60 * 200)})
        drip(c, b"a" * 200, 60, 0.02)
        assert c.response().status == 200


def test_a_route_deadline_in_the_middle_of_a_body(weir, origin):
    """Fast enough for the listener, too slow for the route: still the client's doing, and no failure of the origin."""
    w = weir("timeout 300ms;\n" + listener("body_rate 0;"), O=origin)
    with w.connect() as c:
        c.write("POST", "/x", {"Content-Length": "100000"})
        drip(c, b"a", 1000, 0.02)
        r = c.response()
        assert (r.status, r.reason) == (408, "request_timeout")
    assert named(w, r, "timeout", "/", "`timeout` is 300ms") == "gateway.conf:1"
    eventually(lambda: w.metric("weir_upstream_requests_total", outcome="cancelled") == 1, "a cancelled attempt")
    with w.connect() as c:  # all of it came: the origin it is
        origin.on("/slow", lambda conn, _: conn.until_closed() or False)
        r = c.write("POST", "/slow", {"Content-Length": "1"}).send(b"a").response()
        assert (r.status, r.reason) == (504, "upstream_timeout")


def test_a_try_does_not_run_out_while_the_body_comes(weir, origin):
    w = weir(listener("body_rate 0;").replace("@O@;", "@O@; retry { attempts 3; per_try_timeout 200ms; on connect_failure; }"), O=origin)
    with w.connect() as c:
        c.write("POST", "/x", {"Content-Length": "40"})
        drip(c, b"a", 40, 0.02)
        assert c.response().status == 200
    assert origin.count("/x") == 1


def test_an_origin_that_does_not_read_is_not_the_clients_fault(weir, origin):
    read = threading.Event()

    def script(conn, r):
        read.wait(20)
        conn.reader.body(r, False)
        conn.answer(200, b"%d" % len(r.body))
    script.reads_body = True
    origin.on("/late", script)
    w = weir("max_body 1g;\n" + listener("body_rate 100k;", "body 1s;"), O=origin)
    size = 16 << 20
    with w.connect() as c:
        c.write("POST", "/late", {"Content-Length": str(size)})
        sender = threading.Thread(target=c.send, args=(b"x" * size,))
        sender.start()
        sender.join(3)  # several times what a client may be silent for
        assert sender.is_alive()
        read.set()
        sender.join()
        r = c.response()
        assert r.body == b"%d" % size, r.body


def test_a_client_that_reads_too_slowly(weir, origin):
    w = weir(listener("response_rate 100m;", "write 300ms;"), O=origin)
    with w.connect(receive_buffer=4096) as c:
        c.write("GET", "/bytes/50000000")
        try:
            while c.sock.recv(2000):
                time.sleep(0.002)
        except OSError:
            pass
    line = w.access(path="/bytes/50000000")
    row = next(d for d in line["why"] if d["step"] == "limits")
    assert (row["subject"], row["at"], line["reason"]) == ("response_rate", "gateway.conf:1", "client_closed")
    assert line["bytes_out"] < 50000000


def test_a_client_that_does_not_read(weir, origin):
    w = weir(listener(timeouts="write 300ms;"), O=origin)
    with w.connect(receive_buffer=4096) as c:
        c.write("GET", "/bytes/50000000")
        line = w.access(path="/bytes/50000000")
    row = next(d for d in line["why"] if d["step"] == "timeouts")
    assert (row["subject"], row["at"], line["reason"]) == ("write", "gateway.conf:1", "client_closed")


def test_a_client_behind_deep_buffers_that_reads_on(weir, origin):
    """The kernel takes no more from weir until much of its buffer is free; a client that reads meanwhile is not cut."""
    w = weir(listener("response_rate 1k;", "write 1s;"), O=origin)
    with w.connect(receive_buffer=65536) as c:
        c.write("GET", "/bytes/20000000", {"Connection": "close"})
        end = time.monotonic() + 3
        while time.monotonic() < end:
            assert c.sock.recv(4096)
            time.sleep(0.01)
        c.sock.settimeout(20)
        while c.sock.recv(1 << 20):
            pass
    assert w.access(path="/bytes/20000000")["reason"] is None


def test_an_idle_connection_and_its_last_request(weir, origin):
    w = weir("log_level info;\n" + listener("requests 2;", "idle 200ms;"), O=origin)
    with w.connect() as c:
        assert c.get("/one").status == 200
        r = c.get("/two")
        assert r.get("Connection") == "close" and c.at_end()
    line = w.logged(r)
    row = next(d for d in line["why"] if d["step"] == "limits")
    assert (row["subject"], row["verdict"], row["reason"], row["at"]) == ("requests", "pass", "connection_ends", "gateway.conf:2")
    with w.connect() as c:
        assert c.get("/three").status == 200
        assert c.at_end()
    w.stderr.wait(lambda line: "`timeouts idle` (200 ms, gateway.conf:2)" in line, "line about it")


@pytest.mark.parametrize("where", ["", "host weir.test { max_body 100; ", "max_body 100;\n"])
def test_max_body_at_its_edge(weir, origin, where):
    conf = where + "route / { proxy o; " + ("" if where else "max_body 100; ") + "}" + (" }" if "{" in where else "")
    w = weir(conf + "\nupstream o { endpoint @O@; }\n", O=origin)
    at = "gateway.conf:1"

    def refused(r):
        assert (r.status, r.reason) == (413, "body_too_large")
        assert r.json["detail"].endswith("`max_body` is 100 bytes")
        row = next(d for d in w.logged(r)["why"] if d["step"] == "max_body")
        assert (row["at"], row["reason"]) == (at, "body_too_large")
    assert w.post("/x", b"a" * 100).status == 200
    refused(w.post("/x", b"a" * 101))
    for n in (100, 101):
        for pieces in ([n], [50, n - 50], [1] * n):
            with w.connect() as c:
                c.write("POST", "/x", {"Transfer-Encoding": "chunked"})
                try:
                    for size in pieces:
                        c.send(b"%x\r\n%s\r\n" % (size, b"a" * size))
                    c.send(b"0\r\n\r\n")
                except OSError:
                    pass
                r = c.response()
                if n == 100:
                    assert r.status == 200 and r.json["body"] == "a" * 100
                else:
                    refused(r)


def test_chunk_extensions(weir, origin):
    w = weir(listener(), O=origin)

    def chunks(n, ext):
        with w.connect() as c:
            c.write("POST", "/x", {"Transfer-Encoding": "chunked"})
            try:
                c.send((b"1;" + b"e" * ext + b"\r\na\r\n") * n + b"0\r\n\r\n")
            except OSError:
                pass
            return c.response().status
    assert (chunks(1, 256), chunks(1, 257)) == (200, 400)
    assert (chunks(60, 256), chunks(80, 256)) == (200, 400)


# ---- connections ----

def refused(w, **how):
    """Whether a new connection is closed at once; else it is kept, and returned."""
    c = w.connect(**how)
    try:
        assert c.get("/x").status == 200
        return c
    except (Closed, OSError):
        c.close()
        return None


@pytest.mark.parametrize("name", ["connections", "connections_per_client"])
def test_connections_of_a_listener_over_all_workers(weir, origin, name):
    w = weir("workers 4;\n" + listener(f"{name} 8;"), O=origin)
    clients = [refused(w) for _ in range(8)]
    assert all(clients)
    for _ in range(20):
        assert refused(w) is None
    eventually(lambda: w.metric("weir_connections_refused_total", listener="main", limit=name) == 20, "the count of the last one")
    line = w.stderr.wait(lambda line: "reached" in line, "line about it")
    assert f"listener main: `limits {name}` (8, gateway.conf:2)" in line and "127.0.0.1" in line
    assert w.stderr.count(lambda line: "reached" in line) <= 4  # one for each worker, not for each connection
    clients.pop().close()
    clients.append(eventually(lambda: refused(w), "room for another"))
    for c in clients:
        c.close()


def test_connections_of_each_client(weir, origin):
    w = weir(listener("connections_per_client 2;").replace("bind @LISTEN@", "bind 0.0.0.0:@PORT@"), O=origin,
             PORT=(port := Port("0.0.0.0")).number)

    def of(source):
        s = socket.socket()
        s.bind((source, 0))
        s.connect(("127.0.0.1", port.number))
        s.settimeout(20)
        s.sendall(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        try:
            return s if s.recv(12) == b"HTTP/1.1 200" else s.close()
        except OSError:
            return s.close()
    held = [of("127.0.0.2"), of("127.0.0.2"), of("127.0.0.3"), of("127.0.0.3")]
    assert all(held)
    assert of("127.0.0.2") is None and of("127.0.0.3") is None
    assert w.admin("GET", "/health")[0] == 200
    w.write(listener("connections_per_client 3;").replace("bind @LISTEN@", "bind 0.0.0.0:@PORT@"))
    assert w.admin("POST", "/api/v1/reload")[0] == 200
    held.append(of("127.0.0.2"))
    assert held[-1] and of("127.0.0.2") is None
    w.write("trusted_proxies 127.0.0.2;\n" + listener("connections_per_client 1;").replace("bind @LISTEN@", "bind 0.0.0.0:@PORT@"))
    assert w.admin("POST", "/api/v1/reload")[0] == 200
    held.append(of("127.0.0.2"))  # a proxy of ours is many clients
    assert held[-1] and of("127.0.0.3") is None
    for s in held:
        s.close()
    port.close()


def test_out_of_descriptors(weir, origin):
    """Clients wait, administrators do not; and it goes on by itself."""
    w = weir("route / { respond 200 ok; }", O=origin)
    fds = f"/proc/{w.process.pid}/fd"
    resource.prlimit(w.process.pid, resource.RLIMIT_NOFILE, (len(os.listdir(fds)) + 20,) * 2)
    for wave in range(2):
        clients = [w.connect() for _ in range(60)]
        if wave == 0:  # the limit was lowered under it: that it is, the first one who gets none finds out
            w.stderr.wait(lambda line: "accepting pauses" in line and "LimitNOFILE" in line, "line about it")
        else:
            before = w.metric("weir_accept_pauses_total")
            eventually(lambda: w.metric("weir_accept_pauses_total") > before + 2, "accepting to pause")
            for _ in range(10):
                assert w.admin("GET", "/health")[0] == 200
                assert w.admin("GET", "/ready")[0] == 200
        for c in clients:
            c.write("GET", "/", {"Connection": "close"})
        for c in clients:  # each one that is answered makes room for one who waits
            assert c.response().status == 200
            c.close()
        assert w.get("/").status == 200
    assert w.stderr.count(lambda line: "accepting pauses" in line) <= 3
    assert not w.metric("weir_connections_refused_total")


def test_the_last_descriptors_are_the_administrators(weir, origin):
    """Neither clients nor the connections to origins take them; and that there are no more is no failure of the origin."""
    w = weir("""
route / { proxy o; }
upstream o { endpoint @O@; outlier { consecutive 2; interval 10s; eject 30s; max_ejected 100%; } @C@ }
""", O=origin, C="health_check { path /healthz; interval 100ms; unhealthy 1; }", prefix=("prlimit", "--nofile=110"))
    clients = [w.connect() for _ in range(110)]
    for c in clients:
        c.write("GET", "/hold")
    eventually(lambda: w.metric("weir_accept_pauses_total") > 3, "accepting to pause")
    refused = eventually(lambda: w.log.count(lambda r: r["reason"] == "overflow_connections"), "requests without a connection")
    for _ in range(3):
        admins = [Conn(w.admin_path) for _ in range(4)]
        assert [a.get("/health").status for a in admins] == [200] * 4
        for a in admins:
            a.close()
    e = w.endpoint("o", origin)
    assert e["healthy"] and e["state"] == "up"
    assert not w.metric("weir_upstream_requests_total", outcome="connect_failed")
    origin.release(1000)
    crossed = 0  # a worker that others overtake between its look at what is left and its accept closes what it got
    waiting = {c.sock: c for c in clients}
    while waiting:  # whoever has an answer leaves, and makes room for one that was not accepted yet
        answered = select.select(list(waiting), [], [], 20)[0]
        assert answered
        for c in map(waiting.pop, answered):
            try:
                r = c.response()
            except ConnectionResetError:
                crossed += 1
            else:
                assert r.status == 200 or (r.status, r.reason, r.get("Retry-After")) == (503, "overflow_connections", "1")
            c.close()
    assert crossed <= os.cpu_count()  # workers
    assert refused and w.get("/x").status == 200


# ---- Max-Forwards and OPTIONS ----

def test_requests_that_end_at_the_gateway(weir, origin):
    w = weir("route / { proxy o; }\nupstream o { endpoint @O@; }", O=origin)
    for target, headers in (("*", {}), ("/x", {"Max-Forwards": "0"}), ("*", {"Max-Forwards": "0"})):
        r = w.request("OPTIONS", target, headers)
        assert r.status == 204 and "OPTIONS" in r.get("Allow"), target
    assert not origin.count()
    assert w.request("OPTIONS", "/x", {"Max-Forwards": "1"}).status == 200
    assert origin.request("/x").get("Max-Forwards") == "0"
    assert w.get("/y", {"Max-Forwards": "0"}).status == 200  # of OPTIONS and TRACE only (RFC 9110 7.6.2)
    assert origin.request("/y").get("Max-Forwards") == "0"
    for method, target in (("TRACE", "/x"), ("CONNECT", "a.test:443")):
        r = w.request(method, target, {"Max-Forwards": "0"})
        assert r.status == 405 and r.reason == "method_not_allowed" and r.get("Allow")
    assert w.request("OPTIONS", "http://a.test", {}).status == 204
    assert w.get("*").status == 400
