/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cleanup: scope-bound ownership, so that a leak can be ruled out by reading one function.
 *
 *   _cleanup_free_ char *name = NULL;      freed when the scope ends
 *   return take_ptr(name);                 ownership moves to the caller
 */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Moves the pointer out of @p, which becomes NULL. */
#define take_ptr(p)                                                                                \
    ({                                                                                             \
        typeof(p) _taken = (p);                                                                    \
        (p) = NULL;                                                                                \
        _taken;                                                                                    \
    })

/* Moves the file descriptor out of @fd, which becomes -1. */
#define take_fd(fd)                                                                                \
    ({                                                                                             \
        int _taken = (fd);                                                                         \
        (fd) = -1;                                                                                 \
        _taken;                                                                                    \
    })

/* Defines func##p(type *), for __attribute__((cleanup(func##p))); does nothing on NULL. */
#define DEFINE_CLEANUP(type, func)                                                                 \
    static inline void func##p(type *p)                                                            \
    {                                                                                              \
        if (*p)                                                                                    \
            func(*p);                                                                              \
    }

static inline void cleanup_free(void *p)
{
    free(*(void **)p);
}

static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static inline void cleanup_fclose(FILE **f)
{
    if (*f)
        (void)fclose(*f);
}

static inline void cleanup_closedir(DIR **d)
{
    if (*d)
        (void)closedir(*d);
}

#define _cleanup_free_     __attribute__((cleanup(cleanup_free)))
#define _cleanup_close_    __attribute__((cleanup(cleanup_close)))
#define _cleanup_fclose_   __attribute__((cleanup(cleanup_fclose)))
#define _cleanup_closedir_ __attribute__((cleanup(cleanup_closedir)))
