/*
 * stats: declared metrics. A family has a name, a kind, a help line and label names; a series is a family with label
 * values. Each worker adds into its own shard without locks or atomics read-modify-write (relaxed stores by one
 * writer); readers sum the shards. Threads that are no worker (base/thread.h) share one more, with atomic additions.
 * Before stats_init all is a no-op. Series live as long as the process unless dropped; the same family and values
 * always give the same id, so that counters survive reload.
 *
 * The number of series is capped (stats_set_cap, default 10000): past it a family's further label sets fold into one
 * whose values are all "other".
 */
#ifndef STATS_STATS_H
#define STATS_STATS_H

#include "../base/slice.h"
#include "../base/strbuf.h"

#include <stdint.h>

enum stats_kind { STATS_COUNTER, STATS_GAUGE, STATS_HISTOGRAM };

struct stats_family; /* registered once, never freed before stats_fini */
typedef uint32_t stats_id; /* a series; 0 is a valid sink that is never shown */

#define STATS_LABELS_MAX 6
#define STATS_BUCKETS_MAX 20

int stats_init(unsigned workers); /* shards 0..workers */
void stats_fini(void);
void stats_set_cap(unsigned series);

/* Idempotent by name. All strings are copied. buckets: upper bounds in the metric's unit, ascending, for histograms
 * only. NULL when the name or a label's is not [a-zA-Z_][a-zA-Z0-9_]*, or the family exists with another kind or number
 * of labels, or something exceeds its maximum. Any thread (takes a lock). */
struct stats_family *stats_family(const char *name, enum stats_kind kind, const char *help,
                                  const char *const *label_names, unsigned n_labels, const double *buckets,
                                  unsigned n_buckets);
/* Finds or makes; the sink for a NULL family. Any thread (takes a lock): look a series up at load or once per worker,
 * not per request. */
stats_id stats_series(struct stats_family *f, const struct slice *values);
/* Removes the series whose first label has `value`: when a route or upstream is gone for good and nobody adds to them
 * any more; costs nothing for those of others. Their place is used again after a minute; somebody who still holds an id
 * then does no worse than miscount. */
void stats_drop(struct stats_family *f, struct slice value);
void stats_drop_series(stats_id id); /* this one */

/* Hot path; the calling worker's shard. */
void stats_add(stats_id id, uint64_t n);          /* counters */
void stats_gauge_add(stats_id id, int64_t n);     /* gauges summed over workers (connections) */
void stats_gauge_set(stats_id id, double v);      /* gauges with one value; last writer wins */
void stats_observe(stats_id id, double v);        /* histograms */

/* Summed over the shards. Any thread (takes a lock). A histogram's counter value is its count. */
uint64_t stats_counter_value(stats_id id);
int64_t stats_gauge_value(stats_id id);

/* Gauges computed on read; fn appends "name{labels} value\n" lines by stats_expose_*. Runs on the reading thread. */
typedef void (*stats_collector)(struct strbuf *out, void *arg);
void stats_add_collector(stats_collector fn, void *arg);
void stats_del_collector(stats_collector fn, void *arg);
void stats_expose_head(struct strbuf *out, const char *name, const char *type, const char *help);
void stats_expose_value(struct strbuf *out, const char *name, const char *const *label_names,
                        const struct slice *values, unsigned n, double v);

/* All of it in the Prometheus text format 0.0.4. */
void stats_expose(struct strbuf *out);

#endif
