/* base64url: RFC 4648 5 without padding, strict: no other character, no impossible length, no bits left over (one text
 * for one value). */
#ifndef BASE64URL_H
#define BASE64URL_H

#include <stddef.h>
#include <sys/types.h>

#define BASE64URL_ROOM(n) ((n) / 4 * 3 + 3)

/* Decodes n characters into out, which has BASE64URL_ROOM(n) bytes. How many it made; -1: not base64url. */
ssize_t base64url_decode(const char *in, size_t n, unsigned char *out);

#endif
