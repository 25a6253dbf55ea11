/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/podflame/rules.h"

#include "lib/json.h"
#include "lib/podflame/names.h"

#include <string.h>

enum { CONTAINERS_MAX = 1024, LISTED_MAX = 16, LIST_MAX = 2048, WHY_MAX = 300 };

#define FIELD "spec.containerName"

/* The lists of a pod, in the order in which names are told to the user. */
static const struct {
    const char *spec, *status;
    enum rules_container_kind kind;
} lists[] = {
    { "spec.containers", "status.containerStatuses", RULES_REGULAR },
    { "spec.initContainers", "status.initContainerStatuses", RULES_INIT },
    { "spec.ephemeralContainers", "status.ephemeralContainerStatuses", RULES_EPHEMERAL },
};

enum { LISTS = sizeof(lists) / sizeof(lists[0]) };

static const char *get_label(struct json_object *object, const char *key)
{
    struct json_object *value = json_get_key(object, key);

    if (!json_object_is_type(value, json_type_string))
        return NULL;
    const char *text = json_object_get_string(value);
    return name_is_label(text, (size_t)json_object_get_string_len(value)) ? text : NULL;
}

static size_t list_length(struct json_object *list)
{
    size_t n = list ? json_object_array_length(list) : 0;

    return n < CONTAINERS_MAX ? n : CONTAINERS_MAX;
}

static struct json_object *status_of(struct json_object *pod, const char *path, const char *name)
{
    struct json_object *list = json_get_array(pod, path);

    for (size_t i = 0; i < list_length(list); i++) {
        struct json_object *status = json_object_array_get_idx(list, i);
        const char *its_name = get_label(status, "name");

        if (its_name && strcmp(its_name, name) == 0)
            return status;
    }
    return NULL;
}

static enum rules_container_state state_of(struct json_object *status)
{
    struct json_object *state = json_get_object(status, "state");

    if (!status)
        return RULES_UNKNOWN;
    if (json_get_object(state, "running"))
        return RULES_RUNNING;
    return json_get_object(state, "terminated") ? RULES_TERMINATED : RULES_WAITING;
}

/* The i-th container of a list; false when it has no valid name. */
static bool container_at(struct json_object *pod, size_t list, size_t i,
                         struct rules_container *ret)
{
    struct json_object *container =
        json_object_array_get_idx(json_get_array(pod, lists[list].spec), i);
    const char *name = get_label(container, "name");

    if (!name)
        return false;
    const char *restart = json_get_str(container, "restartPolicy");
    struct json_object *status = status_of(pod, lists[list].status, name);
    bool sidecar = lists[list].kind == RULES_INIT && restart && strcmp(restart, "Always") == 0;
    const char *id = json_get_str(status, "containerID");

    *ret = (struct rules_container){
        .name = name,
        .container_id = id && *id ? id : NULL,
        .kind = sidecar ? RULES_SIDECAR : lists[list].kind,
        .state = state_of(status),
        .status = status,
    };
    return true;
}

/* Those never start again. */
static bool has_ended(const struct rules_container *c)
{
    return c->state == RULES_TERMINATED && (c->kind == RULES_INIT || c->kind == RULES_EPHEMERAL);
}

/* "app, sidecar"; long lists are cut. */
struct listing {
    struct buf names;
    size_t n;
};

static void listing_add(struct listing *l, const char *name)
{
    if (l->n++ >= LISTED_MAX)
        return;
    (void)buf_add_str(&l->names, l->n > 1 ? ", " : "");
    (void)buf_add_str(&l->names, name);
}

static void listing_end(struct listing *l)
{
    if (l->n == 0)
        (void)buf_add_str(&l->names, "none");
    if (l->n > LISTED_MAX)
        (void)buf_printf(&l->names, " and %zu more", l->n - LISTED_MAX);
}

static bool resolve_only(const char *pod_name, struct json_object *pod, struct rules_container *ret,
                         struct problems *problems)
{
    _cleanup_buf_ struct buf shown = BUF_INIT(LIST_MAX);
    struct listing regular = { .names = BUF_INIT(LIST_MAX) };
    struct rules_container found = { 0 }, c;

    problem_quote(pod_name, strlen(pod_name), &shown);
    for (size_t i = 0; i < list_length(json_get_array(pod, lists[0].spec)); i++) {
        if (!container_at(pod, 0, i, &c))
            continue;
        listing_add(&regular, c.name);
        found = c;
    }
    listing_end(&regular);
    if (regular.n == 1)
        *ret = found;
    else if (regular.n == 0)
        problems_add(problems, FIELD, PROBLEM_REQUIRED, "", "pod %s has no container to profile",
                     buf_str(&shown));
    else
        problems_add(problems, FIELD, PROBLEM_REQUIRED, "",
                     "pod %s has %zu containers (%s); name one of them", buf_str(&shown), regular.n,
                     buf_str(&regular.names));
    buf_release(&regular.names);
    return regular.n == 1;
}

static bool find_named(const char *name, struct json_object *pod, struct rules_container *ret)
{
    for (size_t list = 0; list < LISTS; list++)
        for (size_t i = 0; i < list_length(json_get_array(pod, lists[list].spec)); i++)
            if (container_at(pod, list, i, ret) && strcmp(ret->name, name) == 0)
                return true;
    return false;
}

static bool resolve_named(const char *name, const char *pod_name, struct json_object *pod,
                          struct rules_container *ret, struct problems *problems)
{
    _cleanup_buf_ struct buf pod_shown = BUF_INIT(LIST_MAX), name_shown = BUF_INIT(LIST_MAX);
    struct listing usable = { .names = BUF_INIT(LIST_MAX) };
    struct rules_container found, c;
    bool exists = find_named(name, pod, &found);

