/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/podflame/rules.h"

#include "lib/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct json_object *parse(const char *text)
{
    struct json_object *value = NULL;
    struct err e = { 0 };

    if (text && json_parse(text, strlen(text), 32, &value, &e) < 0)
        fail_msg("%s: %s", text, e.msg);
    return value;
}

/* All problems as "cause field: message" lines. */
static void write_lines(const struct problems *p, struct buf *out)
{
    for (size_t i = 0; i < p->n; i++)
        (void)buf_printf(out, "%s%s %s: %s", i ? "\n" : "", problem_cause_name(p->item[i].cause),
                         p->item[i].field, p->item[i].message);
}

static void compare(const char *name, struct problems *p, const char *want)
{
    _cleanup_buf_ struct buf got = BUF_INIT(64 << 10);

    write_lines(p, &got);
    if (strcmp(buf_str(&got), want) != 0)
        fail_msg("%s:\n  got  %s\n  want %s", name, buf_str(&got), want);
    problems_release(p);
}

#define POD_NAME_RULE                                                                              \
    "must be the name of a pod alone, such as web-0: lower case letters, digits, '-' and '.', "    \
    "first and last a letter or digit"
#define CONTAINER_NAME_RULE                                                                        \
    "must be the name of a container, such as app: lower case letters, digits and '-', first and " \
    "last a letter or digit"
#define DURATION_RULE "must be hours, minutes and seconds in that order, such as 30s, 2m or 1m30s"
#define NO_POD                                                                                     \
    "FieldValueRequired spec.targetPod: Required value: name the pod to profile; it must be in "   \
    "the namespace of the PodFlame"

#define A10 "aaaaaaaaaa"
#define A60 A10 A10 A10 A10 A10 A10

