/* SPDX-License-Identifier: Apache-2.0 */
/* What a pass does with the PodFlame: read it and its target, write its status, tell events, delete
 * it. */
#include "reconciler/pass_steps.h"

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/mem.h"
#include "reconciler/clock.h"
#include "reconciler/counters.h"
#include "lib/kube/path.h"
#include "reconciler/status.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
    STATUS_TIMEOUT_MS = 30000,
    EVENTS_MAX = 32, /* on their way; more are dropped */
};

static char *podflame_path(const char *ns, const char *name, const char *sub)
{
    return mem_printf("/apis/" PODFLAME_API_VERSION "/namespaces/%s/" PODFLAME_RESOURCE "/%s%s", ns,
                      name, sub);
}

static void podflame_read(void *ctx, int code, struct kube_response *response, const struct err *e)
{
    struct pass *p = ctx;
    _cleanup_json_ struct json_object *object = NULL;

    if (code < 0 && code != -ENOENT) {
        pass_failed(p, response, e);
        return;
    }
    object = code == 0 ? pass_parse(response) : NULL;
    if (object && subject_set_podflame(p->s, object)) {
        p->in.fresh = true;
    } else { /* none of that name, or another one */
        p->s->gone = true;
        p->s->pf_doubt = false;
    }
    pass_go_on(p);
}

void pass_read_podflame(struct pass *p)
{
    const struct subject *s = p->s;
    const char *ns = s->has_pf ? s->pf.namespace : s->agent ? s->agent->podflame_ns : "";
    const char *name = s->has_pf ? s->pf.name : s->agent ? s->agent->podflame_name : "";

    if (!kube_path_is_name(ns) || !kube_path_is_name(name)) {
        p->s->gone = true;
        p->s->pf_doubt = false;
        pass_go_on(p);
        return;
    }
    _cleanup_free_ char *path = podflame_path(ns, name, "");
    pass_send(p, "GET", path, NULL, podflame_read);
}

static void target_read(void *ctx, int code, struct kube_response *response, const struct err *e)
{
    struct pass *p = ctx;
    _cleanup_json_ struct json_object *pod = code == 0 ? pass_parse(response) : NULL;

    if (code == -EACCES) {
        p->in.target.state = PLAN_TARGET_BAD;
        p->in.target.reason = PLAN_TARGET_UNREADABLE;
        (void)snprintf(p->in.target.message, sizeof(p->in.target.message), "%s", e->msg);
    } else if (code == -ENOENT || pod) {
        plan_judge_target(&p->s->pf, pod, &p->in.target);
    } else {
        pass_failed(p, response, e);
        return;
    }
    pass_go_on(p);
}

void pass_read_target(struct pass *p)
{
    _cleanup_free_ char *path =
        mem_printf("/api/v1/namespaces/%s/pods/%s", p->s->pf.namespace, p->s->pf.spec.target_pod);

    pass_send(p, "GET", path, NULL, target_read); /* the names have passed the rules */
}

/* --- status and events --- */

static void event_sent(void *ctx, int code, struct kube_response *response, const struct err *e)
{
    struct pass_context *c = ctx;

    (void)response;
    c->n_events--;
    if (code < 0)
        log_event(LOG_DEBUG, "an event was not taken", LOG_STR("error", e->msg));
}

static void send_event(struct pass *p)
{
    struct pass_context *c = p->c;
    _cleanup_buf_ struct buf body = BUF_INIT(EVENT_BODY_MAX);
    _cleanup_free_ char *path = mem_printf("/api/v1/namespaces/%s/events", p->s->pf.namespace);
    /* Of the UID: a long name that is cut may end with what no name may end with. */
    _cleanup_free_ char *name = mem_printf("podflame-%s.%" PRIx64 ".%" PRIx64, p->s->uid,
                                           (uint64_t)clock_real_ms(), ++c->n_event_names);

    if (c->n_events >= EVENTS_MAX || status_event(&p->in, &p->plan, name, c->instance, &body) < 0)
        return;
    c->n_events++;
    (void)kube_loop_send(
        c->loop,
        &(struct kube_request){
            .method = "POST", .path = path, .body = buf_str(&body), .len = body.len },
        NULL, event_sent, c);
}

