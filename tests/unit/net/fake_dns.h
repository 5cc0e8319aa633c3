/* fake_dns: a DNS server on a thread, on UDP and TCP of one loopback port, for one name whose answer the test sets. */
#ifndef FAKE_DNS_H
#define FAKE_DNS_H

#include "netlab.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FAKE_DNS_NOERROR 0
#define FAKE_DNS_SERVFAIL 2
#define FAKE_DNS_NXDOMAIN 3

struct fake_answer {
    int rcode;
    int ttl;
    const char *ipv4[4], *ipv6[4];
    unsigned many; /* so many further IPv4 addresses 10.9.0.x */
    bool truncate; /* UDP says "ask by TCP" */
    bool silent;
};

struct fake_dns {
    pthread_t thread;
    pthread_mutex_t lock;
    struct fake_answer answer; /* for "svc.test" and below */
    unsigned queries;
    char asked[256]; /* the last name asked for */
    char odd[256];   /* a name asked for that is not below "test" */
    int udp, tcp, stop[2];
    char at[32]; /* "127.0.0.1:PORT" */
};

static inline size_t
fake_put_record(unsigned char *p, int type, int ttl, const void *data, size_t n)
{
    unsigned char head[12] = {
        0xc0, 12, 0, (unsigned char)type, 0, 1, 0, 0, (unsigned char)(ttl >> 8), (unsigned char)ttl, 0, (unsigned char)n
    };

    memcpy(p, head, 12);
    memcpy(p + 12, data, n);
    return 12 + n;
}

static inline unsigned
fake_put_answers(const struct fake_answer *a, int type, unsigned char *out, size_t *n)
{
    unsigned count = 0;
    unsigned char ip[16];

    for (int i = 0; i < 4; i++) {
        const char *text = type == 1 ? a->ipv4[i] : a->ipv6[i];

        if (!text || inet_pton(type == 1 ? AF_INET : AF_INET6, text, ip) != 1)
            continue;
        *n += fake_put_record(out + *n, type, a->ttl, ip, type == 1 ? 4 : 16);
        count++;
    }
    for (unsigned i = 0; type == 1 && i < a->many; i++, count++) {
        unsigned char more[4] = { 10, 9, (unsigned char)(i >> 8), (unsigned char)i };

        *n += fake_put_record(out + *n, 1, a->ttl, more, 4);
    }
    return count;
}

/* Answers the query q in out; 0: silence. */
static inline size_t
fake_reply(struct fake_dns *d, const unsigned char *q, size_t qn, bool udp, unsigned char *out)
{
    char name[256] = "";
    size_t at = 12, n, len = 0;
    unsigned count = 0;
    int type;

    while (at < qn && q[at] && len + q[at] + 2 < sizeof(name)) {
        memcpy(name + len, q + at + 1, q[at]);
        len += q[at];
        name[len++] = '.';
        at += q[at] + 1u;
    }
    name[len ? len - 1 : 0] = '\0';
    if (at + 5 > qn)
        return 0;
    type = q[at + 2];
    n = at + 5;
    memcpy(out, q, n);
    pthread_mutex_lock(&d->lock);
    d->queries++;
    snprintf(d->asked, sizeof(d->asked), "%s", name);
    if (len < 6 || strcasecmp(name + len - 6, ".test") != 0)
        snprintf(d->odd, sizeof(d->odd), "%s", name);
    out[2] = 0x81;
    out[3] = 0x80 | (unsigned char)d->answer.rcode;
    if (udp && d->answer.truncate)
        out[2] |= 2;
    else if (d->answer.rcode == 0)
        count = fake_put_answers(&d->answer, type, out, &n);
    if (d->answer.silent)
        n = 0;
    pthread_mutex_unlock(&d->lock);
    memset(out + 6, 0, 6);
    out[6] = (unsigned char)(count >> 8);
    out[7] = (unsigned char)count;
    return n;
}

static inline void
fake_serve_tcp(struct fake_dns *d, int fd)
{
    unsigned char q[1024], out[16384];
    size_t n;

    while (recv(fd, q, 2, MSG_WAITALL) == 2) {
        size_t want = (size_t)q[0] << 8 | q[1];

        if (want > sizeof(q) || recv(fd, q, want, MSG_WAITALL) != (ssize_t)want)
            break;
        n = fake_reply(d, q, want, false, out + 2);
        out[0] = (unsigned char)(n >> 8);
        out[1] = (unsigned char)n;
        if (n && send(fd, out, n + 2, MSG_NOSIGNAL) < 0)
            break;
    }
    close(fd);
}

static inline void *
fake_main(void *arg)
{
    struct fake_dns *d = arg;
    unsigned char q[1024], out[16384];

    for (;;) {
        struct pollfd p[3] = { { d->udp, POLLIN, 0 }, { d->tcp, POLLIN, 0 }, { d->stop[0], POLLIN, 0 } };
        struct sockaddr_in from;
        socklen_t len = sizeof(from);

        poll(p, 3, -1);
        if (p[2].revents)
            return NULL;
        if (p[1].revents)
            fake_serve_tcp(d, accept(d->tcp, NULL, NULL));
        if (p[0].revents) {
            ssize_t n = recvfrom(d->udp, q, sizeof(q), 0, (struct sockaddr *)&from, &len);
            size_t r = n > 12 ? fake_reply(d, q, (size_t)n, true, out) : 0;

            if (r)
                sendto(d->udp, out, r, 0, (struct sockaddr *)&from, len);
        }
    }
}

static inline struct fake_dns *
fake_dns_start(void)
{
    struct fake_dns *d = calloc(1, sizeof(*d));
    struct sockaddr_storage sa;
    struct addr a;
    socklen_t len;

    d->tcp = lab_listen(&a);
    d->udp = socket(AF_INET, SOCK_DGRAM, 0);
    len = addr_sockaddr(&a, &sa);
    assert_int_equal(bind(d->udp, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(pipe(d->stop), 0);
    pthread_mutex_init(&d->lock, NULL);
    snprintf(d->at, sizeof(d->at), "127.0.0.1:%d", addr_port(&a));
    assert_int_equal(pthread_create(&d->thread, NULL, fake_main, d), 0);
    return d;
}

static inline void
fake_dns_set(struct fake_dns *d, struct fake_answer answer)
{
    pthread_mutex_lock(&d->lock);
    d->answer = answer;
    pthread_mutex_unlock(&d->lock);
}

static inline unsigned
fake_dns_queries(struct fake_dns *d)
{
    unsigned n;

    pthread_mutex_lock(&d->lock);
    n = d->queries;
    pthread_mutex_unlock(&d->lock);
    return n;
}

static inline void
fake_dns_stop(struct fake_dns *d)
{
    assert_int_equal(write(d->stop[1], "x", 1), 1);
    pthread_join(d->thread, NULL);
    close(d->udp);
    close(d->tcp);
    close(d->stop[0]);
    close(d->stop[1]);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

#endif
