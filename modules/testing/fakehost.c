#include "fakehost_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fakehost fake;
struct weir_host fake_table;
const struct weir_module *fake_module;
static struct weir_policy *policies;

/* --- words --- */

struct weir_str
fake_str(const char *s)
{
    return (struct weir_str){ s, s ? strlen(s) : 0 };
}

void
fake_set_text(char *out, size_t room, struct weir_str s)
{
    snprintf(out, room, "%.*s", (int)s.n, s.p ? s.p : "");
}

bool
fake_has_word(const char *words, struct weir_str word)
{
    char padded[512], wanted[200];
    snprintf(padded, sizeof(padded), " %s ", words);
    snprintf(wanted, sizeof(wanted), " %.*s ", (int)word.n, word.p);
    return strstr(padded, wanted) != NULL;
}

void
fake_append(char *out, size_t room, const char *fmt, va_list ap)
{
    size_t n = strlen(out);
    vsnprintf(out + n, room - n, fmt, ap);
    n = strlen(out);
    snprintf(out + n, room - n, "\n");
}

/* --- a world and its policies --- */

static void
fill_table(void)
{
    fake_table.size = sizeof(fake_table);
    fake_table.abi_major = WEIR_ABI_MAJOR;
    fake_table.abi_minor = WEIR_ABI_MINOR;
    fake_fill_conf(&fake_table);
    fake_fill_exchange(&fake_table);
    fake_fill_body(&fake_table);
    fake_fill_state(&fake_table);
    fake_fill_world(&fake_table);
}

void
fake_begin(const struct weir_module *m)
{
    const char *error = NULL;
    memset(&fake, 0, sizeof(fake));
    fake_world_reset();
    fake.now = 1000 * FAKE_SECOND;
    fake.wall = INT64_C(1700000000) * FAKE_SECOND;
    snprintf(fake.scope, sizeof(fake.scope), "api.example.com/orders/");
    fake_module = m;
    fill_table();
    if (m->load && m->load(&fake_table, &error) != 0) {
        fprintf(stderr, "fakehost: load: %s\n", error);
        abort();
    }
}

void
fake_end(void)
{
    fake_run_posts();
    while (policies)
        fake_release(policies->config);
    fake_run_posts();
    fake_world_end();
    fake_state_end();
}

static void
policy_free(struct weir_policy *p)
{
    for (unsigned i = 0; i < p->n_memory; i++)
        free(p->memory[i]);
    fakeconf_free(p->conf);
    free(p);
}

void *
fake_configure(const char *text)
{
    struct weir_policy *p = calloc(1, sizeof(*p));
    fake.errors[0] = fake.warnings[0] = '\0';
    p->conf = fakeconf_parse(fake_module->directives, text);
    if (fake_module->configure(p, p->conf, &p->config) != 0) {
        policy_free(p);
        return NULL;
    }
    p->next = policies;
    policies = p;
    return p->config;
}

void *
fake_config(void)
{
    return policies ? policies->config : NULL;
}

void
fake_release(void *config)
{
    struct weir_policy **place = &policies;
    while ((*place)->config != config) /* it is there: nobody else makes policies */
        place = &(*place)->next;
    struct weir_policy *p = *place;
    *place = p->next;
    if (fake_module->release)
        fake_module->release(p->config);
    policy_free(p);
}

static struct {
    struct weir_text text; /* first: found again by add */
    char buf[4096];
    size_t n;
} view;

static void
view_add(struct weir_text *t, const char *p, size_t n)
{
    if (view.n + n >= sizeof(view.buf))
        abort();
    memcpy(view.buf + view.n, p, n);
    view.n += n;
    view.buf[view.n] = '\0';
}

const char *
fake_view(void *config)
{
    view.text.add = view_add;
    view.n = 0;
    fake_module->view(config, &view.text);
    return view.buf;
}