static const struct {
    const char *name, *spec, *problems;
} spec_cases[] = {
    { "all fields",
      "{\"targetPod\":\"web-0.a\",\"containerName\":\"app\",\"duration\":\"1h\",\"event\":\"cpu\","
      "\"frequency\":999,\"ttlSecondsAfterFinished\":0}",
      "" },
    { "only the pod", "{\"targetPod\":\"web-0\"}", "" },
    { "upper case units", "{\"targetPod\":\"web-0\",\"duration\":\"1M30S\"}", "" },
    { "no container named", "{\"targetPod\":\"web-0\",\"containerName\":\"\"}", "" },
    { "null is absent", "{\"targetPod\":\"web-0\",\"duration\":null,\"frequency\":null}", "" },
    { "unknown field is not ours", "{\"targetPod\":\"web-0\",\"color\":\"red\"}", "" },
    { "no spec", NULL, NO_POD },
    { "empty spec", "{}", NO_POD },
    { "spec is a list", "[]",
      "FieldValueTypeInvalid spec: Invalid value: a list: must be an object" },
    { "spec is text", "\"x\"",
      "FieldValueTypeInvalid spec: Invalid value: \"x\": must be an object" },
    { "empty pod", "{\"targetPod\":\"\"}", NO_POD },
    { "null pod", "{\"targetPod\":null}", NO_POD },
    { "pod with its kind", "{\"targetPod\":\"pod/web-0\"}",
      "FieldValueInvalid spec.targetPod: Invalid value: \"pod/web-0\": " POD_NAME_RULE },
    { "upper case pod", "{\"targetPod\":\"Web\"}",
      "FieldValueInvalid spec.targetPod: Invalid value: \"Web\": " POD_NAME_RULE },
    { "pod ends with a dot", "{\"targetPod\":\"web.\"}",
      "FieldValueInvalid spec.targetPod: Invalid value: \"web.\": " POD_NAME_RULE },
    { "NUL in the pod", "{\"targetPod\":\"web\\u0000x\"}",
      "FieldValueInvalid spec.targetPod: Invalid value: \"web\\x00x\": " POD_NAME_RULE },
    { "number as pod", "{\"targetPod\":7}",
      "FieldValueTypeInvalid spec.targetPod: Invalid value: 7: must be a string, the name of a "
      "pod" },
    { "longest pod", "{\"targetPod\":\"" A60 A60 A60 A60 A10 "aaa\"}", "" },
    { "too long pod", "{\"targetPod\":\"" A60 A60 A60 A60 A10 "aaaa\"}",
      "FieldValueTooLong spec.targetPod: Too long: may not be more than 253 bytes" },
    { "container with a dot", "{\"targetPod\":\"w\",\"containerName\":\"a.b\"}",
      "FieldValueInvalid spec.containerName: Invalid value: \"a.b\": " CONTAINER_NAME_RULE },
    { "NUL in the container", "{\"targetPod\":\"w\",\"containerName\":\"app\\u0000\"}",
      "FieldValueInvalid spec.containerName: Invalid value: \"app\\x00\": " CONTAINER_NAME_RULE },
    { "longest container", "{\"targetPod\":\"w\",\"containerName\":\"" A60 "aaa\"}", "" },
    { "too long container", "{\"targetPod\":\"w\",\"containerName\":\"" A60 "aaaa\"}",
      "FieldValueTooLong spec.containerName: Too long: may not be more than 63 bytes" },
    { "no time", "{\"targetPod\":\"w\",\"duration\":\"0s\"}",
      "FieldValueInvalid spec.duration: Invalid value: \"0s\": must be from 1s to 1h" },
    { "too much time", "{\"targetPod\":\"w\",\"duration\":\"2h61m\"}",
      "FieldValueInvalid spec.duration: Invalid value: \"2h61m\": must be from 1s to 1h" },
    { "unknown unit", "{\"targetPod\":\"w\",\"duration\":\"69x\"}",
      "FieldValueInvalid spec.duration: Invalid value: \"69x\": " DURATION_RULE },
    { "empty duration", "{\"targetPod\":\"w\",\"duration\":\"\"}",
      "FieldValueInvalid spec.duration: Invalid value: \"\": " DURATION_RULE },
    { "NUL after a duration", "{\"targetPod\":\"w\",\"duration\":\"30s\\u0000\"}",
      "FieldValueInvalid spec.duration: Invalid value: \"30s\\x00\": " DURATION_RULE },
    { "line break and escape sequence", "{\"targetPod\":\"w\",\"duration\":\"5s\\n\\u001b[2J\"}",
      "FieldValueInvalid spec.duration: Invalid value: \"5s\\n\\x1b[2J\": " DURATION_RULE },
    { "number as duration", "{\"targetPod\":\"w\",\"duration\":90}",
      "FieldValueTypeInvalid spec.duration: Invalid value: 90: must be a string, such as "
      "\"2m\"" },
    { "object as duration", "{\"targetPod\":\"w\",\"duration\":{\"a\":1}}",
      "FieldValueTypeInvalid spec.duration: Invalid value: an object: must be a string, such as "
      "\"2m\"" },
    { "too long duration",
      "{\"targetPod\":\"w\",\"duration\":\"00000000000000000000000000000000000000000000000000"
      "0000000000000000000001s\"}",
      "FieldValueTooLong spec.duration: Too long: may not be more than 64 bytes" },
    { "unknown event", "{\"targetPod\":\"w\",\"event\":\"wall\"}",
      "FieldValueNotSupported spec.event: Unsupported value: \"wall\": supported values: \"cpu\"" },
    { "NUL in the event", "{\"targetPod\":\"w\",\"event\":\"cpu\\u0000\"}",
      "FieldValueNotSupported spec.event: Unsupported value: \"cpu\\x00\": supported values: "
      "\"cpu\"" },
    { "frequency 0", "{\"targetPod\":\"w\",\"frequency\":0}",
      "FieldValueInvalid spec.frequency: Invalid value: 0: must be from 1 to 999 samples a second, "
      "such as 99" },
    { "frequency 1000", "{\"targetPod\":\"w\",\"frequency\":1000}",
      "FieldValueInvalid spec.frequency: Invalid value: 1000: must be from 1 to 999 samples a "
      "second, such as 99" },
    { "frequency beyond 64 bits", "{\"targetPod\":\"w\",\"frequency\":99999999999999999999}",
      "FieldValueInvalid spec.frequency: Invalid value: 9223372036854775807: must be from 1 to 999 "
      "samples a second, such as 99" },
    { "text as frequency", "{\"targetPod\":\"w\",\"frequency\":\"99\"}",
      "FieldValueTypeInvalid spec.frequency: Invalid value: \"99\": must be a whole number, such "
      "as 99" },
    { "fraction as frequency", "{\"targetPod\":\"w\",\"frequency\":9.5}",
      "FieldValueTypeInvalid spec.frequency: Invalid value: 9.5: must be a whole number, such as "
      "99" },
    { "negative ttl", "{\"targetPod\":\"w\",\"ttlSecondsAfterFinished\":-1}",
      "FieldValueInvalid spec.ttlSecondsAfterFinished: Invalid value: -1: must be 0 or more "
      "seconds, such as 3600" },
    { "all at once, by field",
      "{\"targetPod\":\"\",\"ttlSecondsAfterFinished\":-1,\"frequency\":0,\"event\":\"x\","
      "\"duration\":\"1\",\"containerName\":\"-\"}",
      "FieldValueInvalid spec.containerName: Invalid value: \"-\": " CONTAINER_NAME_RULE "\n"
      "FieldValueInvalid spec.duration: Invalid value: \"1\": " DURATION_RULE "\n"
      "FieldValueNotSupported spec.event: Unsupported value: \"x\": supported values: \"cpu\"\n"
      "FieldValueInvalid spec.frequency: Invalid value: 0: must be from 1 to 999 samples a second, "
      "such as 99\n" NO_POD "\n"
      "FieldValueInvalid spec.ttlSecondsAfterFinished: Invalid value: -1: must be 0 or more "
      "seconds, such as 3600" },
};

