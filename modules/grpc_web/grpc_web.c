/*
 * grpc_web: gRPC-Web (PROTOCOL-WEB of gRPC) to gRPC, so that browsers reach gRPC services that know nothing of it:
 *
 *     route /shop.Orders/ { grpc_web; proxy orders; }
 *
 * Both have the same frames. What differs is the media type, base64 around all of it in the -text variants, and that
 * the trailers of an answer are its last frame. Requests of other media types pass as they are.
 */
#include "base64.h"
#include "frames.h"

#include <string.h>
#include <strings.h>
#include <weir/module.h>

#define GRPC "application/grpc"
#define GRPC_WEB "application/grpc-web"
#define SLICE_MAX 3072 /* bytes that are decoded or encoded at a time, on the stack */

static const struct weir_host *host;

static const struct weir_directive rows[] = {
    { "grpc_web", "main host route policy", .block = "grpc_web", .flags = WEIR_D_POLICY | WEIR_D_BLOCK_OPTIONAL,
      .help = "Serves gRPC-Web clients (application/grpc-web and application/grpc-web-text, +proto and others) from "
              "gRPC origins: their requests become application/grpc, and the trailers of the answer its last frame." },
    { 0 },
};

static const struct weir_reason reasons[] = {
    { "grpc_web_bad_body", 400, "The body is not gRPC-Web text", NULL },
    { "grpc_web_bad_answer", 502, "The answer ends inside a message", "http_response_incomplete" },
    { 0 },
};

/* What is known of an exchange with a gRPC-Web client; in its slot. */
struct call {
    bool text;                      /* the answer is to be base64 */
    bool status_sent;               /* the origin's status is in the head of its answer */
    struct weir_str suffix;         /* of the request's media type: "+proto", or empty */
    struct base64_decoder received; /* the request */
    struct base64_encoder sent;     /* the answer */
    struct frames frames;
};

/* ---- media types ---- */

/* Does s begin so, in any case? Then rest is what follows. */
static bool
begins(struct weir_str s, const char *prefix, struct weir_str *rest)
{
    size_t n = strlen(prefix);

    if (s.n < n || strncasecmp(s.p, prefix, n) != 0)
        return false;
    *rest = (struct weir_str){ s.p + n, s.n - n };
    return true;
}

/* "+proto; charset=x": the suffix. false: the name of the type goes on otherwise. */
static bool
take_suffix(struct weir_str rest, struct weir_str *suffix)
{
    size_t n = 0;

    if (rest.n && !strchr("+; \t", rest.p[0]))
        return false;
    while (n < rest.n && !strchr("; \t", rest.p[n]))
        n++;
    *suffix = (struct weir_str){ rest.p, n };
    return true;
}

static bool
is_grpc_web(struct weir_str type, bool *text, struct weir_str *suffix)
{
    struct weir_str rest;

    if (!begins(type, GRPC_WEB, &rest))
        return false;
    *text = begins(rest, "-text", &rest);
    if (*text)
        begins(rest, "-base64", &rest); /* the one encoding that there is, by its name */
    return take_suffix(rest, suffix);
}

/* Which form of answer the client asks for, when it says so; else that of its request. */
static bool
wants_text(struct weir_exchange *x, bool otherwise)
{
    struct weir_str accept, rest;

    for (unsigned i = 0; (accept = host->request_header(x, "accept", i)).p; i++) {
        for (size_t at = 0; at < accept.n; at++) {
            struct weir_str here = { accept.p + at, accept.n - at };

            if (begins(here, GRPC_WEB, &rest))
                return begins(rest, "-text", &rest);
        }
    }
    return otherwise;
}

static struct weir_str
media_type(struct weir_exchange *x, const char *type, struct weir_str suffix)
{
    size_t n = strlen(type);
    char *p = host->exchange_alloc(x, n + suffix.n + 1);

    memcpy(p, type, n);
    if (suffix.n)
        memcpy(p + n, suffix.p, suffix.n);
    return (struct weir_str){ p, n + suffix.n };
}

/* ---- the request ---- */

static enum weir_verdict
request(struct weir_exchange *x, void *config)
{
    struct weir_str suffix, type = host->request_header(x, "content-type", 0), trailers = { "trailers", 8 };
    struct call *c;
    bool text;

    host->body_use(x, WEIR_BODY_REQUEST, WEIR_BODY_SKIP);
    host->body_use(x, WEIR_BODY_RESPONSE, WEIR_BODY_SKIP);
    if (!type.p || !is_grpc_web(type, &text, &suffix))
        return WEIR_CONTINUE;
    c = *host->exchange_slot(x) = host->exchange_alloc(x, sizeof(*c));
    c->suffix = media_type(x, "", suffix); /* the field it is from is about to go */
    c->text = wants_text(x, text);
    host->request_header_set(x, "content-type", media_type(x, GRPC, c->suffix));
    host->request_header_set(x, "te", trailers);
    if (text)
        host->body_use(x, WEIR_BODY_REQUEST, WEIR_BODY_CHANGE);
    host->note(x, text ? "text" : "binary", NULL);
    return WEIR_CONTINUE;
}

/* Only those of text are looked at. */
static enum weir_verdict
request_body(struct weir_exchange *x, void *config, const struct weir_body *body)
{
    struct call *c = *host->exchange_slot(x);
    char out[BASE64_DECODED_MAX(SLICE_MAX)];

    host->body_write(x, (struct weir_str){ "", 0 });
    for (size_t at = 0; at < body->piece.n; at += SLICE_MAX) {
        size_t left = body->piece.n - at;
        ssize_t n = base64_decode(&c->received, body->piece.p + at, left < SLICE_MAX ? left : SLICE_MAX, out);

        if (n < 0)
            return host->refuse(x, "grpc_web_bad_body", "the body is not base64");
        host->body_write(x, (struct weir_str){ out, (size_t)n });
    }
    if (body->end && !base64_complete(&c->received))
        return host->refuse(x, "grpc_web_bad_body", "the body ends inside a group of base64");
    return WEIR_CONTINUE;
}

