/*
 * gateway: the whole proxy inside of a target, on one thread: the real listener, sessions, exchange, pool and access
 * log. The target is all clients and the origin, on unix sockets. Each client connection begins with a PROXY header, so
 * that each has an address of its own. Nothing waits: all deadlines are an hour away.
 */
#ifndef FUZZ_GATEWAY_H
#define FUZZ_GATEWAY_H

#include "fuzz.h"

#include "../../src/base/strbuf.h"

#include <jansson.h>

/* conf: what follows the listener; @ORIGIN stands for the origin's address. Once. */
void gateway_start(const char *conf);
void gateway_turn(void);    /* what is to be done now is done */
bool gateway_is_idle(void); /* no client connection is left */
json_t *gateway_log(void);  /* the access log's lines since the last call: an array, for the caller */

int gateway_connect(unsigned number); /* a client with the address 192.0.2.NUMBER */
int gateway_accept(void);             /* a new connection of the gateway to the origin; -1: none */

#endif
