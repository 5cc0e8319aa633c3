"""gRPC through weir with the client and the server that others wrote: every kind of call, in cleartext and in TLS, HTTP/2 on both
sides. Generic handlers with bytes: no stubs are needed."""
import os
import threading
from concurrent import futures

import pytest

from harness import eventually

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
grpc = pytest.importorskip("grpc")

BIG = bytes(range(256)) * 1200  # more than the first windows

CONF = """
listener main { bind @LISTEN@; @TLS@ }
upstream o { endpoint @O@; protocol http2; @OTLS@ retry { attempts 3; on connect_failure grpc unavailable; } }
route /t.T/ { proxy o; }
route /t.Limited/ { rate_limit { rate 1/m; } proxy o; }
use rate_limit;
"""

KINDS = {"Echo": "unary_unary", "Count": "unary_stream", "Sum": "stream_unary", "Chat": "stream_stream", "Fail": "unary_unary",
         "Left": "unary_unary", "Hold": "unary_unary", "HoldOn": "unary_stream", "Flaky": "unary_unary", "Meta": "unary_unary"}


class Server:
    """t.T: what each method does is below."""

    def __init__(self, certificate=None):
        self.left = 0           # Flaky fails so often
        self.asked = []         # methods, as they were called
        self.cancelled = threading.Event()
        self.over = threading.Event()
        self.server = grpc.server(futures.ThreadPoolExecutor(8))
        handlers = {name: getattr(grpc, kind + "_rpc_method_handler")(self.counted(name)) for name, kind in KINDS.items()}
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(s, handlers) for s in ("t.T", "t.Limited")])
        if certificate:
            with open(certificate.key, "rb") as key, open(certificate.file, "rb") as file:
                self.port = self.server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key.read(), file.read())]))
        else:
            self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def __str__(self):
        return f"127.0.0.1:{self.port}"

    def counted(self, name):
        method = getattr(self, name)

        def call(request, context):
            self.asked.append(name)
            return method(request, context)
        return call

    def close(self):
        self.over.set()
        self.server.stop(None).wait()

    def Echo(self, request, _context):
        return request

    def Count(self, request, _context):
        for i in range(int(request)):
            yield str(i).encode()

    def Sum(self, requests, _context):
        return str(sum(int(r) for r in requests)).encode()

    def Chat(self, requests, _context):
        for r in requests:
            yield r + b"!"

    def Fail(self, request, context):
        context.set_trailing_metadata([("x-more", "1"), ("some-bin", b"\0\xff")])
        context.abort(getattr(grpc.StatusCode, request.decode()), "no: 100% ä")

    def Left(self, _request, context):
        return str(context.time_remaining()).encode()

    def Hold(self, request, context):
        context.add_callback(self.cancelled.set)
        self.over.wait(20)
        return request

    def HoldOn(self, request, context):
        context.add_callback(self.cancelled.set)  # now: after the first answer it may be over
        yield request
        self.over.wait(20)

    def Flaky(self, request, context):
        if self.left:
            self.left -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        return request

    def Meta(self, _request, context):
        context.send_initial_metadata([("x-first", "a")])
        return dict(context.invocation_metadata())["x-mine"].encode()


@pytest.fixture(params=["cleartext", "tls"])
def peers(request, weir, certificate):
    """weir, the server behind it, and a client before it."""
    tls = request.param == "tls"
    server = Server(certificate if tls else None)
    w = weir(CONF, O=server, TLS=f"tls {{ certificate {certificate.file}; key {certificate.key}; }}" if tls else "",
             OTLS=f"tls {{ ca {certificate.file}; server_name weir.test; }}" if tls else "")
    if tls:
        with open(certificate.file, "rb") as f:
            channel = grpc.secure_channel(str(w.port), grpc.ssl_channel_credentials(f.read()), [("grpc.ssl_target_name_override", "weir.test")])
    else:
        channel = grpc.insecure_channel(str(w.port))

    def call(name, request, service="t.T", **how):
        return getattr(channel, KINDS.get(name, "unary_unary"))(f"/{service}/{name}")(request, **how)
    w.server, w.call = server, call
    w.calls = lambda status, **labels: w.metric("weir_grpc_requests_total", grpc_status=status, **labels) or 0
    yield w
    channel.close()
    server.close()


