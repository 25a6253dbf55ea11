/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/kube/watch.h"

#include "lib/json.h"
#include "lib/kube/config.h"
#include "lib/kube/loop.h"
#include "lib/kube/tests/fake_api.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define ITEM(n, rv)        "{\"metadata\":{\"name\":\"" n "\",\"resourceVersion\":\"" rv "\"}}"
#define EVENT(type, n, rv) "{\"type\":\"" type "\",\"object\":" ITEM(n, rv) "}\n"
#define LIST(rv, items)    "{\"metadata\":{\"resourceVersion\":\"" rv "\"},\"items\":[" items "]}"

/* What the server answers, in order; the last is repeated. */
struct script {
    const struct step {
        const char *expect; /* must be in the query */
        int status;
        const char *body;
        enum fake_end end;
        size_t chunk;
        const char *retry_after;
    } * steps;
    int at, n;
    char wrong[256];
    int64_t asked_ms[32];
};

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void play(void *ctx, const struct fake_request *request, struct fake_reply *reply)
{
    struct script *script = ctx;
    const struct step *step = &script->steps[script->at < script->n ? script->at : script->n - 1];

    if (!strstr(request->query, step->expect) && !script->wrong[0])
        (void)snprintf(script->wrong, sizeof(script->wrong), "request %d: '%s' not in '%s'",
                       script->at, step->expect, request->query);
    if (script->at < 32)
        script->asked_ms[script->at] = now_ms();
    script->at++;
    reply->status = step->status ? step->status : 200;
    reply->body = mem_strdup(step->body);
    reply->end = step->end;
    reply->step = step->chunk;
    if (step->retry_after) {
        reply->header = "Retry-After";
        reply->value = step->retry_after;
    }
}

/* What the watch told, as one line of text. */
struct seen {
    struct buf text;
};

static void on_listing(void *ctx)
{
    (void)buf_add_str(&((struct seen *)ctx)->text, "[");
}

static void on_listed(void *ctx)
{
    (void)buf_add_str(&((struct seen *)ctx)->text, "] ");
}

static void on_changed(void *ctx, struct json_object *o)
{
    (void)buf_printf(&((struct seen *)ctx)->text, "+%s ", json_get_str(o, "metadata.name"));
}

static void on_removed(void *ctx, struct json_object *o)
{
    (void)buf_printf(&((struct seen *)ctx)->text, "-%s ", json_get_str(o, "metadata.name"));
}

static void on_problem(void *ctx, const struct err *e)
{
    (void)buf_printf(&((struct seen *)ctx)->text, "!%d ", e->code);
}

static const struct kube_watch_handler handler = { on_listing, on_listed, on_changed, on_removed,
                                                   on_problem };

/* Runs the script until the watch told @expect, and checks what it asked. */
static void run(const char *name, const struct step *steps, int n, int64_t backoff_min_ms,
                const char *expect, struct script *ret)
{
    struct script script = { .steps = steps, .n = n };
    struct seen seen = { .text = BUF_INIT(1 << 20) };
    struct fake_api api;

    fake_api_start(&api, play, &script);
    struct kube_config config = { .server = api.url };
    struct kube_loop *loop = kube_loop_new(&config);
    const struct kube_watch_options options = { .path = "/things",
                                                .selector = "labelSelector=a%3Db",
                                                .backoff_min_ms = backoff_min_ms,
                                                .backoff_max_ms = backoff_min_ms * 8,
                                                .event_max = 4096 };
    struct kube_watch *watch = kube_watch_open(loop, &options, &handler, &seen);
    int64_t end = now_ms() + 10000;

    while (strcmp(buf_str(&seen.text), expect) != 0 && now_ms() < end) {
        int64_t wait = kube_watch_tick(watch, now_ms());

        kube_loop_run(loop, wait >= 0 && wait < 100 ? (int)wait : 100);
    }
    kube_watch_close(watch);
    kube_loop_free(loop);
    fake_api_stop(&api);
    if (script.wrong[0])
        fail_msg("%s: %s", name, script.wrong);
    if (strcmp(buf_str(&seen.text), expect) != 0)
        fail_msg("%s: told '%s', expected '%s'", name, buf_str(&seen.text), expect);
    buf_release(&seen.text);
    if (ret)
        *ret = script;
}

#define RUN(name, steps, expect, ret)                                                              \
    run(name, steps, (int)(sizeof(steps) / sizeof((steps)[0])), 5, expect, ret)

