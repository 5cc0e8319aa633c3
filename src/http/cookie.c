/* cookie: the Cookie field (RFC 6265 4.2.1): name=value pairs separated by semicolons. */
#include "field.h"

static bool
find_in(struct slice pairs, struct slice name, struct slice *value)
{
    while (pairs.n) {
        const char *semicolon = memchr(pairs.p, ';', pairs.n);
        size_t n = semicolon ? (size_t)(semicolon - pairs.p) : pairs.n;
        struct slice pair = slice_trim(slice_of(pairs.p, n));

        if (pair.n > name.n && pair.p[name.n] == '=' && memcmp(pair.p, name.p, name.n) == 0) {
            *value = slice_of(pair.p + name.n + 1, pair.n - name.n - 1);
            return true;
        }
        pairs = slice_from(pairs, n + 1);
    }
    return false;
}

bool
cookie_find(const struct fields *f, struct slice name, struct slice *value)
{
    if (name.n == 0)
        return false;
    for (unsigned i = 0; i < f->n; i++) {
        if (f->v[i].id == FIELD_COOKIE && find_in(f->v[i].value, name, value))
            return true;
    }
    return false;
}