static void spec_is_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(spec_cases); i++) {
        _cleanup_json_ struct json_object *spec = parse(spec_cases[i].spec);
        struct problems p = { 0 };

        rules_check_spec(spec, &p);
        compare(spec_cases[i].name, &p, spec_cases[i].problems);
    }
}

#define IMMUTABLE                                                                                  \
    "the spec is immutable; delete the PodFlame and create it again, or give the new one another " \
    "name"

static const struct {
    const char *name, *old, *new, *problems;
} update_cases[] = {
    { "same", "{\"targetPod\":\"w\",\"duration\":\"2m\"}",
      "{\"duration\":\"2m\",\"targetPod\":\"w\"}", "" },
    { "defaults written out", "{\"targetPod\":\"w\"}",
      "{\"targetPod\":\"w\",\"duration\":\"2m\",\"event\":\"cpu\",\"frequency\":99,"
      "\"containerName\":\"\"}",
      "" },
    { "old object breaks today's rules", "{\"targetPod\":\"W!\",\"duration\":\"69m\"}",
      "{\"targetPod\":\"W!\",\"duration\":\"69m\"}", "" },
    { "no spec before and after", NULL, NULL, "" },
    { "duration", "{\"targetPod\":\"w\",\"duration\":\"1m30s\"}",
      "{\"targetPod\":\"w\",\"duration\":\"5m\"}",
      "FieldValueForbidden spec.duration: Forbidden: cannot change from \"1m30s\" to "
      "\"5m\": " IMMUTABLE },
    { "equal time in other words", "{\"targetPod\":\"w\",\"duration\":\"60s\"}",
      "{\"targetPod\":\"w\",\"duration\":\"1m\"}",
      "FieldValueForbidden spec.duration: Forbidden: cannot change from \"60s\" to "
      "\"1m\": " IMMUTABLE },
    { "bytes after a NUL", "{\"targetPod\":\"w\\u0000a\"}", "{\"targetPod\":\"w\\u0000b\"}",
      "FieldValueForbidden spec.targetPod: Forbidden: cannot change from \"w\\x00a\" to "
      "\"w\\x00b\": " IMMUTABLE },
    { "added and removed", "{\"targetPod\":\"w\",\"ttlSecondsAfterFinished\":60}",
      "{\"targetPod\":\"w\",\"containerName\":\"app\"}",
      "FieldValueForbidden spec.containerName: Forbidden: cannot change from unset to "
      "\"app\": " IMMUTABLE "\n"
      "FieldValueForbidden spec.ttlSecondsAfterFinished: Forbidden: cannot change from 60 to "
      "unset: " IMMUTABLE },
    { "another type", "{\"targetPod\":\"w\",\"frequency\":99}",
      "{\"targetPod\":\"w\",\"frequency\":[99]}",
      "FieldValueForbidden spec.frequency: Forbidden: cannot change from 99 to a "
      "list: " IMMUTABLE },
    { "unknown field", "{\"targetPod\":\"w\"}", "{\"targetPod\":\"w\",\"x\":1}",
      "FieldValueForbidden spec: Forbidden: " IMMUTABLE },
    { "spec is gone", "{\"targetPod\":\"w\"}", NULL,
      "FieldValueForbidden spec: Forbidden: " IMMUTABLE "\n"
      "FieldValueForbidden spec.targetPod: Forbidden: cannot change from \"w\" to "
      "unset: " IMMUTABLE },
};

