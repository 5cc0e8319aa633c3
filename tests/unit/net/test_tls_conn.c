#include "tls_lab.h"

#include "../../../src/base/log.h"
#include "../../../src/net/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

static struct lab_cert ca, a, wild, ip, expired, lonely;
static struct loop *loop;

static int
group_setup(void **state)
{
    log_set_level(LOG_LVL_ERROR);
    lab_dir_make();
    lab_cert_make(&ca, "ca", NULL, NULL, 10);
    lab_cert_make(&a, "a", "DNS:a.test", &ca, 10);
    lab_cert_make(&wild, "wild", "DNS:*.w.test", &ca, 10);
    lab_cert_make(&ip, "ip", "IP:127.0.0.1", &ca, 10);
    lab_cert_make(&expired, "expired", "DNS:a.test", &ca, -2);
    lab_cert_make(&lonely, "lonely", "DNS:a.test", NULL, 10);
    return tls_init();
}

static int
group_teardown(void **state)
{
    lab_cert_drop(&ca);
    lab_cert_drop(&a);
    lab_cert_drop(&wild);
    lab_cert_drop(&ip);
    lab_cert_drop(&expired);
    lab_cert_drop(&lonely);
    return rmdir(lab_dir);
}

static int
setup(void **state)
{
    loop = loop_new("test");
    return loop ? 0 : -1;
}

static int
teardown(void **state)
{
    loop_free(loop);
    return 0;
}

/* ------------------------------------------------------------------ both ends by weir, on one loop */

struct end {
    struct conn *c;
    unsigned told;
    bool greedy;
    size_t got; /* bytes read */
    size_t sent, to_send;
    bool content_wrong;
    ssize_t last;
};

static unsigned char
byte_at(size_t i)
{
    return (unsigned char)(i * 7 + i / 251);
}

static void
end_read(struct end *e)
{
    unsigned char buf[5000];

    while ((e->last = conn_read(e->c, buf, sizeof(buf))) > 0)
        for (ssize_t i = 0; i < e->last; i++)
            if (buf[i] != byte_at(e->got++))
                e->content_wrong = true;
}

/* As a session does: the front of its queue, in pieces of odd sizes. */
static void
end_write(struct end *e)
{
    static unsigned char data[1 << 16];
    struct iovec iov[3];
    size_t n;
    ssize_t r;

    while (e->sent < e->to_send) {
        n = e->to_send - e->sent < sizeof(data) ? e->to_send - e->sent : sizeof(data);
        for (size_t i = 0; i < n; i++)
            data[i] = byte_at(e->sent + i);
        iov[0] = (struct iovec){ data, n / 3 };
        iov[1] = (struct iovec){ data + n / 3, 0 };
        iov[2] = (struct iovec){ data + n / 3, n - n / 3 };
        r = conn_writev(e->c, iov, 3);
        if (r < 0)
            return;
        e->sent += (size_t)r;
    }
}

static void
on_ready(struct conn *c, unsigned events)
{
    struct end *e = c->owner;

    e->told |= events;
    if (e->greedy && (events & CONN_READABLE))
        end_read(e);
    if (events & CONN_WRITABLE)
        end_write(e);
}

static bool
told(void *arg)
{
    return ((struct end *)arg)->told != 0;
}

static bool
ended(void *arg)
{
    struct end *e = arg;

    return e->last == CONN_EOF || e->last == CONN_ERROR;
}

static void
turns(unsigned n)
{
    bool yes = true;

    while (n--)
        lab_run(loop, lab_flag, &yes);
}

struct pair {
    struct tls_server *server;
    struct tls_client *client;
    struct end up, down; /* up: the client's end */
};

static void
pair_open(struct pair *p, const struct lab_cert *cert, const char *ca_file, bool verify, const char *name)
{
    struct err e = { 0 };
    struct addr at;
    int l = lab_listen(&at), fd;

    memset(p, 0, sizeof(*p));
    p->server = lab_server_one(cert->cert_file, cert->key_file, &e);
    assert_non_null(p->server);
    p->client = lab_client(ca_file, verify, &e);
    assert_non_null(p->client);
    p->up.c = conn_connect(loop, &at, p->client, slice_str(name), &e);
    assert_non_null(p->up.c);
    conn_attach(p->up.c, on_ready, &p->up);
    fd = accept(l, NULL, NULL);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    close(l);
    p->down.c = conn_accepted(loop, fd, &at, &at, p->server);
    conn_attach(p->down.c, on_ready, &p->down);
}

