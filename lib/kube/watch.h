/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube/watch: keeps its owner informed of a collection: LIST in pages, then WATCH, for ever.
 *
 * Holds no objects: the owner marks what it has at listing(), and at listed() drops what was not
 * told again. resourceVersion is opaque. EOF and stalls resume where the stream stopped; 410 and
 * ERROR events list again; failures wait 0.8 to 30 s with jitter (10 s while nobody answers at
 * all), and as long as the server's Retry-After asks. The first 410 begins with short waits again:
 * it is what a server says that has just been restarted. An event that is larger than
 * KUBE_WATCH_EVENT_MAX (long strings cut) is told as a problem and skipped. Runs on a kube_loop,
 * never blocks.
 */
#pragma once

#include "lib/err.h"

#include <stddef.h>
#include <stdint.h>

enum {
    KUBE_WATCH_PAGE = 200,
    KUBE_WATCH_EVENT_MAX = 4 * 1024 * 1024,
    KUBE_WATCH_STRING_MAX = 8 * 1024, /* strings of the objects are cut to that */
    KUBE_WATCH_BACKOFF_MIN_MS = 800,
    KUBE_WATCH_BACKOFF_MAX_MS = 30000,
    KUBE_WATCH_LOST_MAX_MS = 10000,
};

struct json_object;
struct kube_loop;
struct kube_watch;

struct kube_watch_handler {
    void (*listing)(void *ctx); /* all of changed() until listed() is what exists now */
    void (*listed)(void *ctx);
    void (*changed)(void *ctx, struct json_object *object); /* borrowed */
    void (*removed)(void *ctx, struct json_object *object); /* its last state */
    void (*problem)(void *ctx, const struct err *e);        /* for the log; it goes on by itself */
};

struct kube_watch_options {
    const char *path;                       /* "/api/v1/namespaces/x/pods" */
    const char *selector;                   /* "labelSelector=a%3Db", escaped; NULL: all */
    int64_t backoff_min_ms, backoff_max_ms; /* 0: as above */
    size_t event_max;                       /* 0: as above */
};

/* Starts with the first list. @loop, @handler and the strings must outlive the watch. */
struct kube_watch *kube_watch_open(struct kube_loop *loop, const struct kube_watch_options *options,
                                   const struct kube_watch_handler *handler, void *ctx);
void kube_watch_close(struct kube_watch *watch); /* NULL is fine */

/* Does what is due at @now_ms (monotonic); returns how long until it must be called again, -1 when
 * it waits for the network only. */
int64_t kube_watch_tick(struct kube_watch *watch, int64_t now_ms);
