#include "config.h" /* _GNU_SOURCE: strerror_r */

#include "tls_ctx.h"

#include "../base/grant.h"
#include "../base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Mozilla's intermediate set for TLS 1.2, without finite-field DHE; TLS 1.3's suites are OpenSSL's own three. */
static const char default_ciphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char default_curves[] = "X25519:P-256:P-384";

int
tls_init(void)
{
    return OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL) == 1 ? 0 : -1;
}

const char *
tls_reason(char *out, size_t n)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;

    if (code && ERR_SYSTEM_ERROR(code))
        text = strerror_r(ERR_GET_REASON(code), out, n);
    snprintf(out, n, "%s", text ? text : "unknown TLS error");
    ERR_clear_error();
    return out;
}

/* ------------------------------------------------------------------ terms */

static bool
is_suite(const char *name) /* of TLS 1.3 */
{
    return strncmp(name, "TLS_", 4) == 0 && !strstr(name, "_WITH_");
}

/* What OpenSSL does not know, or does not find strong enough, it leaves out without a word. */
static bool
offers(const SSL_CTX *ctx, const char *name)
{
    const STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(ctx);

    for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
        const SSL_CIPHER *c = sk_SSL_CIPHER_value(all, i);

        if (strcmp(SSL_CIPHER_get_name(c), name) == 0 || strcmp(SSL_CIPHER_standard_name(c), name) == 0)
            return true;
    }
    return false;
}

/* The names of one of the two kinds, joined as OpenSSL wants them. */
static void
join_names(const struct tls_terms *terms, bool suites, char *out, size_t n)
{
    size_t at = 0;

    out[0] = '\0';
    for (unsigned i = 0; i < terms->n_ciphers; i++) {
        const char *name = terms->ciphers[i], *known = OPENSSL_cipher_name(name); /* of IANA's */

        if (is_suite(name) == suites && at < n)
            at +=
                (size_t)snprintf(out + at, n - at, "%s%s", at ? ":" : "", strcmp(known, "(NONE)") == 0 ? name : known);
    }
}

static int
set_ciphers(SSL_CTX *ctx, const struct tls_terms *terms, struct err *e)
{
    char list[4096], suites[1024];

    join_names(terms, false, list, sizeof(list));
    join_names(terms, true, suites, sizeof(suites));
    if (list[0])
        SSL_CTX_set_cipher_list(ctx, list);
    if (suites[0])
        SSL_CTX_set_ciphersuites(ctx, suites);
    ERR_clear_error();
    for (unsigned i = 0; i < terms->n_ciphers; i++)
        if (!offers(ctx, terms->ciphers[i]))
            return err_set(e, ERR_TLS, "`%s` is no cipher that OpenSSL knows and finds strong enough",
                           terms->ciphers[i]);
    return 0;
}

static int
set_terms(SSL_CTX *ctx, const struct tls_terms *terms, struct err *e, enum tls_part *part)
{
    unsigned protocols = terms->protocols ? terms->protocols : TLS_1_2 | TLS_1_3;
    int lowest = protocols & TLS_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
    int highest = protocols & TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;

    *part = TLS_PART_CIPHERS;
    if (set_ciphers(ctx, terms, e) < 0)
        return -1;
    *part = TLS_PART_CURVES;
    if (terms->curves && !SSL_CTX_set1_groups_list(ctx, terms->curves)) {
        ERR_clear_error();
        return err_set(e, ERR_TLS, "not curves that OpenSSL knows: X25519, X448, P-256, P-384, P-521");
    }
    *part = TLS_PART_NONE;
    SSL_CTX_set_min_proto_version(ctx, lowest);
    SSL_CTX_set_max_proto_version(ctx, highest);
    return 0;
}

SSL_CTX *
tls_ctx_new(const SSL_METHOD *method, const struct tls_terms *terms, struct err *e, enum tls_part *part)
{
    char why[160];
    SSL_CTX *ctx;

    ERR_clear_error();
    *part = TLS_PART_NONE;
    ctx = SSL_CTX_new(method);
    if (!ctx || !SSL_CTX_set_cipher_list(ctx, default_ciphers) || !SSL_CTX_set1_groups_list(ctx, default_curves)) {
        err_set(e, ERR_TLS, "TLS cannot be set up: %s", tls_reason(why, sizeof(why)));
        SSL_CTX_free(ctx);
        return NULL;
    }
    if (set_terms(ctx, terms, e, part) < 0) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx, 1); /* one recv for a record instead of two */
    return ctx;
}

bool
tls_readable(const char *path, const char *what, struct err *e)
{
    struct stat st = { 0 };
    char room[GRANT_NAME_MAX];
    int fd = open(grant_name(path, room), O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st) < 0)
        err_errno(e, "%s: the %s cannot be read", path, what);
    else if (!S_ISREG(st.st_mode))
        err_set(e, ERR_TLS, "%s: the %s is not a regular file", path, what);
    if (fd >= 0)
        close(fd);
    return S_ISREG(st.st_mode);
}

int64_t
tls_time(const ASN1_TIME *t)
{
    struct tm tm;

    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

uint64_t
tls_hash_file(uint64_t h, const char *path)
{
    char room[GRANT_NAME_MAX], chunk[4096];
    FILE *f = path ? fopen(grant_name(path, room), "re") : NULL;
    size_t n;

    h = hash_mix(h, path ? 1 : 2);
    if (!f)
        return h;
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        h = hash_mix(h, hash_stable(slice_of(chunk, n)));
    fclose(f);
    return h;
}