static void
pair_close(struct pair *p)
{
    conn_close(p->up.c);
    conn_close(p->down.c);
    turns(1);
    tls_server_put(p->server);
    tls_client_put(p->client);
    assert_int_equal(ERR_peek_error(), 0);
}

static void
shakes_hands_and_moves_bytes(void **state)
{
    struct pair p;

    pair_open(&p, &a, ca.cert_file, true, "a.test");
    assert_int_equal(conn_read(p.down.c, &p, 0), CONN_AGAIN);
    lab_run(loop, told, &p.up);
    lab_run(loop, told, &p.down);
    assert_false(p.up.c->broken);
    assert_false(p.down.c->broken);
    assert_string_equal(conn_alpn(p.up.c), "http/1.1");
    assert_string_equal(conn_alpn(p.down.c), "http/1.1");
    p.down.greedy = p.up.greedy = true;
    p.up.to_send = p.down.to_send = 100;
    end_write(&p.up);
    end_write(&p.down);
    assert_int_equal(p.up.sent, 100);
    while (p.down.got < 100 || p.up.got < 100)
        turns(1);
    assert_false(p.down.content_wrong || p.up.content_wrong);
    pair_close(&p);
}

static void
verify_fails(const struct lab_cert *cert, const char *ca_file, const char *name, const char *why)
{
    struct pair p;

    pair_open(&p, cert, ca_file, true, name);
    lab_run(loop, told, &p.up);
    assert_true(p.up.c->broken);
    assert_int_equal(conn_error_kind(p.up.c), ERR_TLS);
    if (strncmp(conn_error(p.up.c), "certificate verify failed: ", 27) != 0 || !strstr(conn_error(p.up.c), why))
        fail_msg("\"%s\" does not say \"%s\"", conn_error(p.up.c), why);
    lab_run(loop, told, &p.down); /* the server is told by an alert */
    while (!p.down.c->broken && conn_read(p.down.c, &p.down.told, 1) == CONN_AGAIN)
        turns(1);
    assert_true(p.down.c->broken);
    pair_close(&p);
}

static void
verify_passes(const struct lab_cert *cert, const char *ca_file, bool verify, const char *name)
{
    struct pair p;

    pair_open(&p, cert, ca_file, verify, name);
    lab_run(loop, told, &p.up);
    if (p.up.c->broken)
        fail_msg("%s: %s", name, conn_error(p.up.c));
    pair_close(&p);
}

static void
verifies(void **state)
{
    verify_passes(&a, ca.cert_file, true, "A.TEST");
    verify_passes(&wild, ca.cert_file, true, "one.w.test");
    verify_passes(&ip, ca.cert_file, true, "127.0.0.1");
    verify_passes(&ip, ca.cert_file, true, ""); /* the address itself */
    verify_passes(&lonely, lonely.cert_file, true, "a.test");
    verify_passes(&lonely, NULL, false, "other.test");
    verify_fails(&lonely, ca.cert_file, "a.test", "self-signed certificate");
    verify_fails(&a, ca.cert_file, "b.test", "hostname mismatch");
    verify_fails(&wild, ca.cert_file, "w.test", "hostname mismatch");
    verify_fails(&wild, ca.cert_file, "x.one.w.test", "hostname mismatch");
    verify_fails(&a, ca.cert_file, "127.0.0.1", "IP address mismatch");
    verify_fails(&a, ca.cert_file, "", "IP address mismatch");
    verify_fails(&expired, ca.cert_file, "a.test", "expired");
    verify_fails(&a, lonely.cert_file, "a.test", "unable to get local issuer");
}

/* Far more than the socket holds, with a reader that begins late: the record that was refused must come out whole and
 * once. */
static void
large_transfers_survive_back_pressure(void **state)
{
    struct pair p;

    pair_open(&p, &a, ca.cert_file, true, "a.test");
    lab_run(loop, told, &p.up);
    lab_run(loop, told, &p.down);
    p.up.to_send = p.down.to_send = 24u << 20;
    end_write(&p.up);
    end_write(&p.down);
    assert_true(p.up.sent < p.up.to_send);
    assert_false(p.up.c->ready & CONN_WRITABLE);
    turns(3);
    p.up.greedy = p.down.greedy = true;
    conn_kick(p.up.c, CONN_READABLE);
    conn_kick(p.down.c, CONN_READABLE);
    for (int i = 0; i < 5000 && (p.down.got < p.up.to_send || p.up.got < p.down.to_send); i++)
        turns(1);
    assert_int_equal(p.down.got, p.up.to_send);
    assert_int_equal(p.up.got, p.down.to_send);
    assert_false(p.down.content_wrong || p.up.content_wrong);
    pair_close(&p);
}

