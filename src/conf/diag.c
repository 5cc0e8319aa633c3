/* diag: what is wrong with a configuration, where, and what would be right. */
#include "conf_impl.h"

#include "../base/utf8.h"
#include "../base/xalloc.h"

#include <stdlib.h>

#define EXCERPT_MAX 160    /* bytes of a source line shown; of longer ones the part around the caret */
#define LOOK_BACK 4096
#define SECRET_MIN 4       /* bytes; shorter values are not worth hiding in the words of a message */

const char *
diag_word(struct conf *c, struct slice word)
{
    struct strbuf b;
    char *text;
    size_t i = 0;

    if (diag_is_full(c))
        return "...";
    strbuf_init(&b, 2 * CONF_SHOWN_MAX);
    while (i < word.n && b.n < CONF_SHOWN_MAX) {
        unsigned char ch = (unsigned char)word.p[i];
        unsigned n = utf8_printable(word.p + i, word.n - i);

        if (n)
            strbuf_add(&b, word.p + i, n);
        else if (ch >= 0x20 && ch < 0x7f)
            strbuf_addc(&b, (char)ch);
        else
            strbuf_addf(&b, "\\x%02x", ch);
        i += n ? n : 1;
    }
    if (i < word.n)
        strbuf_adds(&b, "...");
    text = arena_strndup(&c->arena, b.n ? b.p : "", b.n);
    strbuf_fini(&b);
    return text;
}

bool
diag_is_full(const struct conf *c)
{
    return c->n_diags >= CONF_DIAGS_MAX;
}

static void
store(struct conf *c, const struct diag *d)
{
    if (d->warning)
        c->warnings++;
    else
        c->errors++;
    if (diag_is_full(c))
        return;
    if (c->n_diags == c->room_diags) {
        c->room_diags = c->room_diags ? c->room_diags * 2 : 16;
        c->diags = xrealloc(c->diags, c->room_diags * sizeof(*c->diags));
    }
    c->diags[c->n_diags] = *d;
    c->diags[c->n_diags].seq = c->n_diags;
    c->n_diags++;
}

void
diag_error(struct conf *c, struct place at, const char *fmt, ...)
{
    struct diag d = { .at = at };
    va_list ap;

    va_start(ap, fmt);
    if (!diag_is_full(c))
        d.text = arena_vprintf(&c->arena, fmt, ap).p;
    va_end(ap);
    store(c, &d);
}

void
diag_nowhere(struct conf *c, const char *fmt, ...)
{
    struct diag d = { .text = NULL };
    va_list ap;

    va_start(ap, fmt);
    d.text = arena_vprintf(&c->arena, fmt, ap).p;
    va_end(ap);
    store(c, &d);
}

/* --- as others report --- */

static char *
replace_all(struct arena *a, char *text, struct slice secret)
{
    size_t n = secret.n ? strnlen(secret.p, secret.n) : 0; /* a message ends at a NUL in it */
    char *at = n >= SECRET_MIN ? strstr(text, secret.p) : NULL;

    while (at) {
        size_t kept = (size_t)(at - text) + 3;

        text = (char *)arena_printf(a, "%.*s***%s", (int)(at - text), text, at + n).p;
        at = strstr(text + kept, secret.p);
    }
    return text;
}

/* A builder may have put the value into its words. */
static const char *
hide_secrets(const struct weir_conf *line, char *text)
{
    bool row_secret = line->reg && line->reg->row->flags & WEIR_D_SECRET;

    for (unsigned i = 0; i < (unsigned)line->n_args + line->n_opts; i++) {
        const struct conf_arg *arg = &line->args[i];
        const struct secret_piece *piece = arg->secret ? arg->secret->pieces : NULL;

        if (row_secret && i < line->n_args && !slice_starts(arg->text, SECRET_IN_FILE)) {
            text = replace_all(&line->conf->arena, text, arg->text);
            if (slice_starts(arg->text, SECRET_PREFIX))
                text = replace_all(&line->conf->arena, text, slice_from(arg->text, SECRET_PREFIX.n));
        }
        for (; piece; piece = piece->next)
            text = replace_all(&line->conf->arena, text, piece->value);
    }
    return text;
}

static void __attribute__((format(printf, 4, 0)))
report(const struct weir_conf *line, struct place at, bool warning, const char *fmt, va_list ap)
{
    struct conf *c = line->conf;
    struct diag d = { .at = at, .line = line, .warning = warning };
    va_list copy;

    if (!diag_is_full(c)) {
        va_copy(copy, ap);
        d.text = hide_secrets(line, (char *)arena_vprintf(&c->arena, fmt, copy).p);
        va_end(copy);
    }
    store(c, &d);
}

