/* Answers of Redis: the same however they are cut, and nothing that is not one is believed. Input: what the pieces are,
 * the bytes. */
#include "fuzz.h"

#include "../../src/base/strbuf.h"
#include "../../src/store/reply.h"

static void
note(struct strbuf *out, const struct reply *r)
{
    FUZZ_REQUIRE(r->kind <= REPLY_OTHER && memchr(r->text, '\0', sizeof(r->text)));
    strbuf_addf(out, "%d", r->kind);
    if (r->kind == REPLY_INTS) {
        FUZZ_REQUIRE(r->n <= REPLY_INTS_MAX);
        for (unsigned i = 0; i < r->n; i++)
            strbuf_addf(out, " %lld", (long long)r->ints[i]);
    } else {
        strbuf_addf(out, " %s", r->text);
    }
    strbuf_addc(out, '\n');
}

/* Everything that can be read now. False: it is no answer of Redis. */
static bool
read_all(struct reader *r, struct strbuf *out)
{
    const struct reply *reply;
    bool bad = false;

    while ((reply = reader_next(r, &bad))) {
        FUZZ_REQUIRE(!bad);
        note(out, reply);
    }
    return !bad;
}

/* pieces 0: as cut says. */
static void
replies(struct slice s, unsigned pieces, const struct fuzz_cut *cut, struct strbuf *out)
{
    struct reader *r = reader_new();
    struct fuzz_random random = { pieces };
    bool good = true;
    size_t had = 0, all = s.n;

    strbuf_init(out, 16u << 20);
    while (s.n && good) {
        size_t n = pieces ? 1 + fuzz_random(&random, 1 + pieces % 32) : fuzz_cut_end(cut, had, all) - had;
        char *copy;

        if (n > s.n)
            n = s.n;
        copy = fuzz_exact(slice_of(s.p, n));
        good = reader_feed(r, copy, n) == 0;
        free(copy);
        good = good && read_all(r, out);
        s = slice_from(s, n);
        had += n;
    }
    if (!good)
        strbuf_adds(out, "bad\n");
    reader_free(r);
}

static void
require_same(struct slice bytes, unsigned pieces, const struct fuzz_cut *by, const struct strbuf *whole)
{
    struct strbuf cut;

    replies(bytes, pieces, by, &cut);
    FUZZ_REQUIRE(slice_eq(strbuf_slice(whole), strbuf_slice(&cut)));
    strbuf_fini(&cut);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    unsigned pieces = 1 + fuzz_byte(&in);
    struct slice bytes = fuzz_rest(&in);
    struct fuzz_cut nowhere = { SIZE_MAX, 1 };
    struct strbuf whole;

    replies(bytes, 0, &nowhere, &whole);
    require_same(bytes, pieces, &nowhere, &whole);
    for (struct fuzz_cut cut = { 0, 0 }; fuzz_next_cut(&cut, bytes.n);)
        require_same(bytes, 0, &cut, &whole);
    strbuf_fini(&whole);
    return 0;
}
