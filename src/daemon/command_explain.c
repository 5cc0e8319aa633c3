/* `weir explain`: every decision for a request, with reasons and places, and no traffic. */
#include "command.h"

#include "../net/client_cert.h"
#include "../proxy/explain.h"
#include "offline.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>

static json_t *
text_or_null(struct slice s)
{
    return s.p && s.n ? json_stringn_nocheck(s.p, s.n) : json_null();
}

static json_t *
string_or_null(const char *s)
{
    return s ? json_string(s) : json_null();
}

static const char *
outcome_name(enum explain_outcome o)
{
    return o == EXPLAIN_PROXY ? "proxy" : o == EXPLAIN_REDIRECT ? "redirect" : "reply";
}

static const struct fields *
shown_fields(const struct explanation *x)
{
    return x->outcome == EXPLAIN_PROXY ? &x->req.fields : &x->res.fields;
}

/* Repeated fields are joined as a recipient may do (RFC 9110 5.3). */
static json_t *
headers_json(const struct fields *f)
{
    json_t *o = json_object();
    for (unsigned i = 0; i < f->n; i++) {
        char name[256];
        snprintf(name, sizeof name, "%.*s", SLICE_FMT(f->v[i].name));
        const char *have = json_string_value(json_object_get(o, name));
        json_object_set_new(o, name,
                            have ? json_sprintf("%s, %.*s", have, SLICE_FMT(f->v[i].value))
                                 : json_stringn_nocheck(f->v[i].value.p ? f->v[i].value.p : "", f->v[i].value.n));
    }
    return o;
}

static json_t *
steps_json(const struct decision_log *log)
{
    json_t *a = json_array();
    for (unsigned i = 0; i < log->n; i++) {
        const struct decision *d = &log->rows[i];
        json_array_append_new(a, json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:o}", "step", d->step, "subject",
                                           text_or_null(d->subject), "verdict", verdict_name(d->verdict), "reason",
                                           string_or_null(d->reason), "detail", text_or_null(d->detail), "mode",
                                           string_or_null(d->mode), "at", string_or_null(d->at)));
    }
    return a;
}

static json_t *
variants_json(const struct explanation *x)
{
    if (!x->px.variants)
        return json_null();
    json_t *a = json_array();
    for (const struct explain_variant *v = x->px.variants; v; v = v->next)
        json_array_append_new(a, json_pack("{s:o, s:f}", "upstream", text_or_null(v->upstream), "share", v->share));
    return a;
}

