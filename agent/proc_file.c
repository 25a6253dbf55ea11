/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/proc_file.h"

#include "agent/files.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

ssize_t proc_file_read(pid_t pid, const char *name, char *text, size_t size)
{
    char path[64];
    size_t len = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    while (len + 1 < size) {
        ssize_t n = read(fd, text + len, size - 1 - len);

        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    text[len] = '\0';
    return (ssize_t)len;
}

bool proc_file_exists(pid_t pid)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d", pid);
    return access(path, F_OK) == 0;
}

/* proc_pid_stat(5), field 22. The name in parentheses may hold anything; the last of them ends it.
 * The file of the first thread does not add up what all have used. */
uint64_t proc_file_started(pid_t pid)
{
    enum { AFTER_NAME = 20 };
    char name[32], text[1024];
    const char *at;

    (void)snprintf(name, sizeof(name), "task/%d/stat", pid);
    if (proc_file_read(pid, name, text, sizeof(text)) <= 0)
        return 0;
    at = strrchr(text, ')');
    for (int i = 0; i < AFTER_NAME && at; i++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at, NULL, 10) : 0;
}

int proc_file_may_look(pid_t pid)
{
    char root[64];

    (void)snprintf(root, sizeof(root), "/proc/%d/root", pid);
    _cleanup_close_ int fd = open(root, O_PATH | O_CLOEXEC);
    return fd < 0 ? -errno : 0;
}

/* The last number on the line of /proc/PID/status that starts with @key. */
static pid_t status_number(pid_t pid, const char *key)
{
    char text[4096];
    pid_t number = 0;

    if (proc_file_read(pid, "status", text, sizeof(text)) <= 0)
        return 0;

    /* The name is the first line and cannot hold a newline: the kernel escapes it. */
    char *line = strstr(text, key);
    if (!line)
        return 0;
    line += strlen(key);
    line[strcspn(line, "\n")] = '\0';
    for (char *end;; line = end) {
        long value = strtol(line, &end, 10);

        if (end == line)
            return number;
        number = (pid_t)value;
    }
}

pid_t proc_file_ppid(pid_t pid)
{
    return status_number(pid, "\nPPid:");
}

pid_t proc_file_nspid(pid_t pid)
{
    return status_number(pid, "\nNSpid:");
}

/* Files of the kernel's own, which it makes up, and some of which are used up by reading. */
static bool is_kernels(int path_fd)
{
    static const uint32_t kernels[] = { PROC_SUPER_MAGIC, SYSFS_MAGIC,        DEBUGFS_MAGIC,
                                        TRACEFS_MAGIC,    CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
                                        BPF_FS_MAGIC,     SECURITYFS_MAGIC };
    struct statfs fs;

    if (fstatfs(path_fd, &fs) < 0)
        return true;
    for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
        if ((uint32_t)fs.f_type == kernels[i])
            return true;
    }
    return false;
}

/* Opens what an O_PATH descriptor stands for, if it is a regular file of somebody's. */
static int reopen_regular(int path_fd)
{
    struct stat st;
    char self[64];

    if (fstat(path_fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || is_kernels(path_fd))
        return -EINVAL;
    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", path_fd);
    int fd = open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return fd < 0 ? -errno : files_keep(fd);
}

int proc_file_open_in_root(pid_t pid, const char *path)
{
    struct open_how how = { .flags = O_PATH | O_CLOEXEC,
                            .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
    char root[64];

    (void)snprintf(root, sizeof(root), "/proc/%d/root", pid);
    _cleanup_close_ int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return -errno;

    _cleanup_close_ int path_fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
    if (path_fd < 0)
        return -errno;
    return reopen_regular(path_fd);
}

enum { LINK_MAX_BYTES = 96 };

/* A link of the kernel's to the mapped file itself, whatever became of its name. */
static void map_file_link(pid_t pid, uint64_t start, uint64_t end, char link[LINK_MAX_BYTES])
{
    (void)snprintf(link, LINK_MAX_BYTES, "/proc/%d/map_files/%llx-%llx", pid,
                   (unsigned long long)start, (unsigned long long)end);
}

static int open_map_file(pid_t pid, const struct proc_map *map)
{
    char link[LINK_MAX_BYTES];

    map_file_link(pid, map->start, map->end, link);
    _cleanup_close_ int path_fd = open(link, O_PATH | O_CLOEXEC);
    return path_fd < 0 ? -errno : reopen_regular(path_fd);
}

/*
 * Overlay file systems (every container's root) show another device and inode in maps than stat()
 * does, depending on the kernel; there the name must do.
 */
static bool is_same_file(int fd, const struct proc_map *map)
{
    struct statfs fs;
    struct stat st;

    if (fstat(fd, &st) < 0)
        return false;
    if (st.st_ino == map->inode && major(st.st_dev) == map->dev_major &&
        minor(st.st_dev) == map->dev_minor)
        return true;
    return fstatfs(fd, &fs) == 0 &&
           (fs.f_type == OVERLAYFS_SUPER_MAGIC || fs.f_type == BTRFS_SUPER_MAGIC);
}

int proc_file_open_mapped(pid_t pid, const struct proc_map *map)
{
    char path[PATH_MAX];
    int fd = open_map_file(pid, map);

    if (fd >= 0)
        return fd;
    if (!proc_maps_path(map, path, sizeof(path)) || *path != '/')
        return -ENOENT;

    _cleanup_close_ int named = proc_file_open_in_root(pid, path);
    if (named < 0)
        return named;
    if (!is_same_file(named, map))
        return -ESTALE;
    return take_fd(named);
}

/* A process whose memory is gone already has no mappings either, and no program. */
static bool has_program(pid_t pid)
{
    char path[64], target;

    (void)snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    return readlink(path, &target, 1) == 1;
}

bool proc_file_is_replaced(pid_t pid, uint64_t start, uint64_t end, int fd)
{
    char link[LINK_MAX_BYTES];
    struct stat now, then;

    map_file_link(pid, start, end, link);
    if (stat(link, &now) < 0)
        return errno == ENOENT && has_program(pid);
    return fstat(fd, &then) == 0 && (now.st_ino != then.st_ino || now.st_dev != then.st_dev);
}
