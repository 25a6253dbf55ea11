/* SPDX-License-Identifier: Apache-2.0 */
/*
 * podflame: the PodFlame kind as C sees it, decoded from the API server's JSON.
 *
 * Decoding applies the defaults of the CRD and judges nothing: a spec that breaks a rule decodes
 * too (see rules.h), what is absent or of another type becomes the default, "" or -1. Pure: no
 * clock, no API access. All strings live in one block owned by the PodFlame, are never NULL, and
 * outlive the JSON.
 */
#pragma once

#include "lib/err.h"

#include <stdbool.h>
#include <stdint.h>

#define PODFLAME_GROUP        "profilepod.io"
#define PODFLAME_VERSION_NAME "v1alpha1"
#define PODFLAME_API_VERSION  PODFLAME_GROUP "/" PODFLAME_VERSION_NAME
#define PODFLAME_KIND         "PodFlame"
#define PODFLAME_RESOURCE     "podflames"

#define PODFLAME_DEFAULT_DURATION "2m"
#define PODFLAME_DEFAULT_EVENT    "cpu"
enum { PODFLAME_DEFAULT_FREQUENCY = 99 };

struct podflame_spec {
    const char *target_pod;
    const char *container_name; /* "": the only container of the pod */
    const char *duration;       /* as written */
    const char *event;
    int64_t duration_s; /* 0 when the text is no valid duration */
    int64_t frequency;  /* Hz */
    int64_t ttl_s;      /* -1: kept for ever */
};

/* The condition of type Succeeded. status is "" while there is none. */
struct podflame_condition {
    const char *status, *reason, *message, *last_transition_time;
    int64_t observed_generation;
};

struct podflame_status {
    const char *phase; /* "", Pending, Running, Succeeded, Failed */
    const char *start_time, *completion_time;
    const char *node_name, *agent_pod;
    const char *target_pod_uid, *target_container_id, *target_container_name;
    bool has_flame_graph;
    struct podflame_condition succeeded;
};

struct podflame {
    const char *name, *namespace, *uid, *resource_version;
    const char *creation_timestamp;
    const char *deletion_timestamp; /* "" unless it is being deleted */
    int64_t generation;
    struct podflame_spec spec;
    struct podflame_status status;
    char *block; /* owns every string above */
};

struct json_object;

/* -EINVAL when @object is no JSON object or lacks name, namespace or uid, and when one of the
 * strings above holds a NUL byte or is longer than 64 KiB (flameGraph is not copied). */
int podflame_decode(struct json_object *object, struct podflame *ret, struct err *e) WARN_UNUSED;

void podflame_release(struct podflame *pf); /* safe on a zeroed one */

/* Phase Succeeded or Failed: nothing is left to be done but the TTL. */
bool podflame_is_finished(const struct podflame *pf);
