/* value: text to typed values, within their bounds; and the words in which types are told. */
#include "config.h" /* _GNU_SOURCE: memrchr */

#include "conf_impl.h"

#include "../base/parse.h"

#include <arpa/inet.h>

#define NAME_MAX_BYTES 64
#define UNIX_PATH_MAX_BYTES 107 /* sun_path with its NUL */

struct ask {
    struct conf *conf;
    const struct value_spec *spec;
    struct slice text, shown;
    union value *out;
};

struct value_spec
value_spec_arg(const struct weir_arg *a)
{
    return (struct value_spec){ a->type, a->min, a->max, a->choices, a->flags };
}

struct value_spec
value_spec_opt(const struct weir_opt *o)
{
    return (struct value_spec){ o->type, o->min, o->max, o->choices, 0 };
}

struct slice
choice_at(const char *choices, unsigned i)
{
    const char *p = choices ? choices : "";

    for (; i && *p; i--) {
        p += strcspn(p, "|");
        p += *p == '|';
    }
    return slice_of(p, strcspn(p, "|"));
}

static const char *not_a(const struct ask *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "`5` is not a duration: ...", what would be right below it. */
static const char *
not_a(const struct ask *a, const char *fmt, ...)
{
    struct arena *arena = &a->conf->arena;
    struct slice why;
    va_list ap;

    if (diag_is_full(a->conf))
        return "is not right";
    va_start(ap, fmt);
    why = arena_vprintf(arena, fmt, ap);
    va_end(ap);
    return arena_printf(arena, "`%s` %s", diag_word(a->conf, a->shown), why.p).p;
}

static bool
all_digits(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    }
    return s.n > 0;
}

/* --- bounds --- */

static void
add_amount(struct strbuf *b, enum weir_type type, int64_t v)
{
    static const struct {
        const char *unit;
        int64_t len;
    } times[] = { { "d", 86400 * NSEC_PER_SEC }, { "h", 3600 * NSEC_PER_SEC }, { "m", 60 * NSEC_PER_SEC },
                  { "s", NSEC_PER_SEC }, { "ms", NSEC_PER_MSEC }, { "ns", 1 } },
      sizes[] = { { "g", 1 << 30 }, { "m", 1 << 20 }, { "k", 1 << 10 }, { "", 1 } };
    unsigned i = 0;

    if (type == WEIR_T_DURATION && v) {
        while (v % times[i].len)
            i++;
        strbuf_addf(b, "%lld%s", (long long)(v / times[i].len), times[i].unit);
    } else if (type == WEIR_T_SIZE && v) {
        while (v % sizes[i].len)
            i++;
        strbuf_addf(b, "%lld%s", (long long)(v / sizes[i].len), sizes[i].unit);
    } else {
        strbuf_addf(b, "%lld%s", (long long)v, type == WEIR_T_PERCENT ? "%" : "");
    }
}

static bool
is_bounded(const struct value_spec *spec)
{
    switch (spec->type) {
    case WEIR_T_INT:
    case WEIR_T_SIZE:
    case WEIR_T_DURATION:
    case WEIR_T_PERCENT:
    case WEIR_T_RATE:
        return spec->min || spec->max;
    default:
        return false;
    }
}

/* The largest number that there is bounds nothing. */
static bool
has_upper(const struct value_spec *spec)
{
    return spec->max >= spec->min && (spec->max || spec->min < 0) && spec->max != INT64_MAX;
}

void
value_bounds(struct strbuf *b, const struct value_spec *spec)
{
    bool upper = has_upper(spec);

    if (!is_bounded(spec))
        return;
    if (!upper)
        strbuf_adds(b, "at least ");
    add_amount(b, spec->type, spec->min);
    if (upper) {
        strbuf_adds(b, " to ");
        add_amount(b, spec->type, spec->max);
    }
}

static const char *
in_bounds(const struct ask *a, double v)
{
    const struct value_spec *spec = a->spec;
    bool upper = has_upper(spec);
    struct strbuf b;
    const char *error;

    if (!is_bounded(spec) || (v >= (double)spec->min && (!upper || v <= (double)spec->max)))
        return NULL;
    strbuf_init(&b, 128);
    value_bounds(&b, spec);
    error = not_a(a, "is too %s\n%s%s", v < (double)spec->min ? "small" : "large", upper ? "it goes from " : "", b.p);
    strbuf_fini(&b);
    return error;
}

