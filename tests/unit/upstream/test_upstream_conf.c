#include "fixture.h"

#include "../../../src/http/grpc.h"

static void
everything_written_is_read(void **state)
{
    struct fixture f;
    struct cluster *c =
        fixture_cluster(&f, "endpoint 127.0.0.1:9001 weight=2;\n"
                            "endpoint orders.internal:9002 weight=3;\n"
                            "endpoint unix:/run/o.sock;\n"
                            "balance least_request;\n"
                            "connect_timeout 250ms;\n"
                            "keepalive 7 idle=1500ms;\n"
                            "limits connections=10 pending=20 requests=30;\n"
                            "panic 40%;\n"
                            "host_header endpoint;\n"
                            "health_check { path /h; interval 5s; timeout 1s; healthy 4; unhealthy 5;"
                            " expect 200 204-206; }\n"
                            "outlier { consecutive 6; interval 7s; eject 8s; max_ejected 9%; }\n"
                            "retry { attempts 3; on reset 502 503 504; per_try_timeout 2s; budget 25%; }");
    const struct cluster_private *p = c->priv;

    assert_string_equal(c->name, "u");
    assert_string_equal(c->at, "gateway.conf:1");
    assert_int_equal(c->balance, BALANCE_LEAST_REQUEST);
    assert_int_equal(c->connect_timeout, 250 * MS);
    assert_int_equal(c->keepalive, 7);
    assert_int_equal(c->keepalive_idle, 1500 * MS);
    assert_int_equal(c->limit_connections, 10);
    assert_int_equal(c->limit_pending, 20);
    assert_int_equal(c->limit_requests, 30);
    assert_string_equal(c->limits_at, "gateway.conf:8");
    assert_string_equal(c->limits_detail, "limits connections=10 pending=20 requests=30 (gateway.conf:8)");
    assert_true(c->panic == 40);
    assert_true(c->host_header_endpoint);
    assert_null(c->host_header_line);
    assert_null(c->tls);
    assert_true(c->has_retry);
    assert_int_equal(c->retry.attempts, 3);
    assert_int_equal(c->retry.on, RETRY_ON_RESET);
    assert_int_equal(c->retry.per_try_timeout, 2 * NSEC_PER_SEC);
    assert_true(c->retry.budget == 25);

    assert_int_equal(p->n_lines, 3);
    assert_true(p->lines[0].literal);
    assert_int_equal(p->lines[0].weight, 2);
    assert_false(p->lines[1].literal);
    assert_string_equal(p->lines[1].host, "orders.internal");
    assert_int_equal(p->lines[1].port, 9002);
    assert_int_equal(p->lines[1].weight, 3);
    assert_string_equal(p->lines[1].authority, "orders.internal:9002");
    assert_true(p->lines[2].literal);
    assert_int_equal(p->lines[2].weight, 1);

    assert_string_equal(p->health->path, "/h");
    assert_int_equal(p->health->interval, 5 * NSEC_PER_SEC);
    assert_int_equal(p->health->timeout, NSEC_PER_SEC);
    assert_int_equal(p->health->healthy, 4);
    assert_int_equal(p->health->unhealthy, 5);
    assert_true(health_expects(p->health, 200));
    assert_false(health_expects(p->health, 201));
    assert_true(health_expects(p->health, 204));
    assert_true(health_expects(p->health, 206));
    assert_false(health_expects(p->health, 207));
    assert_true(p->has_outlier);
    assert_int_equal(p->outlier.consecutive, 6);
    assert_int_equal(p->outlier.interval, 7 * NSEC_PER_SEC);
    assert_int_equal(p->outlier.eject, 8 * NSEC_PER_SEC);
    assert_true(p->outlier.max_ejected == 9);
    fixture_close(&f);
}

