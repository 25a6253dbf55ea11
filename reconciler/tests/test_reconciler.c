/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/reconciler.h"

#include "lib/kube/config.h"
#include "lib/log.h"
#include "lib/podflame/result.h"
#include "reconciler/tests/fake_cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WAIT_MS = 15000, PAGE_BYTES = 300 * 1024 };

struct world {
    struct fake_cluster *cluster;
    struct kube_config kube;
    struct reconciler_config config;
    struct reconciler *reconciler;
};

static void start(struct world *w)
{
    struct err e = { 0 };

    if (reconciler_start(&w->config, &w->kube, &w->reconciler, &e) < 0)
        fail_msg("%s", e.msg);
}

static void stop(struct world *w)
{
    reconciler_stop(w->reconciler);
    w->reconciler = NULL;
}

static void set_log(struct world *w, size_t page_size)
{
    _cleanup_buf_ struct buf log = BUF_INIT(4 << 20);
    unsigned char *page = mem_zalloc(page_size);

    assert_int_equal(buf_add_str(&log, "ts=1 level=info msg=hello\n"), 0);
    assert_int_equal(
        result_encode(&(struct result_profile){ .samples = 42 }, page, page_size, &log), 0);
    free(w->cluster->log);
    w->cluster->log = buf_take(&log, NULL);
    free(page);
}

static int setup(void **state)
{
    struct world *w = mem_zalloc(sizeof(*w));

    log_set_level(getenv("TEST_VERBOSE") ? LOG_DEBUG : LOG_ERROR);
    w->cluster = fake_cluster_new();
    w->kube.server = w->cluster->api.url;
    w->config = (struct reconciler_config){ .namespace = "system",
                                            .agent_image = "agent:1",
                                            .target_wait_s = -1 };
    set_log(w, PAGE_BYTES);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    stop(w);
    fake_cluster_free(w->cluster);
    free(w);
    return 0;
}

static void lock(struct world *w)
{
    (void)pthread_mutex_lock(&w->cluster->api.lock);
}

static void unlock(struct world *w)
{
    (void)pthread_mutex_unlock(&w->cluster->api.lock);
}

static void add_target(struct world *w)
{
    lock(w);
    (void)fake_add(
        w->cluster, FAKE_POD,
        fake_json("{\"metadata\":{\"namespace\":\"shop\",\"name\":\"web-0\",\"uid\":\"pod-uid\"},"
                  "\"spec\":{\"nodeName\":\"n1\",\"containers\":[{\"name\":\"app\"}]},"
                  "\"status\":{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"app\","
                  "\"containerID\":\"containerd://c1\",\"state\":{\"running\":{}}}]}}"));
    unlock(w);
}

static void add_podflame(struct world *w, const char *name, const char *more_spec)
{
    _cleanup_free_ char *text = mem_printf(
        "{\"apiVersion\":\"profilepod.io/v1alpha1\",\"kind\":\"PodFlame\",\"metadata\":{"
        "\"namespace\":\"shop\",\"name\":\"%s\",\"uid\":\"uid-%s\",\"generation\":1,"
        "\"creationTimestamp\":\"%s\"},\"spec\":{\"targetPod\":\"web-0\",\"duration\":\"30s\","
        "\"event\":\"cpu\",\"frequency\":99%s}}",
        name, name, fake_now(), more_spec);

    lock(w);
    (void)fake_add(w->cluster, FAKE_PODFLAME, fake_json(text));
    unlock(w);
}

/* The text at @path of a PodFlame, or of its agent; "" when there is none. */
static void look(struct world *w, enum fake_kind kind, const char *name, const char *path,
                 char *text, size_t size)
{
    lock(w);
    struct fake_object *o = fake_find(w->cluster, kind, kind == FAKE_POD ? "system" : "shop", name);
    const char *value = o ? json_get_str(o->json, path) : NULL;
    (void)snprintf(text, size, "%s", value ? value : "");
    unlock(w);
}

static void wait_for(struct world *w, enum fake_kind kind, const char *name, const char *path,
                     const char *expect)
{
    char text[512] = "";

    for (int ms = 0; ms < WAIT_MS; ms += 5) {
        look(w, kind, name, path, text, sizeof(text));
        if (strcmp(text, expect) == 0)
            return;
        (void)usleep(5000);
    }
    char message[512];
    look(w, FAKE_PODFLAME, name, "status.failed", message, sizeof(message));
    fail_msg("%s %s: '%s', expected '%s' (%s)", name, path, text, expect, message);
}

static void assert_reason(struct world *w, const char *name, const char *reason)
{
    lock(w);
    struct fake_object *o = fake_find(w->cluster, FAKE_PODFLAME, "shop", name);
    assert(o);
    struct json_object *conditions = json_get_array(o->json, "status.conditions");
    const char *got = json_get_str(json_object_array_get_idx(conditions, 0), "reason");
    assert_string_equal(got, reason);
    unlock(w);
}

