/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf_headers: the program headers and the sections of an ELF file.
 *
 * Input is untrusted: it comes from inside somebody's container, may be sparse and as long as a
 * file can be, and may change while it is read. So nothing is mapped, and no library is asked: the
 * headers are read once, into memory of our own, each table up to its bound below. No segment and
 * no section reaches past the end that the file has then: what does is cut.
 *
 * Not read are tables of 65,280 sections and more, which no linker makes of a program.
 */
#pragma once

#include "lib/err.h"

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ELF_HEADERS_SEGMENTS_MAX = 1024, /* more are not read */
    ELF_HEADERS_NAMES_MAX = 1 << 20, /* bytes of the names of sections; those behind have none */
};

struct elf_headers {
    bool is_64_bit;
    uint16_t machine;
    uint64_t entry;
    Elf64_Phdr *segments; /* owned; those of 32-bit files widened */
    size_t n_segments;
    Elf64_Shdr *sections; /* owned; by index */
    size_t n_sections;
    char *names; /* owned; of sections */
    size_t names_size;
};

/* Reads the file behind @fd, which stays the caller's. -EINVAL: not an ELF file of this machine's
 * byte order. */
int elf_headers_read(int fd, struct elf_headers *ret_headers, struct err *e) WARN_UNUSED;
void elf_headers_release(struct elf_headers *headers); /* safe on zeroed ones */
#define _cleanup_elf_headers_ __attribute__((cleanup(elf_headers_release)))

/* The first section of that name that has contents; NULL: none. Borrowed. */
const Elf64_Shdr *elf_headers_find(const struct elf_headers *headers, const char *name);

/* As much as there is of [off, off + size). */
size_t elf_headers_read_at(int fd, void *to, uint64_t off, size_t size);