/* --- numbers --- */

static const char *
parse_int(const struct ask *a)
{
    bool negative = a->text.n && a->text.p[0] == '-' && a->spec->min < 0;
    uint64_t v;

    if (parse_u64(slice_from(a->text, negative), INT64_MAX, &v) < 0)
        return not_a(a, "is not a whole number\nwrite digits only: 64");
    a->out->i[0] = negative ? -(int64_t)v : (int64_t)v;
    return in_bounds(a, (double)a->out->i[0]);
}

static const char *
parse_bytes(const struct ask *a)
{
    uint64_t v;

    if (parse_size(a->text, &v) < 0 || v > INT64_MAX)
        return not_a(a, "is not a size\nwrite bytes, or a number and a unit: 512, 8k, 1m, 2g");
    a->out->i[0] = (int64_t)v;
    return in_bounds(a, (double)v);
}

static const char *
parse_time(const struct ask *a)
{
    if (parse_duration(a->text, &a->out->i[0]) == 0)
        return in_bounds(a, (double)a->out->i[0]);
    if (all_digits(a->text))
        return not_a(a, "is not a duration: the unit is missing\ndid you mean `%ss`?", diag_word(a->conf, a->shown));
    return not_a(a, "is not a duration\nwrite a whole number and a unit: 250ms, 5s, 10m, 24h, 7d");
}

static const char *
parse_per(const struct ask *a)
{
    if (parse_rate(a->text, &a->out->rate.count, &a->out->rate.per) < 0 || a->out->rate.count > INT64_MAX)
        return not_a(a, "is not a rate\nwrite a number per unit of time: 100/s, 6000/m, 1/h");
    if (!a->out->rate.count)
        return not_a(a, "is too small\na rate is at least 1 per unit of time");
    return in_bounds(a, (double)a->out->rate.count);
}

static const char *
parse_share(const struct ask *a)
{
    bool plain = a->text.n && a->text.p[a->text.n - 1] != '%';
    struct slice text = a->text;

    if (plain && a->spec->flags & CONF_ARG_PLAIN)
        text = arena_printf(&a->conf->arena, "%.*s%%", SLICE_FMT(a->text));
    if (parse_percent(text, &a->out->percent) == 0)
        return in_bounds(a, a->out->percent);
    if (plain && all_digits(a->text) && text.p == a->text.p)
        return not_a(a, "is not a percentage: the sign is missing\ndid you mean `%s%%`?", diag_word(a->conf, a->shown));
    return not_a(a, "is not a percentage\nit goes from 0%% to 100%%: 5%%, 0.5%%");
}

static const char *
parse_bool(const struct ask *a)
{
    if (!slice_eq(a->text, SLICE("on")) && !slice_eq(a->text, SLICE("off")))
        return not_a(a, "is neither `on` nor `off`");
    a->out->i[0] = a->text.n == 2;
    return NULL;
}

static const char *
parse_status(const struct ask *a)
{
    const char *dash = a->text.n ? memchr(a->text.p, '-', a->text.n) : NULL;
    struct slice low = a->text, high = a->text;
    uint64_t v[2];

    if (dash) {
        low.n = (size_t)(dash - a->text.p);
        high = slice_from(a->text, low.n + 1);
    }
    if (low.n != 3 || high.n != 3 || parse_u64(low, 599, &v[0]) < 0 || parse_u64(high, 599, &v[1]) < 0 || v[0] < 100)
        return not_a(a, "is not a status\nwrite one from 100 to 599, or a range: 200, 200-299");
    if (v[0] > v[1])
        return not_a(a, "is an empty range\ndid you mean `%u-%u`?", (unsigned)v[1], (unsigned)v[0]);
    a->out->i[0] = (int64_t)v[0];
    a->out->i[1] = (int64_t)v[1];
    return NULL;
}

/* --- words --- */

