/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/python.h"

#include "agent/hash.h"
#include "agent/runtimes/python_code.h"
#include "agent/runtimes/python_image.h"
#include "agent/runtimes/python_layout.h"
#include "agent/runtimes/target_memory.h"
#include "lib/mem.h"

#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096, VERSIONS_MAX = 8, VERSION_SIZE = 96 };
enum { CODES_BYTES_MAX = 16 << 20 }; /* of all line tables */

enum image_state { UNREAD, WITHOUT, WITH };

struct process {
    uint64_t number; /* key: of its image */
    pid_t pid;
    struct process_image image;
    struct python_offsets offsets;
    uint64_t runtime, code_type; /* runtime addresses */
    bool is_walked;
    UT_hash_handle hh;
};

struct code_key {
    uint64_t process, addr;
    uint32_t check, pad;
};

struct function {
    struct code_key key;
    struct python_code code;
    uint32_t index;
    uint8_t lines; /* enum python_lines */
    UT_hash_handle hh;
};

struct python {
    struct images *images;
    int spaces_fd; /* -1: not attached yet */
    struct {
        enum image_state state;
        struct python_image image;
    } * looked; /* by index of the image */
    size_t n_looked;
    struct process *processes; /* by number */
    struct function *by_key;
    struct function **codes;
    uint32_t n_codes;
    size_t code_bytes;
    char versions[VERSIONS_MAX][VERSION_SIZE];
    size_t n_versions;
};

struct python *python_new(struct images *images)
{
    struct python *p = mem_zalloc(sizeof(*p));

    p->images = images;
    p->spaces_fd = -1;
    return p;
}

void python_free(struct python *p)
{
    struct process *process, *next;

    if (!p)
        return;
    HASH_CLEAR(hh, p->by_key);
    for (uint32_t i = 0; i < p->n_codes; i++) {
        python_code_release(&p->codes[i]->code);
        free(p->codes[i]);
    }
    HASH_ITER (hh, p->processes, process, next) {
        HASH_DEL(p->processes, process);
        free(process);
    }
    free((void *)p->codes);
    free(p->looked);
    free(p);
}

/* NULL: no CPython is in it. */
static const struct python_image *look_at_image(struct python *p, uint32_t index)
{
    while (p->n_looked <= index) {
        size_t n = p->n_looked;

        if ((n & (n - 1)) == 0)
            p->looked = mem_grow(p->looked, n ? n * 2 : 1, sizeof(*p->looked));
        p->looked[p->n_looked++].state = UNREAD;
    }
    if (p->looked[index].state == UNREAD) {
        const struct image *image = images_get(p->images, index);
        bool has =
            image->fd >= 0 && python_image_read(image->fd, &image->elf, &p->looked[index].image);

        p->looked[index].state = has ? WITH : WITHOUT;
    }
    return p->looked[index].state == WITH ? &p->looked[index].image : NULL;
}

/* What has to be added to a vaddr of the image to make it a runtime address. Mappings begin at a
 * page, segments anywhere in it. */
static bool find_bias(const struct elf_image *elf, const struct code *m, uint64_t *ret_bias)
{
    for (size_t i = 0; i < elf->n_segments; i++) {
        const struct elf_segment *s = &elf->segments[i];

        if (m->off >= (s->off & ~(uint64_t)(PAGE - 1)) && m->off < s->off + s->file_size) {
            *ret_bias = m->start - (s->vaddr + (m->off - s->off));
            return true;
        }
    }
    return false;
}

static void note_version(struct python *p, int minor, const char *why)
{
    char text[VERSION_SIZE];

    (void)snprintf(text, sizeof(text), "python 3.%d%s%s", minor, why ? ": " : "", why ? why : "");
    for (size_t i = 0; i < p->n_versions; i++) {
        if (strcmp(p->versions[i], text) == 0)
            return;
    }
    if (p->n_versions < VERSIONS_MAX)
        memcpy(p->versions[p->n_versions++], text, sizeof(text));
}

static void tell_kernel(const struct python *p, const struct process *process)
{
    struct python_space space = {
        .interpreters = process->runtime + process->offsets.interpreters,
        .image = process->image,
        .layout = process->offsets.walk,
    };

    if (p->spaces_fd >= 0 && process->is_walked)
        (void)bpf_map_update_elem(p->spaces_fd, &process->pid, &space,
                                  BPF_ANY); /* without: native frames */
}

void python_attach(struct python *p, int spaces_fd)
{
    p->spaces_fd = spaces_fd;
    for (const struct process *process = p->processes; process; process = process->hh.next)
        tell_kernel(p, process);
}

