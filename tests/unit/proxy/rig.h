/*
 * rig: a gateway inside the test: one worker thread with the real proxy, the test's thread as the service loop, and the
 * test itself as client and origin on blocking loopback sockets (every read ends after 5 s at the latest).
 */
#ifndef TESTS_PROXY_RIG_H
#define TESTS_PROXY_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/conf/conf.h"

struct generation;

struct rig {
    struct generation *g; /* published */
    int port;             /* of the gateway */
    int origin;           /* listening */
    int origin_port;
    unsigned freed;       /* generations that were given back */
};

/* Prints errors and fails. In the text `@ORIGIN` stands for 127.0.0.1:PORT of the rig's origin; `modules`, `use gate`
 * and the listener are written before it. */
struct conf *rig_conf(struct rig *r, const char *text);
void rig_start(struct rig *r, const char *text);
void rig_publish(struct rig *r, const char *text); /* as a reload does */
void rig_stop(struct rig *r);
void rig_turn(struct rig *r);                      /* one turn of the service loop */

int rig_client(const struct rig *r);
int rig_accept(const struct rig *r);               /* a connection of the gateway to the origin */
bool rig_nobody(const struct rig *r);              /* there is none within 100 ms */
void put(int fd, const char *text);
/* Reads until the text has come; all that was read, until the next call. Fails the test after 5 s or at the end. */
const char *until(int fd, const char *text);
/* Reads until the other side ends or resets it. */
const char *rest(int fd);
void has(const char *text, const char *part);
void has_not(const char *text, const char *part);

#endif