static const char *
parse_choice(const struct ask *a)
{
    struct arena *arena = &a->conf->arena;
    struct nearest near;
    struct strbuf list;
    const char *error;
    struct slice choice;

    nearest_init(&near, a->text);
    strbuf_init(&list, 1024);
    for (unsigned i = 0; (choice = choice_at(a->spec->choices, i)).n; i++) {
        if (slice_eq(choice, a->text)) {
            a->out->i[0] = i;
            strbuf_fini(&list);
            return NULL;
        }
        nearest_try(&near, arena_slice(arena, choice).p);
        strbuf_adds(&list, i ? ", `" : "`");
        strbuf_addslice(&list, choice);
        strbuf_addc(&list, '`');
    }
    if (near.best && !slice_eq(a->shown, SLICE("***")))
        error = not_a(a, "is not one of %s\ndid you mean `%s`?", list.p, near.best);
    else
        error = not_a(a, "cannot stand here\nwrite %s%s", strchr(list.p ? list.p : "", ',') ? "one of " : "", list.p);
    strbuf_fini(&list);
    return error;
}

static const char *
parse_name(const struct ask *a)
{
    for (size_t i = 0; i < a->text.n; i++) {
        char c = a->text.p[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';

        if (!letter && (!i || !((c >= '0' && c <= '9') || c == '.' || c == '-')))
            return not_a(
                a, "is not a name\na name starts with a letter or _, and goes on with letters, digits, _ . and -");
    }
    if (!a->text.n || a->text.n > NAME_MAX_BYTES)
        return not_a(a, "is not a name\na name has 1 to %d characters", NAME_MAX_BYTES);
    return NULL;
}

static const char *
parse_path(const struct ask *a)
{
    return a->text.n ? NULL : "the name of a file is empty";
}

/* --- addresses --- */

static bool
is_ip(struct slice s, int family)
{
    char text[INET6_ADDRSTRLEN + 1];
    struct in6_addr ip;

    if (!s.n || s.n >= sizeof(text))
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    return inet_pton(family, text, &ip) == 1;
}

/* Labels of letters, digits, '-' and '_' (service names have it), 63 bytes at most (RFC 1035 2.3.4); all digits would
 * be a mistyped address. */
static bool
is_host(struct slice s)
{
    size_t label = 0;
    bool letters = false;

    if (s.n && s.p[s.n - 1] == '.')
        s.n--;
    if (!s.n || s.n > 253)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        bool inner = c == '-' && label && i + 1 < s.n && s.p[i + 1] != '.';

        letters |= letter || inner;
        if (c == '.' ? !label : !(letter || inner || (c >= '0' && c <= '9')) || label >= 63)
            return false;
        label = c == '.' ? 0 : label + 1;
    }
    return letters;
}

static const char *
parse_unix(const struct ask *a)
{
    struct slice path = slice_from(a->text, 5);

    if (!path.n || path.p[0] != '/')
        return not_a(a, "is not an address\na unix address is `unix:` and an absolute path: unix:/run/weir/admin.sock");
    if (path.n > UNIX_PATH_MAX_BYTES)
        return not_a(a, "is not an address\nthe path of a unix address has at most %d bytes, this one has %zu",
                     UNIX_PATH_MAX_BYTES, path.n);
    return NULL;
}

static const char *
parse_address(const struct ask *a)
{
    bool names = a->spec->type == WEIR_T_ENDPOINT;
    struct slice s = a->text, host, port;
    const char *colon = s.n ? memrchr(s.p, ':', s.n) : NULL;
    const char *forms =
        names ? "127.0.0.1:8080, [::1]:8080, orders.internal:8080, unix:/path" : "0.0.0.0:8080, [::1]:8080, unix:/path";
    uint64_t n;
    bool bracketed;

    if (slice_starts(s, SLICE("unix:")))
        return parse_unix(a);
    if (s.n && memmem(s.p, s.n, "://", 3))
        return not_a(a, "is a URL, not an address\nwrite %s", forms);
    host = colon ? slice_of(s.p, (size_t)(colon - s.p)) : s;
    bracketed = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (is_ip(s, AF_INET6) && !bracketed)
        return not_a(a, "needs a port, and brackets around the address\nwrite [%s]:8080", diag_word(a->conf, a->shown));
    if (!colon)
        return not_a(a, "is not an address%s\nwrite %s", is_ip(s, AF_INET) || is_host(s) ? ": the port is missing" : "",
                     forms);
    if (!(bracketed ? is_ip(slice_of(host.p + 1, host.n - 2), AF_INET6) : is_ip(host, AF_INET)) &&
        !(names && is_host(host)))
        return not_a(a, "is not an address%s\nwrite %s",
                     !names && is_host(host) ? ": names are not looked up here" : "", forms);
    port = slice_from(s, host.n + 1);
    if (parse_u64(port, 65535, &n) < 0 || (names && !n))
        return not_a(a, "is not an address: the port goes from %d to 65535", names);
    return NULL;
}

