#include "fakehost.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct weir_policy {
    struct weir_conf *conf;
    void *config;
    void *memory[1024];
    unsigned n_memory;
    struct weir_policy *next;
};

struct weir_template {
    char text[256];
};

struct weir_state {
    char key[256];
    void *data;
    unsigned refs;
    void (*fini)(void *);
    struct weir_state *next;
};

struct weir_timer {
    int64_t at;
    void (*fn)(void *);
    void *arg;
    unsigned worker;
    struct weir_timer *next;
};

struct weir_metric {
    char name[256];
    double value;
};

struct weir_call {
    unsigned index;
};

struct post {
    unsigned worker;
    void (*fn)(void *);
    void *arg;
};

struct fakehost fake;
static const struct weir_module *module;
static struct weir_policy *policies;
static struct weir_state *states;
static struct weir_timer *timers;
static struct weir_metric metrics[FAKE_MAX];
static unsigned n_metrics;
static struct post posts[FAKE_MAX];
static unsigned n_posts;
static struct weir_call calls[FAKE_MAX];

static struct weir_str
str(const char *s)
{
    return (struct weir_str){s, s ? strlen(s) : 0};
}

static void
set_text(char *out, size_t room, struct weir_str s)
{
    snprintf(out, room, "%.*s", (int)s.n, s.p ? s.p : "");
}

static bool
has_word(const char *words, struct weir_str word)
{
    char padded[512], wanted[200];
    snprintf(padded, sizeof(padded), " %s ", words);
    snprintf(wanted, sizeof(wanted), " %.*s ", (int)word.n, word.p);
    return strstr(padded, wanted) != NULL;
}

/* --- configuration --- */

static const struct weir_conf *
h_conf_find(const struct weir_conf *block, const char *name)
{
    return fakeconf_find(block, name);
}

static unsigned
h_conf_args(const struct weir_conf *line)
{
    return line->n_words;
}

static struct weir_str
h_conf_arg(const struct weir_conf *line, unsigned i)
{
    return i < line->n_words ? str(line->words[i]) : (struct weir_str){"", 0};
}

static int64_t
h_conf_int(const struct weir_conf *line, unsigned i)
{
    return fakeconf_number(line->row->args[i].type, line->words[i]);
}

static double
h_conf_percent(const struct weir_conf *line, unsigned i)
{
    return strtod(line->words[i], NULL);
}

static void
h_conf_rate(const struct weir_conf *line, unsigned i, uint64_t *count, int64_t *per_ns)
{
    char *slash;
    *count = strtoull(line->words[i], &slash, 10);
    *per_ns = (slash[1] == 's' ? 1 : slash[1] == 'm' ? 60 : 3600) * FAKE_SECOND;
}

static struct weir_str
h_conf_get_str(const struct weir_conf *block, const char *name)
{
    const struct weir_conf *line = fakeconf_find(block, name);
    const struct weir_directive *row = fakeconf_row(block->rows, block->row->block, name);
    return line ? h_conf_arg(line, 0) : str(row ? row->def : NULL);
}

static int64_t
h_conf_get_int(const struct weir_conf *block, const char *name)
{
    const struct weir_directive *row = fakeconf_row(block->rows, block->row->block, name);
    struct weir_str s = h_conf_get_str(block, name);
    return s.p ? fakeconf_number(row->args[0].type, s.p) : 0;
}

static struct weir_str
h_conf_opt(const struct weir_conf *line, const char *key)
{
    return str(fakeconf_opt(line, key));
}

static int64_t
h_conf_opt_int(const struct weir_conf *line, const char *key, int64_t otherwise)
{
    const char *text = fakeconf_opt(line, key);
    return text ? fakeconf_number(fakeconf_opt_row(line, key)->type, text) : otherwise;
}

static const char *
h_conf_at(const struct weir_conf *line)
{
    return "gateway.conf:1";
}

static void
append(char *out, size_t room, const char *fmt, va_list ap)
{
    size_t n = strlen(out);
    vsnprintf(out + n, room - n, fmt, ap);
    n = strlen(out);
    snprintf(out + n, room - n, "\n");
}

static void
h_conf_error(const struct weir_conf *line, int arg, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    append(fake.errors, sizeof(fake.errors), fmt, ap);
    va_end(ap);
}

