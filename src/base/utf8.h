/* utf8: is what an outsider sent fit to be shown in a log or in JSON (RFC 3629)? */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length (2 to 4) of the valid multi-byte character at p, 0 when there is none. Overlong forms, surrogates, code
 * points past U+10FFFF are not valid. */
unsigned utf8_multibyte(const char *p, size_t n);
/* The same, but 0 for the control characters U+0080 to U+009F too, which some terminals obey. */
unsigned utf8_printable(const char *p, size_t n);
/* All of it valid UTF-8, ASCII included. */
bool utf8_valid(const char *p, size_t n);

#endif
