/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/target.h"

#include "agent/cgroup_text.h"
#include "agent/proc_file.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

enum {
    CGROUP_PATH_MAX = 1024,
    CGROUP_DEPTH_MAX = 12,    /* of the search below a v2 mount */
    CGROUP_VISITS_MAX = 8192, /* directories it opens */
};

void target_pids_release(struct target_pids *pids)
{
    free(pids->pids);
    *pids = (struct target_pids){ 0 };
}

static void pids_add(struct target_pids *pids, pid_t pid)
{
    if (pids->n >= TARGET_PIDS_MAX)
        return;
    if ((pids->n & (pids->n - 1)) == 0)
        pids->pids = mem_grow(pids->pids, pids->n ? pids->n * 2 : 1, sizeof(*pids->pids));
    pids->pids[pids->n++] = pid;
}

static bool pids_have(const struct target_pids *pids, pid_t pid)
{
    for (size_t i = 0; i < pids->n; i++) {
        if (pids->pids[i] == pid)
            return true;
    }
    return false;
}

/* The next process of an open /proc, or 0. */
static pid_t next_process(DIR *proc)
{
    const struct dirent *entry;

    while ((entry = readdir(proc))) { /* NOLINT(concurrency-mt-unsafe) */
        char *end;
        long pid = strtol(entry->d_name, &end, 10);

        if (*end == '\0' && pid > 0 && pid <= INT32_MAX)
            return (pid_t)pid;
    }
    return 0;
}

struct parent {
    pid_t pid, ppid;
};

/* Adds the children of processes that are in already, until there is nothing to add. */
static void add_descendants(const struct parent *all, size_t n, struct target_pids *pids)
{
    for (bool grew = true; grew;) {
        grew = false;
        for (size_t i = 0; i < n; i++) {
            if (pids_have(pids, all[i].ppid) && !pids_have(pids, all[i].pid)) {
                pids_add(pids, all[i].pid);
                grew = pids->n < TARGET_PIDS_MAX;
            }
        }
    }
}

static void find_tree(DIR *proc, pid_t root, struct target_pids *pids)
{
    _cleanup_free_ struct parent *all = NULL;
    size_t n = 0;
    pid_t pid;

    while ((pid = next_process(proc)) > 0) {
        pid_t ppid = proc_file_ppid(pid);

        if (pid == root && target_alive(pid))
            pids_add(pids, pid);
        if ((n & (n - 1)) == 0)
            all = mem_grow(all, n ? n * 2 : 1, sizeof(*all));
        all[n++] = (struct parent){ pid, ppid };
    }
    add_descendants(all, n, pids);
}

static void find_container(DIR *proc, const struct target *target, struct target_pids *pids)
{
    _cleanup_free_ char *text = mem_alloc(PROC_FILE_TEXT_MAX);
    pid_t pid;

    while ((pid = next_process(proc)) > 0) {
        if (proc_file_read(pid, "cgroup", text, PROC_FILE_TEXT_MAX) > 0 &&
            cgroup_text_has(text, target->pod_uid, target->container_id) && target_alive(pid))
            pids_add(pids, pid);
    }
}

int target_find(const struct target *target, struct target_pids *ret_pids, struct err *e)
{
    _cleanup_closedir_ DIR *proc = opendir("/proc");
    struct target_pids pids = { 0 };

    if (!proc)
        return err_set(e, -errno, "open '/proc': %s", err_text(errno));
    if (target->pid > 0)
        find_tree(proc, target->pid, &pids);
    else
        find_container(proc, target, &pids);
    *ret_pids = pids;
    return 0;
}

bool target_alive(pid_t pid)
{
    _cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (fd < 0)
        return errno != ESRCH && errno != EINVAL && proc_file_exists(pid);

    struct pollfd ended = { .fd = fd, .events = POLLIN };

    return poll(&ended, 1, 0) <= 0;
}

