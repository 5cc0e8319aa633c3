"""What RFC 9113 asks of a server, section by section, frame by frame: the cases that the well-known suites for HTTP/2 and HPACK
look at, on cleartext and on TLS. Each sends something and names what may come of it."""
import pytest

from harness import H2
from harness.h2 import (ACK, CONTINUATION, COMPRESSION_ERROR, DATA, ENABLE_PUSH, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR,
                        FRAME_SIZE_ERROR, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, PADDED, PING, PREFACE, PRIORITY,
                        PROTOCOL_ERROR, PUSH_PROMISE, REFUSED_STREAM, RST_STREAM, SETTINGS, STREAM_CLOSED, WINDOW_UPDATE,
                        WITH_PRIORITY, frame, number, settings)

CONF = """
listener main { bind @LISTEN@; }
listener secure { bind @SECURE@; tls { certificate @CRT@; key @KEY@; } }
upstream o { endpoint @O@; }
route / { respond 200 "a body of some length"; }
route /o/ { proxy o; strip_prefix /o; }
"""


def served(c, stream):
    a = c.response(stream)
    assert (a.status, a.ended, a.reset) == (200, True, None), a


def alive(c):
    c.ping()
    served(c, c.write("/"))


def connection_error(c, *codes):
    """A GOAWAY with one of the codes; or the end of the connection alone, which is as good (RFC 9113 5.4.1)."""
    goaway = c.rest()
    assert goaway is None or goaway.code in codes, goaway
    return goaway


def stream_error(c, stream, *codes):
    """RST_STREAM with one of the codes; or the same for the connection (RFC 9113 5.4.2)."""
    while c.answer(stream).reset is None:
        if c.read() is None:
            goaway = next((f for f in c.frames if f.kind == GOAWAY), None)
            assert goaway is None or goaway.code in codes, goaway
            return
    assert c.answer(stream).reset in codes, c.answer(stream)
    alive(c)


def raw_head(c, fields, end=True):
    return c.headers(fields, end)


# ---- 3.4, 4: preface and frames ----

def preface_invalid(c):
    c.send(b"INVALID CONNECTION PREFACE\r\n\r\n")
    c.conn.reader.rest()  # it ends, whatever is said before


def preface_without_settings(c):
    c.send(PREFACE + frame(PING, 0, 0, bytes(8)))
    connection_error(c, PROTOCOL_ERROR)


def unknown_frame(c):
    c.frame(0x16, 0xff, 0, b"whatever")
    c.frame(0x17, 0, 77, b"whatever")
    alive(c)


def undefined_flags(c):
    c.frame(PING, 0x16, 0, bytes(8))
    alive(c)


def reserved_bit(c):
    c.send(frame(PING, 0, 0, bytes(8))[:5] + b"\x80\0\0\0" + bytes(8))
    alive(c)


def data_as_large_as_may_be(c):
    s = c.headers(c.head("/o/x", "POST"), end=False)
    c.data(s, b"x" * 16384)
    served(c, s)


def data_too_large(c):
    s = c.headers(c.head("/o/x", "POST"), end=False)
    c.frame(DATA, END_STREAM, s, b"x" * 16385)
    stream_error(c, s, FRAME_SIZE_ERROR)


def head_too_large_a_frame(c):
    c.frame(HEADERS, END_HEADERS | END_STREAM, 1, c.encode(c.head("/", more=[("x-a", "v" * 16384)])))
    connection_error(c, FRAME_SIZE_ERROR)


def field_block_broken(c):
    c.frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
    connection_error(c, COMPRESSION_ERROR)


def priority_within_a_head(c):
    c.headers(c.head("/"), flags=0)
    c.frame(PRIORITY, 0, 1, number(0) + b"\x10")
    connection_error(c, PROTOCOL_ERROR)


def other_stream_within_a_head(c):
    c.headers(c.head("/"), flags=0)
    c.headers(c.head("/"), stream=3)
    connection_error(c, PROTOCOL_ERROR)


# ---- 5.1: states of a stream ----

def idle_data(c):
    c.frame(DATA, END_STREAM, 1, b"x")
    connection_error(c, PROTOCOL_ERROR)


def idle_rst(c):
    c.rst(1)
    connection_error(c, PROTOCOL_ERROR)


def idle_window_update(c):
    c.open_window(1, 100)
    connection_error(c, PROTOCOL_ERROR)