static void
h_conf_warning(const struct weir_conf *line, int arg, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    append(fake.warnings, sizeof(fake.warnings), fmt, ap);
    va_end(ap);
}

static void *
h_alloc(struct weir_policy *p, size_t size)
{
    return p->memory[p->n_memory++] = calloc(1, size ? size : 1);
}

static const struct weir_template *
h_template_compile(struct weir_policy *p, const char *text, const struct weir_conf *at)
{
    struct weir_template *t = h_alloc(p, sizeof(*t));
    snprintf(t->text, sizeof(t->text), "%s", text);
    return t;
}

static const struct weir_template *
h_conf_template(struct weir_policy *p, const struct weir_conf *line, unsigned i)
{
    return h_template_compile(p, line->words[i], line);
}

static const struct weir_str *
h_conf_file(struct weir_policy *p, const struct weir_conf *line, struct weir_str path)
{
    if (fake.file_name && strlen(fake.file_name) == path.n && memcmp(fake.file_name, path.p, path.n) == 0)
        return &fake.file;
    h_conf_error(line, 0, "no such file: %.*s", (int)path.n, path.p);
    return NULL;
}

static struct weir_str
h_policy_scope(const struct weir_policy *p)
{
    return str(fake.scope);
}

static const char *
h_policy_at(const struct weir_policy *p)
{
    return "gateway.conf:1";
}

static bool
h_upstream_exists(struct weir_policy *p, struct weir_str name)
{
    return !fake.upstreams[0] || has_word(fake.upstreams, name);
}

static bool
h_store_exists(struct weir_policy *p, struct weir_str name)
{
    return !fake.stores[0] || has_word(fake.stores, name);
}

static void
h_policy_default_target(struct weir_policy *p, struct weir_str upstream)
{
    set_text(fake.default_target, sizeof(fake.default_target), upstream);
}

/* --- state --- */

static struct weir_state *
h_state_get(const char *key, size_t size, void (*init)(void *), void (*fini)(void *))
{
    struct weir_state *s;
    for (s = states; s; s = s->next) {
        if (strcmp(s->key, key) == 0) {
            s->refs++;
            return s;
        }
    }
    s = calloc(1, sizeof(*s));
    snprintf(s->key, sizeof(s->key), "%s", key);
    s->data = calloc(1, size);
    s->refs = 1;
    s->fini = fini;
    s->next = states;
    states = s;
    if (init)
        init(s->data);
    return s;
}

static void *
h_state_data(struct weir_state *s)
{
    return s->data;
}

static void
h_state_hold(struct weir_state *s)
{
    s->refs++;
}

/* Kept after the last reference, as the gateway does for a minute. */
static void
h_state_put(struct weir_state *s)
{
    if (s->refs == 0) {
        fprintf(stderr, "fakehost: state %s put once too often\n", s->key);
        abort();
    }
    s->refs--;
}

/* --- the exchange --- */

static void
headers_add(struct fake_headers *h, const char *name, struct weir_str value)
{
    if (h->n == FAKE_MAX)
        abort();
    h->row[h->n].name = strdup(name);
    h->row[h->n++].value = strndup(value.p, value.n);
}

static void
headers_remove(struct fake_headers *h, const char *name)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < h->n; i++) {
        if (strcasecmp(h->row[i].name, name) != 0) {
            h->row[kept++] = h->row[i];
            continue;
        }
        free(h->row[i].name);
        free(h->row[i].value);
    }
    h->n = kept;
}

static struct weir_str
headers_get(const struct fake_headers *h, const char *name, unsigned nth)
{
    for (unsigned i = 0; i < h->n; i++) {
        if (strcasecmp(h->row[i].name, name) == 0 && nth-- == 0)
            return str(h->row[i].value);
    }
    return str(NULL);
}

static void
headers_free(struct fake_headers *h)
{
    for (unsigned i = 0; i < h->n; i++) {
        free(h->row[i].name);
        free(h->row[i].value);
    }
    h->n = 0;
}

const char *
fake_header(const struct fake_headers *h, const char *name)
{
    return headers_get(h, name, 0).p;
}

