#include "claims.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_ROOM 32

const json_t *
claim_find(const json_t *payload, const char *name)
{
    const json_t *found = json_object_get(payload, name);
    if (found)
        return found;
    /* "a.b" may be a member of its own, as in https://example.com/roles; else each dot may be where an object ends. */
    char head[256];
    for (const char *dot = strchr(name, '.'); dot && (size_t)(dot - name) < sizeof(head); dot = strchr(dot + 1, '.')) {
        memcpy(head, name, (size_t)(dot - name));
        head[dot - name] = '\0';
        const json_t *inner = json_object_get(payload, head);
        if (json_is_object(inner) && (found = claim_find(inner, dot + 1)))
            return found;
    }
    return NULL;
}

/* The text of a string, number or boolean; p NULL: it is none of them. */
static struct weir_str
scalar_text(const json_t *v, char buf[NUMBER_ROOM])
{
    int n = 0;
    switch (json_typeof(v)) {
    case JSON_STRING:
        return (struct weir_str){ json_string_value(v), json_string_length(v) };
    case JSON_TRUE:
        return (struct weir_str){ "true", 4 };
    case JSON_FALSE:
        return (struct weir_str){ "false", 5 };
    case JSON_INTEGER:
        n = snprintf(buf, NUMBER_ROOM, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        break;
    case JSON_REAL:
        n = snprintf(buf, NUMBER_ROOM, "%.15g", json_real_value(v));
        if (strtod(buf, NULL) != json_real_value(v))
            n = snprintf(buf, NUMBER_ROOM, "%.17g", json_real_value(v));
        break;
    default:
        return (struct weir_str){ NULL, 0 };
    }
    return (struct weir_str){ buf, (size_t)n };
}

static size_t
put(char *out, size_t room, size_t at, const char *p, size_t n)
{
    for (size_t i = 0; i < n && at + i < room; i++)
        out[at + i] = p[i];
    return at + n;
}

long
claim_text(const json_t *claim, char *out, size_t room)
{
    char buf[NUMBER_ROOM];
    const json_t *one;
    size_t i, at = 0;
    bool first = true;
    if (!claim)
        return -1;
    if (!json_is_array(claim)) {
        struct weir_str s = scalar_text(claim, buf);
        return s.p ? (long)put(out, room, 0, s.p, s.n) : -1;
    }
    json_array_foreach (claim, i, one) {
        struct weir_str s = scalar_text(one, buf);
        if (!s.p)
            continue;
        if (!first)
            at = put(out, room, at, " ", 1);
        first = false;
        at = put(out, room, at, s.p, s.n);
    }
    return (long)at;
}

static bool
same(struct weir_str a, struct weir_str b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static bool
has_word(struct weir_str text, struct weir_str word)
{
    const char *p = text.p, *end = text.p + text.n;
    while (p < end) {
        const char *space = memchr(p, ' ', (size_t)(end - p));
        const char *stop = space ? space : end;
        if (same((struct weir_str){ p, (size_t)(stop - p) }, word))
            return true;
        p = stop + 1;
    }
    return same(text, word);
}

static bool
claim_has(const json_t *claim, struct weir_str value)
{
    char buf[NUMBER_ROOM];
    const json_t *one;
    size_t i;
    if (!json_is_array(claim)) {
        struct weir_str text = scalar_text(claim, buf);
        return text.p && (json_is_string(claim) ? has_word(text, value) : same(text, value));
    }
    json_array_foreach (claim, i, one) {
        struct weir_str text = scalar_text(one, buf);
        if (text.p && same(text, value))
            return true;
    }
    return false;
}

static bool
require_met(const struct claims_require *r, const json_t *payload)
{
    const json_t *claim = claim_find(payload, r->name);
    unsigned there = 0;
    if (!claim)
        return false;
    for (unsigned i = 0; i < r->n; i++)
        there += claim_has(claim, r->values[i]);
    return r->any ? there > 0 : there == r->n;
}

/* Whether a string, or a member of an array of strings, is one of the list. */
static bool
one_of(const json_t *v, const struct weir_str *list, unsigned n)
{
    const json_t *one;
    size_t k;
    if (json_is_array(v)) {
        json_array_foreach (v, k, one) {
            if (one_of(one, list, n))
                return true;
        }
        return false;
    }
    for (unsigned i = 0; json_is_string(v) && i < n; i++) {
        if (same(list[i], (struct weir_str){ json_string_value(v), json_string_length(v) }))
            return true;
    }
    return false;
}

static bool
names_wrong(const json_t *payload, const char *claim, const struct weir_str *list, unsigned n, bool assumed)
{
    const json_t *v = json_object_get(payload, claim);
    if (n == 0 || (assumed && !v))
        return false;
    return !v || !one_of(v, list, n);
}

struct claims_refusal
claims_check(const struct claims_rules *r, const json_t *payload, int64_t now, bool assumed)
{
    const json_t *exp = json_object_get(payload, "exp");
    if (!exp && r->require_exp && !assumed)
        return (struct claims_refusal){ "jwt_malformed", "exp is missing" };
    if (exp && now >= token_time(payload, "exp", 0) + r->leeway_s)
        return (struct claims_refusal){ "jwt_expired", "exp has passed" };
    if (now < token_time(payload, "nbf", now) - r->leeway_s)
        return (struct claims_refusal){ "jwt_not_yet_valid", "nbf is to come" };
    if (names_wrong(payload, "iss", r->issuers, r->n_issuers, assumed))
        return (struct claims_refusal){ "jwt_bad_issuer", "iss" };
    if (names_wrong(payload, "aud", r->audiences, r->n_audiences, assumed))
        return (struct claims_refusal){ "jwt_bad_audience", "aud" };
    for (const struct claims_require *q = r->requires; q; q = q->next) {
        if (!require_met(q, payload))
            return (struct claims_refusal){ "jwt_claim_refused", q->name };
    }
    return (struct claims_refusal){ NULL, NULL };
}
