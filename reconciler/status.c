/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/status.h"

#include "lib/digest.h"
#include "lib/json.h"
#include "lib/rfc3339.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { EVENT_MESSAGE_MAX = 1000 }; /* the API server takes 1,024 */

static const struct {
    const char *phase, *condition;
} phases[] = {
    [PLAN_PENDING] = { "Pending", "Unknown" },
    [PLAN_RUNNING] = { "Running", "Unknown" },
    [PLAN_SUCCEEDED] = { "Succeeded", "True" },
    [PLAN_FAILED] = { "Failed", "False" },
};

static void set_time(struct json_object *o, const char *key, int64_t s)
{
    char text[RFC3339_SIZE];

    rfc3339_format(s, text);
    json_set_str(o, key, text);
}

/* lastTransitionTime moves only when the status does. */
static void add_condition(struct json_object *status, const struct plan_input *in,
                          const struct plan *plan)
{
    const struct podflame_condition *old = &in->pf->status.succeeded;
    struct json_object *condition = json_object_new_object();
    const char *value = phases[plan->phase].condition;
    bool same = strcmp(old->status, value) == 0 && old->last_transition_time[0];

    (void)json_object_array_add(json_add_array(status, "conditions"), condition);
    json_set_str(condition, "type", "Succeeded");
    json_set_str(condition, "status", value);
    json_set_str(condition, "reason", plan->reason);
    json_set_str(condition, "message", plan->message);
    json_set_int(condition, "observedGeneration", in->pf->generation);
    if (same)
        json_set_str(condition, "lastTransitionTime", old->last_transition_time);
    else
        set_time(condition, "lastTransitionTime", in->now_s);
}

static void add_target(struct json_object *status, const struct plan_input *in)
{
    struct json_object *target = json_add_object(status, "target");
    char agent[AGENT_POD_NAME_SIZE];

    json_set_str(target, "podUID", in->target.pod_uid);
    json_set_str(target, "containerName", in->target.container_name);
    json_set_str(target, "containerID", in->target.container_id);
    json_set_str(status, "nodeName", in->target.node);
    if (agent_pod_name(in->pf->uid, agent))
        json_set_str(status, "agentPod", agent);
}

static int add_result(struct json_object *status, const struct result_decoder *result)
{
    _cleanup_buf_ struct buf page = BUF_INIT(STATUS_BODY_MAX);

    if (base64_encode(buf_str(&result->page_gz), result->page_gz.len, &page) < 0)
        return -ENOSPC;
    json_set(status, "profile", result_profile_to_json(&result->profile));
    json_set(status, "flameGraph", json_object_new_string_len(page.data, (int)page.len));
    return 0;
}

int status_patch(const struct plan_input *in, const struct plan *plan, struct buf *out)
{
    _cleanup_json_ struct json_object *body = json_object_new_object();
    struct json_object *metadata = json_add_object(body, "metadata");
    struct json_object *status = json_add_object(body, "status");
    bool finished = plan->phase == PLAN_SUCCEEDED || plan->phase == PLAN_FAILED;

    json_set_str(metadata, "uid", in->pf->uid);
    json_set_str(metadata, "resourceVersion", in->pf->resource_version);
    json_set_str(status, "phase", phases[plan->phase].phase);
    add_condition(status, in, plan);
    if (plan->record_target)
        add_target(status, in);
    if (plan->started_s)
        set_time(status, "startTime", plan->started_s);
    else if (finished && in->agent && in->agent->started_s && !in->pf->status.start_time[0])
        set_time(status, "startTime", in->agent->started_s);
    if (finished)
        set_time(status, "completionTime", in->now_s);
    if (plan->phase == PLAN_FAILED)
        json_set_str(status, "failed", plan->message);
    if (plan->phase == PLAN_SUCCEEDED && add_result(status, in->result) < 0)
        return -ENOSPC;
    return json_write(body, out);
}

int status_event(const struct plan_input *in, const struct plan *plan, const char *name,
                 const char *instance, struct buf *out)
{
    _cleanup_json_ struct json_object *body = json_object_new_object();
    char message[EVENT_MESSAGE_MAX];
    bool warn = plan->phase == PLAN_FAILED || (plan->phase == PLAN_PENDING && !plan->record_target);

    json_set_str(body, "apiVersion", "v1");
    json_set_str(body, "kind", "Event");
    struct json_object *metadata = json_add_object(body, "metadata");
    json_set_str(metadata, "name", name);
    json_set_str(metadata, "namespace", in->pf->namespace);
    struct json_object *object = json_add_object(body, "involvedObject");
    json_set_str(object, "apiVersion", PODFLAME_API_VERSION);
    json_set_str(object, "kind", PODFLAME_KIND);
    json_set_str(object, "name", in->pf->name);
    json_set_str(object, "namespace", in->pf->namespace);
    json_set_str(object, "uid", in->pf->uid);
    json_set_str(object, "resourceVersion", in->pf->resource_version);
    (void)snprintf(message, sizeof(message), "%s", plan->message);
    json_set_str(body, "type", warn ? "Warning" : "Normal");
    json_set_str(body, "reason", plan->reason);
    json_set_str(body, "message", message);
    json_set_str(json_add_object(body, "source"), "component", "podflame");
    json_set_str(body, "reportingComponent", "profilepod.io/podflame");
    json_set_str(body, "reportingInstance", instance);
    json_set_str(body, "action", "Profile");
    set_time(body, "firstTimestamp", in->now_s);
    set_time(body, "lastTimestamp", in->now_s);
    json_set_int(body, "count", 1);
    return json_write(body, out);
}
