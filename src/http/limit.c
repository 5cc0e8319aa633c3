#include "limit.h"
#include "../base/clock.h"

static const struct {
    const char *block, *name;
    enum limit_unit unit;
} rows[LIMITS] = {
    [LIMIT_NONE] = { "", "", LIMIT_COUNT },
#define X(id, block, name, unit) [LIMIT_##id] = { block, name, LIMIT_##unit },
    LIMIT_LIST(X)
#undef X
};

const char *
limit_block(enum limit_id id)
{
    return (unsigned)id < LIMITS ? rows[id].block : "";
}

const char *
limit_name(enum limit_id id)
{
    return (unsigned)id < LIMITS ? rows[id].name : "";
}

static struct slice
value_text(struct arena *a, enum limit_unit unit, int64_t value)
{
    switch (unit) {
    case LIMIT_BYTES:
        return arena_printf(a, "%lld bytes", (long long)value);
    case LIMIT_RATE:
        return arena_printf(a, "%lld bytes per second", (long long)value);
    case LIMIT_TIME:
        if (value % NSEC_PER_SEC == 0)
            return arena_printf(a, "%llds", (long long)(value / NSEC_PER_SEC));
        return arena_printf(a, "%lldms", (long long)(value / NSEC_PER_MSEC));
    case LIMIT_COUNT:
        break;
    }
    return arena_printf(a, "%lld", (long long)value);
}

struct slice
limit_words(struct arena *a, const char *name, enum limit_unit unit, int64_t value, const char *what)
{
    return arena_printf(a, "%s: `%s` is %.*s", what, name, SLICE_FMT(value_text(a, unit, value)));
}

struct slice
limit_detail(struct arena *a, enum limit_id id, int64_t value, const char *what)
{
    struct slice name = arena_printf(a, "%s %s", limit_block(id), limit_name(id));

    return limit_words(a, name.p, rows[id].unit, value, what);
}