def status(call):
    with pytest.raises(grpc.RpcError) as e:
        call()
    return e.value.code(), e.value.details()


def test_every_kind_of_call(peers):
    call = peers.call
    assert call("Echo", b"hello") == b"hello" and call("Echo", b"") == b""
    assert call("Echo", BIG) == BIG
    assert list(call("Count", b"100")) == [str(i).encode() for i in range(100)]
    assert call("Sum", (str(i).encode() for i in range(100))) == b"4950"
    assert list(call("Chat", iter([b"a", b"b", BIG]))) == [b"a!", b"b!", BIG + b"!"]
    assert call("Meta", b"", metadata=[("x-mine", "7")]) == b"7"
    assert peers.access(path="/t.T/Echo")["protocol"] == "HTTP/2"
    eventually(lambda: peers.calls("OK", route="/t.T/") == 7, "all calls counted")


def test_a_conversation(peers):
    """Each message is answered before the next is sent: nothing waits for an end anywhere."""
    said = threading.Semaphore(1)

    def messages():
        for i in range(20):
            assert said.acquire(timeout=20)
            yield str(i).encode()
    heard = []
    for answer in peers.call("Chat", messages()):
        heard.append(answer)
        said.release()
    assert heard == [b"%d!" % i for i in range(20)]


@pytest.mark.workers
def test_many_at_once(peers):
    with futures.ThreadPoolExecutor(16) as pool:
        texts = [str(i).encode() * 50 for i in range(200)]
        assert list(pool.map(lambda t: peers.call("Echo", t), texts)) == texts


@pytest.mark.parametrize("name", ["NOT_FOUND", "INTERNAL", "PERMISSION_DENIED", "DATA_LOSS"])
def test_failures_are_the_servers_own(peers, name):
    with pytest.raises(grpc.RpcError) as e:
        peers.call("Fail", name.encode())
    assert (e.value.code().name, e.value.details()) == (name, "no: 100% ä")
    assert {("x-more", "1"), ("some-bin", b"\0\xff")} <= set(e.value.trailing_metadata())
    assert peers.server.asked == ["Fail"]
    eventually(lambda: peers.calls(name) == 1, "the call counted")


def test_an_unknown_method(peers):
    assert status(lambda: peers.call("Nothing", b""))[0] is grpc.StatusCode.UNIMPLEMENTED
    assert peers.call("Echo", b"a") == b"a"


def test_deadlines(peers):
    left = float(peers.call("Left", b"", timeout=15))
    assert 0 < left < 16  # the client rounds up what it says
    assert status(lambda: peers.call("Hold", b"", timeout=.2))[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    assert peers.server.cancelled.wait(20)  # the server knows of it
    eventually(lambda: peers.calls("DEADLINE_EXCEEDED") + peers.calls("CANCELLED") == 1, "the call counted")
    assert peers.metric("weir_upstream_requests_total", outcome="timeout") is None


def test_a_client_that_leaves(peers):
    stream = peers.call("HoldOn", b"first")
    assert next(stream) == b"first"
    stream.cancel()
    assert peers.server.cancelled.wait(20)
    eventually(lambda: peers.calls("CANCELLED") == 1, "the call counted")


def test_what_weir_says_itself(peers):
    code, details = status(lambda: peers.call("Echo", b"", service="nobody.Knows"))
    assert (code, details) == (grpc.StatusCode.UNIMPLEMENTED, "no route is configured for this host and path")
    assert peers.call("Echo", b"", service="t.Limited") == b""
    assert status(lambda: peers.call("Echo", b"", service="t.Limited"))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert peers.access(path="/t.Limited/Echo", status=429)["reason"] == "rate_limited"
    peers.server.server.stop(None).wait()
    code, details = status(lambda: peers.call("Echo", b""))
    assert code is grpc.StatusCode.UNAVAILABLE and "upstream" in details


def test_what_is_listed_is_tried_again(peers):
    peers.server.left = 2
    assert peers.call("Flaky", BIG[:1000]) == BIG[:1000]
    assert peers.server.asked == ["Flaky"] * 3
    peers.server.left = 3
    assert status(lambda: peers.call("Flaky", b"")) == (grpc.StatusCode.UNAVAILABLE, "not yet")
    assert [d["reason"] for d in peers.access(attempts=3, status=200)["why"] if d["step"] == "retry"] == ["retry", "retry"]
