#include "config.h" /* _GNU_SOURCE: memrchr */

#include "upstream_conf.h"
#include "../base/hash.h"
#include "../base/parse.h"
#include "../base/xalloc.h"
#include "../http/grpc.h"
#include "../net/tls_conf.h"
#include "endpoint_set.h"
#include "grpc_health.h"

#include <stdio.h>
#include <stdlib.h>

#define MS NSEC_PER_MSEC
#define DAY (86400 * NSEC_PER_SEC)
#define COUNT_MAX 1000000

/* clang-format off */
#define ARGS(...) (const struct weir_arg[]){ __VA_ARGS__, { .type = WEIR_T_NONE } }
#define OPTS(...) (const struct weir_opt[]){ __VA_ARGS__, { .key = NULL } }
/* clang-format on */

static void check_endpoint(const struct weir_conf *line, void *diag);
static void check_balance(const struct weir_conf *line, void *diag);
static void check_protocol(const struct weir_conf *line, void *diag);
static void check_path(const struct weir_conf *line, void *diag);
static void check_retry_on(const struct weir_conf *line, void *diag);
static void check_expect(const struct weir_conf *line, void *diag);
static void check_grpc_service(const struct weir_conf *line, void *diag);

/* clang-format off */
const struct weir_directive upstream_rows[] = {
    { .name = "upstream", .in = "main", .block = "upstream", .flags = WEIR_D_REPEAT | WEIR_D_UNIQUE_NAME,
      .args = ARGS({ "NAME", WEIR_T_NAME }), .help = "A group of origin servers that serve the same things." },
    { .name = "endpoint", .in = "upstream", .flags = WEIR_D_REPEAT | WEIR_D_REQUIRED | WEIR_D_UNIQUE_NAME,
      .args = ARGS({ "ADDRESS", WEIR_T_ENDPOINT }),
      .opts = OPTS({ "weight", WEIR_T_INT, 0, ENDPOINT_WEIGHT_MAX, NULL, "1" }),
      .check = check_endpoint,
      .help = "One origin server. Each address of a name, resolved again by its TTL, has the weight. Weight 0: none." },
    { .name = "balance", .in = "upstream", .def = "round_robin", .check = check_balance,
      .args = ARGS({ "METHOD", WEIR_T_WORD, .choices = "round_robin|least_request|random|hash" },
                   { "KEY", WEIR_T_TEMPLATE, .flags = WEIR_ARG_OPTIONAL }),
      .help = "How an endpoint is chosen. hash KEY keeps a key on one endpoint while that is there." },
    { .name = "connect_timeout", .in = "upstream", .def = "1s", .args = ARGS({ "TIME", WEIR_T_DURATION, MS, DAY }),
      .help = "How long a connection may take to come up, and a request may wait for a free one." },
    { .name = "keepalive", .in = "upstream", .def = "64", .args = ARGS({ "COUNT", WEIR_T_INT, 0, 100000 }),
      .opts = OPTS({ "idle", WEIR_T_DURATION, 10 * MS, DAY, NULL, "4s" }),
      .help = "Idle connections kept by each worker, and for how long (less where the origin asks for less)." },
    { .name = "limits", .in = "upstream",
      .opts = OPTS({ "connections", WEIR_T_INT, 1, COUNT_MAX }, { "pending", WEIR_T_INT, 0, COUNT_MAX, NULL, "256" },
                   { "requests", WEIR_T_INT, 1, COUNT_MAX }),
      .help = "Bounds over all workers: connections, requests waiting for one, requests. Missing: none." },
    { .name = "panic", .in = "upstream", .args = ARGS({ "SHARE", WEIR_T_PERCENT }),
      .help = "When fewer than this share of the endpoints is usable, requests go to all of them. Missing: never." },
    { .name = "host_header", .in = "upstream", .args = ARGS({ "endpoint|VALUE", WEIR_T_TEMPLATE }),
      .help = "The Host that the origin gets: the endpoint as written, or VALUE. Missing: the client's. Probes of "
              "health_check use a VALUE without variables too." },

    { .name = "protocol", .in = "upstream", .def = "http1",
      .args = ARGS({ "VERSION", WEIR_T_WORD, .choices = "http1|http2|auto" }),
      .opts = OPTS({ "streams", WEIR_T_INT, 1, 10000 }), .check = check_protocol,
      .help = "What the endpoints speak. http2: HTTP/2, by ALPN with tls, else without asking (h2c); many requests "
              "share a connection, `streams` (100) of them at most, fewer where the endpoint says so. auto, with tls "
              "only: what the endpoint prefers of both." },
    { .name = "client_cert_header", .in = "upstream", .def = "off",
      .args = ARGS({ "WHAT", WEIR_T_WORD, .choices = "off|on|chain" }),
      .help = "Whether the certificate with which a client has named itself goes on as Client-Cert (RFC 9440), and "
              "with chain what came along with it as Client-Cert-Chain. What clients send by these names never does." },
    { .name = "proxy_protocol", .in = "upstream", .def = "off",
      .args = ARGS({ "VERSION", WEIR_T_WORD, .choices = "off|v1|v2" }),
      .help = "Each connection begins, before TLS, with a PROXY header that names the client. Such a connection serves "
              "one request and is not kept. Probes of health_check say LOCAL (v1: UNKNOWN)." },

    { .name = "tls", .in = "upstream", .block = "upstream-tls", .help = "Speak TLS to the endpoints." },
    { .name = "ca", .in = "upstream-tls", .args = ARGS({ "FILE", WEIR_T_PATH }),
      .help = "Certificates that may sign the endpoint's (PEM). Missing: those of the system." },
    { .name = "crl", .in = "upstream-tls", .args = ARGS({ "FILE", WEIR_T_PATH }),
      .help = "Lists of revoked certificates, of every authority in the endpoint's chain, as in client_crl of a "
              "listener." },
    { .name = "verify", .in = "upstream-tls", .def = "on", .args = ARGS({ "on|off", WEIR_T_BOOL }),
      .help = "Whether the endpoint's certificate is checked." },
    { .name = "server_name", .in = "upstream-tls", .args = ARGS({ "NAME", WEIR_T_STRING }),
      .help = "Name asked for (SNI) and checked. Missing: the endpoint's name." },
    { .name = "certificate", .in = "upstream-tls", .args = ARGS({ "FILE", WEIR_T_PATH }),
      .help = "Certificate chain in PEM form with which weir names itself to endpoints that ask for one." },
    { .name = "key", .in = "upstream-tls", .args = ARGS({ "FILE", WEIR_T_PATH }),
      .opts = OPTS({ "password", WEIR_T_STRING }), .check = tls_conf_check_key,
      .help = "Private key of that certificate, and its passphrase from elsewhere (password=${file:FILE}) where it is "
              "encrypted." },
    { .name = "protocols", .in = "upstream-tls", .def = TLS_PROTOCOLS,
      .args = ARGS({ "VERSION", WEIR_T_WORD, .choices = "TLSv1.2|TLSv1.3", .flags = WEIR_ARG_REPEAT }),
      .help = "Versions of TLS that endpoints may speak." },
    { .name = "ciphers", .in = "upstream-tls", .args = ARGS({ "NAME", WEIR_T_STRING, .flags = WEIR_ARG_REPEAT }),
      .help = "Ciphers offered, as in a listener's tls block." },
    { .name = "curves", .in = "upstream-tls", .def = TLS_CURVES,
      .args = ARGS({ "NAME", WEIR_T_STRING, .flags = WEIR_ARG_REPEAT }),
      .help = "Groups for the key exchange, in order." },
    { .name = "session_reuse", .in = "upstream-tls", .def = "on", .args = ARGS({ "on|off", WEIR_T_BOOL }),
      .help = "Whether a new connection takes up the TLS session of an earlier one of the same worker to the same "
              "endpoint, by the same settings; for an hour at most." },

    { .name = "health_check", .in = "upstream", .block = "health_check",
      .help = "Active checks: a request to each endpoint now and then. The first result decides alone." },
    { .name = "grpc", .in = "health_check", .args = ARGS({ "SERVICE", WEIR_T_STRING, .flags = WEIR_ARG_OPTIONAL }),
      .check = check_grpc_service,
      .help = "Asks by the gRPC health checking protocol (grpc.health.v1.Health/Check), for SERVICE or for the server "
              "as a whole, and passes when it says SERVING; instead of path and expect. Needs `protocol http2` or "
              "`auto`." },
    { .name = "path", .in = "health_check", .def = "/", .args = ARGS({ "PATH", WEIR_T_STRING }), .check = check_path,
      .help = "What is asked for." },
    { .name = "interval", .in = "health_check", .def = "10s", .args = ARGS({ "TIME", WEIR_T_DURATION, 100 * MS, DAY }),
      .help = "Time between checks of an endpoint (a tenth more or less)." },
    { .name = "timeout", .in = "health_check", .def = "2s", .args = ARGS({ "TIME", WEIR_T_DURATION, MS, DAY }),
      .help = "A check that takes longer has failed." },
    { .name = "healthy", .in = "health_check", .def = "2", .args = ARGS({ "COUNT", WEIR_T_INT, 1, 1000 }),
      .help = "Good results in a row that bring an endpoint back." },
    { .name = "unhealthy", .in = "health_check", .def = "3", .args = ARGS({ "COUNT", WEIR_T_INT, 1, 1000 }),
      .help = "Bad results in a row that take an endpoint out." },
    { .name = "expect", .in = "health_check", .def = "200-299", .check = check_expect,
      .args = ARGS({ "STATUS", WEIR_T_STATUS, .flags = WEIR_ARG_REPEAT }), .help = "Statuses that are good results." },

    { .name = "outlier", .in = "upstream", .block = "outlier",
      .help = "Passive detection: an endpoint whose requests fail one after the other is left out for a while." },
    { .name = "consecutive", .in = "outlier", .def = "5", .args = ARGS({ "COUNT", WEIR_T_INT, 1, COUNT_MAX }),
      .help = "Failures in a row (5xx, reset, timeout, failed connect) that eject an endpoint." },
    { .name = "interval", .in = "outlier", .def = "10s", .args = ARGS({ "TIME", WEIR_T_DURATION, 10 * MS, DAY }),
      .help = "Each such time in good standing takes one step of the growing ejection time back." },
    { .name = "eject", .in = "outlier", .def = "30s", .args = ARGS({ "TIME", WEIR_T_DURATION, 10 * MS, DAY }),
      .help = "How long the first ejection lasts; each further one lasts that much longer." },
    { .name = "max_ejected", .in = "outlier", .def = "50%", .args = ARGS({ "SHARE", WEIR_T_PERCENT }),
      .help = "At most this share of the endpoints is out at once (one may be, unless 0%); never the last one." },

    { .name = "retry", .in = "upstream", .block = "retry",
      .help = "When a request is tried again, on another endpoint if there is one." },
    { .name = "attempts", .in = "retry", .def = "2", .args = ARGS({ "COUNT", WEIR_T_INT, 1, 10 }),
      .help = "Tries in all." },
    { .name = "on", .in = "retry", .def = "connect_failure reset", .check = check_retry_on,
      .args = ARGS({ "connect_failure|reset|timeout|STATUS|grpc NAME", WEIR_T_STRING, .flags = WEIR_ARG_REPEAT }),
      .help = "What is tried again: failures, statuses (503, 500-599), and behind the word grpc the names of statuses "
              "of gRPC (grpc unavailable resource_exhausted). Those count where an answer is trailers alone, and for "
              "them calls are made again although they are POSTs; an answer that bids to wait is passed on." },
    { .name = "per_try_timeout", .in = "retry", .args = ARGS({ "TIME", WEIR_T_DURATION, MS, DAY }),
      .help = "Bound of one try, from its start to the response head. Missing: the request's own timeout alone." },
    { .name = "budget", .in = "retry", .def = "20%", .args = ARGS({ "SHARE", WEIR_T_PERCENT }),
      .help = "Retries in flight, as a share of active requests; 3 are always allowed." },
    { .name = NULL },
};
/* clang-format on */

