#include "admin_client.h"

#include "client.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EVERY_DEFAULT 2.0
#define EVERY_MIN 0.1
#define EVERY_MAX 3600.0

static bool
read_every(const char *text, double *every)
{
    char *end;
    if (!text)
        return true;
    *every = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*every) && *every >= EVERY_MIN && *every <= EVERY_MAX;
}

int
admin_words_read(const struct command *self, int argc, char **argv, unsigned allowed, struct admin_words *w)
{
    static const struct option options[] = { { "admin", required_argument, NULL, 'a' },
                                             { "json", no_argument, NULL, 'j' },
                                             { "dry", no_argument, NULL, 'd' },
                                             { "watch", optional_argument, NULL, 'w' },
                                             { 0 } };
    int o;
    *w = (struct admin_words){ .every = EVERY_DEFAULT };
    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        unsigned word = o == 'j' ? ADMIN_WORD_JSON : o == 'd' ? ADMIN_WORD_DRY : o == 'w' ? ADMIN_WORD_WATCH : 0;
        if (o == 'a')
            w->address = optarg;
        else if (o == '?' || !(word & allowed))
            return command_usage(self, o == '?' ? NULL : "this command has no such option", NULL);
        else if (o == 'w' && !read_every(optarg, &w->every))
            return command_usage(self, "from 0.1 to 3600 seconds can stand behind --watch=, not", optarg);
        w->given |= word;
    }
    return optind < argc ? command_usage(self, "unexpected argument", argv[optind]) : EXIT_GOOD;
}

static const char *
default_address(void)
{
    return access("/run/weir/admin.sock", F_OK) == 0 ? "unix:/run/weir/admin.sock" : "127.0.0.1:9901";
}

json_t *
admin_ask(const struct command *self, const struct admin_words *w, const char *method, const char *path, int *status)
{
    struct client_response r;
    struct err e = { 0 };
    *status = client_ask(&r, w->address ? w->address : default_address(), method, path, NULL, &e);
    if (*status < 0)
        fprintf(stderr, "weir %s: %s; is weir running, and is this its `admin { bind ...; }` address (see --admin)?\n",
                self->name, e.text);
    json_t *v = json_loadb(r.body.p ? r.body.p : "", r.body.n, JSON_DECODE_ANY, NULL);
    client_fini(&r);
    return v;
}

const char *
admin_text(json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s ? s : "";
}

long long
admin_number(json_t *o, const char *name)
{
    return (long long)json_integer_value(json_object_get(o, name));
}

bool
admin_true(json_t *o, const char *name)
{
    return json_is_true(json_object_get(o, name));
}