/* cgroup.procs of @dir (below @at) names @pid. */
static bool cgroup_lists(int at, const char *dir, pid_t pid)
{
    _cleanup_free_ char *path = mem_printf("%s%scgroup.procs", dir, *dir ? "/" : "");
    int fd = openat(at, path, O_RDONLY | O_CLOEXEC);
    FILE *procs = fd < 0 ? NULL : fdopen(fd, "re");
    char line[32];
    bool found = false;

    if (!procs) {
        if (fd >= 0)
            (void)close(fd);
        return false;
    }
    while (!found && fgets(line, sizeof(line), procs))
        found = strtol(line, NULL, 10) == pid;
    (void)fclose(procs);
    return found;
}

/*
 * Finds a directory called @name below @at. The path that /proc/PID/cgroup shows is relative to the
 * reader's cgroup namespace, while the mount starts at the node's root: their start differs by an
 * amount that nobody tells, but the name of a container's cgroup is unique.
 */
static int search_cgroup(int at, const char *name, int depth, int *visits)
{
    int copy = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *entry;
    int found = -1;

    if (!dir) {
        if (copy >= 0)
            (void)close(copy);
        return -1;
    }
    while (found < 0 && (entry = readdir(dir))) { /* NOLINT(concurrency-mt-unsafe) */
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || ++*visits > CGROUP_VISITS_MAX)
            continue;

        _cleanup_close_ int child =
            openat(at, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

        if (child < 0)
            continue;
        if (strcmp(entry->d_name, name) == 0)
            found = take_fd(child);
        else if (depth > 1)
            found = search_cgroup(child, name, depth - 1, visits);
    }
    return found;
}

/* Proves that @fd is the container's cgroup: there, or in one that it made inside, is @pid. */
static int if_holds(int fd, const char *inner, pid_t pid)
{
    if (fd < 0)
        return -1;
    if (cgroup_lists(fd, inner, pid))
        return fd;
    (void)close(fd);
    return -1;
}

static int open_below(const char *mount_path, const char *path, const char *inner, pid_t pid)
{
    _cleanup_close_ int mount = open(mount_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const char *name = strrchr(path, '/');
    struct statfs fs;
    int visits = 0;

    if (mount < 0 || fstatfs(mount, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
        return -1;

    int fd = if_holds(openat(mount, path + (*path == '/'), O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                      inner, pid);

    if (fd >= 0)
        return fd;
    return if_holds(search_cgroup(mount, name ? name + 1 : path, CGROUP_DEPTH_MAX, &visits), inner,
                    pid);
}

int target_open_cgroup(const struct target *target, pid_t pid)
{
    static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified",
                                          "/proc/1/root/sys/fs/cgroup",
                                          "/proc/1/root/sys/fs/cgroup/unified" };
    _cleanup_free_ char *text = mem_alloc(PROC_FILE_TEXT_MAX);
    char path[CGROUP_PATH_MAX];
    size_t len;
    int fd = -1;

    if (!target->container_id || proc_file_read(pid, "cgroup", text, PROC_FILE_TEXT_MAX) <= 0 ||
        !cgroup_text_v2_path(text, target->container_id, path, sizeof(path), &len))
        return -1;

    bool has_inner = path[len] == '/';
    _cleanup_free_ char *inner = mem_strdup(has_inner ? path + len + 1 : "");

    path[len] = '\0';
    for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]) && fd < 0; i++)
        fd = open_below(mounts[i], path, inner, pid);
    return fd;
}

static uint32_t mntns_of(pid_t pid)
{
    char path[64];
    struct stat st;

    (void)snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
    return stat(path, &st) < 0 ? 0 : (uint32_t)st.st_ino;
}

int target_mntns(const struct target_pids *pids, uint32_t ret_mntns[RECORD_MNTNS_MAX])
{
    uint32_t node = mntns_of(1);
    int n = 0;

    for (size_t i = 0; i < pids->n && n < RECORD_MNTNS_MAX; i++) {
        uint32_t mntns = mntns_of(pids->pids[i]);
        bool known = mntns == 0 || mntns == node;

        for (int j = 0; j < n; j++)
            known = known || ret_mntns[j] == mntns;
        if (!known)
            ret_mntns[n++] = mntns;
    }
    for (int i = n; i < RECORD_MNTNS_MAX; i++)
        ret_mntns[i] = 0;
    return n;
}