def idle_continuation(c):
    c.frame(CONTINUATION, END_HEADERS, 1, c.encode(c.head("/")))
    connection_error(c, PROTOCOL_ERROR)


def half_closed_data(c):
    s = c.headers(c.head("/o/delay/1"))
    c.frame(DATA, END_STREAM, s, b"x")
    stream_error(c, s, STREAM_CLOSED)


def half_closed_headers(c):
    s = c.headers(c.head("/o/delay/1"))
    c.headers([("x-a", "1")], stream=s)
    connection_error(c, STREAM_CLOSED)


def closed_data(c):
    s = c.headers(c.head("/o/x", "POST"), end=False)
    c.rst(s)
    c.frame(DATA, END_STREAM, s, b"x")
    may_be_ignored(c, s, STREAM_CLOSED)


def closed_headers(c):
    s = c.headers(c.head("/o/x", "POST"), end=False)
    c.rst(s)
    c.headers(c.head("/"), stream=s)
    may_be_ignored(c, s, STREAM_CLOSED, PROTOCOL_ERROR)


def may_be_ignored(c, s, *codes):
    """Frames behind a RST_STREAM: an error, or nothing (RFC 9113 5.1)."""
    c.frame(PING, 0, 0, bytes(8))
    while c.read():
        if c.frames[-1].kind == PING and c.frames[-1].flags & ACK:
            return
        if c.frames[-1].kind == RST_STREAM:
            assert c.frames[-1].code in codes
    goaway = next((f for f in c.frames if f.kind == GOAWAY), None)
    assert goaway is None or goaway.code in codes


def even_stream(c):
    c.headers(c.head("/"), stream=2)
    connection_error(c, PROTOCOL_ERROR)


def smaller_stream(c):
    c.headers(c.head("/"), stream=5)
    c.headers(c.head("/"), stream=3)
    connection_error(c, PROTOCOL_ERROR, STREAM_CLOSED)


def many_streams(c):
    c.ping()
    for _ in range(101):
        c.headers(c.head("/o/x", "POST"), end=False)
    connection_error(c, PROTOCOL_ERROR)


def continuation_flood_of_one(c):
    c.headers(c.head("/"), flags=0)
    c.frame(CONTINUATION, END_HEADERS, 1, c.encode([("x-a", "1")]))
    served(c, 1)


# ---- 5.3: priorities (which are not looked at, and must not hurt) ----

def depends_on_itself(c):
    c.frame(HEADERS, END_HEADERS | END_STREAM | WITH_PRIORITY, 1, number(1) + b"\x10" + c.encode(c.head("/")))
    c.next_id = 3
    a = c.answer(1)
    while not a.ended and a.reset is None and c.read():
        pass
    assert a.ended or a.reset == PROTOCOL_ERROR or c.ended


def priority_of_an_idle_stream(c):
    c.frame(PRIORITY, 0, 9, number(0) + b"\x10")
    alive(c)


# ---- 6: kinds of frames ----

def data_on_stream_0(c):
    c.frame(DATA, END_STREAM, 0, b"x")
    connection_error(c, PROTOCOL_ERROR)


def data_padding_too_long(c):
    s = c.headers(c.head("/o/x", "POST"), end=False)
    c.frame(DATA, END_STREAM | PADDED, s, b"\x06Test")
    connection_error(c, PROTOCOL_ERROR)


def data_padded(c):
    s = c.headers(c.head("/o/x", "POST"), end=False)
    c.frame(DATA, END_STREAM | PADDED, s, b"\x06Test" + bytes(6))
    served(c, s)


def head_padded(c):
    c.frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, b"\x02" + c.encode(c.head("/")) + bytes(2))
    served(c, 1)


def head_with_priority(c):
    c.frame(HEADERS, END_HEADERS | END_STREAM | WITH_PRIORITY, 1, number(0) + b"\x10" + c.encode(c.head("/")))
    served(c, 1)


def head_on_stream_0(c):
    c.frame(HEADERS, END_HEADERS | END_STREAM, 0, c.encode(c.head("/")))
    connection_error(c, PROTOCOL_ERROR)


def head_padding_too_long(c):
    block = c.encode(c.head("/"))
    c.frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, bytes([len(block) + 1]) + block)
    connection_error(c, PROTOCOL_ERROR)