void
diag_line_error(const struct weir_conf *line, struct place at, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    report(line, at, false, fmt, ap);
    va_end(ap);
}

void
conf_verror(const struct weir_conf *line, int arg, bool warning, const char *fmt, va_list ap)
{
    bool has = arg >= 0 && (unsigned)arg < line->n_args;

    report(line, has ? arg_place(line, &line->args[arg]) : line_place(line), warning, fmt, ap);
}

void
conf_error(const struct weir_conf *line, int arg, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    conf_verror(line, arg, false, fmt, ap);
    va_end(ap);
}

void
conf_warning(const struct weir_conf *line, int arg, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    conf_verror(line, arg, true, fmt, ap);
    va_end(ap);
}

void
conf_opt_error(const struct weir_conf *line, const char *key, const char *fmt, ...)
{
    struct place at = line_place(line);
    va_list ap;

    for (unsigned i = line->n_args; i < (unsigned)line->n_args + line->n_opts; i++) {
        if (!strcmp(line->args[i].opt->key, key))
            at = arg_place(line, &line->args[i]);
    }
    va_start(ap, fmt);
    report(line, at, false, fmt, ap);
    va_end(ap);
}

unsigned
conf_errors(const struct conf *c)
{
    return c->errors;
}

unsigned
conf_warnings(const struct conf *c)
{
    return c->warnings;
}

/* --- printing --- */

/* Is the row of this name in this line a secret's? Where it is not known which row it is, any of that name may be
 * meant. */
static bool
hides_args(const struct conf *c, const struct diag *d, struct slice word, uint32_t off)
{
    const struct name *name = name_find(c, word);

    if (d->line && d->line->src == d->at.src && d->line->off == off && d->line->reg)
        return d->line->reg->row->flags & WEIR_D_SECRET;
    return name && name->secret;
}

/* The end of a word that may be quoted, and then may hold what else ends one. */
static size_t
hidden_end(const char *line, size_t n, size_t start)
{
    char quote = 0;
    size_t i;

    for (i = start; i < n && (quote || !strchr(" \t;{}", line[i])); i++) {
        if (!quote && (line[i] == '"' || line[i] == '\'') && (i == start || line[i - 1] == '='))
            quote = line[i];
        else if (line[i] == quote)
            quote = 0;
        else if (quote == '"' && line[i] == '\\' && i + 1 < n)
            i++;
    }
    return i;
}

/* Blots out the arguments of WEIR_D_SECRET rows in a source line, as its words tell (the tree does not hold what could
 * not be parsed): from behind such a name to the end of the line or directive. off: of its start. */
static void
blot_secrets(const struct conf *c, const struct diag *d, char *line, size_t n, size_t off)
{
    /* The directive may have begun on a line before. */
    bool hide = d->line && d->line->name->secret && d->line->line != d->at.line;
    bool begins = !hide; /* a directive may begin here */
    size_t i = 0, start;

    while (i < n) {
        for (; i < n && strchr(" \t;{}", line[i]); i++) {
            if (line[i] == ' ' || line[i] == '\t')
                continue;
            begins = true;
            hide = false;
        }
        start = i;
        if (hide)
            i = hidden_end(line, n, start);
        while (i < n && !strchr(" \t;{}", line[i]))
            i++;
        if (hide && !slice_starts(slice_of(line + start, i - start), SECRET_IN_FILE))
            memset(line + start, '*', i - start);
        else if (!hide && begins && i > start)
            hide = hides_args(c, d, slice_of(line + start, i - start), (uint32_t)(off + start));
        begins = false;
    }
}

/* The same as the tree tells: arguments may go over many lines. */
static void
blot_args(const struct weir_conf *block, const struct source *src, char *line, size_t n, size_t off)
{
    for (const struct weir_conf *l = block->first; l; l = l->next) {
        bool secret = l->src == src && (l->reg ? l->reg->row->flags & WEIR_D_SECRET : l->name->secret);

        for (unsigned i = 0; secret && i < (unsigned)l->n_args + l->n_opts; i++) {
            const struct conf_arg *arg = &l->args[i];
            size_t from = arg->off > off ? arg->off - off : 0;
            size_t to = arg->off + (size_t)arg->len > off ? arg->off + (size_t)arg->len - off : 0;

            if (from < (to < n ? to : n) && !slice_starts(arg->text, SECRET_IN_FILE))
                memset(line + from, '*', (to < n ? to : n) - from);
        }
        blot_args(l, src, line, n, off);
    }
}

