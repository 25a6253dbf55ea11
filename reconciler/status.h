/* SPDX-License-Identifier: Apache-2.0 */
/* status: what the reconciler writes, as JSON: the status of a PodFlame, and events. Pure. */
#pragma once

#include "lib/buf.h"
#include "lib/err.h"
#include "reconciler/plan.h"

/* A flame graph, and all around it. */
enum { STATUS_BODY_MAX = 2 * 1024 * 1024, EVENT_BODY_MAX = 16 * 1024 };

/*
 * Appends the merge patch of a PodFlame's /status that plan (PLAN_WRITE_STATUS) asks for. It
 * carries the UID and the version that were read: the API server answers 409 when the PodFlame is
 * another one by now. -ENOSPC past out's cap.
 */
int status_patch(const struct plan_input *in, const struct plan *plan, struct buf *out) WARN_UNUSED;

/* Appends a core/v1 Event about the same; @name must be a name that no other event has. */
int status_event(const struct plan_input *in, const struct plan *plan, const char *name,
                 const char *instance, struct buf *out) WARN_UNUSED;