static void lists_in_pages_and_goes_on_watching(void **state)
{
    static const struct step steps[] = {
        { .expect = "limit=200&labelSelector=a=b",
          0,
          "{\"metadata\":{\"resourceVersion\":\"4\",\"continue\":\"x/+=\"},\"items\":[" ITEM(
              "a", "1") "," ITEM("b", "2") "]}" },
        { .expect = "continue=x/+=", 0, LIST("5", ITEM("c", "3")) },
        { .expect = "resourceVersion=5",
          0,
          EVENT("ADDED", "d", "6") EVENT("DELETED", "a", "7"),
          FAKE_HANG },
    };

    (void)state;
    RUN("pages", steps, "[+a +b +c ] +d -a ", NULL);
}

static void an_ended_stream_is_resumed_where_it_stopped(void **state)
{
    static const struct step steps[] = {
        { .expect = "limit", 0, LIST("5", "") },
        { .expect = "watch=true&allowWatchBookmarks=true&timeoutSeconds=",
          0,
          EVENT("ADDED", "a", "0x9"),
          FAKE_EOF },
        { .expect = "resourceVersion=0x9", 0, EVENT("BOOKMARK", "", "12"), FAKE_EOF },
        { .expect = "resourceVersion=12", 0, EVENT("MODIFIED", "a", "13"), FAKE_HANG },
    };

    (void)state;
    RUN("eof", steps, "[] +a +a ", NULL);
}

static void a_cut_stream_loses_and_repeats_nothing(void **state)
{
    static const struct step steps[] = {
        { .expect = "limit", 0, LIST("5", "") },
        { .expect = "resourceVersion=5",
          0,
          EVENT("ADDED", "a", "6") "{\"type\":\"ADDED\",\"obj",
          FAKE_CUT },
        { .expect = "resourceVersion=6", 0, EVENT("ADDED", "b", "7"), FAKE_HANG },
    };

    (void)state;
    RUN("cut", steps, "[] +a !-5 +b ", NULL);
}

static void gone_means_list_again(void **state)
{
    static const struct step http[] = {
        { .expect = "limit", 0, LIST("5", ITEM("a", "1")) },
        { .expect = "resourceVersion=5", 410, "{\"kind\":\"Status\",\"reason\":\"Expired\"}" },
        { .expect = "limit", 0, LIST("9", ITEM("b", "8")) },
        { .expect = "resourceVersion=9", 0, "", FAKE_HANG },
    };
    static const struct step event[] = {
        { .expect = "limit", 0, LIST("5", ITEM("a", "1")) },
        { .expect = "resourceVersion=5",
          0,
          "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}\n",
          FAKE_HANG },
        { .expect = "limit", 0, LIST("9", "") },
        { .expect = "resourceVersion=9", 0, "", FAKE_HANG },
    };
    static const struct step page[] = {
        { .expect = "limit",
          0,
          "{\"metadata\":{\"resourceVersion\":\"4\",\"continue\":\"t\"},\"items\":[" ITEM(
              "a", "1") "]}" },
        { .expect = "continue=t", 410, "{\"kind\":\"Status\",\"reason\":\"Expired\"}" },
        { .expect = "limit=200&labelSelector=a=b", 0, LIST("9", ITEM("b", "1")) },
        { .expect = "resourceVersion=9", 0, "", FAKE_HANG },
    };

    (void)state;
    RUN("410 by HTTP", http, "[+a ] !-116 [+b ] ", NULL);
    RUN("410 by an event", event, "[+a ] !-116 [] ", NULL);
    RUN("410 of a page", page, "[+a !-116 [+b ] ", NULL);
}

static void a_server_that_came_back_is_listed_soon(void **state)
{
    static const char gone[] =
        "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}\n";
    static const struct step steps[] = {
        { .expect = "limit", 0, LIST("5", "") },
        { .expect = "resourceVersion=5", 503, "" },
        { .expect = "resourceVersion=5", 503, "" },
        { .expect = "resourceVersion=5", 503, "" },
        { .expect = "resourceVersion=5", 0, gone, FAKE_HANG },
        { .expect = "limit", 0, LIST("6", "") },
        { .expect = "resourceVersion=6", 0, gone, FAKE_HANG },
        { .expect = "limit", 0, LIST("7", "") },
        { .expect = "resourceVersion=7", 0, gone, FAKE_HANG },
        { .expect = "limit", 0, LIST("8", "") },
        { .expect = "resourceVersion=8", 0, "", FAKE_HANG },
    };
    struct script script;

    (void)state;
    run("came back", steps, (int)(sizeof(steps) / sizeof(steps[0])), 100,
        "[] !-121 !-121 !-121 !-116 [] !-116 [] !-116 [] ", &script);
    assert_true(script.asked_ms[5] - script.asked_ms[4] < 600); /* 800 would be the next */
    assert_true(script.asked_ms[7] - script.asked_ms[6] >= 190);
    assert_true(script.asked_ms[9] - script.asked_ms[8] >= 390); /* no listing without end */
}

