/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go programs as this machine's toolchain links them: what their own tables say, against the
 * symbols (nm), the inlined functions (llvm-symbolizer) and the frames (readelf) of their debug
 * information.
 */
#include "agent/symbols/go_names.h"
#include "agent/unwind/go_rows.h"
#include "agent/unwind/unwind_image.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <ctype.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ADDRESSES_MAX = 1 << 16 };

static char folder[] = "/tmp/podflame-go-XXXXXX";

/* Built once, of the workload next to this file; without compressed sections, for readelf. Where it
 * is installed, by a linker that leaves addresses to the loader, too. */
static const struct {
    const char *name, *environment, *options;
} programs[] = {
    { "static", "CGO_ENABLED=0", "-ldflags=-compressdwarf=false" },
    { "pie", "CGO_ENABLED=0", "-buildmode=pie -ldflags=-compressdwarf=false" },
    { "pie-lld", "CGO_ENABLED=1",
      "-buildmode=pie -ldflags='-compressdwarf=false -linkmode=external "
      "-extldflags=-fuse-ld=lld'" },
    { "arm64", "GOARCH=arm64 CGO_ENABLED=0", "-ldflags=-compressdwarf=false" },
};
enum { PROGRAMS = sizeof(programs) / sizeof(programs[0]) };

static int run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int run(const char *format, ...)
{
    char command[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    return system(command); /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
}

static int build(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    for (size_t i = 0; i < PROGRAMS; i++)
        (void)run(
            "%s go build -buildvcs=false %s -o %s/%s agent/tests/hard_stacks.go >/dev/null 2>&1",
            programs[i].environment, programs[i].options, folder, programs[i].name);
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    return run("chmod -R u+w %s && rm -rf %s", folder, folder);
}

static int open_program(size_t i)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, programs[i].name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static FILE *start(const char *format, ...) __attribute__((format(printf, 1, 2)));
static FILE *start(const char *format, ...)
{
    char command[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    return popen(command, "r"); /* NOLINT(cert-env33-c) */
}

/* As both sides have it: no ABI, and without type arguments, as Go's tracebacks show it. Middle
 * dots are dots to symbol tables. */
static void to_plain(char *name)
{
    char *open = strchr(name, '['), *close = strrchr(name, ']'), *dot;
    size_t len;

    if (open && close > open)
        memmove(open, close + 1, strlen(close + 1) + 1);
    len = strlen(name);
    if (len > 5 && strcmp(name + len - 5, ".abi0") == 0)
        name[len - 5] = '\0';
    while ((dot = strstr(name, "\xc2\xb7"))) {
        *dot = '.';
        memmove(dot + 1, dot + 2, strlen(dot + 1));
    }
}

static void function_names_are_those_of_nm(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROGRAMS; i++) {
        static struct name_query queries[ADDRESSES_MAX];
        static char *names[ADDRESSES_MAX];
        size_t n = 0, n_wrong = 0;
        bool is_code = false;
        char line[1024];

        _cleanup_close_ int fd = open_program(i);
        if (fd < 0 && i == 0)
            skip();
        if (fd < 0)
            continue;
        memset(queries, 0, sizeof(queries));

        FILE *in = start("nm -n %s/%s", folder, programs[i].name);

        assert_non_null(in);
        while (fgets(line, sizeof(line), in) && n < ADDRESSES_MAX) {
            line[strcspn(line, "\n")] = '\0';
            if (strlen(line) < 20 || tolower(line[17]) != 't')
                continue;
            if (strcmp(line + 19, "runtime.text") == 0 || strcmp(line + 19, "runtime.etext") == 0) {
                is_code = line[27] == 't';
                continue;
            }
            if (!is_code || (n > 0 && strtoull(line, NULL, 16) == queries[n - 1].vaddr))
                continue;
            queries[n].vaddr = strtoull(line, NULL, 16);
            names[n++] = mem_strdup(line + 19);
        }
        (void)pclose(in);
        assert_true(go_names_find(fd, queries, n, &(struct name_room){ NAME_ROOM_BYTES, 0 }));
        for (size_t k = 0; k < n; k++) {
            const struct name_chain *chain = &queries[k].chain;

            to_plain(names[k]);
            if (chain->n > 0)
                to_plain(chain->names[0].text);
            if ((chain->n == 0 || strcmp(chain->names[0].text, names[k]) != 0) && n_wrong++ < 5)
                print_message("0x%llx is '%s', not '%s'\n", (unsigned long long)queries[k].vaddr,
                              names[k], chain->n > 0 ? chain->names[0].text : "");
            name_chain_release(&queries[k].chain);
            free(names[k]);
        }
        print_message("%s: %zu functions\n", programs[i].name, n);
        assert_int_equal(n_wrong, 0);
        assert_true(n > 1000);
    }
}

/* Lines of llvm-symbolizer: an address, then a function and its place in turn, innermost first. */
struct oracle {
    uint64_t addr;
    char names[NAME_CHAIN_MAX][512];
    size_t n, n_lines, n_asked, n_inlined, n_wrong;
};

static void compare_chain(struct oracle *o, const struct name_query *query)
{
    size_t n = o->n;

    if (n == 0 || strcmp(o->names[0], "??") == 0)
        return; /* between functions */
    o->n_asked++;
    o->n_inlined += n > 1;
    for (size_t i = 0; i < n && i < query->chain.n; i++) {
        to_plain(o->names[n - 1 - i]);
        to_plain(query->chain.names[i].text);
        if (strcmp(o->names[n - 1 - i], query->chain.names[i].text) != 0)
            n = 0;
    }
    if (n == query->chain.n || o->n_wrong++ > 5)
        return;
    print_message("0x%llx:", (unsigned long long)query->vaddr);
    for (size_t i = 0; i < query->chain.n; i++)
        print_message(" %s", query->chain.names[i].text);
    print_message(", not");
    for (size_t i = o->n; i > 0; i--)
        print_message(" %s", o->names[i - 1]);
    print_message("\n");
}

static void inlined_functions_are_those_of_dwarf(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROGRAMS; i++) {
        static struct name_query queries[ADDRESSES_MAX];
        static struct oracle o;
        struct go_table table = { 0 };
        struct go_function last;
        char line[1024], path[256];
        uint64_t end;
        size_t n = 0, k = 0;

        _cleanup_close_ int fd = open_program(i);
        if ((fd < 0 && i == 0) || run("command -v llvm-symbolizer >/dev/null") != 0)
            skip();
        if (fd < 0)
            continue;
        o = (struct oracle){ 0 };
        memset(queries, 0, sizeof(queries));
        assert_true(go_table_open(fd, &table));
        assert_true(go_table_function(&table, table.location.header.n_functions - 1, &last));
        end = last.end;
        (void)snprintf(path, sizeof(path), "%s/addresses", folder);

        FILE *out = fopen(path, "we");

        assert_non_null(out);
        for (uint64_t at = table.location.text; at < end; at += 61) {
            queries[n++].vaddr = at;
            (void)fprintf(out, "0x%llx\n", (unsigned long long)at);
        }
        assert_int_equal(fclose(out), 0);
        go_table_release(&table);
        assert_true(go_names_find(fd, queries, n, &(struct name_room){ NAME_ROOM_BYTES, 0 }));

        FILE *in = start("llvm-symbolizer --obj=%s/%s --functions=linkage --no-demangle --inlines "
                         "--output-style=GNU -a <%s",
                         folder, programs[i].name, path);

        assert_non_null(in);
        while (fgets(line, sizeof(line), in)) {
            line[strcspn(line, "\n")] = '\0';
            if (strncmp(line, "0x", 2) == 0) {
                if (k > 0)
                    compare_chain(&o, &queries[k - 1]);
                assert_true(k < n && queries[k++].vaddr == strtoull(line, NULL, 16));
                o.n = o.n_lines = 0;
            } else if (o.n_lines++ % 2 == 0 && o.n < NAME_CHAIN_MAX) {
                (void)snprintf(o.names[o.n++], sizeof(o.names[0]), "%s", line);
            }
        }
        (void)pclose(in);
        for (size_t q = 0; q < n; q++)
            name_chain_release(&queries[q].chain);
        print_message("%s: %zu addresses, %zu with inlined functions\n", programs[i].name,
                      o.n_asked, o.n_inlined);
        assert_int_equal(o.n_wrong, 0);
        assert_true(o.n_inlined > 500);
    }
}

