/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/hotspot/hotspot_image.h"

#include "agent/symbols/elf_find.h"

#include <stddef.h>

bool hotspot_image_read(int fd, const struct elf_image *elf, struct hotspot_image *ret_image)
{
    enum { WANTED = 12 };
    struct hotspot_image image;
    const struct {
        const char *name;
        uint64_t *to;
    } symbols[WANTED] = {
        { "gHotSpotVMStructs", &image.structs.table },
        { "gHotSpotVMStructEntryArrayStride", &image.structs.stride },
        { "gHotSpotVMStructEntryTypeNameOffset", &image.structs.type },
        { "gHotSpotVMStructEntryFieldNameOffset", &image.structs.field },
        { "gHotSpotVMStructEntryTypeStringOffset", &image.structs.text },
        { "gHotSpotVMStructEntryIsStaticOffset", &image.structs.is_static },
        { "gHotSpotVMStructEntryOffsetOffset", &image.structs.off },
        { "gHotSpotVMStructEntryAddressOffset", &image.structs.addr },
        { "gHotSpotVMTypes", &image.types.table },
        { "gHotSpotVMTypeEntryArrayStride", &image.types.stride },
        { "gHotSpotVMTypeEntryTypeNameOffset", &image.types.name },
        { "gHotSpotVMTypeEntrySizeOffset", &image.types.size },
    };
    struct elf_wanted wanted[WANTED] = { 0 };

    for (size_t i = 0; i < WANTED; i++)
        wanted[i].name = symbols[i].name;
    /* One name alone first: most images have none of them. */
    if (elf_find(fd, elf, wanted, 1) != 1 || elf_find(fd, elf, wanted + 1, WANTED - 1) < WANTED - 1)
        return false;
    for (size_t i = 0; i < WANTED; i++)
        *symbols[i].to = wanted[i].vaddr;
    *ret_image = image;
    return true;
}
