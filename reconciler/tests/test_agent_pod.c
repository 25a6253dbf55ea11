/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/agent_pod.h"

#include "lib/buf.h"
#include "lib/json.h"
#include "lib/podflame/podflame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UID "6f1c9a9e-5d2b-4a7e-9f49-0f2b7c1d2e3f"

static struct podflame example(void)
{
    return (struct podflame){
        .name = "hot",
        .namespace = "shop",
        .uid = UID,
        .spec = { .target_pod = "web-0", .duration_s = 90, .frequency = 49 },
        .status = { .node_name = "n1",
                    .target_pod_uid = "pod-uid",
                    .target_container_id = "containerd://abc",
                    .target_container_name = "app" },
    };
}

static struct json_object *build(void)
{
    const struct agent_pod_options options = { .namespace = "podflame-system",
                                               .image = "img:1",
                                               .service_account = "podflame-agent",
                                               .memory_limit = "256Mi" };
    struct podflame pf = example();

    return agent_pod_build(&pf, &options);
}

static struct json_object *container_of(struct json_object *pod)
{
    return json_object_array_get_idx(json_get_array(pod, "spec.containers"), 0);
}

static void assert_text(struct json_object *o, const char *path, const char *expect)
{
    _cleanup_buf_ struct buf text = BUF_INIT(4096);
    struct json_object *value = json_get(o, path);

    assert_int_equal(value ? json_write(value, &text) : 0, 0);
    if (strcmp(buf_str(&text), expect) != 0)
        fail_msg("%s: %s, expected %s", path, buf_str(&text), expect);
}

static void the_pod_is_what_the_agent_needs_and_no_more(void **state)
{
    _cleanup_json_ struct json_object *pod = build();
    struct json_object *container = container_of(pod);

    (void)state;
    assert_text(pod, "metadata.name", "\"podflame-" UID "\"");
    assert_text(pod, "metadata.namespace", "\"podflame-system\"");
    assert_text(pod, "spec.restartPolicy", "\"Never\"");
    assert_text(pod, "spec.activeDeadlineSeconds", "270");
    assert_text(pod, "spec.hostPID", "true");
    assert_text(pod, "spec.hostNetwork", "");
    assert_text(pod, "spec.volumes", "");
    assert_text(pod, "spec.automountServiceAccountToken", "false");
    assert_text(pod, "spec.enableServiceLinks", "false");
    assert_text(pod, "spec.tolerations", "[{\"operator\":\"Exists\"}]");
    assert_text(pod, "spec.nodeName", "");
    assert_text(pod, "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution",
                "{\"nodeSelectorTerms\":[{\"matchFields\":[{\"key\":\"metadata.name\","
                "\"operator\":\"In\",\"values\":[\"n1\"]}]}]}");
    assert_text(container, "image", "\"img:1\"");
    assert_text(container, "args",
                "[\"--pod-uid\",\"pod-uid\",\"--container-id\",\"containerd://abc\","
                "\"--duration\",\"1m30s\",\"--frequency\",\"49\",\"--stream\",\"--pod\","
                "\"shop/web-0\",\"--container\",\"app\",\"--node\",\"n1\"]");
    assert_text(container, "securityContext.privileged", "false");
    assert_text(container, "securityContext.allowPrivilegeEscalation", "false");
    assert_text(container, "securityContext.readOnlyRootFilesystem", "true");
    assert_text(container, "securityContext.capabilities.drop", "[\"ALL\"]");
    assert_text(container, "securityContext.seccompProfile.type", "\"RuntimeDefault\"");
    assert_text(container, "resources.limits", "{\"memory\":\"256Mi\"}");
    struct json_object *labels = json_get(pod, "metadata.labels");
    assert_string_equal(json_object_get_string(json_get_key(labels, AGENT_POD_UID_LABEL)), UID);
    assert_string_equal(
        json_object_get_string(json_get_key(labels, "app.kubernetes.io/managed-by")), "podflame");
}

