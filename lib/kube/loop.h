/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube/loop: many requests to the API server in flight on one thread.
 *
 * kube_loop_run() waits for the network and calls back; nothing else blocks, and no callback is
 * called from anywhere else. Callbacks may send; cancelling is for done callbacks and outside of
 * kube_loop_run(). How many calls are in flight is the caller's decision. Only kube_loop_wake() may
 * be called from another thread.
 */
#pragma once

#include "lib/kube/client.h"
#include "lib/kube/exchange.h"

struct kube_loop;
struct kube_call;

/*
 * The end of a call, @code as kube_client_request() would return it, *e its message. @response is
 * the loop's and gone after; a body may be taken out of it. Not called for a cancelled call.
 */
typedef void (*kube_done_fn)(void *ctx, int code, struct kube_response *response,
                             const struct err *e);

struct kube_loop *kube_loop_new(const struct kube_config *config); /* borrowed */
void kube_loop_free(struct kube_loop *loop);                       /* cancels what is in flight */

/*
 * Starts a request. Path and body are copied, the method and the content type are literals.
 * @on_data may be NULL; with it, the body of a 2xx is handed over as it comes and not kept. The
 * returned call is the loop's, and gone once done() was called.
 */
struct kube_call *kube_loop_send(struct kube_loop *loop, const struct kube_request *request,
                                 kube_data_fn on_data, kube_done_fn done, void *ctx);

void kube_loop_cancel(struct kube_call *call);

/* Waits at most @timeout_ms for something to happen, and handles it. */
void kube_loop_run(struct kube_loop *loop, int timeout_ms);

/* Ends a wait of kube_loop_run() from any thread. */
void kube_loop_wake(struct kube_loop *loop);
