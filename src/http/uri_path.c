/* uri_path: the canonical form of a path. Nearly every path has it already, which one look at each byte tells. */
#include "uri.h"
#include "chars.h"

static const struct uri_rules default_rules = { .encoded_slashes = URI_SLASHES_REFUSE };

/* What a byte of the path stands for, once escapes are resolved. */
enum piece { PIECE_LITERAL, PIECE_ESCAPED, PIECE_SLASH };

struct rewrite {
    struct slice in;
    size_t at;
    char *out;
    size_t n;
    size_t segment; /* where the segment that is being written starts in out, behind its slash */
    size_t part;    /* the same for an origin that decodes: behind the last slash or backslash, encoded or not */
    const struct uri_rules *rules;
};

#ifdef __SSE2__
/* How many bytes from the start on are surely canonical, in steps of 16: letters, '-' to ':' (with '.', '/' and the
 * digits), '_'; and no slash that a dot or (unless they are kept) another slash follows. */
static size_t
skip_plain(struct slice path, bool keep_double_slashes)
{
    unsigned after_slash = 0;
    size_t i;

    for (i = 0; path.n - i >= 16; i += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(path.p + i));
        __m128i folded = _mm_or_si128(x, _mm_set1_epi8(0x20));
        __m128i letter = _mm_and_si128(_mm_cmpgt_epi8(folded, _mm_set1_epi8('a' - 1)),
                                       _mm_cmplt_epi8(folded, _mm_set1_epi8('z' + 1)));
        __m128i other =
            _mm_and_si128(_mm_cmpgt_epi8(x, _mm_set1_epi8('-' - 1)), _mm_cmplt_epi8(x, _mm_set1_epi8(':' + 1)));
        __m128i plain = _mm_or_si128(_mm_or_si128(letter, other), _mm_cmpeq_epi8(x, _mm_set1_epi8('_')));
        unsigned slashes = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8('/')));
        unsigned dots = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8('.')));

        after_slash |= slashes << 1;
        if (_mm_movemask_epi8(plain) != 0xffff || after_slash & (dots | (keep_double_slashes ? 0 : slashes)))
            break;
        after_slash = slashes >> 15;
    }
    return i;
}
#else
static size_t
skip_plain(struct slice path, bool keep_double_slashes)
{
    return 0;
}
#endif

/* No escapes, nothing to encode, no "//", and no segment that starts with a dot. */
static bool
is_canonical(struct slice path, const struct uri_rules *rules)
{
    size_t i = skip_plain(path, rules->keep_double_slashes);
    char before = i ? path.p[i - 1] : 0;

    if (rules->refuse_parameters && memchr(path.p, ';', path.n))
        return false;
    for (; i < path.n; i++) {
        char c = path.p[i];

        if (before == '/' && (c == '.' || (c == '/' && !rules->keep_double_slashes)))
            return false;
        if (c != '/' && !char_is(c, CHAR_PATH))
            return false;
        before = c;
    }
    return true;
}

/* Only '/' and '\' come here. */
static const char *
take_encoded_slash(const struct uri_rules *rules, unsigned char c, enum piece *piece)
{
    if (rules->encoded_slashes == URI_SLASHES_REFUSE)
        return "an encoded slash or backslash in the path";
    *piece = c == '/' && rules->encoded_slashes == URI_SLASHES_DECODE ? PIECE_SLASH : PIECE_ESCAPED;
    return NULL;
}

static const char *
take_escape(struct rewrite *w, unsigned char *c, enum piece *piece)
{
    int high, low;

    if (w->in.n - w->at < 3)
        return "an escape that is cut short in the path";
    high = char_hex(w->in.p[w->at + 1]);
    low = char_hex(w->in.p[w->at + 2]);
    if (high < 0 || low < 0)
        return "an escape that is not hexadecimal in the path";
    w->at += 3;
    *c = (unsigned char)(high * 16 + low);
    if (*c < 0x20 || *c == 0x7f)
        return "an encoded control byte in the path";
    if (*c == '/' || *c == '\\')
        return take_encoded_slash(w->rules, *c, piece);
    if (*c == ';' && w->rules->refuse_parameters)
        return "a parameter in the path";
    *piece = char_is((char)*c, CHAR_UNRESERVED) ? PIECE_LITERAL : PIECE_ESCAPED;
    return NULL;
}

static const char *
take(struct rewrite *w, unsigned char *c, enum piece *piece)
{
    *c = (unsigned char)w->in.p[w->at];
    if (*c == '%')
        return take_escape(w, c, piece);
    w->at++;
    if (*c == '/') {
        *piece = PIECE_SLASH;
        return NULL;
    }
    if (*c <= 0x20 || *c >= 0x7f || *c == '\\' || *c == '#')
        return "a byte that does not belong in a path";
    if (*c == ';' && w->rules->refuse_parameters)
        return "a parameter in the path";
    *piece = char_is((char)*c, CHAR_PATH) ? PIECE_LITERAL : PIECE_ESCAPED;
    return NULL;
}

