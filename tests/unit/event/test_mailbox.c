#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/event/mailbox.h"

#include <pthread.h>
#include <stdlib.h>

#define SENDERS 4
#define EACH 20000u

static struct loop *l;
static struct mailbox *m;
static unsigned received[SENDERS], total;

struct msg {
    unsigned sender, n;
};

static void
on_msg(void *arg)
{
    struct msg *msg = arg;

    assert_int_equal(received[msg->sender], msg->n);
    received[msg->sender]++;
    free(msg);
    if (++total == SENDERS * EACH)
        loop_stop(l);
}

static void *
send_all(void *arg)
{
    unsigned i;

    for (i = 0; i < EACH; i++) {
        struct msg *msg = malloc(sizeof(*msg));

        msg->sender = (unsigned)(uintptr_t)arg;
        msg->n = i;
        mailbox_post(m, on_msg, msg);
    }
    return NULL;
}

/* In order for each sender, nothing lost, nothing twice, and the loop never sleeps on a message. */
static void
many_threads_post_to_one(void **state)
{
    pthread_t t[SENDERS];
    uintptr_t i;

    l = loop_new("test");
    m = mailbox_new(l);
    assert_non_null(m);
    for (i = 0; i < SENDERS; i++)
        pthread_create(&t[i], NULL, send_all, (void *)i);
    loop_run(l);
    for (i = 0; i < SENDERS; i++) {
        pthread_join(t[i], NULL);
        assert_int_equal(received[i], EACH);
    }
    mailbox_free(m);
    loop_free(l);
}

static unsigned pongs;

static void
ping(void *arg)
{
    struct mailbox *to = arg;

    if (++pongs == 1000)
        loop_stop(l);
    else
        mailbox_post(to, ping, to);
}

static void
a_message_may_post_to_its_own_mailbox(void **state)
{
    l = loop_new("test");
    m = mailbox_new(l);
    mailbox_post(m, ping, m);
    loop_run(l);
    assert_int_equal(pongs, 1000);
    mailbox_free(m);
    loop_free(l);
}

static void
count(void *arg)
{
    unsigned *n = arg;

    if (++*n == 2)
        mailbox_post(m, count, n);
}

static void
freeing_runs_what_is_queued(void **state)
{
    unsigned n = 0;

    l = loop_new("test");
    m = mailbox_new(l);
    mailbox_post(m, count, &n);
    mailbox_post(m, count, &n);
    assert_int_equal(n, 0);
    mailbox_free(m);
    assert_int_equal(n, 3);
    loop_free(l);
    mailbox_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_threads_post_to_one),
        cmocka_unit_test(a_message_may_post_to_its_own_mailbox),
        cmocka_unit_test(freeing_runs_what_is_queued),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
