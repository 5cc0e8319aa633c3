#include "breaker.h"

#include <string.h>

static void
open_it(struct breaker *b)
{
    b->open = true;
    b->wait = b->wait ? 2 * b->wait : BREAKER_FIRST;
    if (b->wait > BREAKER_LONGEST)
        b->wait = BREAKER_LONGEST;
}

bool
breaker_fail(struct breaker *b, nsec_t now)
{
    nsec_t first;

    if (b->open)
        return false;
    b->failures[b->oldest] = now;
    b->oldest = (b->oldest + 1) % BREAKER_FAILURES;
    first = b->failures[b->oldest];
    if (first == 0 || now - first > BREAKER_WINDOW)
        return false;
    open_it(b);
    return true;
}

void
breaker_reopen(struct breaker *b)
{
    open_it(b);
}

void
breaker_close(struct breaker *b)
{
    b->open = false;
    memset(b->failures, 0, sizeof(b->failures));
}

void
breaker_good(struct breaker *b)
{
    if (!b->open)
        b->wait = 0;
}
