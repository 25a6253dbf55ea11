/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mini_debug: unpacks .gnu_debugdata, an xz-compressed ELF file with the symbols that were stripped
 * (GDB's manual, "MiniDebugInfo"; what Fedora and RHEL ship in every program).
 *
 * Input is untrusted. What comes out is at most MINI_DEBUG_MAX bytes in a memfd, and the decoder's
 * memory is bounded; past either the section counts as unreadable.
 */
#pragma once

#include "agent/symbols/elf_image.h"
#include "lib/err.h"

enum {
    MINI_DEBUG_MAX = 32 << 20,
    MINI_DEBUG_PACKED_MAX = 32 << 20,
    MINI_DEBUG_DECODER_MAX = 80 << 20
};

/* The descriptor of the unpacked file, owned by the caller. -ENOENT: there is no such section.
 * -EFBIG: past a bound. -EBADMSG: not xz, or cut off. */
int mini_debug_open(int fd, const struct elf_image *elf, struct err *e) WARN_UNUSED;
