#include "tls_ticket.h"

#include "../base/clock.h"
#include "../base/grant.h"
#include "../base/xalloc.h"

#include <endian.h>
#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define ROTATE_EVERY (6 * 3600 * NSEC_PER_SEC)
#define ROTATED_KEPT 3 /* the one in use, and those whose tickets may still be young enough */
#define NAME_LEN 16
#define KEY_LEN 32
#define IV_LEN 16 /* of AES in CBC */
#define LINE_LEN (2 * (NAME_LEN + 2 * KEY_LEN))

struct ticket_key { /* in the order of the file */
    unsigned char name[NAME_LEN], cipher[KEY_LEN], mac[KEY_LEN];
};

struct tls_tickets {
    atomic_uint refs;
    bool rotates;
    pthread_mutex_t lock;                        /* of what follows, where it rotates */
    nsec_t made;                                 /* keys[0] */
    struct ticket_key keys[TLS_TICKET_KEYS_MAX]; /* the first seals */
    unsigned n;
};

/* ------------------------------------------------------------------ keys */

/* Under the lock. False: no randomness; nothing is changed then. */
static bool
draw(struct tls_tickets *t, nsec_t now)
{
    struct ticket_key fresh;

    if (RAND_bytes(fresh.name, NAME_LEN) != 1 || RAND_priv_bytes(fresh.cipher, KEY_LEN) != 1 ||
        RAND_priv_bytes(fresh.mac, KEY_LEN) != 1)
        return false;
    if (t->n < ROTATED_KEPT)
        t->n++;
    memmove(&t->keys[1], &t->keys[0], (t->n - 1) * sizeof(t->keys[0]));
    t->keys[0] = fresh;
    t->made = now;
    OPENSSL_cleanse(&fresh, sizeof(fresh));
    return true;
}

/* The key for sealing (name NULL), or the one of that name; *newest: it is the one for sealing. */
static bool
key_find(struct tls_tickets *t, const unsigned char *name, struct ticket_key *key, bool *newest)
{
    unsigned i = 0;
    bool found;

    if (t->rotates) {
        pthread_mutex_lock(&t->lock);
        if (t->n == 0 || clock_now() - t->made >= ROTATE_EVERY)
            draw(t, clock_now());
    }
    while (name && i < t->n && memcmp(t->keys[i].name, name, NAME_LEN) != 0)
        i++;
    found = i < t->n;
    if (found)
        *key = t->keys[i];
    *newest = i == 0;
    if (t->rotates)
        pthread_mutex_unlock(&t->lock);
    return found;
}

static int
digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The parts of a key lie one behind the other, as they do in a line. */
static bool
parse_line(const char *line, struct ticket_key *key)
{
    unsigned char *out = (unsigned char *)key;

    if (strlen(line) != LINE_LEN)
        return false;
    for (size_t i = 0; i < LINE_LEN; i += 2) {
        int high = digit((unsigned char)line[i]), low = digit((unsigned char)line[i + 1]);

        if (high < 0 || low < 0)
            return false;
        *out++ = (unsigned char)(high << 4 | low);
    }
    return true;
}

static int
read_keys(struct tls_tickets *t, const char *file, FILE *f, struct err *e)
{
    char line[512];
    unsigned number = 0;

    while (fgets(line, sizeof(line), f)) {
        number++;
        line[strcspn(line, "\r\n")] = '\0';
        if (!line[0] || line[0] == '#')
            continue;
        if (t->n == TLS_TICKET_KEYS_MAX)
            return err_set(e, ERR_TLS, "%s: more than %d keys", file, TLS_TICKET_KEYS_MAX);
        if (!parse_line(line, &t->keys[t->n++]))
            return err_set(e, ERR_TLS, "%s: line %u is no key: 160 hexadecimal digits, as `openssl rand -hex 80` makes",
                           file, number);
    }
    OPENSSL_cleanse(line, sizeof(line));
    return t->n ? 0 : err_set(e, ERR_TLS, "%s: there is no key in it: `openssl rand -hex 80` makes one", file);
}

static struct tls_tickets *
from_file(const char *file, struct err *e)
{
    struct tls_tickets *t;
    char room[GRANT_NAME_MAX];
    FILE *f;
    int rc;

    if (!tls_readable(file, "file of ticket keys", e))
        return NULL;
    f = fopen(grant_name(file, room), "re");
    if (!f) {
        err_errno(e, "%s: the file of ticket keys cannot be read", file);
        return NULL;
    }
    t = xcalloc(1, sizeof(*t));
    t->refs = 1;
    setvbuf(f, NULL, _IONBF, 0); /* no copy of the keys stays in a buffer */
    rc = read_keys(t, file, f, e);
    fclose(f);
    if (rc == 0)
        return t;
    tls_tickets_put(t);
    return NULL;
}

