/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/review.h"

#include "lib/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define KIND "{\"group\":\"profilepod.io\",\"version\":\"v1alpha1\",\"kind\":\"PodFlame\"}"
#define META "\"metadata\":{\"name\":\"x\",\"namespace\":\"shop\"}"

/* The pods of the namespace "shop"; any other name is absent. */
static const struct {
    const char *name, *json;
} pods[] = {
    { "one", "{\"spec\":{\"containers\":[{\"name\":\"app\"}]}}" },
    { "two", "{\"spec\":{\"containers\":[{\"name\":\"app\"},{\"name\":\"sidecar\"}]}}" },
    { "starting",
      "{\"spec\":{\"nodeName\":\"n1\",\"containers\":[{\"name\":\"app\"}]},\"status\":{\"phase\":"
      "\"Pending\",\"containerStatuses\":[{\"name\":\"app\",\"state\":{\"waiting\":{\"reason\":"
      "\"ImagePullBackOff\"}}}]}}" },
    { "homeless", "{\"spec\":{\"containers\":[{\"name\":\"app\"}]},\"status\":{\"phase\":"
                  "\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\","
                  "\"reason\":\"Unschedulable\",\"message\":\"0/3 nodes\"}]}}" },
    { "done", "{\"spec\":{\"containers\":[{\"name\":\"app\"}]},\"status\":{\"phase\":"
              "\"Succeeded\"}}" },
};

static int lookups;

static int get_pod(void *ctx, const char *ns, const char *name, struct json_object **ret_pod,
                   struct err *e)
{
    (void)ctx;
    lookups++;
    if (strcmp(name, "slow") == 0)
        return err_set(e, -ETIMEDOUT, "GET pod '%s/%s': no answer", ns, name);
    for (size_t i = 0; i < COUNT(pods) && strcmp(ns, "shop") == 0; i++)
        if (strcmp(name, pods[i].name) == 0)
            return json_parse(pods[i].json, strlen(pods[i].json), 16, ret_pod, e);
    return -ENOENT;
}

static const struct pod_lookup lookup = { get_pod, NULL };

static void make_review(const char *operation, const char *object, const char *old, struct buf *out)
{
    (void)buf_printf(out,
                     "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\","
                     "\"request\":{\"uid\":\"u-1\",\"kind\":" KIND ",\"name\":\"x\",\"namespace\":"
                     "\"shop\",\"operation\":\"%s\",\"dryRun\":false,\"object\":%s,"
                     "\"oldObject\":%s}}",
                     operation, object, old);
}

static struct json_object *respond(const char *body, const struct pod_lookup *pod_lookup,
                                   struct review_outcome *outcome)
{
    _cleanup_buf_ struct buf reply = BUF_INIT(REVIEW_REPLY_MAX);
    struct json_object *answer = NULL;
    struct err e = { 0 };

    if (review_respond(body, strlen(body), pod_lookup, &reply, outcome, &e) < 0)
        fail_msg("%s: %s", body, e.msg);
    if (json_parse(reply.data, reply.len, 16, &answer, &e) < 0)
        fail_msg("%s: %s", reply.data, e.msg);
    return answer;
}

/* "allowed" or the causes, then the warnings, one a line. */
static void summarise(struct json_object *answer, struct buf *out)
{
    struct json_object *causes = json_get_array(answer, "response.status.details.causes");
    struct json_object *warnings = json_get_array(answer, "response.warnings");

    if (json_get_bool(answer, "response.allowed", false))
        (void)buf_add_str(out, "allowed");
    for (size_t i = 0; causes && i < json_object_array_length(causes); i++) {
        struct json_object *cause = json_object_array_get_idx(causes, i);

        (void)buf_printf(out, "%s%s %s", i ? "\n" : "", json_get_str(cause, "reason"),
                         json_get_str(cause, "field"));
    }
    for (size_t i = 0; warnings && i < json_object_array_length(warnings); i++)
        (void)buf_printf(out, "\nwarning: %s",
                         json_object_get_string(json_object_array_get_idx(warnings, i)));
}

#define SPEC(fields) "{" META ",\"spec\":{" fields "}}"
#define DELETING                                                                                   \
    "{\"metadata\":{\"name\":\"x\",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"},\"spec\":{"     \
    "\"targetPod\":\"B\"}}"

