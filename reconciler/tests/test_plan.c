/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/plan.h"

#include "lib/json.h"
#include "lib/rfc3339.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The PodFlame was made at T0, its agent at T0 + 10. */
enum { T0 = 1800000000, AGENT_T = T0 + 10, DURATION = 30 };
static const char t0[] = "2027-01-15T08:00:00Z";

#define TARGET                                                                                     \
    .target_pod_uid = "pu", .target_container_id = "containerd://c", .target_container_name = "app"
#define STARTING .phase = "Pending", .succeeded = { .reason = "AgentStarting" }
#define RUNNING  .phase = "Running", .succeeded = { .reason = "Profiling" }

static const struct agent_view
    waiting = { .state = AGENT_WAITING, .created_s = AGENT_T },
    pulling = { .state = AGENT_WAITING,
                .created_s = AGENT_T,
                .reason = "ImagePullBackOff",
                .message = "no such image" },
    running = { .state = AGENT_RUNNING,
                .created_s = AGENT_T,
                .started_s = AGENT_T + 2,
                .ran = true },
    ended = { .state = AGENT_ENDED, .created_s = AGENT_T, .ran = true },
    crashed = { .state = AGENT_ENDED, .created_s = AGENT_T, .ran = true, .exit_code = 1 },
    killed = { .state = AGENT_ENDED, .created_s = AGENT_T, .ran = true, .exit_code = 137 },
    oom = { .state = AGENT_ENDED,
            .created_s = AGENT_T,
            .ran = true,
            .exit_code = 137,
            .reason = "OOMKilled" },
    late = { .state = AGENT_ENDED,
             .created_s = AGENT_T,
             .ran = true,
             .exit_code = 137,
             .reason = "DeadlineExceeded" },
    refused = { .state = AGENT_ENDED, .created_s = AGENT_T, .reason = "OutOfcpu" },
    not_started = { .state = AGENT_ENDED,
                    .created_s = AGENT_T,
                    .exit_code = 128,
                    .reason = "StartError",
                    .message = "container init was OOM-killed" },
    leaving = { .state = AGENT_ENDED, .created_s = AGENT_T, .ran = true, .deleting = true };

static const struct result_decoder nothing = { .state = RESULT_NONE },
                                   cut = { .state = RESULT_INCOMPLETE },
                                   broken = { .state = RESULT_BROKEN, .why = "lines are missing" },
                                   complete = { .state = RESULT_COMPLETE,
                                                .profile = { .samples = 990, .bytes = 5000 } },
                                   gone_target = { .state = RESULT_FAILED,
                                                   .reason = "TargetGone",
                                                   .message = "no process is left" };

