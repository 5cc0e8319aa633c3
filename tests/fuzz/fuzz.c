#include "fuzz.h"

#include "../../src/http/chars.h"

void
fuzz_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

unsigned
fuzz_byte(struct fuzz_input *in)
{
    if (in->n == 0)
        return 0;
    in->n--;
    return (unsigned char)*in->p++;
}

struct slice
fuzz_line(struct fuzz_input *in)
{
    const char *lf = in->n ? memchr(in->p, '\n', in->n) : NULL;
    size_t n = lf ? (size_t)(lf - in->p) : in->n;
    struct slice line = slice_of(in->p, n);

    in->p += lf ? n + 1 : n;
    in->n -= lf ? n + 1 : n;
    return line;
}

struct slice
fuzz_rest(struct fuzz_input *in)
{
    struct slice rest = slice_of(in->p, in->n);

    in->p += in->n;
    in->n = 0;
    return rest;
}

char *
fuzz_exact(struct slice s)
{
    char *copy = malloc(s.n ? s.n : 1);

    FUZZ_REQUIRE(copy);
    if (s.n)
        memcpy(copy, s.p, s.n);
    return copy;
}

struct slice
fuzz_only(struct slice s, bool (*good)(char c), char instead, struct arena *arena)
{
    char *copy = arena_strndup(arena, s.p, s.n);

    for (size_t i = 0; i < s.n; i++) {
        if (!good(copy[i]))
            copy[i] = instead;
    }
    return slice_of(copy, s.n);
}

unsigned
fuzz_random(struct fuzz_random *r, unsigned below)
{
    r->state = r->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(r->state >> 33) % below;
}

struct uri_rules
fuzz_uri_rules(unsigned byte)
{
    return (struct uri_rules){ .encoded_slashes = (enum uri_slashes)(byte % 3),
                               .keep_double_slashes = byte / 3 % 2,
                               .refuse_parameters = byte / 6 % 2 };
}

/* An escape that has to be one, in upper case. */
static bool
is_needed_escape(const char *p)
{
    int high = char_hex(p[1]), low = char_hex(p[2]), c = high * 16 + low;

    return high >= 0 && low >= 0 && !(p[1] >= 'a') && !(p[2] >= 'a') && c >= 0x20 && c != 0x7f &&
           !char_is((char)c, CHAR_UNRESERVED);
}

/* Between two slashes, encoded ones included: nothing that any origin would climb by. */
static void
require_no_dots(struct slice s)
{
    FUZZ_REQUIRE(!slice_eq(s, SLICE(".")) && !slice_eq(s, SLICE("..")));
    FUZZ_REQUIRE(!slice_starts(s, SLICE(".;")) && !slice_starts(s, SLICE("..;")));
    FUZZ_REQUIRE(!slice_starts(s, SLICE(".%3B")) && !slice_starts(s, SLICE("..%3B")));
}

static bool
is_encoded_slash(const char *p, const char *end)
{
    return end - p >= 3 && (memcmp(p, "%2F", 3) == 0 || memcmp(p, "%5C", 3) == 0);
}

static void
require_segment(struct slice s, const struct uri_rules *rules)
{
    const char *end = s.p + s.n, *part = s.p;

    for (const char *p = s.p; p < end; p++) {
        if (!is_encoded_slash(p, end))
            continue;
        FUZZ_REQUIRE(rules->encoded_slashes != URI_SLASHES_REFUSE);
        require_no_dots(slice_of(part, (size_t)(p - part)));
        part = p + 3;
    }
    require_no_dots(slice_of(part, (size_t)(end - part)));
    FUZZ_REQUIRE(!rules->refuse_parameters || (!memchr(s.p, ';', s.n) && !memmem(s.p, s.n, "%3B", 3)));
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '%') {
            FUZZ_REQUIRE(char_is(s.p[i], CHAR_PATH));
            continue;
        }
        FUZZ_REQUIRE(s.n - i >= 3 && is_needed_escape(s.p + i));
        i += 2;
    }
}

void
fuzz_require_path(struct slice path, const struct uri_rules *rules)
{
    FUZZ_REQUIRE(path.n && path.p[0] == '/');
    path = slice_from(path, 1);
    while (path.n) {
        const char *end = path.p + path.n, *slash = scan_char(path.p, end, '/');
        size_t n = (size_t)(slash - path.p);

        FUZZ_REQUIRE(n > 0 || rules->keep_double_slashes);
        require_segment(slice_of(path.p, n), rules);
        path = slice_from(path, n + 1);
    }
}

void
fuzz_require_fields(const struct fields *f)
{
    for (unsigned i = 0; i < f->n; i++) {
        const struct field *v = &f->v[i];

        FUZZ_REQUIRE(field_is_token(v->name));
        FUZZ_REQUIRE(field_is_value(v->value) && slice_eq(slice_trim(v->value), v->value));
        FUZZ_REQUIRE(v->id == field_lookup(v->name));
    }
}
