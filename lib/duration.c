/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/duration.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

static const struct {
    char unit;
    int64_t seconds;
} units[] = { { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };

enum { UNITS = sizeof(units) / sizeof(units[0]), DIGITS_MAX = 5 };

static int bad_syntax(struct err *e)
{
    return err_set(e, -EINVAL,
                   "must be hours, minutes and seconds in that order, such as 30s, 2m or 1m30s");
}

int duration_parse(const char *text, int64_t *ret_seconds, struct err *e)
{
    int64_t total = 0;
    size_t next = 0;

    if (*text == '\0')
        return bad_syntax(e);
    while (*text) {
        int64_t n = 0;
        int digits = 0;

        for (; isdigit((unsigned char)*text) && digits <= DIGITS_MAX; text++, digits++)
            n = n * 10 + (*text - '0');
        if (digits == 0 || digits > DIGITS_MAX)
            return bad_syntax(e);
        while (next < UNITS && tolower((unsigned char)*text) != units[next].unit)
            next++;
        if (next == UNITS)
            return bad_syntax(e);
        total += n * units[next++].seconds;
        text++;
    }
    if (total < DURATION_MIN_S || total > DURATION_MAX_S)
        return err_set(e, -ERANGE, "must be from 1s to 1h");
    *ret_seconds = total;
    return 0;
}

void duration_format(int64_t seconds, char *text, size_t size)
{
    size_t len = 0;

    for (size_t i = 0; i < UNITS; i++) {
        int64_t n = seconds / units[i].seconds;

        seconds %= units[i].seconds;
        if (n > 0 && len < size)
            len += (size_t)snprintf(text + len, size - len, "%lld%c", (long long)n, units[i].unit);
    }
    if (len == 0)
        (void)snprintf(text, size, "0s");
}