static const struct {
    const char *name;
    struct podflame_status status;
    int64_t now_s;        /* after T0 */
    struct plan_input in; /* what is not of the PodFlame; in.pf set: there is none */
    enum plan_action action;
    enum plan_phase phase;
    const char *reason, *message; /* part of it */
    int64_t again_s;              /* after T0 */
    const char *deleting;
    int64_t ttl_s; /* 0: none */
} cases[] = {
    { .name = "new", .action = PLAN_READ_TARGET },
    { .name = "invalid",
      .in = { .invalid = "spec.duration: Invalid value" },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_FAILED,
      .reason = "InvalidSpec",
      .message = "spec.duration" },
    { .name = "target found",
      .in = { .target = { .state = PLAN_TARGET_OK, .node = "n1", .container_name = "app" } },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_PENDING,
      .reason = "AgentStarting",
      .message = "\"n1\"" },
    { .name = "target missing",
      .now_s = 5,
      .in = { .target = { .state = PLAN_TARGET_BAD,
                          .reason = PLAN_TARGET_NOT_FOUND,
                          .message = "m" } },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_PENDING,
      .reason = "TargetNotFound",
      .message = "m" },
    { .name = "target missing, known",
      .now_s = 5,
      .status = { .phase = "Pending", .succeeded = { .reason = "TargetNotFound", .message = "m" } },
      .in = { .target = { .state = PLAN_TARGET_BAD,
                          .reason = PLAN_TARGET_NOT_FOUND,
                          .message = "m" } },
      .action = PLAN_WAIT,
      .again_s = 7 },
    { .name = "target missing for too long",
      .now_s = 30,
      .status = { .phase = "Pending", .succeeded = { .reason = "TargetNotFound", .message = "m" } },
      .in = { .target = { .state = PLAN_TARGET_BAD,
                          .reason = PLAN_TARGET_NOT_FOUND,
                          .message = "m" } },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_FAILED,
      .reason = "TargetNotFound",
      .message = "waited 30s" },
    { .name = "recorded, just now",
      .status = { STARTING, TARGET },
      .in = { .fresh = true },
      .action = PLAN_CREATE_AGENT },
    { .name = "recorded, after a restart",
      .status = { STARTING, TARGET },
      .action = PLAN_READ_PODFLAME },
    { .name = "creation fails",
      .status = { STARTING, TARGET },
      .now_s = 20,
      .in = { .create_error = "quota", .create_failed_s = T0 + 10 },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_PENDING,
      .reason = "AgentStarting",
      .message = "quota" },
    { .name = "creation fails for too long",
      .status = { STARTING, TARGET },
      .now_s = 130,
      .in = { .create_error = "quota", .create_failed_s = T0 + 10 },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_FAILED,
      .reason = "AgentNotStarted",
      .message = "quota" },
    { .name = "creation refused",
      .status = { STARTING, TARGET },
      .in = { .create_error = "invalid", .create_refused = true },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_FAILED,
      .reason = "AgentNotStarted",
      .message = "invalid" },
    { .name = "agent waits",
      .status = { STARTING, TARGET },
      .now_s = 12,
      .in = { .agent = &waiting },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_PENDING,
      .reason = "AgentStarting" },
    { .name = "agent waits, known",
      .now_s = 12,
      .status = { TARGET, .node_name = "n1", .phase = "Pending",
                  .succeeded = { .reason = "AgentStarting",
                                 .message = "the agent is starting on node \"n1\"" } },
      .in = { .agent = &waiting },
      .action = PLAN_WAIT,
      .again_s = 130 },
    { .name = "image cannot be pulled",
      .status = { STARTING, TARGET },
      .now_s = 12,
      .in = { .agent = &pulling },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_PENDING,
      .reason = "AgentStarting",
      .message = "ImagePullBackOff: no such image" },
    { .name = "image cannot be pulled for too long",
      .status = { STARTING, TARGET },
      .now_s = 70,
      .in = { .agent = &pulling, .agent_fresh = true },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_FAILED,
      .reason = "AgentNotStarted",
      .message = "ImagePullBackOff: no such image; check the operator's --agent-image" },
    { .name = "nothing is heard for as long",
      .status = { STARTING, TARGET },
      .now_s = 70,
      .in = { .agent = &waiting },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_PENDING,
      .reason = "AgentStarting" },
    { .name = "nothing is heard for too long",
      .status = { STARTING, TARGET },
      .now_s = 130,
      .in = { .agent = &waiting, .agent_fresh = true },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_FAILED,
      .reason = "AgentNotStarted",
      .message = "within 120s: nothing was heard from the node" },
    { .name = "node cannot start it",
      .status = { STARTING, TARGET },
      .now_s = 12,
      .in = { .agent = &not_started },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_FAILED,
      .reason = "AgentNotStarted",
      .message = "could not start the agent: StartError: container init was OOM-killed" },
    { .name = "node refuses",
      .status = { STARTING, TARGET },
      .now_s = 12,
      .in = { .agent = &refused },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_FAILED,
      .reason = "AgentNotStarted",
      .message = "OutOfcpu" },
    { .name = "agent runs",
      .status = { STARTING, TARGET },
      .now_s = 13,
      .in = { .agent = &running },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_RUNNING,
      .reason = "Profiling" },
    { .name = "agent seems to run past its deadline",
      .status = { RUNNING, TARGET },
      .now_s = 250,
      .in = { .agent = &running },
      .action = PLAN_READ_AGENT },
    { .name = "agent seems to wait for too long",
      .status = { STARTING, TARGET },
      .now_s = 130,
      .in = { .agent = &pulling },
      .action = PLAN_READ_AGENT },
    { .name = "agent pod seems to be gone",
      .status = { RUNNING, TARGET },
      .now_s = 20,
      .action = PLAN_READ_AGENT },
    { .name = "agent runs past its deadline",
      .status = { RUNNING, TARGET },
      .now_s = 250,
      .in = { .agent = &running, .agent_fresh = true },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_FAILED,
      .reason = "AgentLost",
      .message = "past its deadline" },
    { .name = "agent has ended",
      .status = { RUNNING, TARGET },
      .now_s = 45,
      .in = { .agent = &ended },
      .action = PLAN_READ_LOG },
    { .name = "agent adopted with a status that was lost",
      .now_s = 45,
      .in = { .agent = &ended },
      .action = PLAN_READ_LOG },
    { .name = "result",
      .status = { RUNNING, TARGET },
      .now_s = 45,
      .in = { .agent = &ended, .result = &complete },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_SUCCEEDED,
      .reason = "ProfileReady",
      .message = "pod \"web-0\"; to save the page: kubectl get pf p -n ns -o" },
    { .name = "result of an agent that crashed after it",
      .status = { RUNNING, TARGET },
      .now_s = 45,
      .in = { .agent = &oom, .result = &complete },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_SUCCEEDED,
      .reason = "ProfileReady" },
    { .name = "result refused",
      .status = { RUNNING, TARGET },
      .now_s = 45,
      .in = { .agent = &ended, .result = &complete, .result_refused = "request is too large" },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_FAILED,
      .reason = "ResultTooLarge",
      .message = "5000 bytes: request is too large" },
    { .name = "agent's own reason",
      .status = { RUNNING, TARGET },
      .now_s = 45,
      .in = { .agent = &crashed, .result = &gone_target },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_FAILED,
      .reason = "TargetGone",
      .message =
          "\"app\" of pod \"web-0\" has ended or was restarted meanwhile (no process is left)" },
    { .name = "cut log, first",
      .status = { RUNNING, TARGET },
      .now_s = 45,
      .in = { .agent = &ended, .result = &cut, .log_tries = 1 },
      .action = PLAN_WAIT,
      .again_s = 46 },
    { .name = "cut log, still",
      .status = { RUNNING, TARGET },
      .now_s = 45,
      .in = { .agent = &ended, .result = &cut, .log_tries = 3 },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_FAILED,
      .reason = "ResultBroken",
      .message = "its end is missing" },
    { .name = "broken log",
      .status = { RUNNING, TARGET },
      .now_s = 45,
      .in = { .agent = &ended, .result = &broken, .log_tries = 1 },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_FAILED,
      .reason = "ResultBroken",
      .message = "lines are missing" },
    { .name = "empty log",
      .status = { RUNNING, TARGET },
      .now_s = 45,
      .in = { .agent = &ended, .result = &nothing, .log_tries = 3 },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_FAILED,
      .reason = "ResultBroken",
      .message = "no result" },
    { .name = "agent failed with a word",
      .status = { RUNNING, TARGET },
      .now_s = 45,
      .in = { .agent = &crashed, .result = &nothing, .log_tries = 3, .log_tail = "no such option" },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_FAILED,
      .reason = "AgentFailed",
      .message = "exit code 1: no such option" },
    { .name = "out of memory",
      .status = { RUNNING, TARGET },
      .now_s = 45,
      .in = { .agent = &oom, .result = &nothing, .log_tries = 3 },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_FAILED,
      .reason = "AgentKilled",
      .message = "more than 256Mi of memory" },
    { .name = "killed in the middle of its result",
      .status = { RUNNING, TARGET },
      .now_s = 45,
      .in = { .agent = &killed, .result = &cut, .log_tries = 3 },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_FAILED,
      .reason = "AgentKilled",
      .message = "exit code 137" },
    { .name = "deadline",
      .status = { RUNNING, TARGET },
      .now_s = 240,
      .in = { .agent = &late, .result = &nothing, .log_tries = 3 },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_FAILED,
      .reason = "DeadlineExceeded",
      .message = "within 210s" },
    { .name = "log cannot be read, once",
      .status = { RUNNING, TARGET },
      .now_s = 45,
      .in = { .agent = &ended, .log_failures = 1, .log_error = "x" },
      .action = PLAN_WAIT,
      .again_s = 47 },
    { .name = "log cannot be read, next pass",
      .status = { RUNNING, TARGET },
      .now_s = 47,
      .in = { .agent = &ended, .log_failures = 1 },
      .action = PLAN_READ_LOG },
    { .name = "log cannot be read, for good",
      .status = { RUNNING, TARGET },
      .now_s = 90,
      .in = { .agent = &ended, .log_failures = 5, .log_error = "kubelet is away" },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_FAILED,
      .reason = "AgentLost",
      .message = "kubelet is away" },
    { .name = "agent pod is gone while it ran",
      .status = { RUNNING, TARGET },
      .now_s = 20,
      .in = { .agent_fresh = true },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_FAILED,
      .reason = "AgentLost" },
    { .name = "agent pod is gone before it ran",
      .status = { STARTING, TARGET },
      .now_s = 20,
      .in = { .agent_seen = true, .fresh = true, .agent_fresh = true },
      .action = PLAN_WRITE_STATUS,
      .phase = PLAN_FAILED,
      .reason = "AgentLost" },
    { .name = "finished",
      .status = { .phase = "Succeeded", TARGET },
      .in = { .agent = &ended },
      .action = PLAN_DELETE_AGENT },
    { .name = "finished, its agent still runs",
      .status = { .phase = "Failed", TARGET },
      .in = { .agent = &running },
      .action = PLAN_DELETE_AGENT },
    { .name = "finished, its agent is leaving",
      .status = { .phase = "Succeeded", TARGET },
      .in = { .agent = &leaving },
      .action = PLAN_WAIT },
    { .name = "finished, never again",
      .status = { .phase = "Failed", TARGET },
      .in = { .fresh = true },
      .action = PLAN_WAIT },
    { .name = "finished, invalid does not matter",
      .status = { .phase = "Succeeded" },
      .in = { .invalid = "x" },
      .action = PLAN_WAIT },
    { .name = "TTL runs",
      .status = { .phase = "Failed", .completion_time = t0 },
      .now_s = 10,
      .ttl_s = 60,
      .action = PLAN_WAIT,
      .again_s = 60 },
    { .name = "TTL is over",
      .status = { .phase = "Failed", .completion_time = t0 },
      .now_s = 60,
      .ttl_s = 60,
      .action = PLAN_READ_PODFLAME },
    { .name = "TTL is over, for sure",
      .status = { .phase = "Failed", .completion_time = t0 },
      .now_s = 60,
      .ttl_s = 60,
      .in = { .fresh = true },
      .action = PLAN_DELETE_PODFLAME },
    { .name = "being deleted with an agent",
      .status = { RUNNING, TARGET },
      .deleting = t0,
      .in = { .agent = &running },
      .action = PLAN_DELETE_AGENT },
    { .name = "being deleted, by somebody's finalizer not yet",
      .status = { RUNNING, TARGET },
      .deleting = t0,
      .action = PLAN_WAIT },
    { .name = "deleted with an agent",
      .status = { RUNNING, TARGET },
      .in = { .gone = true, .agent = &running },
      .action = PLAN_DELETE_AGENT },
    { .name = "deleted", .in = { .gone = true }, .action = PLAN_FORGET },
};

