/* `weir demo --once`: the requests that show each policy, and whether each came out as stated. */
#include "demo.h"

#include "client.h"
#include "../base/parse.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CANARY_REQUESTS 400
#define CANARY_SHARE 0.25 /* of orders-v2, as in demo_conf.h */

struct answer {
    int status;
    char body[1024];
    char retry_after[16], challenge[128];
};

static void
copy_field(const struct client_response *r, enum field_id id, char *out, size_t room)
{
    const struct field *f = fields_find(&r->head.fields, id);
    snprintf(out, room, "%.*s", f ? (int)f->value.n : 0, f ? f->value.p : "");
}

static struct answer
ask(const struct demo *d, const char *path, const char *fields)
{
    struct answer a = { 0 };
    struct client_response r;
    struct err e = { 0 };
    a.status = client_ask(&r, d->address, "GET", path, fields, &e);
    if (a.status < 0) {
        fprintf(stderr, "%s: %s\n", path, e.text);
    } else {
        snprintf(a.body, sizeof a.body, "%.*s", SLICE_FMT(r.body));
        copy_field(&r, FIELD_RETRY_AFTER, a.retry_after, sizeof a.retry_after);
        copy_field(&r, FIELD_WWW_AUTHENTICATE, a.challenge, sizeof a.challenge);
    }
    client_fini(&r);
    return a;
}

static bool
stated(bool good, const char *what, const char *shown)
{
    printf("%s  %-52s %s\n", good ? "ok  " : "FAIL", what, shown);
    return good;
}

static bool
has_reason(const struct answer *a, int status, const char *reason)
{
    char want[64];
    snprintf(want, sizeof want, "\"reason\":\"%s\"", reason);
    return a->status == status && strstr(a->body, want);
}

static bool
show_canary(const struct demo *d, const char *bearer)
{
    char shown[128];
    int v1 = 0, v2 = 0;
    for (int i = 0; i < CANARY_REQUESTS; i++) {
        struct answer a = ask(d, "/orders/1", bearer);
        v1 += a.status == 200 && strncmp(a.body, "orders v1 for ada", 17) == 0;
        v2 += a.status == 200 && strncmp(a.body, "orders v2 for ada", 17) == 0;
    }
    /* Five standard deviations of the binomial: a wrong split is seen, a right one is not called wrong in a million
     * runs. */
    double sigma = sqrt(CANARY_REQUESTS * CANARY_SHARE * (1 - CANARY_SHARE));
    bool good = v1 + v2 == CANARY_REQUESTS && fabs(v2 - CANARY_REQUESTS * CANARY_SHARE) <= 5 * sigma;
    snprintf(shown, sizeof shown, "200 x %d: v1 %.1f %%, v2 %.1f %%", v1 + v2, 100.0 * v1 / CANARY_REQUESTS,
             100.0 * v2 / CANARY_REQUESTS);
    return stated(good, "a valid token passes; 75/25 between v1 and v2", shown);
}

static bool
show_tokens(const struct demo *d)
{
    char token[512], fields[600], shown[256];
    struct answer none = ask(d, "/orders/1", NULL);
    snprintf(shown, sizeof shown, "%d %s", none.status, none.challenge);
    bool good =
        stated(has_reason(&none, 401, "jwt_missing") && strstr(none.challenge, "Bearer"), "no token is refused", shown);

    demo_token(d, "orders:read", token);
    char *forge = token + strlen(token) - 2; /* not the last: its low bits carry nothing (RFC 4648 3.5) */
    *forge = *forge == 'A' ? 'B' : 'A';      /* another signature, in the same alphabet */
    snprintf(fields, sizeof fields, "Authorization: Bearer %s\r\n", token);
    struct answer forged = ask(d, "/orders/1", fields);
    snprintf(shown, sizeof shown, "%d %s", forged.status, forged.challenge);
    good &= stated(has_reason(&forged, 401, "jwt_bad_signature"), "a forged token is refused", shown);

    demo_token(d, "orders:write", token);
    snprintf(fields, sizeof fields, "Authorization: Bearer %s\r\n", token);
    struct answer scope = ask(d, "/orders/1", fields);
    snprintf(shown, sizeof shown, "%d %s", scope.status, scope.challenge);
    return stated(has_reason(&scope, 403, "jwt_claim_refused"), "a token without the scope is refused", shown) && good;
}

/* 0: the answer has no Retry-After that is one. */
static int
retry_seconds(const struct answer *a)
{
    uint64_t n = 0;
    return parse_u64(slice_str(a->retry_after), 3600, &n) == 0 ? (int)n : 0;
}

static bool
show_limit(const struct demo *d)
{
    char shown[128];
    int passed = 0;
    for (int i = 0; i < 3; i++)
        passed += ask(d, "/limited", NULL).status == 200;
    struct answer a = ask(d, "/limited", NULL);
    snprintf(shown, sizeof shown, "200 x %d, then %d, Retry-After: %s", passed, a.status, a.retry_after);
    return stated(passed == 3 && has_reason(&a, 429, "rate_limited") && retry_seconds(&a) > 0,
                  "a burst of 3 passes, the 4th is limited", shown);
}

static bool
show_breaker(const struct demo *d)
{
    char shown[128];
    int failed = 0;
    for (int i = 0; i < 5; i++)
        failed += ask(d, "/flaky", "X-Fail: yes\r\n").status == 500;
    struct answer a = ask(d, "/flaky", NULL);
    snprintf(shown, sizeof shown, "500 x %d, then %d, Retry-After: %s", failed, a.status, a.retry_after);
    bool good = stated(failed == 5 && has_reason(&a, 503, "breaker_open"), "5 failures open the breaker", shown);

    int wait = retry_seconds(&a);
    poll(NULL, 0, (wait > 0 && wait < 10 ? wait : 1) * 1000 + 50); /* as the answer told a client to */
    a = ask(d, "/flaky", NULL);
    struct answer again = ask(d, "/flaky", NULL);
    snprintf(shown, sizeof shown, "%d, %d", a.status, again.status);
    return stated(a.status == 200 && again.status == 200, "after Retry-After it recovers", shown) && good;
}

int
demo_tour(const struct demo *d)
{
    char token[512], bearer[600];
    demo_token(d, "orders:read", token);
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s\r\n", token);
    bool good = show_canary(d, bearer);
    good &= show_tokens(d);
    good &= show_limit(d);
    good &= show_breaker(d);
    return good ? 0 : -1;
}
