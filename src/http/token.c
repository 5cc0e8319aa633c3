/*
 * token: from a field name to its id. The rows of FIELD_LIST are put into a hash table before main; the hash is chosen
 * so that they fall into different slots, and a row added later that does not takes the next free one.
 */
#include "field.h"
#include "chars.h"

#include <assert.h>

#define NAME_MAX_LEN 32
#define SLOTS 256 /* as many as the byte of a hash says */

struct row {
    char lower[NAME_MAX_LEN];
    /* 0x20 where a letter stands: (byte | fold) == lower is equality without case, and exact. */
    char fold[NAME_MAX_LEN];
    const char *name;
    uint8_t len;
};

/* clang-format off */
static struct row rows[FIELD_COUNT] = {
    [FIELD_OTHER] = { .name = "" },
#define X(id, text) [FIELD_##id] = { .name = text, .len = sizeof(text) - 1 },
    FIELD_LIST(X)
#undef X
};
/* clang-format on */

#define X(id, text) static_assert(sizeof(text) - 1 <= NAME_MAX_LEN, text " is longer than a row");
FIELD_LIST(X)
#undef X
static_assert(FIELD_COUNT < 256 && FIELD_COUNT < SLOTS / 2, "the slots hold bytes and must stay sparse");

static uint8_t slots[SLOTS];

static inline uint32_t
load4(const char *p)
{
    uint32_t word;

    memcpy(&word, p, 4);
    return word;
}

/* The length, the first four letters and the last four tell the known names apart; bit 5 is set so that case does not
 * count. The factors were searched for so that no two rows of today share a slot (on little-endian machines). */
static inline unsigned
name_hash(const char *p, size_t n)
{
    const unsigned char *b = (const unsigned char *)p;
    uint32_t first, last = 0;

    if (n >= 4) {
        first = load4(p) | 0x20202020u;
        last = load4(p + n - 4) | 0x20202020u;
    } else {
        first = (b[0] | (uint32_t)b[n / 2] << 8 | (uint32_t)b[n - 1] << 16) | 0x202020u;
    }
    return ((first + (uint32_t)n) * 0xf08db9efu + last * 0x04ee5db7u) >> 24;
}

__attribute__((constructor)) static void
token_init(void)
{
    for (unsigned id = FIELD_OTHER + 1; id < FIELD_COUNT; id++) {
        struct row *r = &rows[id];
        unsigned slot;

        for (unsigned i = 0; i < r->len; i++) {
            r->lower[i] = char_lower(r->name[i]);
            r->fold[i] = r->lower[i] >= 'a' && r->lower[i] <= 'z' ? 0x20 : 0;
        }
        slot = name_hash(r->name, r->len);
        while (slots[slot])
            slot = (slot + 1) % SLOTS;
        slots[slot] = (uint8_t)id;
    }
}

static inline bool
equal8(const struct row *r, const char *p, size_t at)
{
    uint64_t word, lower, fold;

    memcpy(&word, p + at, 8);
    memcpy(&lower, r->lower + at, 8);
    memcpy(&fold, r->fold + at, 8);
    return (word | fold) == lower;
}

static inline bool
equal4(const struct row *r, const char *p, size_t at)
{
    return (load4(p + at) | load4(r->fold + at)) == load4(r->lower + at);
}

/* In words that overlap at the end; p has r->len bytes. */
static inline bool
row_matches(const struct row *r, const char *p)
{
    size_t n = r->len, at;

    if (n >= 8) {
        for (at = 0; at + 8 < n; at += 8) {
            if (!equal8(r, p, at))
                return false;
        }
        return equal8(r, p, n - 8);
    }
    if (n >= 4)
        return equal4(r, p, 0) && equal4(r, p, n - 4);
    for (at = 0; at < n; at++) {
        if ((p[at] | r->fold[at]) != r->lower[at])
            return false;
    }
    return true;
}

enum field_id
field_lookup(struct slice name)
{
    unsigned slot;

    if (name.n == 0 || name.n > NAME_MAX_LEN)
        return FIELD_OTHER;
    for (slot = name_hash(name.p, name.n); slots[slot]; slot = (slot + 1) % SLOTS) {
        const struct row *r = &rows[slots[slot]];

        if (r->len == name.n && row_matches(r, name.p))
            return (enum field_id)slots[slot];
    }
    return FIELD_OTHER;
}

const char *
field_name(enum field_id id)
{
    return (unsigned)id < FIELD_COUNT ? rows[id].name : "";
}

struct slice
field_name_slice(enum field_id id)
{
    return (unsigned)id < FIELD_COUNT ? slice_of(rows[id].name, rows[id].len) : SLICE_NONE;
}

struct slice
field_name_lower(enum field_id id)
{
    return (unsigned)id < FIELD_COUNT ? slice_of(rows[id].lower, rows[id].len) : SLICE_NONE;
}