static int
print_json(const struct explanation *x)
{
    json_t *o =
        json_pack("{s:{s:o, s:o, s:o}, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "request", "method",
                  text_or_null(x->req.method_text), "host", text_or_null(x->req.host), "path",
                  text_or_null(x->req.path), "route", text_or_null(x->px.route_name), "outcome",
                  outcome_name(x->outcome), "status", x->status ? json_integer(x->status) : json_null(), "reason",
                  string_or_null(x->reason ? x->reason->code : NULL), "upstream", text_or_null(x->upstream), "variants",
                  variants_json(x), "steps", steps_json(&x->px.log), "headers", headers_json(shown_fields(x)));
    int rc = o ? json_dumpf(o, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : -1;
    putchar('\n');
    json_decref(o);
    return rc == 0 ? EXIT_GOOD : EXIT_FAILED;
}

static void
print_outcome(const struct explanation *x)
{
    printf("\noutcome: %s", outcome_name(x->outcome));
    if (x->upstream.n)
        printf(" to %.*s", SLICE_FMT(x->upstream));
    if (x->status)
        printf(" %d", x->status);
    if (x->reason)
        printf(" %s", x->reason->code);
    putchar('\n');
    for (const struct explain_variant *v = x->px.variants; v; v = v->next)
        printf("  %6.2f%% %.*s\n", v->share, SLICE_FMT(v->upstream));
    printf("\n%s\n", x->outcome == EXPLAIN_PROXY ? "sent to the origin:" : "sent to the client:");
    const struct fields *f = shown_fields(x);
    for (unsigned i = 0; i < f->n; i++)
        printf("  %.*s: %.*s\n", SLICE_FMT(f->v[i].name), SLICE_FMT(f->v[i].value));
}

static int
print_text(const struct explanation *x)
{
    printf("%.*s %.*s%.*s\n\n", SLICE_FMT(x->req.method_text), SLICE_FMT(x->req.host), SLICE_FMT(x->req.path));
    for (unsigned i = 0; i < x->px.log.n; i++) {
        const struct decision *d = &x->px.log.rows[i];
        printf("  %-9s %-24.*s %-7s", d->step, SLICE_FMT(d->subject), verdict_name(d->verdict));
        if (d->reason)
            printf(" %s", d->reason);
        if (d->detail.n)
            printf(" (%.*s)", SLICE_FMT(d->detail));
        if (d->mode && strcmp(d->mode, "enforce") != 0)
            printf(" [%s]", d->mode);
        if (d->at)
            printf("  %s", d->at);
        putchar('\n');
    }
    print_outcome(x);
    return EXIT_GOOD;
}

/* 'NAME: VALUE' as curl takes it. */
static int
add_header(struct fields *f, const char *text)
{
    const char *colon = strchr(text, ':');
    if (!colon)
        return -1;
    fields_add(f, slice_of(text, (size_t)(colon - text)), slice_trim(slice_str(colon + 1)));
    return 0;
}

struct words {               /* of the command line */
    const char *path, *cert; /* cert NULL: none */
    bool json;
    struct explain_request request;
};

static int
read_words(const struct command *self, int argc, char **argv, struct words *w)
{
    static const struct option options[] = { { "config", required_argument, NULL, 'c' },
                                             { "header", required_argument, NULL, 'H' },
                                             { "json", no_argument, NULL, 'j' },
                                             { "client-cert", required_argument, NULL, 'C' },
                                             { 0 } };
    int o;
    while ((o = getopt_long(argc, argv, "c:H:", options, NULL)) != -1) {
        if (o == 'c')
            w->path = optarg;
        else if (o == 'j')
            w->json = true;
        else if (o == 'C')
            w->cert = optarg;
        else if (o != 'H')
            return command_usage(self, NULL, NULL);
        else if (add_header(&w->request.fields, optarg) != 0)
            return command_usage(self, "a header is written as 'NAME: VALUE', not", optarg);
    }
    if (argc - optind != 2)
        return command_usage(self, "METHOD and URL are needed", NULL);
    w->request.method = slice_str(argv[optind]);
    w->request.url = slice_str(argv[optind + 1]);
    return EXIT_GOOD;
}

static int
show(struct generation *g, const struct words *w)
{
    struct explanation x;
    struct err e;
    int rc = explain(g, &w->request, &x, &e);

    if (rc == 0)
        rc = w->json ? print_json(&x) : print_text(&x);
    else
        fprintf(stderr, "weir explain: %s\n", e.text);
    explanation_fini(&x);
    return rc == 0 ? EXIT_GOOD : EXIT_FAILED;
}

static int
load_and_show(struct words *w)
{
    struct generation *g;
    struct err e;
    int rc = EXIT_FAILED;

    if (w->cert && !(w->request.cert = client_cert_load(w->cert, &e))) {
        fprintf(stderr, "weir explain: %s\n", e.text);
        return rc;
    }
    g = offline_load(w->path);
    if (g) {
        rc = show(g, w);
        offline_free(g);
    }
    client_cert_put(w->request.cert);
    return rc;
}

int
command_explain(const struct command *self, int argc, char **argv)
{
    struct words w = { .path = DEFAULT_CONFIG };
    struct arena arena;

    arena_init(&arena);
    fields_init(&w.request.fields, &arena);
    int rc = read_words(self, argc, argv, &w);
    if (rc == EXIT_GOOD)
        rc = load_and_show(&w);
    arena_fini(&arena);
    return rc;
}
