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

    assert_null(tls_server_new(certificate, key, &e));
    if (!strstr(e.text, file) || !strstr(e.text, why) || strchr(e.text, '\n'))
        fail_msg("\"%s\" does not name \"%s\" and say \"%s\"", e.text, file, why);
    assert_int_equal(ERR_peek_error(), 0);
}

static void
loads_and_counts(void **state)
{
    struct err e = { 0 };
    struct tls_server *s = tls_server_new(a.cert_file, a.key_file, &e);
    struct tls_client *c = tls_client_new(ca.cert_file, true, &e), *system = tls_client_new(NULL, true, &e);

    assert_non_null(s);
    assert_non_null(c);
    assert_non_null(system);
    assert_int_equal(tls_server_add(s, b.cert_file, b.key_file, &e), 0);
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

static void
an_encrypted_key_is_refused_without_asking(void **state)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/secret.key", lab_dir);
    f = fopen(path, "w");
    assert_int_equal(PEM_write_PrivateKey(f, a.key, EVP_aes_128_cbc(), (const unsigned char *)"pass", 4, NULL, NULL),
                     1);
    fclose(f);
    server_refused(a.cert_file, path, path, "without a passphrase");
    unlink(path);
}

static void
a_failed_add_changes_nothing(void **state)
{
    struct err e = { 0 };
    struct tls_server *s = tls_server_new(a.cert_file, a.key_file, &e);

    assert_int_equal(tls_server_add(s, b.cert_file, a.key_file, &e), -1);
    assert_non_null(strstr(e.text, "does not belong"));
    tls_server_put(s);
}

static void
says_what_is_wrong_with_a_ca_file(void **state)
{
    struct err e = { 0 };

    assert_null(tls_client_new("/nonexistent/ca.pem", true, &e));
    assert_non_null(strstr(e.text, "/nonexistent/ca.pem"));
    assert_null(tls_client_new(a.key_file, true, &e));
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
        cmocka_unit_test(an_encrypted_key_is_refused_without_asking),
        cmocka_unit_test(a_failed_add_changes_nothing),
        cmocka_unit_test(says_what_is_wrong_with_a_ca_file),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