/* The bit that saves a read has to know of bytes that OpenSSL holds back. */
static void
readable_counts_what_is_decrypted_already(void **state)
{
    struct pair p;
    char buf[100];

    pair_open(&p, &a, ca.cert_file, true, "a.test");
    lab_run(loop, told, &p.up);
    lab_run(loop, told, &p.down);
    assert_int_equal(conn_read(p.down.c, buf, 100), CONN_AGAIN);
    p.up.to_send = 100;
    end_write(&p.up);
    p.down.told = 0;
    lab_run(loop, told, &p.down);
    assert_int_equal(conn_read(p.down.c, buf, 10), 10);
    assert_true(p.down.c->ready & CONN_READABLE);
    assert_int_equal(conn_read(p.down.c, buf, 100), 90);
    assert_false(p.down.c->ready & CONN_READABLE);
    pair_close(&p);
}

static void
close_notify_is_an_orderly_end(void **state)
{
    struct pair p;

    pair_open(&p, &a, ca.cert_file, true, "a.test");
    lab_run(loop, told, &p.up);
    lab_run(loop, told, &p.down);
    p.up.greedy = p.down.greedy = true;
    p.up.to_send = 10;
    end_write(&p.up);
    conn_shutdown(p.up.c);
    lab_run(loop, ended, &p.down);
    assert_int_equal(p.down.last, CONN_EOF);
    assert_int_equal(p.down.got, 10);
    p.down.to_send = 20; /* the other direction is still open */
    end_write(&p.down);
    while (p.up.got < 20)
        turns(1);
    pair_close(&p);
}

static void
closing_tells_the_peer(void **state)
{
    struct pair p;

    pair_open(&p, &a, ca.cert_file, true, "a.test");
    lab_run(loop, told, &p.up);
    lab_run(loop, told, &p.down);
    p.down.greedy = true;
    conn_close(p.up.c);
    lab_run(loop, ended, &p.down);
    assert_int_equal(p.down.last, CONN_EOF);
    p.up.c = p.down.c; /* pair_close closes twice: the second is nothing */
    pair_close(&p);
}

/* A FIN without close_notify may be an attacker's cut (RFC 8446 6.1). */
static void
a_cut_is_an_error(void **state)
{
    struct pair p;

    pair_open(&p, &a, ca.cert_file, true, "a.test");
    lab_run(loop, told, &p.up);
    lab_run(loop, told, &p.down);
    p.down.greedy = true;
    shutdown(p.up.c->watch.fd, SHUT_WR);
    lab_run(loop, ended, &p.down);
    assert_int_equal(p.down.last, CONN_ERROR);
    assert_int_equal(conn_error_kind(p.down.c), ERR_CLOSED);
    assert_non_null(strstr(conn_error(p.down.c), "without ending TLS"));
    pair_close(&p);
}

static void
lingering_ends_with_the_peer(void **state)
{
    struct pair p;
    int fd;

    pair_open(&p, &a, ca.cert_file, true, "a.test");
    lab_run(loop, told, &p.up);
    lab_run(loop, told, &p.down);
    p.up.greedy = true;
    p.down.to_send = 1000;
    end_write(&p.down);
    fd = p.down.c->watch.fd;
    conn_linger(p.down.c);
    lab_run(loop, ended, &p.up);
    assert_int_equal(p.up.last, CONN_EOF);
    assert_int_equal(p.up.got, 1000);
    conn_close(p.up.c);
    turns(5);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    tls_server_put(p.server);
    tls_client_put(p.client);
}

static void
one_that_is_not_tls_breaks_the_handshake(void **state)
{
    struct err e = { 0 };
    struct tls_server *server = lab_server_one(a.cert_file, a.key_file, &e);
    struct end down = { 0 };
    struct addr at;
    int l = lab_listen(&at), peer = lab_dial(&at), fd = accept(l, NULL, NULL);
    static const char text[] = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

    fcntl(fd, F_SETFL, O_NONBLOCK);
    down.c = conn_accepted(loop, fd, &at, &at, server);
    conn_attach(down.c, on_ready, &down);
    assert_int_equal(write(peer, text, sizeof(text) - 1), sizeof(text) - 1);
    lab_run(loop, told, &down);
    assert_true(down.c->broken);
    assert_int_equal(conn_error_kind(down.c), ERR_TLS);
    assert_non_null(strstr(conn_error(down.c), "http request"));
    assert_int_equal(conn_writev(down.c, &(struct iovec){ NULL, 0 }, 1), CONN_ERROR);
    conn_linger(down.c); /* closes */
    close(peer);
    close(l);
    turns(1);
    tls_server_put(server);
}

