#include "offline.h"

#include "../base/log.h"
#include "../event/worker.h"
#include "../net/tls.h"
#include "../proxy/metrics.h"
#include "load.h"

#include <stdio.h>

struct generation *
offline_load(const char *path)
{
    struct strbuf text;

    tls_init();
    if (workers_init(1) != 0 || stats_init(1) != 0) {
        log_error(NULL, "not enough memory to begin");
        return NULL;
    }
    metrics_init();
    strbuf_init(&text, 1 << 20);
    struct generation *g = load_generation(load_conf(path), 1, &text);
    if (text.n)
        fputs(text.p, stderr);
    strbuf_fini(&text);
    if (!g) {
        workers_fini();
        stats_fini();
    }
    return g;
}

void
offline_free(struct generation *g)
{
    generation_free(g);
    workers_fini();
    stats_fini();
}
