/* pump: what moving a body means for the exchange, whether policies look at it (filtered.c) or not (pump.c). */
#ifndef PROXY_PUMP_H
#define PROXY_PUMP_H

#include "exchange.h"

static inline void
give_up_replay(struct exchange *x)
{
    x->replay_lost = true;
    iobuf_fini(&x->replay);
}

/* Another attempt may need what is sent now, the first n bytes of `from`: kept while it is small, given up beyond
 * that. */
static inline void
keep_for_replay(struct exchange *x, const struct iobuf *from, size_t n)
{
    struct iovec iov[16];
    if (x->replay_lost || x->tunnel)
        return;
    bool may_retry = x->us->reused || x->us->refusable || x->target->cluster->retry.attempts > 1;
    if (!may_retry || x->replay.len + n > REPLAY_MAX) {
        give_up_replay(x);
        return;
    }
    int pieces = iobuf_iov(from, iov, 16);
    for (int i = 0; i < pieces && n > 0; i++) {
        size_t take = iov[i].iov_len < n ? iov[i].iov_len : n;
        iobuf_add(&x->replay, iov[i].iov_base, take);
        n -= take;
    }
    if (n > 0) /* in more pieces than were looked at */
        give_up_replay(x);
}

/* Bytes moved: the silence that the route allows after the head begins anew. */
static inline void
break_silence(struct exchange *x)
{
    if (x->head_sent)
        timer_set(&x->timer, exchange_patience(x));
}

#endif
