#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/base/iobuf.h"
#include "../../../src/base/random.h"

#include <stdlib.h>

/* All bytes of b, copied out; the caller frees. */
static char *
content(const struct iobuf *b)
{
    char *all = malloc(b->len + 1);
    struct iovec iov[64];
    size_t n = 0;
    int i, k = iobuf_iov(b, iov, 64);

    for (i = 0; i < k; i++) {
        memcpy(all + n, iov[i].iov_base, iov[i].iov_len);
        n += iov[i].iov_len;
    }
    assert_int_equal(n, b->len);
    all[n] = '\0';
    return all;
}

static void
assert_content(const struct iobuf *b, const char *want)
{
    char *all = content(b);

    assert_string_equal(all, want);
    free(all);
}

static unsigned
chunks(const struct iobuf *b)
{
    struct iovec iov[64];

    return (unsigned)iobuf_iov(b, iov, 64);
}

static void
add_and_consume(void **state)
{
    struct iobuf b;

    iobuf_init(&b, 100);
    assert_int_equal(iobuf_front(&b).n, 0);
    iobuf_add(&b, "hello ", 6);
    iobuf_adds(&b, SLICE("world"));
    assert_content(&b, "hello world");
    assert_int_equal(iobuf_room(&b), 89);
    iobuf_consume(&b, 6);
    assert_true(slice_eq(iobuf_front(&b), SLICE("world")));
    iobuf_consume(&b, 5);
    assert_int_equal(b.len, 0);
    assert_null(b.head);
    assert_null(b.tail);
    iobuf_fini(&b);
}

static void
adding_is_never_refused_but_room_says_none(void **state)
{
    struct iobuf b;

    iobuf_init(&b, 4);
    iobuf_add(&b, "123456", 6);
    assert_int_equal(b.len, 6);
    assert_int_equal(iobuf_room(&b), 0);
    iobuf_fini(&b);
}

static void
reserve_gives_at_least_what_is_asked(void **state)
{
    struct iobuf b;
    size_t n;
    char *p;

    iobuf_init(&b, 1 << 20);
    p = iobuf_reserve(&b, IOBUF_CHUNK_SIZE, &n);
    assert_int_equal(n, IOBUF_CHUNK_SIZE);
    memset(p, 'a', n);
    iobuf_commit(&b, n - 10);
    iobuf_reserve(&b, 10, &n);
    assert_int_equal(n, 10);
    p = iobuf_reserve(&b, 11, &n);
    assert_int_equal(n, IOBUF_CHUNK_SIZE);
    memcpy(p, "b", 1);
    iobuf_commit(&b, 1);
    assert_int_equal(b.len, IOBUF_CHUNK_SIZE - 9);
    iobuf_consume(&b, IOBUF_CHUNK_SIZE - 10);
    assert_content(&b, "b");
    iobuf_fini(&b);
}

static void
commit_of_nothing_gives_the_chunk_back(void **state)
{
    struct iobuf b;
    size_t n;

    iobuf_init(&b, 100);
    iobuf_reserve(&b, 1, &n);
    assert_non_null(b.head);
    iobuf_commit(&b, 0);
    assert_null(b.head);
    assert_null(b.tail);
    iobuf_add(&b, "x", 1);
    iobuf_reserve(&b, IOBUF_CHUNK_SIZE, &n);
    assert_ptr_not_equal(b.head, b.tail);
    iobuf_commit(&b, 0);
    assert_ptr_equal(b.head, b.tail);
    iobuf_add(&b, "y", 1);
    assert_content(&b, "xy");
    iobuf_fini(&b);
}

static void
fill(struct iobuf *b, char c, size_t n)
{
    char *p = malloc(n);

    memset(p, c, n);
    iobuf_add(b, p, n);
    free(p);
}

static void
move_takes_whole_chunks_by_pointer(void **state)
{
    struct iobuf a, b;
    const char *first;

    iobuf_init(&a, 1 << 20);
    iobuf_init(&b, 1 << 20);
    fill(&a, 'a', IOBUF_CHUNK_SIZE + 5);
    first = iobuf_front(&a).p;
    iobuf_move(&b, &a, IOBUF_CHUNK_SIZE + 2);
    assert_ptr_equal(iobuf_front(&b).p, first);
    assert_int_equal(b.len, IOBUF_CHUNK_SIZE + 2);
    assert_content(&a, "aaa");
    iobuf_move(&b, &a, 3);
    assert_int_equal(a.len, 0);
    assert_null(a.head);
    assert_int_equal(b.len, IOBUF_CHUNK_SIZE + 5);
    iobuf_fini(&a);
    iobuf_fini(&b);
}