static const struct {
    const char *name, *operation, *object, *old, *summary;
    int lookups;
} cases[] = {
    { "valid", "CREATE", SPEC("\"targetPod\":\"one\""), "null", "allowed", 1 },
    { "named", "CREATE", SPEC("\"targetPod\":\"two\",\"containerName\":\"app\""), "null", "allowed",
      1 },
    { "none named", "CREATE", SPEC("\"targetPod\":\"two\""), "null",
      "FieldValueRequired spec.containerName", 1 },
    { "none named and a bad duration", "CREATE", SPEC("\"targetPod\":\"two\",\"duration\":\"90\""),
      "null", "FieldValueRequired spec.containerName\nFieldValueInvalid spec.duration", 1 },
    { "four mistakes", "CREATE",
      SPEC("\"targetPod\":\"two\",\"duration\":\"69x\",\"event\":\"wall\",\"frequency\":0"), "null",
      "FieldValueRequired spec.containerName\nFieldValueInvalid spec.duration\n"
      "FieldValueNotSupported spec.event\nFieldValueInvalid spec.frequency",
      1 },
    { "unknown container", "CREATE", SPEC("\"targetPod\":\"two\",\"containerName\":\"ap\""), "null",
      "FieldValueNotFound spec.containerName", 1 },
    { "no pod named, none read", "CREATE", SPEC(""), "null", "FieldValueRequired spec.targetPod",
      0 },
    { "bad pod name is not looked up", "CREATE", SPEC("\"targetPod\":\"../one\""), "null",
      "FieldValueInvalid spec.targetPod", 0 },
    { "NUL in a name is not looked up", "CREATE", SPEC("\"targetPod\":\"one\\u0000\""), "null",
      "FieldValueInvalid spec.targetPod", 0 },
    { "NUL in the container", "CREATE",
      SPEC("\"targetPod\":\"two\",\"containerName\":\"app\\u0000\""), "null",
      "FieldValueInvalid spec.containerName", 1 },
    { "no spec", "CREATE", "{" META "}", "null", "FieldValueRequired spec.targetPod", 0 },
    { "no such pod", "CREATE", SPEC("\"targetPod\":\"gone\""), "null",
      "allowed\nwarning: spec.targetPod: there is no pod \"gone\" in namespace \"shop\" now", 1 },
    { "lookup failed", "CREATE", SPEC("\"targetPod\":\"slow\""), "null",
      "allowed\nwarning: spec.containerName: not checked, pod \"slow\" could not be read just now",
      1 },
    { "lookup failed and a bad duration", "CREATE",
      SPEC("\"targetPod\":\"slow\",\"duration\":\"0s\""), "null",
      "FieldValueInvalid spec.duration\nwarning: spec.containerName: not checked, pod \"slow\" "
      "could not be read just now",
      1 },
    { "not running yet", "CREATE", SPEC("\"targetPod\":\"starting\""), "null",
      "allowed\nwarning: spec.containerName: container \"app\" of pod \"starting\" waits: "
      "ImagePullBackOff",
      1 },
    { "without a node", "CREATE", SPEC("\"targetPod\":\"homeless\""), "null",
      "allowed\nwarning: spec.containerName: container \"app\" of pod \"homeless\" has no node "
      "yet: "
      "Unschedulable: 0/3 nodes",
      1 },
    { "pod has ended", "CREATE", SPEC("\"targetPod\":\"done\""), "null",
      "allowed\nwarning: spec.targetPod: pod \"done\" has ended (Succeeded), there is nothing left "
      "to profile",
      1 },
    { "created while being deleted", "CREATE", DELETING, "null", "allowed", 0 },
    { "update of metadata", "UPDATE", SPEC("\"targetPod\":\"one\""),
      "{\"metadata\":{\"name\":\"x\",\"labels\":{\"a\":\"b\"}},\"spec\":{\"targetPod\":\"one\"}}",
      "allowed", 0 },
    { "update of an object that breaks today's rules", "UPDATE",
      SPEC("\"targetPod\":\"B\",\"duration\":\"69m\""),
      SPEC("\"targetPod\":\"B\",\"duration\":\"69m\""), "allowed", 0 },
    { "update of the spec", "UPDATE", SPEC("\"targetPod\":\"one\",\"duration\":\"5m\""),
      SPEC("\"targetPod\":\"one\""), "FieldValueForbidden spec.duration", 0 },
    { "update while being deleted", "UPDATE", DELETING, SPEC("\"targetPod\":\"one\""), "allowed",
      0 },
    { "delete", "DELETE", "null", SPEC("\"targetPod\":\"B\""), "allowed", 0 },
    { "connect", "CONNECT", "null", "null", "allowed", 0 },
};

