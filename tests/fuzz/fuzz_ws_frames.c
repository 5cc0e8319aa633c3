/* Frames of a WebSocket in one direction: their ends are where a slow reading finds them, wherever the bytes are cut,
 * and weir's own Close frame between two of them is one. Input: bytes of a piece, the stream. */
#include "fuzz.h"

#include "../../src/http/ws_frames.h"

/* Where the first frame ends, and whether it is a Close frame; 0: it is not all there. */
static size_t
first_frame(struct slice s, bool *closes)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t head = 2;
    uint64_t n;

    if (s.n < 2)
        return 0;
    n = p[1] & 127;
    if (n >= 126) {
        size_t wide = n == 126 ? 2 : 8;

        if (s.n < 2 + wide)
            return 0;
        n = 0;
        for (size_t i = 0; i < wide; i++)
            n = n << 8 | p[2 + i];
        head += wide;
    }
    head += p[1] & 128 ? 4 : 0;
    if (head > s.n || n > s.n - head)
        return 0;
    *closes = (p[0] & 15) == 8;
    return head + (size_t)n;
}

/* The same place and the same word on it, byte for byte. */
static void
require_ends(struct slice s)
{
    struct ws_frames f = { 0 };
    bool closed = false;
    size_t begin = 0, at = 0;

    while (at < s.n) {
        bool closes = false;
        size_t n = first_frame(slice_from(s, begin), &closes), end = n ? begin + n : s.n;

        for (; at < end; at++) {
            FUZZ_REQUIRE(ws_frames_between(&f) == (at == begin));
            FUZZ_REQUIRE(f.closed == closed);
            FUZZ_REQUIRE(ws_frames_rest(&f) >= 1 && (!n || ws_frames_rest(&f) <= end - at));
            ws_frames_follow(&f, s.p + at, 1);
        }
        FUZZ_REQUIRE(ws_frames_between(&f) == (n != 0));
        closed |= closes;
        begin = end;
    }
    FUZZ_REQUIRE(f.closed == closed);
}

static struct ws_frames
follow(struct slice s, const struct fuzz_cut *cut)
{
    struct ws_frames f = { 0 };

    for (size_t at = 0, end; at < s.n; at = end) {
        end = fuzz_cut_end(cut, at, s.n);
        ws_frames_follow(&f, s.p + at, end - at);
    }
    return f;
}

static void
require_same_cut(const struct ws_frames *whole, struct slice s, const struct fuzz_cut *cut)
{
    struct ws_frames f = follow(s, cut);

    FUZZ_REQUIRE(f.have == whole->have && f.left == whole->left && f.closed == whole->closed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    size_t step = 1 + fuzz_byte(&in);
    struct slice rest = fuzz_rest(&in);
    struct fuzz_cut nowhere = { SIZE_MAX, 1 }, cut = { step, step };
    struct ws_frames whole = follow(rest, &nowhere);
    char frame[WS_CLOSE_MAX];

    require_ends(rest);
    require_same_cut(&whole, rest, &cut);
    for (cut = (struct fuzz_cut){ 0, 0 }; fuzz_next_cut(&cut, rest.n);)
        require_same_cut(&whole, rest, &cut);
    if (ws_frames_between(&whole)) {
        ws_frames_follow(&whole, frame, ws_close_write(frame, WS_GOING_AWAY, NULL));
        FUZZ_REQUIRE(ws_frames_between(&whole) && whole.closed);
    }
    return 0;
}