/* NAME:PORT, the name being a host name of at most 253 bytes. */
static int
split_name(struct slice s, struct slice *host, uint64_t *port)
{
    const char *colon = s.n ? memrchr(s.p, ':', s.n) : NULL;
    size_t i;

    if (!colon)
        return -1;
    *host = slice_of(s.p, (size_t)(colon - s.p));
    if (host->n && host->p[host->n - 1] == '.')
        host->n--; /* names are absolute anyway */
    if (host->n == 0 || host->n > 253 || host->p[0] == '-' || host->p[0] == '.')
        return -1;
    for (i = 0; i < host->n; i++) {
        char ch = host->p[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '-' ||
              ch == '.' || ch == '_'))
            return -1;
    }
    return parse_u64(slice_of(colon + 1, s.n - (size_t)(colon + 1 - s.p)), 65535, port) < 0 || *port == 0 ? -1 : 0;
}

static void
check_endpoint(const struct weir_conf *line, void *diag)
{
    struct slice text = conf_arg(line, 0), host;
    struct addr a;
    struct err e = { 0 };
    uint64_t port;

    if (addr_parse(text, &a, &e) < 0 && split_name(text, &host, &port) < 0)
        conf_error(line, 0, "`%.*s` is neither ADDRESS:PORT, unix:/PATH nor NAME:PORT", SLICE_FMT(text));
    else if (addr_parse(text, &a, &e) == 0 && addr_port(&a) == 0)
        conf_error(line, 0, "`%.*s` needs a port other than 0", SLICE_FMT(text));
}

