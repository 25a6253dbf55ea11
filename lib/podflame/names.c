/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/podflame/names.h"

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Like a label, of any length: the API server bounds the whole of a subdomain, not its parts. */
static bool is_part(const char *text, size_t len)
{
    if (len == 0 || !is_alphanumeric(text[0]) || !is_alphanumeric(text[len - 1]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_alphanumeric(text[i]) && text[i] != '-')
            return false;
    return true;
}

bool name_is_label(const char *text, size_t len)
{
    return len <= NAME_LABEL_MAX && is_part(text, len);
}

bool name_is_subdomain(const char *text, size_t len)
{
    size_t start = 0;

    if (len == 0 || len > NAME_SUBDOMAIN_MAX)
        return false;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && text[i] != '.')
            continue;
        if (!is_part(text + start, i - start))
            return false;
        start = i + 1;
    }
    return true;
}
