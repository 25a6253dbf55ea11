/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube/pods: reads one pod by name, quickly or not at all, from any thread.
 *
 * A few clients, each with a connection of its own, are handed from thread to thread; more are made
 * when all are busy and only a few are kept. The pod's long strings are cut, its structure is
 * whole.
 */
#pragma once

#include "lib/err.h"

enum { KUBE_PODS_TIMEOUT_MS = 1000, KUBE_PODS_KEPT = 4 };

struct json_object;
struct kube_config;
struct kube_pods;

struct kube_pods *kube_pods_new(const struct kube_config *config); /* borrowed */
void kube_pods_free(struct kube_pods *pods); /* no kube_pods_get() may be under way */

/* 0 and *ret_pod, owned by the caller; -ENOENT when there is no such pod; another negative code
 * when that could not be found out within a second. @ctx is the struct kube_pods. */
int kube_pods_get(void *ctx, const char *ns, const char *name, struct json_object **ret_pod,
                  struct err *e) WARN_UNUSED;
