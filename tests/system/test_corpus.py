"""The corpus of malformed, smuggling and unusual traffic (corpus/README.md): one test for each case."""
import pytest

from corpus import CASES
from corpus.judge import Judge
from corpus.recorder import Recorder
from corpus.strict import Malformed, parse_request
from harness import Port, Weir

CONF = """
workers 1;
route /small/ { max_body 10; proxy o; }
route /admin/ { respond 403 "no\n"; }
route /flush/ { respond 200 ok; }
route / { proxy o; }
upstream o { endpoint @O@; }
listener main { bind @LISTEN@; }
listener flush { bind @FLUSH@; limits { request_line 64k; head 128k; } }
"""


@pytest.fixture(scope="module")
def judge():
    """One daemon and one origin for all cases, so that what one of them leaves behind is in the way of the others."""
    origin, flush = Recorder(), Port()
    weir = Weir(CONF, O=origin, FLUSH=flush)
    try:
        yield Judge(weir, origin, flush.address)
    finally:
        try:
            weir.close()
        finally:
            origin.close()
            flush.close()


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_case(judge, case):
    judge.judge(case)


def test_names_are_unique():
    assert len({c.id for c in CASES}) == len(CASES)


def test_the_public_payload_families_are_there():
    """By the names under which they are known."""
    families = {c.family for c in CASES}
    assert families >= {"CL.TE", "TE.CL", "TE.TE", "CL.0", "0.CL", "TE.0", "chunk-extension", "TERM.EXT and EXT.TERM",
                        "TERM.SPILL, ONE.TWO and ZERO.TWO", "header-name whitespace", "obs-fold", "bare-LF terminators", "bare-CR",
                        "pipelined prefix", "HTTP/0.9 and 1.0", "Expect", "Upgrade and h2c", "Connection-nominated removal",
                        "response splitting", "response CL and TE", "extra bytes behind a response"}


@pytest.mark.parametrize("data", [
    "GET  /x HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /x HTTP/1.0\r\nHost: h\r\n\r\n",
    "GET /x HTTP/1.1\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: h\r\nX: y\r\n z\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: h\nX: y\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: h\r\nX: \0\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "GET /x HTTP/1.1\r\nHost: h\r\nContent-Length: 01\r\n\r\na",
    "GET /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\na\r\n0\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX : y\r\n\r\n",
])
def test_the_judge_knows_no_tolerance(data):
    with pytest.raises(Malformed):
        parse_request(data.encode("latin-1"))
