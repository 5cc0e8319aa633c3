#include "up_impl.h"

#include <assert.h>

struct up_stream *
up_open(struct up_session *u, struct arena *arena, size_t in_cap)
{
    return u->kind->open(u, arena, in_cap);
}

void
up_close(struct up_session *u)
{
    assert(!u->streams);
    u->kind->close(u);
}

unsigned
up_streams(const struct up_session *u)
{
    return u->streams;
}

unsigned
up_room(const struct up_session *u)
{
    return u->kind->room(u);
}

unsigned
up_most(const struct up_session *u)
{
    return u->most;
}

struct conn *
up_conn(const struct up_session *u)
{
    return u->c;
}

nsec_t
up_rest_until(const struct up_session *u)
{
    return u->rest_until;
}

nsec_t
up_idle_until(const struct up_session *u)
{
    return u->idle_until;
}

unsigned
up_served(const struct up_session *u)
{
    return u->served;
}

bool
up_carries_h2(const struct conn *c, bool told)
{
    return c->tls ? strcmp(conn_alpn(c), "h2") == 0 : told;
}
