/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/cgroup_text.h"

#include "agent/scan.h"

#include <string.h>

/* The next line without its newline; false at the end. */
static bool next_line(struct scan *rest, struct scan *ret_line)
{
    if (rest->len == 0)
        return false;

    const char *newline = memchr(rest->at, '\n', rest->len);
    size_t len = newline ? (size_t)(newline - rest->at) : rest->len;

    *ret_line = (struct scan){ rest->at, len };
    scan_skip(rest, newline ? len + 1 : len);
    return true;
}

/* What follows "<hierarchy>:<controllers>:". */
static bool line_path(struct scan line, struct scan *ret_path)
{
    for (int i = 0; i < 2; i++) {
        const char *colon = memchr(line.at, ':', line.len);

        if (!colon)
            return false;
        scan_skip(&line, (size_t)(colon + 1 - line.at));
    }
    *ret_path = line;
    return true;
}

/* The next part between slashes; runc with a systemd path but the cgroupfs driver leaves colons. */
static bool next_part(struct scan *path, struct scan *ret_part)
{
    while (scan_take_char(path, '/') || scan_take_char(path, ':'))
        ;
    if (path->len == 0)
        return false;

    size_t len = 0;

    while (len < path->len && path->at[len] != '/' && path->at[len] != ':')
        len++;
    *ret_part = (struct scan){ path->at, len };
    scan_skip(path, len);
    return true;
}

static void drop_suffix(struct scan *part, const char *suffix)
{
    size_t n = strlen(suffix);

    if (part->len > n && memcmp(part->at + part->len - n, suffix, n) == 0)
        part->len -= n;
}

static bool is_container(struct scan part, const char *id)
{
    static const char helper[] = "conmon-";
    size_t n = strlen(id);

    drop_suffix(&part, ".scope");
    if (n == 0 || part.len < n || memcmp(part.at + part.len - n, id, n) != 0)
        return false;
    part.len -= n;
    if (part.len == 0)
        return true;
    if (part.at[part.len - 1] != '-')
        return false;
    return part.len < sizeof(helper) - 1 ||
           memcmp(part.at + part.len - (sizeof(helper) - 1), helper, sizeof(helper) - 1) != 0;
}

/* "pod<uid>", "kubepods-besteffort-pod<uid>.slice"; systemd's form has underscores for dashes. */
static bool is_pod(struct scan part, const char *uid)
{
    size_t n = strlen(uid);

    drop_suffix(&part, ".slice");
    if (n == 0 || part.len < n + 3)
        return false;

    const char *at = part.at + part.len - n;

    for (size_t i = 0; i < n; i++) {
        if (at[i] != uid[i] && !(at[i] == '_' && uid[i] == '-'))
            return false;
    }
    if (memcmp(at - 3, "pod", 3) != 0)
        return false;
    return at - 3 == part.at || at[-4] == '-';
}

static bool path_has(struct scan path, const char *pod_uid, const char *container_id)
{
    bool certain = strlen(container_id) >= CGROUP_TEXT_ID_CERTAIN;
    struct scan part;

    while (next_part(&path, &part)) {
        if (pod_uid && is_pod(part, pod_uid))
            certain = true;
        else if (is_container(part, container_id) && certain)
            return true;
    }
    return false;
}

bool cgroup_text_has(const char *text, const char *pod_uid, const char *container_id)
{
    struct scan rest = { text, strlen(text) };
    struct scan line, path;

    while (next_line(&rest, &line)) {
        if (line_path(line, &path) && path_has(path, pod_uid, container_id))
            return true;
    }
    return false;
}

bool cgroup_text_v2_path(const char *text, const char *container_id, char *path, size_t size,
                         size_t *ret_container_len)
{
    struct scan rest = { text, strlen(text) };
    struct scan line, whole, left, part;

    while (next_line(&rest, &line)) {
        if (line.len < 3 || memcmp(line.at, "0::", 3) != 0 || !line_path(line, &whole))
            continue;
        left = whole;
        while (next_part(&left, &part)) {
            if (!is_container(part, container_id))
                continue;
            if (whole.len >= size)
                return false;
            memcpy(path, whole.at, whole.len);
            path[whole.len] = '\0';
            *ret_container_len = (size_t)(part.at + part.len - whole.at);
            return true;
        }
    }
    return false;
}

const char *cgroup_text_strip_scheme(const char *container_id)
{
    const char *slashes = strstr(container_id, "://");

    return slashes ? slashes + 3 : container_id;
}
