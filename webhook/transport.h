/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport: carries the TLS records of one connection in few system calls.
 *
 * By itself GnuTLS reads the head of each record alone, and libmicrohttpd sends the head of an
 * answer and its body as two records. Here one call takes a record and the head of the next, and
 * the head of an answer waits for its body. No more than a head is read ahead: libmicrohttpd waits
 * for the socket, and would not learn that a whole record is here already. The socket is not
 * blocking. Used by one thread.
 */
#pragma once

#include <gnutls/gnutls.h>

#include <stdbool.h>
#include <stddef.h>

enum { TRANSPORT_RECORD_HEAD = 5 }; /* RFC 8446, 5.1 */

struct transport {
    int fd;
    bool hold; /* the next record waits for the one after it */
    size_t n_held, ahead, n_ahead;
    char held_bytes[1024], ahead_bytes[TRANSPORT_RECORD_HEAD];
};

/* Makes @session, whose handshake has not begun, use @t, which must outlive it. */
void transport_init(struct transport *t, int fd, gnutls_session_t session);

/* The next record will be followed by another one at once: they are sent together. */
void transport_hold_next(struct transport *t);