unsigned
fake_header_count(const struct fake_headers *h, const char *name)
{
    unsigned n = 0;
    while (headers_get(h, name, n).p)
        n++;
    return n;
}

static struct weir_str
h_request_method(struct weir_exchange *x)
{
    return str("GET");
}

static struct weir_str
h_request_path(struct weir_exchange *x)
{
    return str("/");
}

static struct weir_str
h_request_header(struct weir_exchange *x, const char *name, unsigned i)
{
    return headers_get(&x->request, name, i);
}

static bool
is_clean(struct weir_str value)
{
    for (size_t i = 0; i < value.n; i++) {
        if ((unsigned char)value.p[i] < 0x20 || value.p[i] == 0x7f)
            return false;
    }
    return true;
}

static void
h_request_header_add(struct weir_exchange *x, const char *name, struct weir_str value)
{
    if (is_clean(value))
        headers_add(&x->request, name, value);
}

static void
h_request_header_remove(struct weir_exchange *x, const char *name)
{
    headers_remove(&x->request, name);
}

static void
h_request_header_set(struct weir_exchange *x, const char *name, struct weir_str value)
{
    h_request_header_remove(x, name);
    h_request_header_add(x, name, value);
}

static struct weir_str
h_cookie(struct weir_exchange *x, const char *name)
{
    return headers_get(&x->cookies, name, 0);
}

static int
h_response_status(struct weir_exchange *x)
{
    return x->reply_status;
}

static struct weir_str
h_response_header(struct weir_exchange *x, const char *name, unsigned i)
{
    return headers_get(&x->response, name, i);
}

static void
h_response_header_add(struct weir_exchange *x, const char *name, struct weir_str value)
{
    headers_add(&x->response, name, value);
}

static void
h_response_header_remove(struct weir_exchange *x, const char *name)
{
    headers_remove(&x->response, name);
}

static void
h_response_header_set(struct weir_exchange *x, const char *name, struct weir_str value)
{
    headers_remove(&x->response, name);
    headers_add(&x->response, name, value);
}

static struct weir_str
h_variable(struct weir_exchange *x, const char *name)
{
    for (const struct weir_variable *v = module->variables; v && v->name; v++) {
        size_t n = strlen(v->name);
        if (strncmp(name, v->name, n) == 0)
            return v->get(x, x->shared, str(name + n));
    }
    return headers_get(&x->variables, name, 0);
}

/* A template here is text without variables, or exactly one. */
static struct weir_str
h_template_text(struct weir_exchange *x, const struct weir_template *t)
{
    char name[256];
    size_t n = strlen(t->text);
    if (strncmp(t->text, "${", 2) != 0 || t->text[n - 1] != '}')
        return str(t->text);
    snprintf(name, sizeof(name), "%.*s", (int)(n - 3), t->text + 2);
    struct weir_str s = h_variable(x, name);
    return s.p ? s : str("");
}

static void *
h_exchange_alloc(struct weir_exchange *x, size_t size)
{
    if (x->n_memory == FAKE_MAX)
        abort();
    return x->memory[x->n_memory++] = calloc(1, size ? size : 1);
}

static void **
h_exchange_slot(struct weir_exchange *x)
{
    return &x->slot;
}

static void **
h_exchange_shared(struct weir_exchange *x)
{
    return &x->shared;
}

static bool
h_client_is_tls(struct weir_exchange *x)
{
    return x->tls;
}

static bool
h_explaining(struct weir_exchange *x)
{
    return x->explaining;
}

static struct weir_str
h_explain_claims(struct weir_exchange *x)
{
    return str(x->claims);
}

static enum weir_verdict
h_refuse(struct weir_exchange *x, const char *reason, const char *fmt, ...)
{
    va_list ap;
    bool known = strcmp(reason, "bad_request") == 0 || strcmp(reason, "store_unavailable") == 0;
    for (const struct weir_reason *r = module->reasons; r && r->code; r++)
        known |= strcmp(r->code, reason) == 0;
    if (!known) {
        fprintf(stderr, "fakehost: %s is nobody's reason\n", reason);
        abort();
    }
    snprintf(x->reason, sizeof(x->reason), "%s", reason);
    va_start(ap, fmt);
    vsnprintf(x->detail, sizeof(x->detail), fmt, ap);
    va_end(ap);
    return x->shadow ? WEIR_CONTINUE : WEIR_REFUSED;
}