/* One that runs CPython, met for the first time. */
static void meet(struct python *p, struct process *process, const struct python_image *image,
                 uint64_t bias)
{
    unsigned char debug_offsets[PYTHON_DEBUG_OFFSETS_SIZE] = { 0 };

    process->runtime = bias + image->runtime;
    (void)target_memory_read(process->pid, process->runtime, debug_offsets, sizeof(debug_offsets));

    const char *why =
        python_layout_read(image->minor, debug_offsets, sizeof(debug_offsets), &process->offsets);

    process->code_type = bias + image->code_type;
    process->is_walked = !why;
    note_version(p, image->minor, why);
    HASH_ADD(hh, p->processes, number, sizeof(process->number), process);
    tell_kernel(p, process);
}

void python_look(struct python *p, pid_t pid, uint64_t number, const struct process_image *run,
                 const struct code *code, size_t n)
{
    struct process *process;
    uint64_t bias;

    HASH_FIND(hh, p->processes, &number, sizeof(number), process);
    if (process || HASH_COUNT(p->processes) >= PYTHON_PROCESSES_MAX)
        return;
    for (size_t i = 0; i < n; i++) {
        const struct python_image *image =
            code[i].image == IMAGE_NONE ? NULL : look_at_image(p, code[i].image);

        if (image && find_bias(&images_get(p->images, code[i].image)->elf, &code[i], &bias)) {
            process = mem_zalloc(sizeof(*process));
            process->number = number;
            process->pid = pid;
            process->image = *run;
            meet(p, process, image, bias);
            return;
        }
    }
}

void python_forget(struct python *p, uint64_t number)
{
    struct process *process;

    HASH_FIND(hh, p->processes, &number, sizeof(number), process);
    if (!process)
        return;
    HASH_DEL(p->processes, process);
    free(process);
}

bool python_is_image(const struct python *p, uint32_t image)
{
    return image < p->n_looked && p->looked[image].state == WITH;
}

bool python_is_loop(struct python *p, uint32_t image, uint64_t off)
{
    uint64_t vaddr;

    return python_is_image(p, image) &&
           elf_image_vaddr(&images_get(p->images, image)->elf, off, &vaddr) &&
           python_image_in_loop(&p->looked[image].image, vaddr);
}

static struct function *add_code(struct python *p, const struct code_key *key,
                                 const struct process *process)
{
    struct function *code = mem_zalloc(sizeof(*code));
    uint32_t n = p->n_codes;

    code->key = *key;
    code->index = n;
    code->lines = process->offsets.lines;
    if (p->code_bytes < CODES_BYTES_MAX &&
        python_code_read(process->pid, &process->offsets, key->addr, process->code_type, key->check,
                         &code->code))
        p->code_bytes += code->code.n_lines;
    if ((n & (n - 1)) == 0)
        p->codes = mem_grow((void *)p->codes, n ? n * 2 : 1, sizeof(struct function *));
    p->codes[p->n_codes++] = code;
    HASH_ADD(hh, p->by_key, key, sizeof(code->key), code);
    return code;
}

bool python_place(struct python *p, uint64_t number, const struct python_frame *frame,
                  uint32_t *ret_code, uint32_t *ret_line)
{
    struct code_key key;
    struct process *process;
    struct function *code;

    memset(&key, 0, sizeof(key));
    key.process = number;
    key.addr = frame->code;
    key.check = frame->check;
    HASH_FIND(hh, p->processes, &key.process, sizeof(key.process), process);
    HASH_FIND(hh, p->by_key, &key, sizeof(key), code);
    if (!code && (!process || p->n_codes >= PYTHON_CODES_MAX))
        return false;
    if (!code)
        code = add_code(p, &key, process);
    *ret_code = code->index;
    *ret_line = (uint32_t)python_code_line(&code->code, code->lines, frame->at & PYTHON_AT_UNKNOWN);
    return true;
}

/* What tells a file from others, without where the installation is. */
static const char *short_file(const char *file)
{
    static const char *const roots[] = { "/site-packages/", "/dist-packages/" };
    const char *base = strrchr(file, '/');

    for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        const char *at = strstr(file, roots[i]);

        if (at)
            return at + strlen(roots[i]);
    }
    return base ? base + 1 : file;
}

char *python_name(const struct python *p, uint32_t code, uint32_t line, bool *ret_known)
{
    const struct function *c = p->codes[code];

    *ret_known = c->code.name != NULL;
    if (!c->code.name)
        return mem_printf("[python+0x%llx]", (unsigned long long)c->key.addr);
    if (line == 0)
        return mem_printf("%s (%s)", c->code.name, short_file(c->code.file));
    return mem_printf("%s (%s:%u)", c->code.name, short_file(c->code.file), line);
}

const char *python_version(const struct python *p, size_t i)
{
    return i < p->n_versions ? p->versions[i] : NULL;
}