static void
what_is_not_written_has_its_default(void **state)
{
    struct fixture f;
    struct cluster *c = fixture_cluster(&f, "endpoint 127.0.0.1:9001;");

    assert_int_equal(c->balance, BALANCE_ROUND_ROBIN);
    assert_int_equal(c->connect_timeout, NSEC_PER_SEC);
    assert_int_equal(c->keepalive, 64);
    assert_int_equal(c->keepalive_idle, 4 * NSEC_PER_SEC);
    assert_int_equal(c->limit_connections, 0);
    assert_int_equal(c->limit_requests, 0);
    assert_true(c->panic == 0);
    assert_null(c->host_header_line);
    assert_false(c->host_header_endpoint);
    assert_null(c->hash_line);
    assert_false(c->has_retry);
    assert_int_equal(c->retry.attempts, 1);
    assert_null(c->priv->health);
    assert_false(c->priv->has_outlier);
    assert_int_equal(c->priv->lines[0].weight, 1);
    assert_int_equal(c->tls_identity, 0);
    fixture_close(&f);
}

static void
blocks_have_defaults_inside(void **state)
{
    struct fixture f;
    struct cluster *c = fixture_cluster(&f, "endpoint 127.0.0.1:9001; health_check { } outlier { } retry { }"
                                            "keepalive 3; limits connections=5;");

    assert_string_equal(c->priv->health->path, "/");
    assert_int_equal(c->priv->health->interval, 10 * NSEC_PER_SEC);
    assert_int_equal(c->priv->health->timeout, 2 * NSEC_PER_SEC);
    assert_int_equal(c->priv->health->healthy, 2);
    assert_int_equal(c->priv->health->unhealthy, 3);
    assert_true(health_expects(c->priv->health, 299));
    assert_false(health_expects(c->priv->health, 300));
    assert_int_equal(c->priv->outlier.consecutive, 5);
    assert_int_equal(c->priv->outlier.eject, 30 * NSEC_PER_SEC);
    assert_true(c->priv->outlier.max_ejected == 50);
    assert_int_equal(c->retry.attempts, 2);
    assert_int_equal(c->retry.on, RETRY_ON_CONNECT_FAILURE | RETRY_ON_RESET);
    assert_true(c->retry.budget == 20);
    assert_int_equal(c->retry.per_try_timeout, 0);
    assert_int_equal(c->keepalive_idle, 4 * NSEC_PER_SEC);
    assert_int_equal(c->limit_pending, 256);
    assert_int_equal(c->limit_requests, 0);
    fixture_close(&f);
}

static void
retry_statuses(void **state)
{
    struct fixture f;
    struct cluster *c = fixture_cluster(&f, "endpoint 127.0.0.1:9001; retry { on timeout 429 500-503; }");

    assert_int_equal(c->retry.on, RETRY_ON_TIMEOUT);
    assert_true(retry_on_status(&c->retry, 429));
    assert_false(retry_on_status(&c->retry, 430));
    assert_false(retry_on_status(&c->retry, 499));
    assert_true(retry_on_status(&c->retry, 500));
    assert_true(retry_on_status(&c->retry, 503));
    assert_false(retry_on_status(&c->retry, 504));
    assert_false(retry_on_status(&c->retry, 0));
    assert_false(retry_on_status(&c->retry, 900));
    fixture_close(&f);
}

static void
retry_statuses_of_grpc(void **state)
{
    struct fixture f;
    struct cluster *c = fixture_cluster(
        &f, "endpoint 127.0.0.1:9001; retry { on reset 503 grpc unavailable resource_exhausted cancelled; }");

    assert_int_equal(c->retry.on, RETRY_ON_RESET);
    assert_true(retry_on_status(&c->retry, 503));
    assert_int_equal(c->retry.grpc, 1u << GRPC_UNAVAILABLE | 1u << GRPC_RESOURCE_EXHAUSTED | 1u << GRPC_CANCELLED);
    fixture_close(&f);
}

static void
balance_hash_and_host_header_are_left_to_be_compiled(void **state)
{
    struct fixture f;
    struct cluster *c =
        fixture_cluster(&f, "endpoint 127.0.0.1:9001; balance hash ${client.ip}; host_header inner.example;");

    assert_int_equal(c->balance, BALANCE_HASH);
    assert_non_null(c->hash_line);
    assert_int_equal(conf_args(c->hash_line), 2);
    assert_non_null(c->host_header_line);
    assert_false(c->host_header_endpoint);
    fixture_close(&f);
}

