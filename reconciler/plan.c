/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/plan.h"

#include "lib/duration.h"
#include "lib/json.h"
#include "lib/podflame/rules.h"
#include "lib/rfc3339.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SIGKILL_EXIT = 137, SIGTERM_EXIT = 143 };

const char *plan_reason_name(enum plan_reason reason)
{
    static const char *const names[] = {
#define X(id, name) name,
        PLAN_REASONS(X)
#undef X
    };

    assert(reason < PLAN_REASON_COUNT);
    return names[reason];
}

/* --- the target --- */

static PRINTF(3, 4) void target_bad(struct plan_target *t, enum plan_reason reason, const char *fmt,
                                    ...)
{
    va_list args;

    t->state = PLAN_TARGET_BAD;
    t->reason = reason;
    va_start(args, fmt);
    (void)vsnprintf(t->message, sizeof(t->message), fmt, args);
    va_end(args);
}

static void copy_text(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from ? from : "");
}

void plan_judge_target(const struct podflame *pf, struct json_object *pod, struct plan_target *ret)
{
    _cleanup_problems_ struct problems problems = { 0 };
    const char *name = pf->spec.target_pod, *ns = pf->namespace;
    struct rules_container c = { 0 };

    *ret = (struct plan_target){ 0 };
    if (!pod) {
        target_bad(ret, PLAN_TARGET_NOT_FOUND,
                   "there is no pod \"%s\" in namespace \"%s\"; check spec.targetPod", name, ns);
        return;
    }
    const char *node = json_get_str(pod, "spec.nodeName");
    const char *uid = json_get_str(pod, "metadata.uid");
    if (!rules_resolve_container(pf->spec.container_name, name, pod, &c, &problems)) {
        target_bad(ret, PLAN_CONTAINER_NOT_FOUND, "spec.containerName: %s",
                   problems.n ? problems.item[0].message : "not found");
        return;
    }
    if (!node || !uid || !c.container_id || c.state != RULES_RUNNING) {
        _cleanup_buf_ struct buf why = BUF_INIT(PLAN_MESSAGE_SIZE);

        rules_why_not_running(pod, &c, &why);
        target_bad(ret, PLAN_CONTAINER_NOT_RUNNING,
                   "only a running container can be profiled; container \"%s\" of pod \"%s\" %s",
                   c.name, name, buf_str(&why));
        return;
    }
    ret->state = PLAN_TARGET_OK;
    copy_text(ret->node, sizeof(ret->node), node);
    copy_text(ret->pod_uid, sizeof(ret->pod_uid), uid);
    copy_text(ret->container_id, sizeof(ret->container_id), c.container_id);
    copy_text(ret->container_name, sizeof(ret->container_name), c.name);
}

/* --- answers --- */

static void wait_until(struct plan *p, int64_t again_s)
{
    *p = (struct plan){ .action = PLAN_WAIT, .again_s = again_s };
}

static void act(struct plan *p, enum plan_action action)
{
    *p = (struct plan){ .action = action };
}

static PRINTF(5, 6) void write_status(const struct plan_input *in, struct plan *p,
                                      enum plan_phase phase, const char *reason, const char *fmt,
                                      ...)
{
    va_list args;

    *p = (struct plan){ .action = PLAN_WRITE_STATUS, .phase = phase };
    copy_text(p->reason, sizeof(p->reason), reason);
    va_start(args, fmt);
    (void)vsnprintf(p->message, sizeof(p->message), fmt, args);
    va_end(args);
    p->event = phase == PLAN_SUCCEEDED || phase == PLAN_FAILED ||
               (phase == PLAN_PENDING && strcmp(reason, in->pf->status.succeeded.reason) != 0);
}

