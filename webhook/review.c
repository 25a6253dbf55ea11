/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/review.h"

#include "lib/json.h"
#include "lib/json_string.h"
#include "lib/podflame/names.h"
#include "lib/podflame/podflame.h"
#include "lib/podflame/rules.h"

#include <errno.h>
#include <string.h>

enum { WARNINGS_MAX = 4, WARNING_MAX = 1024, STATUS_INVALID = 422 };

struct verdict {
    struct problems problems;
    struct buf warnings[WARNINGS_MAX];
    size_t n_warnings;
    size_t n_containers; /* regular ones of the pod that was found */
};

static void verdict_release(struct verdict *v)
{
    problems_release(&v->problems);
    for (size_t i = 0; i < v->n_warnings; i++)
        buf_release(&v->warnings[i]);
}
#define _cleanup_verdict_ __attribute__((cleanup(verdict_release)))

static struct buf *add_warning(struct verdict *v)
{
    struct buf *warning = &v->warnings[v->n_warnings++];

    buf_init(warning, WARNING_MAX);
    return warning;
}

static void warn_of_container(const struct rules_container *c, const char *pod_name,
                              struct json_object *pod, struct verdict *v)
{
    const char *phase = json_get_str(pod, "status.phase");

    if (phase && (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0)) {
        (void)buf_printf(add_warning(v),
                         "spec.targetPod: pod \"%s\" has ended (%s), there is nothing left to "
                         "profile",
                         pod_name, phase);
    } else if (c->state == RULES_WAITING || c->state == RULES_TERMINATED ||
               (c->state == RULES_UNKNOWN && phase && strcmp(phase, "Pending") == 0)) {
        struct buf *warning = add_warning(v);

        (void)buf_printf(warning, "spec.containerName: container \"%s\" of pod \"%s\" ", c->name,
                         pod_name);
        rules_why_not_running(pod, c, warning);
    }
}

static void judge_pod(const struct review_request *r, const char *pod_name,
                      const struct pod_lookup *lookup, struct verdict *v,
                      struct review_outcome *outcome)
{
    _cleanup_json_ struct json_object *pod = NULL;
    struct rules_container container;
    int code = lookup->get(lookup->ctx, r->namespace, pod_name, &pod, &outcome->lookup_err);

    if (code == 0) {
        struct json_object *containers = json_get_array(pod, "spec.containers");

        outcome->lookup = REVIEW_POD_FOUND;
        v->n_containers = containers ? json_object_array_length(containers) : 0;
        if (rules_check_container(r->spec, pod, &container, &v->problems))
            warn_of_container(&container, pod_name, pod, v);
    } else if (code == -ENOENT) {
        outcome->lookup = REVIEW_POD_ABSENT;
        (void)buf_printf(add_warning(v),
                         "spec.targetPod: there is no pod \"%s\" in namespace \"%s\" now", pod_name,
                         r->namespace);
    } else {
        outcome->lookup = REVIEW_POD_FAILED;
        (void)buf_printf(add_warning(v),
                         "spec.containerName: not checked, pod \"%s\" could not be read just now",
                         pod_name);
    }
}

static void judge_create(const struct review_request *r, const struct pod_lookup *lookup,
                         struct verdict *v, struct review_outcome *outcome)
{
    struct json_object *pod = json_get_key(r->spec, "targetPod");

    rules_check_spec(r->spec, &v->problems);
    if (lookup && json_object_is_type(pod, json_type_string) &&
        name_is_subdomain(json_object_get_string(pod), (size_t)json_object_get_string_len(pod)) &&
        name_is_label(r->namespace, strlen(r->namespace)))
        judge_pod(r, json_object_get_string(pod), lookup, v, outcome);
}

/* `PodFlame.profilepod.io "x" is invalid: [...]`: for those who see the message alone. */
static void write_message(const char *name, const struct problems *problems, struct buf *out)
{
    _cleanup_buf_ struct buf message = BUF_INIT(REVIEW_REPLY_MAX);

    (void)buf_add_str(&message, PODFLAME_KIND "." PODFLAME_GROUP " ");
    problem_quote(name, strlen(name), &message);
    (void)buf_add_str(&message, " is invalid: ");
    (void)problems_write(problems, &message); /* all problems stay below the cap */
    (void)json_string_write(buf_str(&message), out);
}

/* ,"key":"value" */
static void write_member(const char *key, const char *value, struct buf *out)
{
    (void)buf_add_str(out, ",\"");
    (void)buf_add_str(out, key);
    (void)buf_add_str(out, "\":");
    (void)json_string_write(value, out);
}

