"""RFC 7541: what stands in a field block."""
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

from harness.h2 import COMPRESSION_ERROR, END_HEADERS, END_STREAM, HEADERS

from .checks import connection_error, served

USER_AGENT = 58  # in the static table (RFC 7541 appendix A)
INCREMENTAL, WITHOUT, NEVER = (0x40, 6), (0x00, 4), (0x10, 4)
EOS = "1" * 30


def code(text):
    """Bits of RFC 7541 appendix B."""
    return "".join(format(REQUEST_CODES[b], f"0{REQUEST_CODES_LENGTH[b]}b") for b in text.encode())


def packed(bits, padding="1"):
    bits += padding * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def string(text, huffman):
    """RFC 7541 5.2."""
    raw = packed(code(text)) if huffman else text.encode()
    return bytes([len(raw) | (0x80 if huffman else 0)]) + raw


def integer(value, first, bits):
    """RFC 7541 5.1."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def literal(how, name, huffman=False):
    """A literal whose name is an index of the static table, or new (RFC 7541 6.2)."""
    first, bits = how
    if isinstance(name, int):
        return integer(name, first, bits) + string("seen-it", huffman)
    return bytes([first]) + string(name, huffman) + string("seen-it", huffman)


def block(c, before=b"", behind=b""):
    c.frame(HEADERS, END_HEADERS | END_STREAM, 1, before + c.encode(c.head(c.path)) + behind)


def good(behind=b"", before=b"", seen=None):
    """A field block with this in it is taken; an origin that shows what came is shown the field, if it is one."""
    def case(c):
        block(c, before, behind)
        a = served(c, 1)
        if seen and c.path != "/":
            assert seen in a.body, a
    return case


def bad(behind=b"", before=b""):
    def case(c):
        block(c, before, behind)
        connection_error(c, COMPRESSION_ERROR)
    return case


def indexed_again(c):
    """What was put into the dynamic table is there in the next block."""
    block(c, behind=literal(INCREMENTAL, "x-test"))
    served(c, 1)
    c.frame(HEADERS, END_HEADERS | END_STREAM, 3, b"\x82\x86\x84" + b"\x01\x09weir.test" + b"\xbe")
    served(c, 3)


def update(size):
    """RFC 7541 6.3."""
    return integer(size, 0x20, 5)


def huffman_value(raw):
    return b"\x00" + string("x-test", True) + bytes([len(raw) | 0x80]) + raw


LITERALS = {
    f"{section} {words}, {'a known' if isinstance(name, int) else 'a new'} name{', Huffman' if huffman else ''}":
        good(literal(how, name, huffman), seen=b"seen-it")
    for section, words, how in (("6.2.1", "indexed", INCREMENTAL), ("6.2.2", "not indexed", WITHOUT), ("6.2.3", "never indexed", NEVER))
    for name in (USER_AGENT, "x-test")
    for huffman in (False, True)
}

COMPRESSION = {
    "2.3.3 an index that is not there": bad(integer(70, 0x80, 7)),
    "2.3.3 a literal with such a name": bad(integer(70, 0x40, 6) + b"\0"),
    "4.2 a table size at the end": bad(update(1)),
    "4.2 table sizes at the beginning": good(before=update(0) + update(128)),
    "4.2 table sizes at the beginning, up to all": good(before=update(0) + update(4096)),
    "5.1 an integer without an end": bad(b"\xff" + b"\xff" * 10 + b"\0"),
    "5.2 Huffman padding of more than 7 bits": bad(huffman_value(packed(code("weir")) + b"\xff")),
    "5.2 Huffman padding of zeros": bad(huffman_value(packed(code("weir"), "0"))),
    "5.2 Huffman with EOS": bad(huffman_value(packed(code("we") + EOS + code("ir")))),
    "5.2 a string that is cut": bad(b"\x00\x01a\x05ab"),
    "6.1 the static table": good(integer(USER_AGENT, 0x80, 7)),
    "6.1 the dynamic table": indexed_again,
    "6.1 index 0": bad(b"\x80"),
    **LITERALS,
    "6.3 a table size": good(before=update(128)),
    "6.3 a table size beyond": bad(before=update(4097)),
}
