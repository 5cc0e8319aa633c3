#include "token.h"
#include "alg.h"
#include "base64url.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TIME_LIMIT 1e12 /* seconds; no date beyond it makes a difference */

static json_t *
decode_object(const char *p, size_t n)
{
    unsigned char *text = malloc(BASE64URL_ROOM(n));
    ssize_t len = text ? base64url_decode(p, n, text) : -1;
    json_t *o = len >= 0 ? json_loadb((const char *)text, (size_t)len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    free(text);
    if (json_is_object(o))
        return o;
    json_decref(o);
    return NULL;
}

static const char *
read_header(struct token *t)
{
    const json_t *alg = json_object_get(t->header, "alg"), *kid = json_object_get(t->header, "kid");
    const json_t *typ = json_object_get(t->header, "typ");
    if (!json_is_string(alg))
        return "the header has no alg";
    if ((kid && !json_is_string(kid)) || (typ && !json_is_string(typ)))
        return "a member of the header is of the wrong type";
    if (json_object_get(t->header, "crit"))
        return "the header has extensions that must be understood (crit)";
    t->alg = alg_find(json_string_value(alg), json_string_length(alg));
    t->kid = json_string_value(kid);
    return NULL;
}

static bool
is_audience(const json_t *aud)
{
    const json_t *one;
    size_t i;
    if (!json_is_array(aud))
        return json_is_string(aud);
    json_array_foreach (aud, i, one) {
        if (!json_is_string(one))
            return false;
    }
    return true;
}

const char *
token_check_claims(const json_t *payload)
{
    static const char *const texts[] = { "iss", "sub", "jti" };
    static const char *const times[] = { "exp", "nbf", "iat" };
    for (size_t i = 0; i < 3; i++) {
        const json_t *text = json_object_get(payload, texts[i]), *time = json_object_get(payload, times[i]);
        if ((text && !json_is_string(text)) || (time && !json_is_number(time)))
            return "a registered claim is of the wrong type";
    }
    const json_t *aud = json_object_get(payload, "aud");
    return aud && !is_audience(aud) ? "aud is of the wrong type" : NULL;
}

int
token_decode(struct token *t, struct weir_str text, const char **why)
{
    memset(t, 0, offsetof(struct token, signature));
    t->alg = -1;
    *why = text.n > TOKEN_MAX ? "it is too long" : "it is not three parts of base64url";
    const char *end = text.p + text.n;
    const char *dot = text.n && text.n <= TOKEN_MAX ? memchr(text.p, '.', text.n) : NULL;
    const char *dot2 = dot ? memchr(dot + 1, '.', (size_t)(end - dot - 1)) : NULL;
    if (!dot2 || (size_t)(end - dot2 - 1) > TOKEN_SIGNATURE_MAX * 4 / 3)
        return -1;
    ssize_t n =
        base64url_decode(dot2 + 1, (size_t)(end - dot2 - 1), t->signature); /* a fourth part is a dot here: refused */
    if (n < 0)
        return -1;
    t->signature_n = (size_t)n;
    t->input = (struct weir_str){ text.p, (size_t)(dot2 - text.p) };
    t->header = decode_object(text.p, (size_t)(dot - text.p));
    *why = "the header is not a JSON object";
    if (!t->header || (*why = read_header(t)))
        return -1;
    t->payload = decode_object(dot + 1, (size_t)(dot2 - dot - 1));
    *why = "the payload is not a JSON object";
    return t->payload && !(*why = token_check_claims(t->payload)) ? 0 : -1;
}

void
token_fini(struct token *t)
{
    json_decref(t->header);
    json_decref(t->payload);
}

int64_t
token_time(const json_t *payload, const char *claim, int64_t otherwise)
{
    const json_t *v = json_object_get(payload, claim);
    if (!json_is_number(v))
        return otherwise;
    double seconds = floor(json_number_value(v));
    return (int64_t)(seconds > TIME_LIMIT ? TIME_LIMIT : seconds < -TIME_LIMIT ? -TIME_LIMIT : seconds);
}
