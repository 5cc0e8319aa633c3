/* date: IMF-fixdate (RFC 9110 5.6.7), formatted once a second per thread. */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include "../base/slice.h"

#include <stdint.h>

struct slice http_date_now(void); /* 29 bytes; valid until the thread's next call in another second */
void http_date_format(int64_t seconds, char out[29]); /* since the epoch; exactly 29 bytes, no NUL */

#endif
