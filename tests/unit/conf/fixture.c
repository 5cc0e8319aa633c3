#include "fixture.h"

#include <sys/stat.h>

#define SEC INT64_C(1000000000)
#define MSEC INT64_C(1000000)

static const struct weir_arg workers_args[] = { { "N", WEIR_T_STRING }, { 0 } };
static const struct weir_arg names_args[] = { { "NAME", WEIR_T_NAME, .flags = WEIR_ARG_REPEAT }, { 0 } };
static const struct weir_arg name_args[] = { { "NAME", WEIR_T_NAME }, { 0 } };
static const struct weir_arg log_args[] = { { "FILE", WEIR_T_PATH }, { 0 } };
static const struct weir_opt log_opts[] = { { "format", WEIR_T_WORD, .choices = "json|text", .def = "json" }, { 0 } };
static const struct weir_arg cidr_args[] = { { "CIDR", WEIR_T_CIDR, .flags = WEIR_ARG_REPEAT }, { 0 } };
static const struct weir_arg address_args[] = { { "ADDRESS", WEIR_T_ADDRESS }, { 0 } };
static const struct weir_arg endpoint_args[] = { { "ADDRESS", WEIR_T_ENDPOINT }, { 0 } };
static const struct weir_opt endpoint_opts[] = { { "weight", WEIR_T_INT, 1, 1000, .def = "1" },
                                                 { "zone", WEIR_T_STRING },
                                                 { "ramp", WEIR_T_DURATION, MSEC, 60 * SEC, .def = "5s" },
                                                 { 0 } };
static const struct weir_arg balance_args[] = { { "HOW", WEIR_T_WORD,
                                                  .choices = "round_robin|least_request|random|hash" },
                                                { "KEY", WEIR_T_TEMPLATE, .flags = WEIR_ARG_OPTIONAL },
                                                { 0 } };
static const struct weir_arg time_args[] = { { "TIME", WEIR_T_DURATION, MSEC, 3600 * SEC }, { 0 } };
static const struct weir_arg size_args[] = { { "SIZE", WEIR_T_SIZE, 1, 1 << 30 }, { 0 } };
static const struct weir_arg int_args[] = { { "N", WEIR_T_INT, 1, 100 }, { 0 } };
static const struct weir_arg percent_args[] = { { "SHARE", WEIR_T_PERCENT }, { 0 } };
static const struct weir_arg bool_args[] = { { "on|off", WEIR_T_BOOL }, { 0 } };
static const struct weir_arg rate_args[] = { { "RATE", WEIR_T_RATE }, { 0 } };
static const struct weir_opt rate_opts[] = { { "burst", WEIR_T_INT, 1, 1000000 }, { 0 } };
static const struct weir_arg template_args[] = { { "TEMPLATE", WEIR_T_TEMPLATE }, { 0 } };
static const struct weir_arg status_args[] = { { "STATUS", WEIR_T_STATUS }, { 0 } };
static const struct weir_arg pattern_args[] = { { "PATTERN", WEIR_T_STRING },
                                                { "PATH", WEIR_T_STRING, .flags = WEIR_ARG_OPTIONAL },
                                                { 0 } };
static const struct weir_opt route_opts[] = { { "name", WEIR_T_STRING }, { 0 } };
static const struct weir_arg words_args[] = { { "METHOD", WEIR_T_STRING, .flags = WEIR_ARG_REPEAT }, { 0 } };
static const struct weir_arg respond_args[] = { { "STATUS", WEIR_T_STATUS },
                                                { "BODY", WEIR_T_TEMPLATE, .flags = WEIR_ARG_OPTIONAL },
                                                { 0 } };
static const struct weir_opt respond_opts[] = { { "type", WEIR_T_STRING, .def = "text/plain; charset=utf-8" }, { 0 } };
static const struct weir_arg secret_args[] = { { "TEXT|file:PATH", WEIR_T_STRING }, { 0 } };
static const struct weir_arg path_args[] = { { "FILE", WEIR_T_PATH }, { 0 } };

static void
check_upper(const struct weir_conf *line, void *diag)
{
    (void)diag;
    if (conf_int(line, 0) == 13)
        conf_error(line, 0, "13 brings bad luck\ntry 14");
}

