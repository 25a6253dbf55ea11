/* SPDX-License-Identifier: Apache-2.0 */
/* inlines: what DWARF says is inlined, beside addr2line; and answers that no sandbox would give. */
#include "agent/symbols/inlines.h"

#include "agent/symbols/elf_image.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ADDRESSES = 4000 };

/* Addresses all over the code, sorted: the numbers are their indices. */
static struct inline_query *spread(int fd)
{
    struct inline_query *queries = mem_array(ADDRESSES, sizeof(*queries));
    struct elf_image elf = { 0 };
    struct elf_section code = { 0 };
    struct err e = { 0 };

    assert_int_equal(elf_image_read(fd, &elf, &e), 0);
    for (size_t i = 0; i < elf.n_code; i++) {
        if (elf.code[i].end - elf.code[i].vaddr > code.end - code.vaddr)
            code = elf.code[i];
    }
    for (uint32_t i = 0; i < ADDRESSES; i++)
        queries[i] =
            (struct inline_query){ code.vaddr + (code.end - code.vaddr) / ADDRESSES * i + i, i };
    elf_image_release(&elf);
    return queries;
}

/* addr2line overlooks ranges of what clang makes. Both print the same form. */
static const char addr2line[] = "addr2line -a -i -f";
static const char llvm_symbolizer[] =
    "llvm-symbolizer --output-style=GNU -a -i -f=linkage --no-demangle";

/* What the oracle calls all of them, innermost first. */
static FILE *run_oracle(const char *oracle, const char *path, const struct inline_query *queries)
{
    char list[] = "/tmp/podflame-addresses-XXXXXX";
    _cleanup_free_ char *command = NULL;
    int fd = mkstemp(list);
    FILE *addresses = fd < 0 ? NULL : fdopen(fd, "w");

    assert_non_null(addresses);
    for (size_t i = 0; i < ADDRESSES; i++)
        (void)fprintf(addresses, "0x%llx\n", (unsigned long long)queries[i].vaddr);
    assert_int_equal(fclose(addresses), 0);
    command = mem_printf("%s -e '%s' <%s; rm %s", oracle, path, list, list);
    return popen(command, "r"); /* NOLINT(cert-env33-c) */
}

/* The functions at each address as one text, outermost first; "" where there is but one. */
static char **read_oracle(FILE *in)
{
    char **texts = mem_array(ADDRESSES, sizeof(*texts));
    char line[16384];
    size_t at = 0;

    for (bool is_function = false; fgets(line, sizeof(line), in);) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "0x", 2) == 0) {
            assert_true(at < ADDRESSES);
            texts[at++] = mem_strdup("");
            is_function = true;
            continue;
        }
        if (is_function) {
            char *whole = mem_printf("%s;%s", line, texts[at - 1]);

            free(texts[at - 1]);
            texts[at - 1] = whole;
        }
        is_function = !is_function;
    }
    assert_int_equal(at, ADDRESSES);
    for (size_t i = 0; i < ADDRESSES; i++) {
        if (strchr(texts[i], ';') == strrchr(texts[i], ';'))
            *texts[i] = '\0';
    }
    return texts;
}

struct compared {
    char **wanted;
    const char *path;
    size_t n;
};

/*
 * A name that was put together ends as addr2line has it. Where DWARF has no linkage name, addr2line
 * may show the symbol of the function around instead.
 */
static bool same_name(const char *ours, const char *theirs, size_t theirs_len)
{
    size_t len = strlen(ours);

    if (strncmp(theirs, "_Z", 2) == 0 && strncmp(ours, "_Z", 2) != 0)
        return true;
    return len >= theirs_len && memcmp(ours + len - theirs_len, theirs, theirs_len) == 0;
}

static void compare(void *arg, uint32_t number, const char *const *names, size_t n)
{
    struct compared *c = arg;
    const char *wanted = c->wanted[number];

    for (size_t i = 0; i < n; i++) {
        size_t len = strcspn(wanted, ";");

        if (len == 0 || !same_name(names[i], wanted, len))
            fail_msg("%s: address %u: %zu of %zu is '%s', the oracle goes on with '%s'", c->path,
                     number, i + 1, n, names[i], wanted);
        wanted += len + 1;
    }
    assert_string_equal(wanted, "");
    *c->wanted[number] = '\0';
    c->n++;
}

static size_t compare_with(const char *oracle, const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct compared c = { .path = path };

    assert_true(fd >= 0);
    _cleanup_free_ struct inline_query *queries = spread(fd);
    FILE *in = run_oracle(oracle, path, queries);

    assert_non_null(in);
    c.wanted = read_oracle(in);
    assert_int_equal(pclose(in), 0);
    inline_walk(fd, -1, queries, ADDRESSES, compare, &c);
    for (size_t i = 0; i < ADDRESSES; i++) {
        if (*c.wanted[i])
            fail_msg("%s: 0x%llx: the oracle finds '%s'", path,
                     (unsigned long long)queries[i].vaddr, c.wanted[i]);
        free(c.wanted[i]);
    }
    free((void *)c.wanted);
    return c.n;
}

static void agrees_with_symbolizers(void **state)
{
    static const struct {
        const char *compiler, *oracle;
    } cases[] = {
        { "g++ -O2 -g", addr2line },
        { "g++ -O3 -gdwarf-4 -ffunction-sections", addr2line },
        { "g++ -O1 -g -gz", addr2line },
        { "clang++ -O2 -g", llvm_symbolizer },
        { "clang++ -O2 -gdwarf-4", llvm_symbolizer },
    };
    char path[] = "/tmp/podflame-inlined-XXXXXX";
    _cleanup_close_ int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        _cleanup_free_ char *command =
            mem_printf("%s -o %s agent/symbols/tests/inlined.cc", cases[i].compiler, path);

        if (system(command) != 0) /* NOLINT(cert-env33-c) */
            skip();
        if (compare_with(cases[i].oracle, path) < 100)
            fail_msg("%s: nothing is inlined", cases[i].compiler);
    }
    assert_int_equal(unlink(path), 0);
}

