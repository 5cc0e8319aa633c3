"""RFC 9113, sections 3 to 7: the connection, its frames, the states of streams."""
from harness.h2 import (ACK, CANCEL, CONTINUATION, COMPRESSION_ERROR, DATA, ENABLE_PUSH, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR,
                        FRAME_SIZE_ERROR, GOAWAY, HEADER_TABLE_SIZE, HEADERS, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS,
                        MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE, NO_ERROR, PADDED, PING, PREFACE, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE,
                        REFUSED_STREAM, RST_STREAM, SETTINGS, STREAM_CLOSED, WINDOW_UPDATE, WITH_PRIORITY, frame, number, settings)

from .checks import alive, answered, connection_error, passed_over, served, stream_error

UNKNOWN = 0x16


def priority(c, stream, on=0, weight=16, exclusive=False):
    c.frame(PRIORITY, 0, stream, number(on | (1 << 31 if exclusive else 0)) + bytes([weight - 1]))


# ---- 3.4, 4: preface and frames ----

def preface(c):
    c.send(PREFACE + settings((INITIAL_WINDOW_SIZE, 65535)))
    first = c.read()
    assert (first.kind, first.flags & ACK, first.stream) == (SETTINGS, 0, 0), first
    alive(c)


def preface_invalid(c):
    c.send(b"INVALID CONNECTION PREFACE\r\n\r\n").flush()
    c.conn.reader.rest()  # it ends, whatever is said before


def preface_without_settings(c):
    c.send(PREFACE + frame(PING, 0, 0, bytes(8)))
    connection_error(c, PROTOCOL_ERROR)


def unknown_frame(c):
    c.frame(UNKNOWN, 0xff, 0, b"whatever")
    c.frame(UNKNOWN + 1, 0, 77, b"whatever")
    alive(c)


def unknown_frame_within_a_head(c):
    c.headers(c.head(c.path), flags=0)
    c.frame(UNKNOWN, 0, 0, bytes(8))
    connection_error(c, PROTOCOL_ERROR)


def undefined_flags(c):
    c.frame(PING, 0x16, 0, bytes(8))
    answered(c, bytes(8))


def reserved_bit(c):
    c.send(frame(PING, 0x16, 0, bytes(8))[:5] + b"\x80\0\0\0" + bytes(8))
    answered(c, bytes(8))


def data_as_large_as_may_be(c):
    s = c.post()
    c.data(s, b"x" * 16384)
    served(c, s)


def data_too_large(c):
    s = c.post()
    c.frame(DATA, END_STREAM, s, b"x" * 16385)
    stream_error(c, s, FRAME_SIZE_ERROR)


def head_too_large_a_frame(c):
    c.frame(HEADERS, END_HEADERS | END_STREAM, 1, c.encode(c.head("/", more=[("x-a", "v" * 16384)])))
    connection_error(c, FRAME_SIZE_ERROR)


def field_block_broken(c):
    c.frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff" * 11)
    connection_error(c, COMPRESSION_ERROR)


def field_block_cut(c):
    c.frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x40")
    connection_error(c, COMPRESSION_ERROR)


def priority_within_a_head(c):
    s = c.headers(c.head(c.path), flags=0)
    priority(c, s)
    c.frame(CONTINUATION, END_HEADERS, s, c.encode([("x-a", "1")]))
    connection_error(c, PROTOCOL_ERROR)


def other_stream_within_a_head(c):
    c.headers(c.head(c.path), flags=0)
    c.get(stream=3)
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
    s = c.get()
    c.frame(DATA, END_STREAM, s, b"x")
    stream_error(c, s, STREAM_CLOSED)


def half_closed_data_of_another_method(c):
    s = c.headers(c.head(c.path, "POST"))
    c.frame(DATA, END_STREAM, s, b"x")
    stream_error(c, s, STREAM_CLOSED)


def half_closed_headers(c):
    s = c.get()
    c.get(stream=s)
    connection_error(c, STREAM_CLOSED)


def withheld(c):
    """A request whose answer waits for its window, which keeps the stream half-closed."""
    c.window = False
    c.send(settings((INITIAL_WINDOW_SIZE, 0)))
    return c.get()


def half_closed_window_update(c):
    s = withheld(c)
    c.open_window(s, 1)
    c.wait(lambda: len(c.answer(s).body) == 1, "one byte")