const struct weir_directive fixture_rows[] = {
    { "workers", "main", workers_args, .def = "auto", .help = "threads that serve" },
    { "use", "main", names_args, .flags = WEIR_D_REPEAT, .help = "modules to load" },
    { "access_log", "main", log_args, log_opts, .def = "stdout", .help = "where requests are noted" },
    { "trusted_proxies", "main", cidr_args, .help = "who is believed" },
    { "listener", "main", name_args, .block = "listener", .flags = WEIR_D_UNIQUE_NAME | WEIR_D_REPEAT,
      .help = "a place to listen" },
    { "bind", "listener", address_args, .flags = WEIR_D_REPEAT | WEIR_D_REQUIRED, .help = "an address" },
    { "tls", "listener", .block = "listener_tls", .help = "TLS" },
    { "certificate", "listener_tls", path_args, .flags = WEIR_D_REQUIRED, .help = "chain" },
    { "limits", "listener", .block = "limits", .def = "", .help = "of a request" },
    { "head", "limits", size_args, .def = "32k", .help = "bytes of a head" },
    { "fields", "limits", int_args, .def = "100", .help = "fields of a head", .check = check_upper },
    { "upstream", "main", name_args, .block = "upstream", .flags = WEIR_D_UNIQUE_NAME, .help = "a service" },
    { "endpoint", "upstream", endpoint_args, endpoint_opts, .flags = WEIR_D_REPEAT, .help = "one server of it" },
    { "balance", "upstream", balance_args, .def = "round_robin", .help = "which endpoint is taken" },
    { "connect_timeout", "upstream", time_args, .def = "1s", .help = "to connect" },
    { "panic", "upstream", percent_args, .help = "send anyway" },
    { "retry", "upstream", .block = "retry", .flags = WEIR_D_BLOCK_OPTIONAL, .help = "try again" },
    { "expect", "upstream", status_args, .help = "what is healthy" },
    { "host", "main", words_args, .block = "host", .flags = WEIR_D_REPEAT, .help = "names" },
    { "route", "main host", pattern_args, route_opts, .block = "route", .flags = WEIR_D_REPEAT,
      .help = "requests by path" },
    { "methods", "route", words_args, .help = "allowed ones" },
    { "proxy", "route", name_args, .help = "send there" },
    { "respond", "route", respond_args, respond_opts, .help = "answer" },
    { "timeout", "route", time_args, .def = "30s", .help = "for all of it" },
    { "buffering", "route", bool_args, .def = "on", .help = "hold" },
    { "rate_limit", "main host route", .block = "rate_limit", .flags = WEIR_D_POLICY, .help = "so many" },
    { "rate", "rate_limit", rate_args, rate_opts, .flags = WEIR_D_REQUIRED, .help = "per time" },
    { "key", "rate_limit", template_args, .def = "${client.ip}", .help = "who shares" },
    { "secret", "rate_limit", secret_args, .flags = WEIR_D_SECRET, .help = "not to be shown" },
    { 0 },
};

struct conf *
fixture_new(void)
{
    struct conf *c = conf_new();
    const char *clash = NULL;

    assert_int_equal(conf_add_rows(c, fixture_rows, NULL, &clash), 0);
    assert_null(clash);
    return c;
}

struct conf *
fixture_parse(const char *text)
{
    struct conf *c = fixture_new();

    conf_parse_text(c, "gateway.conf", slice_str(text));
    return c;
}

struct conf *
fixture_load(const char *text)
{
    struct conf *c = fixture_parse(text);

    conf_check(c);
    return c;
}

char *
fixture_told(struct conf *c)
{
    struct strbuf b;
    char *told;

    strbuf_init(&b, 1 << 24);
    conf_diagnostics(c, &b);
    told = strdup(b.n ? b.p : "");
    strbuf_fini(&b);
    conf_free(c);
    return told;
}

void
assert_told(const char *text, const char *diagnostics)
{
    char *told = fixture_told(fixture_load(text));

    assert_string_equal(told, diagnostics);
    free(told);
}

void
assert_told_part(const char *text, const char *part)
{
    char *told = fixture_told(fixture_load(text));

    if (!strstr(told, part))
        fail_msg("not told: %s\ntold:\n%s", part, told);
    free(told);
}

char *
fixture_dump(const struct conf *c)
{
    struct strbuf b;
    char *dump;

    strbuf_init(&b, 1 << 26);
    conf_dump(c, &b);
    dump = strdup(b.n ? b.p : "");
    strbuf_fini(&b);
    return dump;
}

/* --- files --- */

static char dir[64];

const char *
fixture_dir(void)
{
    if (!dir[0]) {
        strcpy(dir, "/tmp/weir-conf-XXXXXX");
        assert_non_null(mkdtemp(dir));
        strcat(dir, "/");
    }
    return dir;
}

void
fixture_file(const char *name, const char *content)
{
    char path[256];
    FILE *f;
    char *slash;

    snprintf(path, sizeof(path), "%s%s", fixture_dir(), name);
    slash = strrchr(path + strlen(dir), '/');
    if (slash) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(content, f);
    fclose(f);
}

void
fixture_clean(void)
{
    char command[128];

    if (!dir[0])
        return;
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    assert_int_equal(system(command), 0);
    dir[0] = '\0';
}