static void update_leaves_the_spec(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(update_cases); i++) {
        _cleanup_json_ struct json_object *old = parse(update_cases[i].old);
        _cleanup_json_ struct json_object *new = parse(update_cases[i].new);
        struct problems p = { 0 };

        rules_check_update(old, new, &p);
        compare(update_cases[i].name, &p, update_cases[i].problems);
    }
}

#define ONE "{\"spec\":{\"containers\":[{\"name\":\"app\"}]}}"
#define TWO "{\"spec\":{\"containers\":[{\"name\":\"app\"},{\"name\":\"proxy\"}]}}"
/* An init container that ended, a sidecar, one regular container and an ephemeral one. */
#define MIXED                                                                                      \
    "{\"spec\":{\"containers\":[{\"name\":\"app\"}],\"initContainers\":[{\"name\":\"setup\"},"     \
    "{\"name\":\"mesh\",\"restartPolicy\":\"Always\"},{\"name\":\"later\"}],"                      \
    "\"ephemeralContainers\":[{\"name\":\"debug\"},{\"name\":\"old-debug\"}]},"                    \
    "\"status\":{\"containerStatuses\":[{\"name\":\"app\",\"containerID\":\"containerd://1\","     \
    "\"state\":{\"running\":{}}}],\"initContainerStatuses\":[{\"name\":\"setup\",\"state\":"       \
    "{\"terminated\":{\"exitCode\":0}}},{\"name\":\"mesh\",\"containerID\":\"containerd://2\","    \
    "\"state\":{\"running\":{}}},{\"name\":\"later\",\"state\":{\"waiting\":{}}}],"                \
    "\"ephemeralContainerStatuses\":[{\"name\":\"debug\",\"state\":{\"running\":{}}},"             \
    "{\"name\":\"old-debug\",\"state\":{\"terminated\":{}}}]}}"
#define USABLE "name one of app, mesh, later, debug"

static const struct {
    const char *name, *container, *pod, *resolved, *problem;
    enum rules_container_kind kind;
    enum rules_container_state state;
} container_cases[] = {
    { "the only one", NULL, ONE, "app", "", RULES_REGULAR, RULES_UNKNOWN },
    { "empty is none", "", ONE, "app", "", RULES_REGULAR, RULES_UNKNOWN },
    { "named", "proxy", TWO, "proxy", "", RULES_REGULAR, RULES_UNKNOWN },
    { "others do not count", "", MIXED, "app", "", RULES_REGULAR, RULES_RUNNING },
    { "sidecar", "mesh", MIXED, "mesh", "", RULES_SIDECAR, RULES_RUNNING },
    { "init that will run", "later", MIXED, "later", "", RULES_INIT, RULES_WAITING },
    { "ephemeral", "debug", MIXED, "debug", "", RULES_EPHEMERAL, RULES_RUNNING },
    { "two and none named", NULL, TWO, NULL,
      "FieldValueRequired spec.containerName: Required value: pod \"web-0\" has 2 containers (app, "
      "proxy); name one of them",
      0, 0 },
    { "not in the pod", "ap", TWO, NULL,
      "FieldValueNotFound spec.containerName: Not found: \"ap\": pod \"web-0\" has the containers "
      "app, proxy",
      0, 0 },
    { "not in a pod of one", "ap", ONE, NULL,
      "FieldValueNotFound spec.containerName: Not found: \"ap\": the only container of pod "
      "\"web-0\" is app",
      0, 0 },
    { "init that ended", "setup", MIXED, NULL,
      "FieldValueInvalid spec.containerName: Invalid value: \"setup\": this init container of pod "
      "\"web-0\" has ended; " USABLE,
      0, 0 },
    { "ephemeral that ended", "old-debug", MIXED, NULL,
      "FieldValueInvalid spec.containerName: Invalid value: \"old-debug\": this ephemeral "
      "container of pod \"web-0\" has ended; " USABLE,
      0, 0 },
    { "pod of nothing", NULL, "{}", NULL,
      "FieldValueRequired spec.containerName: Required value: pod \"web-0\" has no container to "
      "profile",
      0, 0 },
    { "garbage in the list", NULL,
      "{\"spec\":{\"containers\":[7,{},{\"name\":\"A\\u001b\"},{\"name\":\"app\\u0000\"},{\"name\":"
      "\"app\"}]}}",
      "app", "", RULES_REGULAR, RULES_UNKNOWN },
    { "lists of another type", "app", "{\"spec\":{\"containers\":{\"name\":\"app\"}}}", NULL,
      "FieldValueNotFound spec.containerName: Not found: \"app\": pod \"web-0\" has the containers "
      "none",
      0, 0 },
};

