/* The proxy's own directives: routes and what stands around them. */
#include "../net/tls_conf.h"
#include "generation.h"

#define SEC NSEC_PER_SEC
#define MSEC NSEC_PER_MSEC

#define ONE(name_, type_) (const struct weir_arg[]){ { .name = name_, .type = type_ }, { 0 } }
#define MANY(name_, type_) \
    (const struct weir_arg[]){ { .name = name_, .type = type_, .flags = WEIR_ARG_REPEAT }, { 0 } }
#define TIME(min_) \
    (const struct weir_arg[]){ { .name = "TIME", .type = WEIR_T_DURATION, .min = (min_), \
                                 .max = 365LL * 86400 * SEC }, { 0 } }
#define WORDS(choices_) (const struct weir_arg[]){ { .name = "WHAT", .type = WEIR_T_WORD, .choices = choices_ }, { 0 } }
#define SIZE_OF(min_, max_) \
    (const struct weir_arg[]){ { .name = "SIZE", .type = WEIR_T_SIZE, .min = (min_), .max = (max_) }, { 0 } }
#define COUNT(min_, max_) \
    (const struct weir_arg[]){ { .name = "N", .type = WEIR_T_INT, .min = (min_), .max = (max_) }, { 0 } }

#define HSTS_OPTS \
    (const struct weir_opt[]){ { .key = "max_age", .type = WEIR_T_DURATION, .min = 0, .max = 3660LL * 86400 * SEC, \
                                 .def = "8760h" }, \
                               { .key = "include_subdomains", .type = WEIR_T_BOOL, .def = "off" }, \
                               { .key = "preload", .type = WEIR_T_BOOL, .def = "off" }, { 0 } }
#define HTTPS_OPTS \
    (const struct weir_opt[]){ { .key = "port", .type = WEIR_T_INT, .min = 1, .max = 65535, .def = "443" }, { 0 } }

