/*
 * token: a compact JWS (RFC 7515 7.1) that claims to be a JWT (RFC 7519), taken apart strictly. Nothing here says that
 * it is genuine. Refused: anything but three parts of unpadded base64url, JSON with repeated members, wrong types of
 * registered members, `crit` (no extension is understood, RFC 7515 4.1.11), and more than TOKEN_MAX bytes.
 */
#ifndef TOKEN_H
#define TOKEN_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/types.h>

#define TOKEN_MAX 16384
#define TOKEN_SIGNATURE_MAX 2048 /* bytes: RSA of 16384 bits */

struct token {
    json_t *header, *payload;    /* objects */
    int alg;                     /* index of the algorithm; -1: unknown, or none */
    const char *kid;             /* NULL: none; lives as long as header */
    struct weir_str input;       /* what was signed; points into the text */
    size_t signature_n;
    unsigned char signature[TOKEN_SIGNATURE_MAX + 3];
};

/* text must outlive the token. 0, or -1 with *why (static text); token_fini is due either way. */
int token_decode(struct token *t, struct weir_str text, const char **why);
/* Checks the registered claims' types (RFC 7519 4.1). NULL: good; else what is wrong. */
const char *token_check_claims(const json_t *payload);
void token_fini(struct token *t);

/* Seconds since the epoch of a NumericDate, rounded down; `otherwise` where there is none. */
int64_t token_time(const json_t *payload, const char *claim, int64_t otherwise);

#endif
