/* upstream_conf: an upstream block read into plain values. The rows are upstream_rows (cluster.h). */
#ifndef UPSTREAM_UPSTREAM_CONF_H
#define UPSTREAM_UPSTREAM_CONF_H

#include "cluster.h"
#include "health.h"
#include "outlier.h"

/* One `endpoint` line. */
struct endpoint_line {
    bool literal; /* addr is it; else a name to resolve */
    struct addr addr;
    char *authority; /* as written; owned */
    char *host;      /* the name alone; owned; NULL when literal */
    uint16_t port;
    unsigned weight;
};

void endpoint_lines_free(struct endpoint_line *lines, unsigned n);

/* Fills the plain fields of c (limits, balance, retry, tls, ...). 0, or -1 after errors that have been reported; what
 * was acquired is in c all the same. */
int upstream_conf_read(const struct weir_conf *block, struct arena *arena, struct cluster *c);
/* The endpoint lines, on the heap (they outlive the generation's arena). -1 after a reported error. */
int upstream_conf_endpoints(const struct weir_conf *block, struct endpoint_line **lines, unsigned *n);
/* NULL: no health_check block. */
struct health_conf *upstream_conf_health(const struct weir_conf *block, const struct cluster *c);
bool upstream_conf_outlier(const struct weir_conf *block, struct outlier_conf *o); /* false: no outlier block */

#endif