/* clang-format off */
const struct weir_directive proxy_rows[] = {
    { .name = "trusted_proxies", .in = "main", .args = MANY("CIDR", WEIR_T_CIDR),
      .help = "Clients whose X-Forwarded-*, Forwarded and X-Request-Id fields are believed. Those of all others are "
              "removed and set anew, and so are X-Real-IP, X-Client-IP, True-Client-IP, X-Original-URL and "
              "X-Rewrite-URL removed. Default: none." },
    { .name = "underscores", .in = "main", .args = WORDS("drop|allow"), .def = "drop",
      .help = "What happens to request header fields with an underscore in their name, which some origins take for a "
              "dash. Those that would so be taken for a field that weir sets or relies on are dropped in any case." },
    { .name = "encoded_slashes", .in = "main", .args = WORDS("refuse|keep|decode"), .def = "refuse",
      .help = "What becomes of %2F and %5C in a path: refuse (400), keep, or decode, by which %2F becomes a slash "
              "before dot segments are removed (%5C stays as it is). As with merge_slashes and path_parameters, one "
              "answer holds for the whole gateway: routes, policies, logs, explain and tests know one form of each "
              "path, whatever listener it came through. An origin that decodes a kept one sees another path than was "
              "routed." },
    { .name = "merge_slashes", .in = "main", .args = ONE("on|off", WEIR_T_BOOL), .def = "on",
      .help = "Whether several slashes in a row become one. When off, `//admin` matches no route for /admin, but many "
              "origins take it for that." },
    { .name = "path_parameters", .in = "main", .args = WORDS("keep|refuse"), .def = "keep",
      .help = "What becomes of a semicolon in a path, also as %3B: keep, or refuse (400). Behind it Servlet containers "
              "expect parameters, which they cut off before they look for a path: keep guards no /admin of theirs "
              "against `/admin;x`. A dot segment with parameters (`/..;/`) is refused in any case." },
    { .name = "drain", .in = "main", .block = "drain", .def = "",
      .help = "How the daemon ends on SIGTERM, `weir drain` or POST /api/v1/drain." },
    { .name = "lag", .in = "drain", .args = TIME(0), .def = "2s",
      .help = "How long connections are still accepted after /ready has turned 503." },
    { .name = "timeout", .in = "drain", .args = TIME(1 * MSEC), .def = "30s",
      .help = "How long exchanges and tunnels may go on before they are cut. In its first half WebSockets get a Close "
              "frame (1001), and streams of server-sent events end, one by one." },

    { .name = "host", .in = "main", .args = MANY("HOST", WEIR_T_STRING), .block = "host", .flags = WEIR_D_REPEAT,
      .help = "Routes for these host names; *.example.com stands for one or more labels." },
    { .name = "route", .in = "main host",
      .args = (const struct weir_arg[]){ { .name = "[= | ~] PATTERN", .type = WEIR_T_STRING },
                                         { .name = "PATTERN", .type = WEIR_T_STRING,
                                           .flags = WEIR_ARG_OPTIONAL }, { 0 } },
      .opts = (const struct weir_opt[]){ { .key = "name", .type = WEIR_T_STRING }, { 0 } }, .block = "route",
      .flags = WEIR_D_REPEAT,
      .help = "What happens to requests for a path: a prefix on a segment boundary, `= PATH` exactly, or `~ REGEX`." },
    { .name = "methods", .in = "route", .args = MANY("METHOD", WEIR_T_STRING),
      .help = "Methods the route accepts; others are answered 405. GET implies HEAD. Default: all." },
    { .name = "match", .in = "route", .args = MANY("CONDITION", WEIR_T_STRING), .flags = WEIR_D_REPEAT,
      .help = "A further condition: header|query|cookie NAME (= VALUE, != VALUE, ~ REGEX, !~ REGEX, present, "
              "absent), client CIDR..., or client_cert (subject, issuer, san, dns, uri, email, ip, fingerprint) as for "
              "header." },
    { .name = "proxy", .in = "route", .args = ONE("UPSTREAM", WEIR_T_NAME),
      .help = "Sends the request to this upstream." },
    { .name = "respond", .in = "route",
      .args = (const struct weir_arg[]){ { .name = "STATUS", .type = WEIR_T_INT, .min = 200, .max = 599 },
                                         { .name = "BODY", .type = WEIR_T_TEMPLATE,
                                           .flags = WEIR_ARG_OPTIONAL }, { 0 } },
      .opts = (const struct weir_opt[]){ { .key = "type", .type = WEIR_T_STRING, .def = "text/plain" }, { 0 } },
      .help = "Answers with this status and body." },
    { .name = "redirect", .in = "route",
      .args = (const struct weir_arg[]){ { .name = "STATUS", .type = WEIR_T_INT, .min = 301, .max = 308 },
                                         { .name = "URL", .type = WEIR_T_TEMPLATE }, { 0 } },
      .help = "Answers with a redirect: 301, 302, 303, 307 or 308." },
    { .name = "strip_prefix", .in = "route", .args = ONE("PREFIX", WEIR_T_STRING),
      .help = "Takes this prefix off the path before it goes to the origin; what is left of the prefix itself is /." },
    { .name = "timeout", .in = "main", .args = TIME(1 * MSEC), .def = "60s",
      .help = "Deadline of a request until the head of its response: queues, stores, connecting and retries "
              "included." },
    { .name = "timeout", .in = "host route", .args = TIME(1 * MSEC),
      .help = "Deadline of a request until the head of its response. Default: that of the enclosing block." },
    { .name = "idle_timeout", .in = "main", .args = TIME(1 * MSEC), .def = "5m",
      .help = "Longest silence in a response body or a tunnel; pings of a WebSocket break it, from either side." },
    { .name = "idle_timeout", .in = "host route", .args = TIME(1 * MSEC),
      .help = "Longest silence in a response body or a tunnel. Default: that of the enclosing block." },
    { .name = "max_duration", .in = "main", .args = TIME(0), .def = "0s",
      .help = "Longest time from the head of a response to its end, for tunnels and streams that never fall silent; 0: "
              "no bound." },
    { .name = "max_duration", .in = "host route", .args = TIME(0),
      .help = "Longest time from the head of a response to its end. Default: that of the enclosing block." },
    { .name = "hsts", .in = "main", .args = ONE("on|off", WEIR_T_BOOL), .opts = HSTS_OPTS, .def = "off",
      .help = "Tells clients that came by https to come by nothing else from now on (Strict-Transport-Security), in "
              "place of what an origin says of that." },
    { .name = "hsts", .in = "host route", .args = ONE("on|off", WEIR_T_BOOL), .opts = HSTS_OPTS,
      .help = "Strict-Transport-Security. Default: that of the enclosing block." },
    { .name = "redirect_https", .in = "main", .args = WORDS("off|on|301|302|307|308"), .opts = HTTPS_OPTS,
      .def = "off",
      .help = "Sends requests that came by http to the same place by https, before anything else is asked of them; on "
              "is 308, which keeps the method. Behind trusted_proxies what they say of the client counts." },
    { .name = "redirect_https", .in = "host route", .args = WORDS("off|on|301|302|307|308"), .opts = HTTPS_OPTS,
      .help = "Whether requests that came by http are sent to https. Default: that of the enclosing block." },
    { .name = "max_body", .in = "main", .args = SIZE_OF(0, INT64_MAX), .def = "1m",
      .help = "Largest request body; a longer one is refused with 413, also while it streams. Of gRPC to an "
              "upstream with `protocol http2` (or auto): the largest message, of which a call may have many." },
    { .name = "max_body", .in = "host route", .args = SIZE_OF(0, INT64_MAX),
      .help = "Largest request body. Default: that of the enclosing block." },
    { .name = "body_hold", .in = "main", .args = SIZE_OF(0, 1 << 30), .def = "64k",
      .help = "How much of a body a policy may hold back, to see more of it before it lets the rest pass; beyond that "
              "the body is refused." },
    { .name = "body_hold", .in = "host route", .args = SIZE_OF(0, 1 << 30),
      .help = "How much of a body a policy may hold back. Default: that of the enclosing block." },
    { 0 },
};