/* ---- the answer ---- */

/* What is no gRPC (an error page of a proxy, weir's own refusal) goes to the client as it is: it knows what HTTP status
 * stands for what status of gRPC. */
static void
response(struct weir_exchange *x, void *config)
{
    struct call *c = *host->exchange_slot(x);
    struct weir_str rest, suffix, type = host->response_header(x, "content-type", 0);

    if (!c || !type.p || !begins(type, GRPC, &rest) || !take_suffix(rest, &suffix))
        return;
    c->status_sent = host->response_header(x, "grpc-status", 0).p != NULL;
    host->response_header_set(x, "content-type",
                              media_type(x, c->text ? GRPC_WEB "-text" : GRPC_WEB, suffix.n ? suffix : c->suffix));
    host->body_use(x, WEIR_BODY_RESPONSE, WEIR_BODY_CHANGE);
}

static void
send(struct weir_exchange *x, struct call *c, const char *p, size_t n)
{
    char out[BASE64_ENCODED_MAX(SLICE_MAX)];

    if (!c->text)
        host->body_write(x, (struct weir_str){ p, n });
    for (size_t at = 0; c->text && at < n; at += SLICE_MAX)
        host->body_write(
            x, (struct weir_str){ out, base64_encode(&c->sent, p + at, n - at < SLICE_MAX ? n - at : SLICE_MAX, out) });
}

/* What is left of a group is padded, so that the client has all that was sent. */
static void
flush(struct weir_exchange *x, struct call *c)
{
    char out[4];

    host->body_write(x, (struct weir_str){ out, base64_flush(&c->sent, out) });
}

static size_t
put(char *to, struct weir_str s)
{
    memcpy(to, s.p, s.n);
    return s.n;
}

/* "name: value\r\n", the name in lower case as HTTP/2 has it. */
static size_t
put_line(char *to, struct weir_str name, struct weir_str value)
{
    size_t n = put(to, name);

    for (size_t i = 0; i < n; i++)
        to[i] = (char)(to[i] >= 'A' && to[i] <= 'Z' ? to[i] | 0x20 : to[i]);
    n += put(to + n, (struct weir_str){ ": ", 2 });
    n += put(to + n, value);
    return n + put(to + n, (struct weir_str){ "\r\n", 2 });
}

/* The frame of the trailers; they are bounded as a head is. */
static struct weir_str
trailer_frame(struct weir_exchange *x)
{
    struct weir_str name, value;
    size_t n = FRAME_HEAD;
    char *p;

    for (unsigned i = 0; host->trailer(x, i, &name, &value); i++)
        n += name.n + 2 + value.n + 2;
    p = host->exchange_alloc(x, n);
    frame_head(p, FRAME_TRAILERS, (uint32_t)(n - FRAME_HEAD));
    n = FRAME_HEAD;
    for (unsigned i = 0; host->trailer(x, i, &name, &value); i++)
        n += put_line(p + n, name, value);
    return (struct weir_str){ p, n };
}

/* An answer that ends without a status is one of unknown (2) to a gRPC client; a gRPC-Web client must be told. */
static void
end(struct weir_exchange *x, struct call *c)
{
    struct weir_str name, value, frame;
    bool status = c->status_sent;

    for (unsigned i = 0; host->trailer(x, i, &name, &value); i++)
        status |= name.n == 11 && strncasecmp(name.p, "grpc-status", 11) == 0;
    if (!status) {
        host->trailer_add(x, "grpc-status", (struct weir_str){ "2", 1 });
        host->trailer_add(x, "grpc-message", (struct weir_str){ "the upstream sent no status", 27 });
    }
    if (!host->trailer(x, 0, &name, &value))
        return;
    frame = trailer_frame(x);
    host->trailer_remove(x, NULL);
    send(x, c, frame.p, frame.n);
}

static enum weir_verdict
response_body(struct weir_exchange *x, void *config, const struct weir_body *body)
{
    struct call *c = *host->exchange_slot(x);
    bool whole = frames_follow(&c->frames, body->piece.p, body->piece.n);

    if (!c->text && !body->end)
        return WEIR_CONTINUE;
    if (body->end && !whole) /* the client would take the frame of the trailers for the rest of it */
        return host->refuse(x, "grpc_web_bad_answer", "the answer ends inside a message");
    host->body_write(x, (struct weir_str){ "", 0 });
    send(x, c, body->piece.p, body->piece.n);
    if (body->end)
        end(x, c);
    if (c->text && whole) /* inside a frame there is nothing that the client could use */
        flush(x, c);
    return WEIR_CONTINUE;
}

/* ---- life ---- */

static int
load(const struct weir_host *table, const char **error)
{
    host = table;
    return 0;
}

static int
configure(struct weir_policy *p, const struct weir_conf *block, void **config)
{
    *config = NULL;
    return 0;
}

WEIR_MODULE = {
    WEIR_MODULE_ABI,
    .name = "grpc_web",
    .version = "1.0",
    .summary = "serves gRPC-Web clients from gRPC origins",
    .directives = rows,
    .reasons = reasons,
    .load = load,
    .configure = configure,
    .request = request,
    .response = response,
    .request_body = request_body,
    .response_body = response_body,
};
