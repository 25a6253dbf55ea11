/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/kube/pods.h"

#include "lib/json.h"
#include "lib/kube/config.h"
#include "lib/kube/tests/fake_api.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void handle(void *ctx, const struct fake_request *request, struct fake_reply *reply)
{
    (void)ctx;
    if (strcmp(request->url, "/api/v1/namespaces/shop/pods/web-0") == 0)
        reply->body = mem_strdup("{\"metadata\":{\"name\":\"web-0\"}}");
    else if (strcmp(request->url, "/api/v1/namespaces/shop/pods/slow") == 0)
        reply->end = FAKE_HANG;
    else if (strcmp(request->url, "/api/v1/namespaces/shop/pods/odd") == 0)
        reply->body = mem_strdup("<html>");
    else
        fake_refuse(reply, 404, "NotFound");
}

static const struct {
    const char *ns, *name;
    int code;
} cases[] = {
    { "shop", "web-0", 0 },
    { "shop", "nowhere", -ENOENT },
    { "shop", "slow", -ETIMEDOUT },
    { "shop", "odd", -EINVAL },
    { "shop", "../../secrets/x", -EINVAL },
    { "..", "web-0", -EINVAL },
    { "shop", "", -EINVAL },
    { "shop", "web-0?watch=true", -EINVAL },
};

static void pods_are_found_or_not_within_a_second(void **state)
{
    struct fake_api api;

    (void)state;
    fake_api_start(&api, handle, NULL);
    struct kube_config config = { .server = api.url };
    struct kube_pods *pods = kube_pods_new(&config);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        _cleanup_json_ struct json_object *pod = NULL;
        struct err e = { 0 };
        time_t began = time(NULL);
        int code = kube_pods_get(pods, cases[i].ns, cases[i].name, &pod, &e);

        if (code != cases[i].code || (code == 0) != (pod != NULL) || time(NULL) - began > 3)
            fail_msg("%s/%s: %d %s", cases[i].ns, cases[i].name, code, e.msg);
    }
    kube_pods_free(pods);
    fake_api_stop(&api);
}

static void *ask(void *pods)
{
    for (int i = 0; i < 50; i++) {
        _cleanup_json_ struct json_object *pod = NULL;
        struct err e = { 0 };

        if (kube_pods_get(pods, "shop", "web-0", &pod, &e) < 0 ||
            strcmp(json_get_str(pod, "metadata.name"), "web-0") != 0)
            return mem_strdup(e.msg);
    }
    return NULL;
}

static void many_threads_may_ask(void **state)
{
    enum { THREADS = 8 };
    struct fake_api api;
    pthread_t threads[THREADS];

    (void)state;
    fake_api_start(&api, handle, NULL);
    struct kube_config config = { .server = api.url };
    struct kube_pods *pods = kube_pods_new(&config);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, pods), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed = NULL;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        if (failed)
            fail_msg("%s", (char *)failed);
    }
    kube_pods_free(pods);
    fake_api_stop(&api);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pods_are_found_or_not_within_a_second),
        cmocka_unit_test(many_threads_may_ask),
    };

    return cmocka_run_group_tests_name("pods", tests, NULL, NULL);
}
