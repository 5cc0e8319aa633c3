/* What the files of the fake host share: one fills the host table for each topic, as in the gateway. */
#ifndef FAKEHOST_IMPL_H
#define FAKEHOST_IMPL_H

#include "fakehost.h"

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

extern const struct weir_module *fake_module; /* the one under test */
/* Of the policy configured last; NULL: none. */
void *fake_config(void);

/* Each fills its part of the table; *_reset forgets the last world, *_end aborts where something of it is left. */
void fake_fill_conf(struct weir_host *h);
void fake_fill_exchange(struct weir_host *h);
void fake_fill_body(struct weir_host *h);
void fake_fill_state(struct weir_host *h);
void fake_fill_world(struct weir_host *h);
void fake_state_end(void);
void fake_world_reset(void);
void fake_world_end(void);

void fake_headers_add(struct fake_headers *h, const char *name, struct weir_str value);
void fake_headers_remove(struct fake_headers *h, const char *name);
void fake_headers_free(struct fake_headers *h);

struct weir_str fake_str(const char *s);
void fake_set_text(char *out, size_t room, struct weir_str s);
bool fake_has_word(const char *words, struct weir_str word);   /* words: "a b" */
void fake_append(char *out, size_t room, const char *fmt, va_list ap); /* a line */

#endif
