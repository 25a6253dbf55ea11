/* SPDX-License-Identifier: Apache-2.0 */
#include "reconciler/subjects.h"

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/kube/watch.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/podflame/rules.h"
#include "reconciler/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { INVALID_MAX = 16 * 1024, AWAIT_MS = 5000 };

static struct subject *find(struct subjects *all, const char *uid)
{
    struct subject *s = NULL;

    HASH_FIND_STR(all->by_uid, uid, s);
    return s;
}

static struct subject *find_or_add(struct subjects *all, const char *uid)
{
    struct subject *s = find(all, uid);

    if (s)
        return s;
    s = mem_zalloc(sizeof(*s));
    (void)snprintf(s->uid, sizeof(s->uid), "%s", uid);
    HASH_ADD_STR(all->by_uid, uid, s);
    return s;
}

void subject_forget(struct subjects *all, struct subject *s)
{
    assert(!s->pass);
    queue_remove(&all->queue, &s->turn);
    queue_remove(&all->log_turns, &s->log_turn);
    HASH_DEL(all->by_uid, s);
    podflame_release(&s->pf);
    free(s->invalid);
    free(s->awaited);
    free(s->agent);
    free(s->create_error);
    free(s);
}

void subjects_release(struct subjects *all)
{
    struct subject *s, *next;

    HASH_ITER (hh, all->by_uid, s, next)
        subject_forget(all, s);
    queue_release(&all->queue);
    queue_release(&all->log_turns);
}

void subject_touch(struct subjects *all, struct subject *s)
{
    if (s->pass)
        s->dirty = true;
    else
        queue_add(&all->queue, &s->turn, clock_monotonic_ms());
}

/* --- PodFlames --- */

static char *judge_spec(struct json_object *object)
{
    _cleanup_problems_ struct problems problems = { 0 };
    _cleanup_buf_ struct buf text = BUF_INIT(INVALID_MAX);

    rules_check_spec(json_get(object, "spec"), &problems);
    if (problems.n == 0)
        return NULL;
    if (problems_write(&problems, &text) < 0)
        return mem_strdup("the spec breaks more rules than can be told");
    return buf_take(&text, NULL);
}

bool subject_set_podflame(struct subject *s, struct json_object *object)
{
    struct podflame pf = { 0 };
    struct err e = { 0 };

    if (podflame_decode(object, &pf, &e) < 0 || strcmp(pf.uid, s->uid) != 0) {
        podflame_release(&pf);
        return false;
    }
    podflame_release(&s->pf);
    free(s->invalid);
    s->pf = pf;
    s->has_pf = true;
    s->pf_doubt = false;
    s->invalid = podflame_is_finished(&pf) ? NULL : judge_spec(object);
    return true;
}

void subject_await(struct subject *s)
{
    free(s->awaited);
    s->awaited = mem_strdup(s->pf.resource_version);
    s->awaited_ms = clock_monotonic_ms() + AWAIT_MS;
}

/* True when the watch tells a version that is older than what we wrote since. */
static bool is_old_news(struct subjects *all, struct subject *s, struct json_object *object)
{
    const char *rv = json_get_str(object, "metadata.resourceVersion");

    if (!s->awaited)
        return false;
    bool is_it = rv && strcmp(rv, s->awaited) == 0;
    bool over = all->pf_listing || clock_monotonic_ms() >= s->awaited_ms;
    if (is_it || over) {
        free(s->awaited);
        s->awaited = NULL;
    }
    return is_it || !over;
}

static const char *uid_of(struct json_object *object)
{
    const char *uid = json_get_str(object, "metadata.uid");
    char name[AGENT_POD_NAME_SIZE];

    return uid && agent_pod_name(uid, name) ? uid : NULL;
}

static void podflame_changed(void *ctx, struct json_object *object)
{
    struct subjects *all = ctx;
    const char *uid = uid_of(object);

    if (!uid)
        return;
    struct subject *s = find_or_add(all, uid);
    s->pf_mark = all->pf_mark;
    s->pf_news++;
    if (all->pf_listing)
        s->gone = false;
    if (is_old_news(all, s, object))
        return;
    if (!subject_set_podflame(s, object))
        log_event(LOG_WARN, "a PodFlame that cannot be read", LOG_STR("uid", uid));
    subject_touch(all, s);
}

static void podflame_removed(void *ctx, struct json_object *object)
{
    struct subjects *all = ctx;
    const char *uid = uid_of(object);
    struct subject *s = uid ? find(all, uid) : NULL;

    if (!s)
        return;
    s->gone = true;
    s->pf_news++;
    subject_touch(all, s);
}

static void podflame_listing(void *ctx)
{
    struct subjects *all = ctx;

    all->pf_mark++;
    all->pf_listing = true;
}

static void podflame_listed(void *ctx)
{
    struct subjects *all = ctx;

    for (struct subject *s = all->by_uid; s; s = s->hh.next) {
        if (s->has_pf && s->pf_mark != all->pf_mark) {
            s->pf_doubt = true;
            subject_touch(all, s);
        }
    }
    all->pf_listing = false;
    all->pf_synced = true;
}

/* --- agent pods --- */

void subject_set_agent(struct subjects *all, struct subject *s, const struct agent_view *view)
{
    s->agent_doubt = false;
    s->agent_mark = all->agent_mark;
    if (!view) {
        free(s->agent);
        s->agent = NULL;
        return;
    }
    if (!s->agent)
        s->agent = mem_alloc(sizeof(*s->agent));
    *s->agent = *view;
    s->agent_seen = true;
}

static void agent_changed(void *ctx, struct json_object *object)
{
    struct subjects *all = ctx;
    struct agent_view view;

    if (!agent_view_decode(object, &view))
        return;
    struct subject *s = find_or_add(all, view.podflame_uid);
    subject_set_agent(all, s, &view);
    subject_touch(all, s);
}

static void agent_removed(void *ctx, struct json_object *object)
{
    struct subjects *all = ctx;
    struct agent_view view;
    struct subject *s = NULL;

    if (agent_view_decode(object, &view))
        s = find(all, view.podflame_uid);
    if (!s || !s->agent || strcmp(s->agent->uid, view.uid) != 0)
        return;
    subject_set_agent(all, s, NULL);
    subject_touch(all, s);
}

static void agent_listing(void *ctx)
{
    ((struct subjects *)ctx)->agent_mark++;
}

static void agent_listed(void *ctx)
{
    struct subjects *all = ctx;

    for (struct subject *s = all->by_uid; s; s = s->hh.next) {
        if (s->agent && s->agent_mark != all->agent_mark) {
            s->agent_doubt = true;
            subject_touch(all, s);
        }
    }
    all->agent_synced = true;
}

static void watch_problem(void *ctx, const struct err *e)
{
    (void)ctx;
    log_event(LOG_WARN, "watch interrupted", LOG_STR("error", e->msg));
}

const struct kube_watch_handler subjects_podflame_handler = {
    .listing = podflame_listing,
    .listed = podflame_listed,
    .changed = podflame_changed,
    .removed = podflame_removed,
    .problem = watch_problem,
};

const struct kube_watch_handler subjects_agent_handler = {
    .listing = agent_listing,
    .listed = agent_listed,
    .changed = agent_changed,
    .removed = agent_removed,
    .problem = watch_problem,
};
