/* SPDX-License-Identifier: Apache-2.0 */
/*
 * small_go: makes the smallest ELF file that is a Go program to the agent, in each format of the
 * table of functions; without sections, as if they had been stripped.
 *
 *   text + 0x00  runtime.goexit                the first frame of every stack
 *   text + 0x20  main.outer[go.shape.int]      with main.inlined, and main.innermost in it
 *   text + 0x60  runtime.systemstack           goes to another stack
 *   text + 0x80  runtime.sigreturn__sigaction  where signal handlers return to
 *   text + 0xa0  c_function                    C code, which the linker lists too
 *   text + 0xc0  runtime.morestack             with the code that saves a goroutine's registers
 */
#pragma once

#include "agent/unwind/go_locate.h"

#include <assert.h>
#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    SMALL_GO_TEXT = 0x401000,
    SMALL_GO_TEXT_SIZE = 0x140,
    SMALL_GO_TABLE = 0x402000,
    SMALL_GO_TABLE_SIZE = 0x600,
    SMALL_GO_MODULE = 0x404000,
    SMALL_GO_FUNCTIONS = 6,
};

struct small_go {
    Elf64_Ehdr header;
    Elf64_Phdr segments[3];
    uint8_t table[SMALL_GO_TABLE_SIZE];
    uint64_t module[64];
    uint8_t code[SMALL_GO_TEXT_SIZE];
};

/* Bytes that are appended to. */
struct small_go_at {
    uint8_t *base;
    size_t n;
};

static inline uint32_t small_go_bytes(struct small_go_at *at, const void *bytes, size_t size)
{
    size_t off = at->n;

    assert(off + size <= SMALL_GO_TABLE_SIZE);
    memcpy(at->base + off, bytes, size);
    at->n += size;
    return (uint32_t)off;
}

static inline void small_go_put(struct small_go_at *at, uint64_t value, size_t size)
{
    (void)small_go_bytes(at, &value, size);
}

static inline void small_go_align(struct small_go_at *at)
{
    at->n = (at->n + 7) / 8 * 8;
}

static const struct {
    const char *name;
    uint32_t start;
    uint8_t flags;
    const char *sizes; /* of the frame, as the linker writes them; NULL: none */
    bool has_inlined;
} small_go_functions[SMALL_GO_FUNCTIONS] = {
    { "runtime.goexit", 0x00, 1, "\x02\x20", false },                  /* 0 */
    { "main.outer[go.shape.int]", 0x20, 0, "\x02\x04\x30\x3c", true }, /* 0 for 4, 24 for 60 */
    { "runtime.systemstack", 0x60, 2, "\x02\x01\x10\x1f", false },     /* 0 for 1, 8 for 31 */
    { "runtime.sigreturn__sigaction", 0x80, 0, "\x02\x20", false },    /* 0 */
    { "c_function", 0xa0, 0, NULL, false },
    { "runtime.morestack", 0xc0, 2, "\x02\x80\x01", false }, /* 0 */
};

/* Where things are in the table. */
struct small_go_places {
    uint32_t names[SMALL_GO_FUNCTIONS], inlined[2]; /* among the names */
    uint32_t sizes[SMALL_GO_FUNCTIONS], values;     /* among the values */
    uint64_t parts[5]; /* names, units, files, values, functions: as in the header */
    size_t tree;
};

static inline void small_go_put_texts(struct small_go_at *at, struct small_go_places *p)
{
    /* -1 for 16, 0 for 16, 1 for 16, -1 for 16 */
    static const char values[] = "\x00\x10\x02\x10\x02\x10\x03\x10";

    p->parts[0] = at->n;
    for (size_t i = 0; i < SMALL_GO_FUNCTIONS; i++)
        p->names[i] =
            small_go_bytes(at, small_go_functions[i].name, strlen(small_go_functions[i].name) + 1) -
            (uint32_t)p->parts[0];
    p->inlined[0] = small_go_bytes(at, "main.inlined", 13) - (uint32_t)p->parts[0];
    p->inlined[1] = small_go_bytes(at, "main.innermost", 15) - (uint32_t)p->parts[0];
    p->parts[1] = p->parts[2] = p->parts[3] = at->n;
    small_go_put(at, 0, 1);
    for (size_t i = 0; i < SMALL_GO_FUNCTIONS; i++) {
        const char *sizes = small_go_functions[i].sizes;

        if (sizes)
            p->sizes[i] = small_go_bytes(at, sizes, strlen(sizes) + 1) - (uint32_t)p->parts[3];
    }
    p->values = small_go_bytes(at, values, sizeof(values)) - (uint32_t)p->parts[3];
    small_go_align(at);
    p->parts[4] = at->n;
}

/* runtime._func, and what follows it */
static inline void small_go_put_function(struct small_go_at *at, enum go_format format, size_t i,
                                         const struct small_go_places *p)
{
    bool has = small_go_functions[i].has_inlined, is_old = format == GO_1_16;

    small_go_put(at, (is_old ? SMALL_GO_TEXT : 0) + small_go_functions[i].start, is_old ? 8 : 4);
    small_go_put(at, p->names[i], 4);
    small_go_put(at, 0, 8);
    small_go_put(at, p->sizes[i], 4);
    small_go_put(at, 0, 8);
    small_go_put(at, has ? 3 : 0, 4);
    small_go_put(at, 0, format == GO_1_20 ? 8 : 4);
    small_go_put(at, 0, 1);
    small_go_put(at, small_go_functions[i].flags, 1);
    small_go_put(at, 0, 1);
    small_go_put(at, has ? 4 : 0, 1);
    if (!has)
        return;
    small_go_put(at, 0, 8);
    small_go_put(at, p->values, 4);
    if (is_old)
        small_go_align(at);
    for (size_t k = 0; k < 3; k++)
        small_go_put(at, UINT64_MAX, is_old ? 8 : 4);
    small_go_put(at, is_old ? SMALL_GO_TABLE + p->tree : 4, is_old ? 8 : 4);
}

