/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube/lease: one leader among replicas, by a Lease of coordination.k8s.io/v1.
 *
 * A thread of its own tries to hold the Lease, renews it, and when it is lost tries again, for
 * ever. Whether another holder is alive is judged by how long its record has not changed on our own
 * monotonic clock, never by the times that stand in it: clocks may differ. Each write names the
 * version that it was based on, so of two that try at once one wins.
 *
 * Held means renewed within renew_ms, which is shorter than what others wait for (duration_ms). It
 * is no fencing: a request that was sent while the Lease was held may arrive after it was lost.
 */
#pragma once

#include "lib/err.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    KUBE_LEASE_DURATION_MS = 15000,
    KUBE_LEASE_RENEW_MS = 10000,
    KUBE_LEASE_RETRY_MS = 2000,
    KUBE_LEASE_TEXT_SIZE = 256,
};

struct kube_config;
struct kube_lease;

/* Strings are copied; times that are 0 have the value above. */
struct kube_lease_options {
    const char *ns, *name;
    const char *identity; /* unlike that of any other process that is alive */
    int64_t duration_ms;  /* for how long others believe a record that does not change */
    int64_t renew_ms;     /* not renewed for that long, it is lost; less than duration_ms */
    int64_t retry_ms;     /* between two tries, a quarter less at random; less than renew_ms */
    /* From the lease's thread; may be NULL. The Lease was won or lost, or has another @holder; ""
     * is none. */
    void (*changed)(void *ctx, bool held, const char *holder);
    void (*problem)(void *ctx, const struct err *e); /* for the log; it goes on by itself */
    void *ctx;
};

/* Starts the thread. @kube must outlive it. -EINVAL when the times are not in order. */
int kube_lease_start(const struct kube_lease_options *options, const struct kube_config *kube,
                     struct kube_lease **ret, struct err *e) WARN_UNUSED;

/* From any thread; turns false in time even while the API server does not answer. */
bool kube_lease_is_held(const struct kube_lease *lease);

/* Gives the Lease back when it is held, so that the next one need not wait, and frees. NULL is
 * fine. */
void kube_lease_stop(struct kube_lease *lease);

/* The decision alone. */
struct kube_lease_view {
    bool exists;
    char holder[KUBE_LEASE_TEXT_SIZE]; /* "" when it was given back */
    int64_t duration_ms;               /* as the record says */
    int64_t unchanged_ms;              /* for how long we have seen this version */
};

enum kube_lease_step {
    KUBE_LEASE_WAIT,   /* somebody else holds it */
    KUBE_LEASE_CREATE, /* there is none */
    KUBE_LEASE_TAKE,   /* it is free, or its holder is gone */
    KUBE_LEASE_RENEW,  /* it is ours */
};

enum kube_lease_step kube_lease_next(const struct kube_lease_view *view, const char *identity);
