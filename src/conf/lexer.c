#include "lexer.h"

#define NO_LINE UINT32_MAX

void
lexer_init(struct lexer *l, struct conf *c, struct source *src)
{
    *l = (struct lexer){ .conf = c, .src = src, .p = src->text.p, .end = src->text.p + src->text.n };
    l->line = 1;
    l->told_line = NO_LINE;
    l->fresh = true;
    if (slice_starts(src->text, SLICE("\xef\xbb\xbf")))
        l->p += 3;
}

static struct place
place_of(const struct lexer *l, const char *p)
{
    return (struct place){ l->src, (uint32_t)(p - l->src->text.p), l->line };
}

/* The first complaint of a line about stray bytes; those behind it mostly follow from it. */
static bool
first_complaint(struct lexer *l)
{
    if (l->silent || l->told_line == l->line)
        return false;
    l->told_line = l->line;
    return true;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool
ends_word(const struct lexer *l, const char *p)
{
    return p == l->end || is_blank(*p) || *p == ';' || *p == '{' || *p == '}';
}

static void
bad_byte(struct lexer *l, const char *p)
{
    if (first_complaint(l))
        diag_error(l->conf, place_of(l, p), "byte 0x%02x cannot stand in a configuration", (unsigned char)*p);
}

static void
skip_blanks(struct lexer *l)
{
    while (l->p < l->end) {
        if (*l->p == '\n') {
            l->line++;
            l->fresh = true;
        } else if (*l->p == '#') {
            const char *nl = memchr(l->p, '\n', (size_t)(l->end - l->p));

            l->p = nl ? nl : l->end;
            continue;
        } else if (!is_blank(*l->p)) {
            if (!is_control(*l->p))
                return;
            bad_byte(l, l->p);
        }
        l->p++;
    }
}

/* "{2}" and "{1,3}" right behind a character are a regular expression's: as a block they could not be right. 0: it is
 * not one. */
static size_t
quantifier(const struct lexer *l, const char *p)
{
    const char *q = p + 1;

    while (q < l->end && ((*q >= '0' && *q <= '9') || (*q == ',' && q > p + 1)))
        q++;
    return q > p + 1 && q < l->end && *q == '}' ? (size_t)(q + 1 - p) : 0;
}

/* "${...}" at p. Its length; 0: it is never closed. */
static size_t
variable(const struct lexer *l, const char *p)
{
    const char *q = p + 2;

    while (q < l->end && !is_control(*q) && !strchr(" ;{}\"'", *q))
        q++;
    return q < l->end && *q == '}' ? (size_t)(q + 1 - p) : 0;
}

/* From the opening quote to the closing one. A quote without an end ends with its line, so that the rest of the file is
 * read as what it is. */
static const char *
quoted(struct lexer *l, const char *p, struct token *t)
{
    const char *start = p, *line_end = NULL;
    char quote = *p++;
    bool *open_ended = &l->open_ended[quote == '\''];
    uint32_t line = l->line, bad_line = 0;
    const char *bad = NULL;

    for (; p < l->end && *p != quote; p++) {
        if (*p == '\n') {
            line_end = line_end ? line_end : p;
            line++;
            if (*open_ended)
                break;
        } else if (*p == '\\' && quote == '"' && p + 1 < l->end && p[1] != '\n') {
            p++;
        } else if (is_control(*p) && !is_blank(*p) && !bad) {
            bad = p;
            bad_line = line;
        }
        t->dollar |= *p == '$';
    }
    if (p == l->end || *p != quote || (line_end && !ends_word(l, p + 1))) {
        /* Or it was closed by the start of another: a quote that spans lines ends a word. */
        *open_ended |= p == l->end || *p != quote;
        t->flags |= ARG_BAD | ARG_OPEN_END;
        if (!l->silent)
            diag_error(l->conf, place_of(l, start), "this quote is never closed\na %c is missing at its end", quote);
        return line_end ? line_end : p;
    }
    if (bad) {
        t->flags |= ARG_BAD;
        l->line = bad_line;
        bad_byte(l, bad);
    }
    l->line = line;
    return p + 1;
}

/* Behind a closing quote a word is over. Returns where it is, should there be more. */
static const char *
after_quote(struct lexer *l, const char *p, struct token *t)
{
    if (t->flags & ARG_OPEN_END || ends_word(l, p))
        return p;
    t->flags |= ARG_BAD;
    if (first_complaint(l))
        diag_error(l->conf, place_of(l, p),
                   "text right behind a closing quote\nput a blank between them, or all of it in the quotes");
    while (!ends_word(l, p))
        p++;
    return p;
}

/* Is what stands before p `key=`, and p therefore the start of its value? */
static bool
is_value_start(const char *start, const char *p)
{
    const char *q;

    if (p < start + 2 || p[-1] != '=')
        return false;
    for (q = start; q < p - 1; q++) {
        if (!((*q >= 'a' && *q <= 'z') || *q == '_' || (q > start && ((*q >= '0' && *q <= '9') || *q == '-'))))
            return false;
    }
    return true;
}

/* One character of a bare word, or what counts as one. Returns where the next starts. */
static const char *
bare_step(struct lexer *l, const char *start, const char *p, struct token *t)
{
    size_t n;

    if (*p == '$' && p + 1 < l->end && p[1] == '{') {
        t->dollar = true;
        n = variable(l, p);
        if (n)
            return p + n;
        t->flags |= ARG_BAD;
        if (first_complaint(l))
            diag_error(l->conf, place_of(l, p), "this variable is never closed\na } is missing: ${NAME}");
        return p + 2;
    }
    if (*p == '"' || *p == '\'') {
        t->flags |= ARG_BAD;
        if (first_complaint(l))
            diag_error(l->conf, place_of(l, p), "a quote in the middle of a word\nput the whole word in quotes");
    } else if (is_control(*p)) {
        t->flags |= ARG_BAD;
        bad_byte(l, p);
    }
    return p + 1;
}

static void
bare(struct lexer *l, struct token *t)
{
    const char *start = l->p, *p = start;

    while (p < l->end) {
        size_t n = *p == '{' && p > start ? quantifier(l, p) : 0;

        if (n) {
            p += n;
        } else if (ends_word(l, p)) {
            break;
        } else if ((*p == '"' || *p == '\'') && is_value_start(start, p)) {
            t->flags |= ARG_KEY | (*p == '"' ? ARG_DOUBLE : ARG_SINGLE);
            p = after_quote(l, quoted(l, p, t), t);
            break;
        } else {
            p = bare_step(l, start, p, t);
        }
    }
    l->p = p;
}

static void
word(struct lexer *l, struct token *t)
{
    t->kind = TOKEN_WORD;
    if (*l->p != '"' && *l->p != '\'') {
        bare(l, t);
        return;
    }
    t->flags |= *l->p == '"' ? ARG_DOUBLE : ARG_SINGLE;
    l->p = after_quote(l, quoted(l, l->p, t), t);
}

int
lexer_swallowed(const struct lexer *l, const struct token *t)
{
    const char *p = l->src->text.p + t->off + t->len, *start = l->src->text.p + t->off;
    int closes = 0;

    while (p > start + 1 && (is_blank(p[-1]) || p[-1] == ';' || p[-1] == '}'))
        closes += *--p == '}';
    return p > start + 1 && p[-1] == '{' && !closes ? -1 : closes;
}

struct token
lexer_next(struct lexer *l)
{
    struct token t = { .kind = TOKEN_END };
    const char *start;

    skip_blanks(l);
    start = l->p;
    t.off = (uint32_t)(start - l->src->text.p);
    t.line = l->line;
    t.flags = l->fresh ? ARG_FIRST : 0;
    l->fresh = false;
    if (start < l->end) {
        switch (*start) {
        case ';':
            t.kind = TOKEN_SEMICOLON;
            l->p++;
            break;
        case '{':
            t.kind = TOKEN_OPEN;
            l->p++;
            break;
        case '}':
            t.kind = TOKEN_CLOSE;
            l->p++;
            break;
        default:
            word(l, &t);
        }
    }
    t.len = (uint32_t)(l->p - start);
    t.end_line = l->line;
    return t;
}
