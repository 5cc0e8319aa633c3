"""What the well-known conformance suite h2spec looks at (in strict mode), and which case here is about the same. Its numbers are
sections of RFC 7540 and RFC 7541, and its own for `generic`; the names here have the sections of RFC 9113.

Where the RFCs differ: priorities (7540 5.3) are deprecated, and weir says SETTINGS_NO_RFC7540_PRIORITIES; PRIORITY is checked as
9113 6.3 asks and has no effect, but a stream that depends on itself is an error still. Frames on a closed stream (5.1) may be
errors in 9113, no longer must: they are, where the client has closed it itself. The upgrade of h2c (7540 3.2) is gone; the suite
has no case for it, and weir answers in HTTP/1.1 (test_h2.py).

Two of these stand in some of its versions only: http2/5.1.1/3 and http2/6.3/3."""
from .compression import COMPRESSION
from .frames import FRAMES, OWN_START  # noqa: F401
from .messages import MESSAGES

CASES = {**FRAMES, **MESSAGES, **{"HPACK " + k: v for k, v in COMPRESSION.items()}}

SUITE = """
generic/1/1      3.4 SETTINGS come first
generic/2/1      5.3.1 PRIORITY of an idle stream
generic/2/2      5.1 half-closed: WINDOW_UPDATE
generic/2/3      5.1 half-closed: PRIORITY
generic/2/4      5.1 half-closed: RST_STREAM
generic/2/5      5.1 closed: PRIORITY
generic/3.1/1    6.1 one
generic/3.1/2    6.1 two
generic/3.1/3    6.1 padding
generic/3.2/1    6.2 alone
generic/3.2/2    6.2 padding
generic/3.2/3    6.2 priority
generic/3.3/1    5.3.2 a weight of 1
generic/3.3/2    5.3.2 a weight of 256
generic/3.3/3    5.3.2 dependence
generic/3.3/4    5.3.2 exclusive
generic/3.3/5    5.3.2 of a later stream
generic/3.4/1    6.4 RST_STREAM
generic/3.5/1    6.5 all settings
generic/3.7/1    6.7 answered
generic/3.8/1    6.8 GOAWAY
generic/3.9/1    6.9 of the connection
generic/3.9/2    6.9 of a stream
generic/3.10/1   6.10 one
generic/3.10/2   6.10 two
generic/4/1      8.1 GET
generic/4/2      8.1 HEAD
generic/4/3      8.1 POST
generic/4/4      8.1 POST with trailers
generic/5/1      HPACK 6.1 the static table
generic/5/2      HPACK 6.2.1 indexed, a known name
generic/5/3      HPACK 6.2.1 indexed, a known name, Huffman
generic/5/4      HPACK 6.2.1 indexed, a new name
generic/5/5      HPACK 6.2.1 indexed, a new name, Huffman
generic/5/6      HPACK 6.2.2 not indexed, a known name
generic/5/7      HPACK 6.2.2 not indexed, a known name, Huffman
generic/5/8      HPACK 6.2.2 not indexed, a new name
generic/5/9      HPACK 6.2.2 not indexed, a new name, Huffman
generic/5/10     HPACK 6.2.3 never indexed, a known name
generic/5/11     HPACK 6.2.3 never indexed, a known name, Huffman
generic/5/12     HPACK 6.2.3 never indexed, a new name
generic/5/13     HPACK 6.2.3 never indexed, a new name, Huffman
generic/5/14     HPACK 6.3 a table size
generic/5/15     HPACK 4.2 table sizes at the beginning, up to all
http2/3.5/1      3.4 SETTINGS come first
http2/3.5/2      3.4 another preface
http2/4.1/1      4.1 an unknown type
http2/4.1/2      4.1 undefined flags
http2/4.1/3      4.1 the reserved bit
http2/4.2/1      4.2 DATA of 2^14
http2/4.2/2      4.2 DATA beyond
http2/4.2/3      4.2 HEADERS beyond
http2/4.3/1      4.3 a field block that is cut
http2/4.3/2      4.3 PRIORITY within
http2/4.3/3      4.3 another stream within
http2/5.1/1      5.1 idle: DATA
http2/5.1/2      5.1 idle: RST_STREAM
http2/5.1/3      5.1 idle: WINDOW_UPDATE
http2/5.1/4      5.1 idle: CONTINUATION
http2/5.1/5      5.1 half-closed: DATA
http2/5.1/6      5.1 half-closed: HEADERS
http2/5.1/7      5.1 half-closed: CONTINUATION
http2/5.1/8      5.1 reset: DATA
http2/5.1/9      5.1 reset: HEADERS
http2/5.1/10     5.1 reset: CONTINUATION
http2/5.1/11     5.1 closed: DATA
http2/5.1/12     5.1 closed: HEADERS
http2/5.1/13     5.1 closed: CONTINUATION
http2/5.1.1/1    5.1.1 an even number
http2/5.1.1/2    5.1.1 a smaller number
http2/5.1.1/3    5.1 half-closed: HEADERS
http2/5.1.2/1    5.1.2 more streams than allowed
http2/5.3.1/1    5.3.1 depends on itself
http2/5.3.1/2    5.3.1 PRIORITY that does
http2/5.4.1/1    5.4.1 the end of the connection
http2/5.4.1/2    5.4.1 the end of the connection
http2/5.5/1      4.1 an unknown type
http2/5.5/2      5.5 an unknown type within a head
http2/6.1/1      6.1 DATA on stream 0
http2/6.1/2      5.1 half-closed: DATA of a POST
http2/6.1/3      6.1 too much padding
http2/6.2/1      4.3 PRIORITY within
http2/6.2/2      4.3 another stream within
http2/6.2/3      6.2 HEADERS on stream 0
http2/6.2/4      6.2 too much padding
http2/6.3/1      6.3 PRIORITY on stream 0
http2/6.3/2      6.3 another size
http2/6.3/3      5.3.2 of a later stream
http2/6.4/1      6.4 RST_STREAM on stream 0
http2/6.4/2      5.1 idle: RST_STREAM
http2/6.4/3      6.4 another size
http2/6.5/1      6.5 an acknowledgment with one byte
http2/6.5/2      6.5 SETTINGS on a stream
http2/6.5/3      6.5 another size
http2/6.5.2/1    6.5.2 ENABLE_PUSH 2
http2/6.5.2/2    6.5.2 INITIAL_WINDOW_SIZE beyond
http2/6.5.2/3    6.5.2 MAX_FRAME_SIZE below
http2/6.5.2/4    6.5.2 MAX_FRAME_SIZE beyond
http2/6.5.2/5    6.5.2 an unknown setting
http2/6.5.3/1    6.5.3 one setting twice
http2/6.5.3/2    6.5.3 acknowledged
http2/6.7/1      6.7 answered
http2/6.7/2      6.7 an acknowledgment
http2/6.7/3      6.7 PING on a stream
http2/6.7/4      6.7 another size
http2/6.8/1      6.8 GOAWAY on a stream
http2/6.9/1      6.9 an increment of 0
http2/6.9/2      6.9 an increment of 0 on a stream
http2/6.9/3      6.9 another size
http2/6.9.1/1    6.9.1 kept
http2/6.9.1/2    6.9.1 beyond 2^31-1
http2/6.9.1/3    6.9.1 beyond 2^31-1 on a stream
http2/6.9.2/1    6.9.2 opened by SETTINGS
http2/6.9.2/2    6.9.2 negative
http2/6.9.2/3    6.5.2 INITIAL_WINDOW_SIZE beyond
http2/6.10/1     6.10 several with fields of their own
http2/6.10/2     6.10 one and then DATA
http2/6.10/3     6.10 CONTINUATION on stream 0
http2/6.10/4     5.1 half-closed: CONTINUATION
http2/6.10/5     6.10 behind the last
http2/6.10/6     6.2 DATA within
http2/7/1        7 GOAWAY of an unknown code
http2/7/2        7 RST_STREAM of an unknown code
http2/8.1/1      8.1 trailers without an end
http2/8.1.2/1    8.2.1 a name in capitals
http2/8.1.2.1/1  8.3 an unknown pseudo-header field
http2/8.1.2.1/2  8.3 a pseudo-header field of answers
http2/8.1.2.1/3  8.1 pseudo-header fields in trailers without an end
http2/8.1.2.1/4  8.3 a pseudo-header field too late
http2/8.1.2.2/1  8.2.2 connection
http2/8.1.2.2/2  8.2.2 te
http2/8.1.2.3/1  8.3.1 an empty path
http2/8.1.2.3/2  8.3.1 no method
http2/8.1.2.3/3  8.3.1 no scheme
http2/8.1.2.3/4  8.3.1 no path
http2/8.1.2.3/5  8.3.1 method twice
http2/8.1.2.3/6  8.3.1 scheme twice
http2/8.1.2.3/7  8.3.1 path twice
http2/8.1.2.6/1  8.1.1 a length that is too small
http2/8.1.2.6/2  8.1.1 a length that is too small for two pieces
http2/8.2/1      8.4 a push from a client
hpack/2.3.3/1    HPACK 2.3.3 an index that is not there
hpack/2.3.3/2    HPACK 2.3.3 a literal with such a name
hpack/4.2/1      HPACK 4.2 a table size at the end
hpack/5.2/1      HPACK 5.2 Huffman padding of more than 7 bits
hpack/5.2/2      HPACK 5.2 Huffman padding of zeros
hpack/5.2/3      HPACK 5.2 Huffman with EOS
hpack/6.1/1      HPACK 6.1 index 0
hpack/6.3/1      HPACK 6.3 a table size beyond
"""

ABOUT = dict(line.split(maxsplit=1) for line in SUITE.strip().splitlines())
