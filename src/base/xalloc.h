/*
 * Allocation that cannot fail: small, bounded requests whose failure has no better answer than a clean end with a
 * message. Sizes that an outside party chooses are capped by the caller before they get here.
 */
#ifndef BASE_XALLOC_H
#define BASE_XALLOC_H

#include <stddef.h>

_Noreturn void xalloc_fail(void); /* says that memory is out, and ends the process */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);

#endif
