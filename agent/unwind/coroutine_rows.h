/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coroutine_rows: where the coroutines begin that share their thread's stack, as greenlets do
 * (gevent, SQLAlchemy). What lies behind the first frame of one may be of any other by now: nobody
 * called it.
 */
#pragma once

#include "agent/symbols/elf_headers.h"
#include "agent/unwind/eh_frame.h"

/* Ends stacks in the functions of the file that start a coroutine, as its dynamic symbols name
 * them. */
void coroutine_rows_end(int fd, const struct elf_headers *headers, struct eh_range range,
                        size_t max_rows, struct unwind_rules *rules, struct eh_table *table);