/* "/a/b" with the cursor behind b's slash: back to behind a's. */
static const char *
pop_segment(struct rewrite *w)
{
    if (w->segment <= 1)
        return "a path that leads above the root";
    w->n = w->segment - 1;
    while (w->out[w->n - 1] != '/')
        w->n--;
    w->segment = w->n;
    return NULL;
}

/* How many dots the text at the end of out is, from `from` on: 1 or 2, else 0. *more: parameters follow them, also
 * where the semicolon is encoded, since an origin behind one that decodes would see "..;". */
static size_t
dots_since(const struct rewrite *w, size_t from, bool *more)
{
    const char *s = w->out + from;
    size_t n = w->n - from;
    size_t dots = n == 0 || s[0] != '.' ? 0 : n == 1 || s[1] != '.' ? 1 : 2;
    struct slice rest = slice_of(s + dots, n - dots);

    *more = dots && (slice_starts(rest, SLICE(";")) || slice_starts(rest, SLICE("%3B")));
    return *more || dots == n ? dots : 0;
}

/* At a slash or backslash that stays encoded: what an origin that decodes would take for a dot segment. */
static const char *
end_part(const struct rewrite *w)
{
    bool more;

    return dots_since(w, w->part, &more) ? "a dot segment beside an encoded slash in the path" : NULL;
}

/* At the end of a segment, before its slash. *drop: the segment is gone, and so is that slash. */
static const char *
end_segment(struct rewrite *w, bool *drop)
{
    bool more;
    size_t dots;

    *drop = false;
    if (w->part != w->segment)
        return end_part(w);
    dots = dots_since(w, w->segment, &more);
    if (more)
        return "a dot segment with parameters in the path";
    if (dots) {
        *drop = true;
        w->n = w->segment;
        return dots == 2 ? pop_segment(w) : NULL;
    }
    *drop = w->n == w->segment && !w->rules->keep_double_slashes;
    return NULL;
}

/* The byte whose escape stands at the end of out, or `before` that many others; -1: there is none. */
static int
last_escaped(const struct rewrite *w, unsigned before)
{
    const char *p = w->out + w->n;

    for (unsigned i = 0; i <= before; i++) {
        if (p - w->out < 4 || p[-3] != '%')
            return -1;
        p -= 3;
    }
    return char_hex(p[1]) * 16 + char_hex(p[2]);
}

/* Does c end a UTF-8 sequence that is longer than it may be (RFC 3629 3) and would stand for a dot, a slash, a
 * backslash or a control byte? Decoders that take it are old, but what they make of it is another path. */
static bool
ends_overlong(const struct rewrite *w, unsigned char c)
{
    int before = (c & 0xc0) == 0x80 ? last_escaped(w, 0) : -1;
    unsigned char meant = (unsigned char)((before & 1) << 6 | (c & 0x3f));

    if (before == 0x80 || before == 0x81) {
        int lead = last_escaped(w, 1);

        if (lead != 0xe0 && (lead != 0x80 || last_escaped(w, 2) != 0xf0))
            return false;
    } else if (before != 0xc0 && before != 0xc1) {
        return false;
    }
    return meant < 0x20 || meant == 0x7f || meant == '.' || meant == '/' || meant == '\\';
}

static void
put_byte(struct rewrite *w, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";

    w->out[w->n++] = '%';
    w->out[w->n++] = digits[c >> 4];
    w->out[w->n++] = digits[c & 15];
}

static const char *
put_escaped(struct rewrite *w, unsigned char c)
{
    const char *wrong = NULL;

    if (ends_overlong(w, c))
        return "an overlong UTF-8 sequence in the path";
    if (c == '/' || c == '\\')
        wrong = end_part(w);
    put_byte(w, c);
    if (c == '/' || c == '\\')
        w->part = w->n;
    return wrong;
}

static const char *
put_slash(struct rewrite *w)
{
    bool drop;
    const char *wrong = end_segment(w, &drop);

    if (!wrong && !drop) {
        w->out[w->n++] = '/';
        w->segment = w->n;
    }
    w->part = w->segment;
    return wrong;
}

const char *
uri_canonical_path(struct slice path, const struct uri_rules *rules, struct arena *arena, struct slice *out)
{
    struct rewrite w = {
        .in = path, .at = 1, .n = 1, .segment = 1, .part = 1, .rules = rules ? rules : &default_rules
    };
    const char *wrong = NULL;
    enum piece piece = PIECE_LITERAL;
    unsigned char c;
    bool drop;

    *out = path;
    if (path.n == 0 || path.p[0] != '/')
        return "a path that does not start with a slash";
    if (is_canonical(path, w.rules))
        return NULL;
    w.out = arena_alloc(arena, path.n * 3); /* every byte may become an escape */
    w.out[0] = '/';
    while (!wrong && w.at < path.n) {
        wrong = take(&w, &c, &piece);
        if (wrong)
            break;
        if (piece == PIECE_SLASH)
            wrong = put_slash(&w);
        else if (piece == PIECE_ESCAPED)
            wrong = put_escaped(&w, c);
        else
            w.out[w.n++] = (char)c;
    }
    if (!wrong)
        wrong = end_segment(&w, &drop);
    *out = slice_of(w.out, w.n);
    return wrong;
}
