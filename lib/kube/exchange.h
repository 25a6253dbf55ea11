/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube/exchange: one HTTP exchange on one curl handle; what kube/client and kube/loop share.
 */
#pragma once

#include "lib/kube/auth.h"
#include "lib/kube/client.h"
#include "lib/kube/trim.h"

#include <curl/curl.h>

/* Given bytes of a 2xx body instead of response->body. Negative ends the exchange with that code.
 */
typedef int (*kube_data_fn)(void *ctx, const char *data, size_t len);

struct kube_exchange {
    CURL *easy; /* borrowed */
    struct curl_slist *headers, *connect_to;
    struct kube_response *response; /* borrowed */
    kube_data_fn on_data;
    void *ctx;
    struct kube_trim trim;
    struct buf trimmed;
    int data_code; /* what on_data or the cap ended the exchange with */
    char curl_error[CURL_ERROR_SIZE];
};

/* Once, before any thread is started. Later calls do nothing. */
void kube_exchange_global_init(void);

/* Sets everything on @easy, which is reset first. The request is borrowed until the end. */
int kube_exchange_prepare(struct kube_exchange *x, CURL *easy, const struct kube_auth *auth,
                          const struct kube_request *request, struct kube_response *response,
                          struct err *e) WARN_UNUSED;

/* Fills status, reason, message; the return value of kube_client_request(). */
int kube_exchange_finish(struct kube_exchange *x, CURLcode result,
                         const struct kube_request *request, struct err *e) WARN_UNUSED;

void kube_exchange_release(struct kube_exchange *x);