def half_closed_priority(c):
    s = withheld(c)
    priority(c, s, weight=256)
    c.open_window(s, 1)
    c.wait(lambda: len(c.answer(s).body) == 1, "one byte")


def half_closed_rst(c):
    c.rst(withheld(c))
    c.ping()
    c.send(settings((INITIAL_WINDOW_SIZE, 65535)))
    alive(c)


def reset_data(c):
    s = c.get(end=False)
    c.rst(s)
    c.frame(DATA, END_STREAM, s, b"x")
    stream_error(c, s, STREAM_CLOSED)


def reset_headers(c):
    s = c.get(end=False)
    c.rst(s)
    c.get(stream=s)
    stream_error(c, s, STREAM_CLOSED)


def reset_continuation(c):
    s = c.get(end=False)
    c.rst(s)
    c.frame(CONTINUATION, END_HEADERS, s, c.encode([("x-a", "1")]))
    connection_error(c, STREAM_CLOSED, PROTOCOL_ERROR)


def over(c):
    s = c.get()
    served(c, s)
    return s


def closed_data(c):
    c.frame(DATA, END_STREAM, over(c), b"x")
    connection_error(c, STREAM_CLOSED)


def closed_headers(c):
    c.get(stream=over(c))
    connection_error(c, STREAM_CLOSED)


def closed_continuation(c):
    c.frame(CONTINUATION, END_HEADERS, over(c), c.encode([("x-a", "1")]))
    connection_error(c, STREAM_CLOSED, PROTOCOL_ERROR)


def closed_priority(c):
    s = over(c)
    priority(c, s, weight=256)
    passed_over(c, s)


def closed_rst(c):
    """It may have crossed the end of the answer, and so may WINDOW_UPDATE."""
    s = over(c)
    c.rst(s)
    c.open_window(s, 1)
    passed_over(c, s)


def reset_from_here(c):
    """The client could not know: what it has sent by then is passed over, its fields decoded all the same. Long before it has
    ended a stream of its own, which says nothing of this one."""
    over(c)
    s = c.headers(c.head("/", "POST"), end=False, stream=257)
    c.until(RST_STREAM, stream=s)
    assert c.answer(s).reset == NO_ERROR
    c.data(s, b"x", end=False)
    c.headers([("x-a", "1")], stream=s)
    c.next_id = s + 2
    passed_over(c, s)


def even_stream(c):
    c.get(stream=2)
    connection_error(c, PROTOCOL_ERROR)


def smaller_stream(c):
    c.get(stream=5)
    c.get(stream=3)
    connection_error(c, PROTOCOL_ERROR)


def last_stream(c):
    served(c, c.get())
    served(c, c.get(stream=(1 << 31) - 1))
    c.ping()


def many_streams(c):
    c.ping()
    c.send(settings((INITIAL_WINDOW_SIZE, 0)))
    for _ in range(c.theirs[MAX_CONCURRENT_STREAMS]):
        c.write("/")
    stream_error(c, c.write("/"), PROTOCOL_ERROR, REFUSED_STREAM)


# ---- 5.3: priorities, which are not looked at and must not hurt ----

def depends_on_itself(c):
    c.frame(HEADERS, END_HEADERS | END_STREAM | WITH_PRIORITY, 1, number(1) + b"\xff" + c.encode(c.head(c.path)))
    connection_error(c, PROTOCOL_ERROR)


def made_to_depend_on_itself(c):
    priority(c, 1, on=1, weight=256)
    connection_error(c, PROTOCOL_ERROR)


def made_to_depend_on_itself_in_pieces(c):
    c.send(frame(PING, 0, 0, bytes(8)))
    for byte in frame(PRIORITY, 0, 7, number(7 | 1 << 31) + b"\1"):
        c.send(bytes([byte])).flush()
    connection_error(c, PROTOCOL_ERROR)


def priority_of_an_idle_stream(c):
    priority(c, 1, weight=256)
    alive(c)


def priority_first(stream=1, **how):
    def case(c):
        priority(c, stream, **how)
        served(c, c.get())
    return case


# ---- 5.4.1, 7: errors ----

def connection_error_ends_the_connection(c):
    s = over(c)
    c.frame(PING, 0, 3, bytes(8))
    assert connection_error(c, PROTOCOL_ERROR).last == s
    assert c.ended


def rst_of_an_unknown_code(c):
    s = c.post()
    c.rst(s, 0xff)
    passed_over(c, s)


