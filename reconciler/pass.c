/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/pass.h"

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/kube/loop.h"
#include "lib/kube/path.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "reconciler/clock.h"
#include "reconciler/counters.h"
#include "reconciler/log_tail.h"
#include "reconciler/plan.h"
#include "reconciler/status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    OBJECT_DEPTH = 64,
    POD_MAX = 64 * 1024, /* the description of an agent pod */
    STRING_MAX = 8 * 1024,
    LOG_BYTES_MAX = 8 * 1024 * 1024,
    LOG_TIMEOUT_MS = 60000,
    STATUS_TIMEOUT_MS = 30000,
    RETRY_MIN_MS = 500,
    RETRY_MAX_MS = 60000,
    LOG_TURN_MS = 200, /* when others read theirs */
    EVENTS_MAX = 32,   /* on their way; more are dropped */
};

struct pass {
    struct pass_context *c;
    struct subject *s;
    struct plan_input in;
    struct plan plan;
    int steps;
    int64_t began_ms;
    unsigned int news; /* s->pf_news when the status was sent */
    bool logs;         /* counted in c->n_logs */
    bool create_tried;
    struct result_decoder decoder;
    struct log_tail tail;
    char log_error[512], refused[512];
};

static void pass_step(struct pass *p);

/* --- the end of a pass --- */

static void pass_end(struct pass *p, int64_t due_ms, bool failed)
{
    struct pass_context *c = p->c;
    struct subject *s = p->s;
    int64_t now_ms = clock_monotonic_ms();

    counters_pass((now_ms - p->began_ms) * 1000000);
    s->pass = NULL;
    c->n_passes--;
    if (p->logs)
        c->n_logs--;
    if (s->dirty && !failed)
        due_ms = now_ms;
    s->dirty = false;
    if (due_ms >= 0)
        queue_add(&c->subjects->queue, &s->turn, due_ms);
    result_decoder_release(&p->decoder);
    free(p);
}

static void log_subject(enum log_level level, const char *msg, const struct subject *s,
                        const char *key, const char *value, const char *error)
{
    const char *ns = s->has_pf ? s->pf.namespace : s->agent ? s->agent->podflame_ns : "";
    const char *name = s->has_pf ? s->pf.name : s->agent ? s->agent->podflame_name : "";

    log_event(level, msg, LOG_STR("namespace", ns), LOG_STR("podflame", name),
              LOG_STR("uid", s->uid), LOG_STR(key, value), LOG_STR("message", error));
}

/* What went wrong may be better later. */
static void pass_failed(struct pass *p, const struct kube_response *response, const struct err *e)
{
    unsigned int n = p->s->errors < 7 ? p->s->errors : 7;
    int64_t wait_ms = (int64_t)RETRY_MIN_MS << n;

    p->s->errors++;
    wait_ms = wait_ms > RETRY_MAX_MS ? RETRY_MAX_MS : wait_ms;
    wait_ms += wait_ms * (random() % 256) / 1024;
    if (response && response->retry_after_s * 1000 > wait_ms)
        wait_ms = response->retry_after_s * 1000;
    if (response)
        counters_api_error(response->status);
    log_subject(LOG_WARN, "request failed, will try again", p->s, "action", "retry", e->msg);
    pass_end(p, clock_monotonic_ms() + wait_ms, true);
}

static void pass_go_on(struct pass *p)
{
    p->s->errors = 0;
    pass_step(p);
}

/* --- requests --- */

static void send_call(struct pass *p, const char *method, const char *path, struct buf *body,
                      kube_done_fn done)
{
    (void)kube_loop_send(p->c->loop,
                         &(struct kube_request){ .method = method,
                                                 .path = path,
                                                 .body = body ? buf_str(body) : NULL,
                                                 .len = body ? body->len : 0,
                                                 .trim = STRING_MAX },
                         NULL, done, p);
}

static struct json_object *parse(const struct kube_response *response)
{
    struct json_object *object = NULL;
    struct err ignored = { 0 };

