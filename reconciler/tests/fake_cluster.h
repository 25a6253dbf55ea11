/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_cluster: as much of an API server as the reconciler uses: PodFlames and pods with versions,
 * watches, conflicts, preconditions, and the log of an agent. The test plays the kubelet.
 */
#pragma once

#include "lib/json.h"
#include "lib/kube/tests/fake_api.h"

#include <inttypes.h>
#include <json-c/linkhash.h>
#include <time.h>

enum { FAKE_OBJECTS_MAX = 2048, FAKE_EVENTS_MAX = 16384 };

enum fake_kind { FAKE_POD, FAKE_PODFLAME, FAKE_KINDS };

struct fake_object {
    enum fake_kind kind;
    char ns[64], name[128];
    struct json_object *json; /* NULL: a free place */
};

struct fake_cluster {
    struct fake_api api;
    struct fake_object objects[FAKE_OBJECTS_MAX];
    struct {
        enum fake_kind kind;
        int64_t rv;
        char *line;
    } events[FAKE_EVENTS_MAX];
    size_t n_events;
    int64_t rv;
    char *log; /* of every agent */
    /* What goes wrong, how many times. */
    int conflicts, create_errors, log_errors, log_drops, too_large;
    bool agents_end_at_once;
    /* What was asked. */
    int agents_created, agents_deleted, results_written, results_refused, told;
};

static inline const char *fake_now(void)
{
    static _Thread_local char text[32];
    time_t now = time(NULL);
    struct tm tm;

    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    return text;
}

static inline struct json_object *fake_json(const char *text)
{
    struct json_object *o = NULL;
    struct err e = { 0 };

    if (json_parse(text, strlen(text), 64, &o, &e) < 0)
        abort();
    return o;
}

static inline struct fake_object *fake_find(struct fake_cluster *c, enum fake_kind kind,
                                            const char *ns, const char *name)
{
    for (size_t i = 0; i < FAKE_OBJECTS_MAX; i++) {
        struct fake_object *o = &c->objects[i];

        if (o->json && o->kind == kind && strcmp(o->ns, ns) == 0 && strcmp(o->name, name) == 0)
            return o;
    }
    return NULL;
}

/* A new version of the object, told to the watches. */
static inline void fake_told(struct fake_cluster *c, struct fake_object *o, const char *type)
{
    char rv[24];

    assert(o);
    (void)snprintf(rv, sizeof(rv), "%" PRId64, ++c->rv);
    json_set_str(json_get(o->json, "metadata"), "resourceVersion", rv);
    assert(c->n_events < FAKE_EVENTS_MAX);
    c->events[c->n_events].kind = o->kind;
    c->events[c->n_events].rv = c->rv;
    c->events[c->n_events++].line =
        mem_printf("{\"type\":\"%s\",\"object\":%s}\n", type,
                   json_object_to_json_string_ext(o->json, JSON_C_TO_STRING_PLAIN));
}

static inline struct fake_object *fake_add(struct fake_cluster *c, enum fake_kind kind,
                                           struct json_object *json)
{
    for (size_t i = 0; i < FAKE_OBJECTS_MAX; i++) {
        struct fake_object *o = &c->objects[i];

        if (o->json)
            continue;
        o->kind = kind;
        o->json = json;
        (void)snprintf(o->ns, sizeof(o->ns), "%s", json_get_str(json, "metadata.namespace"));
        (void)snprintf(o->name, sizeof(o->name), "%s", json_get_str(json, "metadata.name"));
        fake_told(c, o, "ADDED");
        return o;
    }
    abort();
}

static inline void fake_remove(struct fake_cluster *c, struct fake_object *o)
{
    assert(o);
    fake_told(c, o, "DELETED");
    json_put(o->json);
    o->json = NULL;
}

static inline void fake_merge(struct json_object *to, struct json_object *patch)
{
    json_object_object_foreach(patch, key, value)
    {
        struct json_object *old = json_get_key(to, key);

        if (json_object_is_type(value, json_type_object) &&
            json_object_is_type(old, json_type_object))
            fake_merge(old, value);
        else
            json_set(to, key, json_object_get(value));
    }
}

