/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reconciler: one thread that brings every PodFlame from apply to flame graph.
 *
 * It follows PodFlames and its own agent pods with two watches, and works on up to PASS_MAX of them
 * at once without ever blocking. It keeps nothing that the API server does not hold: killed at any
 * moment, the next one continues. Of several replicas only the one that @leads acts; the others
 * follow, write nothing and are ready to go on at once. Two that act at a time, which no lease can
 * rule out, are wasteful but harmless.
 *
 * RBAC. In all namespaces (or the watched one): podflames get list watch delete; podflames/status
 * patch; pods get; events create. In its own: pods get list watch create delete; pods/log get.
 */
#pragma once

#include "lib/err.h"

#include <stdbool.h>
#include <stdint.h>

struct kube_config;
struct reconciler;

/* Strings are borrowed and must outlive the reconciler. */
struct reconciler_config {
    const char *namespace;             /* of the operator: where agent pods live */
    const char *watch_namespace;       /* NULL: PodFlames of all namespaces */
    const char *agent_image;           /* required */
    const char *agent_service_account; /* NULL: "podflame-agent" */
    const char *agent_memory;          /* NULL: "256Mi"; the limit of an agent pod */
    int64_t target_wait_s; /* how long a PodFlame may wait for its pod; < 0: the default, 30 s */
    /* Asked before each step and four times a second, from the reconciler's thread. NULL: it always
     * acts. */
    bool (*leads)(void *ctx);
    void *ctx;
};

/* Starts the thread. @kube must outlive it. */
int reconciler_start(const struct reconciler_config *config, const struct kube_config *kube,
                     struct reconciler **ret, struct err *e) WARN_UNUSED;

/* Both lists were taken once. From any thread. */
bool reconciler_ready(const struct reconciler *r);

/* Begins nothing new, lets requests under way end (5 s at most), and frees. NULL is fine. */
void reconciler_stop(struct reconciler *r);