static const char *
parse_cidr(const struct ask *a)
{
    struct slice ip = a->text, bits = SLICE_NONE;
    const char *slash = ip.n ? memchr(ip.p, '/', ip.n) : NULL;
    uint64_t n;
    bool v4;

    if (slash) {
        ip.n = (size_t)(slash - ip.p);
        bits = slice_from(a->text, ip.n + 1);
    }
    v4 = is_ip(ip, AF_INET);
    if (!v4 && ip.n > 2 && ip.p[0] == '[' && ip.p[ip.n - 1] == ']')
        ip = slice_of(ip.p + 1, ip.n - 2);
    if (!v4 && !is_ip(ip, AF_INET6))
        return not_a(a, "is not a range of addresses\nwrite 10.0.0.0/8, fe80::/10, or one address");
    if (slash && parse_u64(bits, v4 ? 32 : 128, &n) < 0)
        return not_a(a, "is not a range of addresses\nbehind the slash stand 0 to %d bits", v4 ? 32 : 128);
    return NULL;
}

/* --- types --- */

static const struct {
    const char *form, *help;
    const char *(*parse)(const struct ask *a);
} types[] = {
    [WEIR_T_NONE] = { "", "", NULL },
    [WEIR_T_WORD] = { "WORD", "a word", parse_choice },
    [WEIR_T_STRING] = { "TEXT", "text", NULL },
    [WEIR_T_TEMPLATE] = { "TEMPLATE", "text that may hold ${variables}", NULL },
    [WEIR_T_INT] = { "N", "a whole number", parse_int },
    [WEIR_T_SIZE] = { "SIZE", "a size: 512, 8k, 1m", parse_bytes },
    [WEIR_T_DURATION] = { "TIME", "a duration: 250ms, 5s, 10m, 24h, 7d", parse_time },
    [WEIR_T_RATE] = { "RATE", "a rate: 100/s, 6000/m, 1/h", parse_per },
    [WEIR_T_PERCENT] = { "N%", "a percentage: 5%, 0.5%", parse_share },
    [WEIR_T_BOOL] = { "on|off", "on or off", parse_bool },
    [WEIR_T_ADDRESS] = { "ADDRESS", "an address: 0.0.0.0:8080, [::1]:8080, unix:/path", parse_address },
    [WEIR_T_ENDPOINT] = { "ADDRESS", "an address or name: 127.0.0.1:8080, orders.internal:8080, unix:/path",
                          parse_address },
    [WEIR_T_CIDR] = { "CIDR", "a range of addresses: 10.0.0.0/8, fe80::/10, or one address", parse_cidr },
    [WEIR_T_STATUS] = { "STATUS", "a status, or a range: 200, 200-299", parse_status },
    [WEIR_T_NAME] = { "NAME", "a name: letters, digits, _ . and -", parse_name },
    [WEIR_T_PATH] = { "FILE", "a file, relative to the directory of the file it is named in", parse_path },
};

const char *
value_form(enum weir_type type)
{
    return types[type].form;
}

const char *
value_help(enum weir_type type)
{
    return types[type].help;
}

/* A value that a dump has hidden. Text stays text; anything else counts as its smallest value, where that is
 * allowed. */
static const char *
parse_masked(const struct ask *a)
{
    if (!a->conf->masked_allowed)
        return not_a(a, "stands where a dump has hidden a value\nput the value back");
    if (a->spec->type == WEIR_T_RATE)
        a->out->rate.count = 1, a->out->rate.per = NSEC_PER_SEC;
    else if (a->spec->type == WEIR_T_PERCENT)
        a->out->percent = (double)a->spec->min;
    else
        a->out->i[0] = a->out->i[1] = a->spec->type == WEIR_T_STATUS ? 200 : a->spec->min;
    return NULL;
}

const char *
value_parse(struct conf *c, const struct value_spec *spec, struct slice text, struct slice shown, union value *out)
{
    struct ask a = { c, spec, text, shown, out };

    memset(out, 0, sizeof(*out));
    if ((size_t)spec->type >= sizeof(types) / sizeof(types[0]) || !types[spec->type].parse)
        return NULL;
    if (spec->type != WEIR_T_PATH && text.n && memmem(text.p, text.n, "***", 3))
        return parse_masked(&a);
    return types[spec->type].parse(&a);
}