/* Or a peer that sends byte by byte would make the other side's buffer hold a chunk for each. */
static void
moving_little_pieces_does_not_pile_up_chunks(void **state)
{
    struct iobuf a, b;
    int i;

    iobuf_init(&a, 1 << 20);
    iobuf_init(&b, 1 << 20);
    for (i = 0; i < 1000; i++) {
        iobuf_add(&a, "x", 1);
        iobuf_move(&b, &a, 1);
    }
    assert_int_equal(b.len, 1000);
    assert_int_equal(chunks(&b), 1);
    iobuf_fini(&a);
    iobuf_fini(&b);
}

static void
move_into_a_buffer_with_a_reserved_tail(void **state)
{
    struct iobuf a, b;
    size_t n;

    iobuf_init(&a, 1 << 20);
    iobuf_init(&b, 1 << 20);
    iobuf_reserve(&b, 1, &n);
    fill(&a, 'a', 10000);
    iobuf_move(&b, &a, 10000);
    iobuf_add(&b, "z", 1);
    assert_int_equal(b.len, 10001);
    assert_int_equal(chunks(&b), 1);
    iobuf_fini(&a);
    iobuf_fini(&b);
}

static void
pullup_joins_chunks(void **state)
{
    struct iobuf b;
    const char *p;

    iobuf_init(&b, 1 << 20);
    assert_non_null(iobuf_pullup(&b, 0));
    fill(&b, 'a', IOBUF_CHUNK_SIZE);
    fill(&b, 'b', IOBUF_CHUNK_SIZE);
    fill(&b, 'c', 10);
    iobuf_consume(&b, IOBUF_CHUNK_SIZE - 2);
    p = iobuf_pullup(&b, 2);
    assert_memory_equal(p, "aa", 2);
    p = iobuf_pullup(&b, 5);
    assert_memory_equal(p, "aabbb", 5);
    p = iobuf_pullup(&b, b.len); /* more than a chunk holds */
    assert_int_equal(b.len, IOBUF_CHUNK_SIZE + 12);
    assert_memory_equal(p, "aabbb", 5);
    assert_memory_equal(p + IOBUF_CHUNK_SIZE, "bbcccccccccc", 12);
    assert_int_equal(chunks(&b), 1);
    iobuf_add(&b, "d", 1);
    assert_int_equal(chunks(&b), 1);
    iobuf_consume(&b, IOBUF_CHUNK_SIZE + 12);
    assert_content(&b, "d");
    iobuf_fini(&b);
}

static void
pullup_of_exactly_all_keeps_the_tail_right(void **state)
{
    struct iobuf b;

    iobuf_init(&b, 1 << 20);
    fill(&b, 'a', IOBUF_CHUNK_SIZE);
    iobuf_add(&b, "b", 1);
    iobuf_consume(&b, IOBUF_CHUNK_SIZE - 1);
    iobuf_pullup(&b, 2);
    iobuf_add(&b, "c", 1);
    assert_content(&b, "abc");
    iobuf_fini(&b);
}

/* Against a plain array: whatever the mixture, the bytes come out in order. */
static void
random_operations_keep_the_bytes_in_order(void **state)
{
    struct iobuf a, b;
    unsigned char out = 0, in = 0;
    char piece[9000];
    int round;

    iobuf_init(&a, 1 << 20);
    iobuf_init(&b, 1 << 20);
    for (round = 0; round < 3000; round++) {
        size_t i, n = random_below(sizeof(piece));
        struct slice front;

        for (i = 0; i < n; i++)
            piece[i] = (char)in++;
        iobuf_add(&a, piece, n);
        if (a.len && random_below(4) == 0)
            iobuf_pullup(&a, random_below(a.len + 1));
        iobuf_move(&b, &a, random_below(a.len + 1));
        if (b.len && random_below(4) == 0)
            iobuf_pullup(&b, random_below(b.len < 40000 ? b.len + 1 : 40000));
        for (n = random_below(b.len + 1); n; n -= i) {
            front = iobuf_front(&b);
            assert_true(front.n > 0);
            for (i = 0; i < front.n && i < n; i++)
                assert_int_equal((unsigned char)front.p[i], out++);
            iobuf_consume(&b, i);
        }
    }
    iobuf_fini(&a);
    iobuf_fini(&b);
    iobuf_thread_fini();
}

