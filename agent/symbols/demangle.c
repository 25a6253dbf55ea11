/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/demangle.h"

#include "agent/symbols/llvm_demangle.h"
#include "lib/cleanup.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* GCC's clones and splits (gcc/cgraphclones.cc: clone_function_name), LLVM's (ThinLTO promotion,
 * -funique-internal-linkage-names); a number may follow each. */
static const char *const appendices[] = {
    ".cold",       ".part",  ".isra", ".constprop", ".lto_priv",
    ".localalias", ".clone", ".llvm", ".__uniq",
};

/* Where the last appendix of the first @len bytes begins; @len when there is none. */
static size_t strip_one(const char *name, size_t len)
{
    size_t end = len;

    while (end > 0 && isdigit((unsigned char)name[end - 1]))
        end--;
    if (end == len || end == 0 || name[end - 1] != '.')
        end = len;
    else
        end--;
    for (size_t i = 0; i < sizeof(appendices) / sizeof(appendices[0]); i++) {
        size_t n = strlen(appendices[i]);

        if (end > n && memcmp(name + end - n, appendices[i], n) == 0)
            return end - n;
    }
    return len;
}

size_t demangle_strip(const char *name)
{
    size_t len = strlen(name), shorter;

    while ((shorter = strip_one(name, len)) < len)
        len = shorter;
    return len;
}

bool demangle_applies(const char *name)
{
    return (strncmp(name, "_Z", 2) == 0 || strncmp(name, "_R", 2) == 0) &&
           strnlen(name, DEMANGLE_INPUT_MAX) < DEMANGLE_INPUT_MAX;
}

/* Rust's legacy scheme is an Itanium name whose last part is 'h' and 16 digits (RFC 2603,
 * "Current Name-Mangling Scheme"). */
enum {
    HASH_PART = sizeof("17h0123456789abcdefE") - 1,
    HASH_TEXT = sizeof("::h0123456789abcdef") - 1
};

static bool is_legacy_rust(const char *name)
{
    size_t len = strlen(name);

    if (len < HASH_PART || name[len - 1] != 'E' || strncmp(name + len - HASH_PART, "17h", 3) != 0)
        return false;
    return strspn(name + len - HASH_PART + 3, "0123456789abcdef") == 16;
}

/* One escape at @at; its length, 0 when it is none. */
static size_t unescape(const char *at, char *ret_char)
{
    static const struct {
        const char *escape;
        char is;
    } escapes[] = {
        { "$SP$", '@' }, { "$BP$", '*' }, { "$RF$", '&' }, { "$LT$", '<' },
        { "$GT$", '>' }, { "$LP$", '(' }, { "$RP$", ')' }, { "$C$", ',' },
    };
    char *end;

    for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
        size_t n = strlen(escapes[i].escape);

        if (strncmp(at, escapes[i].escape, n) == 0) {
            *ret_char = escapes[i].is;
            return n;
        }
    }
    if (strncmp(at, "$u", 2) != 0 || !isxdigit((unsigned char)at[2]))
        return 0;

    unsigned long c = strtoul(at + 2, &end, 16);

    if (*end != '$' || c < 0x20 || c > 0x7e)
        return 0;
    *ret_char = (char)c;
    return (size_t)(end + 1 - at);
}

/* "_$LT$T$u20$as$u20$core..Any$GT$::f" is "<T as core::Any>::f". In place. */
static void unescape_rust(char *text)
{
    const char *at = text;
    char *to = text;
    size_t n;

    while (*at) {
        bool starts = at == text || at[-1] == ':';

        if (starts && at[0] == '_' && at[1] == '$')
            at++;
        if (at[0] == '.' && at[1] == '.') {
            *to++ = ':';
            *to++ = ':';
            at += 2;
        } else if ((n = unescape(at, to)) > 0) {
            to++;
            at += n;
        } else {
            *to++ = *at++;
        }
    }
    *to = '\0';
}

void demangle_unescape(const char *name, char *full)
{
    size_t len = strlen(full);

    if (strncmp(name, "_Z", 2) != 0 || !is_legacy_rust(name) || len <= HASH_TEXT)
        return;
    full[len - HASH_TEXT] = '\0';
    unescape_rust(full);
}

bool demangle_front(const char *name, char text[DEMANGLE_TEXT_MAX + 1])
{
    const char *at = name + 2;
    size_t len = 0;

    if (*at == 'N')
        at++;
    while (*at == 'K' || *at == 'V')
        at++;
    if (strncmp(at, "St", 2) == 0) {
        len += (size_t)snprintf(text, DEMANGLE_TEXT_MAX, "std");
        at += 2;
    }
    while (isdigit((unsigned char)*at)) {
        char *end;
        unsigned long n = strtoul(at, &end, 10);

        if (n == 0 || n > strlen(end) || len + n + 2 > DEMANGLE_TEXT_MAX - 8)
            return false;
        len += (size_t)snprintf(text + len, n + 3, "%s%.*s", len ? "::" : "", (int)n, end);
        at = end + n;
    }
    (void)snprintf(text + len, 6, "%s", *at == 'I' ? "<...>" : "");
    return len > 0;
}

bool demangle(const char *name, char text[DEMANGLE_TEXT_MAX + 1])
{
    bool is_v0 = strncmp(name, "_R", 2) == 0;
    _cleanup_free_ char *full = is_v0 ? llvm_demangle_rust(name) : llvm_demangle_itanium(name);

    if (!full)
        return !is_v0 && demangle_front(name, text);
    demangle_unescape(name, full);
    (void)snprintf(text, DEMANGLE_TEXT_MAX + 1, "%s", full);
    return *text;
}