static void verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        _cleanup_buf_ struct buf body = BUF_INIT(64 << 10), got = BUF_INIT(64 << 10);
        struct review_outcome outcome = { 0 };

        lookups = 0;
        make_review(cases[i].operation, cases[i].object, cases[i].old, &body);
        _cleanup_json_ struct json_object *answer = respond(buf_str(&body), &lookup, &outcome);
        summarise(answer, &got);
        if (strcmp(buf_str(&got), cases[i].summary) != 0 || lookups != cases[i].lookups)
            fail_msg("%s:\n  got  %s, %d lookups\n  want %s, %d lookups", cases[i].name,
                     buf_str(&got), lookups, cases[i].summary, cases[i].lookups);
        assert_string_equal(json_get_str(answer, "response.uid"), "u-1");
        assert_string_equal(json_get_str(answer, "kind"), "AdmissionReview");
        assert_string_equal(json_get_str(answer, "apiVersion"), "admission.k8s.io/v1");
        assert_int_equal(outcome.allowed, json_get_bool(answer, "response.allowed", false));
        assert_null(json_get(answer, "response.patch"));
    }
}

/* The form of apierrors.NewInvalid, as a controller-runtime webhook answers it. */
static void denial_has_the_native_form(void **state)
{
    static const char want[] =
        "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"response\":{"
        "\"uid\":\"u-1\",\"allowed\":false,\"status\":{\"metadata\":{},\"status\":\"Failure\","
        "\"message\":\"PodFlame.profilepod.io \\\"x\\\" is invalid: [spec.containerName: Required "
        "value: pod \\\"two\\\" has 2 containers (app, sidecar); name one of them, spec.duration: "
        "Invalid "
        "value: \\\"90\\\": must be hours, minutes and seconds in that order, such as 30s, 2m or "
        "1m30s]\",\"reason\":\"Invalid\",\"details\":{\"name\":\"x\",\"group\":\"profilepod.io\","
        "\"kind\":\"PodFlame\",\"causes\":[{\"reason\":\"FieldValueRequired\",\"message\":"
        "\"Required value: pod \\\"two\\\" has 2 containers (app, sidecar); name one of "
        "them\",\"field\":"
        "\"spec.containerName\"},{\"reason\":\"FieldValueInvalid\",\"message\":\"Invalid value: "
        "\\\"90\\\": must be hours, minutes and seconds in that order, such as 30s, 2m or "
        "1m30s\",\"field\":\"spec.duration\"}]},\"code\":422},\"auditAnnotations\":{\"pod\":"
        "\"found\",\"container-count\":\"2\"}}}";
    _cleanup_buf_ struct buf body = BUF_INIT(4096), reply = BUF_INIT(REVIEW_REPLY_MAX);
    struct review_outcome outcome = { 0 };
    struct err e = { 0 };

    (void)state;
    make_review("CREATE", SPEC("\"targetPod\":\"two\",\"duration\":\"90\""), "null", &body);
    assert_int_equal(review_respond(body.data, body.len, &lookup, &reply, &outcome, &e), 0);
    assert_string_equal(buf_str(&reply), want);
    assert_int_equal(outcome.n_problems, 2);
    assert_int_equal(outcome.problems[0].field, REVIEW_FIELD_CONTAINER_NAME);
    assert_int_equal(outcome.problems[0].cause, PROBLEM_REQUIRED);
    assert_int_equal(outcome.problems[1].field, REVIEW_FIELD_DURATION);
    assert_int_equal(outcome.problems[1].cause, PROBLEM_INVALID);
    assert_int_equal(outcome.lookup, REVIEW_POD_FOUND);

    buf_clear(&reply);
    reply.max = 100;
    assert_int_equal(review_respond(body.data, body.len, &lookup, &reply, &outcome, &e), -ENOSPC);
}

#define ENVELOPE(request)                                                                          \
    "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{" request   \
    "}}"