static void
check_balance(const struct weir_conf *line, void *diag)
{
    bool hash = slice_eq(conf_arg(line, 0), SLICE("hash"));

    if (hash && conf_args(line) < 2)
        conf_error(line, 0, "`balance hash` needs a key: `balance hash ${client.ip}`");
    else if (!hash && conf_args(line) > 1)
        conf_error(line, 1, "only `balance hash` takes a key");
}

static void
check_grpc_service(const struct weir_conf *line, void *diag)
{
    if (conf_args(line) && conf_arg(line, 0).n > GRPC_HEALTH_SERVICE_MAX)
        conf_error(line, 0, "a service name has at most %d bytes", GRPC_HEALTH_SERVICE_MAX);
}

static void
check_protocol(const struct weir_conf *line, void *diag)
{
    if (slice_eq(conf_arg(line, 0), SLICE("http1")) && conf_opt(line, "streams").p)
        conf_error(line, -1, "`streams=` is for `protocol http2` and `auto`: HTTP/1.1 carries one request at a time");
}

static void
check_path(const struct weir_conf *line, void *diag)
{
    struct slice path = conf_arg(line, 0);
    size_t i;

    if (path.n == 0 || path.p[0] != '/') {
        conf_error(line, 0, "a path begins with `/`");
        return;
    }
    for (i = 0; i < path.n; i++) {
        if ((unsigned char)path.p[i] <= ' ' || (unsigned char)path.p[i] >= 0x7f || path.p[i] == '#') {
            conf_error(line, 0, "a path holds no spaces, control bytes, `#` or bytes over 0x7e: percent-encode them");
            return;
        }
    }
}