const struct weir_directive listener_rows[] = {
    { .name = "listener", .in = "main", .args = ONE("NAME", WEIR_T_NAME), .block = "listener",
      .flags = WEIR_D_REPEAT | WEIR_D_UNIQUE_NAME,
      .help = "Addresses where clients are served." },
    { .name = "bind", .in = "listener", .args = ONE("ADDRESS", WEIR_T_ADDRESS),
      .flags = WEIR_D_REPEAT | WEIR_D_REQUIRED,
      .help = "An address to listen on: 0.0.0.0:8080, [::]:8080 or unix:/path." },
    { .name = "proxy_protocol", .in = "listener", .args = ONE("on|off", WEIR_T_BOOL), .def = "off",
      .help = "Each connection begins with a PROXY header, version 1 or 2, and has the client's address that this "
              "announces." },
    { .name = "proxy_trusted", .in = "listener", .args = MANY("CIDR", WEIR_T_CIDR),
      .help = "Who may send PROXY headers here; connections of others are closed. Peers on unix sockets always may. "
              "Default: trusted_proxies." },
    { .name = "tls", .in = "listener", .block = "tls", .help = "Clients speak TLS here." },
    { .name = "certificate", .in = "tls", .args = ONE("FILE", WEIR_T_PATH), .flags = WEIR_D_REQUIRED | WEIR_D_REPEAT,
      .opts = (const struct weir_opt[]){ { .key = "ocsp", .type = WEIR_T_PATH }, { 0 } },
      .help = "Certificate chain in PEM form. Several, each with its key, are chosen by the name that a client asks "
              "for: exact names before wildcards, the first certificate for all other names; those of one name whose "
              "keys are of different types (RSA, ECDSA) stand side by side. ocsp=FILE is stapled until it runs out: an "
              "OCSP response in DER form." },
    { .name = "key", .in = "tls", .args = ONE("FILE", WEIR_T_PATH), .flags = WEIR_D_REQUIRED | WEIR_D_REPEAT,
      .opts = (const struct weir_opt[]){ { .key = "password", .type = WEIR_T_STRING }, { 0 } },
      .check = tls_conf_check_key,
      .help = "Private key in PEM form of the certificate in the same position, and its passphrase from elsewhere "
              "(password=${file:FILE}) where it is encrypted." },
    { .name = "protocols", .in = "tls", .def = TLS_PROTOCOLS,
      .args = (const struct weir_arg[]){ { .name = "VERSION", .type = WEIR_T_WORD, .choices = "TLSv1.2|TLSv1.3",
                                           .flags = WEIR_ARG_REPEAT }, { 0 } },
      .help = "Versions of TLS that clients may speak." },
    { .name = "ciphers", .in = "tls", .args = MANY("NAME", WEIR_T_STRING),
      .help = "Ciphers in order, by their names in OpenSSL or IANA; those of TLS 1.3 are called TLS_*, and a version "
              "of which none is named keeps its default. Default: those of Mozilla's "
              "intermediate configuration, without finite-field DHE." },
    { .name = "cipher_order", .in = "tls", .args = WORDS("client|server"), .def = "server",
      .help = "Whose order of ciphers decides. With server, a client that puts ChaCha20 first, because it has no "
              "instructions for AES, gets it all the same where it is among the ciphers." },
    { .name = "curves", .in = "tls", .args = MANY("NAME", WEIR_T_STRING), .def = TLS_CURVES,
      .help = "Groups for the key exchange, in order." },
    { .name = "session_tickets", .in = "tls", .args = ONE("on|off", WEIR_T_BOOL), .def = "on",
      .opts = (const struct weir_opt[]){ { .key = "lifetime", .type = WEIR_T_DURATION, .min = SEC,
                                           .max = 12 * 3600 * SEC, .def = "12h" }, { 0 } },
      .help = "Whether clients get tickets with which they take up their sessions again, and for how long after the "
              "whole handshake that began it: the tickets that follow do not prolong that." },
    { .name = "ticket_keys", .in = "tls", .args = ONE("FILE", WEIR_T_PATH),
      .help = "Keys of tickets, the same in all instances that are to take up each other's sessions: one a line, as "
              "`openssl rand -hex 80` makes them; the first seals, all open. Read at each load. Default: keys that the "
              "process draws, new ones every six hours." },
    { .name = "client_ca", .in = "tls", .args = ONE("FILE", WEIR_T_PATH),
      .help = "Certificates that may sign those of clients, and what is above them up to a root (PEM); clients are "
              "asked for one." },
    { .name = "client_crl", .in = "tls", .args = ONE("FILE", WEIR_T_PATH),
      .help = "Lists of the clients' certificates that are revoked, of every authority in their chains (PEM, one after "
              "the other, or one in DER). A client is refused whose chain has a revoked certificate, or an authority "
              "without a list here, or one with a list that has run out." },
    { .name = "client_verify", .in = "tls", .args = WORDS("required|optional"), .def = "required",
      .help = "With client_ca: whether a client without a certificate is refused in the handshake, or served. One "
              "whose certificate is not good is refused in any case." },
    { .name = "http2", .in = "listener", .args = ONE("on|off", WEIR_T_BOOL), .def = "on",
      .help = "Whether clients may speak HTTP/2 here: on TLS those that choose it by ALPN, else those that begin with "
              "its preface (prior knowledge). An upgrade from HTTP/1.1 to h2c is never followed." },
    { .name = "limits", .in = "listener", .block = "limits", .def = "",
      .help = "Bounds of what a client may send here." },
    { .name = "request_line", .in = "limits", .args = SIZE_OF(64, 1 << 16), .def = "8k",
      .help = "Longest request line (414)." },
    { .name = "field", .in = "limits", .args = SIZE_OF(64, 1 << 16), .def = "8k",
      .help = "Longest header field line (431)." },
    { .name = "head", .in = "limits", .args = SIZE_OF(256, 1 << 18), .def = "32k",
      .help = "Longest request head (431)." },
    { .name = "fields", .in = "limits", .args = COUNT(1, 1000), .def = "100", .help = "Most header fields (431)." },
    { .name = "connections", .in = "limits", .args = COUNT(1, 1000000), .def = "10000",
      .help = "Most client connections at a time, over all addresses and workers; further ones are closed at once." },
    { .name = "connections_per_client", .in = "limits", .args = COUNT(0, 1000000), .def = "0",
      .help = "Most connections of one client address at a time, of one /64 for IPv6; further ones are closed at once. "
              "0: no bound, since many clients may share the address of a NAT or of a proxy in front. Those in "
              "trusted_proxies are never counted." },
    { .name = "body_rate", .in = "limits", .args = SIZE_OF(0, 1 << 30), .def = "500",
      .help = "Bytes per second that a request body must come with on average; what is slower uses up the time of "
              "`timeouts body`, and then the answer is 408. Only time in which weir waits for the client counts. 0: no "
              "bound." },
    { .name = "response_rate", .in = "limits", .args = SIZE_OF(0, 1 << 30), .def = "500",
      .help = "Bytes per second at which a client must take a response that waits for it, on average; who is slower "
              "uses up the time of `timeouts write` and is then cut. 0: no bound." },
    { .name = "requests", .in = "limits", .args = COUNT(0, INT64_MAX), .def = "0",
      .help = "Most requests on one connection; 0: no bound." },
    { .name = "streams", .in = "limits", .args = COUNT(1, 10000), .def = "100",
      .help = "Most requests at a time on one HTTP/2 connection, as clients are told; what is beyond that is refused "
              "unseen (REFUSED_STREAM), and ends the connection of a client that has confirmed the number." },
    { .name = "timeouts", .in = "listener", .block = "timeouts", .def = "", .help = "How long a client may take." },
    { .name = "head", .in = "timeouts", .args = TIME(1 * MSEC), .def = "10s",
      .help = "For a whole request head (408)." },
    { .name = "body", .in = "timeouts", .args = TIME(1 * MSEC), .def = "30s",
      .help = "Between two pieces of a request body (408), until it is answered; less when they come slower than "
              "`limits body_rate`." },
    { .name = "idle", .in = "timeouts", .args = TIME(1 * MSEC), .def = "60s", .help = "Between two requests." },
    { .name = "write", .in = "timeouts", .args = TIME(1 * MSEC), .def = "30s",
      .help = "Without taking any of the response, as far as the kernel can see; less for who takes it slower than "
              "`limits response_rate`." },
    { 0 },
};
/* clang-format on */