static void container_is_resolved(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(container_cases); i++) {
        _cleanup_json_ struct json_object *pod = parse(container_cases[i].pod);
        const char *want = container_cases[i].resolved;
        struct rules_container c = { 0 };
        struct problems p = { 0 };
        bool ok = rules_resolve_container(container_cases[i].container, "web-0", pod, &c, &p);

        if (ok != (want != NULL) || (ok && strcmp(c.name, want) != 0))
            fail_msg("%s: resolved '%s', expected '%s'", container_cases[i].name,
                     ok ? c.name : "none", want ? want : "none");
        if (ok && (c.kind != container_cases[i].kind || c.state != container_cases[i].state))
            fail_msg("%s: kind %d, state %d", container_cases[i].name, c.kind, c.state);
        compare(container_cases[i].name, &p, container_cases[i].problem);
    }
}

/* A pod of one container "app" on a node, with a status. */
#define WHY(node, status)                                                                          \
    "{\"spec\":{" node "\"containers\":[{\"name\":\"app\"}],\"initContainers\":["                  \
    "{\"name\":\"mesh\",\"restartPolicy\":\"Always\"},{\"name\":\"setup\"}]},\"status\":{" status  \
    "}}"
#define ON_A_NODE      "\"nodeName\":\"n1\","
#define APP(state)     "\"containerStatuses\":[{\"name\":\"app\",\"state\":{" state "}}]"
#define FALSE_OF(type) "{\"type\":\"" type "\",\"status\":\"False\","

static const struct {
    const char *name, *pod, *why;
} why_cases[] = {
    { "no status", WHY(ON_A_NODE, ""), "has not been started yet" },
    { "crashes again and again",
      WHY(ON_A_NODE, APP("\"waiting\":{\"reason\":\"CrashLoopBackOff\",\"message\":\"back-off 40s "
                         "restarting\\n\\u001b[31mfailed\"}")),
      "waits: CrashLoopBackOff: back-off 40s restarting  [31mfailed" },
    { "waits without a word", WHY(ON_A_NODE, APP("\"waiting\":{}")), "waits" },
    { "ended", WHY(ON_A_NODE, APP("\"terminated\":{\"reason\":\"Error\",\"exitCode\":3}")),
      "has ended (Error, exit code 3)" },
    { "ended without a reason", WHY(ON_A_NODE, APP("\"terminated\":{\"exitCode\":3}")),
      "has ended (exit code 3)" },
    { "pod has ended", WHY(ON_A_NODE, "\"phase\":\"Failed\""), "has ended with its pod (Failed)" },
    { "no node", WHY("", "\"phase\":\"Pending\""), "has no node yet" },
    { "no node will do",
      WHY("",
          "\"conditions\":[" FALSE_OF("PodScheduled") "\"reason\":\"Unschedulable\","
                                                      "\"message\":\"0/3 nodes are available\"}]"),
      "has no node yet: Unschedulable: 0/3 nodes are available" },
    { "behind an init container",
      WHY(ON_A_NODE, "\"conditions\":[" FALSE_OF(
                         "Initialized") "\"reason\":\"x\"}],"
                                        "\"initContainerStatuses\":[{\"name\":\"mesh\",\"state\":{"
                                        "\"running\":{}}},"
                                        "{\"name\":\"setup\",\"state\":{\"running\":{}}}]," APP(
                                            "\"waiting\":{"
                                            "\"reason\":\"PodInitializing\"}")),
      "has not been started yet: init container \"setup\" has not ended yet" },
    { "behind one that fails",
      WHY(ON_A_NODE,
          "\"conditions\":[" FALSE_OF("Initialized") "\"reason\":\"x\"}],"
                                                     "\"initContainerStatuses\":[{\"name\":"
                                                     "\"setup\",\"state\":{\"waiting\":{"
                                                     "\"reason\":\"ImagePullBackOff\"}}}]"),
      "has not been started yet: init container \"setup\" has not ended yet: ImagePullBackOff" },
};

