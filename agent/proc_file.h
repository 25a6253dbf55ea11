/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc_file: reads what /proc/PID holds, and opens files of a process as that process sees them.
 *
 * The process is hostile: it may be gone, or have become another, and a path of its choice may lead
 * to a device, a FIFO, or out of its root. So a path is resolved inside its root (openat2) and
 * looked at before it is opened for reading; only regular files are that are not the kernel's own.
 */
#pragma once

#include "agent/proc_maps.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROC_FILE_TEXT_MAX = 64 * 1024 };

/* Reads /proc/@pid/@name as text, cut at @size - 1 bytes. The length, or a negative errno. */
ssize_t proc_file_read(pid_t pid, const char *name, char *text, size_t size);

bool proc_file_exists(pid_t pid);

/* When it was started, in clock ticks since the machine was, which tells it from the process that
 * has its pid later; 0: it is gone. Proves of what was opened before that it is this one's. */
uint64_t proc_file_started(pid_t pid);

/* May we read its memory map and its files? 0, or a negative errno: -EACCES without CAP_SYS_PTRACE.
 */
int proc_file_may_look(pid_t pid);

pid_t proc_file_ppid(pid_t pid);  /* 0: gone, or outside of our PID namespace */
pid_t proc_file_nspid(pid_t pid); /* as its own, innermost PID namespace numbers it; 0: gone */

/* A regular file in the process's root; the descriptor, or a negative errno: -EMFILE while there
 * are still some for ourselves (files.h). */
int proc_file_open_in_root(pid_t pid, const char *path);

/* The file that is mapped there: that very one, or a negative errno (-ESTALE: another is in its
 * place). */
int proc_file_open_mapped(pid_t pid, const struct proc_map *map);

/* Another file than that behind @fd, or none, is mapped at [start, end) by now. False, too, when
 * that cannot be told. */
bool proc_file_is_replaced(pid_t pid, uint64_t start, uint64_t end, int fd);
