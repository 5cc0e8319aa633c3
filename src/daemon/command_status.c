/* `weir status`: the state of the running daemon on one screen, as JSON, or again and again. */
#include "admin_client.h"

#include "../base/strbuf.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SCREEN_MAX (16u << 20)

/* What is asked for, and under which name `--json` has it. */
enum part { STATUS, UPSTREAMS, STORES, GENERATIONS, PARTS };
static const char *const part_names[PARTS] = { "status", "upstreams", "stores", "generations" };

struct state {
    json_t *part[PARTS];
};

/* ---- a screen ---- */

/* Text of others: no control byte of it reaches a terminal. */
static void
add_clean(struct strbuf *out, const char *text)
{
    for (; *text; text++)
        strbuf_addc(out, (unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text);
}

static void
add_padded(struct strbuf *out, const char *text, size_t width)
{
    size_t n = strlen(text);
    add_clean(out, text);
    for (; n < width; n++)
        strbuf_addc(out, ' ');
}

/* The widest text of a member. */
static size_t
width_of(json_t *list, const char *name)
{
    size_t i, widest = 0;
    json_t *o;
    json_array_foreach(list, i, o)
    {
        size_t n = strlen(admin_text(o, name));
        widest = n > widest ? n : widest;
    }
    return widest;
}

static void
add_uptime(struct strbuf *out, long long s)
{
    if (s >= 86400)
        strbuf_addf(out, "%lldd ", s / 86400);
    strbuf_addf(out, "%02lld:%02lld:%02lld", s / 3600 % 24, s / 60 % 60, s % 60);
}

static void
add_daemon(struct strbuf *out, json_t *s)
{
    json_t *c = json_object_get(s, "connections"), *r = json_object_get(s, "reload");
    const char *message = admin_text(r, "message");
    strbuf_addf(out, "weir %s  pid %lld  up ", admin_text(s, "version"), admin_number(s, "pid"));
    add_uptime(out, admin_number(s, "uptime_seconds"));
    strbuf_addf(out, "  %s%s\n", admin_true(s, "ready") ? "ready" : "not ready",
                admin_true(s, "draining") ? ", draining" : "");
    strbuf_addf(out, "generation %lld of %s  ", admin_number(s, "generation"), admin_text(s, "loaded_at"));
    if (!*admin_text(r, "at"))
        strbuf_adds(out, "no reload yet\n");
    else if (admin_true(r, "ok"))
        strbuf_addf(out, "last reload good, %s\n", admin_text(r, "at"));
    else
        strbuf_addf(out, "last reload FAILED, %s\n  %.*s\n", admin_text(r, "at"), (int)strcspn(message, "\n"), message);
    strbuf_addf(out,
                "requests %lld, %.1f/s  connections %lld of clients (%lld active), %lld to origins  workers %lld\n",
                admin_number(s, "requests_total"), json_number_value(json_object_get(s, "requests_per_second")),
                admin_number(c, "downstream"), admin_number(s, "clients_active"), admin_number(c, "upstream"),
                admin_number(s, "workers"));
}

/* Only while there is one: what keeps it. */
static void
add_old_generations(struct strbuf *out, json_t *generations)
{
    json_t *g;
    size_t i;
    json_array_foreach(generations, i, g)
    {
        json_t *held = json_object_get(g, "held_by");
        if (i > 0)
            strbuf_addf(out, "generation %lld is still held by %lld exchanges, %lld tunnels, %lld workers\n",
                        admin_number(g, "id"), admin_number(held, "exchanges"), admin_number(held, "tunnels"),
                        admin_number(held, "workers"));
    }
}

static void
add_listeners(struct strbuf *out, json_t *listeners)
{
    size_t i, k, width = width_of(listeners, "name");
    json_t *l, *address;
    strbuf_adds(out, json_array_size(listeners) ? "\nlisteners\n" : "\nno listener\n");
    json_array_foreach(listeners, i, l)
    {
        strbuf_adds(out, "  ");
        add_padded(out, admin_text(l, "name"), width);
        json_array_foreach(json_object_get(l, "addresses"), k, address)
            strbuf_addf(out, "%s%s", k ? ", " : "  ", json_string_value(address));
        strbuf_addf(out, "%s  %lld of %lld connections\n", admin_true(l, "tls") ? " (TLS)" : "",
                    admin_number(l, "connections"), admin_number(l, "connections_limit"));
    }
}

static void
add_upstreams(struct strbuf *out, json_t *list)
{
    size_t i, k;
    json_t *u, *e;
    if (json_array_size(list))
        strbuf_adds(out, "\nupstreams\n");
    json_array_foreach(list, i, u)
    {
        json_t *breaker = json_object_get(u, "breaker"), *endpoints = json_object_get(u, "endpoints");
        size_t width = width_of(endpoints, "address");
        strbuf_addf(out, "  %s  %s", admin_text(u, "name"), admin_text(u, "balance"));
        if (json_is_object(breaker))
            strbuf_addf(out, "  breaker %s", admin_text(breaker, "state"));
        strbuf_adds(out, json_array_size(endpoints) ? "\n" : "  no endpoint\n");
        json_array_foreach(endpoints, k, e)
        {
            strbuf_adds(out, "    ");
            add_padded(out, admin_text(e, "address"), width);
            strbuf_addf(out, "  %-7s  %s  weight %lld  active %lld  requests %lld\n", admin_text(e, "state"),
                        admin_true(e, "healthy") ? "healthy  " : "UNHEALTHY", admin_number(e, "weight"),
                        admin_number(e, "active"), admin_number(e, "requests_total"));
        }
    }
}

static void
add_stores(struct strbuf *out, json_t *stores)
{
    size_t i, width = width_of(stores, "name");
    json_t *s;
    if (json_array_size(stores))
        strbuf_adds(out, "\nstores\n");
    json_array_foreach(stores, i, s)
    {
        json_t *latency = json_object_get(s, "latency_ms");
        strbuf_adds(out, "  ");
        add_padded(out, admin_text(s, "name"), width);
        strbuf_adds(out, "  ");
        add_clean(out, admin_text(s, "url"));
        strbuf_addf(out, "  %s", admin_text(s, "state"));
        if (json_is_number(latency))
            strbuf_addf(out, "  %.1f ms", json_number_value(latency));
        strbuf_addc(out, '\n');
    }
}

static void
add_screen(struct strbuf *out, const struct state *s)
{
    add_daemon(out, s->part[STATUS]);
    add_old_generations(out, s->part[GENERATIONS]);
    add_listeners(out, json_object_get(s->part[STATUS], "listeners"));
    add_upstreams(out, s->part[UPSTREAMS]);
    add_stores(out, s->part[STORES]);
}

/* ---- asking ---- */

static void
state_fini(struct state *s)
{
    for (int i = 0; i < PARTS; i++)
        json_decref(s->part[i]);
}

/* -1: why is on stderr. */
static int
state_ask(const struct command *self, const struct admin_words *w, struct state *s)
{
    int status = 200;
    *s = (struct state){ 0 };
    for (int i = 0; i < PARTS && status == 200; i++) {
        char path[64];
        snprintf(path, sizeof path, "/api/v1/%s", part_names[i]);
        s->part[i] = admin_ask(self, w, "GET", path, &status);
        if (status > 0 && status != 200)
            fprintf(stderr, "weir status: %s\n", admin_text(s->part[i], "detail"));
    }
    return status == 200 ? 0 : -1;
}

static void
add_json(struct strbuf *out, const struct state *s, size_t flags)
{
    json_t *all = json_object();
    for (int i = 0; i < PARTS; i++)
        json_object_set(all, part_names[i], s->part[i]);
    char *text = json_dumps(all, flags | JSON_REAL_PRECISION(9));
    strbuf_adds(out, text ? text : "");
    strbuf_addc(out, '\n');
    free(text);
    json_decref(all);
}

/* ---- showing ---- */

static volatile sig_atomic_t interrupted;

static void
on_interrupt(int signo)
{
    (void)signo;
    interrupted = 1;
}

/* From the first place on, each line to its end, as many as there is room for: nothing flickers or scrolls. */
static void
draw(const struct strbuf *screen)
{
    struct winsize size;
    unsigned rows = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1 ? size.ws_row - 1u : 24;
    const char *p = screen->p, *end;
    fputs("\033[H", stdout);
    for (; *p && rows > 0; p = end + 1, rows--) {
        end = strchr(p, '\n');
        if (!end)
            break;
        printf("%.*s\033[K\n", (int)(end - p), p);
    }
    fputs("\033[J", stdout);
}

static int
show(const struct admin_words *w, const struct state *s, bool again)
{
    struct strbuf out;
    bool live = w->given & ADMIN_WORD_WATCH && isatty(STDOUT_FILENO);
    strbuf_init(&out, SCREEN_MAX);
    if (w->given & ADMIN_WORD_JSON)
        add_json(&out, s, w->given & ADMIN_WORD_WATCH ? JSON_COMPACT : JSON_INDENT(2));
    else
        add_screen(&out, s);
    if (live && !(w->given & ADMIN_WORD_JSON)) {
        if (!again)
            fputs("\033[2J", stdout);
        draw(&out);
    } else {
        if (again && !(w->given & ADMIN_WORD_JSON))
            putchar('\n');
        fputs(out.p, stdout);
    }
    strbuf_fini(&out);
    return fflush(stdout) == 0 ? 0 : -1;
}

/* Until Ctrl-C, which is a good end, or until the daemon or the reader is gone. */
static int
watch(const struct command *self, const struct admin_words *w)
{
    struct sigaction on = { .sa_handler = on_interrupt };
    struct state s;
    int rc = 0;
    sigaction(SIGINT, &on, NULL);
    sigaction(SIGTERM, &on, NULL);
    for (bool again = false; !interrupted && rc == 0; again = true) {
        rc = state_ask(self, w, &s);
        if (rc == 0)
            rc = show(w, &s, again);
        state_fini(&s);
        if (rc == 0 && !interrupted)
            poll(NULL, 0, (int)(w->every * 1000));
    }
    return rc == 0 || interrupted ? EXIT_GOOD : EXIT_FAILED;
}

int
command_status(const struct command *self, int argc, char **argv)
{
    struct admin_words w;
    struct state s;
    int rc = admin_words_read(self, argc, argv, ADMIN_WORD_JSON | ADMIN_WORD_WATCH, &w);
    if (rc != EXIT_GOOD)
        return rc;
    if (w.given & ADMIN_WORD_WATCH)
        return watch(self, &w);
    rc = state_ask(self, &w, &s);
    if (rc == 0)
        rc = show(&w, &s, false);
    state_fini(&s);
    return rc == 0 ? EXIT_GOOD : EXIT_FAILED;
}
