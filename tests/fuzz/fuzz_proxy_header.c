/*
 * PROXY headers: the same answer however the bytes come and whatever follows; what is accepted is what its own encoding
 * says. The reader that takes a header off a socket leaves exactly what follows it there. Input: how the bytes are cut,
 * a seed, the bytes.
 */
#include "wire.h"

#include "../../src/base/log.h"
#include "../../src/net/proxy_intro.h"
#include "../../src/net/proxy_protocol.h"

#include <arpa/inet.h>
#include <errno.h>
#include <unistd.h>

struct parsed {
    ssize_t used;
    struct proxy_header h;
    const char *error;
};

static struct parsed
parse(struct slice s)
{
    char *exact = fuzz_exact(s);
    struct parsed p = { .error = NULL };

    p.used = proxy_protocol_parse(exact, s.n, &p.h, &p.error);
    free(exact);
    FUZZ_REQUIRE(p.used <= (ssize_t)s.n && (p.used >= 0 || p.error));
    return p;
}

static bool
same_addr(const struct addr *a, const struct addr *b)
{
    return a->len == b->len && (a->len == 0 || addr_equal(a, b));
}

static bool
same(const struct parsed *a, const struct parsed *b)
{
    if (a->used != b->used)
        return false;
    if (a->used < 0)
        return a->error == b->error;
    return a->h.known == b->h.known && same_addr(&a->h.source, &b->h.source) &&
           same_addr(&a->h.destination, &b->h.destination);
}

/* Decided at one length, decided for all longer ones. */
static struct parsed
parse_every_length(struct slice s)
{
    struct parsed p = { .used = 0 }, whole = parse(s);
    size_t n = 0;

    while (p.used == 0 && n < s.n)
        p = parse(slice_of(s.p, ++n));
    FUZZ_REQUIRE(same(&p, &whole));
    if (p.used > 0)
        FUZZ_REQUIRE((size_t)p.used == n && n <= PROXY_HEADER_MAX);
    else if (p.used == 0)
        FUZZ_REQUIRE(n < PROXY_HEADER_MAX);
    return whole;
}

/* ------------------------------------------------------------------ encoding */

static size_t
encode_v1(const struct proxy_header *h, char out[256])
{
    char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
    bool v6 = h->source.u.sa.sa_family == AF_INET6;

    inet_ntop(h->source.u.sa.sa_family, v6 ? (void *)&h->source.u.in6.sin6_addr : (void *)&h->source.u.in.sin_addr,
              source, sizeof(source));
    inet_ntop(h->source.u.sa.sa_family,
              v6 ? (void *)&h->destination.u.in6.sin6_addr : (void *)&h->destination.u.in.sin_addr, destination,
              sizeof(destination));
    return (size_t)snprintf(out, 256, "PROXY TCP%d %s %s %d %d\r\n", v6 ? 6 : 4, source, destination,
                            addr_port(&h->source), addr_port(&h->destination));
}

static size_t
encode_v2(const struct proxy_header *h, char out[256])
{
    bool v6 = h->source.u.sa.sa_family == AF_INET6;
    size_t ip = v6 ? 16 : 4;
    uint16_t ports[] = { htons((uint16_t)addr_port(&h->source)), htons((uint16_t)addr_port(&h->destination)) };

    memcpy(out, "\r\n\r\n\0\r\nQUIT\n\x21", 13);
    out[13] = v6 ? 0x21 : 0x11;
    out[14] = 0;
    out[15] = (char)(2 * ip + 4);
    memcpy(out + 16, v6 ? (void *)&h->source.u.in6.sin6_addr : (void *)&h->source.u.in.sin_addr, ip);
    memcpy(out + 16 + ip, v6 ? (void *)&h->destination.u.in6.sin6_addr : (void *)&h->destination.u.in.sin_addr, ip);
    memcpy(out + 16 + 2 * ip, ports, 4);
    return 20 + 2 * ip;
}

/* In either version it says the same. */
static void
require_encoded_again(const struct parsed *p)
{
    size_t (*const encode[])(const struct proxy_header *, char[256]) = { encode_v1, encode_v2 };
    char out[256];

    FUZZ_REQUIRE(p->h.source.u.sa.sa_family == p->h.destination.u.sa.sa_family);
    if (addr_is_unix(&p->h.source))
        return;
    for (int i = 0; i < 2; i++) {
        size_t n = encode[i](&p->h, out);
        struct parsed again = parse_every_length(slice_of(out, n)), expected = *p;

        expected.used = (ssize_t)n;
        FUZZ_REQUIRE(same(&again, &expected));
    }
}

/* ------------------------------------------------------------------ from a socket */

static struct {
    bool over;
    int fd;
    struct addr peer, local;
} intro;

static void
on_introduced(int fd, const struct addr *peer, const struct addr *local, void *arg)
{
    (void)arg;
    FUZZ_REQUIRE(!intro.over);
    intro.over = true;
    intro.fd = fd;
    intro.peer = *peer;
    intro.local = *local;
}

static void
require_rest(int fd, struct slice rest)
{
    char buf[8192];
    ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

    FUZZ_REQUIRE(n == (ssize_t)rest.n && memcmp(buf, rest.p ? rest.p : "", rest.n) == 0);
}

static void
require_introduced(struct slice s, const struct wire_cuts *cuts, const struct parsed *p)
{
    static struct proxy_intros *set;
    struct addr peer, local;
    struct wire w;
    int fd = wire_open_fd(&w);

    FUZZ_REQUIRE(addr_parse(SLICE("192.0.2.7:5311"), &peer, NULL) == 0);
    FUZZ_REQUIRE(addr_parse(SLICE("192.0.2.8:443"), &local, NULL) == 0);
    if (!set)
        set = proxy_intros_new(w.loop);
    memset(&intro, 0, sizeof(intro));
    proxy_intro_start(set, fd, &peer, &local, 0, on_introduced, NULL);
    wire_play(&w, s, cuts, &intro.over);
    FUZZ_REQUIRE((intro.fd >= 0) == (p->used > 0));
    if (intro.fd >= 0) {
        FUZZ_REQUIRE(same_addr(&intro.peer, p->h.known ? &p->h.source : &peer));
        FUZZ_REQUIRE(same_addr(&intro.local, p->h.known ? &p->h.destination : &local));
        require_rest(intro.fd, slice_of(s.p + p->used, w.sent - (size_t)p->used));
        close(intro.fd);
    }
    wire_close(&w);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    log_set_level(LOG_LVL_ERROR);
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    unsigned how = fuzz_byte(&in);
    struct wire_cuts cuts = { .how = how % 4, .end_at_once = how & 4, .seed = fuzz_byte(&in) };
    struct slice bytes = fuzz_rest(&in);
    struct parsed p = parse_every_length(bytes);

    if (p.used > 0 && p.h.known)
        require_encoded_again(&p);
    require_introduced(bytes, &cuts, &p);
    return 0;
}
