/* fakehost_state: keyed state. */
#include "fakehost_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct weir_state {
    char key[256];
    void *data;
    unsigned refs;
    void (*fini)(void *);
    struct weir_state *next;
};

static struct weir_state *states;

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

void
fake_state_end(void)
{
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

void
fake_fill_state(struct weir_host *h)
{
    h->state_get = h_state_get;
    h->state_data = h_state_data;
    h->state_hold = h_state_hold;
    h->state_put = h_state_put;
}
