/* SPDX-License-Identifier: Apache-2.0 */
/* hotspot_step: over recorded stacks of Java virtual machines of each version. */
#include "agent/runtimes/hotspot/tests/hotspot_walk.h"

#include "agent/runtimes/tests/recorded_memory.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <glob.h>

static struct recorded_memory memory;

static bool hotspot_read(void *to, __u32 size, __u64 addr)
{
    return recorded_memory_read(&memory, addr, to, size);
}

struct recording {
    struct hotspot_space space;
    struct unwind_walk walk;
    struct runtime_frame frames[WALK_FRAMES_MAX]; /* expected */
    __u64 pc, sp, bp;                             /* of who called Java */
    size_t n_heaps, n_frames, n_walks;
};

static void take_offset(struct recording *r, const char *line)
{
    char name[32];
    int value;

    assert_int_equal(sscanf(line, "offset %31s %d", name, &value), 2);
#define X(field)                                                                                   \
    if (strcmp(name, #field) == 0)                                                                 \
        r->space.offsets.field = (typeof(r->space.offsets.field))value;
    WALK_OFFSETS(X)
#undef X
}

static void take_heap(struct recording *r, const char *line)
{
    struct hotspot_code_heap *heap = &r->space.heaps[r->n_heaps++];

    assert_true(r->n_heaps <= HOTSPOT_CODE_HEAPS_MAX);
    assert_int_equal(sscanf(line, "heap %llx %llx %llx", &heap->low, &heap->high, &heap->segmap),
                     3);
    if (r->n_heaps == 1 || heap->low < r->space.low)
        r->space.low = heap->low;
    if (heap->high > r->space.high)
        r->space.high = heap->high;
}

static void take_walk(struct recording *r, const char *line)
{
    struct unwind_walk *w = &r->walk;

    *w = (struct unwind_walk){ .is_exact = 1, .has_regs = 1 };
    assert_int_equal(sscanf(line, "walk %llx %llx %llx %llx %llx %llx", &w->pc, &w->sp, &w->bp,
                            &w->regs[0], &w->regs[3], &w->regs[13]),
                     6);
    r->n_frames = 0;
}

static void take_frame(struct recording *r, const char *line)
{
    struct runtime_frame *f = &r->frames[r->n_frames++];

    assert_true(r->n_frames <= WALK_FRAMES_MAX);
    assert_int_equal(sscanf(line, "frame %llx %x %x", &f->object, &f->at, &f->check), 3);
}

static void check_walk(struct recording *r, const char *line)
{
    struct runtime_frame frames[WALK_FRAMES_MAX];
    size_t n = hotspot_walk(&r->walk, &r->space, frames);
    __u64 pc, sp, bp;

    assert_int_equal(sscanf(line, "end %llx %llx %llx", &pc, &sp, &bp), 3);
    assert_int_equal(n, r->n_frames);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(frames[i].object, r->frames[i].object);
        assert_int_equal(frames[i].at, r->frames[i].at);
        assert_int_equal(frames[i].check, r->frames[i].check);
    }
    assert_int_equal(r->walk.stop, UNWIND_CONTINUE);
    assert_int_equal(r->walk.pc, pc);
    assert_int_equal(r->walk.sp, sp);
    assert_int_equal(r->walk.bp, bp);
    if (r->n_walks++ > 0)
        assert_true(r->pc == pc && r->sp == sp && r->bp == bp);
    r->pc = pc;
    r->sp = sp;
    r->bp = bp;
}

static void take_line(struct recording *r, const char *line)
{
    if (strncmp(line, "offset ", 7) == 0)
        take_offset(r, line);
    else if (strncmp(line, "heap ", 5) == 0)
        take_heap(r, line);
    else if (strncmp(line, "walk ", 5) == 0)
        take_walk(r, line);
    else if (strncmp(line, "frame ", 6) == 0)
        take_frame(r, line);
    else if (strncmp(line, "end ", 4) == 0)
        check_walk(r, line);
    else if (line[0] != '#')
        assert_true(recorded_memory_take(&memory, line));
}

static size_t replay(const char *path)
{
    _cleanup_free_ struct recording *r = mem_zalloc(sizeof(*r));
    _cleanup_free_ char *line = mem_alloc(RECORDED_LINE_MAX);
    _cleanup_fclose_ FILE *f = fopen(path, "re");

    assert_non_null(f);
    print_message("%s\n", path);
    while (fgets(line, RECORDED_LINE_MAX, f))
        take_line(r, line);
    recorded_memory_release(&memory);
    return r->n_walks;
}

static void recorded_stacks_are_walked_as_then(void **state)
{
    enum { FILES_MIN = 5, WALKS_MIN = 4 };
    glob_t files;

    (void)state;
    assert_int_equal(glob("agent/runtimes/hotspot/tests/golden/walk-*", 0, NULL, &files), 0);
    assert_true(files.gl_pathc >= FILES_MIN);
    for (size_t i = 0; i < files.gl_pathc; i++)
        assert_true(replay(files.gl_pathv[i]) >= WALKS_MIN);
    globfree(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(recorded_stacks_are_walked_as_then) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
