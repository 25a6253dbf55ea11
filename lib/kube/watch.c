/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/kube/watch.h"

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/kube/loop.h"
#include "lib/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum {
    OBJECT_DEPTH = 64,
    PATH_MAX_BYTES = 64 * 1024, /* with a continue token */
    LIST_TIMEOUT_MS = 60000,
    WATCH_TIMEOUT_MIN_S = 300,
    WATCH_TIMEOUT_MAX_S = 600,
    WATCH_GRACE_MS = 30000, /* past the server's own timeout: it has stalled */
    SHORT_WATCH_MS = 1000,  /* one that ends sooner and told nothing counts as a failure */
};

struct kube_watch {
    struct kube_loop *loop;
    struct kube_watch_options options;
    const struct kube_watch_handler *handler;
    void *ctx;
    struct kube_call *call; /* in flight, or NULL */
    char *rv;               /* where the watch goes on; NULL: list first */
    char *page;             /* the continue token of a list under way, or NULL */
    int64_t due_ms;         /* next request; meaningful without a call */
    int64_t started_ms, backoff_ms;
    struct buf event; /* bytes of an event that has not ended */
    bool skipping;    /* inside an event that is too large */
    bool told;        /* this watch has told something */
    bool was_stale;   /* listed again for a 410, and nothing was told since */
    struct err error; /* of an ERROR event */
};

static int64_t now_monotonic_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t random_below(int64_t n)
{
    uint32_t bits = 0;

    (void)!getrandom(&bits, sizeof(bits), GRND_NONBLOCK);
    return n > 0 ? bits % n : 0;
}

static void set_text(char **to, const char *text)
{
    char *copy = text && *text ? mem_strdup(text) : NULL;

    free(*to);
    *to = copy;
}

static void retry_later(struct kube_watch *w, int64_t at_least_ms, int64_t max)
{
    int64_t min = w->options.backoff_min_ms;

    w->backoff_ms = w->backoff_ms ? w->backoff_ms * 2 : min;
    if (w->backoff_ms > max)
        w->backoff_ms = max;
    int64_t wait = w->backoff_ms + random_below(w->backoff_ms);
    wait = wait > max ? max : wait;
    w->due_ms = now_monotonic_ms() + (wait > at_least_ms ? wait : at_least_ms);
}

static void relist(struct kube_watch *w)
{
    set_text(&w->rv, NULL);
    set_text(&w->page, NULL);
}

static void report(struct kube_watch *w, const struct err *e)
{
    if (w->handler->problem)
        w->handler->problem(w->ctx, e);
}

static void failed(struct kube_watch *w, int code, const struct kube_response *response,
                   const struct err *e)
{
    int64_t max = w->options.backoff_max_ms;

    if (code == -ESTALE) { /* 410: the version, or the page, is no longer kept */
        relist(w);
        if (!w->was_stale)
            w->backoff_ms = 0; /* a server that answers so has come back: what failed is over */
        w->was_stale = true;
    }
    if (response->status == 0 && max > KUBE_WATCH_LOST_MAX_MS)
        max = KUBE_WATCH_LOST_MAX_MS; /* nobody there is spared by a longer wait */
    retry_later(w, response->retry_after_s * 1000, max);
    report(w, e);
}

/* --- list --- */

static int take_page(struct kube_watch *w, const struct kube_response *response, struct err *e)
{
    _cleanup_json_ struct json_object *list = NULL;

    if (json_parse(buf_str(&response->body), response->body.len, OBJECT_DEPTH, &list, e) < 0)
        return err_wrap(e, "list of %s", w->options.path);
    struct json_object *items = json_get_array(list, "items");
    const char *rv = json_get_str(list, "metadata.resourceVersion");
    if (!rv)
        return err_set(e, -EINVAL, "list of %s: no resourceVersion", w->options.path);
    if (!w->page)
        w->handler->listing(w->ctx);
    for (size_t i = 0; items && i < json_object_array_length(items); i++)
        w->handler->changed(w->ctx, json_object_array_get_idx(items, i));
    set_text(&w->page, json_get_str(list, "metadata.continue"));
    if (!w->page) {
        set_text(&w->rv, rv);
        w->handler->listed(w->ctx);
    }
    return 0;
}

static void list_done(void *ctx, int code, struct kube_response *response, const struct err *e)
{
    struct kube_watch *w = ctx;
    struct err parse = { 0 };

    w->call = NULL;
    if (code < 0)
        failed(w, code, response, e);
    else if (take_page(w, response, &parse) < 0)
        failed(w, parse.code, response, &parse);
    else
        w->due_ms = 0;
}

/* A continue token is opaque; everything that has a meaning in a query is escaped. */
static void add_escaped(struct buf *to, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        bool plain = (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') ||
                     (*c >= 'A' && *c <= 'Z') || strchr("-._~", *c);

        (void)(plain ? buf_add(to, c, 1) : buf_printf(to, "%%%02X", *c));
    }
}

static void send_list(struct kube_watch *w)
{
    _cleanup_buf_ struct buf path = BUF_INIT(PATH_MAX_BYTES);

    (void)buf_printf(&path, "%s?limit=%d", w->options.path, KUBE_WATCH_PAGE);
    if (w->options.selector)
        (void)buf_printf(&path, "&%s", w->options.selector);
    if (w->page) {
        (void)buf_add_str(&path, "&continue=");
        add_escaped(&path, w->page);
    }
    w->call = kube_loop_send(w->loop,
                             &(struct kube_request){ .method = "GET",
                                                     .path = buf_str(&path),
                                                     .timeout_ms = LIST_TIMEOUT_MS,
                                                     .trim = KUBE_WATCH_STRING_MAX },
                             NULL, list_done, w);
}

