/* `weir reload`, `weir drain`, `weir status`: talking to the running daemon. */
#include "command.h"

#include "client.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct words {
    const char *address;
    bool json;
};

static int
read_words(const struct command *self, int argc, char **argv, struct words *w)
{
    static const struct option options[] = { { "admin", required_argument, NULL, 'a' },
                                             { "json", no_argument, NULL, 'j' },
                                             { 0 } };
    int o;
    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (o == 'a')
            w->address = optarg;
        else if (o == 'j' && strcmp(self->name, "status") == 0)
            w->json = true;
        else
            return command_usage(self, NULL, NULL);
    }
    return optind < argc ? command_usage(self, "unexpected argument", argv[optind]) : EXIT_GOOD;
}

/* Where the shipped configuration puts the admin listener. */
static const char *
default_address(void)
{
    return access("/run/weir/admin.sock", F_OK) == 0 ? "unix:/run/weir/admin.sock" : "127.0.0.1:9901";
}

static json_t *
ask(const struct command *self, const char *address, const char *method, const char *path, int *status)
{
    struct client_response r;
    struct err e = { 0 };
    *status = client_ask(&r, address ? address : default_address(), method, path, NULL, &e);
    if (*status < 0)
        fprintf(stderr, "weir %s: %s; is weir running, and is this its `admin { bind ...; }` address (see --admin)?\n",
                self->name, e.text);
    json_t *v = json_loadb(r.body.p ? r.body.p : "", r.body.n, JSON_DECODE_ANY, NULL);
    client_fini(&r);
    return v;
}

static const char *
member(json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s ? s : "";
}

static int
order(const struct command *self, int argc, char **argv, const char *path, const char *good)
{
    struct words w = { 0 };
    int status, rc = read_words(self, argc, argv, &w);
    if (rc != EXIT_GOOD)
        return rc;
    json_t *v = ask(self, w.address, "POST", path, &status);
    if (status == 200)
        printf("%s%s%s\n", good, *member(v, "message") ? ": " : "", member(v, "message"));
    else if (status > 0)
        fprintf(stderr, "weir %s: %s\n", self->name, *member(v, "detail") ? member(v, "detail") : "refused");
    json_decref(v);
    return status == 200 ? EXIT_GOOD : EXIT_FAILED;
}

int
command_reload(const struct command *self, int argc, char **argv)
{
    return order(self, argc, argv, "/api/v1/reload", "reloaded");
}

int
command_drain(const struct command *self, int argc, char **argv)
{
    return order(self, argc, argv, "/api/v1/drain", "draining");
}

/* ---- status ---- */

static long long
number(json_t *o, const char *name)
{
    return (long long)json_integer_value(json_object_get(o, name));
}

static void
print_upstreams(json_t *list)
{
    size_t i, k;
    json_t *u, *e;
    json_array_foreach(list, i, u)
    {
        json_t *breaker = json_object_get(u, "breaker");
        printf("upstream %s (%s)%s%s\n", member(u, "name"), member(u, "balance"),
               json_is_object(breaker) ? ", breaker " : "", member(breaker, "state"));
        json_array_foreach(json_object_get(u, "endpoints"), k, e)
            printf("  %-28s %-8s %s  weight %lld  active %lld  requests %lld\n", member(e, "address"),
                   member(e, "state"), json_is_true(json_object_get(e, "healthy")) ? "healthy  " : "unhealthy",
                   number(e, "weight"), number(e, "active"), number(e, "requests_total"));
    }
}

static void
print_status(json_t *s, json_t *upstreams, json_t *stores)
{
    json_t *c = json_object_get(s, "connections"), *r = json_object_get(s, "reload"), *st;
    size_t i;
    printf("weir %s  pid %lld  up %lld s  generation %lld  %s%s\n", member(s, "version"), number(s, "pid"),
           number(s, "uptime_seconds"), number(s, "generation"),
           json_is_true(json_object_get(s, "ready")) ? "ready" : "not ready",
           json_is_true(json_object_get(s, "draining")) ? ", draining" : "");
    printf("workers %lld  connections %lld down, %lld up  requests %lld\n", number(s, "workers"),
           number(c, "downstream"), number(c, "upstream"), number(s, "requests_total"));
    if (*member(r, "at"))
        printf("last reload %s: %s %s\n", member(r, "at"), json_is_true(json_object_get(r, "ok")) ? "good," : "FAILED,",
               member(r, "message"));
    print_upstreams(upstreams);
    json_array_foreach(stores, i, st)
        printf("store %s %s %s\n", member(st, "name"), member(st, "url"), member(st, "state"));
}

int
command_status(const struct command *self, int argc, char **argv)
{
    struct words w = { 0 };
    int status, rc = read_words(self, argc, argv, &w);
    if (rc != EXIT_GOOD)
        return rc;
    json_t *s = ask(self, w.address, "GET", "/api/v1/status", &status);
    if (status != 200) {
        if (status > 0)
            fprintf(stderr, "weir status: %s\n", member(s, "detail"));
        json_decref(s);
        return EXIT_FAILED;
    }
    json_t *upstreams = ask(self, w.address, "GET", "/api/v1/upstreams", &status);
    json_t *stores = ask(self, w.address, "GET", "/api/v1/stores", &status);
    if (w.json) {
        json_t *all = json_pack("{s:O, s:O, s:O}", "status", s, "upstreams", upstreams, "stores", stores);
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(all);
    } else {
        print_status(s, upstreams, stores);
    }
    json_decref(s);
    json_decref(upstreams);
    json_decref(stores);
    return EXIT_GOOD;
}
