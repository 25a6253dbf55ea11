/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/request.h"

#include "lib/json.h"
#include "lib/json_string.h"
#include "lib/podflame/names.h"
#include "lib/podflame/podflame.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* Nothing of an object that is not in these tables leaves a trace. */
static const struct json_want wants_of_kind[] = {
    { "group", REQUEST_KIND_GROUP, true, NULL },
    { "kind", REQUEST_KIND_KIND, true, NULL },
    { 0 },
};
static const struct json_want wants_of_metadata[] = {
    { "name", REQUEST_METADATA_NAME, true, NULL },
    { "generateName", REQUEST_GENERATE_NAME, true, NULL },
    { "deletionTimestamp", REQUEST_DELETION, false, NULL },
    { 0 },
};
static const struct json_want wants_of_object[] = {
    { "metadata", REQUEST_METADATA, false, wants_of_metadata },
    { "spec", REQUEST_SPEC, true, NULL },
    { 0 },
};
static const struct json_want wants_of_old_object[] = {
    { "spec", REQUEST_OLD_SPEC, true, NULL },
    { 0 },
};
static const struct json_want wants_of_request[] = {
    { "uid", REQUEST_UID, true, NULL },
    { "kind", REQUEST_KIND_OF_OBJECT, false, wants_of_kind },
    { "subResource", REQUEST_SUBRESOURCE, true, NULL },
    { "name", REQUEST_NAME, true, NULL },
    { "namespace", REQUEST_NAMESPACE, true, NULL },
    { "operation", REQUEST_OPERATION, true, NULL },
    { "object", REQUEST_OBJECT, false, wants_of_object },
    { "oldObject", REQUEST_OLD_OBJECT, false, wants_of_old_object },
    { 0 },
};
static const struct json_want wants[] = {
    { "kind", REQUEST_KIND, true, NULL },
    { "apiVersion", REQUEST_API_VERSION, true, NULL },
    { "request", REQUEST_REQUEST, false, wants_of_request },
    { 0 },
};

static_assert(sizeof(struct request_reader) + REVIEW_KEPT_MAX + 1 +
                      JSON_SCAN_KEYS_MAX * sizeof(uint64_t) <=
                  REQUEST_READER_MAX,
              "a reader is bounded");

void request_reader_init(struct request_reader *r)
{
    *r = (struct request_reader){ 0 };
    json_scan_init(&r->scan, wants, r->found, REVIEW_KEPT_MAX);
}

int request_reader_add(struct request_reader *r, const char *data, size_t len, struct err *e)
{
    if (json_scan_add(&r->scan, data, len, e) < 0)
        return err_wrap(e, "AdmissionReview");
    return 0;
}

void request_reader_release(struct request_reader *r)
{
    json_scan_release(&r->scan);
}

/* ---- what was found ---- */

struct kept {
    const struct json_found *found;
    const char *texts[REQUEST_SLOTS]; /* of the strings; NULL: absent, or no string */
};

/* Decodes all strings, whose texts are kept in @text. */
static struct kept kept_open(const struct json_found *found, char *text)
{
    struct kept k = { .found = found };

    for (size_t i = 0; i < REQUEST_SLOTS; i++) {
        size_t len;

        if (found[i].kind != JSON_STRING || found[i].len == 0)
            continue;
        k.texts[i] = json_string_decode(text + found[i].at, found[i].len, &len);
        if (strlen(k.texts[i]) != len) /* none of these may hold a NUL byte */
            k.texts[i] = NULL;
    }
    return k;
}

static const char *get_text(const struct kept *k, enum request_slot slot)
{
    return k->texts[slot] ? k->texts[slot] : "";
}

static bool is(const struct kept *k, enum request_slot slot, const char *text)
{
    return strcmp(get_text(k, slot), text) == 0;
}

static bool is_object(const struct kept *k, enum request_slot slot)
{
    return k->found[slot].kind == JSON_OBJECT;
}

static enum review_operation get_operation(const struct kept *k)
{
    const char *name = get_text(k, REQUEST_OPERATION);

    for (size_t i = 0; i < REVIEW_OTHER; i++)
        if (strcmp(name, operation_names[i]) == 0)
            return (enum review_operation)i;
    return REVIEW_OTHER;
}

