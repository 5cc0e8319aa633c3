/* JWK sets as an identity provider sends them. Input: the JSON text. */
#include "fuzz.h"

#include "../../modules/jwt/keys.h"
#include "../../modules/jwt/verify.h"

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    FUZZ_REQUIRE(verify_load() == 0);
    return 0;
}

/* A token that nobody has signed. */
static void
require_not_forged(const struct keyset *s, int alg)
{
    struct token t = { .alg = alg, .input = { "e30.e30", 7 } };
    const struct key *found[KEYS_MAX];
    unsigned n = 0;

    t.signature_n = algs[alg].kind == ALG_ECDSA ? 2 * algs[alg].size : 256;
    memset(t.signature, 1, t.signature_n);
    if (keyset_match(s, alg, NULL, found, 2, &n) != KEYS_FOUND)
        return;
    FUZZ_REQUIRE(n > 0);
    for (unsigned i = 0; i < n; i++)
        FUZZ_REQUIRE(!verify_signature(found[i], &t));
}

static void
require_sound(const struct keyset *s, bool secrets)
{
    FUZZ_REQUIRE(s->n > 0 && s->n <= KEYS_MAX);
    for (unsigned i = 0; i < s->n; i++) {
        const struct key *k = s->keys[i];
        uint32_t symmetric = alg_mask(ALG_HMAC);

        FUZZ_REQUIRE(k->algs && (k->pkey != NULL) != (k->secret != NULL));
        FUZZ_REQUIRE(k->secret ? secrets && !(k->algs & ~symmetric) : !(k->algs & symmetric));
    }
    for (int alg = 0; alg < ALG_COUNT; alg++)
        require_not_forged(s, alg);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int secrets = 0; secrets < 2; secrets++) {
        const char *error = NULL;
        struct keyset *s = keyset_parse((const char *)data, size, secrets, &error);

        FUZZ_REQUIRE(s || error);
        if (s)
            require_sound(s, secrets);
        keyset_put(s);
    }
    return 0;
}