def head_continued_by_nothing(c):
    c.headers(c.head("/"), flags=0)
    c.frame(DATA, END_STREAM, 1, b"x")
    connection_error(c, PROTOCOL_ERROR)


def priority_on_stream_0(c):
    c.frame(PRIORITY, 0, 0, number(0) + b"\x10")
    connection_error(c, PROTOCOL_ERROR)


def priority_of_another_size(c):
    s = c.headers(c.head("/o/x", "POST"), end=False)
    c.frame(PRIORITY, 0, s, b"\x80\0\0\1")
    stream_error(c, s, FRAME_SIZE_ERROR)


def rst_on_stream_0(c):
    c.rst(0)
    connection_error(c, PROTOCOL_ERROR)


def rst_of_another_size(c):
    s = c.headers(c.head("/o/x", "POST"), end=False)
    c.frame(RST_STREAM, 0, s, b"\0\0\0")
    connection_error(c, FRAME_SIZE_ERROR)


def settings_ack(c):
    c.ping()
    assert any(f.kind == SETTINGS and f.flags & ACK and not f.payload for f in c.frames)


def settings_ack_with_payload(c):
    c.frame(SETTINGS, ACK, 0, bytes(6))
    connection_error(c, FRAME_SIZE_ERROR)


def settings_on_a_stream(c):
    c.send(settings((3, 100), stream=1))
    connection_error(c, PROTOCOL_ERROR)


def settings_of_another_size(c):
    c.frame(SETTINGS, 0, 0, b"\0\3\0")
    connection_error(c, FRAME_SIZE_ERROR)


def push_neither_on_nor_off(c):
    c.send(settings((ENABLE_PUSH, 2)))
    connection_error(c, PROTOCOL_ERROR)


def window_beyond_what_is_possible(c):
    c.send(settings((INITIAL_WINDOW_SIZE, 1 << 31)))
    connection_error(c, FLOW_CONTROL_ERROR)


def frames_too_small(c):
    c.send(settings((MAX_FRAME_SIZE, 16383)))
    connection_error(c, PROTOCOL_ERROR)


def frames_too_large(c):
    c.send(settings((MAX_FRAME_SIZE, 1 << 24)))
    connection_error(c, PROTOCOL_ERROR)


def unknown_setting(c):
    c.send(settings((0xff, 1)))
    alive(c)


def one_setting_twice(c):
    c.send(settings((INITIAL_WINDOW_SIZE, 1), (INITIAL_WINDOW_SIZE, 5)))
    c.window = False
    c.ping()
    s = c.write("/")
    c.wait(lambda: len(c.answer(s).body) == 5, "what the last value allows")
    c.ping()
    assert len(c.answer(s).body) == 5


def push_from_a_client(c):
    c.frame(PUSH_PROMISE, END_HEADERS, 1, number(2) + c.encode(c.head("/")))
    connection_error(c, PROTOCOL_ERROR)


def ping_answered(c):
    c.frame(PING, 0, 0, b"whatever")
    f = c.until(PING)
    assert f.flags & ACK and f.payload == b"whatever"


def ping_ack_not_answered(c):
    c.frame(PING, ACK, 0, b"a secret")
    c.ping()
    assert [f.payload for f in c.frames if f.kind == PING] == [bytes(8)]


def ping_on_a_stream(c):
    c.frame(PING, 0, 1, bytes(8))
    connection_error(c, PROTOCOL_ERROR)


def ping_of_another_size(c):
    c.frame(PING, 0, 0, bytes(6))
    connection_error(c, FRAME_SIZE_ERROR)


def goaway_on_a_stream(c):
    c.frame(GOAWAY, 0, 1, bytes(8))
    connection_error(c, PROTOCOL_ERROR)


def goaway_lets_what_is_under_way_end(c):
    s = c.headers(c.head("/o/x", "POST"), end=False)
    c.frame(GOAWAY, 0, 0, bytes(8))
    c.data(s, b"x")
    served(c, s)
    assert c.rest() is None or c.ended


def window_update_of_0(c):
    c.open_window(0, 0)
    connection_error(c, PROTOCOL_ERROR)


def window_update_of_0_on_a_stream(c):
    s = c.headers(c.head("/o/x", "POST"), end=False)
    c.open_window(s, 0)
    stream_error(c, s, PROTOCOL_ERROR)


