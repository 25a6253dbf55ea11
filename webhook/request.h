/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request: what the verdict needs of an AdmissionReview, and nothing else of it.
 *
 * Input is untrusted. This is the only place that knows how the body is read: what comes after
 * works on the few strings and the two specs below. The body is checked as it arrives and never
 * held: whatever its size, a reader takes less than REQUEST_READER_MAX bytes, because status,
 * managedFields and annotations are passed over. Pure.
 */
#pragma once

#include "lib/err.h"
#include "lib/json_scan.h"

#include <stdbool.h>
#include <stddef.h>

struct json_object;

#define REVIEW_API_VERSION "admission.k8s.io/v1"

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

/* Strings borrow from @texts, are never NULL and hold no NUL byte. */
struct review_request {
    enum review_operation operation;
    bool is_podflame; /* profilepod.io PodFlame, and no subresource */
    bool deleting;    /* object.metadata.deletionTimestamp is set */
    const char *uid;
    const char *namespace;
    const char *name;             /* "" only when there is a generateName and no name yet */
    struct json_object *spec;     /* of object; owned; NULL: absent */
    struct json_object *old_spec; /* of oldObject; owned; NULL: absent */
    char *texts;                  /* owned */
};

enum { REVIEW_UID_MAX = 256, REVIEW_KEPT_MAX = 8 * 1024 - 1, REQUEST_READER_MAX = 32 * 1024 };

/* Where the values are told that are looked at. */
enum request_slot {
    REQUEST_KIND,
    REQUEST_API_VERSION,
    REQUEST_REQUEST,
    REQUEST_UID,
    REQUEST_KIND_OF_OBJECT,
    REQUEST_KIND_GROUP,
    REQUEST_KIND_KIND,
    REQUEST_SUBRESOURCE,
    REQUEST_NAME,
    REQUEST_NAMESPACE,
    REQUEST_OPERATION,
    REQUEST_OBJECT,
    REQUEST_METADATA,
    REQUEST_METADATA_NAME,
    REQUEST_GENERATE_NAME,
    REQUEST_DELETION,
    REQUEST_SPEC,
    REQUEST_OLD_OBJECT,
    REQUEST_OLD_SPEC,
    REQUEST_SLOTS,
};

/* An AdmissionReview that is arriving. */
struct request_reader {
    struct json_scan scan;
    struct json_found found[REQUEST_SLOTS];
};

/* Zeroed or released before; the reader must not move until it is released. */
void request_reader_init(struct request_reader *r);
/* The next bytes. -EINVAL: where the JSON broke; nothing may be added after that. */
int request_reader_add(struct request_reader *r, const char *data, size_t len,
                       struct err *e) WARN_UNUSED;
/* There are no more. -EINVAL, with what is missing, when this was no AdmissionReview v1 with a
 * request that can be judged. */
int request_reader_end(struct request_reader *r, struct review_request *ret,
                       struct err *e) WARN_UNUSED;
void request_reader_release(struct request_reader *r);
#define _cleanup_request_reader_ __attribute__((cleanup(request_reader_release)))

void review_request_release(struct review_request *r); /* safe on a zeroed one */
#define _cleanup_review_request_ __attribute__((cleanup(review_request_release)))
