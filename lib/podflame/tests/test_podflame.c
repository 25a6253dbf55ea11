/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/podflame/podflame.h"

#include "lib/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define META "\"metadata\":{\"name\":\"x\",\"namespace\":\"shop\",\"uid\":\"u-1\"}"

static int decode(const char *text, struct podflame *pf, struct err *e)
{
    _cleanup_json_ struct json_object *object = NULL;

    if (json_parse(text, strlen(text), 32, &object, e) < 0)
        fail_msg("%s: %s", text, e->msg);
    return podflame_decode(object, pf, e);
}

static void absent_becomes_the_default(void **state)
{
    struct podflame pf = { 0 };
    struct err e = { 0 };

    (void)state;
    assert_int_equal(decode("{" META ",\"spec\":{\"targetPod\":\"web-0\"}}", &pf, &e), 0);
    assert_string_equal(pf.name, "x");
    assert_string_equal(pf.namespace, "shop");
    assert_string_equal(pf.uid, "u-1");
    assert_string_equal(pf.resource_version, "");
    assert_string_equal(pf.deletion_timestamp, "");
    assert_string_equal(pf.spec.target_pod, "web-0");
    assert_string_equal(pf.spec.container_name, "");
    assert_string_equal(pf.spec.duration, "2m");
    assert_string_equal(pf.spec.event, "cpu");
    assert_int_equal(pf.spec.duration_s, 120);
    assert_int_equal(pf.spec.frequency, 99);
    assert_int_equal(pf.spec.ttl_s, -1);
    assert_string_equal(pf.status.phase, "");
    assert_string_equal(pf.status.succeeded.status, "");
    assert_false(pf.status.has_flame_graph);
    assert_false(podflame_is_finished(&pf));
    podflame_release(&pf);
    podflame_release(&pf);
}

static void everything_is_read_and_outlives_the_json(void **state)
{
    struct podflame pf = { 0 };
    struct err e = { 0 };

    (void)state;
    assert_int_equal(
        decode("{\"metadata\":{\"name\":\"x\",\"namespace\":\"shop\",\"uid\":\"u-1\","
               "\"resourceVersion\":\"77\",\"generation\":3,\"creationTimestamp\":\"c\","
               "\"deletionTimestamp\":\"d\"},"
               "\"spec\":{\"targetPod\":\"web-0\",\"containerName\":\"app\",\"duration\":\"1m30s\","
               "\"event\":\"cpu\",\"frequency\":49,\"ttlSecondsAfterFinished\":60},"
               "\"status\":{\"phase\":\"Succeeded\",\"startTime\":\"s\",\"completionTime\":\"t\","
               "\"nodeName\":\"n\",\"agentPod\":\"a\",\"flameGraph\":\"H4s\","
               "\"target\":{\"podUID\":\"pu\",\"containerID\":\"ci\",\"containerName\":\"app\"},"
               "\"conditions\":[7,{\"type\":\"Other\",\"status\":\"False\"},{\"type\":"
               "\"Succeeded\",\"status\":\"True\",\"reason\":\"R\",\"message\":\"m\","
               "\"lastTransitionTime\":\"l\",\"observedGeneration\":2}]}}",
               &pf, &e),
        0);
    assert_string_equal(pf.resource_version, "77");
    assert_int_equal(pf.generation, 3);
    assert_string_equal(pf.creation_timestamp, "c");
    assert_string_equal(pf.deletion_timestamp, "d");
    assert_string_equal(pf.spec.container_name, "app");
    assert_int_equal(pf.spec.duration_s, 90);
    assert_int_equal(pf.spec.frequency, 49);
    assert_int_equal(pf.spec.ttl_s, 60);
    assert_string_equal(pf.status.start_time, "s");
    assert_string_equal(pf.status.completion_time, "t");
    assert_string_equal(pf.status.node_name, "n");
    assert_string_equal(pf.status.agent_pod, "a");
    assert_string_equal(pf.status.target_pod_uid, "pu");
    assert_string_equal(pf.status.target_container_id, "ci");
    assert_string_equal(pf.status.target_container_name, "app");
    assert_true(pf.status.has_flame_graph);
    assert_string_equal(pf.status.succeeded.status, "True");
    assert_string_equal(pf.status.succeeded.reason, "R");
    assert_string_equal(pf.status.succeeded.message, "m");
    assert_string_equal(pf.status.succeeded.last_transition_time, "l");
    assert_int_equal(pf.status.succeeded.observed_generation, 2);
    assert_true(podflame_is_finished(&pf));
    podflame_release(&pf);
}

static void what_is_no_podflame_is_refused(void **state)
{
    static const struct {
        const char *json, *message;
    } cases[] = {
        { "[]", "PodFlame: not a JSON object" },
        { "7", "PodFlame: not a JSON object" },
        { "{}", "PodFlame: metadata.name: missing" },
        { "{\"metadata\":{\"name\":\"x\",\"namespace\":\"n\"}}",
          "PodFlame: metadata.uid: missing" },
        { "{\"metadata\":{\"name\":7,\"namespace\":\"n\",\"uid\":\"u\"}}",
          "PodFlame: metadata.name: missing" },
        { "{" META ",\"spec\":{\"containerName\":\"app\\u0000\"}}",
          "PodFlame: spec.containerName: holds a NUL byte" },
        { "{" META ",\"status\":{\"conditions\":[{\"type\":\"Succeeded\",\"status\":\"True\\u0000\""
          "}]}}",
          "PodFlame: status.conditions: status: holds a NUL byte" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct podflame pf = { .generation = -7 };
        struct err e = { 0 };

        assert_int_equal(decode(cases[i].json, &pf, &e), -EINVAL);
        assert_string_equal(e.msg, cases[i].message);
        assert_int_equal(pf.generation, -7);
    }
}

static void a_bad_spec_decodes_too(void **state)
{
    struct podflame pf = { 0 };
    struct err e = { 0 };

    (void)state;
    assert_int_equal(decode("{" META ",\"spec\":{\"targetPod\":7,\"duration\":\"69x\","
                            "\"frequency\":\"99\"},\"status\":[]}",
                            &pf, &e),
                     0);
    assert_string_equal(pf.spec.target_pod, "");
    assert_string_equal(pf.spec.duration, "69x");
    assert_int_equal(pf.spec.duration_s, 0);
    assert_int_equal(pf.spec.frequency, 99);
    podflame_release(&pf);
}

static void long_texts_are_refused(void **state)
{
    _cleanup_buf_ struct buf text = BUF_INIT(256 << 10);
    struct podflame pf = { 0 };
    struct err e = { 0 };

    (void)state;
    (void)buf_add_str(&text, "{" META ",\"status\":{\"nodeName\":\"");
    for (int i = 0; i < 64 * 1024 + 1; i++)
        (void)buf_add_str(&text, "n");
    (void)buf_add_str(&text, "\"}}");
    assert_int_equal(decode(buf_str(&text), &pf, &e), -EINVAL);
    assert_string_equal(e.msg, "PodFlame: status.nodeName: longer than 65536 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_becomes_the_default),
        cmocka_unit_test(everything_is_read_and_outlives_the_json),
        cmocka_unit_test(what_is_no_podflame_is_refused),
        cmocka_unit_test(a_bad_spec_decodes_too),
        cmocka_unit_test(long_texts_are_refused),
    };

    return cmocka_run_group_tests_name("podflame", tests, NULL, NULL);
}
