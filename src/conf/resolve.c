/*
 * resolve: from a word of the source to the text it stands for. What comes from ${env.*} and ${file:} is a secret from
 * here on: the argument keeps a second text, with ***, for showing.
 */
#include "config.h" /* _GNU_SOURCE: memmem */

#include "lexer.h"

#include <stdlib.h>

struct resolver {
    struct conf *conf;
    struct source *src;
    const struct token *token;
    struct strbuf text, shown;
    struct secret_piece *pieces;
    unsigned flags;
};

static struct place
place_in(const struct resolver *r, const char *p)
{
    struct place at = { r->src, (uint32_t)(p - r->src->text.p), r->token->line };

    if (r->conf->n_diags >= CONF_DIAGS_MAX)
        return at; /* nobody will see it */
    for (const char *q = r->src->text.p + r->token->off; q < p; q++)
        at.line += *q == '\n';
    return at;
}

static void
add(struct resolver *r, const char *p, size_t n)
{
    strbuf_add(&r->text, p, n);
    strbuf_add(&r->shown, p, n);
}

static void
add_secret(struct resolver *r, const char *at, struct slice value)
{
    struct secret_piece *piece;

    if (r->text.n + value.n > CONF_VALUE_MAX) {
        r->flags |= ARG_BAD;
        diag_error(r->conf, place_in(r, at), "this argument is larger than 1 MiB");
        return;
    }
    piece = arena_alloc(&r->conf->arena, sizeof(*piece));
    piece->value = arena_slice(&r->conf->arena, value);
    piece->next = r->pieces;
    r->pieces = piece;
    strbuf_addslice(&r->text, value);
    strbuf_adds(&r->shown, "***");
    if (value.n && memmem(value.p, value.n, "${", 2))
        r->flags |= ARG_SECRET_VAR;
}

static void
add_env(struct resolver *r, const char *at, struct slice name)
{
    const char *key = arena_strndup(&r->conf->arena, name.p, name.n);
    const char *value = getenv(key);

    if (value) {
        add_secret(r, at, slice_str(value));
        return;
    }
    r->flags |= ARG_BAD;
    diag_error(r->conf, place_in(r, at), "the environment variable `%s` is not set", diag_word(r->conf, name));
}

static void
add_file(struct resolver *r, const char *at, struct slice name)
{
    struct slice path = source_path(&r->conf->arena, r->src, name), content = SLICE_NONE;
    const char *why = "the name is empty";
    char *memory;

    if (name.n)
        content = source_read(r->conf, path.p, CONF_VALUE_MAX, NULL, &why);
    if (name.n)
        files_note(r->conf, CONF_FILE_CONTENT, path.p, content.p ? files_digest(content) : 0);
    memory = (char *)content.p;
    if (memory)
        why = memchr(memory, '\0', content.n) ? "it holds a NUL byte" : NULL;
    if (why || !memory) {
        r->flags |= ARG_BAD;
        diag_error(r->conf, place_in(r, at), "cannot take the file `%s`: %s", diag_word(r->conf, name), why);
        free(memory);
        return;
    }
    if (content.n && content.p[content.n - 1] == '\n')
        content.n--;
    if (content.n && content.p[content.n - 1] == '\r')
        content.n--;
    add_secret(r, at, content);
    explicit_bzero(memory, content.n);
    free(memory);
}

/* Of what a template reads as a name nothing may look different once it is quoted again. */
static bool
is_plain(struct slice name)
{
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];

        if (c <= 0x20 || c == 0x7f || strchr("\"'\\${};", c))
            return false;
    }
    return name.n > 0;
}

/* "${...}" at p, n bytes. */
static void
add_variable(struct resolver *r, const char *p, size_t n)
{
    struct slice name = slice_of(p + 2, n - 3);

    if (slice_starts(name, SLICE("env."))) {
        add_env(r, p, slice_from(name, 4));
    } else if (slice_starts(name, SLICE("file:"))) {
        add_file(r, p, slice_from(name, 5));
    } else if (!is_plain(name)) {
        r->flags |= ARG_BAD;
        diag_error(r->conf, place_in(r, p), "`%s` cannot be the name of a variable", diag_word(r->conf, name));
    } else {
        r->flags |= ARG_VAR;
        add(r, p, n);
    }
}

