#include "regex_filter.h"

#include "../base/xalloc.h"
#include "regex_literal.h"

#include <stdlib.h>

#define GRAM 4 /* bytes */
#define COUNTERS_BITS 16

struct entry {
    uint32_t gram;
    uint32_t number;   /* of the pattern */
    uint32_t at;       /* where the gram stands in the literal */
    bool at_start;
    struct slice text; /* the literal */
};

struct regex_filter {
    struct entry *entries; /* by bucket */
    uint32_t *starts;      /* of each bucket, and the end */
    unsigned n, bits;
    uint32_t *always;
    unsigned n_always;
};

/* All literals of all patterns while the filter is made. */
struct draft {
    struct arena *arena;
    uint16_t *counters; /* how often a gram occurs, by its hash: the rarest one of a pattern finds it most cheaply */
    struct regex_literal (*literals)[REGEX_LITERALS_MAX]; /* by pattern */
    uint8_t *counts;                                      /* of them, by pattern */
};

static inline uint32_t
gram_at(const char *p)
{
    uint32_t g;

    memcpy(&g, p, GRAM);
    return g;
}

static inline uint32_t
gram_hash(uint32_t gram, unsigned bits)
{
    return gram * 0x9E3779B1u >> (32 - bits);
}

static void
draft_read(struct draft *d, const struct slice *patterns, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        d->counts[i] = (uint8_t)regex_literals(patterns[i], GRAM, d->literals[i], d->arena);
        for (unsigned k = 0; k < d->counts[i]; k++) {
            struct slice text = d->literals[i][k].text;

            for (size_t at = 0; at + GRAM <= text.n; at++) {
                uint16_t *c = &d->counters[gram_hash(gram_at(text.p + at), COUNTERS_BITS)];
                *c += *c < UINT16_MAX;
            }
        }
    }
}

/* The rarest gram of a pattern. false: it has none. */
static bool
choose(const struct draft *d, unsigned i, struct entry *out)
{
    unsigned least = UINT16_MAX + 1;

    for (unsigned k = 0; k < d->counts[i]; k++) {
        const struct regex_literal *l = &d->literals[i][k];

        for (size_t at = 0; at + GRAM <= l->text.n; at++) {
            uint32_t gram = gram_at(l->text.p + at);
            unsigned times = d->counters[gram_hash(gram, COUNTERS_BITS)];

            if (times >= least)
                continue;
            least = times;
            *out = (struct entry){ gram, i, (uint32_t)at, l->at_start, l->text };
        }
    }
    return least <= UINT16_MAX;
}

/* Counting sort of the entries into their buckets. */
static void
spread(struct regex_filter *f, const struct entry *from)
{
    uint32_t *fill;

    for (f->bits = 4; f->bits < 24 && 1u << f->bits < f->n * 2; f->bits++)
        ;
    f->starts = xcalloc((1u << f->bits) + 2, sizeof(*f->starts));
    /* starts[b + 1] is where the next entry of bucket b goes: when all are in, the end of b and the start of b + 1. */
    fill = f->starts + 1;
    for (unsigned i = 0; i < f->n; i++)
        fill[gram_hash(from[i].gram, f->bits) + 1]++;
    for (unsigned b = 1; b <= 1u << f->bits; b++)
        fill[b] += fill[b - 1];
    f->entries = xcalloc(f->n ? f->n : 1, sizeof(*f->entries));
    for (unsigned i = 0; i < f->n; i++)
        f->entries[fill[gram_hash(from[i].gram, f->bits)]++] = from[i];
}

struct regex_filter *
regex_filter_new(const struct slice *patterns, unsigned n, struct arena *arena)
{
    struct regex_filter *f = xcalloc(1, sizeof(*f));
    struct draft d = { .arena = arena };
    struct entry *entries = xcalloc(n, sizeof(*entries));

    d.counters = xcalloc(1u << COUNTERS_BITS, sizeof(*d.counters));
    d.literals = xcalloc(n, sizeof(*d.literals));
    d.counts = xcalloc(n, sizeof(*d.counts));
    draft_read(&d, patterns, n);
    f->always = xcalloc(n, sizeof(*f->always));
    for (unsigned i = 0; i < n; i++) {
        if (choose(&d, i, &entries[f->n]))
            f->n++;
        else
            f->always[f->n_always++] = i;
    }
    f->always = xrealloc(f->always, (f->n_always + 1) * sizeof(*f->always));
    spread(f, entries);
    free(entries);
    free(d.counters);
    free(d.literals);
    free(d.counts);
    return f;
}

void
regex_filter_free(struct regex_filter *f)
{
    if (!f)
        return;
    free(f->entries);
    free(f->starts);
    free(f->always);
    free(f);
}

/* Into its place; false: no room. */
static bool
insert(uint32_t *out, unsigned *n, uint32_t number)
{
    unsigned i = *n;

    while (i > 0 && out[i - 1] > number)
        i--;
    if (i > 0 && out[i - 1] == number)
        return true; /* its literal stands in the path more than once */
    if (*n == REGEX_CANDIDATES_MAX)
        return false;
    memmove(&out[i + 1], &out[i], (*n - i) * sizeof(*out));
    out[i] = number;
    (*n)++;
    return true;
}

/* Is the whole literal there, with its gram at `at` in the path? */
static bool
stands(const struct entry *e, struct slice path, size_t at)
{
    return at >= e->at && at - e->at + e->text.n <= path.n && (!e->at_start || at == e->at) &&
           memcmp(path.p + at - e->at, e->text.p, e->text.n) == 0;
}

int
regex_filter_find(const struct regex_filter *f, struct slice path, uint32_t out[REGEX_CANDIDATES_MAX])
{
    unsigned n = 0;

    for (size_t at = 0; at + GRAM <= path.n; at++) {
        uint32_t gram = gram_at(path.p + at), bucket = gram_hash(gram, f->bits);

        for (uint32_t i = f->starts[bucket]; i < f->starts[bucket + 1]; i++) {
            const struct entry *e = &f->entries[i];

            if (e->gram == gram && stands(e, path, at) && !insert(out, &n, e->number))
                return -1;
        }
    }
    for (unsigned i = 0; i < f->n_always; i++) {
        if (!insert(out, &n, f->always[i]))
            return -1;
    }
    return (int)n;
}