static void why_it_does_not_run_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(why_cases); i++) {
        _cleanup_json_ struct json_object *pod = parse(why_cases[i].pod);
        _cleanup_buf_ struct buf why = BUF_INIT(2048);
        struct rules_container c = { 0 };
        struct problems p = { 0 };

        assert_true(rules_resolve_container("", "web-0", pod, &c, &p));
        rules_why_not_running(pod, &c, &why);
        if (strcmp(buf_str(&why), why_cases[i].why) != 0)
            fail_msg("%s:\n  got  %s\n  want %s", why_cases[i].name, buf_str(&why),
                     why_cases[i].why);
    }
}

static void long_lists_are_cut(void **state)
{
    _cleanup_buf_ struct buf text = BUF_INIT(64 << 10);
    struct rules_container c = { 0 };
    struct problems p = { 0 };

    (void)state;
    (void)buf_add_str(&text, "{\"spec\":{\"containers\":[");
    for (int i = 0; i < 40; i++)
        (void)buf_printf(&text, "%s{\"name\":\"c%d\"}", i ? "," : "", i);
    (void)buf_add_str(&text, "]}}");
    _cleanup_json_ struct json_object *pod = parse(buf_str(&text));
    assert_false(rules_resolve_container("", "web-0", pod, &c, &p));
    compare("forty", &p,
            "FieldValueRequired spec.containerName: Required value: pod \"web-0\" has 40 "
            "containers (c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15 and "
            "24 more); name one of them");
}

static void container_of_a_bad_spec_is_left_alone(void **state)
{
    static const char *const specs[] = {
        "{}",
        "{\"targetPod\":7}",
        "{\"targetPod\":\"A\"}",
        "{\"targetPod\":\"w\",\"containerName\":[]}",
        "{\"targetPod\":\"w\",\"containerName\":\"A\"}",
        "{\"targetPod\":\"w\",\"containerName\":\"app\\u0000\"}",
    };
    _cleanup_json_ struct json_object *pod = parse(TWO);

    (void)state;
    for (size_t i = 0; i < COUNT(specs); i++) {
        _cleanup_json_ struct json_object *spec = parse(specs[i]);
        struct rules_container c = { 0 };
        struct problems p = { 0 };

        assert_false(rules_check_container(spec, pod, &c, &p));
        compare(specs[i], &p, "");
    }
    _cleanup_json_ struct json_object *good =
        parse("{\"targetPod\":\"w\",\"containerName\":\"proxy\",\"duration\":\"bad\"}");
    struct rules_container c = { 0 };
    struct problems p = { 0 };
    assert_true(rules_check_container(good, pod, &c, &p));
    assert_string_equal(c.name, "proxy");
    compare("good", &p, "");
}

#define CRD_PATH "config/crd/bases/profilepod.io_podflames.yaml"

/* @text with every run of blanks and line breaks as one blank, as YAML folds it. */
static void fold(const char *text, struct buf *out)
{
    while (*text) {
        size_t n = strcspn(text, " \n");

        (void)buf_add(out, text, n);
        text += n;
        if (*text)
            (void)buf_add_str(out, " ");
        text += strspn(text, " \n");
    }
}

