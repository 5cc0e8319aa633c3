/* The sticky cookie of canary: only what was signed is believed. Input: expiry and nonce and the byte to change, a line
 * with the variant, the cookie that a client sends. */
#include "fuzz.h"

#include "../../modules/canary/cookie.h"

#define NOW 1700000000

static struct cookie_signer *signer, *other;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    signer = cookie_signer_new("0123456789abcdef0123456789abcdef", COOKIE_KEY, "weir_variant");
    other = cookie_signer_new("0123456789abcdef0123456789abcdef", COOKIE_KEY, "another_name");
    FUZZ_REQUIRE(signer && other);
    return 0;
}

static bool
is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-';
}

static struct weir_str
str(struct slice s)
{
    return (struct weir_str){ s.p, s.n };
}

/* What was made is read as it was made, until it expires; and not when one byte of it is another. */
static void
require_own(struct slice variant, int64_t expires, unsigned change)
{
    char value[COOKIE_VALUE];
    size_t n = cookie_make(signer, str(variant), expires, change * 2654435761u, value);
    struct weir_str got = cookie_read(signer, (struct weir_str){ value, n }, NOW);

    FUZZ_REQUIRE(n > 0 && n <= COOKIE_VALUE);
    FUZZ_REQUIRE((got.p != NULL) == (expires == 0 || expires > NOW));
    FUZZ_REQUIRE(!got.p || slice_eq(slice_of(got.p, got.n), variant));
    FUZZ_REQUIRE(!cookie_read(other, (struct weir_str){ value, n }, NOW).p);
    value[change % n] ^= (char)(1 + change / n % 255);
    FUZZ_REQUIRE(!cookie_read(signer, (struct weir_str){ value, n }, NOW).p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    unsigned choice = fuzz_byte(&in);
    int64_t expires = choice % 3 == 0 ? 0 : choice % 3 == 1 ? NOW + choice : NOW - choice;
    unsigned change = fuzz_byte(&in) * 256 + fuzz_byte(&in);
    struct slice variant = fuzz_line(&in), sent = fuzz_rest(&in);
    struct arena arena;

    arena_init(&arena);
    variant = fuzz_only(variant.n > 64 ? slice_of(variant.p, 64) : variant, is_name_byte, 'x', &arena);
    if (variant.n)
        require_own(variant, expires, change);
    FUZZ_REQUIRE(!cookie_read(signer, str(sent), NOW).p); /* nobody outside has the key */
    arena_fini(&arena);
    return 0;
}