static void
check_expect(const struct weir_conf *line, void *diag)
{
    if (conf_args(line) > HEALTH_EXPECT_MAX)
        conf_error(line, HEALTH_EXPECT_MAX, "at most %d statuses or ranges", HEALTH_EXPECT_MAX);
}

/* 503, or 500-599: what a retry may follow is an error status. */
static int
parse_statuses(struct slice s, uint64_t *low, uint64_t *high)
{
    if (s.n == 7 && s.p[3] == '-') {
        if (parse_u64(slice_of(s.p, 3), 899, low) < 0 || parse_u64(slice_of(s.p + 4, 3), 899, high) < 0)
            return -1;
    } else {
        if (s.n != 3 || parse_u64(s, 899, low) < 0)
            return -1;
        *high = *low;
    }
    return *low >= 400 && *low <= *high && *high <= 599 ? 0 : -1;
}

/* Behind `grpc`. OK is nothing to try again. */
static int
read_grpc_word(struct slice word, struct retry_conf *r)
{
    enum grpc_status status;

    if (!grpc_status_find(word, &status) || status == GRPC_OK)
        return -1;
    r->grpc |= UINT32_C(1) << status;
    return 0;
}

/* One word of `on` into r. */
static int
read_retry_word(struct slice word, bool *grpc, struct retry_conf *r)
{
    uint64_t low, high;

    if (*grpc)
        return read_grpc_word(word, r);
    if (slice_eq(word, SLICE("grpc"))) {
        *grpc = true;
    } else if (slice_eq(word, SLICE("connect_failure"))) {
        r->on |= RETRY_ON_CONNECT_FAILURE;
    } else if (slice_eq(word, SLICE("reset"))) {
        r->on |= RETRY_ON_RESET;
    } else if (slice_eq(word, SLICE("timeout"))) {
        r->on |= RETRY_ON_TIMEOUT;
    } else {
        if (parse_statuses(word, &low, &high) < 0)
            return -1;
        for (; low <= high; low++)
            r->status[(low - 100) / 8] |= (uint8_t)(1u << ((low - 100) % 8));
    }
    return 0;
}

