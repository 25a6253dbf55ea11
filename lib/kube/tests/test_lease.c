/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/kube/lease.h"

#include "lib/json.h"
#include "lib/kube/config.h"
#include "lib/kube/tests/fake_api.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { REPLICAS = 3, DURATION_MS = 600, RENEW_MS = 400, RETRY_MS = 60, WAIT_MS = 10000 };

/* ---- the decision ---- */

static void the_step_follows_from_the_record(void **state)
{
    static const struct {
        const char *name;
        struct kube_lease_view view;
        enum kube_lease_step step;
    } cases[] = {
        { "none there", { .exists = false }, KUBE_LEASE_CREATE },
        { "ours", { true, "me", 1000, 0 }, KUBE_LEASE_RENEW },
        { "ours, and long silent", { true, "me", 1000, 5000 }, KUBE_LEASE_RENEW },
        { "given back", { true, "", 1000, 0 }, KUBE_LEASE_TAKE },
        { "another's, just seen", { true, "you", 1000, 0 }, KUBE_LEASE_WAIT },
        { "another's, almost over", { true, "you", 1000, 999 }, KUBE_LEASE_WAIT },
        { "another's, over", { true, "you", 1000, 1000 }, KUBE_LEASE_TAKE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (kube_lease_next(&cases[i].view, "me") != cases[i].step)
            fail_msg("%s: %d, not %d", cases[i].name, kube_lease_next(&cases[i].view, "me"),
                     cases[i].step);
}

/* ---- replicas against one Lease ---- */

struct world {
    struct fake_api api;
    struct kube_config kube;
    struct json_object *record;
    int64_t version;
    atomic_bool down;
    atomic_int problems;
    struct kube_lease *leases[REPLICAS];
};

static void store(struct world *w, const char *text)
{
    struct err e = { 0 };
    char version[24];

    json_put(w->record);
    w->record = NULL;
    if (json_parse(text, strlen(text), 16, &w->record, &e) < 0)
        abort();
    (void)snprintf(version, sizeof(version), "%lld", (long long)++w->version);
    json_set_str(json_get(w->record, "metadata"), "resourceVersion", version);
}

static bool is_current(struct world *w, const char *body)
{
    _cleanup_json_ struct json_object *o = NULL;
    struct err e = { 0 };

    if (json_parse(body, strlen(body), 16, &o, &e) < 0)
        abort();
    return strcmp(json_get_str(o, "metadata.resourceVersion"),
                  json_get_str(w->record, "metadata.resourceVersion")) == 0;
}

static void answer(void *ctx, const struct fake_request *q, struct fake_reply *r)
{
    struct world *w = ctx;

    bool writes = strcmp(q->method, "GET") != 0, makes = strcmp(q->method, "POST") == 0;

    if (w->down) {
        fake_refuse(r, 503, "ServiceUnavailable");
    } else if (!w->record && !makes) {
        fake_refuse(r, 404, "NotFound");
    } else if (writes && w->record && (makes || !is_current(w, q->body))) {
        fake_refuse(r, 409, makes ? "AlreadyExists" : "Conflict");
    } else if (writes) {
        store(w, q->body);
    }
    if (!r->body)
        r->body = strdup(json_object_to_json_string(w->record));
}

static void on_problem(void *ctx, const struct err *e)
{
    struct world *w = ctx;

    (void)e;
    w->problems++;
}

static void start(struct world *w, int i)
{
    char identity[16];
    struct err e = { 0 };

    (void)snprintf(identity, sizeof(identity), "replica-%d", i);
    const struct kube_lease_options options = { .ns = "system",
                                                .name = "leader",
                                                .identity = identity,
                                                .duration_ms = DURATION_MS,
                                                .renew_ms = RENEW_MS,
                                                .retry_ms = RETRY_MS,
                                                .problem = on_problem,
                                                .ctx = w };
    if (kube_lease_start(&options, &w->kube, &w->leases[i], &e) < 0)
        fail_msg("%s", e.msg);
}

static void stop(struct world *w, int i)
{
    kube_lease_stop(w->leases[i]);
    w->leases[i] = NULL;
}

static int setup(void **state)
{
    struct world *w = mem_zalloc(sizeof(*w));

    fake_api_start(&w->api, answer, w);
    w->kube.server = w->api.url;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < REPLICAS; i++)
        stop(w, i);
    fake_api_stop(&w->api);
    json_put(w->record);
    free(w);
    return 0;
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Who holds it; -1: nobody. Never two. */
static int holder(struct world *w)
{
    int who = -1;

    for (int i = 0; i < REPLICAS; i++) {
        if (!w->leases[i] || !kube_lease_is_held(w->leases[i]))
            continue;
        if (who >= 0)
            fail_msg("replicas %d and %d hold it", who, i);
        who = i;
    }
    return who;
}

/* Until somebody but @not holds it; returns who, and how long it took. */
static int wait_holder(struct world *w, int not, int64_t *ret_ms)
{
    int64_t begin = now_ms();
    int who;

    while ((who = holder(w)) < 0 || who == not ) {
        if (now_ms() - begin > WAIT_MS)
            fail_msg("nobody holds it");
        (void)usleep(2000);
    }
    if (ret_ms)
        *ret_ms = now_ms() - begin;
    return who;
}

static void one_of_many_holds_it(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < REPLICAS; i++)
        start(w, i);
    int who = wait_holder(w, -1, NULL);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(holder(w), who);
        (void)usleep(5000);
    }
}