/* The answers that mean: not this result, not now and not later. */
static bool is_too_large(int code, const struct kube_response *response)
{
    return response->status == 413 || (code == -EINVAL && response->status != 0) ||
           (response->status >= 500 && (strstr(response->message, "too large") ||
                                        strstr(response->message, "larger than max")));
}

static void status_taken(struct pass *p, const struct kube_response *response)
{
    const struct plan *plan = &p->plan;
    _cleanup_json_ struct json_object *object = pass_parse(response);

    pass_log(plan->phase == PLAN_FAILED ? LOG_WARN : LOG_INFO,
             plan->phase == PLAN_SUCCEEDED ? "succeeded"
             : plan->phase == PLAN_FAILED  ? "failed"
                                           : "progress",
             p->s, "reason", plan->reason, plan->message);
    if (plan->event)
        send_event(p);
    if (plan->phase == PLAN_SUCCEEDED || plan->phase == PLAN_FAILED)
        counters_finished(plan->reason);
    if (p->s->pf_news != p->news || !object || !subject_set_podflame(p->s, object)) {
        pass_read_podflame(p); /* the watch has told something meanwhile: which is newer? */
        return;
    }
    subject_await(p->s);
    p->in.fresh = true;
    pass_go_on(p);
}

static void status_written(void *ctx, int code, struct kube_response *response, const struct err *e)
{
    struct pass *p = ctx;

    if (code == 0) {
        status_taken(p, response);
    } else if (code == -ESTALE) {
        counters_api_error(response->status);
        pass_read_podflame(p);
    } else if (code == -ENOENT) {
        p->s->gone = true;
        pass_go_on(p);
    } else if (p->plan.phase == PLAN_SUCCEEDED && is_too_large(code, response)) {
        counters_api_error(response->status);
        (void)snprintf(p->refused, sizeof(p->refused), "%s",
                       response->message[0] ? response->message : e->msg);
        p->in.result_refused = p->refused;
        pass_step(p);
    } else {
        pass_failed(p, response, e);
    }
}

void pass_write_status(struct pass *p)
{
    _cleanup_free_ char *path =
        podflame_path(p->s->pf.namespace, p->s->pf.name, "/status?fieldManager=podflame");
    _cleanup_buf_ struct buf body = BUF_INIT(STATUS_BODY_MAX);

    if (status_patch(&p->in, &p->plan, &body) < 0) {
        struct err e = { 0 };

        (void)err_set(&e, -ENOSPC, "the status is larger than %d bytes", STATUS_BODY_MAX);
        pass_failed(p, NULL, &e);
        return;
    }
    p->news = p->s->pf_news;
    (void)kube_loop_send(p->c->loop,
                         &(struct kube_request){ .method = "PATCH",
                                                 .path = path,
                                                 .content_type = KUBE_MERGE_PATCH,
                                                 .body = buf_str(&body),
                                                 .len = body.len,
                                                 .timeout_ms = STATUS_TIMEOUT_MS,
                                                 .trim = PASS_STRING_MAX },
                         NULL, status_written, p);
}

/* --- the end of a PodFlame --- */

static void podflame_deleted(void *ctx, int code, struct kube_response *response,
                             const struct err *e)
{
    struct pass *p = ctx;

    if (code < 0 && code != -ENOENT && code != -ESTALE) {
        pass_failed(p, response, e);
        return;
    }
    if (code == -ESTALE) {
        p->in.fresh = false;
        p->s->pf_doubt = true;
    } else {
        p->s->gone = true;
    }
    pass_go_on(p);
}

void pass_delete_podflame(struct pass *p)
{
    _cleanup_free_ char *path = podflame_path(p->s->pf.namespace, p->s->pf.name, "");
    _cleanup_buf_ struct buf body = BUF_INIT(1024);

    (void)buf_printf(&body,
                     "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\","
                     "\"preconditions\":{\"uid\":\"%s\"}}",
                     p->s->uid);
    pass_log(LOG_INFO, "deleted after its ttlSecondsAfterFinished", p->s, "reason",
             p->s->pf.status.succeeded.reason, "");
    pass_send(p, "DELETE", path, &body, podflame_deleted);
}
