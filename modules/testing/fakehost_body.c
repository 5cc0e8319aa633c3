/* fakehost_body: bodies and trailers. */
#include "fakehost_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
h_body_use(struct weir_exchange *x, enum weir_body_of which, enum weir_body_use use)
{
    x->use[which] = use;
}

static void
append(struct weir_exchange *x, const char *p, size_t n)
{
    x->body = realloc(x->body, x->n_body + n + 1);
    memcpy(x->body + x->n_body, p, n);
    x->n_body += n;
    x->body[x->n_body] = '\0';
}

static void
h_body_write(struct weir_exchange *x, struct weir_str bytes)
{
    if (x->use[x->which] != WEIR_BODY_CHANGE) {
        fprintf(stderr, "fakehost: a body is changed without notice\n");
        abort();
    }
    x->wrote = true;
    append(x, bytes.p, bytes.n);
}

static void
h_body_hold(struct weir_exchange *x, size_t n)
{
    x->n_held = n;
}

static bool
h_trailer(struct weir_exchange *x, unsigned i, struct weir_str *name, struct weir_str *value)
{
    if (i >= x->trailers.n)
        return false;
    *name = fake_str(x->trailers.row[i].name);
    *value = fake_str(x->trailers.row[i].value);
    return true;
}

static void
h_trailer_add(struct weir_exchange *x, const char *name, struct weir_str value)
{
    fake_headers_add(&x->trailers, name, value);
}

static void
h_trailer_remove(struct weir_exchange *x, const char *name)
{
    if (name)
        fake_headers_remove(&x->trailers, name);
    else
        fake_headers_free(&x->trailers);
}

void
fake_fill_body(struct weir_host *h)
{
    h->body_use = h_body_use;
    h->body_write = h_body_write;
    h->body_hold = h_body_hold;
    h->trailer = h_trailer;
    h->trailer_add = h_trailer_add;
    h->trailer_remove = h_trailer_remove;
}

void
fake_trailer(struct weir_exchange *x, const char *name, const char *value)
{
    fake_headers_add(&x->trailers, name, fake_str(value));
}

enum weir_verdict
fake_body(struct weir_exchange *x, enum weir_body_of which, const void *p, size_t n, bool end)
{
    size_t all = x->n_held + n;
    char *piece = malloc(all + 1);
    struct weir_body body = { .size = sizeof(body), .piece = { piece, all }, .end = end };
    enum weir_verdict v;

    if (x->n_held)
        memcpy(piece, x->held, x->n_held);
    if (n)
        memcpy(piece + x->n_held, p, n);
    x->n_held = 0;
    x->wrote = false;
    x->which = which;
    if (x->use[which] == WEIR_BODY_SKIP)
        v = WEIR_CONTINUE;
    else
        v = (which == WEIR_BODY_REQUEST ? fake_module->request_body : fake_module->response_body)(x, fake_config(),
                                                                                                  &body);
    if (!x->wrote)
        append(x, piece, all - x->n_held);
    free(x->held);
    x->held = piece;
    memmove(piece, piece + all - x->n_held, x->n_held);
    return v;
}
