#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/hash.h"

#include <stdio.h>

/* Canary and balancing agree between gateways of different versions only while these never change. */
static void
the_stable_hash_never_changes(void **state)
{
    assert_true(hash_stable(SLICE_NONE) == 0xd8e3fe251b179d40ULL);
    assert_true(hash_stable(SLICE("a")) == 0x4f366fadc87697a5ULL);
    assert_true(hash_stable(SLICE("alice@example.com")) == 0xc2265f97cfd2f9d0ULL);
    assert_true(hash_mix(1, 2) == 0xb0caed0a7bf9c2c8ULL);
}

static void
every_length_and_byte_counts(void **state)
{
    char text[32] = { 0 };
    uint64_t seen[33];
    unsigned i, k;

    for (i = 0; i <= 32; i++) {
        seen[i] = hash_slice(slice_of(text, i));
        for (k = 0; k < i; k++)
            assert_true(seen[k] != seen[i]);
    }
    for (i = 0; i < 32; i++) {
        text[i] = 1;
        assert_true(hash_slice(slice_of(text, 32)) != seen[32]);
        text[i] = 0;
    }
    assert_true(hash_slice(slice_of(text, 32)) == seen[32]);
}

static void
the_seeded_hash_differs_from_the_stable_one(void **state)
{
    assert_true(hash_slice(SLICE("key")) != hash_stable(SLICE("key")));
}

static void
spreads_evenly(void **state)
{
    unsigned bins[16] = { 0 }, i;
    char text[16];

    for (i = 0; i < 16000; i++) {
        int n = snprintf(text, sizeof(text), "user-%u", i);

        bins[hash_stable(slice_of(text, (size_t)n)) % 16]++;
    }
    for (i = 0; i < 16; i++)
        assert_in_range(bins[i], 850, 1150);
}

static void
mix_depends_on_the_order(void **state)
{
    assert_true(hash_mix(1, 2) != hash_mix(2, 1));
    assert_true(hash_mix(0, 0) != hash_mix(0, 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stable_hash_never_changes),
        cmocka_unit_test(every_length_and_byte_counts),
        cmocka_unit_test(the_seeded_hash_differs_from_the_stable_one),
        cmocka_unit_test(spreads_evenly),
        cmocka_unit_test(mix_depends_on_the_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
