/* The Prometheus text format 0.0.4. */
#include "../base/utf8.h"
#include "stats_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const type_names[] = {
    [STATS_COUNTER] = "counter",
    [STATS_GAUGE] = "gauge",
    [STATS_HISTOGRAM] = "histogram",
};

/* In a help line only backslash and newline are special; in a label value the quote is too, and what is no text is
 * shown as the replacement character, because scrapers refuse the whole page for one bad byte. */
static void
add_escaped(struct strbuf *out, struct slice s, bool quoted)
{
    while (s.n) {
        unsigned char c = (unsigned char)*s.p;
        unsigned len = c >= 0x20 && c < 0x7f ? 1 : utf8_printable(s.p, s.n);

        if (c == '\n')
            strbuf_add(out, "\\n", 2);
        else if (c == '\\' || (quoted && c == '"'))
            strbuf_add(out, (char[]){ '\\', (char)c }, 2);
        else if (len)
            strbuf_add(out, s.p, len);
        else
            strbuf_add(out, "\xef\xbf\xbd", 3);
        s = slice_from(s, len ? len : 1);
    }
}

/* The shortest form that reads back as the same number, nearly always. */
static void
add_double(struct strbuf *out, double v)
{
    char text[40];

    if (isnan(v)) {
        strbuf_adds(out, "NaN");
    } else if (isinf(v)) {
        strbuf_adds(out, v > 0 ? "+Inf" : "-Inf");
    } else {
        snprintf(text, sizeof(text), "%.15g", v);
        if (strtod(text, NULL) != v)
            snprintf(text, sizeof(text), "%.17g", v);
        strbuf_adds(out, text);
    }
}

void
stats_expose_head(struct strbuf *out, const char *name, const char *type, const char *help)
{
    strbuf_addf(out, "# HELP %s ", name);
    add_escaped(out, slice_str(help), false);
    strbuf_addf(out, "\n# TYPE %s %s\n", name, type);
}

static void
add_label(struct strbuf *out, const char *name, struct slice value, char before)
{
    strbuf_addc(out, before);
    strbuf_adds(out, name);
    strbuf_add(out, "=\"", 2);
    add_escaped(out, value, true);
    strbuf_addc(out, '"');
}

/* name{labels} and a blank; `le` NULL: no such label. */
static void
add_subject(struct strbuf *out, const char *name, const char *suffix, const char *const *label_names,
            const struct slice *values, unsigned n, const char *le)
{
    unsigned i;

    strbuf_adds(out, name);
    strbuf_adds(out, suffix);
    for (i = 0; i < n; i++)
        add_label(out, label_names[i], values[i], i ? ',' : '{');
    if (le)
        add_label(out, "le", slice_str(le), n ? ',' : '{');
    if (n || le)
        strbuf_addc(out, '}');
    strbuf_addc(out, ' ');
}

void
stats_expose_value(struct strbuf *out, const char *name, const char *const *label_names, const struct slice *values,
                   unsigned n, double v)
{
    add_subject(out, name, "", label_names, values, n, NULL);
    add_double(out, v);
    strbuf_addc(out, '\n');
}

static void
series_subject(struct strbuf *out, const struct series *s, const char *suffix, const char *le)
{
    const struct stats_family *f = s->family;

    add_subject(out, f->name, suffix, (const char *const *)f->label_names, s->values, f->n_labels, le);
}

static void
expose_histogram(struct strbuf *out, const struct series *s)
{
    const struct stats_family *f = s->family;
    uint64_t total = 0;
    unsigned i;

    for (i = 0; i <= f->n_buckets; i++) {
        char le[40] = "+Inf";

        if (i < f->n_buckets)
            snprintf(le, sizeof(le), "%.15g", f->buckets[i]);
        total += series_slot(s, i);
        series_subject(out, s, "_bucket", le);
        strbuf_addu(out, total);
        strbuf_addc(out, '\n');
    }
    series_subject(out, s, "_sum", NULL);
    add_double(out, series_sum(s));
    strbuf_addc(out, '\n');
    /* From the same reading as the buckets, so that they always agree. */
    series_subject(out, s, "_count", NULL);
    strbuf_addu(out, total);
    strbuf_addc(out, '\n');
}

static void
expose_series(struct strbuf *out, const struct series *s)
{
    if (s->family->kind == STATS_HISTOGRAM) {
        expose_histogram(out, s);
        return;
    }
    series_subject(out, s, "", NULL);
    if (s->family->kind == STATS_COUNTER)
        strbuf_addu(out, series_slot(s, 0));
    else
        add_double(out, series_gauge(s));
    strbuf_addc(out, '\n');
}

static void
expose_family(struct strbuf *out, struct stats_family *f)
{
    struct series *s, *next;

    if (!f->series)
        return;
    stats_expose_head(out, f->name, type_names[f->kind], f->help);
    HASH_ITER(hh, f->series, s, next)
        expose_series(out, s);
}

void
stats_expose(struct strbuf *out)
{
    struct stats_collector_ref *collectors;
    struct stats_family *f;
    unsigned i, n;

    stats_lock();
    STAILQ_FOREACH(f, stats_families(), next)
        expose_family(out, f);
    stats_unlock();
    /* Without the lock: a collector may look at series itself. */
    collectors = stats_collectors_copy(&n);
    for (i = 0; i < n; i++)
        collectors[i].fn(out, collectors[i].arg);
    free(collectors);
}
