/*
 * base64: base64 (RFC 4648 4) as gRPC-Web text has it, in pieces. A sender may pad whenever it flushes, so that padding
 * can stand anywhere between two groups of four; a group may be cut anywhere.
 */
#ifndef GRPC_WEB_BASE64_H
#define GRPC_WEB_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* All zero at the beginning. */
struct base64_decoder {
    unsigned bits; /* of the group that is not complete */
    unsigned have; /* characters of it, padding included */
    unsigned pads; /* of those: padding */
};
#define BASE64_DECODED_MAX(n) (((n) + 3) / 4 * 3)
/* Bytes written to out, which has room for BASE64_DECODED_MAX(n); -1: this is not base64. */
ssize_t base64_decode(struct base64_decoder *d, const char *p, size_t n, char *out);
bool base64_complete(const struct base64_decoder *d); /* may it end here? */

/* All zero at the beginning. */
struct base64_encoder {
    unsigned char rest[2]; /* bytes that do not make a group yet */
    unsigned n;
};
#define BASE64_ENCODED_MAX(n) (((n) + 2) / 3 * 4 + 4)
/* Characters written to out, which has room for BASE64_ENCODED_MAX(n). */
size_t base64_encode(struct base64_encoder *e, const char *p, size_t n, char *out);
/* What is left, padded: 0 or 4 characters. */
size_t base64_flush(struct base64_encoder *e, char out[4]);

#endif
