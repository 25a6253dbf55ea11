/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/kube/loop.h"

#include "lib/cleanup.h"
#include "lib/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CONNECTIONS = 32 }; /* kept open */

struct kube_call {
    struct kube_loop *loop;
    struct kube_call *prev, *next;
    struct kube_request request; /* path and body owned */
    struct kube_response response;
    struct kube_exchange exchange;
    CURL *easy;
    kube_data_fn on_data;
    kube_done_fn done;
    void *ctx;
    struct err failed; /* could not be started; told by the next run */
    bool started, added, renewed, ended;
};

struct kube_loop {
    struct kube_auth auth;
    CURLM *multi;
    struct kube_call *calls;
};

struct kube_loop *kube_loop_new(const struct kube_config *config)
{
    struct kube_loop *loop = mem_zalloc(sizeof(*loop));

    kube_exchange_global_init();
    kube_auth_init(&loop->auth, config);
    loop->multi = curl_multi_init();
    if (!loop->multi)
        abort(); /* out of memory, as everywhere */
    (void)curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, (long)MAX_CONNECTIONS);
    return loop;
}

static void call_stop(struct kube_call *call)
{
    if (call->added)
        (void)curl_multi_remove_handle(call->loop->multi, call->easy);
    call->added = false;
    kube_exchange_release(&call->exchange);
}

static void call_free(struct kube_call *call)
{
    call_stop(call);
    if (call->prev)
        call->prev->next = call->next;
    else
        call->loop->calls = call->next;
    if (call->next)
        call->next->prev = call->prev;
    curl_easy_cleanup(call->easy);
    kube_response_release(&call->response);
    free((void *)call->request.path);
    free((void *)call->request.body);
    free(call);
}

void kube_loop_free(struct kube_loop *loop)
{
    if (!loop)
        return;
    while (loop->calls)
        call_free(loop->calls);
    (void)curl_multi_cleanup(loop->multi);
    kube_auth_release(&loop->auth);
    free(loop);
}

static void call_start(struct kube_call *call)
{
    struct kube_loop *loop = call->loop;

    call->started = true;
    if (kube_auth_refresh(&loop->auth, &call->failed) < 0)
        return;
    call->exchange.on_data = call->on_data;
    call->exchange.ctx = call->ctx;
    if (kube_exchange_prepare(&call->exchange, call->easy, &loop->auth, &call->request,
                              &call->response, &call->failed) < 0)
        return;
    (void)curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call);
    if (curl_multi_add_handle(loop->multi, call->easy) != CURLM_OK)
        abort(); /* out of memory, or our own misuse */
    call->added = true;
}

struct kube_call *kube_loop_send(struct kube_loop *loop, const struct kube_request *request,
                                 kube_data_fn on_data, kube_done_fn done, void *ctx)
{
    struct kube_call *call = mem_zalloc(sizeof(*call));

    *call = (struct kube_call){ .loop = loop,
                                .request = *request,
                                .on_data = on_data,
                                .done = done,
                                .ctx = ctx,
                                .next = loop->calls };
    call->request.path = mem_strdup(request->path);
    if (request->body) {
        void *body = mem_alloc(request->len);

        memcpy(body, request->body, request->len);
        call->request.body = body;
    }
    if (loop->calls)
        loop->calls->prev = call;
    loop->calls = call;
    kube_response_init(&call->response);
    call->easy = curl_easy_init();
    if (!call->easy)
        abort(); /* out of memory, as everywhere */
    return call;
}

void kube_loop_cancel(struct kube_call *call)
{
    if (call)
        call_free(call);
}

static void call_end(struct kube_call *call, int code, const struct err *e)
{
    kube_done_fn done = call->done;

    call_stop(call);
    call->ended = true;
    done(call->ctx, code, &call->response, e);
    call_free(call);
}

static void call_finish(struct kube_call *call, CURLcode result)
{
    struct err e = { 0 };
    int code = kube_exchange_finish(&call->exchange, result, &call->request, &e);

    if (call->response.status == 401 && !call->renewed && kube_auth_renew(&call->loop->auth)) {
        call_stop(call);
        call->renewed = true;
        call_start(call);
        return;
    }
    call_end(call, code, &e);
}

/* One call that could not even be started, or NULL. */
static struct kube_call *failed_call(struct kube_loop *loop)
{
    for (struct kube_call *c = loop->calls; c; c = c->next) {
        if (c->failed.code < 0 && !c->ended)
            return c;
    }
    return NULL;
}

static void start_calls(struct kube_loop *loop)
{
    for (struct kube_call *c = loop->calls; c; c = c->next) {
        if (!c->started)
            call_start(c);
    }
}

/* Moves every transfer on, and tells of those that have ended; false: none has. */
static bool make_progress(struct kube_loop *loop)
{
    struct kube_call *call;
    int running = 0, left = 0;
    bool ended = false;
    CURLMsg *msg;

    (void)curl_multi_perform(loop->multi, &running);
    while ((msg = curl_multi_info_read(loop->multi, &left))) {
        if (msg->msg != CURLMSG_DONE)
            continue;
        CURLcode result = msg->data.result;
        void *private = NULL;
        (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private);
        assert(private);
        call_finish(private, result);
        ended = true;
    }
    while ((call = failed_call(loop))) {
        call_end(call, call->failed.code, &call->failed);
        ended = true;
    }
    return ended;
}

void kube_loop_run(struct kube_loop *loop, int timeout_ms)
{
    start_calls(loop);
    if (make_progress(loop))
        return; /* what has ended leaves nothing behind that would end the wait */
    (void)curl_multi_poll(loop->multi, NULL, 0, timeout_ms, NULL);
    (void)make_progress(loop);
}

void kube_loop_wake(struct kube_loop *loop)
{
    (void)curl_multi_wakeup(loop->multi);
}
