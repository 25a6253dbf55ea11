/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connections: every open connection and the moment by which it must have done its next step.
 *
 * libmicrohttpd's own timeout starts again with each byte, so that a client that sends one byte a
 * second would never be cut. Here the TLS handshake and each request, from its request line to its
 * answer, have one deadline; an idle connection has a longer one. A thread of its own shuts the
 * sockets of the late ones down, which ends them in the thread that serves them.
 */
#pragma once

#include "lib/err.h"

#include <stdint.h>

struct connections;
struct connection;
struct transport;

int connections_new(int64_t request_ms, int64_t idle_ms, struct connections **ret,
                    struct err *e) WARN_UNUSED;
/* All connections must have ended. NULL is fine. */
void connections_free(struct connections *all);

/* Owned by the caller until connection_close(); @data is for the caller. The first request is due
 * in request_ms. */
struct connection *connection_open(struct connections *all, int fd, void *data);
void *connection_data(struct connection *c);
struct transport *connection_transport(struct connection *c); /* zeroed, and freed with it */
void connection_begins_request(struct connection *c);         /* due in request_ms */
void connection_is_idle(struct connection *c);                /* due in idle_ms */
/* Before the descriptor is closed. */
void connection_close(struct connection *c);
