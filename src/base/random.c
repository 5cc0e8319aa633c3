#include "random.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

static __thread struct {
    uint64_t s[4];
    bool seeded;
} gen;

static inline uint64_t
rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

/* xoshiro256**, Blackman and Vigna 2018. */
uint64_t
random_u64(void)
{
    uint64_t *s = gen.s;
    uint64_t result, t;

    if (!gen.seeded) {
        random_bytes(s, sizeof(gen.s));
        s[0] |= 1; /* the state must not be all zero */
        gen.seeded = true;
    }
    result = rotl(s[1] * 5, 7) * 9;
    t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

/* The high word of a product, with the few values rejected that would favour some results (Lemire 2019). */
uint64_t
random_below(uint64_t n)
{
    unsigned __int128 product = (unsigned __int128)random_u64() * n;
    uint64_t low = (uint64_t)product;

    if (low < n) {
        uint64_t threshold = -n % n;

        while (low < threshold) {
            product = (unsigned __int128)random_u64() * n;
            low = (uint64_t)product;
        }
    }
    return (uint64_t)(product >> 64);
}

void
random_bytes(void *p, size_t n)
{
    static const char msg[] = "weir: the kernel gives no random bytes\n";
    char *to = p;

    while (n) {
        ssize_t got = getrandom(to, n, 0);

        if (got > 0) {
            to += got;
            n -= (size_t)got;
        } else if (got < 0 && errno != EINTR) {
            /* Nothing that asks for unguessable bytes can go on without them. */
            if (write(2, msg, sizeof(msg) - 1) < 0)
                abort();
            abort();
        }
    }
}
