/* demo_conf: the configurations that `weir demo` writes; printf formats. Also read as an example of each policy. */
#ifndef DAEMON_DEMO_CONF_H
#define DAEMON_DEMO_CONF_H

/* directory */
#define DEMO_ORIGINS \
    "# Three origins in one process, told apart by Host.\n" \
    "workers 1;\n" \
    "admin { bind unix:%1$s/origins-admin.sock; }\n" \
    "listener origins { bind unix:%1$s/origins.sock; }\n" \
    "host v1.demo { route / { respond 200 \"orders v1 for ${request.header.x-user-id}\\n\"; } }\n" \
    "host v2.demo { route / { respond 200 \"orders v2 for ${request.header.x-user-id}\\n\"; } }\n" \
    "host flaky.demo {\n" \
    "    route / { match header x-fail present; respond 500 \"failing as asked\\n\"; }\n" \
    "    route / { respond 200 \"flaky is well\\n\"; }\n" \
    "}\n"

/* directory, address, secret, modules directory */
#define DEMO_GATEWAY \
    "workers 1;\n" \
    "modules %4$s;\n" \
    "use jwt rate_limit circuit_breaker canary;\n" \
    "access_log %1$s/access.log;\n" \
    "admin { bind unix:%1$s/admin.sock; }\n" \
    "listener public { bind %2$s; }\n" \
    "\n" \
    "upstream orders-v1 { endpoint unix:%1$s/origins.sock; host_header v1.demo; }\n" \
    "upstream orders-v2 { endpoint unix:%1$s/origins.sock; host_header v2.demo; }\n" \
    "upstream flaky {\n" \
    "    endpoint unix:%1$s/origins.sock;\n" \
    "    host_header flaky.demo;\n" \
    "    circuit_breaker { window 10s; min_requests 5; failure_rate 50%%; open 1s max=10s; probes 1; }\n" \
    "}\n" \
    "\n" \
    "route /orders/ {\n" \
    "    jwt {\n" \
    "        issuer   https://demo.example/;\n" \
    "        audience orders;\n" \
    "        key      secret:%3$s alg=HS256;\n" \
    "        require  scope orders:read;\n" \
    "        forward  sub as X-User-Id;\n" \
    "    }\n" \
    "    canary { variant orders-v1 75%%; variant orders-v2 25%%; }\n" \
    "}\n" \
    "route = /limited {\n" \
    "    rate_limit { rate 6/m burst=3; }\n" \
    "    proxy orders-v1;\n" \
    "}\n" \
    "route /flaky { proxy flaky; }\n"

#endif
