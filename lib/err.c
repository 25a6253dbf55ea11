/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int err_set(struct err *e, int code, const char *fmt, ...)
{
    va_list args;

    e->code = code;
    va_start(args, fmt);
    (void)vsnprintf(e->msg, sizeof(e->msg), fmt, args);
    va_end(args);
    return code;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
    char inner[sizeof(e->msg)];
    va_list args;
    int n;

    memcpy(inner, e->msg, sizeof(inner));
    va_start(args, fmt);
    n = vsnprintf(e->msg, sizeof(e->msg), fmt, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof(e->msg))
        (void)snprintf(e->msg + n, sizeof(e->msg) - (size_t)n, ": %s", inner);
    return e->code;
}

const char *err_text(int errnum)
{
    const char *text = strerrordesc_np(abs(errnum));

    return text ? text : "unknown error";
}