/* Returns where the escape at p ends. */
static const char *
add_escape(struct resolver *r, const char *p, const char *end)
{
    static const char codes[] = "\"\\nt", bytes[] = "\"\\\n\t";
    const char *code = p + 1 < end && p[1] ? strchr(codes, p[1]) : NULL;

    if (code) {
        add(r, bytes + (code - codes), 1);
        return p + 2;
    }
    if (!(r->flags & ARG_BAD))
        diag_error(r->conf, place_in(r, p),
                   "unknown escape\nin \"...\" there are \\\" \\\\ \\n \\t; write \\\\ for a backslash, or use '...', "
                   "where nothing is escaped");
    r->flags |= ARG_BAD;
    add(r, p, 1);
    return p + 1;
}

/* Text where ${env.*} and ${file:} count, and escapes too between double quotes. */
static void
add_text(struct resolver *r, const char *p, const char *end, bool escapes)
{
    bool unclosed = false;

    while (p < end) {
        bool opens = !unclosed && *p == '$' && p + 1 < end && p[1] == '{';
        const char *close = opens ? memchr(p, '}', (size_t)(end - p)) : NULL;
        const char *next = p + 1;

        if (escapes && *p == '\\') {
            p = add_escape(r, p, end);
            continue;
        }
        if (close) {
            add_variable(r, p, (size_t)(close + 1 - p));
            p = close + 1;
            continue;
        }
        if (opens) {
            unclosed = true;
            if (!(r->flags & ARG_BAD))
                diag_error(r->conf, place_in(r, p), "this variable is never closed\na } is missing: ${NAME}");
            r->flags |= ARG_BAD;
        }
        while (next < end && *next != '$' && !(escapes && *next == '\\'))
            next++;
        add(r, p, (size_t)(next - p));
        p = next;
    }
}

static void
add_word(struct resolver *r, const char *p, const char *end)
{
    const char quote = r->token->flags & ARG_SINGLE ? '\'' : '"';

    if (!(r->token->flags & (ARG_SINGLE | ARG_DOUBLE))) {
        add_text(r, p, end, false);
        return;
    }
    while (*p != quote) { /* key= */
        add(r, p, 1);
        p++;
    }
    p++;
    if (end > p && end[-1] == quote) /* else it is never closed */
        end--;
    if (quote == '\'')
        add(r, p, (size_t)(end - p));
    else
        add_text(r, p, end, true);
}

/* Bytes before the '=' of what may be an option. */
static uint16_t
key_length(const struct token *t, struct slice text)
{
    size_t i = 0;

    if ((t->flags & (ARG_SINGLE | ARG_DOUBLE)) && !(t->flags & ARG_KEY))
        return 0;
    while (i < text.n && i < CONF_SHOWN_MAX &&
           ((text.p[i] >= 'a' && text.p[i] <= 'z') || (text.p[i] >= '0' && text.p[i] <= '9') || text.p[i] == '_' ||
            text.p[i] == '-'))
        i++;
    return i && i < text.n && text.p[i] == '=' ? (uint16_t)i : 0;
}

static void
resolve_long(struct resolver *r, const char *raw, struct conf_arg *out)
{
    strbuf_init(&r->text, CONF_FILE_MAX + CONF_VALUE_MAX);
    strbuf_init(&r->shown, CONF_FILE_MAX + CONF_VALUE_MAX);
    add_word(r, raw, raw + r->token->len);
    out->text = arena_slice(&r->conf->arena, strbuf_slice(&r->text));
    if (r->pieces) {
        out->secret = arena_alloc(&r->conf->arena, sizeof(*out->secret));
        out->secret->shown = arena_slice(&r->conf->arena, strbuf_slice(&r->shown));
        out->secret->pieces = r->pieces;
        explicit_bzero(r->text.p, r->text.n);
    }
    strbuf_fini(&r->text);
    strbuf_fini(&r->shown);
}

void
resolve_word(struct conf *c, struct source *src, const struct token *t, struct conf_arg *out)
{
    struct resolver r = { .conf = c, .src = src, .token = t, .flags = t->flags };
    const char *raw = src->text.p + t->off;

    memset(out, 0, sizeof(*out));
    out->off = t->off;
    out->len = t->len;
    out->line = t->line;
    if (t->dollar || t->flags & (ARG_SINGLE | ARG_DOUBLE))
        resolve_long(&r, raw, out);
    else
        out->text = slice_of(arena_strndup(&c->arena, raw, t->len), t->len);
    out->flags = (uint16_t)r.flags;
    out->key = key_length(t, out->secret ? out->secret->shown : out->text);
}
