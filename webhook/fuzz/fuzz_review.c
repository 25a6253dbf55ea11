/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fuzz/fuzz.h"
#include "lib/json.h"
#include "webhook/review.h"

#include <errno.h>

/* There is a pod with two containers, there is none, or it cannot be read. */
static int get_pod(void *ctx, const char *ns, const char *name, struct json_object **ret_pod,
                   struct err *e)
{
    static const char pod[] =
        "{\"spec\":{\"containers\":[{\"name\":\"app\"},{\"name\":\"proxy\"}]}}";
    size_t which = *(const size_t *)ctx;

    assert(*ns && *name && !strpbrk(ns, "/?%") && !strpbrk(name, "/?%"));
    if (which > 0)
        return err_set(e, which == 1 ? -ENOENT : -EIO, "no pod");
    return json_parse(pod, sizeof(pod) - 1, 8, ret_pod, e);
}

/* Whatever is answered is an AdmissionReview with a verdict, the same each time; else the message
 * says why. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t which = size % 3;
    const struct pod_lookup lookup = { get_pod, &which };
    _cleanup_buf_ struct buf reply = BUF_INIT(REVIEW_REPLY_MAX), again = BUF_INIT(REVIEW_REPLY_MAX);
    _cleanup_json_ struct json_object *answer = NULL;
    struct review_outcome outcome = { 0 };
    struct err e = { 0 };

    if (review_respond((const char *)data, size, &lookup, &reply, &outcome, &e) < 0) {
        assert(e.msg[0] && e.code == -EINVAL && reply.len == 0);
        return 0;
    }
    assert(json_parse(reply.data, reply.len, 16, &answer, &e) == 0);
    assert(json_get_bool(answer, "response.allowed", !outcome.allowed) == outcome.allowed);
    assert(*json_get_str(answer, "response.uid") && outcome.allowed == (outcome.n_problems == 0));
    assert(outcome.allowed || json_get_int(answer, "response.status.code", 0) == 422);
    assert(review_respond((const char *)data, size, &lookup, &again, &outcome, &e) == 0);
    assert(strcmp(reply.data, again.data) == 0);
    return 0;
}
