/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/files.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

void files_raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= FILES_MAX)
        return;
    limit.rlim_cur = limit.rlim_max < FILES_MAX ? limit.rlim_max : FILES_MAX;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* fewer files means fewer names, no failure */
}

/* The kernel gives the lowest number that is free: a high one says that few are. */
int files_keep(int fd)
{
    struct rlimit limit = { FILES_MAX, FILES_MAX };

    (void)getrlimit(RLIMIT_NOFILE, &limit);

    rlim_t spare = limit.rlim_cur / 2 < FILES_SPARE ? limit.rlim_cur / 2 : FILES_SPARE;

    if (fd < 0 || (rlim_t)fd < limit.rlim_cur - spare)
        return fd;
    (void)close(fd);
    return -EMFILE;
}
