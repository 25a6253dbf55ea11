/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube/client: one request to the API server at a time, and wait for its answer.
 *
 * TLS is verified, redirects are not followed, HTTP/1.1 only, connections are kept and reused.
 * A client belongs to one thread; kube/loop is the way to have many requests in flight.
 * The token is read again each minute, and once more when the server answers 401.
 */
#pragma once

#include "lib/buf.h"
#include "lib/err.h"

#include <stddef.h>
#include <stdint.h>

enum {
    KUBE_TIMEOUT_MS = 10000,
    KUBE_CONNECT_TIMEOUT_MS = 5000,
    KUBE_RESPONSE_MAX = 16 * 1024 * 1024,
};

#define KUBE_MERGE_PATCH "application/merge-patch+json"
#define KUBE_APPLY_PATCH "application/apply-patch+yaml"

/* Everything is borrowed until the answer is there. */
struct kube_request {
    const char *method;       /* GET, POST, PUT, PATCH, DELETE */
    const char *path;         /* "/api/v1/namespaces/x/pods?limit=1", escaped by the caller */
    const char *content_type; /* of the body; NULL: application/json */
    const void *body;         /* NULL: none */
    size_t len;
    int64_t timeout_ms;  /* of the whole exchange; 0: KUBE_TIMEOUT_MS, -1: none */
    size_t response_max; /* 0: KUBE_RESPONSE_MAX; a longer body is -EFBIG */
    size_t trim;         /* strings of a JSON answer are cut to that length; 0: never */
};

struct kube_response {
    int status;            /* HTTP; 0 when there was no answer */
    int64_t retry_after_s; /* of a 429 or 503; 0 when not said */
    char reason[64];       /* of the API server's Status: "AlreadyExists", "NotFound", ...; or "" */
    char message[512];     /* of the same */
    struct buf body;
};

void kube_response_init(struct kube_response *response);
void kube_response_release(struct kube_response *response);
#define _cleanup_kube_response_ __attribute__((cleanup(kube_response_release)))

struct kube_config;
struct kube_client;
struct json_object;

/* @config must outlive the client. Never NULL. */
struct kube_client *kube_client_new(const struct kube_config *config);
void kube_client_free(struct kube_client *client); /* NULL is fine */

/*
 * 0 on 2xx. Otherwise negative, with response->status for the exact answer:
 *   -ENOENT 404   -EEXIST 409 AlreadyExists   -ESTALE 409 Conflict, 410   -EACCES 401, 403
 *   -EINVAL 400, 422   -EFBIG 413, or a body past its cap   -EBUSY 429   -EREMOTEIO 5xx, others
 *   -ETIMEDOUT, -ECONNREFUSED, -EPROTO (TLS), -EIO: no answer
 * @response is initialised here (initialise it before with {0} or kube_response_init) and released
 * by the caller in every case.
 */
int kube_client_request(struct kube_client *client, const struct kube_request *request,
                        struct kube_response *response, struct err *e) WARN_UNUSED;

/* The same, with the body of a 2xx parsed: *ret is owned by the caller. */
int kube_client_json(struct kube_client *client, const struct kube_request *request,
                     struct json_object **ret, struct err *e) WARN_UNUSED;
