/* demo: the pieces of `weir demo`: two weir processes on loopback, one playing three origins and one the gateway in
 * front of them. */
#ifndef DAEMON_DEMO_H
#define DAEMON_DEMO_H


#include <sys/types.h>

struct err;

struct demo {
    char dir[64];        /* /tmp/weir-demo.XXXXXX; removed at the end */
    char address[32];    /* of the gateway: 127.0.0.1:PORT */
    int holder;          /* the socket that holds the port; -1: none */
    char secret[33];     /* signs the tokens; new each time */
    pid_t origins, gateway;
};

/* Writes the configurations, starts both processes, waits until they are ready. -1 with *e; demo_stop in both cases. */
int demo_start(struct demo *d, struct err *e);
void demo_stop(struct demo *d);
/* A token for the demonstration's gateway with this scope, valid for a day. */
void demo_token(const struct demo *d, const char *scope, char out[512]);
/* The requests that show each policy; prints what each did. 0 when all came out as stated. */
int demo_tour(const struct demo *d);

#endif