static void given_back_it_is_taken_at_the_next_try(void **state)
{
    struct world *w = *state;
    int64_t took_ms;

    start(w, 0);
    assert_int_equal(wait_holder(w, -1, NULL), 0);
    start(w, 1);
    (void)usleep(RETRY_MS * 2000);
    stop(w, 0);
    assert_int_equal(wait_holder(w, 0, &took_ms), 1);
    assert_true(took_ms < DURATION_MS - RETRY_MS);
}

static void a_silent_holder_is_followed_after_its_duration(void **state)
{
    struct world *w = *state;
    int64_t took_ms;

    (void)pthread_mutex_lock(&w->api.lock);
    store(w, "{\"metadata\":{},\"spec\":{\"holderIdentity\":\"gone\",\"leaseDurationSeconds\":1,"
             "\"renewTime\":\"2099-01-01T00:00:00.000000Z\",\"leaseTransitions\":7}}");
    (void)pthread_mutex_unlock(&w->api.lock);
    start(w, 0);
    assert_int_equal(wait_holder(w, -1, &took_ms), 0);
    assert_true(took_ms >= 900);
    (void)pthread_mutex_lock(&w->api.lock);
    assert_int_equal(json_get_int(w->record, "spec.leaseTransitions", 0), 8);
    (void)pthread_mutex_unlock(&w->api.lock);
}

static void unreachable_it_is_lost_in_time_and_won_again(void **state)
{
    struct world *w = *state;

    start(w, 0);
    assert_int_equal(wait_holder(w, -1, NULL), 0);
    w->down = true;
    int64_t begin = now_ms(), seen = begin;
    for (int64_t now = begin; holder(w) == 0; now = now_ms()) {
        seen = now; /* and not when it was found lost: the machine may be busy */
        (void)usleep(1000);
    }
    assert_true(seen - begin <= RENEW_MS);
    assert_in_range(w->problems, 1, 2); /* told once, not at each try */
    w->down = false;
    assert_int_equal(wait_holder(w, -1, NULL), 0);
}

static void deleted_or_taken_it_is_noticed(void **state)
{
    struct world *w = *state;

    start(w, 0);
    assert_int_equal(wait_holder(w, -1, NULL), 0);
    (void)pthread_mutex_lock(&w->api.lock);
    json_put(w->record);
    w->record = NULL;
    (void)pthread_mutex_unlock(&w->api.lock);
    (void)usleep(RETRY_MS * 4000);
    assert_int_equal(wait_holder(w, -1, NULL), 0);
    (void)pthread_mutex_lock(&w->api.lock);
    assert_non_null(w->record);
    store(w,
          "{\"metadata\":{},\"spec\":{\"holderIdentity\":\"thief\",\"leaseDurationSeconds\":1}}");
    (void)pthread_mutex_unlock(&w->api.lock);
    (void)usleep(RETRY_MS * 4000);
    assert_int_equal(holder(w), -1);
    assert_int_equal(wait_holder(w, -1, NULL), 0);
}

static void wrong_options_are_refused(void **state)
{
    static const struct {
        const char *name;
        struct kube_lease_options options;
    } cases[] = {
        { "renew not shorter than duration",
          { .ns = "a", .name = "b", .identity = "c", .duration_ms = 10000 } },
        { "retry not shorter than renew",
          { .ns = "a", .name = "b", .identity = "c", .retry_ms = 10000 } },
        { "no identity", { .ns = "a", .name = "b", .identity = "" } },
        { "a path", { .ns = "a/b", .name = "b", .identity = "c" } },
    };
    struct world *w = *state;
    struct kube_lease *lease = NULL;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err e = { 0 };

        if (kube_lease_start(&cases[i].options, &w->kube, &lease, &e) != -EINVAL || lease)
            fail_msg("%s: accepted", cases[i].name);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_step_follows_from_the_record),
        TEST(one_of_many_holds_it),
        TEST(given_back_it_is_taken_at_the_next_try),
        TEST(a_silent_holder_is_followed_after_its_duration),
        TEST(unreachable_it_is_lost_in_time_and_won_again),
        TEST(deleted_or_taken_it_is_noticed),
        TEST(wrong_options_are_refused),
    };

    return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
