/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/buf.h"
#include "lib/fuzz/fuzz.h"
#include "lib/kube/loop.h"
#include "lib/kube/watch.h"

/* In place of kube/loop: the network is the input. */
static struct kube_call {
    kube_data_fn on_data;
    kube_done_fn done;
    void *ctx;
} last;

struct kube_call *kube_loop_send(struct kube_loop *loop, const struct kube_request *request,
                                 kube_data_fn on_data, kube_done_fn done, void *ctx)
{
    (void)loop;
    assert(!strpbrk(request->path, " \r\n#\""));
    last = (struct kube_call){ on_data, done, ctx };
    return &last;
}

void kube_loop_cancel(struct kube_call *call)
{
    (void)call;
}

static int listing; /* between listing() and listed() */

static void on_listing(void *ctx)
{
    (void)ctx;
    assert(!listing++);
}

static void on_listed(void *ctx)
{
    (void)ctx;
    assert(listing--);
}

static void on_object(void *ctx, struct json_object *object)
{
    (void)ctx, (void)object;
}

static void on_problem(void *ctx, const struct err *e)
{
    (void)ctx;
    assert(e->code < 0 && e->msg[0]);
}

static const struct kube_watch_handler handler = { on_listing, on_listed, on_object, on_object,
                                                   on_problem };

/* Answers the call in flight: a list with all of @data, a watch with it in pieces. */
static void answer(const uint8_t *data, size_t size, size_t piece)
{
    struct kube_response response = { .status = 200, .body = BUF_INIT(size) };
    struct kube_call call = last;
    struct err none = { 0 };
    int code = 0;

    if (!call.on_data)
        assert(buf_add(&response.body, data, size) == 0);
    for (size_t at = 0; call.on_data && at < size && code == 0; at += piece)
        code =
            call.on_data(call.ctx, (const char *)data + at, size - at < piece ? size - at : piece);
    call.done(call.ctx, code, &response, &none);
    buf_release(&response.body);
}

/* The input is pages and streams of a collection, apart by an empty line, in turn. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct kube_watch_options options = { .path = "/x", .event_max = 512 };
    size_t piece = 1 + fuzz_take_number(&data, &size, 50);
    struct kube_watch *w = kube_watch_open(NULL, &options, &handler, NULL);

    listing = 0;
    for (const uint8_t *end = data + size, *stop; data < end; data = stop + 2) {
        stop = memmem(data, (size_t)(end - data), "\n\n", 2);
        stop = stop ? stop : end;
        assert(kube_watch_tick(w, INT64_MAX / 2) == -1);
        answer(data, (size_t)(stop - data), piece);
        if (end - stop < 2)
            break;
    }
    kube_watch_close(w);
    return 0;
}