# ---- 6: kinds of frames ----

def data_in(*pieces):
    def case(c):
        s = c.post()
        for i, piece in enumerate(pieces):
            c.data(s, piece, end=i == len(pieces) - 1)
        served(c, s)
    return case


def data_on_stream_0(c):
    c.frame(DATA, END_STREAM, 0, b"x")
    connection_error(c, PROTOCOL_ERROR)


def data_padding_too_long(c):
    s = c.post([("content-length", "4")])
    c.frame(DATA, END_STREAM | PADDED, s, b"\x06Test")
    connection_error(c, PROTOCOL_ERROR)


def data_padded(c):
    s = c.post([("content-length", "4")])
    c.frame(DATA, END_STREAM | PADDED, s, b"\x06Test" + bytes(6))
    served(c, s)


def head_alone(c):
    served(c, c.get())


def head_padded(c):
    c.frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, b"\x08" + c.encode(c.head(c.path)) + bytes(8))
    served(c, 1)


def head_with_priority(c):
    c.frame(HEADERS, END_HEADERS | END_STREAM | WITH_PRIORITY, 1, number(0) + b"\xff" + c.encode(c.head(c.path)))
    served(c, 1)


def head_on_stream_0(c):
    c.frame(HEADERS, END_HEADERS | END_STREAM, 0, c.encode(c.head("/")))
    connection_error(c, PROTOCOL_ERROR)


def head_padding_too_long(c):
    block = c.encode(c.head("/"))
    c.frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, bytes([len(block) + 1]) + block)
    connection_error(c, PROTOCOL_ERROR)


def head_continued_by_nothing(c):
    s = c.headers(c.head(c.path, "POST"), flags=0, end=False)
    c.frame(DATA, END_STREAM, s, b"x")
    c.frame(CONTINUATION, END_HEADERS, s, c.encode([("x-a", "1")]))
    connection_error(c, PROTOCOL_ERROR)


def priority_on_stream_0(c):
    priority(c, 0)
    connection_error(c, PROTOCOL_ERROR)


def priority_of_another_size(c):
    s = c.get()
    c.frame(PRIORITY, 0, s, b"\x80\0\0\1")
    stream_error(c, s, FRAME_SIZE_ERROR)


def rst(c):
    s = c.get(end=False)
    c.rst(s, CANCEL)
    passed_over(c, s)


def rst_on_stream_0(c):
    c.rst(0)
    connection_error(c, PROTOCOL_ERROR)


def rst_of_another_size(c):
    s = c.get()
    c.frame(RST_STREAM, 0, s, b"\0\0\0")
    connection_error(c, FRAME_SIZE_ERROR)


def acks(c):
    return sum(1 for f in c.frames if f.kind == SETTINGS and f.flags & ACK and not f.payload)


def settings_ack(*pairs):
    def case(c):
        c.ping()
        c.send(settings(*pairs))
        c.ping()
        assert acks(c) == 2
    return case


def settings_ack_with_payload(payload):
    def case(c):
        c.frame(SETTINGS, ACK, 0, payload)
        connection_error(c, FRAME_SIZE_ERROR)
    return case


def settings_on_a_stream(c):
    c.send(settings((MAX_CONCURRENT_STREAMS, 100), stream=1))
    connection_error(c, PROTOCOL_ERROR)


def settings_of_another_size(c):
    c.frame(SETTINGS, 0, 0, b"\0\3\0")
    connection_error(c, FRAME_SIZE_ERROR)


def bad_setting(key, value, code):
    def case(c):
        c.send(settings((key, value)))
        connection_error(c, code)
    return case


def unknown_setting(c):
    c.send(settings((0xff, 1)))
    alive(c)


def one_setting_twice(first, second):
    def case(c):
        c.window = False
        c.send(settings((INITIAL_WINDOW_SIZE, first), (INITIAL_WINDOW_SIZE, second)))
        s = c.get()
        c.wait(lambda: len(c.answer(s).body) == second, "what the last value allows")
        c.ping()
        assert len(c.answer(s).body) == second
    return case


def push_from_a_client(c):
    c.frame(PUSH_PROMISE, END_HEADERS, 1, number(2) + c.encode(c.head("/")))
    connection_error(c, PROTOCOL_ERROR)


def ping_answered(c):
    c.frame(PING, 0, 0, b"whatever")
    answered(c, b"whatever")