static void no_more_is_asked_for_than_the_limit(void **state)
{
    static const struct {
        const char *limit, *request;
    } limits[] = {
        { "256Mi", "64Mi" }, { "64Mi", "64Mi" }, { "8Mi", "8Mi" }, { "32768Ki", "32768Ki" },
        { "48M", "48M" },    { "1Gi", "64Mi" },  { "1G", "64Mi" }, { "2000000", "2000000" },
        { "0.5Gi", "64Mi" }, { "", "64Mi" },     { "Mi", "64Mi" }, { "-1Mi", "64Mi" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct agent_pod_options options = { .namespace = "podflame-system",
                                             .image = "img:1",
                                             .memory_limit = limits[i].limit };
        const struct podflame pf = example();
        _cleanup_json_ struct json_object *pod = agent_pod_build(&pf, &options);
        const char *got = json_get_str(container_of(pod), "resources.requests.memory");

        if (strcmp(got, limits[i].request) != 0)
            fail_msg("limit %s: %s is requested", limits[i].limit, got);
    }
}

static void names_are_names(void **state)
{
    char name[AGENT_POD_NAME_SIZE];
    char longest[AGENT_POD_NAME_SIZE * 2];

    (void)state;
    assert_true(agent_pod_name(UID, name));
    assert_false(agent_pod_name("../x", name));
    assert_false(agent_pod_name("a.b", name));
    assert_false(agent_pod_name("A", name));
    memset(longest, 'a', sizeof(longest));
    longest[54] = '\0';
    assert_true(agent_pod_name(longest, name));
    assert_int_equal(strlen(name), 63);
    longest[54] = 'a';
    longest[55] = '\0';
    assert_false(agent_pod_name(longest, name));
}

static const struct {
    const char *name, *status;
    enum agent_state state;
    bool ran;
    int exit_code;
    const char *reason;
} statuses[] = {
    { "nothing yet", "{}", AGENT_WAITING, false, 0, "" },
    { "unschedulable",
      "{\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\","
      "\"reason\":\"Unschedulable\",\"message\":\"0/1 nodes\"}]}",
      AGENT_WAITING, false, 0, "Unschedulable" },
    { "image",
      "{\"phase\":\"Pending\",\"containerStatuses\":[{\"state\":{\"waiting\":"
      "{\"reason\":\"ErrImagePull\"}}}]}",
      AGENT_WAITING, false, 0, "ErrImagePull" },
    { "running",
      "{\"phase\":\"Running\",\"containerStatuses\":[{\"state\":{\"running\":"
      "{\"startedAt\":\"2027-01-15T08:00:00Z\"}}}]}",
      AGENT_RUNNING, true, 0, "" },
    { "ended before its phase says so",
      "{\"phase\":\"Running\",\"containerStatuses\":[{\"state\":{\"terminated\":{\"exitCode\":0,"
      "\"reason\":\"Completed\"}}}]}",
      AGENT_ENDED, true, 0, "Completed" },
    { "out of memory",
      "{\"phase\":\"Failed\",\"containerStatuses\":[{\"state\":{\"terminated\":{\"exitCode\":137,"
      "\"reason\":\"OOMKilled\"}}}]}",
      AGENT_ENDED, true, 137, "OOMKilled" },
    { "could not be started",
      "{\"phase\":\"Failed\",\"containerStatuses\":[{\"state\":{\"terminated\":{\"exitCode\":128,"
      "\"reason\":\"StartError\",\"startedAt\":\"1970-01-01T00:00:00Z\"}}}]}",
      AGENT_ENDED, false, 128, "StartError" },
    { "deadline",
      "{\"phase\":\"Failed\",\"reason\":\"DeadlineExceeded\",\"containerStatuses\":[{"
      "\"state\":{\"terminated\":{\"exitCode\":143,\"reason\":\"Error\"}}}]}",
      AGENT_ENDED, true, 143, "DeadlineExceeded" },
    { "refused by the node", "{\"phase\":\"Failed\",\"reason\":\"OutOfcpu\",\"message\":\"m\"}",
      AGENT_ENDED, false, 0, "OutOfcpu" },
};

static void a_status_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        _cleanup_json_ struct json_object *pod = build();
        struct json_object *status = NULL;
        struct agent_view view;
        struct err e = { 0 };

        assert_int_equal(
            json_parse(statuses[i].status, strlen(statuses[i].status), 16, &status, &e), 0);
        json_set(pod, "status", status);
        assert_true(agent_view_decode(pod, &view));
        if (view.state != statuses[i].state || view.ran != statuses[i].ran ||
            view.exit_code != statuses[i].exit_code || strcmp(view.reason, statuses[i].reason) != 0)
            fail_msg("%s: state %d ran %d exit %d reason %s", statuses[i].name, (int)view.state,
                     view.ran, view.exit_code, view.reason);
        assert_string_equal(view.podflame_uid, UID);
        assert_string_equal(view.podflame_ns, "shop");
        assert_string_equal(view.podflame_name, "hot");
    }
}

static void a_long_message_is_cut_between_characters(void **state)
{
    (void)state;
    for (int n = 500; n < 520; n++) {
        _cleanup_json_ struct json_object *pod = build();
        _cleanup_buf_ struct buf status = BUF_INIT(4096);
        struct json_object *json = NULL;
        struct agent_view view;
        struct err e = { 0 };

        (void)buf_printf(&status, "{\"phase\":\"Failed\",\"reason\":\"r\",\"message\":\"%*s", n,
                         "");
        (void)buf_add_str(&status, "\xe2\x82\xac\xe2\x82\xac\"}");
        assert_int_equal(json_parse(status.data, status.len, 16, &json, &e), 0);
        json_set(pod, "status", json);
        assert_true(agent_view_decode(pod, &view));
        size_t len = strlen(view.message);
        bool whole = n + 6 < (int)sizeof(view.message);
        size_t kept = whole ? len : len - 3;
        assert_string_equal(view.message + kept, whole ? "" : "...");
        assert_true(len < sizeof(view.message) && len >= sizeof(view.message) - 12);
        assert_int_equal((kept - (kept < (size_t)n ? kept : (size_t)n)) % 3, 0);
    }
}

static void other_pods_are_no_agents(void **state)
{
    _cleanup_json_ struct json_object *pod = build();
    struct agent_view view;

    (void)state;
    assert_false(agent_view_decode(NULL, &view));
    json_set_str(json_get(pod, "metadata"), "name", "podflame-other");
    assert_false(agent_view_decode(pod, &view));
    json_object_object_del(json_get(pod, "metadata"), "labels");
    json_set_str(json_get(pod, "metadata"), "name", "podflame-" UID);
    assert_false(agent_view_decode(pod, &view));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pod_is_what_the_agent_needs_and_no_more),
        cmocka_unit_test(no_more_is_asked_for_than_the_limit),
        cmocka_unit_test(names_are_names),
        cmocka_unit_test(a_status_is_read),
        cmocka_unit_test(a_long_message_is_cut_between_characters),
        cmocka_unit_test(other_pods_are_no_agents),
    };

    return cmocka_run_group_tests_name("agent pod", tests, NULL, NULL);
}
