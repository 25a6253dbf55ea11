/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup_text: does the text of a /proc/PID/cgroup say that the process is in a given container?
 * Pure.
 *
 * Understood are cgroup v1, v2 and hybrid lines; the systemd and cgroupfs drivers
 * (kubepods-burstable-pod<uid>.slice, /kubepods/burstable/pod<uid>); the forms of containerd
 * (cri-containerd-<id>.scope, <slice>:cri-containerd:<id>), CRI-O (crio-<id>.scope) and Docker
 * (docker-<id>.scope), and a bare <id>; paths that start with /.. because the reader is in a cgroup
 * namespace of its own. A runtime's helper (crio-conmon-<id>.scope) is not the container.
 *
 * The container's ID alone decides when it is as long as runtimes make them; the pod's UID must be
 * there as well when it is shorter. (The UID that the API shows of a static pod is not the one in
 * its cgroup path.) A container that may write its cgroup can only add itself to another's profile.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { CGROUP_TEXT_ID_CERTAIN = 32 };

/* @container_id without a scheme. @pod_uid may be NULL. */
bool cgroup_text_has(const char *text, const char *pod_uid, const char *container_id);

/*
 * The path on the v2 line. Its first *ret_container_len bytes are the container's own cgroup; what
 * follows is one that it made inside. False: no such line, or the container is not named there.
 */
bool cgroup_text_v2_path(const char *text, const char *container_id, char *path, size_t size,
                         size_t *ret_container_len);

/* "containerd://<id>" -> "<id>" */
const char *cgroup_text_strip_scheme(const char *container_id);
