/* SPDX-License-Identifier: Apache-2.0 */
/* kernel: most of the time is spent in system calls. */
#include <fcntl.h>
#include <sys/syscall.h>

#include "truth.h"

static int zero;
static char block[65536];

DISTINCT static void read_zero(uint64_t n_steps)
{
    for (uint64_t i = 0; i < n_steps; i += 1500)
        if (read(zero, block, sizeof(block)) != sizeof(block))
            abort();
    stay();
}

/* Small ones: nearly all of it is the way in and out. */
DISTINCT static void write_zero(uint64_t n_steps)
{
    for (uint64_t i = 0; i < n_steps; i += 60)
        if (write(zero, block, 64) != 64)
            abort();
    stay();
}

DISTINCT static void ask_parent(uint64_t n_steps)
{
    for (uint64_t i = 0; i < n_steps; i += 40)
        (void)syscall(SYS_getppid);
    stay();
}

DISTINCT static void compute(uint64_t n_steps)
{
    spin(n_steps);
}

#define BELOW "main;truth_serve;truth_round;"

static const struct truth_part parts[] = {
    { "read_zero", BELOW "read_zero", 40, read_zero },
    { "write_zero", BELOW "write_zero", 20, write_zero },
    { "ask_parent", BELOW "ask_parent", 30, ask_parent },
    { "compute", BELOW "compute", 10, compute },
};

int main(int argc, char **argv)
{
    zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
    if (zero < 0)
        return 1;
    TRUTH_SERVE(argc, argv, parts);
}