static void every_state_has_its_action(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct podflame pf = {
            .name = "p",
            .namespace = "ns",
            .uid = "u",
            .resource_version = "1",
            .creation_timestamp = t0,
            .deletion_timestamp = cases[i].deleting ? cases[i].deleting : "",
            .spec = { .target_pod = "web-0",
                      .container_name = "",
                      .duration = "30s",
                      .event = "cpu",
                      .duration_s = DURATION,
                      .frequency = 99,
                      .ttl_s = cases[i].ttl_s ? cases[i].ttl_s : -1 },
            .status = cases[i].status,
        };
        const char **texts[] = { &pf.status.phase,
                                 &pf.status.start_time,
                                 &pf.status.completion_time,
                                 &pf.status.node_name,
                                 &pf.status.agent_pod,
                                 &pf.status.target_pod_uid,
                                 &pf.status.target_container_id,
                                 &pf.status.target_container_name,
                                 &pf.status.succeeded.status,
                                 &pf.status.succeeded.reason,
                                 &pf.status.succeeded.message };
        struct plan_input in = cases[i].in;
        struct plan plan;

        for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++)
            *texts[k] = *texts[k] ? *texts[k] : "";
        in.pf = &pf;
        in.now_s = T0 + cases[i].now_s;
        in.target_wait_s = PLAN_TARGET_WAIT_S;
        in.memory_limit = "256Mi";
        plan_next(&in, &plan);
        int64_t again_s = cases[i].again_s ? T0 + cases[i].again_s : 0;
        if (plan.action != cases[i].action || plan.again_s != again_s)
            fail_msg("%s: action %d again %lld, expected %d again %lld (%s: %s)", cases[i].name,
                     (int)plan.action, (long long)plan.again_s, (int)cases[i].action,
                     (long long)again_s, plan.reason, plan.message);
        if (plan.action != PLAN_WRITE_STATUS)
            continue;
        if (plan.phase != cases[i].phase || strcmp(plan.reason, cases[i].reason) != 0 ||
            (cases[i].message && !strstr(plan.message, cases[i].message)))
            fail_msg("%s: phase %d %s: %s", cases[i].name, (int)plan.phase, plan.reason,
                     plan.message);
        /* The end is always worth an event, whatever was told before. */
        if (!plan.event && (plan.phase == PLAN_SUCCEEDED || plan.phase == PLAN_FAILED))
            fail_msg("%s: no event", cases[i].name);
    }
}

