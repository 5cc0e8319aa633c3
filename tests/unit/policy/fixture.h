/* fixture: a small configuration with the probe module, and an exchange without a connection. */
#ifndef TESTS_POLICY_FIXTURE_H
#define TESTS_POLICY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/policy/chain.h"
#include "../../../src/policy/template.h"
#include "probe.h"

#define STORE_CALLS_MAX 8

struct fixture {
    struct conf *conf;
    struct arena arena; /* of the generation */
    struct policy_scope scope;
    struct weir_exchange x;
    struct arena x_arena;
    struct http_request req;
    struct http_response res;
    struct addr client;
    struct weir_state *hold;
    struct probe_log *log;
    unsigned resumed;
    struct fake_call {
        weir_store_done done;
        void *arg;
        bool cancelled;
    } calls[STORE_CALLS_MAX];
    unsigned n_calls;
};

int fixture_group_setup(void **state);
int fixture_group_teardown(void **state);
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Parses and checks; false: there are errors. `use probe` is written before the text. */
bool fixture_parse(struct fixture *f, const char *text);
/* Only the text. */
bool fixture_parse_only(struct fixture *f, const char *text);
/* As fixture_parse; fails the test when there are errors. */
void fixture_load(struct fixture *f, const char *text);
/* The diagnostics, until the next call. */
const char *fixture_errors(struct fixture *f);
const struct weir_conf *fixture_block(struct fixture *f, const char *directive, const char *arg);
struct chain *fixture_chain(struct fixture *f, const char *directive, const char *arg);
/* Loads "route /r { TEXT }" and begins the exchange on it. */
void fixture_route(struct fixture *f, const char *text);
void fixture_respond(struct fixture *f, int status);
/* Row i of the record as "step subject verdict reason mode". */
const char *fixture_row(struct fixture *f, unsigned i);
uint64_t fixture_counter(const char *route, const char *policy, const char *verdict, const char *mode);
/* Runs one turn of the loop. */
void fixture_turn(struct fixture *f);

#define assert_calls(f, text_) assert_string_equal((f)->log->text, text_)
#define assert_row(f, i, text_) assert_string_equal(fixture_row(f, i), text_)
void assert_has(const char *text, const char *part);

#endif
