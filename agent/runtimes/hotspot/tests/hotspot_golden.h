/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/*
 * hotspot_golden: a recorded Java virtual machine, as far as some look-ups read it. What
 * record_hotspot writes and test_hotspot_golden replays:
 *
 *   # ...                          a remark
 *   field TYPE NAME TEXT OFFSET    of the tables that libjvm exports; a space in TEXT is a ~
 *   static TYPE NAME ADDR
 *   type NAME SIZE
 *   bytes ..., packed ...          as recorded_memory.h has them
 *   version TEXT
 *   heap LOW HIGH SEGMAP
 *   place NMETHOD ID PC LEVEL      a place in compiled code, and which compiler made it
 *   scope NAME BCI LINE            a method that it runs, innermost first, as the JDK's own
 *                                  serviceability agent has it
 *
 * Addresses are hexadecimal, the rest decimal.
 */
/* clang-format on */
#pragma once

enum { GOLDEN_NAME_MAX = 512 };
