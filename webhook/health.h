/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health: /healthz, /readyz and /metrics over plain HTTP, on a port of their own.
 *
 * /healthz says that the process answers; /readyz asks @ready; /metrics is what lib/metrics.h
 * holds. GET and HEAD only. One thread.
 *
 * Any pod of the cluster can reach the port, and must not keep the kubelet's probes from it: a
 * request is due at once, and one address has few connections.
 */
#pragma once

#include "lib/buf.h"
#include "lib/err.h"

#include <stdbool.h>
#include <stdint.h>

struct health_config {
    const char *address; /* IPv4; NULL: all of both families */
    uint16_t port;       /* 0: any free one */
    /* False: what is missing is appended to @why. NULL: always ready. Called from its thread. */
    bool (*ready)(void *ctx, struct buf *why);
    void *ctx;
};

struct health;

int health_start(const struct health_config *config, struct health **ret,
                 struct err *e) WARN_UNUSED;
uint16_t health_port(const struct health *health);
void health_stop(struct health *health); /* NULL is fine */
