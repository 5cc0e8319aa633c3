/* nearest: which of the names that exist was meant. */
#include "conf_impl.h"

#define WORD_MAX 48

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c == '-' ? '_' : c;
}

static unsigned
least(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;

    return m < c ? m : c;
}

/* Edits that make one of the other: insert, delete, replace, swap of neighbours. Case and '-' for '_' cost nothing. */
static unsigned
distance(const char *a, size_t na, const char *b, size_t nb)
{
    unsigned char rows[3][WORD_MAX + 1];
    unsigned char *before = rows[0], *above = rows[1], *row = rows[2], *t;

    for (size_t j = 0; j <= nb; j++)
        above[j] = (unsigned char)j;
    for (size_t i = 1; i <= na; i++) {
        row[0] = (unsigned char)i;
        for (size_t j = 1; j <= nb; j++) {
            char x = lower(a[i - 1]), y = lower(b[j - 1]);
            unsigned d = least(above[j] + 1u, row[j - 1] + 1u, above[j - 1] + (x != y));

            if (i > 1 && j > 1 && x == lower(b[j - 2]) && lower(a[i - 2]) == y && before[j - 2] + 1u < d)
                d = before[j - 2] + 1u;
            row[j] = (unsigned char)d;
        }
        t = before;
        before = above;
        above = row;
        row = t;
    }
    return above[nb];
}

void
nearest_init(struct nearest *n, struct slice word)
{
    *n = (struct nearest){ .word = word, .distance = (unsigned)(word.n + 2) / 3 };
    if (n->distance > 4)
        n->distance = 4;
    n->distance++; /* must come out below */
}

void
nearest_try(struct nearest *n, const char *name)
{
    size_t len = strlen(name), shorter = n->word.n < len ? n->word.n : len;
    unsigned d;

    if (!n->word.n || n->word.n > WORD_MAX || !len || len > WORD_MAX)
        return;
    d = distance(n->word.p, n->word.n, name, len);
    /* "cert" for "certificate", "intervals" for "interval": a common beginning says as much as a slip of one key. */
    if (shorter >= 3 && !strncasecmp(n->word.p, name, shorter) && d > 2)
        d = 2;
    if (d >= shorter + (shorter < 3)) /* nothing of it is left */
        return;
    if (d < n->distance) {
        n->distance = d;
        n->best = name;
    }
}

const char *
conf_nearest(const char *word, const char *const *names)
{
    struct nearest n;

    nearest_init(&n, slice_str(word));
    for (; *names; names++)
        nearest_try(&n, *names);
    return n.best;
}
