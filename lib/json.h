/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json: the only door to json-c.
 *
 * Input is untrusted: depth is limited and anything after the value but white space is an error.
 * Getters walk a path of keys ("status.phase"; keys holding dots are taken with json_get_key) and
 * give NULL, or the default, when a step is absent or has another type: absence is not an error
 * here. Returned strings and objects are borrowed from the root. json-c objects never cross
 * threads.
 */
#pragma once

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#include <json-c/json_object.h>
#include <json-c/json_tokener.h>

#include <stdbool.h>
#include <stdint.h>

static inline void json_put(struct json_object *o)
{
    (void)json_object_put(o);
}
DEFINE_CLEANUP(struct json_object *, json_put)
#define _cleanup_json_ __attribute__((cleanup(json_putp)))

/* Parses exactly one JSON value; *ret is owned by the caller. -EINVAL says where it broke. */
int json_parse(const char *text, size_t len, int max_depth, struct json_object **ret,
               struct err *e) WARN_UNUSED;

/* Appends the compact text of @value to @out; -ENOSPC past its cap. */
int json_write(struct json_object *value, struct buf *out) WARN_UNUSED;

/* Borrowed: the value at the dotted path, or NULL. */
struct json_object *json_get(struct json_object *root, const char *path);
struct json_object *json_get_key(struct json_object *root, const char *key);

/* The same, typed; NULL or the default unless the type is exactly that. */
const char *json_get_str(struct json_object *root, const char *path);
struct json_object *json_get_array(struct json_object *root, const char *path);
struct json_object *json_get_object(struct json_object *root, const char *path);
bool json_get_bool(struct json_object *root, const char *path, bool missing);
int64_t json_get_int(struct json_object *root, const char *path, int64_t missing);

/* Adds and owns: the value (which may be NULL for null) belongs to @o afterwards. */
void json_set(struct json_object *o, const char *key, struct json_object *value);
void json_set_str(struct json_object *o, const char *key,
                  const char *value); /* NULL: key is left out */
void json_set_int(struct json_object *o, const char *key, int64_t value);
void json_set_bool(struct json_object *o, const char *key, bool value);
/* Adds an empty object or array under key and returns it, borrowed. */
struct json_object *json_add_object(struct json_object *o, const char *key);
struct json_object *json_add_array(struct json_object *o, const char *key);