static void agrees_with_addr2line_on_c(void **state)
{
    char path[64];

    (void)state;
    (void)snprintf(path, sizeof(path), "/proc/%d/exe", getpid());
    (void)compare_with(addr2line, path);
}

static void count(void *arg, uint32_t number, const char *const *names, size_t n)
{
    (void)number;
    (void)names;
    *(size_t *)arg += n;
}

/* This program's own inlined functions, by way of the sandbox. */
static void comes_back_from_the_sandbox(void **state)
{
    struct inline_files files = { 0 };
    struct sandbox sandbox;
    struct err e = { 0 };
    struct name_chain *chains = mem_array(ADDRESSES, sizeof(*chains));
    size_t direct = 0, n = 0;

    (void)state;
    _cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct inline_file file = { fd, -1, spread(fd), ADDRESSES };

    inline_walk(fd, -1, file.queries, ADDRESSES, count, &direct);
    inline_files_add(&files, &file);
    for (size_t i = 0; i < ADDRESSES; i++)
        name_chain_add(&chains[i], mem_strdup("symbol"), FLAME_NATIVE);
    assert_int_equal(inlines_start(&files, &sandbox, &e), 0);
    assert_int_equal(
        inlines_collect(&sandbox, chains, ADDRESSES, &(struct name_room){ 1 << 20, 0 }), 1);
    for (size_t i = 0; i < ADDRESSES; i++) {
        assert_string_equal(chains[i].names[0].text, "symbol");
        for (size_t j = 1; j < chains[i].n; j++)
            assert_int_equal(chains[i].names[j].kind, FLAME_INLINED);
        n += chains[i].n > 1 ? chains[i].n : 0;
        name_chain_release(&chains[i]);
    }
    assert_true(n > 0);
    assert_int_equal(n, direct);
    free(chains);
    inline_files_release(&files);
}

static void needs_no_sandbox_for_nothing(void **state)
{
    struct inline_files files = { 0 };
    struct sandbox sandbox;
    struct err e = { 0 };

    (void)state;
    assert_int_equal(inlines_start(&files, &sandbox, &e), 0);
    assert_int_equal(sandbox.pid, 0);
    assert_int_equal(inlines_collect(&sandbox, NULL, 0, &(struct name_room){ 1 << 20, 0 }), 0);
}

static const struct {
    const char *what;
    const char *bytes;
    size_t len;
    const char *named, *unnamed; /* the chain of "symbol", and of what has no symbol */
} answers[] = {
    { "two names", "f\0g", 4, "symbol;g", "f;g" },
    { "three", "f\0g\0h", 6, "symbol;g;h", "f;g;h" },
    { "cut off", "f\0g\0h", 5, "symbol;g", "f;g" },
    { "one", "f", 2, "symbol", "f" },
    { "no end", "f", 1, "symbol", "[unknown]" },
    { "nothing", "", 0, "symbol", "[unknown]" },
    { "empty names", "\0\0g", 4, "symbol;g", ";g" },
};

static char *joined(const struct name_chain *chain)
{
    char *text = mem_strdup("");

    for (size_t i = 0; i < chain->n; i++) {
        char *longer = mem_printf("%s%s%s", text, i ? ";" : "", chain->names[i].text);

        free(text);
        text = longer;
    }
    return text;
}

static void believes_no_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct name_chain named = { 0 }, unnamed = { 0 };
        _cleanup_free_ unsigned char *exact = mem_alloc(answers[i].len);

        memcpy(exact, answers[i].bytes, answers[i].len);
        name_chain_add(&named, mem_strdup("symbol"), FLAME_NATIVE);
        name_chain_add(&unnamed, mem_strdup("[unknown]"), FLAME_UNKNOWN);
        unnamed.names[0].known = false;
        inlines_add(&named, exact, answers[i].len, &(struct name_room){ 1 << 20, 0 });
        inlines_add(&unnamed, exact, answers[i].len, &(struct name_room){ 1 << 20, 0 });

        _cleanup_free_ char *x = joined(&named), *y = joined(&unnamed);
        if (strcmp(x, answers[i].named) != 0 || strcmp(y, answers[i].unnamed) != 0)
            fail_msg("%s: '%s', '%s'", answers[i].what, x, y);
        name_chain_release(&named);
        name_chain_release(&unnamed);
    }
}

static void bounds_chains(void **state)
{
    static unsigned char bytes[2 * NAME_CHAIN_MAX * 2];
    struct name_chain chain = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i += 2)
        bytes[i] = 'f';
    inlines_add(&chain, bytes, sizeof(bytes), &(struct name_room){ 1 << 20, 0 });
    assert_int_equal(chain.n, NAME_CHAIN_MAX);
    name_chain_release(&chain);

    struct name_room room = { 3 * sizeof("f"), 0 };

    inlines_add(&chain, bytes, sizeof(bytes), &room);
    assert_int_equal(chain.n, 3);
    assert_int_equal(room.n_refused, 1);
    name_chain_release(&chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_symbolizers),
        cmocka_unit_test(agrees_with_addr2line_on_c),
        cmocka_unit_test(comes_back_from_the_sandbox),
        cmocka_unit_test(needs_no_sandbox_for_nothing),
        cmocka_unit_test(believes_no_answer),
        cmocka_unit_test(bounds_chains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
