/* JSON Web Tokens: taken apart strictly, read as claims, and never genuine when they are not. Input: the token, or
 * three lines (header, payload, signature as JSON text) of which one is made. */
#include "fuzz.h"

#include "../../modules/jwt/claims.h"
#include "../../modules/jwt/keys.h"
#include "../../modules/jwt/verify.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#define SECRET "a-secret-that-nobody-knows-of-32"
#define ROOM (TOKEN_MAX + 16)

static struct keyset *keys;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *error;

    keys = keyset_new();
    FUZZ_REQUIRE(verify_load() == 0 && keys);
    FUZZ_REQUIRE(keyset_add_secret(keys, SECRET, strlen(SECRET), 0, NULL, &error) == 0);
    return 0;
}

static size_t
put_base64url(char *out, struct slice s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    unsigned have = 0;
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        bits = bits << 8 | (unsigned char)s.p[i];
        for (have += 8; have >= 6; have -= 6)
            out[n++] = digits[bits >> (have - 6) & 63];
    }
    if (have)
        out[n++] = digits[bits << (6 - have) & 63];
    return n;
}

/* A token of these parts; an empty signature is made genuine (HS256). */
static size_t
make_token(char *out, struct slice header, struct slice payload, struct slice signature)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned mac_n = 0;
    size_t n = put_base64url(out, header);

    out[n++] = '.';
    n += put_base64url(out + n, payload);
    if (!signature.n) {
        HMAC(EVP_sha256(), SECRET, strlen(SECRET), (unsigned char *)out, n, mac, &mac_n);
        signature = slice_of((char *)mac, mac_n);
    }
    out[n++] = '.';
    return n + put_base64url(out + n, signature);
}

/* Claims of every shape, as a policy asks for them. */
static void
read_claims(const json_t *payload)
{
    struct weir_str value = { "a", 1 }, list[] = { { "i", 1 } };
    struct claims_require require = { .name = "r.o", .values = &value, .n = 1 };
    struct claims_rules rules = {
        .issuers = list, .n_issuers = 1, .audiences = list, .n_audiences = 1, .requires = &require
    };
    const char *name;
    json_t *claim;
    char text[64];

    claims_check(&rules, payload, 1700000000, true);
    claims_check(&rules, payload, 1700000000, false);
    token_time(payload, "exp", 0);
    json_object_foreach((json_t *)payload, name, claim)
    {
        long all = claim_text(claim, NULL, 0), some = claim_text(claim, text, sizeof(text));

        FUZZ_REQUIRE(all == some && claim_find(payload, name) == claim);
    }
}

static bool
is_genuine(const struct token *t)
{
    const struct key *found[4];
    unsigned n = 0;

    if (t->alg < 0 || keyset_match(keys, t->alg, t->kid, found, 4, &n) != KEYS_FOUND)
        return false;
    FUZZ_REQUIRE(n == 1);
    return verify_signature(found[0], t);
}

static void
require_sound(const struct token *t, struct weir_str text)
{
    FUZZ_REQUIRE(json_is_object(t->header) && json_is_object(t->payload) && !token_check_claims(t->payload));
    FUZZ_REQUIRE(!json_object_get(t->header, "crit"));
    FUZZ_REQUIRE(t->input.p == text.p && t->input.n < text.n && text.p[t->input.n] == '.');
    FUZZ_REQUIRE(t->signature_n <= TOKEN_SIGNATURE_MAX);
}

/* signed_here: with the secret, by make_token. */
static void
try_token(struct slice s, bool signed_here)
{
    char *copy = fuzz_exact(s);
    struct weir_str text = { copy, s.n };
    struct token t;
    const char *why = NULL;

    if (token_decode(&t, text, &why) == 0) {
        require_sound(&t, text);
        read_claims(t.payload);
        FUZZ_REQUIRE(is_genuine(&t) == (signed_here && t.alg == alg_find("HS256", 5)));
    } else {
        FUZZ_REQUIRE(why);
    }
    token_fini(&t);
    free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    static char made[3 * ROOM];
    struct slice header = fuzz_line(&in), payload, signature;
    bool one_line = in.n == 0;

    if (one_line) {
        try_token(header, false);
        return 0;
    }
    payload = fuzz_line(&in);
    signature = fuzz_rest(&in);
    if (header.n + payload.n + signature.n <= ROOM)
        try_token(slice_of(made, make_token(made, header, payload, signature)), signature.n == 0);
    return 0;
}