def window_update_of_another_size(c):
    c.frame(WINDOW_UPDATE, 0, 0, bytes(3))
    connection_error(c, FRAME_SIZE_ERROR)


def window_too_large(c):
    c.open_window(0, 0x7fffffff)
    connection_error(c, FLOW_CONTROL_ERROR)


def window_of_a_stream_too_large(c):
    s = c.headers(c.head("/o/x", "POST"), end=False)
    c.open_window(s, 0x7fffffff)
    stream_error(c, s, FLOW_CONTROL_ERROR)


def window_kept(c):
    c.send(settings((INITIAL_WINDOW_SIZE, 1)))
    c.window = False
    c.ping()
    s = c.write("/")
    c.wait(lambda: len(c.answer(s).body) == 1, "one byte")
    c.open_window(s, 3)
    c.wait(lambda: len(c.answer(s).body) == 4, "three more")
    c.send(settings((INITIAL_WINDOW_SIZE, 3)))
    c.wait(lambda: len(c.answer(s).body) == 6, "two more")


def window_that_becomes_negative(c):
    c.window = False
    c.send(settings((INITIAL_WINDOW_SIZE, 3)))
    c.ping()
    s = c.write("/")
    c.wait(lambda: len(c.answer(s).body) == 3, "three bytes")
    c.send(settings((INITIAL_WINDOW_SIZE, 2)))
    c.open_window(s, 2)
    c.wait(lambda: len(c.answer(s).body) == 4, "one byte more")


def more_data_than_the_window(c):
    s = c.headers(c.head("/o/x", "POST"), end=False)
    for _ in range(80):
        c.frame(DATA, 0, s, b"x" * 16384)
    stream_error(c, s, FLOW_CONTROL_ERROR, STREAM_CLOSED, 0)


def continuations(c):
    c.headers(c.head("/"), flags=0)
    c.frame(CONTINUATION, 0, 1, c.encode([("x-a", "1")]))
    c.frame(CONTINUATION, END_HEADERS, 1, c.encode([("x-b", "1")]))
    served(c, 1)


def continuation_on_stream_0(c):
    c.headers(c.head("/"), flags=0)
    c.frame(CONTINUATION, END_HEADERS, 0, c.encode([("x-a", "1")]))
    connection_error(c, PROTOCOL_ERROR)


def continuation_behind_the_end(c):
    c.headers(c.head("/"))
    c.frame(CONTINUATION, END_HEADERS, 1, c.encode([("x-a", "1")]))
    connection_error(c, PROTOCOL_ERROR)


# ---- 8: HTTP in frames ----

def malformed(fields):
    def case(c):
        stream_error(c, raw_head(c, fields(c)), PROTOCOL_ERROR)
    return case


def without(c, name):
    return [(n, v) for n, v in c.head("/") if n != name]


def pseudo_in_trailers(c):
    s = c.headers(c.head("/o/x", "POST"), end=False)
    c.headers([(":method", "GET")], stream=s)
    stream_error(c, s, PROTOCOL_ERROR)


def trailers_without_an_end(c):
    s = c.headers(c.head("/o/x", "POST"), end=False)
    c.headers([("x-a", "1")], stream=s, end=False)
    stream_error(c, s, PROTOCOL_ERROR)


def length(value, *pieces):
    def case(c):
        s = c.headers(c.head("/o/x", "POST", [("content-length", value)]), end=not pieces)
        for i, piece in enumerate(pieces):
            c.data(s, piece, end=i == len(pieces) - 1)
        stream_error(c, s, PROTOCOL_ERROR)
    return case