static void
wrong_condition(const struct weir_conf *line, unsigned i)
{
    static const char *const words[] = { "connect_failure", "reset", "timeout", "grpc", NULL };
    struct slice word = conf_arg(line, i);
    const char *near = conf_nearest(word.p, words);
    enum grpc_status status;

    if (grpc_status_find(word, &status))
        conf_error(line, (int)i, "unknown condition `%.*s`\ndid you mean `grpc %.*s`?", SLICE_FMT(word),
                   SLICE_FMT(word));
    else if (near)
        conf_error(line, (int)i, "unknown condition `%.*s`\ndid you mean `%s`?", SLICE_FMT(word), near);
    else
        conf_error(line, (int)i,
                   "unknown condition `%.*s`: connect_failure, reset, timeout, statuses from 400 to 599, or `grpc` and "
                   "statuses of gRPC",
                   SLICE_FMT(word));
}

static void
wrong_grpc_status(const struct weir_conf *line, unsigned i)
{
    const char *words[GRPC_STATUS_COUNT], *near;
    struct slice word = conf_arg(line, i);
    unsigned n = 0;

    for (unsigned s = GRPC_OK + 1; s < GRPC_STATUS_COUNT; s++)
        words[n++] = grpc_status_word((enum grpc_status)s);
    words[n] = NULL;
    near = conf_nearest(word.p, words);
    conf_error(line, (int)i, "`%.*s` is no status of gRPC to try again%s%s%s", SLICE_FMT(word),
               near ? "\ndid you mean `" : "; behind `grpc` stand names like unavailable, resource_exhausted",
               near ? near : "", near ? "`?" : "");
}

static void
check_retry_on(const struct weir_conf *line, void *diag)
{
    struct retry_conf scratch;
    bool grpc = false;
    unsigned i;

    memset(&scratch, 0, sizeof(scratch));
    for (i = 0; i < conf_args(line); i++) {
        if (read_retry_word(conf_arg(line, i), &grpc, &scratch) == 0)
            continue;
        if (grpc)
            wrong_grpc_status(line, i);
        else
            wrong_condition(line, i);
    }
    if (grpc && !scratch.grpc && slice_eq(conf_arg(line, conf_args(line) - 1), SLICE("grpc")))
        conf_error(line, (int)conf_args(line) - 1, "`grpc` needs names of its statuses: `grpc unavailable`");
}