static void
tls_identity_tells_apart(void **state)
{
    struct fixture f;
    uint64_t on, off, named;
    struct cluster *c = fixture_cluster(&f, "endpoint 127.0.0.1:9001; tls { }");

    assert_non_null(c->tls);
    assert_int_equal(c->server_name.n, 0);
    on = c->tls_identity;
    fixture_close(&f);
    c = fixture_cluster(&f, "endpoint 127.0.0.1:9001; tls { verify off; }");
    off = c->tls_identity;
    fixture_close(&f);
    c = fixture_cluster(&f, "endpoint 127.0.0.1:9001; tls { server_name a.example; }");
    named = c->tls_identity;
    assert_int_equal(c->server_name.n, 9);
    fixture_close(&f);
    assert_true(on != 0 && on != off && on != named && off != named);
}

static void
mistakes_are_refused_with_what_would_be_right(void **state)
{
    fixture_refused("", "endpoint");
    fixture_refused("endpoint 127.0.0.1:1; endpoint 127.0.0.1:1;", "127.0.0.1:1");
    fixture_refused("endpoint 127.0.0.1;", "127.0.0.1");
    fixture_refused("endpoint 127.0.0.1:0;", "127.0.0.1:0");
    fixture_refused("endpoint a_name_without_port;", "a_name_without_port");
    fixture_refused("endpoint -x:80;", "-x:80");
    fixture_refused("endpoint 127.0.0.1:1 weight=1001;", "weight");
    fixture_refused("endpoint 127.0.0.1:1; balance fastest;", "fastest");
    fixture_refused("endpoint 127.0.0.1:1; balance hash;", "needs a key");
    fixture_refused("endpoint 127.0.0.1:1; balance random ${client.ip};", "only `balance hash` takes a key");
    fixture_refused("endpoint 127.0.0.1:1; connect_timeout 0;", "connect_timeout");
    fixture_refused("endpoint 127.0.0.1:1; keepalive 4 idle=9ms;", "idle");
    fixture_refused("endpoint 127.0.0.1:1; limits connections=0;", "connections");
    fixture_refused("endpoint 127.0.0.1:1; panic 101%;", "panic");
    fixture_refused("endpoint 127.0.0.1:1; health_check { interval 99ms; }", "interval");
    fixture_refused("endpoint 127.0.0.1:1; health_check { path healthz; }", "begins with");
    fixture_refused("endpoint 127.0.0.1:1; health_check { path \"/a b\"; }", "percent-encode");
    fixture_refused("endpoint 127.0.0.1:1; health_check { expect 299-200; }", "299-200");
    fixture_refused("endpoint 127.0.0.1:1; outlier { consecutive 0; }", "consecutive");
    fixture_refused("endpoint 127.0.0.1:1; retry { attempts 0; }", "attempts");
    fixture_refused("endpoint 127.0.0.1:1; retry { on connect_failur; }", "did you mean `connect_failure`");
    fixture_refused("endpoint 127.0.0.1:1; retry { on 200; }", "unknown condition `200`");
    fixture_refused("endpoint 127.0.0.1:1; retry { on 504-500; }", "unknown condition `504-500`");
    fixture_refused("endpoint 127.0.0.1:1; retry { on unavailable; }", "did you mean `grpc unavailable`");
    fixture_refused("endpoint 127.0.0.1:1; retry { on reset grpc unavailabel; }", "did you mean `unavailable`");
    fixture_refused("endpoint 127.0.0.1:1; retry { on grpc 503; }", "`503` is no status of gRPC");
    fixture_refused("endpoint 127.0.0.1:1; retry { on grpc ok; }", "`ok` is no status of gRPC to try again");
    fixture_refused("endpoint 127.0.0.1:1; retry { on reset grpc; }", "`grpc` needs names");
    fixture_refused("endpoint 127.0.0.1:1; tls { ca /does/not/exist.pem; }", "/does/not/exist.pem");
    fixture_refused("endpoint 127.0.0.1:1; conect_timeout 1s;", "did you mean `connect_timeout`");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_written_is_read),
        cmocka_unit_test(what_is_not_written_has_its_default),
        cmocka_unit_test(blocks_have_defaults_inside),
        cmocka_unit_test(retry_statuses),
        cmocka_unit_test(retry_statuses_of_grpc),
        cmocka_unit_test(balance_hash_and_host_header_are_left_to_be_compiled),
        cmocka_unit_test(tls_identity_tells_apart),
        cmocka_unit_test(mistakes_are_refused_with_what_would_be_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
