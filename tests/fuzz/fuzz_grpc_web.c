/* The body of a gRPC-Web client: base64 is decoded or refused the same in every cut, what is encoded is read back, also
 * where it is padded in between, and frames end at the same places. Input: bytes of a piece, the body. */
#include "fuzz.h"

#include "../../modules/grpc_web/base64.h"
#include "../../modules/grpc_web/frames.h"

#include <string.h>

struct decoded {
    char *p;
    size_t n;
    bool good, complete;
};

static struct decoded
decode(struct slice s, const struct fuzz_cut *cut)
{
    struct base64_decoder d = { 0 };
    struct decoded out = { .p = malloc(BASE64_DECODED_MAX(s.n) + 3), .good = true };

    for (size_t at = 0, end; at < s.n && out.good; at = end) {
        end = fuzz_cut_end(cut, at, s.n);
        char *piece = malloc(BASE64_DECODED_MAX(end - at) + 1); /* as large as it says, so that more is seen */
        ssize_t n = base64_decode(&d, s.p + at, end - at, piece);

        FUZZ_REQUIRE(n <= (ssize_t)BASE64_DECODED_MAX(end - at));
        out.good = n >= 0;
        if (n > 0)
            memcpy(out.p + out.n, piece, (size_t)n);
        out.n += n > 0 ? (size_t)n : 0;
        free(piece);
    }
    out.complete = out.good && base64_complete(&d);
    return out;
}

static void
require_same_cut(const struct decoded *whole, struct slice s, const struct fuzz_cut *cut)
{
    struct decoded d = decode(s, cut);

    FUZZ_REQUIRE(d.good == whole->good && d.complete == whole->complete);
    FUZZ_REQUIRE(!d.good || (d.n == whole->n && !memcmp(d.p, whole->p, d.n)));
    free(d.p);
}

/* In pieces of so many bytes, padded behind each of them or not. */
static void
require_read_back(struct slice s, size_t step, bool padded)
{
    struct base64_encoder e = { 0 };
    struct fuzz_cut nowhere = { SIZE_MAX, 1 };
    char *text = malloc(s.n * BASE64_ENCODED_MAX(1) + 4);
    struct decoded d;
    size_t n = 0;

    for (size_t at = 0; at < s.n; at += step) {
        n += base64_encode(&e, s.p + at, s.n - at < step ? s.n - at : step, text + n);
        if (padded)
            n += base64_flush(&e, text + n);
    }
    n += base64_flush(&e, text + n);
    d = decode(slice_of(text, n), &nowhere);
    FUZZ_REQUIRE(d.complete && d.n == s.n && !memcmp(d.p, s.p, s.n));
    free(d.p);
    free(text);
}

static void
require_frames(struct slice s, const struct fuzz_cut *cut)
{
    struct frames whole = { 0 }, pieces = { 0 };
    bool at_end = s.n == 0;

    for (size_t at = 0, end; at < s.n; at = end) {
        end = fuzz_cut_end(cut, at, s.n);
        at_end = frames_follow(&pieces, s.p + at, end - at);
    }
    FUZZ_REQUIRE(frames_follow(&whole, s.p, s.n) == at_end);
    FUZZ_REQUIRE(whole.have == pieces.have && (!whole.have || whole.left == pieces.left));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    size_t step = 1 + fuzz_byte(&in);
    struct slice rest = fuzz_rest(&in);
    struct fuzz_cut nowhere = { SIZE_MAX, 1 }, cut = { step, step };
    struct decoded whole = decode(rest, &nowhere);

    require_same_cut(&whole, rest, &cut);
    require_frames(rest, &cut);
    for (cut = (struct fuzz_cut){ 0, 0 }; fuzz_next_cut(&cut, rest.n);) {
        require_same_cut(&whole, rest, &cut);
        require_frames(rest, &cut);
    }
    require_read_back(rest, step, false);
    require_read_back(rest, step, true);
    free(whole.p);
    return 0;
}