/* Most users read the message of a CEL rule; it must not differ from ours. */
static void the_crd_says_it_in_the_same_words(void **state)
{
    static const char *const messages[] = {
        POD_NAME_RULE,
        CONTAINER_NAME_RULE,
        DURATION_RULE,
        "must be from 1s to 1h'",
        "supported values: \"cpu\"",
        "must be from 1 to 999 samples a second, such as 99",
        "must be 0 or more seconds, such as 3600",
        "name the pod to profile; it must be in the namespace of the PodFlame",
        "'cannot change from \"' + oldSelf.targetPod + '\" to \"' + self.targetPod + "
        "'\": " IMMUTABLE,
        "'cannot change from \"' + oldSelf.duration + '\" to \"' + self.duration + '\": " IMMUTABLE,
        "'cannot change from \"' + oldSelf.event + '\" to \"' + self.event + '\": " IMMUTABLE,
        "'cannot change from %d to %d: " IMMUTABLE "'.format([oldSelf.frequency, self.frequency])",
        "'cannot change from unset to %d: " IMMUTABLE,
        "'cannot change from %d to unset: " IMMUTABLE,
        "default: 2m",
        "default: cpu",
        "default: 99",
    };
    _cleanup_buf_ struct buf crd = BUF_INIT(1 << 20);
    _cleanup_fclose_ FILE *f = fopen(CRD_PATH, "re");
    static char text[256 * 1024];

    (void)state;
    if (!f)
        fail_msg("%s is not here: run the test from the top of the checkout", CRD_PATH);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fold(text, &crd);
    for (size_t i = 0; i < COUNT(messages); i++)
        if (!strstr(buf_str(&crd), messages[i]))
            fail_msg("%s does not say: %s", CRD_PATH, messages[i]);
}

static void one_problem_and_more_read_well(void **state)
{
    _cleanup_problems_ struct problems p = { 0 };
    _cleanup_buf_ struct buf out = BUF_INIT(4096);

    (void)state;
    problems_add(&p, "spec.b", PROBLEM_REQUIRED, "", "%s", "");
    assert_int_equal(problems_write(&p, &out), 0);
    assert_string_equal(buf_str(&out), "spec.b: Required value");
    buf_clear(&out);
    problems_add(&p, "spec.a", PROBLEM_INVALID, "1", "bad");
    assert_int_equal(problems_write(&p, &out), 0);
    assert_string_equal(buf_str(&out), "[spec.a: Invalid value: 1: bad, spec.b: Required value]");
    for (int i = 0; i < 2 * PROBLEMS_MAX; i++)
        problems_add(&p, "spec.c", PROBLEM_INVALID, "1", "bad");
    assert_int_equal(p.n, PROBLEMS_MAX);
    buf_init(&out, (buf_release(&out), 10));
    assert_true(problems_write(&p, &out) < 0);
}

static void quoting_disarms_every_byte(void **state)
{
    static const struct {
        const char *text, *quoted;
    } cases[] = {
        { "", "\"\"" },
        { "a\"b\\c", "\"a\\\"b\\\\c\"" },
        { "\a\b\f\n\r\t\v\x1b\x7f", "\"\\a\\b\\f\\n\\r\\t\\v\\x1b\\x7f\"" },
        { "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\xa5",
          "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\xa5\"" },
        { "\xc2\x9b", "\"\\u009b\"" },             /* CSI in one code point */
        { "\xe2\x80\xae", "\"\\u202e\"" },         /* right-to-left override */
        { "\xf3\xa0\x81\x81", "\"\\U000e0041\"" }, /* tag letter */
        { "\xc0\x80", "\"\\xc0\\x80\"" },          /* overlong */
        { "\xed\xa0\x80", "\"\\xed\\xa0\\x80\"" }, /* surrogate */
        { "\xf4\x90\x80\x80", "\"\\xf4\\x90\\x80\\x80\"" },
        { "\xe2\x82", "\"\\xe2\\x82\"" }, /* cut */
        { "\xff", "\"\\xff\"" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        _cleanup_buf_ struct buf out = BUF_INIT(256);

        problem_quote(cases[i].text, strlen(cases[i].text), &out);
        assert_string_equal(buf_str(&out), cases[i].quoted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spec_is_judged),
        cmocka_unit_test(update_leaves_the_spec),
        cmocka_unit_test(container_is_resolved),
        cmocka_unit_test(why_it_does_not_run_is_told),
        cmocka_unit_test(long_lists_are_cut),
        cmocka_unit_test(container_of_a_bad_spec_is_left_alone),
        cmocka_unit_test(the_crd_says_it_in_the_same_words),
        cmocka_unit_test(one_problem_and_more_read_well),
        cmocka_unit_test(quoting_disarms_every_byte),
    };

    return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