def ping_ack_not_answered(c):
    c.frame(PING, ACK, 0, b"a secret")
    c.frame(PING, 0, 0, b"whatever")
    answered(c, b"whatever")


def ping_on_a_stream(c):
    c.frame(PING, 0, 1, bytes(8))
    connection_error(c, PROTOCOL_ERROR)


def ping_of_another_size(c):
    c.frame(PING, 0, 0, bytes(6))
    connection_error(c, FRAME_SIZE_ERROR)


def goaway(code, text=b""):
    """Nothing is under way: the connection ends, without an error."""
    def case(c):
        c.frame(GOAWAY, 0, 0, number(0) + number(code) + text)
        theirs = c.rest()
        assert theirs is None or theirs.code == NO_ERROR
    return case


def goaway_on_a_stream(c):
    c.frame(GOAWAY, 0, 1, bytes(8))
    connection_error(c, PROTOCOL_ERROR)


def goaway_lets_what_is_under_way_end(c):
    s = c.post()
    c.frame(GOAWAY, 0, 0, bytes(8))
    c.data(s, b"x")
    served(c, s)
    c.rest()


def window_update_of_the_connection(c):
    c.open_window(0, 1)
    alive(c)


def window_update_of_a_stream(c):
    s = c.get()
    c.open_window(s, 1)
    served(c, s)


def window_update_of_0(c):
    c.open_window(0, 0)
    connection_error(c, PROTOCOL_ERROR)


def window_update_of_0_on_a_stream(c):
    s = c.get(end=False)
    c.open_window(s, 0)
    stream_error(c, s, PROTOCOL_ERROR)


def window_update_of_another_size(c):
    c.frame(WINDOW_UPDATE, 0, 0, bytes(3))
    connection_error(c, FRAME_SIZE_ERROR)


def window_too_large(c):
    c.open_window(0, 0x7fffffff)
    c.open_window(0, 0x7fffffff)
    connection_error(c, FLOW_CONTROL_ERROR)


def window_of_a_stream_too_large(c):
    s = c.get(end=False)
    c.open_window(s, 0x7fffffff)
    c.open_window(s, 0x7fffffff)
    c.until(RST_STREAM, stream=s)  # not the whole connection
    stream_error(c, s, FLOW_CONTROL_ERROR)


def window_kept(c):
    c.send(settings((INITIAL_WINDOW_SIZE, 1)))
    c.window = False
    s = c.get()
    c.wait(lambda: len(c.answer(s).body) == 1, "one byte")
    c.open_window(s, 3)
    c.wait(lambda: len(c.answer(s).body) == 4, "three more")
    c.send(settings((INITIAL_WINDOW_SIZE, 3)))
    c.wait(lambda: len(c.answer(s).body) == 6, "two more")


def window_opened_by_settings(c):
    s = withheld(c)
    c.wait(lambda: c.answer(s).status, "the head")
    c.ping()
    assert not c.answer(s).body
    c.send(settings((INITIAL_WINDOW_SIZE, 1)))
    c.wait(lambda: c.answer(s).body, "what there is room for")
    c.ping()
    assert len(c.answer(s).body) == 1


def window_that_becomes_negative(c):
    c.window = False
    c.send(settings((INITIAL_WINDOW_SIZE, 3)))
    s = c.get()
    c.wait(lambda: len(c.answer(s).body) == 3, "three bytes")
    c.send(settings((INITIAL_WINDOW_SIZE, 2)))
    c.open_window(s, 2)
    c.wait(lambda: len(c.answer(s).body) > 3, "one byte more")
    c.ping()
    assert len(c.answer(s).body) == 4


def more_data_than_the_window(c):
    """To where nobody takes it, so that no window is given back."""
    s = c.headers(c.head("/nobody", "POST"), end=False)
    for _ in range(5):
        c.frame(DATA, 0, s, b"x" * 16384)
    stream_error(c, s, FLOW_CONTROL_ERROR)


def continued(*cuts):
    """The block of a head, cut there."""
    def case(c):
        block = c.encode(c.head(c.path))
        pieces = [block[a:b] for a, b in zip((0, *cuts), (*cuts, len(block)))]
        for i, piece in enumerate(pieces):
            last = i == len(pieces) - 1
            c.frame(CONTINUATION if i else HEADERS, (END_HEADERS if last else 0) | (0 if i else END_STREAM), 1, piece)
        served(c, 1)
    return case