bool
retry_on_status(const struct retry_conf *r, int status)
{
    if (status < 100 || status > 899)
        return false;
    return r->status[(status - 100) / 8] >> ((status - 100) % 8) & 1;
}

static void
read_retry(const struct weir_conf *block, struct cluster *c)
{
    const struct weir_conf *retry = conf_find(block, "retry"), *on;
    bool grpc = false;
    unsigned i;

    c->retry.attempts = 1;
    if (!retry)
        return;
    c->has_retry = true;
    c->retry.attempts = (unsigned)conf_get_int(retry, "attempts");
    c->retry.per_try_timeout = conf_get_int(retry, "per_try_timeout");
    c->retry.budget = conf_get_percent(retry, "budget");
    on = conf_get(retry, "on");
    for (i = 0; on && i < conf_args(on); i++)
        read_retry_word(conf_arg(on, i), &grpc, &c->retry); /* bad words were reported by the row's check */
}

static void
read_limits(const struct weir_conf *block, struct arena *arena, struct cluster *c)
{
    const struct weir_conf *limits = conf_find(block, "limits");
    char connections[16] = "none", requests[16] = "none";

    c->limits_at = conf_at(limits ? limits : block);
    c->limit_pending = 256;
    if (limits) {
        c->limit_connections = (unsigned)conf_opt_int(limits, "connections", 0);
        c->limit_pending = (unsigned)conf_opt_int(limits, "pending", 256);
        c->limit_requests = (unsigned)conf_opt_int(limits, "requests", 0);
    }
    if (c->limit_connections)
        snprintf(connections, sizeof(connections), "%u", c->limit_connections);
    if (c->limit_requests)
        snprintf(requests, sizeof(requests), "%u", c->limit_requests);
    c->limits_detail = arena_printf(arena, "limits connections=%s pending=%u requests=%s (%s)", connections,
                                    c->limit_pending, requests, c->limits_at)
                           .p;
}

/* NULL: not named. */
static const char *
input_of(const struct weir_conf *block, const char *name)
{
    const struct weir_conf *line = conf_find(block, name);

    return line ? conf_input(line, conf_arg(line, 0)).p : NULL;
}

static int
read_tls(const struct weir_conf *block, struct arena *arena, struct cluster *c)
{
    static const unsigned alpn[] = { TLS_ALPN_HTTP1, TLS_ALPN_H2, TLS_ALPN_HTTP1 | TLS_ALPN_H2 };
    const struct weir_conf *tls = conf_find(block, "tls");
    struct tls_client_conf conf = { 0 };
    struct tls_pair *pair;
    struct err e = { 0 };
    enum tls_part part;
    unsigned n;
    uint64_t id;

    if (!tls && c->protocol == ORIGIN_AUTO) {
        conf_error(conf_find(block, "protocol"), 0, "`protocol auto` needs a `tls` block, which it agrees by");
        return -1;
    }
    if (!tls)
        return 0;
    if (tls_conf_pairs(tls, arena, &pair, &n) < 0)
        return -1;
    conf.ca = input_of(tls, "ca");
    conf.crl = input_of(tls, "crl");
    conf.verify = conf_get_int(tls, "verify") != 0;
    conf.resume = conf_get_int(tls, "session_reuse") != 0;
    conf.pair = n ? pair : NULL;
    conf.alpn = alpn[c->protocol];
    tls_conf_terms(tls, arena, &conf.terms);
    c->server_name = arena_slice(arena, conf_get_str(tls, "server_name"));
    c->tls = tls_client_new(&conf, &e, &part);
    if (!c->tls) {
        tls_conf_report(tls, part, 0, &e);
        return -1;
    }
    id = hash_mix(tls_client_identity(c->tls), hash_stable(c->server_name));
    c->tls_identity = id ? id : 1;
    return 0;
}