static inline void small_go_put_functions(struct small_go_at *at, enum go_format format,
                                          const struct small_go_places *p)
{
    size_t word = format == GO_1_16 ? 8 : 4;
    uint64_t text = format == GO_1_16 ? SMALL_GO_TEXT : 0;
    struct small_go_at index = { at->base, p->parts[4] };

    at->n += (2 * SMALL_GO_FUNCTIONS + 1) * word;
    for (size_t i = 0; i < SMALL_GO_FUNCTIONS; i++) {
        small_go_align(at);
        small_go_put(&index, text + small_go_functions[i].start, word);
        small_go_put(&index, at->n - p->parts[4], word);
        small_go_put_function(at, format, i, p);
    }
    small_go_put(&index, text + SMALL_GO_TEXT_SIZE, word);
}

/* runtime.inlinedCall, two of them */
static inline void small_go_put_tree(struct small_go_at *at, enum go_format format,
                                     const struct small_go_places *p)
{
    for (size_t i = 0; i < 2; i++) {
        small_go_put(at, 0, 4);
        small_go_put(at, 0, format == GO_1_20 ? 0 : 8);
        small_go_put(at, p->inlined[i], 4);
        small_go_put(at, i == 0 ? 0x08 : 0x14, 4); /* called in outer, and in inlined */
        small_go_put(at, 0, format == GO_1_20 ? 4 : 0);
    }
}

/* As the toolchain has it: of an old program, of a PIE, of a program of today. */
static inline void small_go_put_code(uint8_t *code, enum go_format format)
{
    static const uint8_t by_thread[] = { 0x64, 0x48, 0x8b, 0x3c, 0x25, 0xf8, 0xff, 0xff, 0xff };
    static const uint8_t by_number[] = { 0x48, 0xc7, 0xc1, 0xf8, 0xff, 0xff, 0xff };
    static const uint8_t save_old[] = { 0x48, 0x89, 0x6e, 0x68 },
                         save[] = { 0x48, 0x89, 0x6f, 0x60 };

    if (format == GO_1_18)
        memcpy(code + 0xc0, by_number, sizeof(by_number));
    else
        memcpy(code + 0xc0, by_thread, sizeof(by_thread));
    memcpy(code + 0xc0 + 0x1e, format == GO_1_20 ? save : save_old, sizeof(save));
}

static inline void small_go_make(enum go_format format, struct small_go *ret)
{
    static const uint32_t magics[] = { 0xfffffffa, 0xfffffff0, 0xfffffff1 };
    size_t header = format == GO_1_16 ? 24 : 32;
    struct small_go_at at = { ret->table, header + sizeof(uint64_t[5]) };
    struct small_go_places p = { .tree = SMALL_GO_TABLE_SIZE - 64 };

    *ret = (struct small_go){ .header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
                                                       ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
                                          .e_type = ET_EXEC,
                                          .e_machine = EM_X86_64,
                                          .e_version = EV_CURRENT,
                                          .e_ehsize = sizeof(Elf64_Ehdr),
                                          .e_phoff = offsetof(struct small_go, segments),
                                          .e_phentsize = sizeof(Elf64_Phdr),
                                          .e_phnum = 3 } };
    ret->segments[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
                                     .p_flags = PF_R | PF_X,
                                     .p_offset = offsetof(struct small_go, code),
                                     .p_vaddr = SMALL_GO_TEXT,
                                     .p_filesz = SMALL_GO_TEXT_SIZE };
    ret->segments[1] = (Elf64_Phdr){ .p_type = PT_LOAD,
                                     .p_flags = PF_R,
                                     .p_offset = offsetof(struct small_go, table),
                                     .p_vaddr = SMALL_GO_TABLE,
                                     .p_filesz = SMALL_GO_TABLE_SIZE };
    ret->segments[2] = (Elf64_Phdr){ .p_type = PT_LOAD,
                                     .p_flags = PF_R | PF_W,
                                     .p_offset = offsetof(struct small_go, module),
                                     .p_vaddr = SMALL_GO_MODULE,
                                     .p_filesz = sizeof(ret->module) };
    small_go_put_code(ret->code, format);
    small_go_put_texts(&at, &p);
    small_go_put_functions(&at, format, &p);
    assert(at.n < p.tree);
    at.n = p.tree;
    small_go_put_tree(&at, format, &p);
    at.n = 0;
    small_go_put(&at, magics[format] | UINT64_C(0x0801) << 48, 8);
    small_go_put(&at, SMALL_GO_FUNCTIONS, 8);
    at.n = header;
    (void)small_go_bytes(&at, p.parts, sizeof(p.parts));
    ret->module[0] = SMALL_GO_TABLE;
    ret->module[1] = SMALL_GO_TABLE + p.parts[0];
    ret->module[17] = SMALL_GO_FUNCTIONS + 1;
    ret->module[22] = SMALL_GO_TEXT;
    ret->module[23] = SMALL_GO_TEXT + SMALL_GO_TEXT_SIZE;
    ret->module[format == GO_1_18 ? 38 : 40] = SMALL_GO_TABLE + p.tree - 4;
}