/* --- watch --- */

static int take_error(struct kube_watch *w, struct json_object *status)
{
    int64_t http = json_get_int(status, "code", 0);
    const char *message = json_get_str(status, "message");

    return err_set(&w->error, http == 410 ? -ESTALE : -EREMOTEIO, "watch of %s: %" PRId64 " %s",
                   w->options.path, http, message ? message : "");
}

/* 0, or negative to end the stream with w->error. */
static int take_event(struct kube_watch *w, const char *text, size_t len)
{
    _cleanup_json_ struct json_object *event = NULL;

    if (json_parse(text, len, OBJECT_DEPTH, &event, &w->error) < 0)
        return err_wrap(&w->error, "watch of %s", w->options.path);
    const char *type = json_get_str(event, "type");
    struct json_object *object = json_get_object(event, "object");
    const char *rv = json_get_str(object, "metadata.resourceVersion");

    if (type && strcmp(type, "ERROR") == 0)
        return take_error(w, object);
    if (!type || !rv)
        return err_set(&w->error, -EINVAL, "watch of %s: an event without type or version",
                       w->options.path);
    if (strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0)
        w->handler->changed(w->ctx, object);
    else if (strcmp(type, "DELETED") == 0)
        w->handler->removed(w->ctx, object);
    set_text(&w->rv, rv); /* also of a BOOKMARK */
    w->told = true;
    w->was_stale = false;
    w->backoff_ms = 0;
    return 0;
}

static void too_large(struct kube_watch *w)
{
    struct err e = { 0 };

    (void)err_set(&e, -EFBIG, "watch of %s: an event larger than %zu bytes is skipped",
                  w->options.path, w->event.max);
    w->skipping = true;
    report(w, &e);
}

static int watch_data(void *ctx, const char *data, size_t len)
{
    struct kube_watch *w = ctx;
    int code = 0;

    while (len > 0 && code == 0) {
        const char *newline = memchr(data, '\n', len);
        size_t n = newline ? (size_t)(newline - data) : len;

        if (!w->skipping && buf_add(&w->event, data, n) < 0)
            too_large(w);
        if (newline) {
            if (!w->skipping && w->event.len > 0)
                code = take_event(w, w->event.data, w->event.len);
            buf_clear(&w->event);
            w->skipping = false;
            n++;
        }
        data += n;
        len -= n;
    }
    return code;
}

static void watch_done(void *ctx, int code, struct kube_response *response, const struct err *e)
{
    struct kube_watch *w = ctx;

    w->call = NULL;
    buf_release(&w->event); /* an event that was cut off comes again, whole */
    w->skipping = false;
    if (w->error.code < 0) {
        relist(w); /* the stream cannot be trusted from here on */
        failed(w, w->error.code, response, &w->error);
    } else if (code == 0 || (code == -ETIMEDOUT && response->status == 200)) {
        if (w->told || now_monotonic_ms() - w->started_ms >= SHORT_WATCH_MS) {
            w->backoff_ms = 0;
            w->due_ms = 0;
        } else {
            retry_later(w, 0, w->options.backoff_max_ms);
        }
    } else {
        failed(w, code, response, e);
    }
    w->error = (struct err){ 0 };
}

static void send_watch(struct kube_watch *w, int64_t now_ms)
{
    _cleanup_buf_ struct buf path = BUF_INIT(PATH_MAX_BYTES);
    int64_t timeout_s =
        WATCH_TIMEOUT_MIN_S + random_below(WATCH_TIMEOUT_MAX_S - WATCH_TIMEOUT_MIN_S + 1);

    (void)buf_printf(&path, "%s?watch=true&allowWatchBookmarks=true&timeoutSeconds=%" PRId64,
                     w->options.path, timeout_s);
    if (w->options.selector)
        (void)buf_printf(&path, "&%s", w->options.selector);
    (void)buf_add_str(&path, "&resourceVersion=");
    add_escaped(&path, w->rv);
    w->started_ms = now_ms;
    w->told = false;
    w->call =
        kube_loop_send(w->loop,
                       &(struct kube_request){ .method = "GET",
                                               .path = buf_str(&path),
                                               .timeout_ms = timeout_s * 1000 + WATCH_GRACE_MS,
                                               .trim = KUBE_WATCH_STRING_MAX },
                       watch_data, watch_done, w);
}

struct kube_watch *kube_watch_open(struct kube_loop *loop, const struct kube_watch_options *options,
                                   const struct kube_watch_handler *handler, void *ctx)
{
    struct kube_watch *w = mem_zalloc(sizeof(*w));

    *w = (struct kube_watch){ .loop = loop, .options = *options, .handler = handler, .ctx = ctx };
    if (!w->options.backoff_min_ms)
        w->options.backoff_min_ms = KUBE_WATCH_BACKOFF_MIN_MS;
    if (!w->options.backoff_max_ms)
        w->options.backoff_max_ms = KUBE_WATCH_BACKOFF_MAX_MS;
    buf_init(&w->event, options->event_max ? options->event_max : KUBE_WATCH_EVENT_MAX);
    return w;
}

void kube_watch_close(struct kube_watch *w)
{
    if (!w)
        return;
    kube_loop_cancel(w->call);
    buf_release(&w->event);
    free(w->rv);
    free(w->page);
    free(w);
}

int64_t kube_watch_tick(struct kube_watch *w, int64_t now_ms)
{
    if (w->call)
        return -1;
    if (now_ms < w->due_ms)
        return w->due_ms - now_ms;
    if (w->rv)
        send_watch(w, now_ms);
    else
        send_list(w);
    return -1;
}