struct tls_tickets *
tls_tickets_get(const char *file, struct err *e)
{
    static struct tls_tickets own = { .refs = 1, .rotates = true, .lock = PTHREAD_MUTEX_INITIALIZER };

    if (file)
        return from_file(file, e);
    atomic_fetch_add_explicit(&own.refs, 1, memory_order_relaxed);
    return &own;
}

void
tls_tickets_put(struct tls_tickets *t)
{
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    OPENSSL_cleanse(t->keys, sizeof(t->keys));
    free(t);
}

/* ------------------------------------------------------------------ OpenSSL's questions */

static EVP_CIPHER *cipher;

static void
fetch_cipher(void)
{
    cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL); /* once: OpenSSL's own look-up takes a lock */
}

static int
set_up(const struct ticket_key *key, unsigned char *iv, EVP_CIPHER_CTX *c, EVP_MAC_CTX *m, int sealing)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->mac, KEY_LEN),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    pthread_once(&once, fetch_cipher);
    return cipher && EVP_MAC_CTX_set_params(m, params) == 1 &&
           EVP_CipherInit_ex2(c, cipher, key->cipher, iv, sealing, NULL) == 1;
}

/* 0: a whole handshake; 1: go on; 2: go on, and give out a new one, as each is for one connection with TLS 1.3 (RFC
 * 8446 C.4); -1: broken. */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *c, EVP_MAC_CTX *m, int sealing)
{
    struct tls_tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct ticket_key key;
    bool newest;
    int ok;

    if (!key_find(t, sealing ? NULL : name, &key, &newest))
        return sealing ? -1 : 0;
    if (sealing) {
        memcpy(name, key.name, NAME_LEN);
        if (RAND_bytes(iv, IV_LEN) != 1)
            return -1;
    }
    ok = set_up(&key, iv, c, m, sealing);
    OPENSSL_cleanse(&key, sizeof(key));
    if (!ok)
        return -1;
    return newest && SSL_version(ssl) != TLS1_3_VERSION ? 1 : 2;
}

/* Of a session whose whole handshake was then, in seconds since 1970: it is not to outlive what its client was verified
 * by. */
static int64_t
session_end(const SSL *ssl, SSL_SESSION *s, int64_t begun, const struct tls_server *t)
{
    int64_t end = begun + SSL_CTX_get_timeout(SSL_get_SSL_CTX(ssl));
    const X509 *cert = SSL_SESSION_get0_peer(s);
    int64_t expiry = cert ? tls_time(X509_get0_notAfter(cert)) : 0;

    if (expiry && expiry < end)
        end = expiry;
    if (cert && t->crl_end && t->crl_end < end)
        end = t->crl_end;
    return end;
}

/* When its whole handshake was goes with the session from ticket to ticket, in the byte order of no machine: others may
 * have the keys. 0: it says nothing. */
static int64_t
get_begin(SSL_SESSION *s)
{
    void *kept = NULL;
    uint64_t begun;
    size_t n = 0;

    if (SSL_SESSION_get0_ticket_appdata(s, &kept, &n) != 1 || n != sizeof(begun))
        return 0;
    memcpy(&begun, kept, n);
    return (int64_t)be64toh(begun);
}

static int
on_new_ticket(SSL *ssl, void *arg)
{
    SSL_SESSION *s = SSL_get_session(ssl);
    int64_t now = SSL_SESSION_get_time(s), begun = get_begin(s), end;
    uint64_t kept = htobe64((uint64_t)now);

    if (!begun && SSL_SESSION_set1_ticket_appdata(s, &kept, sizeof(kept)) != 1)
        return 0;
    end = session_end(ssl, s, begun ? begun : now, arg);
    SSL_SESSION_set_timeout(s, end > now ? (long)(end - now) : 1); /* OpenSSL cannot seal a session of none */
    return 1;
}

static SSL_TICKET_RETURN
on_opened(SSL *ssl, SSL_SESSION *s, const unsigned char *name, size_t n, SSL_TICKET_STATUS status, void *arg)
{
    int64_t now = clock_wall() / NSEC_PER_SEC;

    (void)name, (void)n;
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    if (session_end(ssl, s, get_begin(s), arg) <= now)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

void
tls_tickets_use(struct tls_server *t, SSL_CTX *ctx, int64_t lifetime)
{
    SSL_CTX_set_app_data(ctx, t->tickets);
    SSL_CTX_set_timeout(ctx, (long)(lifetime ? lifetime : TLS_TICKET_LIFETIME));
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
    SSL_CTX_set_session_ticket_cb(ctx, on_new_ticket, on_opened, t);
}
