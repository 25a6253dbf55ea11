/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules: what makes a PodFlame valid, in one place for the webhook and the reconciler.
 *
 * Pure functions over parsed JSON: no clock, no API access. Input is untrusted; a string that holds
 * a NUL byte never passes as the text before it. All problems are collected, each with the field,
 * the cause type of the Kubernetes API and a message in the form that the API server's own kinds
 * use ("Invalid value: \"69x\": must be ..."): value, rule and fix. The CRD's CEL rules say the
 * same in the same words (config/crd); they cannot see the pod.
 */
#pragma once

#include "lib/podflame/problem.h"

#include <stdbool.h>

struct json_object;

/* All that can be said of a spec alone. @spec may be NULL (absent) or of any type. Adds nothing
 * when it is valid. */
void rules_check_spec(struct json_object *spec, struct problems *problems);

/* The spec is immutable: every field that differs after defaults is a problem (Forbidden). Does not
 * judge the values: an old object that breaks a newer rule stays editable in all but its spec. */
void rules_check_update(struct json_object *old_spec, struct json_object *new_spec,
                        struct problems *problems);

enum rules_container_kind { RULES_REGULAR, RULES_INIT, RULES_SIDECAR, RULES_EPHEMERAL };
enum rules_container_state { RULES_UNKNOWN, RULES_WAITING, RULES_RUNNING, RULES_TERMINATED };

struct rules_container {
    const char *name;         /* borrowed from the pod's JSON */
    const char *container_id; /* "containerd://..." of the pod's status; borrowed; NULL: none yet */
    enum rules_container_kind kind;
    enum rules_container_state state; /* by the pod's status; RULES_UNKNOWN without one */
    struct json_object *status;       /* its own there; borrowed; NULL without one */
};

/*
 * Which container of @pod (a whole Pod as JSON) spec.containerName means: the one named, of any
 * kind; when none is named, the only regular one. An init or ephemeral container that has ended
 * will not run again and is refused. @container_name NULL or "" is "none named"; @pod_name is for
 * the messages.
 *
 * True: *ret is set. Whether it runs is the caller's question (ret->state). False: one problem of
 * spec.containerName was added; its message lists the names that would do.
 */
bool rules_resolve_container(const char *container_name, const char *pod_name,
                             struct json_object *pod, struct rules_container *ret,
                             struct problems *problems);

/*
 * Appends why @c, a container of @pod that does not run, does not; to be read after "container
 * "app" of pod "web-0" ": "waits: CrashLoopBackOff: back-off 40s restarting failed container".
 * What the kubelet and the scheduler say is cut to size; nothing in it can act on a terminal.
 */
void rules_why_not_running(struct json_object *pod, const struct rules_container *c,
                           struct buf *out);

/* rules_resolve_container() from a spec; adds nothing when its targetPod or containerName is not a
 * valid name, as rules_check_spec() tells that. */
bool rules_check_container(struct json_object *spec, struct json_object *pod,
                           struct rules_container *ret, struct problems *problems);
