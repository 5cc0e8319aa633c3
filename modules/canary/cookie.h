/*
 * cookie: the value of the sticky cookie, "VARIANT~EXPIRES~NONCE~SIGNATURE". The signature (HMAC-SHA-256, cut to 128
 * bits) covers the cookie's name and all that stands before it, so that a client can keep a variant but not choose one.
 */
#ifndef COOKIE_H
#define COOKIE_H

#include <weir/types.h>

#define COOKIE_KEY 32     /* bytes of a signing key */
#define COOKIE_VALUE 160  /* room for a value with a variant name of 64 */

struct cookie_signer;

/* The key is copied; name is borrowed. NULL: out of memory, or the crypto library refuses. */
struct cookie_signer *cookie_signer_new(const void *key, size_t n, const char *name);
void cookie_signer_free(struct cookie_signer *s);

/* Writes a value. expires: seconds since the epoch, 0: with the browser's session. Its length; 0: it could not be
 * signed. Any thread. */
size_t cookie_make(const struct cookie_signer *s, struct weir_str variant, int64_t expires, uint32_t nonce,
                   char out[COOKIE_VALUE]);
/* The variant a value was signed for; p NULL: not ours, changed, or expired. It points into value. */
struct weir_str cookie_read(const struct cookie_signer *s, struct weir_str value, int64_t now);

#endif
