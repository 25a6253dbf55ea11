/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_api: an HTTP server on a loopback port of the kernel's choice, for tests of the client.
 * One handler decides about every request; it runs on the server's threads under one lock.
 */
#pragma once

#include "lib/buf.h"
#include "lib/mem.h"

#include <assert.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FAKE_BODY_MAX = 16 << 20 };

enum fake_end {
    FAKE_WHOLE, /* with a length */
    FAKE_EOF,   /* chunked, and ended properly */
    FAKE_CUT,   /* chunked, and the connection is dropped in the middle */
    FAKE_HANG,  /* chunked, and left open after the body, or while more() says so */
};

struct fake_request {
    const char *method, *url, *body;
    char query[4096];
    const char *auth, *content_type, *user_agent;
};

struct fake_reply {
    int status; /* 0: none, the connection is dropped */
    char *body; /* freed by the server */
    const char *header, *value;
    enum fake_end end;
    size_t step; /* bytes a chunk; 0: all */
    char *(*more)(void *ctx,
                  size_t *cursor); /* FAKE_HANG: what comes next, malloc'ed; NULL: nothing yet */
    size_t cursor;
};

struct fake_api {
    struct MHD_Daemon *daemon;
    pthread_mutex_t lock;
    void (*handle)(void *ctx, const struct fake_request *request, struct fake_reply *reply);
    void *ctx;
    char url[64];
    atomic_bool stopping;
    atomic_int requests;
};

struct fake_stream {
    struct fake_api *api;
    struct fake_reply reply;
    size_t at, len;
};

static ssize_t fake_read(void *cls, uint64_t pos, char *to, size_t max)
{
    struct fake_stream *s = cls;

    (void)pos;
    if (s->at == s->len && s->reply.end == FAKE_HANG) {
        if (s->reply.more) {
            (void)pthread_mutex_lock(&s->api->lock);
            char *next = s->reply.more(s->api->ctx, &s->reply.cursor);
            (void)pthread_mutex_unlock(&s->api->lock);
            if (next) {
                free(s->reply.body);
                s->reply.body = next;
                s->at = 0;
                s->len = strlen(next);
            }
        }
        if (s->at == s->len) {
            if (s->api->stopping)
                return MHD_CONTENT_READER_END_WITH_ERROR;
            (void)usleep(2000);
            return 0;
        }
    }
    if (s->at == s->len)
        return s->reply.end == FAKE_CUT ? MHD_CONTENT_READER_END_WITH_ERROR
                                        : MHD_CONTENT_READER_END_OF_STREAM;
    size_t n = s->len - s->at < max ? s->len - s->at : max;
    if (s->reply.step && n > s->reply.step)
        n = s->reply.step;
    memcpy(to, s->reply.body + s->at, n);
    s->at += n;
    return (ssize_t)n;
}

static void fake_stream_free(void *cls)
{
    struct fake_stream *s = cls;

    free(s->reply.body);
    free(s);
}

static enum MHD_Result fake_add_query(void *cls, enum MHD_ValueKind kind, const char *key,
                                      const char *value)
{
    char *query = ((struct fake_request *)cls)->query;
    size_t n = strlen(query);

    (void)kind;
    (void)snprintf(query + n, sizeof(((struct fake_request *)cls)->query) - n, "%s%s=%s",
                   n ? "&" : "", key, value ? value : "");
    return MHD_YES;
}

static enum MHD_Result fake_answer(void *cls, struct MHD_Connection *c, const char *url,
                                   const char *method, const char *version, const char *data,
                                   size_t *len, void **state)
{
    struct fake_api *api = cls;
    struct buf *body = *state;

    (void)version;
    if (!body) {
        body = mem_zalloc(sizeof(*body));
        buf_init(body, FAKE_BODY_MAX);
        *state = body;
        return MHD_YES;
    }
    if (*len) {
        assert(buf_add(body, data, *len) == 0);
        *len = 0;
        return MHD_YES;
    }
    struct fake_request request = {
        .method = method,
        .url = url,
        .body = buf_str(body),
        .auth = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization"),
        .content_type = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Type"),
        .user_agent = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "User-Agent"),
    };
    struct fake_stream *s = mem_zalloc(sizeof(*s));
    s->api = api;
    s->reply.status = 200;
    (void)MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, fake_add_query, &request);
    (void)pthread_mutex_lock(&api->lock);
    api->requests++;
    api->handle(api->ctx, &request, &s->reply);
    (void)pthread_mutex_unlock(&api->lock);
    s->len = s->reply.body ? strlen(s->reply.body) : 0;

    unsigned int status = (unsigned int)s->reply.status;
    const char *header = s->reply.header, *value = s->reply.value;
    if (status == 0) {
        fake_stream_free(s);
        return MHD_NO;
    }
    struct MHD_Response *response =
        MHD_create_response_from_callback(s->reply.end == FAKE_WHOLE ? s->len : MHD_SIZE_UNKNOWN,
                                          64 * 1024, fake_read, s, fake_stream_free);
    if (header)
        (void)MHD_add_response_header(response, header, value);
    enum MHD_Result queued = MHD_queue_response(c, status, response);
    MHD_destroy_response(response);
    return queued;
}

static void fake_completed(void *cls, struct MHD_Connection *c, void **state,
                           enum MHD_RequestTerminationCode why)
{
    struct buf *body = *state;

    (void)cls;
    (void)c;
    (void)why;
    if (body)
        buf_release(body);
    free(body);
}

static void fake_api_start(struct fake_api *api,
                           void (*handle)(void *, const struct fake_request *, struct fake_reply *),
                           void *ctx)
{
    memset(api, 0, sizeof(*api));
    api->handle = handle;
    api->ctx = ctx;
    (void)pthread_mutex_init(&api->lock, NULL);
    struct sockaddr_in loopback = { .sin_family = AF_INET,
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    api->daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, 0, NULL,
                         NULL, fake_answer, api, MHD_OPTION_SOCK_ADDR, &loopback,
                         MHD_OPTION_NOTIFY_COMPLETED, fake_completed, NULL, MHD_OPTION_END);
    assert(api->daemon);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(api->daemon, MHD_DAEMON_INFO_BIND_PORT);
    (void)snprintf(api->url, sizeof(api->url), "http://127.0.0.1:%u", info->port);
}

static void fake_api_stop(struct fake_api *api)
{
    api->stopping = true;
    MHD_stop_daemon(api->daemon);
    (void)pthread_mutex_destroy(&api->lock);
}

/* A Status as the API server writes it. */
static inline void fake_refuse(struct fake_reply *reply, int status, const char *reason)
{
    reply->status = status;
    reply->body = mem_printf("{\"kind\":\"Status\",\"status\":\"Failure\",\"code\":%d,"
                             "\"reason\":\"%s\",\"message\":\"refused: %s\"}",
                             status, reason, reason);
}
