/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/debug_links.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

/* Names and descriptors are padded to 4 bytes, whatever the section's alignment says. */
static size_t padded(uint32_t size)
{
    return ((size_t)size + 3) & ~(size_t)3;
}

bool debug_links_read_build_id(const unsigned char *notes, size_t size, struct build_id *ret_id)
{
    Elf64_Nhdr note; /* of the same form as Elf32_Nhdr */

    while (size >= sizeof(note)) {
        memcpy(&note, notes, sizeof(note));
        notes += sizeof(note);
        size -= sizeof(note);
        if (padded(note.n_namesz) > size || note.n_descsz > size - padded(note.n_namesz))
            return false;

        const unsigned char *desc = notes + padded(note.n_namesz);

        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof("GNU") &&
            memcmp(notes, "GNU", sizeof("GNU")) == 0) {
            if (note.n_descsz == 0 || note.n_descsz > BUILD_ID_MAX)
                return false;
            memset(ret_id, 0, sizeof(*ret_id));
            memcpy(ret_id->bytes, desc, note.n_descsz);
            ret_id->n = note.n_descsz;
            return true;
        }

        size_t taken = padded(note.n_namesz) + padded(note.n_descsz);

        if (taken >= size)
            return false;
        notes += taken;
        size -= taken;
    }
    return false;
}

/* The name at the start of a link section; its length, 0 when it is not well-formed. */
static size_t read_name(const unsigned char *section, size_t size, struct debug_link *link)
{
    size_t len = strnlen((const char *)section, size);

    if (len == 0 || len == size || len > DEBUG_LINK_NAME_MAX)
        return 0;
    memset(link, 0, sizeof(*link));
    memcpy(link->name, section, len);
    return len;
}

bool debug_links_read_link(const unsigned char *section, size_t size, struct debug_link *ret_link)
{
    struct debug_link link;
    size_t len = read_name(section, size, &link);
    size_t crc_at = padded((uint32_t)len + 1);

    if (len == 0 || strchr(link.name, '/') || strcmp(link.name, ".") == 0 ||
        strcmp(link.name, "..") == 0 || crc_at + sizeof(link.crc) > size)
        return false;
    memcpy(&link.crc, section + crc_at, sizeof(link.crc));
    *ret_link = link;
    return true;
}

bool debug_links_read_alt(const unsigned char *section, size_t size, struct debug_link *ret_link)
{
    struct debug_link link;
    size_t len = read_name(section, size, &link);

    if (len == 0 || size - len - 1 == 0 || size - len - 1 > BUILD_ID_MAX)
        return false;
    link.id.n = size - len - 1;
    memcpy(link.id.bytes, section + len + 1, link.id.n);
    *ret_link = link;
    return true;
}

bool build_id_equal(const struct build_id *a, const struct build_id *b)
{
    return a->n > 0 && a->n == b->n && memcmp(a->bytes, b->bytes, a->n) == 0;
}

bool build_id_path(const struct build_id *id, char path[BUILD_ID_PATH_MAX])
{
    int len = snprintf(path, BUILD_ID_PATH_MAX, "/usr/lib/debug/.build-id/%02x/", id->bytes[0]);

    if (id->n < 2)
        return false;
    for (size_t i = 1; i < id->n; i++)
        len += snprintf(path + len, BUILD_ID_PATH_MAX - (size_t)len, "%02x", id->bytes[i]);
    (void)snprintf(path + len, BUILD_ID_PATH_MAX - (size_t)len, ".debug");
    return true;
}
