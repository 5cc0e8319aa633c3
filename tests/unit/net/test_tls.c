#include "tls_lab.h"

#include "../../../src/net/tls.h"

#include <sys/stat.h>

static struct lab_cert ca, a, b;

static int
setup(void **state)
{
    lab_dir_make();
    lab_cert_make(&ca, "ca", NULL, NULL, 10);
    lab_cert_make(&a, "a", "DNS:a.test", &ca, 10);
    lab_cert_make(&b, "b", "DNS:b.test", &ca, 10);
    return tls_init();
}

static int
teardown(void **state)
{
    lab_cert_drop(&ca);
    lab_cert_drop(&a);
    lab_cert_drop(&b);
    return rmdir(lab_dir);
}

static void
server_refused(const char *certificate, const char *key, const char *file, const char *why)
{
    struct err e = { 0 };

    assert_null(lab_server_one(certificate, key, &e));
    if (!strstr(e.text, file) || !strstr(e.text, why) || strchr(e.text, '\n'))
        fail_msg("\"%s\" does not name \"%s\" and say \"%s\"", e.text, file, why);
    assert_int_equal(ERR_peek_error(), 0);
}

static void
loads_and_counts(void **state)
{
    struct err e = { 0 };
    struct tls_server *s = lab_server((const struct lab_cert *[]){ &a, &b }, 2, &e);
    struct tls_client *c = lab_client(ca.cert_file, true, &e), *system = lab_client(NULL, true, &e);

    assert_non_null(s);
    assert_non_null(c);
    assert_non_null(system);
    assert_true(tls_server_uses(s, 0) && tls_server_uses(s, 1));
    assert_true(llabs(tls_server_expiry(s, 1) - (int64_t)time(NULL) - 10 * 86400LL) < 600);
    tls_server_hold(s);
    tls_server_put(s);
    tls_server_put(s);
    tls_client_hold(c);
    tls_client_put(c);
    tls_client_put(c);
    tls_client_put(system);
    tls_server_put(NULL);
    tls_client_put(NULL);
}

static void
says_which_file_is_wrong(void **state)
{
    server_refused("/nonexistent/x.crt", a.key_file, "/nonexistent/x.crt", "No such file");
    server_refused(a.cert_file, "/nonexistent/x.key", "/nonexistent/x.key", "No such file");
    server_refused(a.key_file, a.key_file, a.key_file, "not a certificate");
    server_refused(a.cert_file, a.cert_file, a.cert_file, "not a private key");
    server_refused(a.cert_file, b.key_file, b.key_file, "does not belong to the certificate");
    server_refused("/dev/null", a.key_file, "/dev/null", "not a regular file");
}

static void
does_not_wait_for_a_pipe(void **state)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/pipe", lab_dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    server_refused(path, a.key_file, path, "not a regular file");
    server_refused(a.cert_file, path, path, "not a regular file");
    unlink(path);
}

static struct tls_server *
encrypted(const char *key, struct slice password, struct err *e)
{
    struct tls_pair pair = { a.cert_file, key, password };
    struct tls_server_conf c = { .pairs = &pair, .n_pairs = 1 };
    enum tls_part part;
    unsigned at;

    return tls_server_new(&c, e, &part, &at);
}

static void
an_encrypted_key_opens_by_its_passphrase_and_nobody_is_asked(void **state)
{
    struct tls_server *s;
    struct err e = { 0 };
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/secret.key", lab_dir);
    f = fopen(path, "w");
    assert_int_equal(PEM_write_PrivateKey(f, a.key, EVP_aes_128_cbc(), (const unsigned char *)"pass", 4, NULL, NULL),
                     1);
    fclose(f);
    server_refused(a.cert_file, path, path, "no passphrase is given");
    assert_null(encrypted(path, SLICE("pas"), &e));
    assert_non_null(strstr(e.text, "does not open the key"));
    assert_null(strstr(e.text, "pas "));
    assert_non_null(s = encrypted(path, SLICE("pass"), &e));
    tls_server_put(s);
    assert_non_null(s = encrypted(a.key_file, SLICE("not needed"), &e));
    tls_server_put(s);
    assert_int_equal(ERR_peek_error(), 0);
    unlink(path);
}

