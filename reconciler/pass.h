/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pass: turns what the plan says for one subject into API calls, one after the other, until there
 * is nothing to do but wait. Many passes run at once on one kube_loop, at most one for a subject.
 */
#pragma once

#include "reconciler/agent_pod.h"
#include "reconciler/subjects.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PASS_MAX = 16,       /* under way at once */
    PASS_LOGS_MAX = 8,   /* of these, reading a log: each may hold a few MiB */
    PASS_STEPS_MAX = 16, /* actions of one; more is a loop, and it waits */
};

struct kube_loop;

struct pass_context {
    struct kube_loop *loop;
    struct subjects *subjects;
    struct agent_pod_options agent;
    int64_t target_wait_s;
    const char *instance;     /* who tells the events */
    bool (*leads)(void *ctx); /* NULL: always */
    void *leads_ctx;
    size_t n_passes, n_logs, n_events;
    uint64_t n_event_names;
};

bool pass_may_act(const struct pass_context *context);

/* Starts one. While others lead it does only what sends nothing but a look at an object that may be
 * gone, and otherwise ends; the subject is to be touched when that changes. The subject may be gone
 * when it ends. */
void pass_begin(struct pass_context *context, struct subject *s);

/* Gives up those that are under way, once their loop is freed. */
void passes_drop(struct pass_context *context);
