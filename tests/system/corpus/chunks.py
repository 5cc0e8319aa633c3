"""Chunks: sizes, extensions, ends, trailers."""
from .case import CHUNKED, dropped, family, refused

END = "0\r\n\r\n"
HIDDEN_TEXT = "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"
HELLO = "5\r\nhello\r\n"


def chunks(name, data, status=400, **how):
    """A chunked body that goes wrong. Its head, and what was right of it, may have been on their way by then."""
    return refused(name, CHUNKED + data, status, partial=True, **how)


def trailer(name, line, status=400):
    return chunks(name, HELLO + "0\r\n" + line + "\r\n\r\n", status)


CASES = [
    *family(
        "chunk-extension",
        chunks("bare LF ends it", "5;a\nhello\r\n" + END),
        chunks("bare LF inside", "5;a\nb\r\nhello\r\n" + END),
        chunks("bare CR inside", "5;a\rb\r\nhello\r\n" + END),
        chunks("bare CR and a size", "5;\r3\r\nhello\r\n" + END),
        chunks("NUL inside", "5;a=\0\r\nhello\r\n" + END),
        chunks("LF in a quoted value", '5;a="\n"\r\nhello\r\n' + END),
        chunks("of the last chunk, bare LF", HELLO + "0;x\n\r\n"),
        chunks("hides a request behind LF", "5;\n" + "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n" + END),
        chunks("longer than 256 bytes", "5;" + "a" * 257 + "\r\nhello\r\n" + END),
        chunks("without a semicolon", "5 a=b\r\nhello\r\n" + END),
        chunks("comma", "5,a=b\r\nhello\r\n" + END),
        chunks("never ends", "5;" + "a=b;" * 2000),
        chunks("257 bytes without a name", "5;" + ";" * 257 + "\r\nhello\r\n" + END),
        chunks("longer than 256 bytes at the last chunk", HELLO + "0;" + "a" * 257 + "\r\n\r\n"),
        chunks("DEL inside", "5;a=\x7f\r\nhello\r\n" + END),
        chunks("quoted value over a line", '5;a="b\r\nc"\r\nhello\r\n' + END),
        chunks("next line for its end", "5;a\x85\nhello\r\n" + END),
    ),
    *family(
        # Who takes a bare LF for the end of a size line, and who reads on in the extension: what is the next size for
        # one of them is data for the other.
        "TERM.EXT and EXT.TERM",
        chunks("LF then a longer line", "5;\nxxxx\r\n" + "0\r\n\r\n" + HIDDEN_TEXT + END),
        chunks("LF, the rest a size", "2;\nxx\r\n45\r\n0\r\n\r\n" + HIDDEN_TEXT + END),
        chunks("LF in the extension of the last chunk", HELLO + "0;\nX: y\r\n\r\n" + HIDDEN_TEXT),
        chunks("CR in the extension of the last chunk", HELLO + "0;\rX: y\r\n\r\n" + HIDDEN_TEXT),
        chunks("CR then a longer line", "5;\rxxxx\r\n" + "0\r\n\r\n" + HIDDEN_TEXT + END),
        chunks("CR X", "5;a\rXhello\r\n" + END),
        chunks("LF without an extension", "5\nhello\r\n0\r\n\r\n" + HIDDEN_TEXT),
        chunks("CR CR LF behind an extension", "5;a\r\r\nhello\r\n" + END),
    ),
    *family(
        # Who looks at what follows the data of a chunk, and who passes over one byte, two, or all up to the next line.
        "TERM.SPILL, ONE.TWO and ZERO.TWO",
        chunks("TERM.SPILL", "5\r\nhello\n" + "0\r\n\r\n"),
        chunks("SPILL.TERM", "5\r\nhello2\r\nxx\r\n" + END),
        chunks("SPILL of a line", "5\r\nhelloAAAA\r\n" + END),
        chunks("SPILL of spaces", "5\r\nhello  \r\n" + END),
        chunks("ONE.TWO with LF", "5\r\nhello\n31\r\n" + "0\r\n\r\n" + HIDDEN_TEXT),
        chunks("ONE.TWO with another byte", "5\r\nhelloX2\r\n45\r\n" + END),
        chunks("TWO.ONE", "5\r\nhello\rX0\r\n\r\n" + HIDDEN_TEXT),
        chunks("ZERO.TWO", "5\r\nhello3\r\nabc\r\n" + END),
        chunks("CR and another byte", "5\r\nhello\r0\r\n\r\n"),
        chunks("LF CR", "5\r\nhello\n\r" + END),
        chunks("CR CR LF", "5\r\nhello\r\r\n" + END),
        chunks("another byte for CR", "5\r\nhelloX\n" + END),
        chunks("space for CR", "5\r\nhello \n" + END),
        chunks("NUL for CR", "5\r\nhello\0\n" + END),
        chunks("LF for CR", "5\r\nhello\n\n" + END),
        chunks("CR for LF", "5\r\nhello\r\r" + END),
        chunks("CR LF twice", "5\r\nhello\r\n\r\n" + END),
    ),
    *family(
        "chunk sizes",
        chunks("empty", "\r\nhello\r\n" + END),
        chunks("space before", " 5\r\nhello\r\n" + END),
        chunks("space behind", "5 \r\nhello\r\n" + END),
        chunks("tab behind", "5\t\r\nhello\r\n" + END),
        chunks("plus", "+5\r\nhello\r\n" + END),
        chunks("minus", "-5\r\nhello\r\n" + END),
        chunks("0x", "0x5\r\nhello\r\n" + END),
        chunks("not hex", "g\r\nhello\r\n" + END),
        chunks("underscore", "1_0\r\nhellohellohelloh\r\n" + END),
        chunks("quoted", '"5"\r\nhello\r\n' + END),
        chunks("2^64 + 5", "10000000000000005\r\nhello\r\n" + END),
        chunks("2^63", "8000000000000000\r\nhello\r\n" + END),
        dropped("2^32 + 5 is no 5", CHUNKED + "100000005\r\nhello\r\n" + END, partial=True),
        chunks("18 digits", "f" * 18 + "\r\nhello\r\n" + END),
        chunks("too many leading zeros", "0" * 17 + "5\r\nhello\r\n" + END),
        chunks("high byte", "\xb5\r\nhello\r\n" + END),
        chunks("NUL", "5\0\r\nhello\r\n" + END),
        chunks("comma", "5,5\r\nhello\r\n" + END),
        chunks("vertical tab behind", "5\x0b\r\nhello\r\n" + END),
        chunks("minus 0 for the last", HELLO + "-0\r\n\r\n"),
        chunks("0x0 for the last", HELLO + "0x0\r\n\r\n"),
        chunks("space behind the last", HELLO + "0 \r\n\r\n"),
        chunks("minus 1", "-1\r\n" + END),
        chunks("2^64 - 1 and a bit", "fffffffffffffffff\r\nhello\r\n" + END),
        chunks("2^63 - 1 is more than a route takes", "7fffffffffffffff\r\n" + "x" * 1200000, 413, then=b""),
        chunks("dot", "5.0\r\nhello\r\n" + END),
    ),
    *family(
        "chunk lines",
        chunks("bare LF behind the size", "5\nhello\r\n" + END),
        chunks("bare LF everywhere", "5\nhello\n0\n\n"),
        chunks("bare CR behind the size", "5\rhello\r\n" + END),
        chunks("bare LF behind the data", "5\r\nhello\n" + END),
        chunks("bare CR behind the data", "5\r\nhello\r" + END),
        chunks("no end of the data", "5\r\nhello" + END),
        chunks("two bytes for the end of the data", "5\r\nhelloXX" + END),
        chunks("data longer than its size", "3\r\nhello\r\n" + END),
        chunks("data shorter than its size", "a\r\nhello\r\n" + END),
        chunks("CR CR LF", "5\r\r\nhello\r\n" + END),
        chunks("LF CR", "5\n\rhello\r\n" + END),
        chunks("last chunk ends with LF", HELLO + "0\n\r\n"),
        chunks("trailer section ends with LF", HELLO + "0\r\n\n"),
        chunks("more than a route takes", "f" * 6 + "\r\n" + "x" * 1200000, 413, then=b""),
    ),
    *family(
        "trailers",
        trailer("Content-Length", "Content-Length: 50"),
        trailer("Transfer-Encoding", "Transfer-Encoding: chunked"),
        trailer("Host", "Host: other"),
        trailer("Connection", "Connection: close"),
        trailer("Authorization", "Authorization: Bearer x"),
        trailer("Cookie", "Cookie: a=b"),
        trailer("X-Forwarded-For", "X-Forwarded-For: 10.0.0.1"),
        trailer("Content-Type", "Content-Type: text/html"),
        trailer("TE", "TE: trailers"),
        trailer("Expect", "Expect: 100-continue"),
        trailer("Content_Length", "Content_Length: 50"),
        trailer("bare LF behind a line", "X: y\n"),
        trailer("space before the colon", "X : y"),
        trailer("folded", "X: y\r\n z"),
        trailer("starts with a space", " X: y"),
        trailer("no colon", "nonsense"),
        trailer("empty name", ": y"),
        trailer("NUL", "X: \0"),
        trailer("bare CR", "X: a\rb"),
        trailer("a request", "GET /hidden HTTP/1.1"),
        trailer("more than 32k", "\r\n".join(f"X-{i}: {'y' * 4000}" for i in range(9)), 431),
        trailer("more than 100", "\r\n".join(f"X-{i}: y" for i in range(101)), 431),
    ),
]
