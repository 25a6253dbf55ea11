/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/podflame/podflame.h"

#include "lib/duration.h"
#include "lib/json.h"
#include "lib/mem.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum { TEXT_MAX = 64 * 1024 };

/* Where each string comes from, and what it is when absent. NULL path: taken from the condition. */
static const struct {
    const char *path;
    size_t offset;
    const char *missing;
    bool required;
} texts[] = {
    { "metadata.name", offsetof(struct podflame, name), "", true },
    { "metadata.namespace", offsetof(struct podflame, namespace), "", true },
    { "metadata.uid", offsetof(struct podflame, uid), "", true },
    { "metadata.resourceVersion", offsetof(struct podflame, resource_version), "", false },
    { "metadata.creationTimestamp", offsetof(struct podflame, creation_timestamp), "", false },
    { "metadata.deletionTimestamp", offsetof(struct podflame, deletion_timestamp), "", false },
    { "spec.targetPod", offsetof(struct podflame, spec.target_pod), "", false },
    { "spec.containerName", offsetof(struct podflame, spec.container_name), "", false },
    { "spec.duration", offsetof(struct podflame, spec.duration), PODFLAME_DEFAULT_DURATION, false },
    { "spec.event", offsetof(struct podflame, spec.event), PODFLAME_DEFAULT_EVENT, false },
    { "status.phase", offsetof(struct podflame, status.phase), "", false },
    { "status.startTime", offsetof(struct podflame, status.start_time), "", false },
    { "status.completionTime", offsetof(struct podflame, status.completion_time), "", false },
    { "status.nodeName", offsetof(struct podflame, status.node_name), "", false },
    { "status.agentPod", offsetof(struct podflame, status.agent_pod), "", false },
    { "status.target.podUID", offsetof(struct podflame, status.target_pod_uid), "", false },
    { "status.target.containerID", offsetof(struct podflame, status.target_container_id), "",
      false },
    { "status.target.containerName", offsetof(struct podflame, status.target_container_name), "",
      false },
};

static const struct {
    const char *key;
    size_t offset;
} condition_texts[] = {
    { "status", offsetof(struct podflame, status.succeeded.status) },
    { "reason", offsetof(struct podflame, status.succeeded.reason) },
    { "message", offsetof(struct podflame, status.succeeded.message) },
    { "lastTransitionTime", offsetof(struct podflame, status.succeeded.last_transition_time) },
};

enum {
    TEXTS = sizeof(texts) / sizeof(texts[0]),
    CONDITION_TEXTS = sizeof(condition_texts) / sizeof(condition_texts[0]),
    ALL_TEXTS = TEXTS + CONDITION_TEXTS,
};

struct text {
    const char *data;
    size_t len;
};

static int take_text(struct json_object *value, const char *path, const char *missing,
                     struct text *ret, struct err *e)
{
    *ret = (struct text){ missing, strlen(missing) };
    if (!json_object_is_type(value, json_type_string))
        return 0;

    const char *data = json_object_get_string(value);
    size_t len = (size_t)json_object_get_string_len(value);
    if (len > TEXT_MAX)
        return err_set(e, -EINVAL, "%s: longer than %d bytes", path, TEXT_MAX);
    if (strlen(data) != len)
        return err_set(e, -EINVAL, "%s: holds a NUL byte", path);
    *ret = (struct text){ data, len };
    return 0;
}

static struct json_object *succeeded_condition(struct json_object *object)
{
    struct json_object *conditions = json_get_array(object, "status.conditions");
    size_t n = conditions ? json_object_array_length(conditions) : 0;

    for (size_t i = 0; i < n; i++) {
        struct json_object *condition = json_object_array_get_idx(conditions, i);
        const char *type = json_get_str(condition, "type");

        if (type && strcmp(type, "Succeeded") == 0)
            return condition;
    }
    return NULL;
}

static int collect(struct json_object *object, struct json_object *condition,
                   struct text list[ALL_TEXTS], struct err *e)
{
    for (size_t i = 0; i < TEXTS; i++) {
        if (take_text(json_get(object, texts[i].path), texts[i].path, texts[i].missing, &list[i],
                      e) < 0)
            return e->code;
        if (texts[i].required && list[i].len == 0)
            return err_set(e, -EINVAL, "%s: missing", texts[i].path);
    }
    for (size_t i = 0; i < CONDITION_TEXTS; i++) {
        if (take_text(json_get_key(condition, condition_texts[i].key), condition_texts[i].key, "",
                      &list[TEXTS + i], e) < 0)
            return err_wrap(e, "status.conditions");
    }
    return 0;
}

/* Copies all of list behind each other into one block, and points the fields there. */
static void store(const struct text list[ALL_TEXTS], struct podflame *pf)
{
    size_t size = 0;

    for (size_t i = 0; i < ALL_TEXTS; i++)
        size += list[i].len + 1;
    pf->block = mem_alloc(size);

    char *to = pf->block;
    for (size_t i = 0; i < ALL_TEXTS; i++) {
        size_t offset = i < TEXTS ? texts[i].offset : condition_texts[i - TEXTS].offset;

        memcpy(to, list[i].data, list[i].len);
        to[list[i].len] = '\0';
        *(const char **)(void *)((char *)pf + offset) = to;
        to += list[i].len + 1;
    }
}

int podflame_decode(struct json_object *object, struct podflame *ret, struct err *e)
{
    struct text list[ALL_TEXTS] = { 0 };
    struct podflame pf = { 0 };
    struct err ignored = { 0 };

    if (!json_object_is_type(object, json_type_object))
        return err_set(e, -EINVAL, "PodFlame: not a JSON object");
    struct json_object *condition = succeeded_condition(object);
    if (collect(object, condition, list, e) < 0)
        return err_wrap(e, "PodFlame");
    store(list, &pf);

    pf.generation = json_get_int(object, "metadata.generation", 0);
    if (duration_parse(pf.spec.duration, &pf.spec.duration_s, &ignored) < 0)
        pf.spec.duration_s = 0;
    pf.spec.frequency = json_get_int(object, "spec.frequency", PODFLAME_DEFAULT_FREQUENCY);
    pf.spec.ttl_s = json_get_int(object, "spec.ttlSecondsAfterFinished", -1);
    pf.status.has_flame_graph = json_get_str(object, "status.flameGraph") != NULL;
    pf.status.succeeded.observed_generation = json_get_int(condition, "observedGeneration", 0);
    *ret = pf;
    return 0;
}

void podflame_release(struct podflame *pf)
{
    free(pf->block);
    *pf = (struct podflame){ 0 };
}

bool podflame_is_finished(const struct podflame *pf)
{
    const char *phase = pf->status.phase;

    return phase && (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0);
}