static void
closing_in_the_middle_of_the_handshake(void **state)
{
    struct err e = { 0 };
    struct tls_server *server = lab_server_one(a.cert_file, a.key_file, &e);
    struct end down = { 0 };
    struct addr at;
    int l = lab_listen(&at), peer = lab_dial(&at), fd = accept(l, NULL, NULL);

    fcntl(fd, F_SETFL, O_NONBLOCK);
    down.c = conn_accepted(loop, fd, &at, &at, server);
    conn_attach(down.c, on_ready, &down);
    tls_server_put(server); /* the conn holds its own */
    turns(2);
    assert_int_equal(down.told, 0);
    close(peer);
    lab_run(loop, told, &down);
    assert_true(down.c->broken);
    assert_int_equal(conn_error_kind(down.c), ERR_CLOSED);
    conn_close(down.c);
    close(l);
    turns(1);
}

static void
a_name_is_wanted_over_unix(void **state)
{
    struct err e = { 0 };
    struct tls_client *client = lab_client(ca.cert_file, true, &e);
    char path[96], text[128];
    struct addr at;
    struct sockaddr_storage sa;
    socklen_t len;
    int l = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(path, sizeof(path), "%s/s", lab_dir);
    snprintf(text, sizeof(text), "unix:%s", path);
    at = lab_addr(text);
    len = addr_sockaddr(&at, &sa);
    assert_int_equal(bind(l, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(l, 1), 0);
    assert_null(conn_connect(loop, &at, client, SLICE_NONE, &e));
    assert_non_null(strstr(e.text, "needs a server name"));
    close(l);
    unlink(path);
    turns(1);
    tls_client_put(client);
}

/* ------------------------------------------------------------------ a foreign client on a thread */

struct foreign {
    struct addr at;
    const char *sni;
    const char *alpn; /* wire form */
    int max_version;
    bool renegotiate;
    bool offered;    /* the server knows h2 */
    char agreed[16]; /* as conn_alpn says */
    char subject[64];
    char chosen[16];
    int version;
    bool ok, renegotiated;
    pthread_t thread;
    bool done;
};

static void
foreign_talk(struct foreign *f, SSL *ssl)
{
    const unsigned char *name;
    unsigned n;
    X509 *cert;
    char c;

    SSL_get0_alpn_selected(ssl, &name, &n);
    snprintf(f->chosen, sizeof(f->chosen), "%.*s", (int)n, name ? (const char *)name : "");
    cert = SSL_get0_peer_certificate(ssl);
    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, f->subject, sizeof(f->subject));
    f->version = SSL_version(ssl);
    if (f->renegotiate)
        f->renegotiated = SSL_renegotiate(ssl) == 1 && SSL_do_handshake(ssl) == 1;
    else
        f->ok = SSL_write(ssl, "\x00\x07", 2) == 2 && SSL_read(ssl, &c, 1) == 1 && c == 0;
}

static void *
foreign_main(void *arg)
{
    struct foreign *f = arg;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    int fd = lab_dial(&f->at);
    struct timeval tv = { 5, 0 };

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    SSL_set_fd(ssl, fd);
    if (f->sni)
        SSL_set_tlsext_host_name(ssl, f->sni);
    if (f->alpn)
        SSL_set_alpn_protos(ssl, (const unsigned char *)f->alpn, (unsigned)strlen(f->alpn));
    if (f->max_version)
        SSL_set_max_proto_version(ssl, f->max_version);
    if (SSL_connect(ssl) == 1)
        foreign_talk(f, ssl);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
    __atomic_store_n(&f->done, true, __ATOMIC_RELEASE);
    return NULL;
}

static bool
foreign_done(void *arg)
{
    return __atomic_load_n(&((struct foreign *)arg)->done, __ATOMIC_ACQUIRE);
}