/* The name is empty on CREATE with generateName, unless the API server has made one already. */
static const char *get_name(const struct kept *k)
{
    static const enum request_slot slots[] = { REQUEST_NAME, REQUEST_METADATA_NAME,
                                               REQUEST_GENERATE_NAME };

    for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++)
        if (*get_text(k, slots[i]))
            return get_text(k, slots[i]);
    return "";
}

static int check_envelope(const struct kept *k, struct err *e)
{
    size_t uid_len = strlen(get_text(k, REQUEST_UID));

    if (!is(k, REQUEST_KIND, "AdmissionReview") || !is(k, REQUEST_API_VERSION, REVIEW_API_VERSION))
        return err_set(e, -EINVAL,
                       "AdmissionReview: kind and apiVersion must be AdmissionReview "
                       "and " REVIEW_API_VERSION);
    if (!is_object(k, REQUEST_REQUEST))
        return err_set(e, -EINVAL, "AdmissionReview: request is missing");
    if (uid_len == 0 || uid_len > REVIEW_UID_MAX)
        return err_set(e, -EINVAL, "AdmissionReview: request.uid must have 1 to %d bytes",
                       REVIEW_UID_MAX);
    if (!*get_text(k, REQUEST_OPERATION))
        return err_set(e, -EINVAL, "AdmissionReview: request.operation is missing");
    return 0;
}

static int check_objects(const struct review_request *r, const struct kept *k, struct err *e)
{
    if (!r->is_podflame || r->operation == REVIEW_OTHER)
        return 0;
    if (!is_object(k, REQUEST_OBJECT))
        return err_set(e, -EINVAL, "AdmissionReview: request.object is missing");
    if (r->operation == REVIEW_UPDATE && !is_object(k, REQUEST_OLD_OBJECT))
        return err_set(e, -EINVAL, "AdmissionReview: request.oldObject is missing");
    return 0;
}

static int decode(const struct kept *k, struct review_request *r, struct err *e)
{
    r->operation = get_operation(k);
    r->is_podflame = is(k, REQUEST_KIND_GROUP, PODFLAME_GROUP) &&
                     is(k, REQUEST_KIND_KIND, PODFLAME_KIND) && is(k, REQUEST_SUBRESOURCE, "");
    r->deleting = k->found[REQUEST_DELETION].kind > JSON_NULL;
    r->uid = get_text(k, REQUEST_UID);
    r->namespace = get_text(k, REQUEST_NAMESPACE);
    r->name = get_name(k);
    if (check_objects(r, k, e) < 0)
        return e->code;
    if (strlen(r->name) > NAME_SUBDOMAIN_MAX)
        return err_set(e, -EINVAL, "AdmissionReview: request.name is longer than %d bytes",
                       NAME_SUBDOMAIN_MAX);
    return 0;
}

/* NULL when absent or null. */
static int parse_value(const struct request_reader *r, enum request_slot slot,
                       struct json_object **ret, struct err *e)
{
    const struct json_found *found = &r->found[slot];

    if (found->kind == JSON_ABSENT)
        return 0;
    return json_parse(r->scan.kept.data + found->at, found->len, JSON_SCAN_DEPTH_MAX, ret, e);
}

int request_reader_end(struct request_reader *r, struct review_request *ret, struct err *e)
{
    _cleanup_review_request_ struct review_request request = { 0 };

    if (json_scan_end(&r->scan, e) < 0 || parse_value(r, REQUEST_SPEC, &request.spec, e) < 0 ||
        parse_value(r, REQUEST_OLD_SPEC, &request.old_spec, e) < 0)
        return err_wrap(e, "AdmissionReview");
    if (r->scan.kind != JSON_OBJECT)
        return err_set(e, -EINVAL, "AdmissionReview: not a JSON object");
    request.texts = buf_take(&r->scan.kept, NULL);
    const struct kept kept = kept_open(r->found, request.texts);
    if (check_envelope(&kept, e) < 0 || decode(&kept, &request, e) < 0)
        return e->code;
    *ret = request;
    request = (struct review_request){ 0 };
    return 0;
}

void review_request_release(struct review_request *r)
{
    json_put(r->spec);
    json_put(r->old_spec);
    free(r->texts);
    *r = (struct review_request){ 0 };
}
