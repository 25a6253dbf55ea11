/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/hash.h"

#include <sys/random.h>

uint64_t hash_seed;

__attribute__((constructor)) static void choose_seed(void)
{
    if (getrandom(&hash_seed, sizeof(hash_seed), GRND_NONBLOCK) < 0)
        hash_seed = (uintptr_t)&hash_seed; /* of a program that lies anywhere */
}
