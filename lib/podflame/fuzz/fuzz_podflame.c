/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fuzz/fuzz.h"
#include "lib/json.h"
#include "lib/podflame/podflame.h"
#include "lib/podflame/rules.h"

static void check_printable(const struct problems *p)
{
    for (size_t i = 0; i < p->n; i++)
        for (const char *c = p->item[i].message; *c; c++)
            assert((unsigned char)*c >= ' ' && *c != 0x7f);
}

/* A spec without a problem decodes to what an agent can be started with; no message holds a control
 * character; a spec never differs from itself. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_json_ struct json_object *object = NULL;
    _cleanup_problems_ struct problems problems = { 0 }, same = { 0 }, pod = { 0 };
    struct rules_container container;
    struct podflame pf = { 0 };
    struct err e = { 0 };

    if (json_parse((const char *)data, size, 32, &object, &e) < 0)
        return 0;
    struct json_object *spec = json_get_key(object, "spec");
    rules_check_spec(spec, &problems);
    check_printable(&problems);
    rules_check_update(spec, spec, &same);
    assert(same.n == 0);
    rules_check_update(spec, json_get_key(object, "status"), &same);
    check_printable(&same);
    (void)rules_check_container(spec, json_get_key(object, "pod"), &container, &pod);
    check_printable(&pod);
    if (podflame_decode(object, &pf, &e) == 0 && problems.n == 0)
        assert(pf.spec.duration_s > 0 && pf.spec.frequency > 0 && *pf.spec.target_pod);
    podflame_release(&pf);
    return 0;
}