#define FAIL(in, p, id, ...)                                                                       \
    write_status((in), (p), PLAN_FAILED, plan_reason_name(PLAN_##id), __VA_ARGS__)

/* The same status is not written again; instead, come back later. */
static void unless_known(const struct plan_input *in, struct plan *p, int64_t again_s)
{
    const struct podflame_status *s = &in->pf->status;
    const char *phase = p->phase == PLAN_RUNNING ? "Running" : "Pending";

    if (strcmp(s->phase, phase) == 0 && strcmp(s->succeeded.reason, p->reason) == 0 &&
        strcmp(s->succeeded.message, p->message) == 0)
        wait_until(p, again_s);
}

static int64_t age_since(const char *time, int64_t now_s)
{
    int64_t then = 0;

    return rfc3339_parse(time, &then) ? now_s - then : 0;
}

/* --- the states --- */

/* Without a PodFlame, or with one that is being deleted, no agent has anything to do. */
static void plan_orphan(const struct plan_input *in, bool certain, struct plan *p)
{
    bool leaving = in->agent && in->agent->deleting;
    bool kept = !in->agent && in->pf && !in->gone; /* by somebody's finalizer */

    if (leaving || kept)
        wait_until(p, 0);
    else if (!in->agent)
        act(p, PLAN_FORGET);
    else if (certain)
        act(p, PLAN_DELETE_AGENT);
    else if (in->now_s < in->agent->created_s + PLAN_ORPHAN_GRACE_S)
        wait_until(p, in->agent->created_s + PLAN_ORPHAN_GRACE_S);
    else
        act(p, PLAN_READ_PODFLAME); /* our list may be older than the agent */
}

static void plan_finished(const struct plan_input *in, struct plan *p)
{
    int64_t end = 0;

    if (in->agent && !in->agent->deleting) {
        act(p, PLAN_DELETE_AGENT);
    } else if (in->pf->spec.ttl_s < 0 || !rfc3339_parse(in->pf->status.completion_time, &end)) {
        wait_until(p, 0);
    } else if (in->now_s < end + in->pf->spec.ttl_s) {
        wait_until(p, end + in->pf->spec.ttl_s);
    } else {
        act(p, in->fresh ? PLAN_DELETE_PODFLAME : PLAN_READ_PODFLAME);
    }
}

static void plan_target_search(const struct plan_input *in, struct plan *p)
{
    const struct plan_target *t = &in->target;
    int64_t waited = age_since(in->pf->creation_timestamp, in->now_s);

    if (t->state == PLAN_TARGET_UNREAD) {
        act(p, PLAN_READ_TARGET);
    } else if (t->state == PLAN_TARGET_OK) {
        write_status(in, p, PLAN_PENDING, plan_reason_name(PLAN_AGENT_STARTING),
                     "the agent is starting on node \"%s\"", t->node);
        p->record_target = true;
    } else if (waited >= in->target_wait_s) {
        write_status(in, p, PLAN_FAILED, plan_reason_name(t->reason),
                     "%s (waited %" PRId64 "s); create the PodFlame again when that has changed",
                     t->message, in->target_wait_s);
    } else {
        write_status(in, p, PLAN_PENDING, plan_reason_name(t->reason), "%s", t->message);
        unless_known(in, p, in->now_s + PLAN_TARGET_POLL_S);
    }
}

static void plan_launch(const struct plan_input *in, struct plan *p)
{
    bool was_there = in->agent_seen || strcmp(in->pf->status.phase, "Running") == 0;

    if (was_there && !in->agent_fresh) { /* the watch may be behind */
        act(p, PLAN_READ_AGENT);
    } else if (was_there) {
        FAIL(in, p, AGENT_LOST,
             "the agent pod was deleted before its result was read; create the PodFlame again");
    } else if (in->create_error &&
               (in->create_refused || in->now_s >= in->create_failed_s + AGENT_START_WAIT_S)) {
        FAIL(in, p, AGENT_NOT_STARTED, "the agent pod could not be created: %s", in->create_error);
    } else if (in->create_error) {
        write_status(in, p, PLAN_PENDING, plan_reason_name(PLAN_AGENT_STARTING),
                     "the agent pod cannot be created yet: %s", in->create_error);
        unless_known(in, p, in->now_s + PLAN_TARGET_POLL_S);
    } else {
        act(p, in->fresh ? PLAN_CREATE_AGENT : PLAN_READ_PODFLAME);
    }
}

static bool is_about_the_image(const char *reason)
{
    static const char *const reasons[] = { "ErrImagePull",      "ImagePullBackOff",
                                           "InvalidImageName",  "ErrImageNeverPull",
                                           "ImageInspectError", "RegistryUnavailable" };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (strcmp(reason, reasons[i]) == 0)
            return true;
    }
    return false;
}

static void plan_agent_waiting(const struct plan_input *in, struct plan *p)
{
    const struct agent_view *a = in->agent;
    const char *node = in->pf->status.node_name;
    bool image = is_about_the_image(a->reason);
    int wait_s = image ? AGENT_IMAGE_WAIT_S : AGENT_START_WAIT_S;
    int64_t deadline = a->created_s + wait_s;

    if (in->now_s >= deadline && !in->agent_fresh) { /* the watch may have stalled */
        act(p, PLAN_READ_AGENT);
        return;
    }
    if (in->now_s >= deadline && image) {
        FAIL(in, p, AGENT_NOT_STARTED,
             "node \"%s\" cannot get the agent's image: %s%s%s; check the operator's "
             "--agent-image, then create the PodFlame again",
             node, a->reason, a->message[0] ? ": " : "", a->message);
        return;
    }
    if (in->now_s >= deadline) {
        FAIL(in, p, AGENT_NOT_STARTED,
             "the agent pod did not start on node \"%s\" within %ds: %s%s%s", node, wait_s,
             a->reason[0] ? a->reason : "nothing was heard from the node",
             a->message[0] ? ": " : "", a->message);
        return;
    }
    write_status(in, p, PLAN_PENDING, plan_reason_name(PLAN_AGENT_STARTING),
                 "the agent is starting on node \"%s\"%s%s%s%s", node, a->reason[0] ? ": " : "",
                 a->reason, a->message[0] ? ": " : "", a->message);
    unless_known(in, p, deadline);
}

static void plan_agent_running(const struct plan_input *in, struct plan *p)
{
    int64_t deadline =
        in->agent->created_s + agent_pod_deadline_s(in->pf->spec.duration_s) + AGENT_LOST_GRACE_S;

    if (in->now_s >= deadline && !in->agent_fresh) {
        act(p, PLAN_READ_AGENT);
        return;
    }
    if (in->now_s >= deadline) {
        FAIL(
            in, p, AGENT_LOST,
            "nothing was heard of the agent on node \"%s\" past its deadline; check the node, then "
            "create the PodFlame again",
            in->pf->status.node_name);
        return;
    }
    char duration[DURATION_TEXT_MAX];

    duration_format(in->pf->spec.duration_s, duration, sizeof(duration));
    write_status(in, p, PLAN_RUNNING, plan_reason_name(PLAN_PROFILING),
                 "profiling container \"%s\" of pod \"%s\" on node \"%s\" for %s",
                 in->pf->status.target_container_name, in->pf->spec.target_pod,
                 in->pf->status.node_name, duration);
    p->started_s = in->agent->started_s;
    unless_known(in, p, deadline);
}

/* The agent has ended and its log holds neither a page nor an error. */
static void plan_no_result(const struct plan_input *in, struct plan *p)
{
    const struct agent_view *a = in->agent;
    const struct result_decoder *r = in->result;
    bool tail = in->log_tail && *in->log_tail;
    bool known = a->reason[0] && strcmp(a->reason, "Error") != 0; /* that one says nothing */

    if (strcmp(a->reason, "OOMKilled") == 0)
        FAIL(in, p, AGENT_KILLED,
             "the agent was killed because it needed more than %s of memory; raise the operator's "
             "--agent-memory, or profile for a shorter time or at a lower frequency",
             in->memory_limit);
    else if (strcmp(a->reason, "DeadlineExceeded") == 0)
        FAIL(in, p, DEADLINE_EXCEEDED,
             "the agent did not finish within %" PRId64
             "s; profile for a shorter time or at a lower "
             "frequency",
             agent_pod_deadline_s(in->pf->spec.duration_s));
    else if (a->exit_code == SIGKILL_EXIT || a->exit_code == SIGTERM_EXIT)
        FAIL(in, p, AGENT_KILLED,
             "the agent was killed on node \"%s\" (exit code %d%s%s%s%s), as by a node that runs "
             "out of memory or shuts down; create the PodFlame again",
             in->pf->status.node_name, a->exit_code, known ? ", " : "", known ? a->reason : "",
             a->message[0] ? ": " : "", a->message);
    else if (r->state == RESULT_NONE && a->exit_code != 0)
        FAIL(in, p, AGENT_FAILED, "the agent ended with exit code %d%s%s", a->exit_code,
             tail ? ": " : " and said nothing", tail ? in->log_tail : "");
    else
        FAIL(in, p, RESULT_BROKEN, "the agent's log is not whole: %s; create the PodFlame again",
             r->state == RESULT_BROKEN ? r->why
             : r->state == RESULT_NONE ? "it holds no result"
                                       : "its end is missing");
}

static void plan_result(const struct plan_input *in, struct plan *p)
{
    const struct result_decoder *r = in->result;
    bool cut = r->state == RESULT_NONE || r->state == RESULT_INCOMPLETE;

    if (r->state == RESULT_COMPLETE && in->result_refused)
        FAIL(in, p, RESULT_TOO_LARGE,
             "the API server did not take the flame graph of %" PRId64 " bytes: %s; profile for a "
             "shorter time or at a lower frequency",
             r->profile.bytes, in->result_refused);
    else if (r->state == RESULT_COMPLETE)
        write_status(in, p, PLAN_SUCCEEDED, plan_reason_name(PLAN_PROFILE_READY),
                     "%" PRId64 " sample%s of container \"%s\" of pod \"%s\"; to save the page: "
                     "kubectl get pf %s -n %s -o jsonpath='{.status.flameGraph}' | base64 -d | "
                     "gunzip > flame.html",
                     r->profile.samples, r->profile.samples == 1 ? "" : "s",
                     in->pf->status.target_container_name, in->pf->spec.target_pod, in->pf->name,
                     in->pf->namespace);
    else if (r->state == RESULT_FAILED &&
             strcmp(r->reason, result_reason_name(RESULT_TARGET_GONE)) == 0)
        write_status(
            in, p, PLAN_FAILED, r->reason,
            "container \"%s\" of pod \"%s\" has ended or was restarted meanwhile (%s); see "
            "kubectl describe pod %s, and create the PodFlame again when it runs",
            in->pf->status.target_container_name, in->pf->spec.target_pod, r->message,
            in->pf->spec.target_pod);
    else if (r->state == RESULT_FAILED)
        write_status(in, p, PLAN_FAILED, r->reason, "%s", r->message);
    else if (cut && in->log_tries < PLAN_RESULT_TRIES)
        wait_until(p, in->now_s + 1); /* the node may not have written all of it */
    else
        plan_no_result(in, p);
}

static void plan_agent_ended(const struct plan_input *in, struct plan *p)
{
    const struct agent_view *a = in->agent;

    if (!a->ran)
        FAIL(in, p, AGENT_NOT_STARTED, "node \"%s\" %s: %s%s%s; create the PodFlame again",
             in->pf->status.node_name,
             a->exit_code != 0 ? "could not start the agent" : "refused the agent pod",
             a->reason[0] ? a->reason : "no reason given", a->message[0] ? ": " : "", a->message);
    else if (in->result)
        plan_result(in, p);
    else if (in->log_failures >= PLAN_LOG_TRIES)
        FAIL(
            in, p, AGENT_LOST,
            "the agent has ended, but its log cannot be read from node \"%s\": %s; check the node, "
            "then create the PodFlame again",
            in->pf->status.node_name, in->log_error ? in->log_error : "no answer");
    else if (in->log_error)
        wait_until(p, in->now_s + (1 << in->log_failures));
    else
        act(p, PLAN_READ_LOG);
}

static void plan_agent(const struct plan_input *in, struct plan *p)
{
    switch (in->agent->state) {
    case AGENT_WAITING:
        plan_agent_waiting(in, p);
        break;
    case AGENT_RUNNING:
        plan_agent_running(in, p);
        break;
    case AGENT_ENDED:
        plan_agent_ended(in, p);
        break;
    }
}

void plan_next(const struct plan_input *in, struct plan *ret)
{
    if (!in->pf || in->gone || in->pf->deletion_timestamp[0])
        plan_orphan(in, in->gone || in->pf, ret);
    else if (podflame_is_finished(in->pf))
        plan_finished(in, ret);
    else if (in->invalid && *in->invalid)
        FAIL(in, ret, INVALID_SPEC, "%s", in->invalid);
    else if (in->agent)
        plan_agent(in, ret);
    else if (in->pf->status.target_container_id[0])
        plan_launch(in, ret);
    else
        plan_target_search(in, ret);
}
