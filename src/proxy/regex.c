#define PCRE2_CODE_UNIT_WIDTH 8
#include "regex.h"

#include <pcre2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

/* How much a subject may make a pattern backtrack. The depth is the interpreter's alone, the stack is JIT's. */
#define MATCH_LIMIT 100000
#define DEPTH_LIMIT 1000
#define STACK_FIRST 32768
#define STACK_MAX (512 * 1024) /* enough for a head's longest field under (a|b)* */

/* JIT comes with the first use: it costs more than all the rest of a load, and of ten thousand patterns few see
 * traffic. Nobody matches before, so that all attempts are bounded alike. */
struct regex {
    pcre2_code *code;
    _Atomic bool ready;
};

static pthread_mutex_t jit_lock = PTHREAD_MUTEX_INITIALIZER;

static _Thread_local struct {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
} own;

static void
regex_free(void *arg)
{
    pcre2_code_free(((struct regex *)arg)->code);
}

struct regex *
regex_new(struct slice pattern, struct arena *arena, char *error, size_t error_room)
{
    int code;
    PCRE2_SIZE offset;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)(pattern.p ? pattern.p : ""), pattern.n,
                                   PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY, &code, &offset, NULL);
    if (!re) {
        char text[160];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)text, sizeof text);
        snprintf(error, error_room, "%s (at character %zu)", text, (size_t)offset + 1);
        return NULL;
    }
    struct regex *r = arena_alloc(arena, sizeof *r);
    r->code = re;
    atomic_init(&r->ready, false);
    arena_on_fini(arena, regex_free, r);
    return r;
}

static bool
thread_init(void)
{
    own.data = pcre2_match_data_create(1, NULL);
    own.context = pcre2_match_context_create(NULL);
    own.stack = pcre2_jit_stack_create(STACK_FIRST, STACK_MAX, NULL);
    if (!own.data || !own.context) {
        regex_thread_fini();
        return false;
    }
    pcre2_set_match_limit(own.context, MATCH_LIMIT);
    pcre2_set_depth_limit(own.context, DEPTH_LIMIT);
    if (own.stack)
        pcre2_jit_stack_assign(own.context, NULL, own.stack);
    return true;
}

static void
get_ready(struct regex *r)
{
    pthread_mutex_lock(&jit_lock);
    if (!atomic_load_explicit(&r->ready, memory_order_relaxed)) {
        /* Without JIT (a hardened kernel may forbid it) the interpreter serves. */
        pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE);
        atomic_store_explicit(&r->ready, true, memory_order_release);
    }
    pthread_mutex_unlock(&jit_lock);
}

int
regex_test(struct regex *r, struct slice subject)
{
    if (!atomic_load_explicit(&r->ready, memory_order_acquire))
        get_ready(r);
    if (!own.data && !thread_init())
        return -1;
    int rc = pcre2_match(r->code, (PCRE2_SPTR)(subject.p ? subject.p : ""), subject.n, 0, 0, own.data, own.context);
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    return rc >= 0 ? 1 : -1;
}

void
regex_thread_fini(void)
{
    pcre2_match_data_free(own.data);
    pcre2_match_context_free(own.context);
    pcre2_jit_stack_free(own.stack);
    own.data = NULL;
    own.context = NULL;
    own.stack = NULL;
}