/* One connection of `f` to a server with two certificates, which answers one byte. */
static void
foreign_run(struct foreign *f)
{
    struct err e = { 0 };
    struct tls_server *server = lab_server((const struct lab_cert *[]){ &a, &wild }, 2, &e);
    struct end down = { .greedy = true, .to_send = 1 };
    int l = lab_listen(&f->at), fd;

    if (f->offered)
        tls_server_offer_h2(server);
    assert_int_equal(pthread_create(&f->thread, NULL, foreign_main, f), 0);
    fd = accept(l, NULL, NULL);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    down.c = conn_accepted(loop, fd, &f->at, &f->at, server);
    conn_attach(down.c, on_ready, &down);
    lab_run(loop, foreign_done, f);
    pthread_join(f->thread, NULL);
    assert_false(down.content_wrong);
    snprintf(f->agreed, sizeof(f->agreed), "%s", conn_alpn(down.c));
    conn_close(down.c);
    close(l);
    turns(1);
    tls_server_put(server);
    assert_int_equal(ERR_peek_error(), 0);
}

static void
sni_chooses_the_certificate(void **state)
{
    struct foreign named = { .sni = "x.w.test" }, unknown = { .sni = "other.test" }, none = { 0 },
                   upper = { .sni = "Y.W.TEST" };

    foreign_run(&named);
    assert_true(named.ok);
    assert_string_equal(named.subject, "wild");
    foreign_run(&upper);
    assert_string_equal(upper.subject, "wild");
    foreign_run(&unknown);
    assert_true(unknown.ok);
    assert_string_equal(unknown.subject, "a");
    foreign_run(&none);
    assert_string_equal(none.subject, "a");
}

static void
alpn_agrees_or_refuses(void **state)
{
    struct foreign both = { .alpn = "\x02h2\x08http/1.1" }, h2 = { .alpn = "\x02h2" },
                   on_second = { .sni = "x.w.test", .alpn = "\x02h2" };

    foreign_run(&both);
    assert_true(both.ok);
    assert_string_equal(both.chosen, "http/1.1");
    foreign_run(&h2);
    assert_false(h2.ok);
    foreign_run(&on_second);
    assert_false(on_second.ok);
}

static void
h2_is_agreed_where_it_is_offered(void **state)
{
    struct foreign both = { .alpn = "\x08http/1.1\x02h2", .offered = true },
                   old = { .alpn = "\x08http/1.1", .offered = true }, none = { .offered = true },
                   on_second = { .sni = "x.w.test", .alpn = "\x02h2", .offered = true };

    foreign_run(&both);
    assert_true(both.ok);
    assert_string_equal(both.chosen, "h2");
    assert_string_equal(both.agreed, "h2");
    foreign_run(&old);
    assert_string_equal(old.agreed, "http/1.1");
    foreign_run(&none);
    assert_true(none.ok);
    assert_string_equal(none.agreed, "");
    foreign_run(&on_second);
    assert_string_equal(on_second.agreed, "h2");
}

static void
old_versions_are_refused(void **state)
{
    struct foreign now = { 0 }, tls12 = { .max_version = TLS1_2_VERSION }, tls11 = { .max_version = TLS1_1_VERSION };

    foreign_run(&now);
    assert_int_equal(now.version, TLS1_3_VERSION);
    foreign_run(&tls12);
    assert_true(tls12.ok);
    assert_int_equal(tls12.version, TLS1_2_VERSION);
    foreign_run(&tls11);
    assert_false(tls11.ok);
}

static void
renegotiation_is_refused(void **state)
{
    struct foreign f = { .max_version = TLS1_2_VERSION, .renegotiate = true };

    foreign_run(&f);
    assert_int_equal(f.version, TLS1_2_VERSION);
    assert_false(f.renegotiated);
}

#define on_loop(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        on_loop(shakes_hands_and_moves_bytes),
        on_loop(verifies),
        on_loop(large_transfers_survive_back_pressure),
        on_loop(readable_counts_what_is_decrypted_already),
        on_loop(close_notify_is_an_orderly_end),
        on_loop(closing_tells_the_peer),
        on_loop(a_cut_is_an_error),
        on_loop(lingering_ends_with_the_peer),
        on_loop(one_that_is_not_tls_breaks_the_handshake),
        on_loop(closing_in_the_middle_of_the_handshake),
        on_loop(a_name_is_wanted_over_unix),
        on_loop(sni_chooses_the_certificate),
        on_loop(alpn_agrees_or_refuses),
        on_loop(h2_is_agreed_where_it_is_offered),
        on_loop(old_versions_are_refused),
        on_loop(renegotiation_is_refused),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
