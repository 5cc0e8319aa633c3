/* h2_options: what every session of HTTP/2 asks of nghttp2, and the bounds that it sets. */
#ifndef SESSION_H2_OPTIONS_H
#define SESSION_H2_OPTIONS_H

#include <nghttp2/nghttp2.h>

/* What one read may bring on all streams together before WINDOW_UPDATEs come. */
#define H2_CONNECTION_WINDOW (1 << 20)

/* The caller's to delete. */
nghttp2_option *h2_options_new(void);

#endif