    return json_parse(buf_str(&response->body), response->body.len, OBJECT_DEPTH, &object,
                      &ignored) < 0
               ? NULL
               : object;
}

static char *podflame_path(const char *ns, const char *name, const char *sub)
{
    return mem_printf("/apis/" PODFLAME_API_VERSION "/namespaces/%s/" PODFLAME_RESOURCE "/%s%s", ns,
                      name, sub);
}

static char *agent_path(const struct pass *p, const char *sub)
{
    char name[AGENT_POD_NAME_SIZE];

    (void)agent_pod_name(p->s->uid, name); /* checked when the subject was made */
    return mem_printf("/api/v1/namespaces/%s/pods/%s%s", p->c->agent.namespace, name, sub);
}

static void podflame_read(void *ctx, int code, struct kube_response *response, const struct err *e)
{
    struct pass *p = ctx;
    _cleanup_json_ struct json_object *object = NULL;

    if (code < 0 && code != -ENOENT) {
        pass_failed(p, response, e);
        return;
    }
    object = code == 0 ? parse(response) : NULL;
    if (object && subject_set_podflame(p->s, object)) {
        p->in.fresh = true;
    } else { /* none of that name, or another one */
        p->s->gone = true;
        p->s->pf_doubt = false;
    }
    pass_go_on(p);
}

static void read_podflame(struct pass *p)
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
    send_call(p, "GET", path, NULL, podflame_read);
}

