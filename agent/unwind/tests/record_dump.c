/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_dump FILE: walks the stack that arm64_stacks wrote down, on any machine, and writes what
 * golden_record.h says, with the frames of the file behind it.
 */
#define UNWIND_OF_ARM64 1

#include "agent/unwind/tests/golden_record.h"

#include "agent/unwind/unwind_image.h"
#include "lib/mem.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { MAPS_MAX = 16, WORDS_MAX = 1 << 20 };

static struct dump {
    struct {
        __u64 start, end, off;
        int fd;
    } code[MAPS_MAX];
    struct unwind_mapping mappings[MAPS_MAX];
    __u32 n_code;
    struct unwind_row *rows;
    struct unwind_rule rules[UNWIND_RULES_MAX];
    struct {
        __u64 addr, value;
    } * words;
    size_t n_words;
    __u64 regs[GOLDEN_REGS];
    __u64 frames[GOLDEN_FRAMES_MAX];
    size_t n_frames;
} dump;

static struct unwind_rules rules;

static bool record_read(__u64 addr, __u64 *ret_value)
{
    for (size_t i = 0; i < dump.n_words; i++) {
        if (dump.words[i].addr == addr) {
            *ret_value = dump.words[i].value;
            return true;
        }
    }
    for (__u32 i = 0; i < dump.n_code; i++) {
        if (addr >= dump.code[i].start && addr < dump.code[i].end)
            return pread(dump.code[i].fd, ret_value, sizeof(*ret_value),
                         (off_t)(addr - dump.code[i].start + dump.code[i].off)) ==
                   (ssize_t)sizeof(*ret_value);
    }
    return false;
}

static bool add_code(__u64 start, __u64 end, __u64 off, const char *path)
{
    struct unwind_image image = { 0 };
    struct unwind_mapping *m = &dump.mappings[dump.n_code];
    struct err e = { 0 };
    uint64_t vaddr;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (dump.n_code == MAPS_MAX || fd < 0 || unwind_image_read(fd, &rules, &image, &e) < 0 ||
        !unwind_image_vaddr(&image, off, &vaddr)) {
        (void)fprintf(stderr, "%s: %s\n", path, e.msg);
        return false;
    }
    *m = (struct unwind_mapping){ .start = start,
                                  .end = end,
                                  .base = start - vaddr + image.range.start,
                                  .first_row = now.view.n_rows,
                                  .n_rows = (__u32)image.table.n_rows,
                                  .flags = image.is_go ? UNWIND_SWITCHES_STACKS : UNWIND_NATIVE };
    dump.rows = mem_grow(dump.rows, now.view.n_rows + image.table.n_rows, sizeof(*dump.rows));
    memcpy(dump.rows + now.view.n_rows, image.table.rows, image.table.n_rows * sizeof(*dump.rows));
    now.view.n_rows += (__u32)image.table.n_rows;
    unwind_image_release(&image);
    dump.code[dump.n_code].start = start;
    dump.code[dump.n_code].end = end;
    dump.code[dump.n_code].off = off;
    dump.code[dump.n_code++].fd = fd;
    return true;
}

static bool take(const char *line)
{
    unsigned long long a, b, c;
    char path[256];

    if (sscanf(line, "code %llx %llx %llx %255s", &a, &b, &c, path) == 4) /* NOLINT: our own */
        return add_code(a, b, c, path);
    if (sscanf(line, "reg %llu %llx", &a, &b) == 2 && a < GOLDEN_REGS) { /* NOLINT */
        dump.regs[a] = b;
        return true;
    }
    if (sscanf(line, "word %llx %llx", &a, &b) == 2 && dump.n_words < WORDS_MAX) { /* NOLINT */
        dump.words[dump.n_words].addr = a;
        dump.words[dump.n_words++].value = b;
        return true;
    }
    if (sscanf(line, "frame %llx", &a) != 1 || dump.n_frames == GOLDEN_FRAMES_MAX) /* NOLINT */
        return false;
    dump.frames[dump.n_frames++] = a;
    return true;
}

static bool load(const char *path)
{
    char line[512];
    FILE *f = fopen(path, "re");
    bool is_good = f != NULL;

    dump.words = mem_array(WORDS_MAX, sizeof(*dump.words));
    unwind_rules_init(&rules, dump.rules);
    while (is_good && fgets(line, sizeof(line), f)) {
        is_good = take(line);
        if (!is_good)
            (void)fprintf(stderr, "%s: %s", path, line);
    }
    if (f)
        (void)fclose(f);
    return is_good;
}

int main(int argc, char **argv)
{
    struct unwind_walk w = { .is_exact = 1, .has_regs = 1 };
    size_t i = 0;

    if (argc != 2 || !load(argv[1])) {
        (void)fprintf(stderr, "usage: record_dump FILE\n");
        return 2;
    }
    now.view.rows = dump.rows;
    now.view.rules = dump.rules;
    now.view.n_rules = rules.n;
    now.view.mappings = dump.mappings;
    now.view.n_mappings = now.view.space.n = dump.n_code;
    memcpy(w.regs, dump.regs, sizeof(w.regs));
    w.pc = dump.regs[GOLDEN_REG_PC];
    w.thread = dump.regs[GOLDEN_REG_THREAD];
    w.sp = w.regs[UNWIND_REG_SP];
    w.bp = w.regs[UNWIND_REG_BP];
    record(&w, GOLDEN_FRAMES_MAX);
    for (; i < dump.n_frames; i++)
        (void)printf("frame %llx\n", dump.frames[i]);
    return 0;
}
