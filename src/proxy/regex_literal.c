#include "regex_literal.h"

#include <ctype.h>

/*
 * Patterns are compiled without the options that change what a plain character means (case, white space, lines), so at
 * depth 0 a run of plain characters must stand in the subject, unless an alternative at depth 0 leads past it. What
 * stands in groups is skipped. What could change the meaning of the rest ends the reading: (?...) but for (?:...), and
 * escapes with arguments. Verbs and \Q are rare enough to give up at once.
 */
struct reading {
    struct slice pattern;
    size_t at;
    unsigned depth;
    char *run; /* room for the whole pattern */
    size_t n;  /* of the current run */
    bool run_at_start;

    size_t least;
    struct regex_literal *out;
    unsigned found;
};

enum step { STEP_ON, STEP_STOP, STEP_NOTHING };

static void
run_end(struct reading *r)
{
    if (r->n >= r->least && r->found < REGEX_LITERALS_MAX) {
        r->out[r->found++] = (struct regex_literal){ slice_of(r->run, r->n), r->run_at_start };
        r->run += r->n;
    }
    r->n = 0;
    r->run_at_start = false;
}

/* What a quantifier that allows none stands behind is not required. */
static void
run_cut(struct reading *r)
{
    if (r->n > 0)
        r->n--;
    run_end(r);
}

static enum step
plain(struct reading *r, char c)
{
    if (r->depth == 0)
        r->run[r->n++] = c;
    return STEP_ON;
}

static enum step
escape(struct reading *r)
{
    if (r->at == r->pattern.n)
        return STEP_STOP;
    char c = r->pattern.p[r->at++];
    if (!isalnum((unsigned char)c))
        return plain(r, c);
    run_end(r);
    return strchr("dDwWsShHvVbBAzZ", c) ? STEP_ON : STEP_STOP;
}

/* A [class]; with another bracket in it, which may be a POSIX class or not, it is not read. */
static enum step
class(struct reading *r)
{
    const char *p = r->pattern.p;
    size_t n = r->pattern.n, i = r->at;

    run_end(r);
    if (i < n && p[i] == '^')
        i++;
    if (i < n && p[i] == ']')
        i++;
    for (; i < n && p[i] != ']'; i++) {
        if (p[i] == '[' || (p[i] == '\\' && (++i == n || p[i] == 'c')))
            return STEP_STOP;
    }
    r->at = i + 1;
    return i < n ? STEP_ON : STEP_STOP;
}

static enum step
group(struct reading *r)
{
    const char *p = r->pattern.p;

    run_end(r);
    r->depth++;
    if (r->at == r->pattern.n || p[r->at] != '?')
        return STEP_ON;
    if (r->at + 1 == r->pattern.n || p[r->at + 1] != ':')
        return STEP_STOP;
    r->at += 2;
    return STEP_ON;
}

static enum step
group_end(struct reading *r)
{
    run_end(r);
    if (r->depth == 0)
        return STEP_STOP;
    r->depth--;
    return STEP_ON;
}

static enum step
repeat(struct reading *r)
{
    const char *end = memchr(r->pattern.p + r->at, '}', r->pattern.n - r->at);

    run_cut(r);
    if (!end)
        return STEP_STOP;
    r->at = (size_t)(end - r->pattern.p) + 1;
    return STEP_ON;
}

static enum step
next(struct reading *r)
{
    char c = r->pattern.p[r->at++];

    switch (c) {
    case '\\':
        return escape(r);
    case '[':
        return class(r);
    case '(':
        return group(r);
    case ')':
        return group_end(r);
    case '{':
        return repeat(r);
    case '*':
    case '?':
        run_cut(r);
        return STEP_ON;
    case '+':
    case '.':
    case '$':
    case '^':
        run_end(r);
        return STEP_ON;
    case '|':
        return r->depth == 0 ? STEP_NOTHING : STEP_ON;
    default:
        return plain(r, c);
    }
}

static bool
holds(struct slice s, const char *two)
{
    return s.n >= 2 && memmem(s.p, s.n, two, 2);
}

unsigned
regex_literals(struct slice pattern, size_t least, struct regex_literal out[REGEX_LITERALS_MAX], struct arena *arena)
{
    struct reading r = { .pattern = pattern, .least = least, .out = out };
    enum step step = STEP_ON;

    if (holds(pattern, "(*") || holds(pattern, "\\Q"))
        return 0;
    r.run = arena_alloc(arena, pattern.n + 1);
    if (pattern.n && pattern.p[0] == '^') {
        r.at = 1;
        r.run_at_start = true;
    }
    while (step == STEP_ON && r.at < pattern.n)
        step = next(&r);
    if (step == STEP_NOTHING)
        return 0;
    run_end(&r);
    /* Unread, an alternative may stand anywhere. */
    return step == STEP_STOP && memchr(pattern.p, '|', pattern.n) ? 0 : r.found;
}
