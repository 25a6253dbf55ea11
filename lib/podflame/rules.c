/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/podflame/rules.h"

#include "lib/duration.h"
#include "lib/json.h"
#include "lib/podflame/names.h"
#include "lib/podflame/podflame.h"

#include <json-c/linkhash.h>

#include <stdio.h>
#include <string.h>

enum {
    TEXT_MAX_BYTES = 64, /* duration, event: the CRD's maxLength */
    FREQUENCY_MAX = 999,
    SHOWN_MAX = 2048, /* a value as printed: the longest name with each byte as \u0000 */
};

#define IMMUTABLE                                                                                  \
    "the spec is immutable; delete the PodFlame and create it again, or give the new one "         \
    "another name"

struct text {
    const char *data;
    size_t len;
};

struct field {
    const char *path; /* "spec.<name>" */
    const char *name;
    enum json_type type;
    size_t max_len;           /* of strings */
    const char *default_text; /* JSON; NULL: none */
    const char *type_help;    /* after "must be " */
    void (*check_text)(const struct field *f, struct text text, struct problems *problems);
    void (*check_int)(const struct field *f, int64_t value, struct problems *problems);
};

static void invalid_text(const struct field *f, enum problem_cause cause, struct text text,
                         const char *detail, struct problems *problems)
{
    _cleanup_buf_ struct buf shown = BUF_INIT(SHOWN_MAX);

    problem_quote(text.data, text.len, &shown);
    problems_add(problems, f->path, cause, buf_str(&shown), "%s", detail);
}

static void check_target_pod(const struct field *f, struct text text, struct problems *problems)
{
    if (text.len == 0)
        problems_add(problems, f->path, PROBLEM_REQUIRED, "",
                     "name the pod to profile; it must be in the namespace of the PodFlame");
    else if (!name_is_subdomain(text.data, text.len))
        invalid_text(f, PROBLEM_INVALID, text,
                     "must be the name of a pod alone, such as web-0: lower case letters, digits, "
                     "'-' and '.', first and last a letter or digit",
                     problems);
}

static void check_container_name(const struct field *f, struct text text, struct problems *problems)
{
    if (text.len > 0 && !name_is_label(text.data, text.len))
        invalid_text(f, PROBLEM_INVALID, text,
                     "must be the name of a container, such as app: lower case letters, digits and "
                     "'-', first and last a letter or digit",
                     problems);
}

static void check_duration(const struct field *f, struct text text, struct problems *problems)
{
    struct err e = { 0 };
    int64_t seconds;

    /* No NUL is part of a duration, and the parser would stop there. */
    bool cut = memchr(text.data, '\0', text.len) != NULL;

    if (duration_parse(cut ? "" : text.data, &seconds, &e) == 0)
        return;
    invalid_text(f, PROBLEM_INVALID, text, e.msg, problems);
}

static void check_event(const struct field *f, struct text text, struct problems *problems)
{
    if (text.len != 3 || memcmp(text.data, "cpu", 3) != 0)
        invalid_text(f, PROBLEM_NOT_SUPPORTED, text, "supported values: \"cpu\"", problems);
}

static void check_frequency(const struct field *f, int64_t value, struct problems *problems)
{
    char shown[24];

    if (value >= 1 && value <= FREQUENCY_MAX)
        return;
    (void)snprintf(shown, sizeof(shown), "%lld", (long long)value);
    problems_add(problems, f->path, PROBLEM_INVALID, shown,
                 "must be from 1 to 999 samples a second, such as 99");
}

static void check_ttl(const struct field *f, int64_t value, struct problems *problems)
{
    char shown[24];

    if (value >= 0 && value <= INT32_MAX)
        return;
    (void)snprintf(shown, sizeof(shown), "%lld", (long long)value);
    problems_add(problems, f->path, PROBLEM_INVALID, shown,
                 "must be 0 or more seconds, such as 3600");
}

static const struct field fields[] = {
    { "spec.containerName", "containerName", json_type_string, NAME_LABEL_MAX, "\"\"",
      "a string, the name of a container", check_container_name, NULL },
    { "spec.duration", "duration", json_type_string, TEXT_MAX_BYTES,
      "\"" PODFLAME_DEFAULT_DURATION "\"", "a string, such as \"2m\"", check_duration, NULL },
    { "spec.event", "event", json_type_string, TEXT_MAX_BYTES, "\"" PODFLAME_DEFAULT_EVENT "\"",
      "a string, such as \"cpu\"", check_event, NULL },
    { "spec.frequency", "frequency", json_type_int, 0, "99", "a whole number, such as 99", NULL,
      check_frequency },
    { "spec.targetPod", "targetPod", json_type_string, NAME_SUBDOMAIN_MAX, "\"\"",
      "a string, the name of a pod", check_target_pod, NULL },
    { "spec.ttlSecondsAfterFinished", "ttlSecondsAfterFinished", json_type_int, 0, NULL,
      "a whole number of seconds, such as 3600", NULL, check_ttl },
};

enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

/* How a value of any type is shown: never longer than a line. */
static void show_value(struct json_object *value, struct buf *out)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        (void)buf_add_str(out, "unset");
        break;
    case json_type_object:
        (void)buf_add_str(out, "an object");
        break;
    case json_type_array:
        (void)buf_add_str(out, "a list");
        break;
    case json_type_string:
        if (json_object_get_string_len(value) > NAME_SUBDOMAIN_MAX)
            (void)buf_add_str(out, "a long string");
        else if (json_object_get_string_len(value) == 0)
            (void)buf_add_str(out, "unset");
        else
            problem_quote(json_object_get_string(value), (size_t)json_object_get_string_len(value),
                          out);
        break;
    default:
        (void)buf_add_str(out, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
        break;
    }
}

static void check_field(const struct field *f, struct json_object *value, struct problems *problems)
{
    _cleanup_buf_ struct buf shown = BUF_INIT(SHOWN_MAX);

    if (!value) { /* absent or null: the default, which is right for all but targetPod */
        if (f->check_text == check_target_pod)
            check_target_pod(f, (struct text){ "", 0 }, problems);
        return;
    }
    if (!json_object_is_type(value, f->type)) {
        show_value(value, &shown);
        problems_add(problems, f->path, PROBLEM_TYPE_INVALID, buf_str(&shown), "must be %s",
                     f->type_help);
        return;
    }
    if (f->check_int) {
        f->check_int(f, json_object_get_int64(value), problems);
        return;
    }
    struct text text = { json_object_get_string(value), (size_t)json_object_get_string_len(value) };
    if (text.len > f->max_len)
        problems_add(problems, f->path, PROBLEM_TOO_LONG, "", "may not be more than %zu bytes",
                     f->max_len);
    else
        f->check_text(f, text, problems);
}

void rules_check_spec(struct json_object *spec, struct problems *problems)
{
    _cleanup_buf_ struct buf shown = BUF_INIT(SHOWN_MAX);

    if (spec && !json_object_is_type(spec, json_type_object)) {
        show_value(spec, &shown);
        problems_add(problems, "spec", PROBLEM_TYPE_INVALID, buf_str(&shown), "must be an object");
        return;
    }
    for (size_t i = 0; i < FIELDS; i++)
        check_field(&fields[i], json_get_key(spec, fields[i].name), problems);
}

/* The value of a field after defaults: a new reference, NULL for none. */
static struct json_object *or_default(const struct field *f, struct json_object *value)
{
    if (value)
        return json_object_get(value);
    return f->default_text ? json_tokener_parse(f->default_text) : NULL;
}

static void check_unchanged(const struct field *f, struct json_object *old_value,
                            struct json_object *new_value, struct problems *problems)
{
    _cleanup_json_ struct json_object *old = or_default(f, old_value);
    _cleanup_json_ struct json_object *new = or_default(f, new_value);
    _cleanup_buf_ struct buf was = BUF_INIT(SHOWN_MAX), is = BUF_INIT(SHOWN_MAX);

    if (json_object_equal(old, new))
        return;
    show_value(old, &was);
    show_value(new, &is);
    problems_add(problems, f->path, PROBLEM_FORBIDDEN, "",
                 "cannot change from %s to %s: " IMMUTABLE, buf_str(&was), buf_str(&is));
}

static bool is_field(const char *name)
{
    for (size_t i = 0; i < FIELDS; i++)
        if (strcmp(fields[i].name, name) == 0)
            return true;
    return false;
}

/* A field of @a that the table does not know, and that differs in @b. */
static bool others_differ(struct json_object *a, struct json_object *b)
{
    if (!json_object_is_type(a, json_type_object))
        return false;
    json_object_object_foreach(a, name, value)
    {
        if (!is_field(name) && !json_object_equal(value, json_get_key(b, name)))
            return true;
    }
    return false;
}

void rules_check_update(struct json_object *old_spec, struct json_object *new_spec,
                        struct problems *problems)
{
    for (size_t i = 0; i < FIELDS; i++) {
        struct json_object *old = json_get_key(old_spec, fields[i].name);
        struct json_object *new = json_get_key(new_spec, fields[i].name);

        if (!json_object_equal(old, new))
            check_unchanged(&fields[i], old, new, problems);
    }
    bool is_object = json_object_is_type(new_spec, json_type_object);
    if ((old_spec && is_object != json_object_is_type(old_spec, json_type_object)) ||
        others_differ(old_spec, new_spec) || others_differ(new_spec, old_spec))
        problems_add(problems, "spec", PROBLEM_FORBIDDEN, "", IMMUTABLE);
}