static const struct unwind_rule *rule_at(const struct unwind_image *image,
                                         const struct unwind_rule *all, uint64_t vaddr)
{
    return &all[eh_table_rule(&image->table, vaddr - image->range.start)];
}

/* On arm64 the return address is at the stack pointer, once there is a frame. */
static bool is_frame(enum unwind_arch arch, const struct unwind_rule *rule, uint64_t size)
{
    if ((uint64_t)rule->cfa_off != size)
        return false;
    if (arch == UNWIND_X86_64)
        return true;
    return size == 0 ? rule->ra == UNWIND_RA_IN_REG
                     : rule->ra == UNWIND_RA_AT_CFA && (uint64_t)-rule->ra_off == size;
}

/* But for those few functions that no frame size can describe. */
static void frames_are_those_of_debug_frame(void **state)
{
    static struct unwind_rule all[UNWIND_RULES_MAX];
    static struct unwind_rules rules;

    (void)state;
    for (size_t i = 0; i < PROGRAMS; i++) {
        struct unwind_image image = { 0 };
        size_t n = 0, n_special = 0, n_wrong = 0;
        struct err e = { 0 };
        char line[1024];

        _cleanup_close_ int fd = open_program(i);
        if (fd < 0 && i == 0)
            skip();
        if (fd < 0)
            continue;
        unwind_rules_init(&rules, all);
        assert_int_equal(unwind_image_read(fd, &rules, &image, &e), 0);
        assert_true(image.is_go);

        FILE *in = start("readelf --debug-dump=frames-interp %s/%s", folder, programs[i].name);

        assert_non_null(in);
        while (fgets(line, sizeof(line), in)) {
            const struct unwind_rule *rule;
            uint64_t size;

            if (strlen(line) < 20 ||
                (strncmp(line + 16, " rsp+", 5) != 0 && strncmp(line + 16, " sp+", 4) != 0))
                continue;
            rule = rule_at(&image, all, strtoull(line, NULL, 16));
            size = strtoull(strchr(line, '+') + 1, NULL, 10);
            n++;
            if (rule->cfa != UNWIND_CFA_REG || rule->flags != 0 ||
                rule->reg != unwind_registers[image.range.arch].sp)
                n_special++;
            else if (!is_frame(image.range.arch, rule, size) && n_wrong++ < 5)
                print_message("%s ... is sp%+d, ra %u %d", line, rule->cfa_off, rule->ra,
                              rule->ra_off);
        }
        (void)pclose(in);
        unwind_image_release(&image);
        print_message("%s: %zu rows, %zu by other means\n", programs[i].name, n, n_special);
        assert_int_equal(n_wrong, 0);
        assert_true(n > 5000 && n_special < 80);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(function_names_are_those_of_nm),
        cmocka_unit_test(inlined_functions_are_those_of_dwarf),
        cmocka_unit_test(frames_are_those_of_debug_frame),
    };

    return cmocka_run_group_tests(tests, build, clean_up);
}
