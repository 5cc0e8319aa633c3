#include "tls_conf.h"

void
tls_conf_check_key(const struct weir_conf *line, void *diag)
{
    (void)diag;
    if (conf_opt_given(line, "password") && !conf_opt_secret(line, "password"))
        conf_opt_error(line, "password", "a passphrase does not stand in the open: password=${file:FILE}");
}

const struct weir_conf *
tls_conf_nth(const struct weir_conf *block, const char *name, unsigned i)
{
    const struct weir_conf *l = conf_find(block, name);

    while (i-- && l)
        l = conf_next(l);
    return l;
}

int
tls_conf_pairs(const struct weir_conf *tls, struct arena *arena, struct tls_pair **pairs, unsigned *n)
{
    const struct weir_conf *cert, *key;
    unsigned room = 0;

    *n = 0;
    for (cert = conf_find(tls, "certificate"); cert; cert = conf_next(cert))
        room++;
    *pairs = arena_zalloc(arena, (room ? room : 1) * sizeof(**pairs));
    cert = conf_find(tls, "certificate");
    key = conf_find(tls, "key");
    for (; cert && key; cert = conf_next(cert), key = conf_next(key))
        (*pairs)[(*n)++] =
            (struct tls_pair){ .certificate = conf_input(cert, conf_arg(cert, 0)).p,
                               .key = conf_input(key, conf_arg(key, 0)).p,
                               .password = conf_opt(key, "password"),
                               .ocsp =
                                   conf_opt_given(cert, "ocsp") ? conf_input(cert, conf_opt(cert, "ocsp")).p : NULL };
    if (cert)
        conf_error(cert, -1, "this certificate has no `key` line of its own");
    else if (key)
        conf_error(key, -1, "this key has no `certificate` line of its own");
    return cert || key ? -1 : 0;
}

void
tls_conf_terms(const struct weir_conf *tls, struct arena *arena, struct tls_terms *terms)
{
    const struct weir_conf *protocols = conf_get(tls, "protocols"), *ciphers = conf_find(tls, "ciphers"),
                           *curves = conf_find(tls, "curves");
    const char **names = arena_alloc(arena, (conf_args(ciphers) + 1) * sizeof(*names));
    struct slice list = SLICE_NONE;

    *terms = (struct tls_terms){ .own_order = conf_get_int(tls, "cipher_order") != 0,
                                 .ciphers = names,
                                 .n_ciphers = conf_args(ciphers) };
    for (unsigned i = 0; i < conf_args(protocols); i++)
        terms->protocols |= conf_int(protocols, i) == 0 ? TLS_1_2 : TLS_1_3;
    for (unsigned i = 0; i < conf_args(ciphers); i++)
        names[i] = conf_arg(ciphers, i).p;
    for (unsigned i = 0; i < conf_args(curves); i++)
        list = arena_printf(arena, "%.*s%s%s", SLICE_FMT(list), i ? ":" : "", conf_arg(curves, i).p);
    terms->curves = list.p;
}

void
tls_conf_report(const struct weir_conf *tls, enum tls_part part, unsigned pair, const struct err *e)
{
    static const char *const names[] = { [TLS_PART_NONE] = NULL,
                                         [TLS_PART_CERTIFICATE] = "certificate",
                                         [TLS_PART_CIPHERS] = "ciphers",
                                         [TLS_PART_CURVES] = "curves",
                                         [TLS_PART_CA] = "ca",
                                         [TLS_PART_TICKETS] = "ticket_keys",
                                         [TLS_PART_CLIENT_CA] = "client_ca",
                                         [TLS_PART_CLIENT_CRL] = "client_crl",
                                         [TLS_PART_CRL] = "crl" };
    const struct weir_conf *line = names[part] ? tls_conf_nth(tls, names[part], pair) : NULL;

    conf_error(line ? line : tls, line ? 0 : -1, "%s", e->text);
}
