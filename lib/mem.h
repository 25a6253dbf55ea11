/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem: allocation that aborts with one line on stderr when memory is out. Sizes that come from
 * outside are bounded by the caller before they get here. The results are released with free().
 */
#pragma once

#include <stddef.h>

void *mem_alloc(size_t size);                   /* uninitialised; size 0 is allowed */
void *mem_zalloc(size_t size);                  /* zeroed */
void *mem_array(size_t n, size_t size);         /* zeroed; aborts when n * size overflows */
void *mem_grow(void *p, size_t n, size_t size); /* realloc to n items of size; overflow aborts */
char *mem_strdup(const char *s);                /* s must not be NULL */
char *mem_strndup(const char *s, size_t max);
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