HTTP = {
    "8.2.1 a name in capitals": malformed(lambda c: c.head("/", more=[("X-A", "1")])),
    "8.2.2 connection": malformed(lambda c: c.head("/", more=[("connection", "keep-alive")])),
    "8.2.2 keep-alive": malformed(lambda c: c.head("/", more=[("keep-alive", "timeout=5")])),
    "8.2.2 proxy-connection": malformed(lambda c: c.head("/", more=[("proxy-connection", "x")])),
    "8.2.2 transfer-encoding": malformed(lambda c: c.head("/", more=[("transfer-encoding", "chunked")])),
    "8.2.2 upgrade": malformed(lambda c: c.head("/", more=[("upgrade", "x")])),
    "8.2.2 te": malformed(lambda c: c.head("/", more=[("te", "trailers, deflate")])),
    "8.3 an unknown pseudo-header field": malformed(lambda c: c.head("/", more=[]) + [(":test", "ok")]),
    "8.3 a pseudo-header field of answers": malformed(lambda c: c.head("/") + [(":status", "200")]),
    "8.3 a pseudo-header field too late": malformed(lambda c: [("x-a", "1")] + c.head("/")),
    "8.3.1 an empty path": malformed(lambda c: c.head("")),
    "8.3.1 no method": malformed(lambda c: without(c, ":method")),
    "8.3.1 no scheme": malformed(lambda c: without(c, ":scheme")),
    "8.3.1 no path": malformed(lambda c: without(c, ":path")),
    "8.3.1 no authority": malformed(lambda c: without(c, ":authority")),
    "8.3.1 method twice": malformed(lambda c: c.head("/") [:1] + c.head("/")),
    "8.3.1 scheme twice": malformed(lambda c: c.head("/")[1:2] + c.head("/")),
    "8.3.1 path twice": malformed(lambda c: c.head("/") + [(":path", "/")]),
    "8.3.1 a path without a slash": malformed(lambda c: c.head("x")),
    "8.5 CONNECT with a path": malformed(lambda c: [(":method", "CONNECT"), (":authority", "a:1"), (":path", "/")]),
    "8.1 pseudo-header fields in trailers": pseudo_in_trailers,
    "8.1 trailers without an end": trailers_without_an_end,
    "8.1.1 a length that is too small": length("1", b"test"),
    "8.1.1 a length that is too large": length("9", b"test"),
    "8.1.1 a length of two pieces": length("9", b"test", b"test"),
    "8.1.1 a length without a body": length("9"),
    "8.1.1 a length that is none": length("x", b"test"),
    "8.4 a push from a client": push_from_a_client,
}

FRAMES = {
    "3.4 another preface": preface_invalid,
    "3.4 no SETTINGS first": preface_without_settings,
    "4.1 an unknown type": unknown_frame,
    "4.1 undefined flags": undefined_flags,
    "4.1 the reserved bit": reserved_bit,
    "4.2 DATA of 2^14": data_as_large_as_may_be,
    "4.2 DATA beyond": data_too_large,
    "4.2 HEADERS beyond": head_too_large_a_frame,
    "4.3 a broken field block": field_block_broken,
    "4.3 PRIORITY within": priority_within_a_head,
    "4.3 another stream within": other_stream_within_a_head,
    "5.1 idle: DATA": idle_data,
    "5.1 idle: RST_STREAM": idle_rst,
    "5.1 idle: WINDOW_UPDATE": idle_window_update,
    "5.1 idle: CONTINUATION": idle_continuation,
    "5.1 half-closed: DATA": half_closed_data,
    "5.1 half-closed: HEADERS": half_closed_headers,
    "5.1 half-closed: CONTINUATION": continuation_behind_the_end,
    "5.1 closed: DATA": closed_data,
    "5.1 closed: HEADERS": closed_headers,
    "5.1.1 an even number": even_stream,
    "5.1.1 a smaller number": smaller_stream,
    "5.1.2 more streams than allowed": many_streams,
    "5.3.1 depends on itself": depends_on_itself,
    "5.3.1 PRIORITY of an idle stream": priority_of_an_idle_stream,
    "6.1 DATA on stream 0": data_on_stream_0,
    "6.1 too much padding": data_padding_too_long,
    "6.1 padding": data_padded,
    "6.2 padding": head_padded,
    "6.2 priority": head_with_priority,
    "6.2 HEADERS on stream 0": head_on_stream_0,
    "6.2 too much padding": head_padding_too_long,
    "6.2 DATA within": head_continued_by_nothing,
    "6.3 PRIORITY on stream 0": priority_on_stream_0,
    "6.3 another size": priority_of_another_size,
    "6.4 RST_STREAM on stream 0": rst_on_stream_0,
    "6.4 another size": rst_of_another_size,
    "6.5 acknowledged": settings_ack,
    "6.5 an acknowledgment with payload": settings_ack_with_payload,
    "6.5 SETTINGS on a stream": settings_on_a_stream,
    "6.5 another size": settings_of_another_size,
    "6.5.2 ENABLE_PUSH 2": push_neither_on_nor_off,
    "6.5.2 INITIAL_WINDOW_SIZE beyond": window_beyond_what_is_possible,
    "6.5.2 MAX_FRAME_SIZE below": frames_too_small,
    "6.5.2 MAX_FRAME_SIZE beyond": frames_too_large,
    "6.5.2 an unknown setting": unknown_setting,
    "6.5.3 one setting twice": one_setting_twice,
    "6.7 answered": ping_answered,
    "6.7 an acknowledgment": ping_ack_not_answered,
    "6.7 PING on a stream": ping_on_a_stream,
    "6.7 another size": ping_of_another_size,
    "6.8 GOAWAY on a stream": goaway_on_a_stream,
    "6.8 what is under way": goaway_lets_what_is_under_way_end,
    "6.9 an increment of 0": window_update_of_0,
    "6.9 an increment of 0 on a stream": window_update_of_0_on_a_stream,
    "6.9 another size": window_update_of_another_size,
    "6.9.1 beyond 2^31-1": window_too_large,
    "6.9.1 beyond 2^31-1 on a stream": window_of_a_stream_too_large,
    "6.9.1 kept": window_kept,
    "6.9.1 not kept by the client": more_data_than_the_window,
    "6.9.2 negative": window_that_becomes_negative,
    "6.10 several": continuations,
    "6.10 one": continuation_flood_of_one,
    "6.10 CONTINUATION on stream 0": continuation_on_stream_0,
}