static void
read_balance(const struct weir_conf *block, struct cluster *c)
{
    struct slice word = conf_get_str(block, "balance");

    if (slice_eq(word, SLICE("least_request"))) {
        c->balance = BALANCE_LEAST_REQUEST;
    } else if (slice_eq(word, SLICE("random"))) {
        c->balance = BALANCE_RANDOM;
    } else if (slice_eq(word, SLICE("hash"))) {
        c->balance = BALANCE_HASH;
        c->hash_line = conf_find(block, "balance");
    } else {
        c->balance = BALANCE_ROUND_ROBIN;
    }
}

const char *
balance_name(enum balance b)
{
    static const char *const names[] = { "round_robin", "least_request", "random", "hash" };

    return names[b];
}

int
upstream_conf_read(const struct weir_conf *block, struct arena *arena, struct cluster *c)
{
    const struct weir_conf *keepalive = conf_get(block, "keepalive"), *host_header = conf_find(block, "host_header");

    c->conf = block;
    c->at = conf_at(block);
    c->name = arena_slice(arena, conf_arg(block, 0)).p;
    c->connect_timeout = conf_get_int(block, "connect_timeout");
    c->keepalive = (unsigned)conf_int(keepalive, 0);
    c->keepalive_idle = conf_opt_int(keepalive, "idle", 4 * NSEC_PER_SEC);
    c->panic = conf_find(block, "panic") ? conf_get_percent(block, "panic") : 0;
    read_balance(block, c);
    read_limits(block, arena, c);
    read_retry(block, c);
    c->client_cert = (int)conf_get_int(block, "client_cert_header");
    c->protocol = (enum origin_protocol)conf_get_int(block, "protocol");
    c->streams = (unsigned)conf_opt_int(conf_get(block, "protocol"), "streams", 100);
    c->proxy_protocol = (int)conf_get_int(block, "proxy_protocol");
    c->host_header_endpoint = host_header && slice_eq(conf_arg(host_header, 0), SLICE("endpoint"));
    c->host_header_line = c->host_header_endpoint ? NULL : host_header;
    return read_tls(block, arena, c);
}

void
endpoint_lines_free(struct endpoint_line *lines, unsigned n)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        free(lines[i].authority);
        free(lines[i].host);
    }
    free(lines);
}

static int
read_endpoint(const struct weir_conf *line, struct endpoint_line *out)
{
    struct slice text = conf_arg(line, 0), host;
    struct err e = { 0 };
    uint64_t port;

    out->weight = (unsigned)conf_opt_int(line, "weight", 1);
    if (addr_parse(text, &out->addr, &e) == 0) {
        out->literal = true;
    } else if (split_name(text, &host, &port) == 0) {
        out->host = xstrndup(host.p, host.n);
        out->port = (uint16_t)port;
    } else {
        return -1; /* reported by the row's check */
    }
    out->authority = xstrndup(text.p, text.n);
    return 0;
}

int
upstream_conf_endpoints(const struct weir_conf *block, struct endpoint_line **lines, unsigned *n)
{
    const struct weir_conf *line;
    unsigned count = 0;

    *lines = NULL;
    *n = 0;
    for (line = conf_find(block, "endpoint"); line; line = conf_next(line))
        count++;
    if (count > ENDPOINT_SET_MAX) {
        conf_error(block, -1, "an upstream has at most %d endpoints", ENDPOINT_SET_MAX);
        return -1;
    }
    *lines = xcalloc(count ? count : 1, sizeof(**lines));
    for (line = conf_find(block, "endpoint"); line; line = conf_next(line)) {
        if (read_endpoint(line, &(*lines)[*n]) < 0)
            return -1;
        ++*n;
    }
    return 0;
}

