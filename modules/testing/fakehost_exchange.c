/* fakehost_exchange: an exchange, its headers and verdicts. */
#include "fakehost_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void
fake_headers_add(struct fake_headers *h, const char *name, struct weir_str value)
{
    if (h->n == FAKE_MAX)
        abort();
    h->row[h->n].name = strdup(name);
    h->row[h->n++].value = strndup(value.p, value.n);
}

void
fake_headers_remove(struct fake_headers *h, const char *name)
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
            return fake_str(h->row[i].value);
    }
    return fake_str(NULL);
}

void
fake_headers_free(struct fake_headers *h)
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
    return fake_str("GET");
}

static struct weir_str
h_request_path(struct weir_exchange *x)
{
    return fake_str("/");
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
        fake_headers_add(&x->request, name, value);
}

static void
h_request_header_remove(struct weir_exchange *x, const char *name)
{
    fake_headers_remove(&x->request, name);
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
    fake_headers_add(&x->response, name, value);
}

static void
h_response_header_remove(struct weir_exchange *x, const char *name)
{
    fake_headers_remove(&x->response, name);
}

static void
h_response_header_set(struct weir_exchange *x, const char *name, struct weir_str value)
{
    fake_headers_remove(&x->response, name);
    fake_headers_add(&x->response, name, value);
}

static struct weir_str
h_variable(struct weir_exchange *x, const char *name)
{
    for (const struct weir_variable *v = fake_module->variables; v && v->name; v++) {
        size_t n = strlen(v->name);
        if (strncmp(name, v->name, n) == 0)
            return v->get(x, x->shared, fake_str(name + n));
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
        return fake_str(t->text);
    snprintf(name, sizeof(name), "%.*s", (int)(n - 3), t->text + 2);
    struct weir_str s = h_variable(x, name);
    return s.p ? s : fake_str("");
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
    return fake_str(x->claims);
}

static enum weir_verdict
h_refuse(struct weir_exchange *x, const char *reason, const char *fmt, ...)
{
    va_list ap;
    bool known = strcmp(reason, "bad_request") == 0 || strcmp(reason, "store_unavailable") == 0;
    for (const struct weir_reason *r = fake_module->reasons; r && r->code; r++)
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
    vsnprintf(x->note_detail, sizeof(x->note_detail), fmt ? fmt : "", ap);
    va_end(ap);
}

static void
h_set_target(struct weir_exchange *x, struct weir_str upstream)
{
    fake_set_text(x->target, sizeof(x->target), upstream);
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
    return !fake_has_word(fake.unhealthy, upstream);
}

static void
h_resume(struct weir_exchange *x)
{
    x->resumed++;
}

void
fake_fill_exchange(struct weir_host *h)
{
    h->request_method = h_request_method;
    h->request_path = h_request_path;
    h->request_header = h_request_header;
    h->request_header_set = h_request_header_set;
    h->request_header_add = h_request_header_add;
    h->request_header_remove = h_request_header_remove;
    h->cookie = h_cookie;
    h->response_status = h_response_status;
    h->response_header = h_response_header;
    h->response_header_set = h_response_header_set;
    h->response_header_add = h_response_header_add;
    h->response_header_remove = h_response_header_remove;
    h->template_text = h_template_text;
    h->variable = h_variable;
    h->exchange_alloc = h_exchange_alloc;
    h->exchange_slot = h_exchange_slot;
    h->exchange_shared = h_exchange_shared;
    h->client_is_tls = h_client_is_tls;
    h->explaining = h_explaining;
    h->explain_claims = h_explain_claims;
    h->refuse = h_refuse;
    h->reply = h_reply;
    h->note = h_note;
    h->set_target = h_set_target;
    h->explain_variant = h_explain_variant;
    h->upstream_healthy = h_upstream_healthy;
    h->resume = h_resume;
}

struct weir_exchange *
fake_exchange(void)
{
    return calloc(1, sizeof(struct weir_exchange));
}

void
fake_request_header(struct weir_exchange *x, const char *name, const char *value)
{
    fake_headers_add(&x->request, name, fake_str(value));
}

void
fake_response_header(struct weir_exchange *x, const char *name, const char *value)
{
    fake_headers_add(&x->response, name, fake_str(value));
}

void
fake_cookie(struct weir_exchange *x, const char *name, const char *value)
{
    fake_headers_add(&x->cookies, name, fake_str(value));
}

void
fake_variable(struct weir_exchange *x, const char *name, const char *value)
{
    fake_headers_add(&x->variables, name, fake_str(value));
}

void
fake_exchange_free(struct weir_exchange *x)
{
    if (fake_module->finish)
        fake_module->finish(x, fake_config());
    fake_headers_free(&x->request);
    fake_headers_free(&x->response);
    fake_headers_free(&x->cookies);
    fake_headers_free(&x->variables);
    fake_headers_free(&x->trailers);
    free(x->body);
    free(x->held);
    for (unsigned i = 0; i < x->n_memory; i++)
        free(x->memory[i]);
    free(x);
}