static void target_read(void *ctx, int code, struct kube_response *response, const struct err *e)
{
    struct pass *p = ctx;
    _cleanup_json_ struct json_object *pod = code == 0 ? parse(response) : NULL;

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

static void read_target(struct pass *p)
{
    _cleanup_free_ char *path =
        mem_printf("/api/v1/namespaces/%s/pods/%s", p->s->pf.namespace, p->s->pf.spec.target_pod);

    send_call(p, "GET", path, NULL, target_read); /* the names have passed the rules */
}

/* --- the agent pod --- */

static void create_failed(struct pass *p, bool refused, const char *why)
{
    struct subject *s = p->s;

    if (!s->create_error)
        s->create_failed_s = clock_real_ms() / 1000;
    free(s->create_error);
    s->create_error = mem_strdup(why);
    s->create_refused = refused;
    p->create_tried = true;
    p->in.fresh = false; /* the next try is for a later pass */
    pass_step(p);
}

static bool take_agent(struct pass *p, const struct kube_response *response)
{
    _cleanup_json_ struct json_object *pod = parse(response);
    struct agent_view view;

    if (!pod || !agent_view_decode(pod, &view))
        return false;
    subject_set_agent(p->c->subjects, p->s, &view);
    return true;
}

static void agent_read(void *ctx, int code, struct kube_response *response, const struct err *e)
{
    struct pass *p = ctx;

    if (code == -ENOENT) {
        subject_set_agent(p->c->subjects, p->s, NULL);
        pass_go_on(p);
    } else if (code < 0) {
        pass_failed(p, response, e);
    } else if (!take_agent(p, response)) {
        create_failed(p, true, "a pod of its name is there already, and it is not an agent");
    } else {
        pass_go_on(p);
    }
}

static void read_agent(struct pass *p)
{
    _cleanup_free_ char *path = agent_path(p, "");

    send_call(p, "GET", path, NULL, agent_read);
}

static void agent_created(void *ctx, int code, struct kube_response *response, const struct err *e)
{
    struct pass *p = ctx;

    if (code == -EEXIST) {
        read_agent(p); /* adopt it, if it is ours */
    } else if (code == -EINVAL || code == -EACCES) {
        counters_api_error(response->status);
        create_failed(p, code == -EINVAL, response->message[0] ? response->message : e->msg);
    } else if (code < 0) {
        pass_failed(p, response, e);
    } else {
        free(p->s->create_error);
        p->s->create_error = NULL;
        log_subject(LOG_INFO, "agent created", p->s, "node", p->s->pf.status.node_name, "");
        if (p->s->agent || take_agent(p, response))
            pass_go_on(p);
        else
            read_agent(p);
    }
}

static void create_agent(struct pass *p)
{
    _cleanup_free_ char *path = mem_printf("/api/v1/namespaces/%s/pods", p->c->agent.namespace);
    _cleanup_json_ struct json_object *pod = agent_pod_build(&p->s->pf, &p->c->agent);
    _cleanup_buf_ struct buf body = BUF_INIT(POD_MAX);

    if (json_write(pod, &body) < 0)
        create_failed(p, true, "its description is too large");
    else
        send_call(p, "POST", path, &body, agent_created);
}

static void agent_deleted(void *ctx, int code, struct kube_response *response, const struct err *e)
{
    struct pass *p = ctx;

    if (code < 0 && code != -ENOENT && code != -ESTALE) {
        pass_failed(p, response, e);
        return;
    }
    if (code == -ENOENT)
        subject_set_agent(p->c->subjects, p->s, NULL);
    else if (code == -ESTALE && p->s->agent)
        p->s->agent_doubt = true; /* another pod by now */
    else if (p->s->agent)
        p->s->agent->deleting = true;
    pass_go_on(p);
}

static void delete_agent(struct pass *p)
{
    _cleanup_free_ char *path = agent_path(p, "");
    _cleanup_buf_ struct buf body = BUF_INIT(1024);

    (void)buf_printf(&body,
                     "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\","
                     "\"preconditions\":{\"uid\":\"%s\"}}",
                     p->s->agent->uid);
    log_subject(LOG_DEBUG, "agent pod is deleted", p->s, "agent", p->s->agent->name, "");
    send_call(p, "DELETE", path, &body, agent_deleted);
}

/* --- its log --- */

static int log_data(void *ctx, const char *data, size_t len)
{
    struct pass *p = ctx;

    result_decoder_feed(&p->decoder, data, len);
    log_tail_feed(&p->tail, data, len);
    return 0;
}

static void log_read(void *ctx, int code, struct kube_response *response, const struct err *e)
{
    struct pass *p = ctx;

    if (code < 0) {
        counters_api_error(response->status);
        p->s->log_failures++;
        (void)snprintf(p->log_error, sizeof(p->log_error), "%s",
                       response->message[0] ? response->message : e->msg);
        log_subject(LOG_WARN, "the agent's log cannot be read", p->s, "agent", "", e->msg);
    } else {
        p->s->log_tries++;
        (void)result_decoder_finish(&p->decoder);
        p->in.result = &p->decoder;
        p->in.log_tail = log_tail_finish(&p->tail);
    }
    pass_step(p);
}

static void read_log(struct pass *p)
{
    _cleanup_free_ char *sub = mem_printf("/log?container=agent&limitBytes=%d", LOG_BYTES_MAX);
    _cleanup_free_ char *path = agent_path(p, sub);

    if (!p->logs && p->c->n_logs >= PASS_LOGS_MAX) {
        pass_end(p, clock_monotonic_ms() + LOG_TURN_MS, true);
        return;
    }
    if (!p->logs)
        p->c->n_logs++;
    p->logs = true;
    (void)kube_loop_send(
        p->c->loop,
        &(struct kube_request){ .method = "GET", .path = path, .timeout_ms = LOG_TIMEOUT_MS },
        log_data, log_read, p);
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
    _cleanup_free_ char *name = mem_printf("%.200s.%" PRIx64 ".%" PRIx64, p->s->pf.name,
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
    _cleanup_json_ struct json_object *object = parse(response);

    log_subject(plan->phase == PLAN_FAILED ? LOG_WARN : LOG_INFO,
                plan->phase == PLAN_SUCCEEDED ? "succeeded"
                : plan->phase == PLAN_FAILED  ? "failed"
                                              : "going on",
                p->s, "reason", plan->reason, plan->message);
    if (plan->event)
        send_event(p);
    if (plan->phase == PLAN_SUCCEEDED || plan->phase == PLAN_FAILED)
        counters_finished(plan->reason);
    if (p->s->pf_news != p->news || !object || !subject_set_podflame(p->s, object)) {
        read_podflame(p); /* the watch has told something meanwhile: which is newer? */
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
        read_podflame(p);
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

static void write_status(struct pass *p)
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
                                                 .trim = STRING_MAX },
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

static void delete_podflame(struct pass *p)
{
    _cleanup_free_ char *path = podflame_path(p->s->pf.namespace, p->s->pf.name, "");
    _cleanup_buf_ struct buf body = BUF_INIT(1024);

    (void)buf_printf(&body,
                     "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\","
                     "\"preconditions\":{\"uid\":\"%s\"}}",
                     p->s->uid);
    log_subject(LOG_INFO, "deleted after its ttlSecondsAfterFinished", p->s, "reason",
                p->s->pf.status.succeeded.reason, "");
    send_call(p, "DELETE", path, &body, podflame_deleted);
}

static void forget(struct pass *p)
{
    struct subjects *all = p->c->subjects;
    struct subject *s = p->s;

    s->dirty = false;
    pass_end(p, -1, false);
    subject_forget(all, s);
}

static void wait(struct pass *p)
{
    int64_t wait_ms = p->plan.again_s * 1000 - clock_real_ms();

    if (p->plan.again_s == 0)
        pass_end(p, -1, false);
    else
        pass_end(p, clock_monotonic_ms() + (wait_ms > 0 ? wait_ms : 0) + 10, false);
}

/* --- the steps --- */

static void fill(struct pass *p)
{
    const struct subject *s = p->s;

    p->in.pf = s->has_pf ? &s->pf : NULL;
    p->in.gone = s->gone;
    p->in.invalid = s->invalid;
    p->in.agent = s->agent;
    p->in.agent_seen = s->agent_seen;
    p->in.create_error = p->create_tried ? s->create_error : NULL;
    p->in.create_refused = s->create_refused;
    p->in.create_failed_s = s->create_failed_s;
    p->in.log_tries = s->log_tries;
    p->in.log_failures = s->log_failures;
    p->in.log_error = p->log_error[0] ? p->log_error : NULL;
    p->in.now_s = clock_real_ms() / 1000;
    p->in.target_wait_s = p->c->target_wait_s;
    p->in.memory_limit = p->c->agent.memory_limit;
}

static void pass_step(struct pass *p)
{
    static void (*const actions[])(struct pass *) = {
        [PLAN_WAIT] = wait,
        [PLAN_WRITE_STATUS] = write_status,
        [PLAN_READ_PODFLAME] = read_podflame,
        [PLAN_READ_TARGET] = read_target,
        [PLAN_CREATE_AGENT] = create_agent,
        [PLAN_READ_LOG] = read_log,
        [PLAN_DELETE_AGENT] = delete_agent,
        [PLAN_DELETE_PODFLAME] = delete_podflame,
        [PLAN_FORGET] = forget,
    };

    if (++p->steps > PASS_STEPS_MAX) {
        struct err e = { 0 };

        (void)err_set(&e, -ELOOP, "no end after %d steps", PASS_STEPS_MAX);
        pass_failed(p, NULL, &e);
    } else if (p->s->pf_doubt && p->s->has_pf && !p->s->gone) {
        read_podflame(p);
    } else if (p->s->agent_doubt) {
        read_agent(p);
    } else {
        fill(p);
        plan_next(&p->in, &p->plan);
        actions[p->plan.action](p);
    }
}

void pass_begin(struct pass_context *context, struct subject *s)
{
    struct pass *p = mem_zalloc(sizeof(*p));

    p->c = context;
    p->s = s;
    p->began_ms = clock_monotonic_ms();
    result_decoder_init(&p->decoder);
    s->pass = p;
    s->dirty = false;
    context->n_passes++;
    pass_step(p);
}

void passes_drop(struct pass_context *context)
{
    for (struct subject *s = context->subjects->by_uid; s; s = s->hh.next) {
        if (s->pass)
            pass_end(s->pass, -1, true);
    }
}
