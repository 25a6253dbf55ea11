/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server: the TLS listener of the admission webhook.
 *
 * Answers POST of application/json at WEBHOOK_PATH, and nothing else, with what review_respond()
 * says. Any pod may connect, so everything has a limit: TLS 1.2 or newer with forward secrecy and
 * AEAD only, SERVER_CONNECTIONS_MAX connections, SERVER_BODY_MAX bytes a body, one deadline for the
 * handshake and for each request as a whole, a longer one for an idle connection (API servers keep
 * theirs for 90 s). A body is read as it arrives and not held, so that all of them together take
 * less than SERVER_BODIES_MAX however many come at once.
 *
 * A pool of threads serves all connections; each holds one request at a time, and no JSON is shared
 * between them. A thread waits while a pod is read, and its other connections with it: there are
 * many more threads than that keeps busy.
 */
#pragma once

#include "lib/err.h"
#include "webhook/review.h"

#include <stdint.h>

#define WEBHOOK_PATH "/validate-profilepod-io-v1alpha1-podflame"

enum {
    SERVER_BODY_MAX = 7 * 1024 * 1024,
    SERVER_BODIES_MAX = 64 * 1024 * 1024,
    SERVER_CONNECTIONS_MAX = 2048,
    SERVER_THREADS = 16,
    SERVER_REQUEST_MS = 10 * 1000,
    SERVER_IDLE_MS = 120 * 1000,
};

/* What is 0 or NULL has the value above; all is copied but the lookup. */
struct webhook_server_config {
    const char *address; /* IPv4 address to listen on; NULL: all of both families */
    uint16_t port;       /* 0: any free one */
    const char *cert_pem, *key_pem;
    const char *client_ca_pem;       /* NULL: any client may ask */
    const struct pod_lookup *lookup; /* NULL: no pod is read; must outlive the server */
    unsigned n_threads;
    int64_t request_ms, idle_ms;
    size_t body_max;
};

struct webhook_server;

/* Listens when it returns. */
int webhook_server_start(const struct webhook_server_config *config, struct webhook_server **ret,
                         struct err *e) WARN_UNUSED;

uint16_t webhook_server_port(const struct webhook_server *server);

/* From now on new connections are served with this certificate; those that are open keep theirs. On
 * failure nothing changes. Thread-safe. */
int webhook_server_set_certificate(struct webhook_server *server, const char *cert_pem,
                                   const char *key_pem, struct err *e) WARN_UNUSED;

/* From now on each answer closes its connection, so that clients go to another replica. New
 * connections are still served. Thread-safe. */
void webhook_server_drain(struct webhook_server *server);

/* Stops accepting, lets the requests under way end (for up to request_ms) and frees all. NULL is
 * fine. */
void webhook_server_stop(struct webhook_server *server);