static inline void fake_set_status(struct fake_cluster *c, struct fake_object *o,
                                   const char *status)
{
    assert(o);
    json_set(o->json, "status", fake_json(status));
    fake_told(c, o, "MODIFIED");
}

#define FAKE_RUNNING                                                                               \
    "{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"agent\",\"state\":{\"running\":"    \
    "{\"startedAt\":\"2027-01-15T08:00:00Z\"}}}]}"
#define FAKE_ENDED                                                                                 \
    "{\"phase\":\"Succeeded\",\"containerStatuses\":[{\"name\":\"agent\",\"state\":{"              \
    "\"terminated\":{\"exitCode\":0,\"reason\":\"Completed\"}}}]}"

/* --- what the API server answers --- */

static inline char *fake_more(struct fake_cluster *c, enum fake_kind kind, size_t *cursor)
{
    while (*cursor < c->n_events) {
        size_t i = (*cursor)++;

        if (c->events[i].kind == kind)
            return mem_strdup(c->events[i].line);
    }
    return NULL;
}

static inline char *fake_more_pods(void *ctx, size_t *cursor)
{
    return fake_more(ctx, FAKE_POD, cursor);
}

static inline char *fake_more_podflames(void *ctx, size_t *cursor)
{
    return fake_more(ctx, FAKE_PODFLAME, cursor);
}

static inline void fake_collection(struct fake_cluster *c, enum fake_kind kind,
                                   const struct fake_request *request, struct fake_reply *reply)
{
    const char *rv = strstr(request->query, "resourceVersion=");

    if (strstr(request->query, "watch=true")) {
        int64_t from = rv ? strtoll(rv + strlen("resourceVersion="), NULL, 10) : 0;

        reply->end = FAKE_HANG;
        reply->more = kind == FAKE_POD ? fake_more_pods : fake_more_podflames;
        while (reply->cursor < c->n_events && c->events[reply->cursor].rv <= from)
            reply->cursor++;
        return;
    }
    struct json_object *list = json_object_new_object();
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRId64, c->rv);
    json_set_str(json_add_object(list, "metadata"), "resourceVersion", text);
    struct json_object *items = json_add_array(list, "items");
    for (size_t i = 0; i < FAKE_OBJECTS_MAX; i++) {
        struct fake_object *o = &c->objects[i];

        if (o->json && o->kind == kind && (kind != FAKE_POD || strcmp(o->ns, "system") == 0))
            (void)json_object_array_add(items, json_object_get(o->json));
    }
    reply->body = mem_strdup(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN));
    json_put(list);
}

static inline void fake_reply_object(struct fake_reply *reply, struct fake_object *o)
{
    reply->body = mem_strdup(json_object_to_json_string_ext(o->json, JSON_C_TO_STRING_PLAIN));
}

static inline void fake_create_pod(struct fake_cluster *c, const struct fake_request *request,
                                   struct fake_reply *reply)
{
    struct json_object *pod = fake_json(request->body);
    const char *name = json_get_str(pod, "metadata.name");
    char uid[32];

    if (c->create_errors > 0) {
        c->create_errors--;
        fake_refuse(reply, 500, "InternalError");
    } else if (fake_find(c, FAKE_POD, "system", name)) {
        fake_refuse(reply, 409, "AlreadyExists");
    } else {
        (void)snprintf(uid, sizeof(uid), "agent-%d", ++c->agents_created);
        json_set_str(json_get(pod, "metadata"), "uid", uid);
        json_set_str(json_get(pod, "metadata"), "creationTimestamp", fake_now());
        struct fake_object *o = fake_add(c, FAKE_POD, pod);
        reply->status = 201;
        fake_reply_object(reply, o);
        if (c->agents_end_at_once) {
            fake_set_status(c, o, FAKE_RUNNING);
            fake_set_status(c, o, FAKE_ENDED);
        }
        return;
    }
    json_put(pod);
}

