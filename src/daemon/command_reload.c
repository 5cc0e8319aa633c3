/* `weir reload` and `weir drain`: orders to the running daemon. `weir reload --dry` shows what the order would do. */
#include "admin_client.h"

#include <stdio.h>
#include <string.h>

static int
refused(const struct command *self, json_t *v, int status)
{
    const char *detail = admin_text(v, "detail");
    if (status > 0)
        fprintf(stderr, "weir %s: %s\n", self->name, *detail ? detail : "refused");
    return EXIT_FAILED;
}

static int
order(const struct command *self, const struct admin_words *w, const char *path, const char *good)
{
    int status, rc = EXIT_GOOD;
    json_t *v = admin_ask(self, w, "POST", path, &status);
    const char *message = admin_text(v, "message");
    if (status == 200)
        printf("%s%s%s\n", good, *message ? ": " : "", message);
    else
        rc = refused(self, v, status);
    json_decref(v);
    return rc;
}

int
command_drain(const struct command *self, int argc, char **argv)
{
    struct admin_words w;
    int rc = admin_words_read(self, argc, argv, 0, &w);
    return rc == EXIT_GOOD ? order(self, &w, "/api/v1/drain", "draining") : rc;
}

/* ---- reload --dry ---- */

static void
print_place(json_t *change)
{
    const char *was = admin_text(change, "was_at"), *now = admin_text(change, "now_at");
    if (*was && *now && strcmp(was, now) != 0)
        printf("  (%s -> %s)\n", was, now);
    else
        printf("  (%s)\n", *now ? now : was);
}

static void
print_change(json_t *c)
{
    const char *change = admin_text(c, "change"), *was = admin_text(c, "was"), *now = admin_text(c, "now");
    const char *sign = strcmp(change, "added") == 0 ? "+" : strcmp(change, "removed") == 0 ? "-" : "~";
    printf("  %s %s", sign, admin_text(c, "path"));
    if (strcmp(change, "moved") == 0)
        printf(": another place in the order");
    if (strcmp(admin_text(c, "kind"), "file") == 0) {
        printf("\n      another content\n");
        return;
    }
    print_place(c);
    if (admin_true(c, "secret"))
        printf("      another secret: %s\n", now);
    else if (strcmp(change, "changed") == 0)
        printf("      %s -> %s\n", was, now);
    else if (strcmp(change, "moved") != 0)
        printf("      %s\n", *now ? now : was);
}

/* The kinds in the order in which they are of interest; all others follow. */
static const char *const kinds[][2] = { { "route", "routes" },    { "upstream", "upstreams" },
                                        { "policy", "policies" }, { "listener", "listeners" },
                                        { "store", "stores" },    { "file", "files" },
                                        { NULL, "settings" } };
#define KINDS (sizeof kinds / sizeof *kinds)

static size_t
kind_index(json_t *change)
{
    size_t i = 0;
    while (kinds[i][0] && strcmp(kinds[i][0], admin_text(change, "kind")) != 0)
        i++;
    return i;
}

static void
print_changes(json_t *changes)
{
    json_t *c;
    size_t i;
    for (size_t k = 0; k < KINDS; k++) {
        bool any = false;
        json_array_foreach(changes, i, c)
        {
            if (kind_index(c) != k)
                continue;
            if (!any)
                printf("%s\n", kinds[k][1]);
            any = true;
            print_change(c);
        }
    }
}

/* State of one kind is told in one line; of many things of a kind only the first ones are named. */
#define NAMED_MAX 4

static void
print_fate(json_t *list, const char *word)
{
    json_t *s;
    size_t i, n = json_array_size(list);
    for (size_t from = 0; from < n;) {
        const char *kind = admin_text(json_array_get(list, from), "kind");
        size_t to = from;
        while (to < n && strcmp(admin_text(json_array_get(list, to), "kind"), kind) == 0)
            to++;
        printf("  %s: %s", word, kind);
        for (i = from; i < to && i < from + NAMED_MAX; i++) {
            s = json_array_get(list, i);
            const char *name = admin_text(s, "name");
            printf("%s %s%s%s", i > from ? "," : "", admin_text(s, "of"), *name ? " " : "", name);
        }
        if (to - from > NAMED_MAX)
            printf(", and %zu more", to - from - NAMED_MAX);
        putchar('\n');
        from = to;
    }
}

static void
print_plan(json_t *plan)
{
    json_t *changes = json_object_get(plan, "changes"), *state = json_object_get(plan, "state"), *note;
    size_t i;
    fputs(admin_text(plan, "warnings"), stderr);
    if (json_array_size(changes) == 0)
        printf("no difference to generation %lld\n", admin_number(plan, "generation"));
    else
        printf("compared with generation %lld: %lld added, %lld removed, %lld changed, %lld moved\n",
               admin_number(plan, "generation"), admin_number(plan, "added"), admin_number(plan, "removed"),
               admin_number(plan, "changed"), admin_number(plan, "moved"));
    print_changes(changes);
    printf("run-time state\n");
    print_fate(json_object_get(state, "kept"), "kept");
    print_fate(json_object_get(state, "lost"), "lost");
    json_array_foreach(json_object_get(plan, "notes"), i, note)
        printf("note: %s\n", json_string_value(note));
}

static int
dry(const struct command *self, const struct admin_words *w)
{
    int status, rc = EXIT_GOOD;
    json_t *plan = admin_ask(self, w, "POST", "/api/v1/reload?dry=on", &status);
    if (status != 200) {
        rc = refused(self, plan, status);
    } else if (w->given & ADMIN_WORD_JSON) {
        json_dumpf(plan, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        print_plan(plan);
    }
    json_decref(plan);
    return fflush(stdout) == 0 ? rc : EXIT_FAILED;
}

int
command_reload(const struct command *self, int argc, char **argv)
{
    struct admin_words w;
    int rc = admin_words_read(self, argc, argv, ADMIN_WORD_DRY | ADMIN_WORD_JSON, &w);
    if (rc != EXIT_GOOD)
        return rc;
    if (w.given & ADMIN_WORD_JSON && !(w.given & ADMIN_WORD_DRY))
        return command_usage(self, "--json goes with --dry", NULL);
    return w.given & ADMIN_WORD_DRY ? dry(self, &w) : order(self, &w, "/api/v1/reload", "reloaded");
}