# ---- RFC 7541 ----

def block(*pieces, good=False):
    """Behind the head of a request stands this in its field block."""
    def case(c):
        c.frame(HEADERS, END_HEADERS | END_STREAM, 1, b"".join(pieces) if good is None else c.encode(c.head("/")) + b"".join(pieces))
        if good:
            served(c, 1)
        else:
            connection_error(c, COMPRESSION_ERROR)
    return case


def table_size_first(c):
    c.frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x20\x3f\x61" + c.encode(c.head("/")))
    served(c, 1)


def table_size_beyond(c):
    c.frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x3f\xe2\x1f" + c.encode(c.head("/")))
    connection_error(c, COMPRESSION_ERROR)


HPACK = {
    "2.3.3 an index that is not there": block(b"\xc6"),
    "2.3.3 a literal with such a name": block(b"\x7f\x0f\x01x"),
    "4.2 a table size at the end": block(b"\x21"),
    "4.2 table sizes at the beginning": table_size_first,
    "5.2 Huffman padding of more than 7 bits": block(b"\x00\x01a\x84\x49\x50\x9f\xff"),
    "5.2 Huffman padding of zeros": block(b"\x00\x01a\x83\x49\x50\x90"),
    "5.2 Huffman with EOS": block(b"\x00\x01a\x88\x49\x50\x9f\xff\xff\xff\xfa\xff"),
    "5.2 a string that is cut": block(b"\x00\x01a\x05ab"),
    "6.1 index 0": block(b"\x80"),
    "6.3 a table size beyond": table_size_beyond,
    "6.1 the static table": block(b"\x00\x01a\x01b", good=True),
}

CASES = {**FRAMES, **HTTP, **{"HPACK " + k: v for k, v in HPACK.items()}}
OWN_START = {preface_invalid, preface_without_settings}


@pytest.fixture(scope="module")
def listeners(request, tmp_path_factory):
    from harness import Certificate, Origin, Port, Weir
    certificate = Certificate(tmp_path_factory.mktemp("h2"), "weir.test")
    secure, origin = Port(), Origin()
    w = Weir(CONF, O=origin, SECURE=secure, CRT=certificate.file, KEY=certificate.key)
    yield w, secure, certificate
    w.close()
    origin.close()
    secure.close()


@pytest.mark.parametrize("where", ["cleartext", "tls"])
@pytest.mark.parametrize("name", CASES)
def test_conformance(listeners, name, where):
    w, secure, certificate = listeners
    case = CASES[name]
    how = {}
    if where == "tls":
        context = certificate.client()
        context.set_alpn_protocols(["h2"])
        how = {"tls": context, "server_name": "weir.test"}
    with H2(secure.address if where == "tls" else w.port.address, start=case not in OWN_START, **how) as c:
        case(c)
    with H2(w.port.address) as c:
        alive(c)