static inline void fake_patch_status(struct fake_cluster *c, struct fake_object *o,
                                     const struct fake_request *request, struct fake_reply *reply)
{
    struct json_object *patch = fake_json(request->body);
    const char *rv = json_get_str(patch, "metadata.resourceVersion");
    const char *uid = json_get_str(patch, "metadata.uid");
    bool result = json_get_str(patch, "status.flameGraph") != NULL;

    if (c->conflicts > 0) { /* somebody else is quicker */
        c->conflicts--;
        fake_told(c, o, "MODIFIED");
    }
    if (strcmp(rv, json_get_str(o->json, "metadata.resourceVersion")) != 0 ||
        strcmp(uid, json_get_str(o->json, "metadata.uid")) != 0) {
        fake_refuse(reply, 409, "Conflict");
    } else if (result && c->too_large > 0) {
        c->too_large--;
        c->results_refused++;
        fake_refuse(reply, 413, "RequestEntityTooLarge");
    } else {
        c->results_written += result;
        fake_merge(o->json, patch);
        fake_told(c, o, "MODIFIED");
        fake_reply_object(reply, o);
    }
    json_put(patch);
}

static inline void fake_delete(struct fake_cluster *c, struct fake_object *o,
                               const struct fake_request *request, struct fake_reply *reply)
{
    struct json_object *options = fake_json(request->body);
    const char *uid = json_get_str(options, "preconditions.uid");

    if (strcmp(uid, json_get_str(o->json, "metadata.uid")) != 0) {
        fake_refuse(reply, 409, "Conflict");
    } else {
        c->agents_deleted += o->kind == FAKE_POD;
        fake_remove(c, o);
        reply->body = mem_strdup("{}");
    }
    json_put(options);
}

static inline void fake_handle(void *ctx, const struct fake_request *request,
                               struct fake_reply *reply)
{
    struct fake_cluster *c = ctx;
    const char *at = strstr(request->url, "/namespaces/");
    enum fake_kind kind =
        strncmp(request->url, "/apis/profilepod.io/", 20) == 0 ? FAKE_PODFLAME : FAKE_POD;
    char ns[64] = "", collection[32] = "", name[128] = "", sub[32] = "";
    int n =
        at ? sscanf(at, "/namespaces/%63[^/]/%31[^/]/%127[^/]/%31s", ns, collection, name, sub) : 0;

    if (strcmp(collection, "events") == 0) {
        c->told++;
        reply->body = mem_strdup("{}");
        reply->status = 201;
        return;
    }
    if (n < 3) {
        if (strcmp(request->method, "POST") == 0)
            fake_create_pod(c, request, reply);
        else
            fake_collection(c, kind, request, reply);
        return;
    }
    struct fake_object *o = fake_find(c, kind, ns, name);
    if (!o) {
        fake_refuse(reply, 404, "NotFound");
    } else if (strcmp(sub, "log") == 0 && c->log_errors > 0) {
        c->log_errors--;
        fake_refuse(reply, 500, "InternalError");
    } else if (strcmp(sub, "log") == 0 && c->log_drops > 0) {
        c->log_drops--;
        reply->status = 0;
    } else if (strcmp(sub, "log") == 0) {
        reply->body = mem_strdup(c->log ? c->log : "");
        reply->end = FAKE_EOF;
    } else if (strcmp(request->method, "PATCH") == 0) {
        fake_patch_status(c, o, request, reply);
    } else if (strcmp(request->method, "DELETE") == 0) {
        fake_delete(c, o, request, reply);
    } else {
        fake_reply_object(reply, o);
    }
}

static inline struct fake_cluster *fake_cluster_new(void)
{
    struct fake_cluster *c = mem_zalloc(sizeof(*c));

    fake_api_start(&c->api, fake_handle, c);
    return c;
}

static inline void fake_cluster_free(struct fake_cluster *c)
{
    fake_api_stop(&c->api);
    for (size_t i = 0; i < FAKE_OBJECTS_MAX; i++)
        json_put(c->objects[i].json);
    for (size_t i = 0; i < c->n_events; i++)
        free(c->events[i].line);
    free(c->log);
    free(c);
}