static void set_agent(struct world *w, const char *name, const char *status)
{
    lock(w);
    struct fake_object *o = fake_find(w->cluster, FAKE_POD, "system", name);
    assert_non_null(o);
    fake_set_status(w->cluster, o, status);
    unlock(w);
}

#define AGENT "podflame-uid-a"

static void expect_success(struct world *w)
{
    static char page[500000];
    char text[64];

    wait_for(w, FAKE_PODFLAME, "a", "status.phase", "Succeeded");
    wait_for(w, FAKE_POD, AGENT, "metadata.name", ""); /* deleted */
    look(w, FAKE_PODFLAME, "a", "status.flameGraph", page, sizeof(page));
    assert_int_equal(strlen(page), PAGE_BYTES / 3 * 4);
    look(w, FAKE_PODFLAME, "a", "status.target.containerID", text, sizeof(text));
    assert_string_equal(text, "containerd://c1");
    look(w, FAKE_PODFLAME, "a", "status.nodeName", text, sizeof(text));
    assert_string_equal(text, "n1");
    look(w, FAKE_PODFLAME, "a", "status.completionTime", text, sizeof(text));
    assert_string_not_equal(text, "");
    assert_reason(w, "a", "ProfileReady");
    assert_int_equal(w->cluster->agents_created, 1);
    assert_int_equal(w->cluster->agents_deleted, 1);
    assert_int_equal(w->cluster->results_written, 1);
}

static void play_kubelet(struct world *w)
{
    wait_for(w, FAKE_POD, AGENT, "metadata.name", AGENT);
    set_agent(w, AGENT, FAKE_RUNNING);
    wait_for(w, FAKE_PODFLAME, "a", "status.phase", "Running");
    set_agent(w, AGENT, FAKE_ENDED);
}

static void from_apply_to_flame_graph(void **state)
{
    struct world *w = *state;

    add_target(w);
    start(w);
    add_podflame(w, "a", "");
    play_kubelet(w);
    expect_success(w);
    assert_true(reconciler_ready(w->reconciler));
    stop(w);
    assert_true(w->cluster->told >= 2);
}

static void conflicts_are_read_again(void **state)
{
    struct world *w = *state;

    w->cluster->conflicts = 3;
    add_target(w);
    start(w);
    add_podflame(w, "a", "");
    play_kubelet(w);
    lock(w);
    w->cluster->conflicts += 2;
    unlock(w);
    expect_success(w);
}

static void errors_are_tried_again(void **state)
{
    struct world *w = *state;

    w->cluster->create_errors = 2;
    w->cluster->log_errors = 1;
    add_target(w);
    start(w);
    add_podflame(w, "a", "");
    play_kubelet(w);
    expect_success(w);
}

/* Connections that are dropped without an answer: the log is read as soon as there is a server. */
static void a_log_waits_for_the_api_server(void **state)
{
    struct world *w = *state;

    w->cluster->log_drops = 4;
    add_target(w);
    start(w);
    add_podflame(w, "a", "");
    play_kubelet(w);
    expect_success(w);
}

static void wait_message(struct world *w, const char *name, const char *part)
{
    bool found = false;

    for (int ms = 0; ms < WAIT_MS && !found; ms += 5) {
        lock(w);
        struct fake_object *o = fake_find(w->cluster, FAKE_PODFLAME, "shop", name);
        assert(o);
        struct json_object *conditions = json_get_array(o->json, "status.conditions");
        const char *message =
            conditions ? json_get_str(json_object_array_get_idx(conditions, 0), "message") : NULL;
        found = message && strstr(message, part);
        unlock(w);
        (void)usleep(5000);
    }
    if (!found)
        fail_msg("%s: nothing tells '%s'", name, part);
}

static void what_hinders_the_agent_is_told(void **state)
{
    struct world *w = *state;

    w->cluster->create_errors = 1000;
    add_target(w);
    start(w);
    add_podflame(w, "a", "");
    wait_message(w, "a", "the agent pod cannot be created yet: refused: InternalError");
    lock(w);
    w->cluster->create_errors = 0;
    unlock(w);
    play_kubelet(w);
    expect_success(w);
}

static void add_agent(struct world *w, const char *created, const char *uid_label)
{
    _cleanup_free_ char *text =
        mem_printf("{\"metadata\":{\"namespace\":\"system\",\"name\":\"" AGENT
                   "\",\"uid\":\"x\",\"creationTimestamp\":\"%s\",\"labels\":{"
                   "\"podflame.profilepod.io/uid\":\"%s\"},\"annotations\":{"
                   "\"podflame.profilepod.io/namespace\":\"shop\","
                   "\"podflame.profilepod.io/name\":\"a\"}}}",
                   created, uid_label);

    lock(w);
    (void)fake_add(w->cluster, FAKE_POD, fake_json(text));
    w->cluster->agents_created++;
    unlock(w);
}

