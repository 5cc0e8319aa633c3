/* `weir status`: the state of the running daemon. */
#include "admin_client.h"

#include <stdio.h>

static void
print_upstreams(json_t *list)
{
    size_t i, k;
    json_t *u, *e;
    json_array_foreach(list, i, u)
    {
        json_t *breaker = json_object_get(u, "breaker");
        printf("upstream %s (%s)%s%s\n", admin_text(u, "name"), admin_text(u, "balance"),
               json_is_object(breaker) ? ", breaker " : "", admin_text(breaker, "state"));
        json_array_foreach(json_object_get(u, "endpoints"), k, e)
            printf("  %-28s %-8s %s  weight %lld  active %lld  requests %lld\n", admin_text(e, "address"),
                   admin_text(e, "state"), admin_true(e, "healthy") ? "healthy  " : "unhealthy",
                   admin_number(e, "weight"), admin_number(e, "active"), admin_number(e, "requests_total"));
    }
}

static void
print_status(json_t *s, json_t *upstreams, json_t *stores)
{
    json_t *c = json_object_get(s, "connections"), *r = json_object_get(s, "reload"), *st;
    size_t i;
    printf("weir %s  pid %lld  up %lld s  generation %lld  %s%s\n", admin_text(s, "version"), admin_number(s, "pid"),
           admin_number(s, "uptime_seconds"), admin_number(s, "generation"),
           admin_true(s, "ready") ? "ready" : "not ready", admin_true(s, "draining") ? ", draining" : "");
    printf("workers %lld  connections %lld down, %lld up  requests %lld\n", admin_number(s, "workers"),
           admin_number(c, "downstream"), admin_number(c, "upstream"), admin_number(s, "requests_total"));
    if (*admin_text(r, "at"))
        printf("last reload %s: %s %s\n", admin_text(r, "at"), admin_true(r, "ok") ? "good," : "FAILED,",
               admin_text(r, "message"));
    print_upstreams(upstreams);
    json_array_foreach(stores, i, st)
        printf("store %s %s %s\n", admin_text(st, "name"), admin_text(st, "url"), admin_text(st, "state"));
}

int
command_status(const struct command *self, int argc, char **argv)
{
    struct admin_words w;
    int status, rc = admin_words_read(self, argc, argv, ADMIN_WORD_JSON, &w);
    if (rc != EXIT_GOOD)
        return rc;
    json_t *s = admin_ask(self, &w, "GET", "/api/v1/status", &status);
    if (status != 200) {
        if (status > 0)
            fprintf(stderr, "weir status: %s\n", admin_text(s, "detail"));
        json_decref(s);
        return EXIT_FAILED;
    }
    json_t *upstreams = admin_ask(self, &w, "GET", "/api/v1/upstreams", &status);
    json_t *stores = admin_ask(self, &w, "GET", "/api/v1/stores", &status);
    if (w.given & ADMIN_WORD_JSON) {
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
