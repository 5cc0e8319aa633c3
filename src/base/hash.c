#include "hash.h"
#include "random.h"

#include <endian.h>
#include <string.h>

static const uint64_t stable_key[2] = { 0x7765697273746162ULL, 0x6c65686173683031ULL };
static uint64_t process_key[2];

/* Before main, so that no thread ever sees another key. */
__attribute__((constructor)) static void
draw_process_key(void)
{
    random_bytes(process_key, sizeof(process_key));
}

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t
rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

static inline void
sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v2 = rotl(s->v2, 32);
}

/* n <= 8 bytes. Little-endian on every machine, so that the stable hash is the same everywhere. */
static inline uint64_t
load_le(const unsigned char *p, size_t n)
{
    uint64_t v = 0;

    if (n)
        memcpy(&v, p, n);
    return le64toh(v);
}

/* SipHash (Aumasson and Bernstein 2012) with one compression and three finalisation rounds. */
static uint64_t
siphash13(const uint64_t key[2], struct slice in)
{
    struct sip s = { key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL, key[0] ^ 0x6c7967656e657261ULL,
                     key[1] ^ 0x7465646279746573ULL };
    const unsigned char *p = (const unsigned char *)in.p;
    size_t left = in.n;
    uint64_t word;

    for (; left >= 8; p += 8, left -= 8) {
        word = load_le(p, 8);
        s.v3 ^= word;
        sip_round(&s);
        s.v0 ^= word;
    }
    word = load_le(p, left) | (uint64_t)in.n << 56;
    s.v3 ^= word;
    sip_round(&s);
    s.v0 ^= word;
    s.v2 ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t
hash_slice(struct slice s)
{
    return siphash13(process_key, s);
}

uint64_t
hash_stable(struct slice s)
{
    return siphash13(stable_key, s);
}

uint64_t
hash_mix(uint64_t a, uint64_t b)
{
    uint64_t x = a ^ (rotl(b, 32) + 0x9e3779b97f4a7c15ULL);

    /* The finaliser of splitmix64: each input bit reaches each output bit. */
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}