static enum weir_verdict
h_reply(struct weir_exchange *x, int status, struct weir_str type, struct weir_str body)
{
    x->reply_status = status;
    return WEIR_REFUSED;
}

static void
h_note(struct weir_exchange *x, const char *reason, const char *fmt, ...)
{
    va_list ap;
    snprintf(x->note, sizeof(x->note), "%s", reason ? reason : "");
    va_start(ap, fmt);
    vsnprintf(x->note_detail, sizeof(x->note_detail), fmt, ap);
    va_end(ap);
}

static void
h_set_target(struct weir_exchange *x, struct weir_str upstream)
{
    set_text(x->target, sizeof(x->target), upstream);
}

static void
h_explain_variant(struct weir_exchange *x, struct weir_str upstream, double share)
{
    size_t n = strlen(x->variants);
    snprintf(x->variants + n, sizeof(x->variants) - n, "%s%.*s=%g", n ? " " : "", (int)upstream.n, upstream.p, share);
}

static bool
h_upstream_healthy(struct weir_exchange *x, struct weir_str upstream)
{
    return !has_word(fake.unhealthy, upstream);
}

static void
h_resume(struct weir_exchange *x)
{
    x->resumed++;
}

/* --- clock, random, hash, log, metrics --- */

static int64_t
h_now(void)
{
    return fake.now;
}

static int64_t
h_wall(void)
{
    return fake.wall;
}

static uint64_t
h_random(void)
{
    if (fake.random_fixed)
        return fake.random;
    /* xorshift64* */
    fake.random = fake.random ? fake.random : 88172645463325252u;
    fake.random ^= fake.random >> 12;
    fake.random ^= fake.random << 25;
    fake.random ^= fake.random >> 27;
    return fake.random * UINT64_C(2685821657736338717);
}

static void
h_random_bytes(void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)p)[i] = (unsigned char)(h_random() >> 32);
}

static uint64_t
h_hash(struct weir_str s)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a, and a finisher */
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211);
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    return h ^ h >> 32;
}

static void
h_log(int level, const char *subject, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    append(fake.log, sizeof(fake.log), fmt, ap);
    va_end(ap);
}

static struct weir_metric *
h_metric(char kind, const char *name, const char *help, const char *const *labels, const struct weir_str *values,
         unsigned n)
{
    char full[256];
    int at = snprintf(full, sizeof(full), "%s{", name);
    for (unsigned i = 0; i < n; i++)
        at += snprintf(full + at, sizeof(full) - (size_t)at, "%s%.*s", i ? "," : "", (int)values[i].n, values[i].p);
    snprintf(full + at, sizeof(full) - (size_t)at, "}");
    for (unsigned i = 0; i < n_metrics; i++) {
        if (strcmp(metrics[i].name, full) == 0)
            return &metrics[i];
    }
    if (n_metrics == FAKE_MAX)
        abort();
    snprintf(metrics[n_metrics].name, sizeof(metrics[0].name), "%s", full);
    return &metrics[n_metrics++];
}

static void
h_metric_add(struct weir_metric *m, int64_t n)
{
    m->value += (double)n;
}

static void
h_metric_set(struct weir_metric *m, double v)
{
    m->value = v;
}

double
fake_metric(const char *name)
{
    for (unsigned i = 0; i < n_metrics; i++) {
        if (strcmp(metrics[i].name, name) == 0)
            return metrics[i].value;
    }
    return -1;
}

/* --- threads and the world --- */

static unsigned
h_worker(void)
{
    return fake.worker;
}

static void
h_post(unsigned worker, void (*fn)(void *), void *arg)
{
    if (n_posts == FAKE_MAX)
        abort();
    posts[n_posts++] = (struct post){worker, fn, arg};
}

void
fake_run_posts(void)
{
    unsigned self = fake.worker;
    while (n_posts) {
        struct post p = posts[0];
        memmove(posts, posts + 1, --n_posts * sizeof(posts[0]));
        fake.worker = p.worker;
        p.fn(p.arg);
    }
    fake.worker = self;
}