static void an_agent_that_is_there_is_adopted(void **state)
{
    struct world *w = *state;

    add_target(w);
    add_podflame(w, "a", "");
    add_agent(w, fake_now(), "uid-a");
    set_agent(w, AGENT, FAKE_RUNNING);
    start(w);
    wait_for(w, FAKE_PODFLAME, "a", "status.phase", "Running");
    set_agent(w, AGENT, FAKE_ENDED);
    wait_for(w, FAKE_PODFLAME, "a", "status.phase", "Succeeded");
    assert_int_equal(w->cluster->agents_created, 1);
}

static void a_foreign_pod_of_that_name_is_left_alone(void **state)
{
    struct world *w = *state;

    add_target(w);
    add_agent(w, fake_now(), "another");
    start(w);
    add_podflame(w, "a", "");
    wait_for(w, FAKE_PODFLAME, "a", "status.phase", "Failed");
    assert_reason(w, "a", "AgentNotStarted");
    assert_int_equal(w->cluster->agents_deleted, 0);
}

static void a_deleted_podflame_takes_its_agent_along(void **state)
{
    struct world *w = *state;

    add_target(w);
    start(w);
    add_podflame(w, "a", "");
    wait_for(w, FAKE_POD, AGENT, "metadata.name", AGENT);
    set_agent(w, AGENT, FAKE_RUNNING);
    wait_for(w, FAKE_PODFLAME, "a", "status.phase", "Running");
    lock(w);
    fake_remove(w->cluster, fake_find(w->cluster, FAKE_PODFLAME, "shop", "a"));
    unlock(w);
    wait_for(w, FAKE_POD, AGENT, "metadata.name", "");
}

static void an_agent_left_behind_is_swept(void **state)
{
    struct world *w = *state;

    add_agent(w, "2020-01-01T00:00:00Z", "uid-a");
    add_podflame(w, "b", ""); /* not its own */
    start(w);
    wait_for(w, FAKE_POD, AGENT, "metadata.name", "");
}

static void a_restart_continues_wherever_it_was(void **state)
{
    struct world *w = *state;

    add_target(w);
    add_podflame(w, "a", "");
    w->cluster->create_errors = 1; /* recorded, not created */
    start(w);
    wait_for(w, FAKE_PODFLAME, "a", "status.agentPod", AGENT);
    stop(w);
    start(w);
    wait_for(w, FAKE_POD, AGENT, "metadata.name", AGENT);
    stop(w);
    set_agent(w, AGENT, FAKE_RUNNING);
    start(w);
    wait_for(w, FAKE_PODFLAME, "a", "status.phase", "Running");
    stop(w);
    set_agent(w, AGENT, FAKE_ENDED); /* while nobody looks */
    start(w);
    expect_success(w);
    stop(w);
    start(w); /* and never again */
    (void)usleep(300000);
    assert_int_equal(w->cluster->agents_created, 1);
}

static void two_at_once_make_one_profile(void **state)
{
    struct world *w = *state;
    struct reconciler *second = NULL;
    struct err e = { 0 };

    add_target(w);
    start(w);
    assert_int_equal(reconciler_start(&w->config, &w->kube, &second, &e), 0);
    for (int i = 0; i < 20; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "n%d", i);
        w->cluster->agents_end_at_once = true;
        add_podflame(w, name, "");
    }
    for (int i = 0; i < 20; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "n%d", i);
        wait_for(w, FAKE_PODFLAME, name, "status.phase", "Succeeded");
    }
    for (int i = 0; i < 20; i++) {
        char agent[32];

        (void)snprintf(agent, sizeof(agent), "podflame-uid-n%d", i);
        wait_for(w, FAKE_POD, agent, "metadata.name", "");
    }
    reconciler_stop(second);
    stop(w);
    /* These agents end at once: one replica may be through before the other's POST arrives. What it
     * makes then is deleted by the same pass, and no second result is ever written. */
    assert_in_range(w->cluster->agents_created, 20, 25);
    assert_int_equal(w->cluster->agents_deleted, w->cluster->agents_created);
    assert_int_equal(w->cluster->results_written, 20);
}

static bool leads(void *ctx)
{
    return *(atomic_bool *)ctx;
}

