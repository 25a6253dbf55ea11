/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over x86-64 stacks. */
#define UNWIND_OF_ARM64 0

#include "agent/unwind/fuzz/fuzz_walk.h"