static void an_agent_without_a_podflame_goes(void **state)
{
    struct plan_input in = { .agent = &running, .now_s = AGENT_T + 29 };
    struct plan plan;

    (void)state;
    plan_next(&in, &plan); /* our list may not have it yet */
    assert_int_equal(plan.action, PLAN_WAIT);
    assert_int_equal(plan.again_s, AGENT_T + PLAN_ORPHAN_GRACE_S);
    in.now_s++;
    plan_next(&in, &plan);
    assert_int_equal(plan.action, PLAN_READ_PODFLAME);
    in.gone = true;
    plan_next(&in, &plan);
    assert_int_equal(plan.action, PLAN_DELETE_AGENT);
    in.agent = &leaving;
    plan_next(&in, &plan);
    assert_int_equal(plan.action, PLAN_WAIT);
    in.agent = NULL;
    plan_next(&in, &plan);
    assert_int_equal(plan.action, PLAN_FORGET);
}

#define POD(node, status)                                                                          \
    "{\"metadata\":{\"uid\":\"pu\"},\"spec\":{" node                                               \
    "\"containers\":[{\"name\":\"app\"},{\"name\":\"side\"}]},\"status\":{\"phase\":\"Running\","  \
    "\"containerStatuses\":[{\"name\":\"app\"," status "}]}}"
