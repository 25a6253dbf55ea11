/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/target_memory.h"

#include <sys/uio.h>

bool target_memory_read(pid_t pid, uint64_t addr, void *to, size_t size)
{
    struct iovec here = { to, size };
    /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
    struct iovec there = { (void *)(uintptr_t)addr, size };

    return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}
