/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *p)
{
    if (!p) {
        (void)fputs("out of memory\n", stderr);
        abort();
    }
    return p;
}

void *mem_alloc(size_t size)
{
    return checked(malloc(size ? size : 1));
}

void *mem_zalloc(size_t size)
{
    return checked(calloc(1, size ? size : 1));
}

void *mem_array(size_t n, size_t size)
{
    return checked(calloc(n ? n : 1, size ? size : 1));
}

void *mem_grow(void *p, size_t n, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(n, size, &total))
        return checked(NULL);
    return checked(realloc(p, total ? total : 1));
}

char *mem_strdup(const char *s)
{
    return checked(strdup(s));
}

char *mem_strndup(const char *s, size_t max)
{
    return checked(strndup(s, max));
}

char *mem_printf(const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    int n;

    va_start(args, fmt);
    n = vasprintf(&text, fmt, args);
    va_end(args);
    return checked(n < 0 ? NULL : text);
}
