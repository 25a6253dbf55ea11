/* SPDX-License-Identifier: Apache-2.0 */
/*
 * review: the bytes of an AdmissionReview in, the bytes of the answer out.
 *
 * CREATE is judged by the rules of lib/podflame and, when its pod can be read, by what containers
 * that pod has; UPDATE by the spec being left alone; objects being deleted, other operations and
 * other kinds are allowed. A denial names all problems at once, in the form that
 * apierrors.NewInvalid gives, so that kubectl prints it like one of the API server's own. What may
 * be right later (no such pod, pod not readable, container not running) is allowed with a warning:
 * the reconciler decides. Audit annotations tell what the verdict stood on: "pod" (found, absent or
 * unreadable; none when no pod was read) and "container-count".
 *
 * No clock, no log, no state: the same body and the same pod give the same answer, dry run or not.
 * Thread-safe when the lookup is.
 */
#pragma once

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/podflame/problem.h"
#include "webhook/request.h"

#include <stdbool.h>

/*
 * Reads one pod. 0: *ret_pod is a whole Pod as JSON, owned by the caller; -ENOENT: there is none;
 * another negative errno: it could not be read, with the reason in @e. Is called from several HTTP
 * threads at once and must answer within about a second: the API server waits for three. @ns and
 * @name are valid Kubernetes names.
 */
struct pod_lookup {
    int (*get)(void *ctx, const char *ns, const char *name, struct json_object **ret_pod,
               struct err *e);
    void *ctx;
};

enum review_lookup { REVIEW_NOT_LOOKED_UP, REVIEW_POD_FOUND, REVIEW_POD_ABSENT, REVIEW_POD_FAILED };

/* The fields that a problem may be of. */
#define REVIEW_FIELDS(X)                                                                           \
    X(CONTAINER_NAME, "spec.containerName")                                                        \
    X(DURATION, "spec.duration")                                                                   \
    X(EVENT, "spec.event")                                                                         \
    X(FREQUENCY, "spec.frequency")                                                                 \
    X(TARGET_POD, "spec.targetPod")                                                                \
    X(TTL, "spec.ttlSecondsAfterFinished")                                                         \
    X(OTHER, "other")

enum review_field {
#define X(id, name) REVIEW_FIELD_##id,
    REVIEW_FIELDS(X)
#undef X
        REVIEW_FIELD_COUNT,
};

/* What happened, for the log line and the metrics. */
struct review_outcome {
    enum review_operation operation;
    bool allowed;
    enum review_lookup lookup;
    struct err lookup_err; /* of REVIEW_POD_FAILED */
    struct {
        enum review_field field;
        enum problem_cause cause;
    } problems[PROBLEMS_MAX];
    size_t n_problems;
};

enum { REVIEW_REPLY_MAX = 256 * 1024 };

/* Appends the answer to @r to @reply. -ENOSPC: the cap of @reply. A NULL @lookup reads no pod. */
int review_answer(const struct review_request *r, const struct pod_lookup *lookup,
                  struct buf *reply, struct review_outcome *ret, struct err *e) WARN_UNUSED;

/* The same for a whole body. -EINVAL: @body is no AdmissionReview that can be judged, to be
 * answered with HTTP 400 and the message. */
int review_respond(const char *body, size_t len, const struct pod_lookup *lookup, struct buf *reply,
                   struct review_outcome *ret, struct err *e) WARN_UNUSED;
