/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/json.h"

#include "lib/mem.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

DEFINE_CLEANUP(struct json_tokener *, json_tokener_free)

/* The end of the string that starts after text[-1], or @end. */
static const char *skip_string(const char *text, const char *end)
{
    for (; text < end && *text != '"'; text++)
        text += *text == '\\' && text + 1 < end;
    return text < end ? text + 1 : end;
}

/* A string before a colon, in which json-c would see the end of the key. */
static bool is_key_with_nul(const char *string, const char *after, const char *end)
{
    const char *next = after;

    while (next < end && strchr(" \t\r\n", *next))
        next++;
    if (next == end || *next != ':')
        return false;
    for (; (string = memchr(string, '\\', (size_t)(after - string))); string += 2)
        if (after - string >= 6 && memcmp(string, "\\u0000", 6) == 0)
            return true;
    return false;
}

/* json-c takes NaN, Infinity and single quotes even when strict; JSON has no such bytes between its
 * strings. NULL, or where the first of them stands. */
static const char *find_foreign(const char *text, size_t len)
{
    for (const char *at = text, *end = text + len; at < end;) {
        if (!*at || !strchr(" \t\r\n{}[]:,\"+-.0123456789Eaeflnrstu", *at))
            return at;
        const char *after = *at == '"' ? skip_string(at + 1, end) : at + 1;

        if (*at == '"' && is_key_with_nul(at, after, end))
            return at;
        at = after;
    }
    return NULL;
}

int json_parse(const char *text, size_t len, int max_depth, struct json_object **ret, struct err *e)
{
    __attribute__((cleanup(json_tokener_freep))) struct json_tokener *tok =
        json_tokener_new_ex(max_depth);
    enum json_tokener_error why;

    if (!tok)
        return err_set(e, -ENOMEM, "JSON: no memory for a parser");
    if (len == 0 || len >= INT_MAX)
        return err_set(e, -EINVAL, "JSON: %s", len ? "too long" : "empty");
    if (memchr(text, '\0', len)) /* json-c would stop there and call it the end */
        return err_set(e, -EINVAL, "JSON: holds a NUL byte");
    const char *foreign = find_foreign(text, len);
    if (foreign)
        return err_set(e, -EINVAL, "JSON: unexpected character at byte %td", foreign - text);
    json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    _cleanup_json_ struct json_object *value = json_tokener_parse_ex(tok, text, (int)len);
    why = json_tokener_get_error(tok);
    if (why == json_tokener_continue) /* a bare number ends only where something follows it */
        value = json_tokener_parse_ex(tok, " ", 1), why = json_tokener_get_error(tok);
    if (why != json_tokener_success)
        return err_set(e, -EINVAL, "JSON: %s at byte %zu",
                       why == json_tokener_continue ? "unexpected end"
                                                    : json_tokener_error_desc(why),
                       json_tokener_get_parse_end(tok));
    *ret = take_ptr(value);
    return 0;
}

int json_write(struct json_object *value, struct buf *out)
{
    size_t len = 0;
    const char *text = json_object_to_json_string_length(
        value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);

    return buf_add(out, text, len);
}

struct json_object *json_get_key(struct json_object *root, const char *key)
{
    struct json_object *value = NULL;

    if (!json_object_is_type(root, json_type_object))
        return NULL;
    (void)json_object_object_get_ex(root, key, &value);
    return value;
}

struct json_object *json_get(struct json_object *root, const char *path)
{
    char key[64];

    while (root && *path) {
        size_t n = strcspn(path, ".");

        if (n >= sizeof(key))
            return NULL;
        memcpy(key, path, n);
        key[n] = '\0';
        root = json_get_key(root, key);
        path += n + (path[n] == '.');
    }
    return root;
}

static struct json_object *get_typed(struct json_object *root, const char *path,
                                     enum json_type type)
{
    struct json_object *value = json_get(root, path);

    return value && json_object_is_type(value, type) ? value : NULL;
}

const char *json_get_str(struct json_object *root, const char *path)
{
    struct json_object *value = get_typed(root, path, json_type_string);

    return value ? json_object_get_string(value) : NULL;
}

struct json_object *json_get_array(struct json_object *root, const char *path)
{
    return get_typed(root, path, json_type_array);
}

struct json_object *json_get_object(struct json_object *root, const char *path)
{
    return get_typed(root, path, json_type_object);
}

bool json_get_bool(struct json_object *root, const char *path, bool missing)
{
    struct json_object *value = get_typed(root, path, json_type_boolean);

    return value ? json_object_get_boolean(value) : missing;
}

int64_t json_get_int(struct json_object *root, const char *path, int64_t missing)
{
    struct json_object *value = get_typed(root, path, json_type_int);

    return value ? json_object_get_int64(value) : missing;
}

void json_set(struct json_object *o, const char *key, struct json_object *value)
{
    (void)json_object_object_add(o, key, value);
}

void json_set_str(struct json_object *o, const char *key, const char *value)
{
    if (value)
        json_set(o, key, json_object_new_string(value));
}

void json_set_int(struct json_object *o, const char *key, int64_t value)
{
    json_set(o, key, json_object_new_int64(value));
}

void json_set_bool(struct json_object *o, const char *key, bool value)
{
    json_set(o, key, json_object_new_boolean(value));
}

struct json_object *json_add_object(struct json_object *o, const char *key)
{
    struct json_object *child = json_object_new_object();

    json_set(o, key, child);
    return child;
}

struct json_object *json_add_array(struct json_object *o, const char *key)
{
    struct json_object *child = json_object_new_array();

    json_set(o, key, child);
    return child;
}
