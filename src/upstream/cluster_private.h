/*
 * cluster_private: the part of a cluster that lives on the heap, because messages on their way to workers hold it
 * longer than its generation may.
 */
#ifndef UPSTREAM_CLUSTER_PRIVATE_H
#define UPSTREAM_CLUSTER_PRIVATE_H

#include "balance.h"
#include "cluster_state.h"
#include "upstream_conf.h"

struct cluster_private {
    _Atomic unsigned refs;
    struct cluster_state *state; /* a reference */
    struct endpoint_line *lines;
    unsigned n_lines;
    struct health_conf *health; /* NULL: none */
    struct outlier_conf outlier;
    bool has_outlier;
    struct view *views; /* by worker id; each is its worker's own once the cluster is live */
    unsigned n_views;
    bool started, warm; /* service thread */
    nsec_t started_at;
};

void cluster_private_put(struct cluster_private *p);
/* The calling worker's view; NULL before cluster_start has made one for it. */
struct view *cluster_view(struct cluster_private *p);
/* Service thread: an answer has changed; builds the set anew and hands it to every worker. */
void cluster_refresh(struct cluster_private *p);

#endif