static void
says_which_pair_is_wrong(void **state)
{
    struct tls_pair pairs[] = { { .certificate = a.cert_file, .key = a.key_file },
                                { .certificate = b.cert_file, .key = a.key_file } };
    struct tls_server_conf c = { .pairs = pairs, .n_pairs = 2 };
    struct err e = { 0 };
    enum tls_part part;
    unsigned pair;

    assert_null(tls_server_new(&c, &e, &part, &pair));
    assert_int_equal(part, TLS_PART_CERTIFICATE);
    assert_int_equal(pair, 1);
    assert_non_null(strstr(e.text, "does not belong"));
}

static void
a_certificate_that_nobody_can_ask_for_is_known(void **state)
{
    struct err e = { 0 };
    struct tls_server *s = lab_server((const struct lab_cert *[]){ &a, &b, &a }, 3, &e);

    assert_non_null(s);
    assert_true(tls_server_uses(s, 0) && tls_server_uses(s, 1) && !tls_server_uses(s, 2));
    tls_server_put(s);
}

static enum tls_part
terms_refused(struct tls_terms terms, const char *why)
{
    struct tls_client_conf c = { .terms = terms };
    struct err e = { 0 };
    enum tls_part part;

    assert_null(tls_client_new(&c, &e, &part));
    if (!strstr(e.text, why))
        fail_msg("\"%s\" does not say \"%s\"", e.text, why);
    assert_int_equal(ERR_peek_error(), 0);
    return part;
}

static void
ciphers_and_curves_that_do_not_exist_are_refused(void **state)
{
    static const char *const good[] = { "ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
                                        "TLS_AES_128_GCM_SHA256" };
    static const char *const bad[] = { "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA" };
    static const char *const bad_suite[] = { "TLS_AES_512_GCM_SHA256" }, *const operator[] = { "!aNULL" };
    static const char *const weak[] = { "RC4-MD5" };
    struct tls_client_conf c = { .terms = { .ciphers = good, .n_ciphers = 3, .curves = "P-521:X25519" } };
    struct tls_client *t;
    struct err e = { 0 };
    enum tls_part part;

    assert_non_null(t = tls_client_new(&c, &e, &part));
    tls_client_put(t);
    assert_int_equal(terms_refused((struct tls_terms){ .ciphers = bad, .n_ciphers = 2 }, "GCM-SHA`"),
                     TLS_PART_CIPHERS);
    terms_refused((struct tls_terms){ .ciphers = bad_suite, .n_ciphers = 1 }, "TLS_AES_512");
    terms_refused((struct tls_terms){ .ciphers = operator, .n_ciphers = 1 }, "!aNULL");
    terms_refused((struct tls_terms){ .ciphers = weak, .n_ciphers = 1 }, "RC4-MD5");
    assert_int_equal(terms_refused((struct tls_terms){ .curves = "P-257" }, "curves"), TLS_PART_CURVES);
}

static void
says_what_is_wrong_with_a_ca_file(void **state)
{
    struct err e = { 0 };

    assert_null(lab_client("/nonexistent/ca.pem", true, &e));
    assert_non_null(strstr(e.text, "/nonexistent/ca.pem"));
    assert_null(lab_client(a.key_file, true, &e));
    assert_non_null(strstr(e.text, a.key_file));
    assert_non_null(strstr(e.text, "no CA certificates"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_and_counts),
        cmocka_unit_test(says_which_file_is_wrong),
        cmocka_unit_test(does_not_wait_for_a_pipe),
        cmocka_unit_test(an_encrypted_key_opens_by_its_passphrase_and_nobody_is_asked),
        cmocka_unit_test(says_which_pair_is_wrong),
        cmocka_unit_test(a_certificate_that_nobody_can_ask_for_is_known),
        cmocka_unit_test(ciphers_and_curves_that_do_not_exist_are_refused),
        cmocka_unit_test(says_what_is_wrong_with_a_ca_file),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
