/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over arm64 stacks. */
#define UNWIND_OF_ARM64 1

#include "agent/unwind/fuzz/fuzz_walk.h"
