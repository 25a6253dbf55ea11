/* SPDX-License-Identifier: Apache-2.0 */
/* hotspot_layout, hotspot_scopes, hotspot_method: over what was recorded of Java virtual machines
 * of each version, against what their own serviceability agent said. */
#include "agent/runtimes/hotspot/hotspot_layout.h"
#include "agent/runtimes/hotspot/hotspot_method.h"
#include "agent/runtimes/hotspot/hotspot_scopes.h"
#include "agent/runtimes/target_memory.h"
#include "agent/runtimes/hotspot/tests/hotspot_golden.h"
#include "agent/runtimes/tests/recorded_memory.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ENTRIES_MAX = 512, MADE_ADDR = 0x10000, MADE_SIZE = 256 * 1024 };

/* The machine's memory: recorded pieces, and the tables, which are made of the lines that say what
 * was in them. */
static struct recorded_memory memory;
static unsigned char made[MADE_SIZE];
static size_t n_made;
static struct hotspot_loops loops;

bool target_memory_read(pid_t pid, uint64_t addr, void *to, size_t size)
{
    (void)pid;
    if (addr >= MADE_ADDR && addr + size <= MADE_ADDR + MADE_SIZE) {
        memcpy(to, made + (addr - MADE_ADDR), size);
        return true;
    }
    return recorded_memory_read(&memory, addr, to, size);
}

static uint64_t put(const void *bytes, size_t size)
{
    uint64_t at = MADE_ADDR + n_made;

    assert_true(n_made + size + 8 < MADE_SIZE);
    memcpy(made + n_made, bytes, size);
    n_made += (size + 7) / 8 * 8;
    return at;
}

static uint64_t put_u64(uint64_t value)
{
    return put(&value, sizeof(value));
}

static uint64_t put_text(const char *text)
{
    return put(text, strlen(text) + 1);
}

/* An entry of a table, in the order that HotSpot's own has. */
struct field_entry {
    uint64_t type, field, text;
    uint64_t is_static, off, addr;
};

struct type_entry {
    uint64_t name, super, flags, size;
};

struct recording {
    struct field_entry fields[ENTRIES_MAX];
    struct type_entry types[ENTRIES_MAX];
    size_t n_fields, n_types;
    struct hotspot_image image;
    struct hotspot_layout layout;
    struct hotspot_code_heap heaps[HOTSPOT_CODE_HEAPS_MAX];
    size_t n_heaps;
    struct hotspot_scopes scopes; /* of the last place */
    size_t n_scopes;              /* that were compared */
    size_t n_places;
};

static void take_field(struct recording *r, const char *line)
{
    char type[GOLDEN_NAME_MAX], field[GOLDEN_NAME_MAX], text[GOLDEN_NAME_MAX];
    struct field_entry *e = &r->fields[r->n_fields++];

    assert_true(r->n_fields < ENTRIES_MAX);
    if (sscanf(line, "field %511s %511s %511s %" SCNu64, type, field, text, &e->off) != 4) {
        assert_int_equal(sscanf(line, "static %511s %511s %" SCNx64, type, field, &e->addr), 3);
        e->is_static = 1;
        text[0] = '\0';
    }
    e->type = put_text(type);
    e->field = put_text(field);
    e->text = put_text(text);
}

static void take_type(struct recording *r, const char *line)
{
    char name[GOLDEN_NAME_MAX];
    struct type_entry *e = &r->types[r->n_types++];

    assert_true(r->n_types < ENTRIES_MAX);
    assert_int_equal(sscanf(line, "type %511s %" SCNu64, name, &e->size), 2);
    e->name = put_text(name);
}

/* The tables in memory, and the variables that lead to them. */
static void make_tables(struct recording *r)
{
    struct hotspot_image *i = &r->image;

#define COLUMN(which, column, entry, member)                                                       \
    (i->which.column = put_u64(offsetof(struct entry, member)))
    i->structs.table = put_u64(put(r->fields, (r->n_fields + 1) * sizeof(r->fields[0])));
    i->structs.stride = put_u64(sizeof(struct field_entry));
    COLUMN(structs, type, field_entry, type);
    COLUMN(structs, field, field_entry, field);
    COLUMN(structs, text, field_entry, text);
    COLUMN(structs, is_static, field_entry, is_static);
    COLUMN(structs, off, field_entry, off);
    COLUMN(structs, addr, field_entry, addr);
    i->types.table = put_u64(put(r->types, (r->n_types + 1) * sizeof(r->types[0])));
    i->types.stride = put_u64(sizeof(struct type_entry));
    COLUMN(types, name, type_entry, name);
    COLUMN(types, size, type_entry, size);
}

static void check_machine(struct recording *r, const char *version)
{
    uint32_t shift = 0;

    make_tables(r);
    assert_null(hotspot_layout_read(1, &r->image, 0, &r->layout));
    assert_string_equal(r->layout.version, version);
    r->n_heaps = hotspot_heaps_read(1, &r->layout, r->heaps, &shift);
    assert_in_range(shift, 6, 7);
}

static void check_heap(struct recording *r, const char *line)
{
    unsigned long long low, high, segmap;
    bool found = false;

    assert_int_equal(sscanf(line, "heap %llx %llx %llx", &low, &high, &segmap), 3);
    for (size_t i = 0; i < r->n_heaps; i++)
        found = found || (r->heaps[i].low == low && r->heaps[i].high == high &&
                          r->heaps[i].segmap == segmap);
    assert_true(found);
}