/* Writes n bytes over the pieces of a span. */
static void
fill_span(const struct iobuf_span *s, const char *from, size_t n)
{
    for (int i = 0; i < s->n && n; i++) {
        size_t part = n < s->iov[i].iov_len ? n : s->iov[i].iov_len;

        memcpy(s->iov[i].iov_base, from, part);
        from += part;
        n -= part;
    }
    assert_int_equal(n, 0);
}

static void
a_span_goes_on_behind_what_is_there(void **state)
{
    static char data[3 * IOBUF_CHUNK_SIZE];
    struct iobuf b;
    struct iobuf_span s;

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 7 + (i >> 8));
    iobuf_init(&b, 1 << 20);
    iobuf_add(&b, data, 1000);
    assert_int_equal(iobuf_span(&b, 2048, 40000, &s), 40000);
    assert_int_equal(s.n, 3);
    assert_int_equal(s.iov[0].iov_len, IOBUF_CHUNK_SIZE - 1000);
    fill_span(&s, data + 1000, 20000);
    iobuf_span_commit(&b, &s, 20000);
    assert_int_equal(b.len, 21000);
    assert_int_equal(chunks(&b), 2);
    assert_memory_equal(iobuf_pullup(&b, b.len), data, 21000);
    iobuf_fini(&b);
}

static void
a_span_leaves_a_small_rest_alone(void **state)
{
    struct iobuf b;
    struct iobuf_span s;

    iobuf_init(&b, 1 << 20);
    fill(&b, 'a', IOBUF_CHUNK_SIZE - 100);
    assert_int_equal(iobuf_span(&b, 2048, 10, &s), 10);
    assert_false(s.in_tail);
    fill_span(&s, "0123456789", 10);
    iobuf_span_commit(&b, &s, 10);
    assert_int_equal(chunks(&b), 2);
    assert_int_equal(iobuf_span(&b, 1, IOBUF_CHUNK_SIZE, &s), IOBUF_CHUNK_SIZE);
    assert_true(s.in_tail);
    iobuf_span_commit(&b, &s, 0);
    assert_int_equal(chunks(&b), 2);
    iobuf_fini(&b);
}

static void
an_unused_span_leaves_no_chunk(void **state)
{
    struct iobuf b;
    struct iobuf_span s;

    iobuf_init(&b, 1 << 20);
    assert_int_equal(iobuf_span(&b, 2048, SIZE_MAX, &s), (size_t)IOBUF_SPAN_MAX * IOBUF_CHUNK_SIZE);
    assert_int_equal(s.n, IOBUF_SPAN_MAX);
    iobuf_span_commit(&b, &s, 0);
    assert_null(b.head);
    assert_null(b.tail);
    assert_int_equal(b.len, 0);
}

static void
iov_stops_at_max(void **state)
{
    struct iobuf b;
    struct iovec iov[2];

    iobuf_init(&b, 1 << 20);
    fill(&b, 'a', 3 * IOBUF_CHUNK_SIZE);
    assert_int_equal(iobuf_iov(&b, iov, 2), 2);
    assert_int_equal(iov[1].iov_len, IOBUF_CHUNK_SIZE);
    iobuf_fini(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add_and_consume),
        cmocka_unit_test(adding_is_never_refused_but_room_says_none),
        cmocka_unit_test(reserve_gives_at_least_what_is_asked),
        cmocka_unit_test(commit_of_nothing_gives_the_chunk_back),
        cmocka_unit_test(move_takes_whole_chunks_by_pointer),
        cmocka_unit_test(moving_little_pieces_does_not_pile_up_chunks),
        cmocka_unit_test(move_into_a_buffer_with_a_reserved_tail),
        cmocka_unit_test(pullup_joins_chunks),
        cmocka_unit_test(pullup_of_exactly_all_keeps_the_tail_right),
        cmocka_unit_test(random_operations_keep_the_bytes_in_order),
        cmocka_unit_test(a_span_goes_on_behind_what_is_there),
        cmocka_unit_test(a_span_leaves_a_small_rest_alone),
        cmocka_unit_test(an_unused_span_leaves_no_chunk),
        cmocka_unit_test(iov_stops_at_max),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