/* The Host of requests, if it is the same for all of them: probes have no variables. */
static char *
probe_host(const struct cluster *c)
{
    struct slice value = c->host_header_line ? conf_arg(c->host_header_line, 0) : SLICE_NONE;

    if (value.n && memmem(value.p, value.n, "${", 2))
        value = SLICE_NONE;
    return xstrndup(value.p ? value.p : "", value.n);
}

/* `health_check { grpc [SERVICE]; }`. -1: reported. */
static int
read_grpc(const struct weir_conf *check, const struct cluster *c, struct health_conf *h)
{
    const struct weir_conf *grpc = conf_find(check, "grpc"), *other = conf_find(check, "path");
    struct slice service = conf_args(grpc) ? conf_arg(grpc, 0) : SLICE("");

    if (!other)
        other = conf_find(check, "expect");
    if (other) {
        conf_error(other, -1, "`path` and `expect` cannot stand beside `grpc`, which is asked its own way");
        return -1;
    }
    if (c->protocol == ORIGIN_HTTP1) {
        conf_error(grpc, -1, "`grpc` needs `protocol http2;` (or `auto`) in the upstream: gRPC is HTTP/2");
        return -1;
    }
    h->grpc_service = xstrndup(service.p, service.n);
    return 0;
}

struct health_conf *
upstream_conf_health(const struct weir_conf *block, const struct cluster *c)
{
    const struct weir_conf *check = conf_find(block, "health_check"), *expect;
    struct health_conf *h;
    struct slice path;
    unsigned i;

    if (!check)
        return NULL;
    h = health_conf_new();
    path = conf_get_str(check, "path");
    h->path = xstrndup(path.p, path.n);
    h->host = xstrndup(c->server_name.p ? c->server_name.p : "", c->server_name.n);
    h->host_header = probe_host(c);
    h->interval = conf_get_int(check, "interval");
    h->timeout = conf_get_int(check, "timeout");
    h->healthy = (unsigned)conf_get_int(check, "healthy");
    h->unhealthy = (unsigned)conf_get_int(check, "unhealthy");
    h->proxy_protocol = c->proxy_protocol;
    h->http2 = c->protocol == ORIGIN_HTTP2;
    if (conf_find(check, "grpc") && read_grpc(check, c, h) < 0) {
        health_conf_put(h);
        return NULL;
    }
    if (c->tls) {
        tls_client_hold(c->tls);
        h->tls = c->tls;
    }
    h->identity = hash_mix(hash_stable(path), c->tls_identity + (uint64_t)c->proxy_protocol);
    h->identity = hash_mix(h->identity, (uint64_t)c->protocol);
    if (h->grpc_service)
        h->identity = hash_mix(h->identity, hash_stable(slice_str(h->grpc_service)) | 1);
    h->identity = hash_mix(h->identity, hash_stable(slice_str(h->host_header)));
    h->identity = hash_mix(h->identity, hash_mix((uint64_t)h->interval, (uint64_t)h->timeout));
    h->identity = hash_mix(h->identity, (uint64_t)h->healthy << 32 | h->unhealthy);
    expect = conf_get(check, "expect");
    for (i = 0; expect && i < conf_args(expect) && i < HEALTH_EXPECT_MAX; i++) {
        h->expect[i].low = (int)conf_int(expect, i);
        h->expect[i].high = (int)conf_int_high(expect, i);
        h->identity = hash_mix(h->identity, (uint64_t)h->expect[i].low << 32 | (unsigned)h->expect[i].high);
        h->n_expect++;
    }
    return h;
}

bool
upstream_conf_outlier(const struct weir_conf *block, struct outlier_conf *o)
{
    const struct weir_conf *outlier = conf_find(block, "outlier");

    if (!outlier)
        return false;
    o->consecutive = (unsigned)conf_get_int(outlier, "consecutive");
    o->interval = conf_get_int(outlier, "interval");
    o->eject = conf_get_int(outlier, "eject");
    o->max_ejected = conf_get_percent(outlier, "max_ejected");
    return true;
}
