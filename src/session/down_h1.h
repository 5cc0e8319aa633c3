/*
 * down_h1: an HTTP/1.x session with a client. Keep-alive and pipelining: requests are handled one at a time in order;
 * bytes that came early stay unread or buffered within a cap (the limit of a head plus 16 KiB). Deadlines: head (also
 * of a TLS handshake), body progress and rate, idle, progress and rate of what the client takes. Every refusal of a
 * head goes to the handler's on_bad_request.
 *
 * A client that ends its side while an answer is due has left (on_abort), unless requests that it sent before that are
 * still waiting behind this one: then all of them are answered.
 */
#ifndef SESSION_DOWN_H1_H
#define SESSION_DOWN_H1_H

#include "down.h"

/* Takes over c. *source is copied; its functions are called until the session ends. Where down_conf.http2 says so a
 * client may choose HTTP/2 instead (RFC 9113 3.3, 3.4): then down_h2 goes on with c. */
void down_h1_start(struct down_sessions *set, struct conn *c, const struct down_source *source);

#endif
