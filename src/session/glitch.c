#include "glitch.h"
#include "../stats/stats.h"

static const struct {
    const char *name, *complaint;
    unsigned burst, rate;
} kinds[] = {
#define X(id, name, burst, rate) [GLITCH_##id] = { name, "too many of HTTP/2's frames: " name, burst, rate },
    GLITCH_LIST(X)
#undef X
};

static stats_id counted[GLITCHES], cut[GLITCHES];

void
glitch_init(void)
{
    static const char *const labels[] = { "counter" };
    struct stats_family *all =
        stats_family("weir_http2_glitches_total", STATS_COUNTER,
                     "What HTTP/2 clients did that is allowed in moderation only.", labels, 1, NULL, 0);
    struct stats_family *ends = stats_family("weir_http2_cut_off_total", STATS_COUNTER,
                                             "HTTP/2 connections ended with ENHANCE_YOUR_CALM, by the counter that "
                                             "tripped.",
                                             labels, 1, NULL, 0);

    for (unsigned i = 0; i < GLITCHES; i++) {
        struct slice name = slice_str(kinds[i].name);

        counted[i] = stats_series(all, &name);
        cut[i] = stats_series(ends, &name);
    }
}

bool
glitch_too_many(struct glitches *g, enum glitch_kind kind, nsec_t now)
{
    nsec_t each = NSEC_PER_SEC / kinds[kind].rate;

    if (g->empty[kind] < now)
        g->empty[kind] = now;
    g->empty[kind] += each;
    return g->empty[kind] - now > each * kinds[kind].burst;
}

bool
glitch_count(struct glitches *g, enum glitch_kind kind, nsec_t now)
{
    stats_add(counted[kind], 1);
    return glitch_too_many(g, kind, now);
}

void
glitch_cut_off(enum glitch_kind kind)
{
    stats_add(cut[kind], 1);
}

const char *
glitch_name(enum glitch_kind kind)
{
    return kinds[kind].name;
}

const char *
glitch_complaint(enum glitch_kind kind)
{
    return kinds[kind].complaint;
}

unsigned
glitch_burst(enum glitch_kind kind)
{
    return kinds[kind].burst;
}

unsigned
glitch_rate(enum glitch_kind kind)
{
    return kinds[kind].rate;
}
