/* rate: requests per second, over the last ten seconds or what there was of them. Service loop. */
#ifndef ADMIN_RATE_H
#define ADMIN_RATE_H

#include "../event/loop.h"

void rate_start(struct loop *l);
double rate_read(void); /* 0 before there is anything to divide by */
void rate_stop(void);   /* idempotent */

#endif