    if (exists && !has_ended(&found)) {
        *ret = found;
        return true;
    }
    for (size_t list = 0; list < LISTS; list++)
        for (size_t i = 0; i < list_length(json_get_array(pod, lists[list].spec)); i++)
            if (container_at(pod, list, i, &c) && !has_ended(&c))
                listing_add(&usable, c.name);
    listing_end(&usable);
    problem_quote(pod_name, strlen(pod_name), &pod_shown);
    problem_quote(name, strlen(name), &name_shown);
    if (exists)
        problems_add(problems, FIELD, PROBLEM_INVALID, buf_str(&name_shown),
                     "this %s container of pod %s has ended; name one of %s",
                     found.kind == RULES_INIT ? "init" : "ephemeral", buf_str(&pod_shown),
                     buf_str(&usable.names));
    else
        problems_add(problems, FIELD, PROBLEM_NOT_FOUND, buf_str(&name_shown),
                     usable.n == 1 ? "the only container of pod %s is %s"
                                   : "pod %s has the containers %s",
                     buf_str(&pod_shown), buf_str(&usable.names));
    buf_release(&usable.names);
    return false;
}

bool rules_resolve_container(const char *container_name, const char *pod_name,
                             struct json_object *pod, struct rules_container *ret,
                             struct problems *problems)
{
    if (!container_name || !*container_name)
        return resolve_only(pod_name, pod, ret, problems);
    return resolve_named(container_name, pod_name, pod, ret, problems);
}

/* --- why it does not run --- */

/* ": reason: message" of what is there, without control characters. */
static void add_why(struct json_object *from, struct buf *out)
{
    const char *const texts[] = { json_get_str(from, "reason"), json_get_str(from, "message") };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (!texts[i] || !*texts[i])
            continue;
        (void)buf_add_str(out, ": ");
        for (size_t n = 0; texts[i][n] && n < WHY_MAX; n++) {
            char c = texts[i][n];

            (void)buf_add(out, (unsigned char)c < ' ' || c == 127 ? " " : &c, 1);
        }
    }
}

static struct json_object *condition_of(struct json_object *pod, const char *type)
{
    struct json_object *list = json_get_array(pod, "status.conditions");

    for (size_t i = 0; i < list_length(list); i++) {
        struct json_object *condition = json_object_array_get_idx(list, i);
        const char *its_type = json_get_str(condition, "type");

        if (its_type && strcmp(its_type, type) == 0)
            return condition;
    }
    return NULL;
}

static bool condition_is_true(struct json_object *pod, const char *type)
{
    const char *status = json_get_str(condition_of(pod, type), "status");

    return !status || strcmp(status, "True") == 0; /* nobody says otherwise */
}

/* ": init container "x" has not ended yet", of the first such. */
static void add_init_container(struct json_object *pod, struct buf *out)
{
    struct rules_container c;

    for (size_t i = 0; i < list_length(json_get_array(pod, "spec.initContainers")); i++) {
        if (!container_at(pod, 1, i, &c) || c.kind != RULES_INIT || c.state == RULES_TERMINATED)
            continue;
        (void)buf_printf(out, ": init container \"%s\" has not ended yet", c.name);
        if (c.state == RULES_WAITING)
            add_why(json_get_object(c.status, "state.waiting"), out);
        return;
    }
}

void rules_why_not_running(struct json_object *pod, const struct rules_container *c,
                           struct buf *out)
{
    const char *phase = json_get_str(pod, "status.phase"),
               *node = json_get_str(pod, "spec.nodeName");
    struct json_object *ended = json_get_object(c->status, "state.terminated");
    struct json_object *waiting = json_get_object(c->status, "state.waiting");
    bool over = phase && (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0);

    if (ended) {
        const char *reason = json_get_str(ended, "reason");

        (void)buf_printf(out, "has ended (%s%sexit code %d)", reason ? reason : "",
                         reason ? ", " : "", (int)json_get_int(ended, "exitCode", -1));
    } else if (over) {
        (void)buf_printf(out, "has ended with its pod (%s)", phase);
    } else if (!node) {
        (void)buf_add_str(out, "has no node yet");
        add_why(condition_of(pod, "PodScheduled"), out);
    } else if (c->kind == RULES_REGULAR && !condition_is_true(pod, "Initialized")) {
        (void)buf_add_str(out, "has not been started yet");
        add_init_container(pod, out);
    } else if (waiting) {
        (void)buf_add_str(out, "waits");
        add_why(waiting, out);
    } else {
        (void)buf_add_str(out,
                          c->state == RULES_RUNNING ? "has no ID yet" : "has not been started yet");
    }
}

bool rules_check_container(struct json_object *spec, struct json_object *pod,
                           struct rules_container *ret, struct problems *problems)
{
    struct json_object *pod_name = json_get_key(spec, "targetPod");
    struct json_object *name = json_get_key(spec, "containerName");

    if (!json_object_is_type(pod_name, json_type_string) ||
        !name_is_subdomain(json_object_get_string(pod_name),
                           (size_t)json_object_get_string_len(pod_name)))
        return false;
    if (name && !json_object_is_type(name, json_type_string))
        return false;
    if (name && json_object_get_string_len(name) > 0 && !get_label(spec, "containerName"))
        return false;
    return rules_resolve_container(name ? json_object_get_string(name) : NULL,
                                   json_object_get_string(pod_name), pod, ret, problems);
}
