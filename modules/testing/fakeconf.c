#include "fakeconf.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
wrong(const char *what, const char *at)
{
    fprintf(stderr, "fakeconf: %s at \"%.40s\"\n", what, at);
    abort();
}

static bool
row_is_in(const struct weir_directive *row, const char *in)
{
    size_t n = strlen(in);
    for (const char *p = row->in; (p = strstr(p, in)); p += n) {
        if ((p == row->in || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
            return true;
    }
    return false;
}

const struct weir_directive *
fakeconf_row(const struct weir_directive *rows, const char *in, const char *name)
{
    for (; rows->name; rows++) {
        if (strcmp(rows->name, name) == 0 && (!in || row_is_in(rows, in)))
            return rows;
    }
    return NULL;
}

const struct weir_opt *
fakeconf_opt_row(const struct weir_conf *line, const char *key)
{
    for (const struct weir_opt *o = line->row->opts; o && o->key; o++) {
        if (strcmp(o->key, key) == 0)
            return o;
    }
    return NULL;
}

static const char *
skip_space(const char *p)
{
    while (isspace((unsigned char)*p))
        p++;
    return p;
}

/* One word, quoted or not, as a string of its own. ${...} may hold anything. */
static char *
take_word(const char **text)
{
    const char *p = *text;
    char *word = malloc(strlen(p) + 1), *out = word;
    char quote = *p == '"' || *p == '\'' ? *p++ : '\0';
    int braces = 0;
    while (*p && (quote ? *p != quote : braces > 0 || (!isspace((unsigned char)*p) && !strchr(";{}", *p)) ||
                                            (*p == '{' && p > *text && p[-1] == '$'))) {
        braces += !quote && *p == '{' ? 1 : !quote && *p == '}' ? -1 : 0;
        if (quote == '"' && *p == '\\' && p[1])
            p++;
        *out++ = *p++;
    }
    *out = '\0';
    *text = quote && *p ? p + 1 : p;
    return word;
}

static void
add_word(struct weir_conf *line, char *word)
{
    char *eq = strchr(word, '=');
    if (eq) {
        *eq = '\0';
        if (fakeconf_opt_row(line, word)) {
            line->keys[line->n_keys] = word;
            line->values[line->n_keys++] = eq + 1;
            return;
        }
        *eq = '=';
    }
    if (line->n_words == FAKECONF_ARGS)
        wrong("too many arguments", word);
    line->words[line->n_words++] = word;
}

static struct weir_conf *
parse_line(const struct weir_directive *rows, const char *in, const char **text)
{
    struct weir_conf *line = calloc(1, sizeof(*line));
    char *name = take_word(text);
    line->rows = rows;
    line->row = fakeconf_row(rows, in, name);
    if (!line->row)
        wrong("no such directive", name);
    free(name);
    while (*(*text = skip_space(*text)) && !strchr(";{}", **text))
        add_word(line, take_word(text));
    if (**text == ';') {
        ++*text;
        return line;
    }
    if (**text != '{')
        wrong("expected ; or {", *text);
    ++*text;
    for (struct weir_conf **end = &line->first; *(*text = skip_space(*text)) != '}'; end = &(*end)->next) {
        if (!**text)
            wrong("expected }", *text);
        *end = parse_line(rows, line->row->block, text);
    }
    ++*text;
    return line;
}

struct weir_conf *
fakeconf_parse(const struct weir_directive *rows, const char *text)
{
    text = skip_space(text);
    return parse_line(rows, NULL, &text);
}

void
fakeconf_free(struct weir_conf *c)
{
    if (!c)
        return;
    fakeconf_free(c->first);
    fakeconf_free(c->next);
    for (unsigned i = 0; i < c->n_words; i++)
        free(c->words[i]);
    for (unsigned i = 0; i < c->n_keys; i++)
        free(c->keys[i]);
    free(c);
}

const struct weir_conf *
fakeconf_find(const struct weir_conf *block, const char *name)
{
    const struct weir_conf *l = block ? block->first : NULL;
    while (l && strcmp(l->row->name, name) != 0)
        l = l->next;
    return l;
}

const struct weir_conf *
fakeconf_next(const struct weir_conf *line)
{
    const struct weir_conf *l = line->next;
    while (l && strcmp(l->row->name, line->row->name) != 0)
        l = l->next;
    return l;
}

int64_t
fakeconf_number(enum weir_type type, const char *text)
{
    char *unit;
    if (type == WEIR_T_BOOL)
        return strcmp(text, "on") == 0;
    int64_t v = strtoll(text, &unit, 10);
    if (type != WEIR_T_DURATION)
        return v;
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = { { "ms", 1000000 }, { "s", 1000000000 }, { "m", 60000000000 }, { "h", 3600000000000 } };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(unit, units[i].unit) == 0)
            return v * units[i].ns;
    }
    wrong("not a duration", text);
    return 0;
}

const char *
fakeconf_opt(const struct weir_conf *line, const char *key)
{
    for (unsigned i = 0; i < line->n_keys; i++) {
        if (strcmp(line->keys[i], key) == 0)
            return line->values[i];
    }
    const struct weir_opt *row = fakeconf_opt_row(line, key);
    return row ? row->def : NULL;
}
