/* reply: the problem document of a reason (RFC 9457); also what the admin listener answers with. */
#ifndef PROXY_REPLY_H
#define PROXY_REPLY_H

#include "../http/reason.h"
#include "../base/arena.h"

struct slice reply_problem(struct arena *a, const struct reason *r, struct slice detail, struct slice request_id);

#endif