/* A replica that does not lead follows and writes nothing; it goes on at once when it does. */
static void only_the_leader_acts(void **state)
{
    struct world *w = *state;
    atomic_bool led = false;

    w->config.leads = leads;
    w->config.ctx = &led;
    add_target(w);
    start(w);
    while (!reconciler_ready(w->reconciler))
        (void)usleep(1000);
    add_podflame(w, "a", "");
    (void)usleep(300000);
    lock(w);
    assert_int_equal(w->cluster->agents_created, 0);
    assert_int_equal(w->cluster->told, 0);
    unlock(w);
    led = true;
    wait_for(w, FAKE_POD, AGENT, "metadata.name", AGENT);
    set_agent(w, AGENT, FAKE_RUNNING);
    wait_for(w, FAKE_PODFLAME, "a", "status.phase", "Running");
    led = false;
    set_agent(w, AGENT, FAKE_ENDED);
    (void)usleep(300000);
    lock(w);
    assert_int_equal(w->cluster->results_written, 0);
    unlock(w);
    led = true;
    expect_success(w);
    stop(w);
}

static void a_result_that_is_refused_is_not_sent_again(void **state)
{
    struct world *w = *state;

    w->cluster->too_large = 100;
    w->cluster->agents_end_at_once = true;
    add_target(w);
    start(w);
    add_podflame(w, "a", "");
    wait_for(w, FAKE_PODFLAME, "a", "status.phase", "Failed");
    assert_reason(w, "a", "ResultTooLarge");
    assert_int_equal(w->cluster->results_refused, 1);
}

static void a_target_may_come_late_but_not_too_late(void **state)
{
    struct world *w = *state;

    w->config.target_wait_s = 4;
    w->cluster->agents_end_at_once = true;
    start(w);
    add_podflame(w, "late", "");
    wait_for(w, FAKE_PODFLAME, "late", "status.phase", "Pending");
    assert_reason(w, "late", "TargetNotFound");
    wait_for(w, FAKE_PODFLAME, "late", "status.phase", "Failed");
    assert_reason(w, "late", "TargetNotFound");
    add_podflame(w, "a", "");
    wait_for(w, FAKE_PODFLAME, "a", "status.phase", "Pending");
    add_target(w);
    expect_success(w);
}

static void finished_ones_are_deleted_after_their_time(void **state)
{
    struct world *w = *state;

    w->cluster->agents_end_at_once = true;
    add_target(w);
    start(w);
    add_podflame(w, "a", ",\"ttlSecondsAfterFinished\":1");
    wait_for(w, FAKE_PODFLAME, "a", "status.phase", "Succeeded");
    wait_for(w, FAKE_PODFLAME, "a", "metadata.name", "");
    assert_int_equal(w->cluster->agents_deleted, 1);
}

static void an_invalid_one_says_all_that_is_wrong(void **state)
{
    struct world *w = *state;
    char message[512];

    start(w);
    add_podflame(w, "a", ",\"frequency\":5000,\"event\":\"x\"");
    wait_for(w, FAKE_PODFLAME, "a", "status.phase", "Failed");
    assert_reason(w, "a", "InvalidSpec");
    look(w, FAKE_PODFLAME, "a", "status.failed", message, sizeof(message));
    assert_non_null(strstr(message, "spec.frequency"));
    assert_non_null(strstr(message, "spec.event"));
}

static void many_are_done_soon(void **state)
{
    enum { MANY = 300 };
    struct world *w = *state;
    char name[16];

    set_log(w, 3000);
    w->cluster->agents_end_at_once = true;
    add_target(w);
    start(w);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof(name), "m%d", i);
        add_podflame(w, name, "");
    }
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof(name), "m%d", i);
        wait_for(w, FAKE_PODFLAME, name, "status.phase", "Succeeded");
    }
    stop(w);
    assert_int_equal(w->cluster->agents_created, MANY);
    assert_int_equal(w->cluster->results_written, MANY);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(from_apply_to_flame_graph),
        TEST(conflicts_are_read_again),
        TEST(errors_are_tried_again),
        TEST(a_log_waits_for_the_api_server),
        TEST(what_hinders_the_agent_is_told),
        TEST(an_agent_that_is_there_is_adopted),
        TEST(a_foreign_pod_of_that_name_is_left_alone),
        TEST(a_deleted_podflame_takes_its_agent_along),
        TEST(an_agent_left_behind_is_swept),
        TEST(a_restart_continues_wherever_it_was),
        TEST(two_at_once_make_one_profile),
        TEST(only_the_leader_acts),
        TEST(a_result_that_is_refused_is_not_sent_again),
        TEST(a_target_may_come_late_but_not_too_late),
        TEST(finished_ones_are_deleted_after_their_time),
        TEST(an_invalid_one_says_all_that_is_wrong),
        TEST(many_are_done_soon),
    };

    return cmocka_run_group_tests_name("reconciler", tests, NULL, NULL);
}