#define ON_N1 "\"nodeName\":\"n1\","
#define RUNS  "\"containerID\":\"containerd://c\",\"state\":{\"running\":{}}"

static const struct {
    const char *name, *pod, *container;
    enum plan_target_state state;
    enum plan_reason reason;
} targets[] = {
    { "runs", POD(ON_N1, RUNS), "app", PLAN_TARGET_OK, PLAN_NONE },
    { "no pod", NULL, "app", PLAN_TARGET_BAD, PLAN_TARGET_NOT_FOUND },
    { "no such container", POD(ON_N1, RUNS), "other", PLAN_TARGET_BAD, PLAN_CONTAINER_NOT_FOUND },
    { "none named of two", POD(ON_N1, RUNS), "", PLAN_TARGET_BAD, PLAN_CONTAINER_NOT_FOUND },
    { "without a status", POD(ON_N1, RUNS), "side", PLAN_TARGET_BAD, PLAN_CONTAINER_NOT_RUNNING },
    { "no node", POD("", RUNS), "app", PLAN_TARGET_BAD, PLAN_CONTAINER_NOT_RUNNING },
    { "waits", POD(ON_N1, "\"state\":{\"waiting\":{}}"), "app", PLAN_TARGET_BAD,
      PLAN_CONTAINER_NOT_RUNNING },
    { "terminated", POD(ON_N1, "\"containerID\":\"x://c\",\"state\":{\"terminated\":{}}"), "app",
      PLAN_TARGET_BAD, PLAN_CONTAINER_NOT_RUNNING },
};

static void targets_are_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        struct podflame pf = { .namespace = "ns",
                               .spec = { .target_pod = "web-0",
                                         .container_name = targets[i].container } };
        _cleanup_json_ struct json_object *pod = NULL;
        struct plan_target t;
        struct err e = { 0 };

        if (targets[i].pod)
            assert_int_equal(json_parse(targets[i].pod, strlen(targets[i].pod), 16, &pod, &e), 0);
        plan_judge_target(&pf, pod, &t);
        if (t.state != targets[i].state || t.reason != targets[i].reason)
            fail_msg("%s: state %d reason %s: %s", targets[i].name, (int)t.state,
                     plan_reason_name(t.reason), t.message);
        if (t.state == PLAN_TARGET_OK) {
            assert_string_equal(t.node, "n1");
            assert_string_equal(t.pod_uid, "pu");
            assert_string_equal(t.container_id, "containerd://c");
            assert_string_equal(t.container_name, "app");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_has_its_action),
        cmocka_unit_test(an_agent_without_a_podflame_goes),
        cmocka_unit_test(targets_are_judged),
    };

    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
