/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request: what the verdict needs of an AdmissionReview, and nothing else of it.
 *
 * Input is untrusted. This is the only place that knows how the body is read: what comes after
 * works on the few strings and the two specs below. Pure; no copy of status or managedFields
 * survives.
 */
#pragma once

#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>

struct json_object;

#define REVIEW_OPERATIONS(X)                                                                       \
    X(CREATE, "CREATE")                                                                            \
    X(UPDATE, "UPDATE")                                                                            \
    X(OTHER, "OTHER") /* DELETE, CONNECT and what may come */

enum review_operation {
#define X(id, name) REVIEW_##id,
    REVIEW_OPERATIONS(X)
#undef X
        REVIEW_OPERATION_COUNT,
};

const char *review_operation_name(enum review_operation operation);

/* Strings borrow from @root, are never NULL and hold no NUL byte. */
struct review_request {
    enum review_operation operation;
    bool is_podflame; /* profilepod.io PodFlame, and no subresource */
    bool deleting;    /* object.metadata.deletionTimestamp is set */
    const char *uid;
    const char *namespace;
    const char *name;             /* "" only when there is a generateName and no name yet */
    struct json_object *spec;     /* of object; NULL: absent */
    struct json_object *old_spec; /* of oldObject; NULL: absent */
    struct json_object *root;     /* owned */
};

/* A value of JSON may take a thousand times its text in memory, hence their number is bounded
 * before any is built. */
enum { REVIEW_DEPTH_MAX = 64, REVIEW_VALUES_MAX = 20000, REVIEW_UID_MAX = 256 };

/* -EINVAL, with what is missing or where the JSON broke, when @body is no AdmissionReview v1 with a
 * request that can be judged. */
int review_request_decode(const char *body, size_t len, struct review_request *ret,
                          struct err *e) WARN_UNUSED;

void review_request_release(struct review_request *r); /* safe on a zeroed one */
#define _cleanup_review_request_ __attribute__((cleanup(review_request_release)))
