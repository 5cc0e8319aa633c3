/*
 * channel: what the supervisor and a serving process say to each other, over a pair of SOCK_SEQPACKET sockets. One
 * message is one packet: a byte that says what it is, its text, and at most one descriptor. Neither side trusts the
 * other's lengths; a packet longer than CHANNEL_MAX is cut and refused.
 */
#ifndef DAEMON_CHANNEL_H
#define DAEMON_CHANNEL_H

#include "../base/slice.h"

#define CHANNEL_MAX 131072u /* 16,000 sockets in one CHANNEL_LEAVE */

enum channel_kind {
    CHANNEL_NOTIFY = 'N',  /* serving -> supervisor: the text of a sd_notify(3) message */
    CHANNEL_OPENED = 'O',  /* serving -> supervisor: a listening socket to hold (with its descriptor) */
    CHANNEL_CLOSING = 'C', /* serving -> supervisor: text: the cookie of a socket that is not to be held any more */
    CHANNEL_LOG = 'E',     /* serving -> supervisor: where its log goes, and the descriptor of a file */
    CHANNEL_ASK = 'A',     /* serving -> supervisor: let an opener read the configuration */
    CHANNEL_FILE = 'F',    /* opener -> supervisor -> serving: text: a path; with a copy of the file */
    CHANNEL_GIVEN = 'G',   /* supervisor -> serving: a listening socket that the opener opened (with its descriptor) */
    CHANNEL_ASKED = 'D',   /* supervisor -> serving: that is all that the opener had */
    CHANNEL_SIGNAL = 'S',  /* supervisor -> serving: text: the number of a signal it got */
    CHANNEL_LEAVE = 'L',   /* supervisor -> serving: a successor serves; text: the cookies of the sockets it has */
};

struct channel_message {
    enum channel_kind kind;
    struct slice text; /* in the buffer given to channel_receive */
    int fd;            /* -1: none; the receiver's */
};

/* Both ends non-blocking and close-on-exec. 0, or -1 with errno. */
int channel_pair(int ends[2]);
/* fd: one to send along, or -1. Waits at most a second for room. 0, or -1 with errno. */
int channel_send(int channel, enum channel_kind kind, struct slice text, int fd);
/* 1: a message; 0: none for now; -1: the other side is gone, or (errno EPROTO) spoke nonsense. */
int channel_receive(int channel, char buffer[CHANNEL_MAX], struct channel_message *m);

#endif