static void the_audit_log_is_told(void **state)
{
    static const struct {
        const char *pod, *check, *count;
    } audited[] = {
        { "one", "found", "1" },        { "two", "found", "2" }, { "gone", "absent", NULL },
        { "slow", "unreadable", NULL }, { "B", NULL, NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(audited); i++) {
        _cleanup_buf_ struct buf body = BUF_INIT(4096);
        struct review_outcome outcome = { 0 };
        const char *const want[] = { audited[i].check, audited[i].count };
        const char *const paths[] = { "response.auditAnnotations.pod",
                                      "response.auditAnnotations.container-count" };

        (void)buf_printf(&body,
                         ENVELOPE("\"uid\":\"u\",\"kind\":" KIND ",\"name\":\"x\",\"namespace\":"
                                  "\"shop\",\"operation\":\"CREATE\",\"object\":{\"spec\":{"
                                  "\"targetPod\":\"%s\"}}"),
                         audited[i].pod);
        _cleanup_json_ struct json_object *answer = respond(buf_str(&body), &lookup, &outcome);
        for (size_t k = 0; k < COUNT(paths); k++) {
            const char *got = json_get_str(answer, paths[k]);

            if (want[k])
                assert_string_equal(got ? got : "", want[k]);
            else
                assert_null(got);
        }
    }
}

static void without_a_lookup_no_pod_is_read(void **state)
{
    _cleanup_buf_ struct buf body = BUF_INIT(4096);
    struct review_outcome outcome = { 0 };

    (void)state;
    make_review("CREATE", SPEC("\"targetPod\":\"two\""), "null", &body);
    _cleanup_json_ struct json_object *answer = respond(buf_str(&body), NULL, &outcome);
    assert_true(json_get_bool(answer, "response.allowed", false));
    assert_true(outcome.allowed);
    assert_int_equal(outcome.lookup, REVIEW_NOT_LOOKED_UP);
}

static void generated_names_are_shown(void **state)
{
    static const struct {
        const char *request_name, *metadata, *name;
    } names[] = {
        { "", "\"generateName\":\"web-\"", "web-" },
        { "", "\"generateName\":\"web-\",\"name\":\"web-x7\"", "web-x7" },
        { "", "", "" },
        { "x", "\"name\":\"y\"", "x" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        _cleanup_buf_ struct buf body = BUF_INIT(4096);
        struct review_outcome outcome = { 0 };

        (void)buf_printf(&body,
                         ENVELOPE("\"uid\":\"u\",\"kind\":" KIND ",\"name\":\"%s\",\"namespace\":"
                                  "\"shop\",\"operation\":\"CREATE\",\"object\":{\"metadata\":{%s},"
                                  "\"spec\":{}}"),
                         names[i].request_name, names[i].metadata);
        _cleanup_json_ struct json_object *answer = respond(buf_str(&body), &lookup, &outcome);
        assert_string_equal(json_get_str(answer, "response.status.details.name"), names[i].name);
    }
}

static void other_kinds_are_allowed(void **state)
{
    static const char *const bodies[] = {
        ENVELOPE("\"uid\":\"u\",\"kind\":{\"group\":\"\",\"kind\":\"Pod\"},\"operation\":"
                 "\"CREATE\",\"object\":{\"spec\":{}}"),
        ENVELOPE("\"uid\":\"u\",\"kind\":" KIND ",\"subResource\":\"status\",\"operation\":"
                 "\"UPDATE\",\"object\":{\"spec\":{}},\"oldObject\":{\"spec\":{\"a\":1}}"),
        ENVELOPE("\"uid\":\"u\",\"operation\":\"CREATE\""),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct review_outcome outcome = { 0 };
        _cleanup_json_ struct json_object *answer = respond(bodies[i], &lookup, &outcome);

        assert_true(json_get_bool(answer, "response.allowed", false));
    }
}

static void malformed_reviews_are_refused(void **state)
{
    static const struct {
        const char *body, *message;
    } bad[] = {
        { "", "AdmissionReview: JSON: empty" },
        { "{", "AdmissionReview: JSON: " },
        { "{'\"':[1],\"x\":1}", "AdmissionReview: JSON: single quote" },
        { ENVELOPE("\"uid\":\"u\",\"operation\":\"DELETE\",\"uid\":\"v\""),
          "AdmissionReview: JSON: an object has a key twice" },
        { "[]", "AdmissionReview: not a JSON object" },
        { "null", "AdmissionReview: not a JSON object" },
        { "{}", "AdmissionReview: kind and apiVersion must be" },
        { "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1beta1\"}",
          "AdmissionReview: kind and apiVersion must be" },
        { "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\"}",
          "AdmissionReview: request is missing" },
        { ENVELOPE("\"operation\":\"CREATE\""), "AdmissionReview: request.uid" },
        { ENVELOPE("\"uid\":7,\"operation\":\"CREATE\""), "AdmissionReview: request.uid" },
        { ENVELOPE("\"uid\":\"u\\u0000\",\"operation\":\"CREATE\""),
          "AdmissionReview: request.uid" },
        { ENVELOPE("\"uid\":\"u\""), "AdmissionReview: request.operation is missing" },
        { ENVELOPE("\"uid\":\"u\",\"operation\":\"CREATE\",\"kind\":" KIND),
          "AdmissionReview: request.object is missing" },
        { ENVELOPE("\"uid\":\"u\",\"operation\":\"CREATE\",\"object\":[],\"kind\":" KIND),
          "AdmissionReview: request.object is missing" },
        { ENVELOPE("\"uid\":\"u\",\"operation\":\"UPDATE\",\"object\":{},\"kind\":" KIND),
          "AdmissionReview: request.oldObject is missing" },
        { ENVELOPE("\"uid\":\"\xff\",\"operation\":\"DELETE\""), "AdmissionReview: JSON: " },
        { "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
          "AdmissionReview: JSON: " },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        _cleanup_buf_ struct buf reply = BUF_INIT(REVIEW_REPLY_MAX);
        struct review_outcome outcome = { .n_problems = 7 };
        struct err e = { 0 };

        assert_int_equal(
            review_respond(bad[i].body, strlen(bad[i].body), &lookup, &reply, &outcome, &e),
            -EINVAL);
        if (strncmp(e.msg, bad[i].message, strlen(bad[i].message)) != 0)
            fail_msg("%s:\n  got  %s\n  want %s", bad[i].body, e.msg, bad[i].message);
        assert_int_equal(outcome.n_problems, 7);
        assert_int_equal(reply.len, 0);
    }
}

static void what_is_not_looked_at_may_be_large(void **state)
{
    _cleanup_buf_ struct buf body = BUF_INIT(1 << 20), reply = BUF_INIT(REVIEW_REPLY_MAX);
    struct review_outcome outcome = { 0 };
    struct err e = { 0 };

    (void)state;
    (void)buf_add_str(&body, ENVELOPE("\"uid\":\"u\",\"operation\":\"DELETE\",\"x\":[0"));
    body.len -= 2; /* back into the list */
    for (int i = 0; i < 40000; i++)
        (void)buf_add_str(&body, i % 2 ? ",1" : ",\"\\\"{\"");
    (void)buf_add_str(&body, "]}}");
    assert_int_equal(review_respond(body.data, body.len, NULL, &reply, &outcome, &e), 0);
}

/* Only the API server's schema keeps a spec small, and it may be away. */
static void what_is_looked_at_is_bounded(void **state)
{
    _cleanup_buf_ struct buf body = BUF_INIT(1 << 20), reply = BUF_INIT(REVIEW_REPLY_MAX);
    struct review_outcome outcome = { 0 };
    struct err e = { 0 };

    (void)state;
    (void)buf_add_str(&body, ENVELOPE("\"uid\":\"u\",\"operation\":\"CREATE\",\"object\":{"
                                      "\"spec\":{\"x\":[0"));
    body.len -= 2;
    for (int i = 0; i < 40000; i++)
        (void)buf_add_str(&body, ",1");
    (void)buf_add_str(&body, "]}}}}");
    assert_int_equal(review_respond(body.data, body.len, NULL, &reply, &outcome, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "AdmissionReview: JSON: names and spec are too long"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts),
        cmocka_unit_test(denial_has_the_native_form),
        cmocka_unit_test(the_audit_log_is_told),
        cmocka_unit_test(without_a_lookup_no_pod_is_read),
        cmocka_unit_test(generated_names_are_shown),
        cmocka_unit_test(other_kinds_are_allowed),
        cmocka_unit_test(malformed_reviews_are_refused),
        cmocka_unit_test(what_is_not_looked_at_may_be_large),
        cmocka_unit_test(what_is_looked_at_is_bounded),
    };

    return cmocka_run_group_tests_name("review", tests, NULL, NULL);
}
