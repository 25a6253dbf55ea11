/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/rfc3339.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static bool digits(const char *text, const char *form)
{
    for (; *form; form++, text++) {
        if (*form == '0' ? !isdigit((unsigned char)*text) : *text != *form)
            return false;
    }
    return true;
}

static int number(const char *text, int n)
{
    int value = 0;

    while (n-- > 0)
        value = value * 10 + (*text++ - '0');
    return value;
}

/* Of four digits, and not 0. */
static bool is_year(const struct tm *tm)
{
    return tm->tm_year > -1900 && tm->tm_year <= 9999 - 1900;
}

bool rfc3339_parse(const char *text, int64_t *ret_s)
{
    const char *end = text + strlen("0000-00-00T00:00:00");

    if (!digits(text, "0000-00-00T00:00:00"))
        return false;
    if (*end == '.' && isdigit((unsigned char)end[1])) {
        for (end++; isdigit((unsigned char)*end); end++)
            ;
    }
    if (strcmp(end, "Z") != 0)
        return false;
    struct tm tm = { .tm_year = number(text, 4) - 1900,
                     .tm_mon = number(text + 5, 2) - 1,
                     .tm_mday = number(text + 8, 2),
                     .tm_hour = number(text + 11, 2),
                     .tm_min = number(text + 14, 2),
                     .tm_sec = number(text + 17, 2) };
    if (tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
        tm.tm_min > 59 || tm.tm_sec > 60)
        return false;
    int64_t s = timegm(&tm);
    if (!is_year(&tm)) /* a leap second may lead out of it */
        return false;
    *ret_s = s;
    return true;
}

void rfc3339_format(int64_t s, char text[RFC3339_SIZE])
{
    time_t t = s;
    struct tm tm;

    text[0] = '\0';
    if (gmtime_r(&t, &tm) && is_year(&tm)) /* strftime() writes the year 984 with three digits */
        (void)snprintf(text, RFC3339_SIZE, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
                       tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}