static void check_place(struct recording *r, const char *line)
{
    uint64_t nmethod;
    uint32_t id, pc;
    unsigned level;

    assert_int_equal(r->n_scopes, r->scopes.n);
    assert_int_equal(sscanf(line, "place %" SCNx64 " %u %u %u", &nmethod, &id, &pc, &level), 4);
    assert_false(hotspot_scopes_read(1, &r->layout, &loops, nmethod, id + 1, pc, &r->scopes));
    assert_true(hotspot_scopes_read(1, &r->layout, &loops, nmethod, id, pc, &r->scopes));
    assert_int_equal(r->scopes.level, level);
    r->n_scopes = 0;
    r->n_places++;
}

static void check_scope(struct recording *r, const char *line)
{
    const struct hotspot_scope *s = &r->scopes.scopes[r->n_scopes++];
    struct hotspot_method m;
    char name[GOLDEN_NAME_MAX];
    unsigned bci, at;

    assert_true(r->n_scopes <= r->scopes.n);
    assert_int_equal(sscanf(line, "scope %511s %u %u", name, &bci, &at), 3);
    assert_false(hotspot_method_read(1, &r->layout, s->method, s->check + 1, &m));
    assert_true(hotspot_method_read(1, &r->layout, s->method, s->check, &m));
    assert_string_equal(m.name, name);
    assert_int_equal(s->bci, bci);
    assert_int_equal(hotspot_method_line(&m, bci), at);
    hotspot_method_release(&m);
}

static void take_line(struct recording *r, char *line)
{
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "field ", 6) == 0 || strncmp(line, "static ", 7) == 0)
        take_field(r, line);
    else if (strncmp(line, "type ", 5) == 0)
        take_type(r, line);
    else if (strncmp(line, "version ", 8) == 0)
        check_machine(r, line + 8);
    else if (strncmp(line, "heap ", 5) == 0)
        check_heap(r, line);
    else if (strncmp(line, "place ", 6) == 0)
        check_place(r, line);
    else if (strncmp(line, "scope ", 6) == 0)
        check_scope(r, line);
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
    memset(made, 0, sizeof(made));
    n_made = 0;
    while (fgets(line, RECORDED_LINE_MAX, f))
        take_line(r, line);
    assert_int_equal(r->n_scopes, r->scopes.n);
    recorded_memory_release(&memory);
    return r->n_places;
}

static void says_what_the_serviceability_agent_says(void **state)
{
    enum { FILES_MIN = 6, PLACES_MIN = 6 };
    glob_t files;

    (void)state;
    assert_int_equal(glob("agent/runtimes/hotspot/tests/golden/java-*", 0, NULL, &files), 0);
    assert_true(files.gl_pathc >= FILES_MIN);
    for (size_t i = 0; i < files.gl_pathc; i++)
        assert_true(replay(files.gl_pathv[i]) >= PLACES_MIN);
    globfree(&files);
}

/* Why there is no layout when one line of a recording is another, or missing. */
static const char *layout_of(const char *path, const char *line_begins, const char *instead)
{
    _cleanup_free_ struct recording *r = mem_zalloc(sizeof(*r));
    _cleanup_free_ char *line = mem_alloc(RECORDED_LINE_MAX);
    _cleanup_fclose_ FILE *f = fopen(path, "re");
    const char *why;

    assert_non_null(f);
    memset(made, 0, sizeof(made));
    n_made = 0;
    while (fgets(line, RECORDED_LINE_MAX, f) && strncmp(line, "version ", 8) != 0) {
        if (strncmp(line, line_begins, strlen(line_begins)) == 0)
            (void)snprintf(line, RECORDED_LINE_MAX, "%s", *instead ? instead : "#");
        take_line(r, line);
    }
    make_tables(r);
    why = hotspot_layout_read(1, &r->image, 0, &r->layout);
    recorded_memory_release(&memory);
    return why;
}

static void believes_no_table_that_makes_no_sense(void **state)
{
    static const struct {
        const char *begins, *instead, *why;
    } cases[] = {
        { "field Method _vtable_index ", "", NULL }, /* nobody asks for it */
        { "field CodeBlob _name ", "", "lack what is needed" },
        { "field CodeBlob _name ", "field CodeBlob _name int 9000", "make no sense" },
        { "field CodeBlob _name ", "field CodeBlob _name int 65535", "make no sense" },
        { "field nmethod _scopes_pcs_offset ", "field nmethod _scopes_pcs_offset int 2000",
          "make no sense" },
        { "field ConstMethod _name_index ", "field ConstMethod _name_index u2 400",
          "make no sense" },
        { "field PcDesc _pc_offset ", "field PcDesc _pc_offset int 13", "make no sense" },
        { "type PcDesc ", "type PcDesc 0", "make no sense" },
        { "type nmethod ", "type nmethod 5000", "make no sense" },
        { "type nmethod ", "", "lack what is needed" },
        { "field CompiledMethod _scopes_data_begin ", "", "lack what is needed" },
        { "field Method _constMethod ", "", "not supported" },
        { "static CodeCache _heaps ", "", "not supported" },
        { "static StubRoutines _call_stub_return_address ", "", "lack what is needed" },
        { "field nmethod _compile_id ", "field nmethod _compile_id int 380", "make no sense" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *why = layout_of("agent/runtimes/hotspot/tests/golden/java-17", cases[i].begins,
                                    cases[i].instead);

        if (!cases[i].why)
            assert_null(why);
        else
            assert_true(why && strstr(why, cases[i].why));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_the_serviceability_agent_says),
        cmocka_unit_test(believes_no_table_that_makes_no_sense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
