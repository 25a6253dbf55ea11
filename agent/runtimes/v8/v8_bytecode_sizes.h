/* SPDX-License-Identifier: Apache-2.0 */
/*
 * v8_bytecode_sizes: how long each bytecode of a V8 is, as the table that V8 itself reads them by
 * says. A build that hides the name of the table has it among its constants all the same, where it
 * is known by how it begins. Input is untrusted.
 */
#pragma once

#include "agent/runtimes/v8/v8_positions.h"
#include "agent/symbols/elf_find.h"

/* @table: Bytecodes::kBytecodeSizes, found or not. Without them baseline code has no lines. */
void v8_bytecode_sizes_read(int fd, const struct elf_image *elf, const struct elf_wanted *table,
                            struct v8_bytecode_sizes *ret_sizes);
