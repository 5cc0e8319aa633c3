"""Where a request ends: Content-Length, Transfer-Encoding, and the two against each other."""
from .case import CHUNKED, GET, HIDDEN, POST, SMUGGLED, Seen, family, refused, served

TE = "Transfer-Encoding: chunked\r\n"
EMPTY = "0\r\n\r\n"
HELLO = "5\r\nhello\r\n0\r\n\r\n"


def coding(name, line, **how):
    """A Transfer-Encoding line that some take for chunked and some do not."""
    return refused(name, POST + line + "\r\n\r\n" + EMPTY, **how)


def length(name, value, body="hello"):
    return refused(name, POST + f"Content-Length:{value}\r\n\r\n{body}")


CASES = [
    *family(
        "CL.TE",
        refused("length then coding", POST + "Content-Length: 6\r\n" + TE + "\r\n0\r\n\r\nG"),
        refused("hidden request behind the last chunk", POST + f"Content-Length: {5 + len(HIDDEN)}\r\n" + TE + "\r\n" +
                EMPTY + SMUGGLED),
        refused("length 0", POST + "Content-Length: 0\r\n" + TE + "\r\n" + HELLO),
        refused("prefix for a victim", POST + "Content-Length: 30\r\n" + TE +
                "\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\nX: y", then=b""),
        refused("with GET", GET + "Content-Length: 6\r\n" + TE + "\r\n0\r\n\r\nG"),
        refused("length and coding that agree", POST + "Content-Length: 15\r\n" + TE + "\r\n" + HELLO),
        refused("coding named by Connection", POST + "Connection: Transfer-Encoding\r\nContent-Length: 6\r\n" + TE +
                "\r\n0\r\n\r\nG"),
        refused("HTTP/1.0", "POST /x HTTP/1.0\r\nHost: h\r\nContent-Length: 5\r\n" + TE + "\r\n" + EMPTY),
    ),
    *family(
        "TE.CL",
        refused("coding then length", POST + TE + "Content-Length: 4\r\n\r\n5c\r\n" + SMUGGLED + "x" * 50 +
                "\r\n0\r\n\r\n"),
        refused("length of the first chunk line", POST + TE + f"Content-Length: 4\r\n\r\n{len(HIDDEN):x}\r\n" +
                SMUGGLED + "\r\n" + EMPTY),
        refused("two lengths behind it", POST + TE + "Content-Length: 4\r\nContent-Length: 5\r\n\r\n" + HELLO),
        refused("length far behind it", POST + TE + "X: y\r\n" * 50 + "Content-Length: 3\r\n\r\n" + HELLO),
        refused("coding that is not known", POST + "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"),
        refused("identity", POST + "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello"),
        refused("empty coding", POST + "Transfer-Encoding:\r\nContent-Length: 5\r\n\r\nhello"),
    ),
    *family(
        "TE.TE",
        coding("chunked twice", TE + "Transfer-Encoding: chunked"),
        coding("second line identity", TE + "Transfer-Encoding: identity"),
        coding("first line identity", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"),
        coding("second line unknown", TE + "Transfer-Encoding: cow"),
        coding("second line empty", TE + "Transfer-Encoding:"),
        coding("second line in lower case", TE + "transfer-encoding: identity"),
        coding("list of two", "Transfer-Encoding: chunked, chunked"),
        coding("chunked not last", "Transfer-Encoding: chunked, identity"),
        coding("gzip then chunked", "Transfer-Encoding: gzip, chunked"),
        coding("identity then chunked", "Transfer-Encoding: identity, chunked"),
        coding("empty member before", "Transfer-Encoding: , chunked"),
        coding("empty member behind", "Transfer-Encoding: chunked,"),
    ),
    *family(
        "Transfer-Encoding spellings",
        coding("xchunked", "Transfer-Encoding: xchunked"),
        coding("chunkedx", "Transfer-Encoding: chunkedx"),
        coding("chunked with a parameter", "Transfer-Encoding: chunked;q=1"),
        coding("chunked and a semicolon", "Transfer-Encoding: chunked;"),
        coding("chunked and a full stop", "Transfer-Encoding: chunked."),
        coding("two words", "Transfer-Encoding: chunked identity"),
        coding("double quotes", 'Transfer-Encoding: "chunked"'),
        coding("single quotes", "Transfer-Encoding: 'chunked'"),
        coding("tab in the word", "Transfer-Encoding: chun\tked"),
        coding("vertical tab before", "Transfer-Encoding:\x0bchunked"),
        coding("vertical tab behind", "Transfer-Encoding: chunked\x0b"),
        coding("form feed before", "Transfer-Encoding: \x0cchunked"),
        coding("no-break space before", "Transfer-Encoding: \xa0chunked"),
        coding("no-break space in UTF-8 behind", "Transfer-Encoding: chunked\xc2\xa0"),
        coding("NUL behind", "Transfer-Encoding: chunked\0"),
        coding("bare CR before", "Transfer-Encoding: \rchunked"),
        coding("bare CR behind", "Transfer-Encoding: chunked\r"),
        coding("bare LF before", "Transfer-Encoding:\n chunked"),
        coding("folded value", "Transfer-Encoding:\r\n chunked"),
        coding("folded behind", "Transfer-Encoding: chunked\r\n , identity"),
        coding("folded by a tab", "Transfer-Encoding:\r\n\tchunked"),
        coding("hidden in a folded line", "X: y\r\n Transfer-Encoding: chunked"),
        coding("hidden behind a bare LF", "X: y\nTransfer-Encoding: chunked"),
        coding("hidden behind a bare CR", "X: y\rTransfer-Encoding: chunked"),
        coding("space before the colon", "Transfer-Encoding : chunked"),
        coding("tab before the colon", "Transfer-Encoding\t: chunked"),
        coding("space before the name", " Transfer-Encoding: chunked"),
        coding("underscore", "Transfer_Encoding: chunked"),
        coding("underscore beside a length", "Content-Length: 5\r\nTransfer_Encoding: chunked"),
        coding("name in quotes", '"Transfer-Encoding": chunked'),
        coding("high byte in the name", "Transfer\xadEncoding: chunked"),
        coding("Kelvin sign for k", "Transfer-Encoding: chun\xe2\x84\xaaed"),
        coding("percent-encoded", "Transfer-Encoding: %63hunked"),
        refused("HTTP/1.0", "POST /x HTTP/1.0\r\nHost: h\r\n" + TE + "\r\n" + EMPTY),
    ),
    *family(
        "Content-Length spellings",
        length("empty", ""),
        length("blank", "  "),
        length("plus", " +5"),
        length("minus", " -5"),
        length("minus 0", " -0"),
        length("hex", " 0x5"),
        length("octal", " 0o5"),
        length("fraction", " 5.0"),
        length("exponent", " 5e0"),
        length("underscore between digits", " 1_0", "helloworld"),
        length("comma between digits", " 1,0", "helloworld"),
        length("list of the same", " 5, 5"),
        length("list of different ones", " 5, 6"),
        length("list with an empty member", " 5,"),
        length("twice the same", " 5\r\nContent-Length: 5"),
        length("twice, different", " 5\r\nContent-Length: 0"),
        length("twice, one empty", " 5\r\nContent-Length:"),
        length("twice in different case", " 5\r\ncontent-length: 6"),
        length("space inside", " 5 0"),
        length("semicolon", " 5;"),
        length("quoted", ' "5"'),
        length("letter behind", " 5a"),
        length("NUL behind", " 5\0"),
        length("vertical tab before", "\x0b5"),
        length("no-break space before", "\xa05"),
        length("bare CR behind", " 5\r"),
        length("arabic digit", " \xd9\xa5"),
        length("2^64 + 5", " 18446744073709551621"),
        length("2^63", " 9223372036854775808"),
        length("hundred digits", " " + "9" * 100),
        length("folded", "\r\n 5"),
        length("space before the colon", " 0\r\nContent-Length : 5"),
        length("underscore in the name", " 0\r\nContent_Length: 5"),
        refused("underscore in the name alone", POST + "Content_Length: 5\r\n\r\nhello"),
        refused("with GET", GET + "Content-Length: 5, 5\r\n\r\nhello"),
        refused("more than a route takes", POST.replace("/x", "/small/x") + "Content-Length: 11\r\n\r\n", 413),
        refused("2^63 - 1", POST + "Content-Length: 9223372036854775807\r\n\r\n", 413),
    ),
    *family(
        "CL.0",  # a recipient that takes the length for 0 would find a request in the body
        served("POST", POST + f"Content-Length: {len(HIDDEN)}\r\n\r\n" + SMUGGLED, Seen("POST", "/x", HIDDEN)),
        served("GET", GET + f"Content-Length: {len(HIDDEN)}\r\n\r\n" + SMUGGLED, Seen("GET", "/x", HIDDEN)),
        served("HEAD", f"HEAD /x HTTP/1.1\r\nHost: h\r\nContent-Length: {len(HIDDEN)}\r\n\r\n" + SMUGGLED,
               Seen("HEAD", "/x", HIDDEN),
               methods=("HEAD",)),
        served("OPTIONS", f"OPTIONS /x HTTP/1.1\r\nHost: h\r\nContent-Length: {len(HIDDEN)}\r\n\r\n" + SMUGGLED,
               Seen("OPTIONS", "/x", HIDDEN)),
        served("answered by weir", f"POST /admin/x HTTP/1.1\r\nHost: h\r\nContent-Length: {len(HIDDEN)}\r\n\r\n" +
               SMUGGLED, statuses=(403,),
               outcome="answered"),
        served("method not served", f"TRACE /x HTTP/1.1\r\nHost: h\r\nContent-Length: {len(HIDDEN)}\r\n\r\n" + SMUGGLED,
               statuses=(405,),
               outcome="answered"),
        served("prefix for a victim", POST + "Content-Length: 25\r\n\r\nGET /hidden HTTP/1.1\r\nX: ",
               Seen("POST", "/x", b"GET /hidden HTTP/1.1\r\nX: ")),
        served("length named by Connection", POST +
               f"Connection: Content-Length\r\nContent-Length: {len(HIDDEN)}\r\n\r\n" + SMUGGLED,
               Seen("POST", "/x", HIDDEN)),
        served("chunked", CHUNKED + f"{len(HIDDEN):x}\r\n" + SMUGGLED + "\r\n" + EMPTY,
               Seen("POST", "/x", HIDDEN, "chunked")),
    ),
    *family(
        "0.CL",  # a proxy that takes the length for 0 would forward the body as a request
        refused("space before the colon", POST + f"Content-Length : {len(HIDDEN)}\r\n\r\n" + SMUGGLED),
        refused("plus", POST + f"Content-Length: +{len(HIDDEN)}\r\n\r\n" + SMUGGLED),
        refused("tab before the name", POST + f"\tContent-Length: {len(HIDDEN)}\r\n\r\n" + SMUGGLED),
        refused("behind a folded line", POST + f"X: y\r\n z\r\nContent-Length: {len(HIDDEN)}\r\n\r\n" + SMUGGLED),
        served("answered by weir",
               f"OPTIONS /x HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\nContent-Length: {len(HIDDEN)}\r\n\r\n" + SMUGGLED,
               statuses=(204,), outcome="answered"),
        served("Expect that is not waited for",
               f"POST /admin/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: {len(HIDDEN)}\r\n\r\n" +
               SMUGGLED, statuses=(403,), outcome="answered", closed=None),
    ),
    *family(
        "TE.0",  # a recipient that knows no chunks would find a request in them
        served("POST", CHUNKED + f"{len(HIDDEN):x}\r\n" + SMUGGLED + "\r\n" + EMPTY,
               Seen("POST", "/x", HIDDEN, "chunked")),
        served("GET", GET + TE + f"\r\n{len(HIDDEN):x}\r\n" + SMUGGLED + "\r\n" + EMPTY,
               Seen("GET", "/x", HIDDEN, "chunked")),
        served("OPTIONS", "OPTIONS /x HTTP/1.1\r\nHost: h\r\n" + TE + f"\r\n{len(HIDDEN):x}\r\n" + SMUGGLED + "\r\n" +
               EMPTY,
               Seen("OPTIONS", "/x", HIDDEN, "chunked")),
        served("coding named by Connection", POST + "Connection: Transfer-Encoding\r\n" + TE +
               f"\r\n{len(HIDDEN):x}\r\n" + SMUGGLED + "\r\n" + EMPTY,
               Seen("POST", "/x", HIDDEN, "chunked")),
        served("answered by weir", "POST /admin/x HTTP/1.1\r\nHost: h\r\n" + TE + f"\r\n{len(HIDDEN):x}\r\n" +
               SMUGGLED + "\r\n" + EMPTY,
               statuses=(403,), outcome="answered"),
    ),
]