/* One character of the source line; returns its bytes. What a terminal would obey is shown as '?'. */
static unsigned
add_char(struct strbuf *b, const char *p, size_t n, bool blank)
{
    unsigned len = utf8_printable(p, n);

    if (*p == '\t') {
        strbuf_addc(b, '\t');
        return 1;
    }
    if (blank)
        strbuf_addc(b, ' ');
    else if (len)
        strbuf_add(b, p, len);
    else
        strbuf_addc(b, (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f ? *p : '?');
    return len ? len : 1;
}

static void
add_excerpt(const struct conf *c, struct strbuf *b, const struct diag *d)
{
    uint32_t column = 0;
    struct slice line = source_line(&d->at, &column);
    char *copy;
    size_t base, from = 0, to, i;

    if (!line.p)
        return;
    if (line.n > EXCERPT_MAX && column > EXCERPT_MAX / 2)
        from = column - EXCERPT_MAX / 2;
    to = line.n - from > EXCERPT_MAX ? from + EXCERPT_MAX : line.n;
    while (from > 0 && from < to && ((unsigned char)line.p[from] & 0xc0) == 0x80)
        from++;
    base = from > LOOK_BACK ? from - LOOK_BACK : 0; /* a secret's name may stand before the part that is shown */
    copy = xmalloc(to - base + 1);
    for (i = base; i < to; i++)
        copy[i - base] = line.p[i] ? line.p[i] : '\x01';
    blot_secrets(c, d, copy, to - base, d->at.off - column + base);
    blot_args(c->root, d->at.src, copy, to - base, d->at.off - column + base);
    strbuf_adds(b, from ? "..." : "");
    for (i = from; i < to;)
        i += add_char(b, copy + (i - base), to - i, false);
    strbuf_adds(b, to < line.n ? "...\n" : "\n");
    strbuf_adds(b, from ? "   " : "");
    for (i = from; i < to && i < column;)
        i += add_char(b, copy + (i - base), to - i, true);
    strbuf_adds(b, "^\n");
    free(copy);
}

/* One line of a message, made printable. */
static void
add_words(struct strbuf *b, const char *p, size_t n)
{
    while (n) {
        unsigned len = add_char(b, p, n, false);

        p += len;
        n -= len;
    }
    strbuf_addc(b, '\n');
}

static void
add_diag(const struct conf *c, struct strbuf *b, const struct diag *d)
{
    const char *hint = strchr(d->text, '\n');
    uint32_t column = 0;

    if (d->at.src) {
        strbuf_adds(b, d->at.src->name);
        if (d->at.line)
            strbuf_addf(b, ":%u", d->at.line);
        if (source_line(&d->at, &column).p)
            strbuf_addf(b, ":%u", column + 1);
        strbuf_adds(b, ": ");
        strbuf_adds(b, d->warning ? "warning: " : "error: ");
    }
    add_words(b, d->text, hint ? (size_t)(hint - d->text) : strlen(d->text));
    if (d->at.src && d->at.line)
        add_excerpt(c, b, d);
    while (hint) {
        const char *next = strchr(++hint, '\n');

        strbuf_adds(b, "  ");
        add_words(b, hint, next ? (size_t)(next - hint) : strlen(hint));
        hint = next;
    }
}

static int
compare(const void *a, const void *b)
{
    const struct diag *x = a, *y = b;
    unsigned sx = x->at.src ? x->at.src->order + 1 : 0, sy = y->at.src ? y->at.src->order + 1 : 0;

    if (sx != sy)
        return sx < sy ? -1 : 1;
    if (x->at.off != y->at.off)
        return x->at.off < y->at.off ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

void
conf_diagnostics(const struct conf *c, struct strbuf *out)
{
    struct diag *sorted = xmalloc(sizeof(*sorted) * (c->n_diags + 1));
    unsigned all = c->errors + c->warnings;

    if (c->n_diags)
        memcpy(sorted, c->diags, sizeof(*sorted) * c->n_diags);
    qsort(sorted, c->n_diags, sizeof(*sorted), compare);
    for (unsigned i = 0; i < c->n_diags; i++)
        add_diag(c, out, &sorted[i]);
    if (all > c->n_diags)
        strbuf_addf(out, "... and %u more\n", all - c->n_diags);
    free(sorted);
}
