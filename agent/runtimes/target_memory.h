/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target_memory: reads the memory of a running process without stopping it (process_vm_readv).
 *
 * What is read may change meanwhile, and is hostile: sizes are the caller's bounds, never the
 * target's. Needs CAP_SYS_PTRACE, as looking at its maps does.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All of it, or false. */
bool target_memory_read(pid_t pid, uint64_t addr, void *to, size_t size);

static inline bool target_memory_u64(pid_t pid, uint64_t addr, uint64_t *ret_value)
{
    return target_memory_read(pid, addr, ret_value, sizeof(*ret_value));
}
