/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/request.h"

#include "lib/json.h"
#include "lib/podflame/names.h"
#include "lib/podflame/podflame.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define REVIEW_API_VERSION "admission.k8s.io/v1"

static const char *const operation_names[] = {
#define X(id, name) name,
    REVIEW_OPERATIONS(X)
#undef X
};

const char *review_operation_name(enum review_operation operation)
{
    assert(operation < REVIEW_OPERATION_COUNT);
    return operation_names[operation];
}

/* "" when absent; also when it holds a NUL byte, which none of these may. */
static const char *get_text(struct json_object *object, const char *path)
{
    struct json_object *value = json_get(object, path);

    if (!json_object_is_type(value, json_type_string))
        return "";
    const char *text = json_object_get_string(value);
    return strlen(text) == (size_t)json_object_get_string_len(value) ? text : "";
}

static bool is(struct json_object *object, const char *path, const char *text)
{
    return strcmp(get_text(object, path), text) == 0;
}

static enum review_operation get_operation(struct json_object *request)
{
    const char *name = get_text(request, "operation");

    for (size_t i = 0; i < REVIEW_OTHER; i++)
        if (strcmp(name, operation_names[i]) == 0)
            return (enum review_operation)i;
    return REVIEW_OTHER;
}

/* The name is empty on CREATE with generateName, unless the API server has made one already. */
static const char *get_name(struct json_object *request, struct json_object *object)
{
    const char *name = get_text(request, "name");

    if (!*name)
        name = get_text(object, "metadata.name");
    return *name ? name : get_text(object, "metadata.generateName");
}

/* The end of the string that starts after text[-1], or @end. */
static const char *skip_string(const char *text, const char *end)
{
    while (text < end) {
        const char *quote = memchr(text, '"', (size_t)(end - text));
        const char *slash = quote ? memchr(text, '\\', (size_t)(quote - text)) : NULL;

        if (!quote)
            return end;
        if (!slash)
            return quote + 1;
        text = slash + 2;
    }
    return end;
}

/*
 * Counts what may begin a value, well-formed or not, and stops past the limit. Text in single
 * quotes, which json-c takes as a key even when strict, is refused: what it holds would be counted
 * wrongly.
 */
static int check_values(const char *text, size_t len, struct err *e)
{
    const char *end = text + len;
    int n = 0;

    while (text < end && n <= REVIEW_VALUES_MAX) {
        char c = *text++;

        if (c == '"')
            text = skip_string(text, end);
        else if (c == '\'')
            return err_set(e, -EINVAL, "JSON: single quote outside a string");
        else
            n += c == '{' || c == '[' || c == ',';
    }
    if (n > REVIEW_VALUES_MAX)
        return err_set(e, -EINVAL, "JSON: more than %d values", REVIEW_VALUES_MAX);
    return 0;
}

static int check_envelope(struct json_object *root, struct json_object *request, struct err *e)
{
    size_t uid_len = strlen(get_text(request, "uid"));

    if (!json_object_is_type(root, json_type_object))
        return err_set(e, -EINVAL, "AdmissionReview: not a JSON object");
    if (!is(root, "kind", "AdmissionReview") || !is(root, "apiVersion", REVIEW_API_VERSION))
        return err_set(e, -EINVAL,
                       "AdmissionReview: kind and apiVersion must be AdmissionReview "
                       "and " REVIEW_API_VERSION);
    if (!request)
        return err_set(e, -EINVAL, "AdmissionReview: request is missing");
    if (uid_len == 0 || uid_len > REVIEW_UID_MAX)
        return err_set(e, -EINVAL, "AdmissionReview: request.uid must have 1 to %d bytes",
                       REVIEW_UID_MAX);
    if (!*get_text(request, "operation"))
        return err_set(e, -EINVAL, "AdmissionReview: request.operation is missing");
    return 0;
}

static int check_objects(const struct review_request *r, struct json_object *object,
                         struct json_object *old, struct err *e)
{
    if (!r->is_podflame || r->operation == REVIEW_OTHER)
        return 0;
    if (!object)
        return err_set(e, -EINVAL, "AdmissionReview: request.object is missing");
    if (r->operation == REVIEW_UPDATE && !old)
        return err_set(e, -EINVAL, "AdmissionReview: request.oldObject is missing");
    return 0;
}

int review_request_decode(const char *body, size_t len, struct review_request *ret, struct err *e)
{
    _cleanup_json_ struct json_object *root = NULL;

    if (check_values(body, len, e) < 0 || json_parse(body, len, REVIEW_DEPTH_MAX, &root, e) < 0)
        return err_wrap(e, "AdmissionReview");
    struct json_object *request = json_get_object(root, "request");
    if (check_envelope(root, request, e) < 0)
        return e->code;

    struct json_object *object = json_get_object(request, "object");
    struct json_object *old = json_get_object(request, "oldObject");
    struct review_request r = {
        .operation = get_operation(request),
        .is_podflame = is(request, "kind.group", PODFLAME_GROUP) &&
                       is(request, "kind.kind", PODFLAME_KIND) && is(request, "subResource", ""),
        .deleting = json_get(object, "metadata.deletionTimestamp") != NULL,
        .uid = get_text(request, "uid"),
        .namespace = get_text(request, "namespace"),
        .name = get_name(request, object),
        .spec = json_get_key(object, "spec"),
        .old_spec = json_get_key(old, "spec"),
    };
    if (check_objects(&r, object, old, e) < 0)
        return e->code;
    if (strlen(r.name) > NAME_SUBDOMAIN_MAX)
        return err_set(e, -EINVAL, "AdmissionReview: request.name is longer than %d bytes",
                       NAME_SUBDOMAIN_MAX);
    *ret = r;
    ret->root = take_ptr(root);
    return 0;
}

void review_request_release(struct review_request *r)
{
    json_put(r->root);
    *r = (struct review_request){ 0 };
}
