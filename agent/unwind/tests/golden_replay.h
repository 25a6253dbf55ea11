/* SPDX-License-Identifier: Apache-2.0 */
/*
 * golden_replay: the source that walks stacks in the kernel, over recorded stacks of real programs,
 * against what another unwinder found there. golden.h tells the form of the files.
 */
#pragma once

#include "agent/unwind/tests/golden.h"
#include "agent/unwind/unwind_host.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MAPPINGS_MAX = 16, ROWS_MAX = 256, LINE_MAX_SIZE = 256 };

static struct golden {
    __u64 regs[GOLDEN_REGS];
    struct unwind_mapping mappings[MAPPINGS_MAX];
    __u32 n_mappings;
    struct unwind_row rows[ROWS_MAX]; /* each with the rule of its number */
    struct unwind_rule rules[ROWS_MAX];
    __u32 n_rows;
    struct {
        __u64 addr, value;
    } words[GOLDEN_WORDS_MAX];
    size_t n_words;
    __u64 frames[GOLDEN_FRAMES_MAX];
    size_t n_frames;
    unsigned stop;
} golden;

static bool unwind_read(const struct unwind_walk *w, __u64 addr, __u64 *ret_value)
{
    (void)w;
    for (size_t i = 0; i < golden.n_words; i++) {
        if (golden.words[i].addr == addr) {
            *ret_value = golden.words[i].value;
            return true;
        }
    }
    return false;
}

static const struct unwind_mapping *unwind_mapping_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    return i < golden.n_mappings ? &golden.mappings[i] : NULL;
}

static const struct unwind_row *unwind_row_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    return i < golden.n_rows ? &golden.rows[i] : NULL;
}

static const struct unwind_rule *unwind_rule_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    return i < golden.n_rows ? &golden.rules[i] : NULL;
}

static bool take_row(const char *line)
{
    unsigned addr, cfa, reg, bp, ra, flags;
    int cfa_off, deref_off, bp_off, ra_off;

    if (golden.n_rows == ROWS_MAX || golden.n_mappings == 0 ||
        sscanf(line, "row %x %u %u %u %u %u %d %d %d %d", /* NOLINT: a file of our own */
               &addr, &cfa, &reg, &bp, &ra, &flags, &cfa_off, &deref_off, &bp_off, &ra_off) != 10)
        return false;
    golden.rows[golden.n_rows] = (struct unwind_row){ addr, golden.n_rows };
    golden.rules[golden.n_rows++] = (struct unwind_rule){
        (__u8)cfa, (__u8)reg, (__u8)bp, (__u8)ra, cfa_off, deref_off, bp_off, ra_off, flags,
    };
    golden.mappings[golden.n_mappings - 1].n_rows++;
    return true;
}

static bool take_map(const char *line)
{
    struct unwind_mapping m = { .first_row = golden.n_rows };

    if (golden.n_mappings == MAPPINGS_MAX || sscanf(line, "map %llx %llx %llx %u", /* NOLINT */
                                                    &m.start, &m.end, &m.base, &m.flags) != 4)
        return false;
    golden.mappings[golden.n_mappings++] = m;
    return true;
}

static bool take(const char *line)
{
    unsigned long long a, b;

    if (line[0] == '#' || sscanf(line, "stop %u", &golden.stop) == 1) /* NOLINT */
        return true;
    if (strncmp(line, "map ", 4) == 0)
        return take_map(line);
    if (strncmp(line, "row ", 4) == 0)
        return take_row(line);
    if (sscanf(line, "reg %llu %llx", &a, &b) == 2 && a < GOLDEN_REGS) /* NOLINT */
        golden.regs[a] = b;
    else if (sscanf(line, "word %llx %llx", &a, &b) == 2 && /* NOLINT */
             golden.n_words < GOLDEN_WORDS_MAX) {
        golden.words[golden.n_words].addr = a;
        golden.words[golden.n_words++].value = b;
    } else if (sscanf(line, "frame %llx", &a) == 1 && /* NOLINT */
               golden.n_frames < GOLDEN_FRAMES_MAX)
        golden.frames[golden.n_frames++] = a;
    else
        return false;
    return true;
}

static void load(const char *path)
{
    char line[LINE_MAX_SIZE];
    FILE *f = fopen(path, "re");

    assert_non_null(f);
    memset(&golden, 0, sizeof(golden));
    while (fgets(line, sizeof(line), f)) {
        if (!take(line))
            fail_msg("%s: %s", path, line);
    }
    (void)fclose(f);
}

/* A frame that a signal interrupted has one more, for who looks at the byte before. */
static void replay(const char *path)
{
    struct unwind_walk w = { .pc = golden.regs[GOLDEN_REG_PC],
                             .thread = golden.regs[GOLDEN_REG_THREAD],
                             .is_exact = 1,
                             .has_regs = 1,
                             .stop = UNWIND_CONTINUE };
    static __u64 pcs[GOLDEN_FRAMES_MAX + 1];

    memcpy(w.regs, golden.regs, sizeof(w.regs));
    w.sp = w.regs[UNWIND_REG_SP];
    w.bp = w.regs[UNWIND_REG_BP];
    w.space.n = golden.n_mappings;
    while (w.stop == UNWIND_CONTINUE && (w.n < golden.n_frames || w.scan.is_on))
        unwind_step(&w, &pcs[w.n]);
    if (w.n != golden.n_frames ||
        (w.stop == UNWIND_CONTINUE ? RECORD_STOP_FULL : w.stop) != golden.stop)
        fail_msg("%s: %u frames of %zu, stop %u", path, w.n, golden.n_frames, w.stop);
    for (__u32 i = 0; i < w.n; i++) {
        if (pcs[i] - golden.frames[i] > 1)
            fail_msg("%s: frame %u is 0x%llx, not 0x%llx", path, i, pcs[i], golden.frames[i]);
    }
}

/* All files that @pattern, of glob(), names; there are @at_least. */
static void replay_all(const char *pattern, size_t at_least)
{
    glob_t found;

    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= at_least);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        load(found.gl_pathv[i]);
        replay(found.gl_pathv[i]);
    }
    globfree(&found);
}
