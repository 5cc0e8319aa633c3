#include "gcra.h"

int64_t
gcra_take(const struct gcra *g, int64_t tat, int64_t now, struct gcra_answer *answer)
{
    if (tat < now)
        tat = now;
    if (tat > now + g->capacity_ns)
        tat = now + g->capacity_ns;
    int64_t room = now + g->capacity_ns - tat; /* what the bucket holds, as time */
    answer->allowed = room >= g->emission_ns;
    if (answer->allowed) {
        tat += g->emission_ns;
        room -= g->emission_ns;
    }
    answer->retry_after_ns = answer->allowed ? 0 : g->emission_ns - room;
    answer->left = room / g->emission_ns;
    answer->full_after_ns = tat - now;
    return tat;
}