static void write_denial(const char *name, const struct problems *problems, struct buf *out)
{
    (void)buf_add_str(out, ",\"status\":{\"metadata\":{},\"status\":\"Failure\",\"message\":");
    write_message(name, problems, out);
    (void)buf_add_str(out, ",\"reason\":\"Invalid\",\"details\":{\"name\":");
    (void)json_string_write(name, out);
    (void)buf_add_str(out, ",\"group\":\"" PODFLAME_GROUP "\",\"kind\":\"" PODFLAME_KIND
                           "\",\"causes\":[");
    for (size_t i = 0; i < problems->n; i++) {
        const struct problem *problem = &problems->item[i];

        (void)buf_add_str(out, i ? ",{\"reason\":" : "{\"reason\":");
        (void)json_string_write(problem_cause_name(problem->cause), out);
        write_member("message", problem->message, out);
        write_member("field", problem->field, out);
        (void)buf_add_str(out, "}");
    }
    (void)buf_printf(out, "]},\"code\":%d}", STATUS_INVALID);
}

/* What the verdict stood on, for the audit log; the API server puts the webhook's name before each
 * key. */
static void write_audit_annotations(const struct verdict *v, enum review_lookup lookup,
                                    struct buf *out)
{
    static const char *const checks[] = {
        [REVIEW_POD_FOUND] = "found",
        [REVIEW_POD_ABSENT] = "absent",
        [REVIEW_POD_FAILED] = "unreadable",
    };

    if (lookup == REVIEW_NOT_LOOKED_UP)
        return;
    (void)buf_printf(out, ",\"auditAnnotations\":{\"pod\":\"%s\"", checks[lookup]);
    if (lookup == REVIEW_POD_FOUND)
        (void)buf_printf(out, ",\"container-count\":\"%zu\"", v->n_containers);
    (void)buf_add_str(out, "}");
}

static void write_warnings(const struct verdict *v, struct buf *out)
{
    if (v->n_warnings == 0)
        return;
    (void)buf_add_str(out, ",\"warnings\":[");
    for (size_t i = 0; i < v->n_warnings; i++) {
        (void)buf_add_str(out, i ? "," : "");
        (void)json_string_write(buf_str(&v->warnings[i]), out);
    }
    (void)buf_add_str(out, "]");
}

static int write_review(const struct review_request *r, const struct verdict *v,
                        enum review_lookup lookup, struct buf *reply)
{
    bool allowed = v->problems.n == 0;

    (void)buf_add_str(reply, "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"" REVIEW_API_VERSION
                             "\",\"response\":{\"uid\":");
    (void)json_string_write(r->uid, reply);
    (void)buf_add_str(reply, allowed ? ",\"allowed\":true" : ",\"allowed\":false");
    if (!allowed)
        write_denial(r->name, &v->problems, reply);
    write_audit_annotations(v, lookup, reply);
    write_warnings(v, reply);
    return buf_add_str(reply, "}}");
}

static enum review_field field_of(const char *path)
{
    static const char *const paths[REVIEW_FIELD_COUNT] = {
#define X(id, name) [REVIEW_FIELD_##id] = (name),
        REVIEW_FIELDS(X)
#undef X
    };
    enum review_field field = 0;

    while (field < REVIEW_FIELD_OTHER && strcmp(path, paths[field]) != 0)
        field++;
    return field;
}

int review_answer(const struct review_request *r, const struct pod_lookup *lookup,
                  struct buf *reply, struct review_outcome *ret, struct err *e)
{
    _cleanup_verdict_ struct verdict v = { 0 };
    struct review_outcome outcome = { .operation = r->operation };

    if (r->is_podflame && !r->deleting && r->operation == REVIEW_CREATE)
        judge_create(r, lookup, &v, &outcome);
    else if (r->is_podflame && !r->deleting && r->operation == REVIEW_UPDATE)
        rules_check_update(r->old_spec, r->spec, &v.problems);
    outcome.n_problems = v.problems.n;
    for (size_t i = 0; i < v.problems.n; i++) {
        outcome.problems[i].field = field_of(v.problems.item[i].field);
        outcome.problems[i].cause = v.problems.item[i].cause;
    }
    outcome.allowed = v.problems.n == 0;
    if (write_review(r, &v, outcome.lookup, reply) < 0)
        return err_set(e, -ENOSPC, "AdmissionReview: the answer is too large");
    *ret = outcome;
    return 0;
}

int review_respond(const char *body, size_t len, const struct pod_lookup *lookup, struct buf *reply,
                   struct review_outcome *ret, struct err *e)
{
    _cleanup_request_reader_ struct request_reader reader;
    _cleanup_review_request_ struct review_request r = { 0 };

    request_reader_init(&reader);
    if (request_reader_add(&reader, body, len, e) < 0 || request_reader_end(&reader, &r, e) < 0)
        return e->code;
    return review_answer(&r, lookup, reply, ret, e);
}
