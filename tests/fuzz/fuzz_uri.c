/* Request targets, paths, authorities and URLs. Input: rules for the path and a length, the text. */
#include "fuzz.h"

#include "../../src/http/chars.h"

/* The canonical form is its own, and does not depend on what stands before it (the codec looks at 16 bytes at a time).
 */
static void
try_path(struct slice s, const struct uri_rules *rules, size_t shift, struct arena *arena)
{
    char *moved = arena_alloc(arena, s.n + shift + 1);
    struct slice path, again;

    if (uri_canonical_path(s, rules, arena, &path))
        return;
    fuzz_require_path(path, rules);
    FUZZ_REQUIRE(!uri_canonical_path(path, rules, arena, &again) && slice_eq(path, again));
    moved[0] = '/';
    memset(moved + 1, 'x', shift);
    memcpy(moved + shift + 1, s.p, s.n);
    FUZZ_REQUIRE(!uri_canonical_path(slice_of(moved, s.n + shift + 1), rules, arena, &again));
    FUZZ_REQUIRE(shift == 0 || slice_eq(path, slice_from(again, shift + 1)));
}

static void
try_target(enum http_method method, struct slice s, const struct uri_rules *rules, struct arena *arena)
{
    struct http_request r = { .method = method, .target = s };

    if (uri_parse_target(&r, rules, arena))
        return;
    for (size_t i = 0; i < r.query.n; i++)
        FUZZ_REQUIRE(r.query.p[i] > 0x20 && r.query.p[i] < 0x7f && r.query.p[i] != '#');
    FUZZ_REQUIRE(r.has_query || !r.query.n);
    if (r.path.n && r.path.p[0] == '/')
        fuzz_require_path(r.path, rules);
    else
        FUZZ_REQUIRE(method == METHOD_CONNECT || (method == METHOD_OPTIONS && slice_eq(r.path, SLICE("*"))));
}

static void
require_host(struct slice host)
{
    FUZZ_REQUIRE(host.n > 0 && host.n <= 253);
    for (size_t i = 0; i < host.n; i++)
        FUZZ_REQUIRE(char_is(host.p[i], CHAR_HOST) || host.p[0] == '[');
    FUZZ_REQUIRE(host.p[0] != '.' && host.p[host.n - 1] != '.');
}

static void
try_authority(struct slice s, struct arena *arena)
{
    struct http_request r = { .authority = s }, again = { 0 };

    if (uri_parse_authority(&r, arena))
        return;
    require_host(r.host);
    FUZZ_REQUIRE(r.port == -1 || (r.port > 0 && r.port <= 65535));
    for (size_t i = 0; i < r.host.n; i++)
        FUZZ_REQUIRE(char_lower(r.host.p[i]) == r.host.p[i]);
    again.authority = r.host;
    FUZZ_REQUIRE(!uri_parse_authority(&again, arena) && slice_eq(again.host, r.host) && again.port == -1);
}

static void
try_url(struct slice s)
{
    struct url u;

    if (!url_parse(s, &u))
        return;
    FUZZ_REQUIRE(u.host.n > 0 && u.port > 0 && u.path_query.n && u.path_query.p[0] == '/');
    FUZZ_REQUIRE(!memchr(u.authority.p, '@', u.authority.n) && !memchr(u.path_query.p, '#', u.path_query.n));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    unsigned choice = fuzz_byte(&in);
    struct uri_rules rules = fuzz_uri_rules(choice);
    struct slice s = fuzz_rest(&in);
    struct arena arena;

    arena_init(&arena);
    try_path(s, &rules, choice / 6 % 32, &arena);
    try_target(METHOD_GET, s, &rules, &arena);
    try_target(METHOD_OPTIONS, s, &rules, &arena);
    try_target(METHOD_CONNECT, s, &rules, &arena);
    try_authority(s, &arena);
    try_url(s);
    arena_fini(&arena);
    return 0;
}