static struct weir_timer *
h_timer_after(int64_t ns, void (*fn)(void *), void *arg)
{
    struct weir_timer *t = calloc(1, sizeof(*t)), **place = &timers;
    *t = (struct weir_timer){fake.now + ns, fn, arg, fake.worker, NULL};
    while (*place && (*place)->at <= t->at)
        place = &(*place)->next;
    t->next = *place;
    *place = t;
    return t;
}

static void
h_timer_cancel(struct weir_timer *t)
{
    struct weir_timer **place = &timers;
    while (*place && *place != t)
        place = &(*place)->next;
    if (!*place || t->worker != fake.worker) {
        fprintf(stderr, "fakehost: a timer is cancelled %s\n", *place ? "by another worker" : "that is not running");
        abort();
    }
    *place = t->next;
    free(t);
}

void
fake_advance(int64_t ns)
{
    int64_t until = fake.now + ns;
    unsigned self = fake.worker;
    while (timers && timers->at <= until) {
        struct weir_timer *t = timers;
        timers = t->next;
        if (t->at > fake.now) {
            fake.wall += t->at - fake.now;
            fake.now = t->at;
        }
        fake.worker = t->worker;
        t->fn(t->arg);
        free(t);
        fake_run_posts();
    }
    fake.worker = self;
    fake.wall += until - fake.now;
    fake.now = until;
}

static struct weir_call *
h_fetch(const struct weir_fetch_request *req, weir_fetch_done done, void *arg)
{
    if (fake.refuse_calls || fake.n_fetches == FAKE_MAX)
        return NULL;
    struct fake_fetch *f = &fake.fetches[fake.n_fetches];
    snprintf(f->url, sizeof(f->url), "%s", req->url);
    f->done = done;
    f->arg = arg;
    f->open = true;
    calls[fake.n_fetches].index = fake.n_fetches;
    return &calls[fake.n_fetches++];
}

static void
h_fetch_cancel(struct weir_call *c)
{
    fake.fetches[c->index].open = false;
}

void
fake_fetch_answer(unsigned i, int status, const char *body)
{
    struct fake_fetch *f = &fake.fetches[i];
    struct weir_fetch_response res = {.status = status, .error = status ? NULL : body, .max_age_s = -1};
    if (i >= fake.n_fetches || !f->open)
        abort();
    if (status)
        res.body = str(body);
    f->open = false;
    f->done(&res, f->arg);
    fake_run_posts();
}

static struct weir_call *
h_store_eval(struct weir_exchange *x, struct weir_str store, const char *script, struct weir_str key,
             const struct weir_str *args, unsigned n, weir_store_done done, void *arg)
{
    if (fake.refuse_calls || fake.n_calls == FAKE_MAX)
        return NULL;
    struct fake_call *c = &fake.calls[fake.n_calls];
    set_text(c->store, sizeof(c->store), store);
    set_text(c->key, sizeof(c->key), key);
    for (unsigned i = 0; i < n && i < 2; i++)
        set_text(c->args[i], sizeof(c->args[i]), args[i]);
    c->script = script;
    c->done = done;
    c->arg = arg;
    return &calls[fake.n_calls++];
}