def continuations(c):
    s = c.headers(c.head(c.path), flags=0)
    c.frame(CONTINUATION, 0, s, c.encode([("x-a", "v" * 4000)]))
    c.frame(CONTINUATION, END_HEADERS, s, c.encode([("x-b", "v" * 4000)]))
    served(c, s)


def continuation_and_then_data(c):
    s = c.headers(c.head(c.path, "POST"), flags=0, end=False)
    c.frame(CONTINUATION, 0, s, c.encode([("x-a", "1")]))
    c.frame(DATA, END_STREAM, s, b"test")
    connection_error(c, PROTOCOL_ERROR)


def continuation_on_stream_0(c):
    c.headers(c.head(c.path), flags=0)
    c.frame(CONTINUATION, END_HEADERS, 0, c.encode([("x-a", "1")]))
    connection_error(c, PROTOCOL_ERROR)


def continuation_behind_the_end(c):
    s = c.get()
    c.frame(CONTINUATION, END_HEADERS, s, c.encode([("x-a", "1")]))
    connection_error(c, PROTOCOL_ERROR)


def continuation_behind_the_last(c):
    s = c.headers(c.head(c.path), flags=0)
    c.frame(CONTINUATION, END_HEADERS, s, c.encode([("x-a", "1")]))
    c.frame(CONTINUATION, END_HEADERS, s, c.encode([("x-b", "1")]))
    connection_error(c, PROTOCOL_ERROR)


