/* Until store.c is here: `store` blocks are refused by name. */
#include "store.h"

const struct weir_directive store_rows[] = { { 0 } };

struct store *
store_build(const struct weir_conf *block, struct arena *arena)
{
    (void)arena;
    conf_error(block, -1, "stores are not part of this build");
    return NULL;
}

void store_start(struct store *s, struct resolver *r) { (void)s, (void)r; }
void store_stop(struct store *s) { (void)s; }
void store_free(struct store *s) { (void)s; }
const char *store_name(const struct store *s) { (void)s; return ""; }
const char *store_url_shown(const struct store *s) { (void)s; return ""; }
bool store_required(const struct store *s) { (void)s; return false; }
const char *store_state(const struct store *s, double *latency_ms) { (void)s; *latency_ms = -1; return "down"; }
void store_cancel(struct store_call *c) { (void)c; }

struct store_call *
store_eval(struct store *s, const char *script, struct slice key, const struct slice *args, unsigned n, weir_store_done done, void *arg)
{
    (void)s, (void)script, (void)key, (void)args, (void)n, (void)done, (void)arg;
    return NULL;
}