const struct weir_host fake_table = {
    .size = sizeof(struct weir_host),
    .abi_major = WEIR_ABI_MAJOR,
    .abi_minor = WEIR_ABI_MINOR,
    .conf_find = h_conf_find,
    .conf_next = fakeconf_next,
    .conf_args = h_conf_args,
    .conf_arg = h_conf_arg,
    .conf_int = h_conf_int,
    .conf_percent = h_conf_percent,
    .conf_rate = h_conf_rate,
    .conf_get_int = h_conf_get_int,
    .conf_get_str = h_conf_get_str,
    .conf_opt = h_conf_opt,
    .conf_opt_int = h_conf_opt_int,
    .conf_at = h_conf_at,
    .conf_error = h_conf_error,
    .conf_warning = h_conf_warning,
    .conf_template = h_conf_template,
    .template_compile = h_template_compile,
    .conf_file = h_conf_file,
    .alloc = h_alloc,
    .policy_scope = h_policy_scope,
    .policy_at = h_policy_at,
    .upstream_exists = h_upstream_exists,
    .store_exists = h_store_exists,
    .policy_default_target = h_policy_default_target,
    .state_get = h_state_get,
    .state_data = h_state_data,
    .state_hold = h_state_hold,
    .state_put = h_state_put,
    .request_method = h_request_method,
    .request_path = h_request_path,
    .request_header = h_request_header,
    .request_header_set = h_request_header_set,
    .request_header_add = h_request_header_add,
    .request_header_remove = h_request_header_remove,
    .cookie = h_cookie,
    .response_status = h_response_status,
    .response_header = h_response_header,
    .response_header_set = h_response_header_set,
    .response_header_add = h_response_header_add,
    .response_header_remove = h_response_header_remove,
    .template_text = h_template_text,
    .variable = h_variable,
    .exchange_alloc = h_exchange_alloc,
    .exchange_slot = h_exchange_slot,
    .exchange_shared = h_exchange_shared,
    .client_is_tls = h_client_is_tls,
    .explaining = h_explaining,
    .explain_claims = h_explain_claims,
    .refuse = h_refuse,
    .reply = h_reply,
    .note = h_note,
    .set_target = h_set_target,
    .explain_variant = h_explain_variant,
    .upstream_healthy = h_upstream_healthy,
    .resume = h_resume,
    .now = h_now,
    .wall = h_wall,
    .random = h_random,
    .random_bytes = h_random_bytes,
    .hash = h_hash,
    .log = h_log,
    .metric = h_metric,
    .metric_add = h_metric_add,
    .metric_set = h_metric_set,
    .worker = h_worker,
    .post = h_post,
    .timer_after = h_timer_after,
    .timer_cancel = h_timer_cancel,
    .fetch = h_fetch,
    .fetch_cancel = h_fetch_cancel,
    .store_eval = h_store_eval,
};

/* --- for tests --- */

void
fake_begin(const struct weir_module *m)
{
    const char *error = NULL;
    memset(&fake, 0, sizeof(fake));
    memset(metrics, 0, sizeof(metrics));
    n_metrics = 0;
    fake.now = 1000 * FAKE_SECOND;
    fake.wall = INT64_C(1700000000) * FAKE_SECOND;
    snprintf(fake.scope, sizeof(fake.scope), "api.example.com/orders/");
    module = m;
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
    if (timers) {
        fprintf(stderr, "fakehost: a timer is left running\n");
        abort();
    }
    while (states) {
        struct weir_state *s = states;
        states = s->next;
        if (s->refs) {
            fprintf(stderr, "fakehost: state %s has %u references left\n", s->key, s->refs);
            abort();
        }
        if (s->fini)
            s->fini(s->data);
        free(s->data);
        free(s);
    }
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
    p->conf = fakeconf_parse(module->directives, text);
    if (module->configure(p, p->conf, &p->config) != 0) {
        policy_free(p);
        return NULL;
    }
    p->next = policies;
    policies = p;
    return p->config;
}

void
fake_release(void *config)
{
    struct weir_policy **place = &policies;
    while (*place && (*place)->config != config)
        place = &(*place)->next;
    struct weir_policy *p = *place;
    *place = p->next;
    if (module->release)
        module->release(p->config);
    policy_free(p);
}

struct weir_exchange *
fake_exchange(void)
{
    return calloc(1, sizeof(struct weir_exchange));
}

void
fake_request_header(struct weir_exchange *x, const char *name, const char *value)
{
    headers_add(&x->request, name, str(value));
}

void
fake_cookie(struct weir_exchange *x, const char *name, const char *value)
{
    headers_add(&x->cookies, name, str(value));
}

void
fake_variable(struct weir_exchange *x, const char *name, const char *value)
{
    headers_add(&x->variables, name, str(value));
}

void
fake_exchange_free(struct weir_exchange *x)
{
    if (module->finish)
        module->finish(x, policies ? policies->config : NULL);
    headers_free(&x->request);
    headers_free(&x->response);
    headers_free(&x->cookies);
    headers_free(&x->variables);
    for (unsigned i = 0; i < x->n_memory; i++)
        free(x->memory[i]);
    free(x);
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
    module->view(config, &view.text);
    return view.buf;
}