FRAMES = {
    "3.4 SETTINGS come first": preface,
    "3.4 another preface": preface_invalid,
    "3.4 no SETTINGS first": preface_without_settings,
    "4.1 an unknown type": unknown_frame,
    "4.1 undefined flags": undefined_flags,
    "4.1 the reserved bit": reserved_bit,
    "4.2 DATA of 2^14": data_as_large_as_may_be,
    "4.2 DATA beyond": data_too_large,
    "4.2 HEADERS beyond": head_too_large_a_frame,
    "4.3 a broken field block": field_block_broken,
    "4.3 a field block that is cut": field_block_cut,
    "4.3 PRIORITY within": priority_within_a_head,
    "4.3 another stream within": other_stream_within_a_head,
    "5.1 idle: DATA": idle_data,
    "5.1 idle: RST_STREAM": idle_rst,
    "5.1 idle: WINDOW_UPDATE": idle_window_update,
    "5.1 idle: CONTINUATION": idle_continuation,
    "5.1 half-closed: DATA": half_closed_data,
    "5.1 half-closed: DATA of a POST": half_closed_data_of_another_method,
    "5.1 half-closed: HEADERS": half_closed_headers,
    "5.1 half-closed: CONTINUATION": continuation_behind_the_end,
    "5.1 half-closed: WINDOW_UPDATE": half_closed_window_update,
    "5.1 half-closed: PRIORITY": half_closed_priority,
    "5.1 half-closed: RST_STREAM": half_closed_rst,
    "5.1 reset: DATA": reset_data,
    "5.1 reset: HEADERS": reset_headers,
    "5.1 reset: CONTINUATION": reset_continuation,
    "5.1 closed: DATA": closed_data,
    "5.1 closed: HEADERS": closed_headers,
    "5.1 closed: CONTINUATION": closed_continuation,
    "5.1 closed: PRIORITY": closed_priority,
    "5.1 closed: RST_STREAM, WINDOW_UPDATE": closed_rst,
    "5.1 closed by the gateway": reset_from_here,
    "5.1.1 an even number": even_stream,
    "5.1.1 a smaller number": smaller_stream,
    "5.1.1 the largest number": last_stream,
    "5.1.2 more streams than allowed": many_streams,
    "5.3.1 depends on itself": depends_on_itself,
    "5.3.1 PRIORITY that does": made_to_depend_on_itself,
    "5.3.1 PRIORITY that does, byte by byte": made_to_depend_on_itself_in_pieces,
    "5.3.1 PRIORITY of an idle stream": priority_of_an_idle_stream,
    "5.3.2 a weight of 1": priority_first(weight=1),
    "5.3.2 a weight of 256": priority_first(weight=256),
    "5.3.2 dependence": priority_first(stream=3, on=1, weight=1),
    "5.3.2 exclusive": priority_first(exclusive=True, weight=1),
    "5.3.2 of a later stream": priority_first(stream=3, weight=256),
    "5.4.1 the end of the connection": connection_error_ends_the_connection,
    "5.5 an unknown type within a head": unknown_frame_within_a_head,
    "6.1 one": data_in(b"test"),
    "6.1 two": data_in(b"test", b"test"),
    "6.1 DATA on stream 0": data_on_stream_0,
    "6.1 too much padding": data_padding_too_long,
    "6.1 padding": data_padded,
    "6.2 alone": head_alone,
    "6.2 padding": head_padded,
    "6.2 priority": head_with_priority,
    "6.2 HEADERS on stream 0": head_on_stream_0,
    "6.2 too much padding": head_padding_too_long,
    "6.2 DATA within": head_continued_by_nothing,
    "6.3 PRIORITY on stream 0": priority_on_stream_0,
    "6.3 another size": priority_of_another_size,
    "6.4 RST_STREAM": rst,
    "6.4 RST_STREAM on stream 0": rst_on_stream_0,
    "6.4 another size": rst_of_another_size,
    "6.5 all settings": settings_ack((HEADER_TABLE_SIZE, 4096), (ENABLE_PUSH, 1), (MAX_CONCURRENT_STREAMS, 100),
                                     (INITIAL_WINDOW_SIZE, 65535), (MAX_FRAME_SIZE, 16384), (MAX_HEADER_LIST_SIZE, 100)),
    "6.5 an acknowledgment with a setting": settings_ack_with_payload(bytes(6)),
    "6.5 an acknowledgment with one byte": settings_ack_with_payload(b"\0"),
    "6.5 SETTINGS on a stream": settings_on_a_stream,
    "6.5 another size": settings_of_another_size,
    "6.5.2 ENABLE_PUSH 2": bad_setting(ENABLE_PUSH, 2, PROTOCOL_ERROR),
    "6.5.2 INITIAL_WINDOW_SIZE beyond": bad_setting(INITIAL_WINDOW_SIZE, 1 << 31, FLOW_CONTROL_ERROR),
    "6.5.2 MAX_FRAME_SIZE below": bad_setting(MAX_FRAME_SIZE, 16383, PROTOCOL_ERROR),
    "6.5.2 MAX_FRAME_SIZE beyond": bad_setting(MAX_FRAME_SIZE, 1 << 24, PROTOCOL_ERROR),
    "6.5.2 an unknown setting": unknown_setting,
    "6.5.3 one setting twice": one_setting_twice(100, 1),
    "6.5.3 one setting twice, upwards": one_setting_twice(1, 5),
    "6.5.3 acknowledged": settings_ack((ENABLE_PUSH, 0)),
    "6.7 answered": ping_answered,
    "6.7 an acknowledgment": ping_ack_not_answered,
    "6.7 PING on a stream": ping_on_a_stream,
    "6.7 another size": ping_of_another_size,
    "6.8 GOAWAY": goaway(NO_ERROR, b"farewell"),
    "6.8 GOAWAY on a stream": goaway_on_a_stream,
    "6.8 what is under way": goaway_lets_what_is_under_way_end,
    "6.9 of the connection": window_update_of_the_connection,
    "6.9 of a stream": window_update_of_a_stream,
    "6.9 an increment of 0": window_update_of_0,
    "6.9 an increment of 0 on a stream": window_update_of_0_on_a_stream,
    "6.9 another size": window_update_of_another_size,
    "6.9.1 beyond 2^31-1": window_too_large,
    "6.9.1 beyond 2^31-1 on a stream": window_of_a_stream_too_large,
    "6.9.1 kept": window_kept,
    "6.9.1 not kept by the client": more_data_than_the_window,
    "6.9.2 opened by SETTINGS": window_opened_by_settings,
    "6.9.2 negative": window_that_becomes_negative,
    "6.10 one": continued(5),
    "6.10 two": continued(5, 10),
    "6.10 several with fields of their own": continuations,
    "6.10 one and then DATA": continuation_and_then_data,
    "6.10 CONTINUATION on stream 0": continuation_on_stream_0,
    "6.10 behind the last": continuation_behind_the_last,
    "7 GOAWAY of an unknown code": goaway(0xff),
    "7 RST_STREAM of an unknown code": rst_of_an_unknown_code,
}

OWN_START = {preface, preface_invalid, preface_without_settings}
