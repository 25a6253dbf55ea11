/* SPDX-License-Identifier: Apache-2.0 */
/* v8_step, v8_function, v8_code, v8_positions: over recorded stacks of each version of V8, against
 * what that said itself. */
#include "agent/runtimes/v8/tests/v8_golden.h"
#include "agent/runtimes/tests/recorded_test.h"

static struct v8_image image; /* until the process is met */
static size_t n_scales;
static struct v8_registers registers; /* until the leaf was looked at */
static struct v8_seen seen;

static void take_field(const char *line)
{
    char name[64];
    int value;

    assert_int_equal(sscanf(line, "field %63s %d", name, &value), 2);
#define X(field)                                                                                   \
    if (strcmp(name, #field) == 0)                                                                 \
        image.field = (typeof(image.field))value;
    V8_GOLDEN_FIELDS(X)
#undef X
}

static void take_sizes(const char *hex)
{
    struct v8_bytecode_sizes *s = &image.bytecode_sizes;

    assert_true(n_scales < V8_SCALES);
    s->n = strlen(hex) / 2;
    assert_true(s->n > 0 && s->n <= V8_BYTECODES_MAX);
    for (size_t i = 0; i < s->n; i++)
        assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &s->sizes[n_scales][i]), 1);
    n_scales++;
}

static void take_stack(struct recorded_test *t, const char *line)
{
    assert_int_equal(sscanf(line, "stack %llx %llx", &registers.bytecode, &registers.offset), 2);
    recorded_test_begin(t);
    seen = (struct v8_seen){ 0 };
}

static void take_native(struct recorded_test *t, const char *line)
{
    struct v8_golden_native native;

    assert_int_equal(sscanf(line, "native %" SCNx64 " %" SCNx64, &native.pc, &native.fp), 2);
    v8_golden_add(&t->process, &seen, &registers, &native);
    registers = (struct v8_registers){ 0 };
}

static void take_line(struct recorded_test *t, const char *line)
{
    if (strncmp(line, "field ", 6) == 0)
        take_field(line);
    else if (strncmp(line, "sizes ", 6) == 0)
        take_sizes(line + 6);
    else if (strncmp(line, "stack ", 6) == 0)
        take_stack(t, line);
    else if (strncmp(line, "native ", 7) == 0)
        take_native(t, line);
    else {
        assert_string_equal(line, "known");
        recorded_test_meet(t, RUNTIME_V8, &image);
        image = (struct v8_image){ 0 };
        n_scales = 0;
    }
}

static void says_what_v8_says(void **state)
{
    enum { FILES_MIN = 6, STACKS_MIN = 16 };

    (void)state;
    recorded_test_files("agent/runtimes/v8/tests/golden/*node-*", take_line, FILES_MIN, STACKS_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(says_what_v8_says) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