static void too_many_requests_waits_as_long_as_asked(void **state)
{
    static const struct step steps[] = {
        { .expect = "limit",
          429,
          "{\"kind\":\"Status\",\"reason\":\"TooManyRequests\"}",
          0,
          0,
          "1" },
        { .expect = "limit", 503, "" },
        { .expect = "limit", 0, LIST("5", "") },
        { .expect = "resourceVersion=5", 0, "", FAKE_HANG },
    };
    struct script script;

    (void)state;
    RUN("429", steps, "!-16 !-121 [] ", &script);
    assert_true(script.asked_ms[1] - script.asked_ms[0] >= 990);
    assert_true(script.asked_ms[2] - script.asked_ms[1] < 900);
}

static void an_event_past_the_cap_is_skipped_and_told(void **state)
{
    static char body[20000];
    struct step steps[] = {
        { .expect = "limit", 0, LIST("5", "") },
        { .expect = "resourceVersion=5", 0, body, FAKE_HANG, 1000 },
    };

    (void)state;
    (void)snprintf(body, sizeof(body), "{\"type\":\"ADDED\",\"object\":[%09000d]}\n%s", 1,
                   EVENT("ADDED", "b", "7"));
    RUN("too large", steps, "[] !-27 +b ", NULL);
}

static void nonsense_lists_again(void **state)
{
    static const struct step steps[] = {
        { .expect = "limit", 0, "<html>" },
        { .expect = "limit", 0, "{\"items\":[]}" },
        { .expect = "limit", 0, LIST("5", "") },
        { .expect = "resourceVersion=5", 0, "{]\n", FAKE_HANG },
        { .expect = "limit", 0, LIST("6", "") },
        { .expect = "resourceVersion=6", 0, "{\"type\":\"ADDED\",\"object\":{}}\n", FAKE_HANG },
        { .expect = "limit", 0, LIST("7", "") },
        { .expect = "resourceVersion=7", 0, "", FAKE_HANG },
    };

    (void)state;
    RUN("nonsense", steps, "!-22 !-22 [] !-22 [] !-22 [] ", NULL);
}

static void short_watches_are_not_a_busy_loop(void **state)
{
    static const struct step steps[] = {
        { .expect = "limit", 0, LIST("5", "") },
        { .expect = "resourceVersion=5", 0, "", FAKE_EOF },
        { .expect = "resourceVersion=5", 0, "", FAKE_EOF },
        { .expect = "resourceVersion=5", 0, "", FAKE_EOF },
        { .expect = "resourceVersion=5", 0, EVENT("ADDED", "a", "6"), FAKE_HANG },
    };
    struct script script;

    (void)state;
    RUN("short", steps, "[] +a ", &script);
    assert_true(script.asked_ms[4] - script.asked_ms[1] >= 5 + 10 + 20);
}

static void events_split_at_any_byte_are_the_same(void **state)
{
    const char *body = EVENT("ADDED", "a\\\"\\u00e9", "6") "\n" EVENT("MODIFIED", "b", "7");

    (void)state;
    for (size_t chunk = 1; chunk < strlen(body); chunk += 3) {
        struct step steps[] = {
            { .expect = "limit", 0, LIST("5", ""), FAKE_EOF, chunk },
            { .expect = "resourceVersion=5", 0, body, FAKE_HANG, chunk },
        };

        RUN("split", steps, "[] +a\"\xc3\xa9 +b ", NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_in_pages_and_goes_on_watching),
        cmocka_unit_test(an_ended_stream_is_resumed_where_it_stopped),
        cmocka_unit_test(a_cut_stream_loses_and_repeats_nothing),
        cmocka_unit_test(gone_means_list_again),
        cmocka_unit_test(a_server_that_came_back_is_listed_soon),
        cmocka_unit_test(too_many_requests_waits_as_long_as_asked),
        cmocka_unit_test(an_event_past_the_cap_is_skipped_and_told),
        cmocka_unit_test(nonsense_lists_again),
        cmocka_unit_test(short_watches_are_not_a_busy_loop),
        cmocka_unit_test(events_split_at_any_byte_are_the_same),
    };

    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
