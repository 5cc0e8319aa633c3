/* Looking up cookies and query arguments, against a slow way to do the same. Input: a line with the name, the text to
 * look in. */
#include "fuzz.h"

#include "../../src/http/uri.h"

static struct slice
cut(struct slice *rest, char separator)
{
    size_t n = 0;
    struct slice piece;

    while (n < rest->n && rest->p[n] != separator)
        n++;
    piece = slice_of(rest->p, n);
    *rest = slice_from(*rest, n + 1);
    return piece;
}

static bool
slow_query(struct slice query, struct slice name, struct arena *arena, struct slice *value)
{
    while (query.n) {
        struct slice rest = cut(&query, '&'), encoded = cut(&rest, '=');

        if (encoded.n && slice_eq(uri_decode(encoded, true, arena), name)) {
            *value = uri_decode(rest, true, arena);
            return true;
        }
    }
    return false;
}

static bool
slow_cookie(struct slice pairs, struct slice name, struct slice *value)
{
    while (pairs.n) {
        struct slice pair = slice_trim(cut(&pairs, ';')), rest = pair;

        /* A name may hold no '=': what was asked for as such is found by its first bytes all the same. */
        if (!slice_starts(pair, name) || pair.n == name.n || pair.p[name.n] != '=')
            continue;
        *value = slice_from(rest, name.n + 1);
        return true;
    }
    return false;
}

static void
try_decode(struct slice s, struct arena *arena)
{
    struct slice plain = uri_decode(s, false, arena);

    FUZZ_REQUIRE(plain.n <= s.n);
    if (!s.n || !memchr(s.p, '%', s.n))
        FUZZ_REQUIRE(slice_eq(plain, s));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    struct slice name = fuzz_line(&in), text = fuzz_rest(&in), found = SLICE_NONE, slow = SLICE_NONE;
    struct fields fields;
    struct arena arena;
    bool is;

    arena_init(&arena);
    fields_init(&fields, &arena);
    fields_add_id(&fields, FIELD_ACCEPT, text);
    fields_add_id(&fields, FIELD_COOKIE, SLICE(""));
    fields_add_id(&fields, FIELD_COOKIE, text);
    is = query_find(text, name, &arena, &found);
    FUZZ_REQUIRE(is == slow_query(text, name, &arena, &slow) && slice_eq(found, slow));
    found = slow = SLICE_NONE;
    is = cookie_find(&fields, name, &found);
    FUZZ_REQUIRE(is == (name.n && slow_cookie(text, name, &slow)) && slice_eq(found, slow));
    try_decode(text, &arena);
    arena_fini(&arena);
    return 0;
}
