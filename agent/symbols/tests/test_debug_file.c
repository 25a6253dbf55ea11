/* SPDX-License-Identifier: Apache-2.0 */
/* debug_file: this very program, stripped by objcopy in the ways that distributions do. */
#include "agent/symbols/debug_file.h"

#include "agent/symbols/elf_symbols.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/podflame-debug-file-XXXXXX";

/* One shell command with $self and $dir; false: it failed, or a tool is not there. */
static bool shell(const char *command)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        (void)execl("/bin/sh", "sh", "-ec", command, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status == 0;
}

static int make_folder(void **state)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    (void)state;
    if (n < 0 || !mkdtemp(folder))
        return -1;
    self[n] = '\0';
    return setenv("self", self, 1) | setenv("dir", folder, 1);
}

static int remove_folder(void **state)
{
    (void)state;
    return shell("rm -rf \"$dir\"") ? 0 : -1;
}

static char *in_folder(const char *name)
{
    return mem_printf("%s/%s", folder, name);
}

/* Is there a debug file for $dir/app, believed, with the name of this function? */
static bool finds(const char *name)
{
    _cleanup_free_ char *path = in_folder(name);
    struct elf_image image = { 0 };
    struct debug_file file;
    struct err e = { 0 };
    bool found = false;

    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(elf_image_read(fd, &image, &e), 0);
    assert_false(image.has_symtab);
    debug_file_open(getpid(), path, &image, &file);
    if (file.fd >= 0 && debug_file_check(&file, &image)) {
        struct elf_file source = { file.fd, &file.elf };
        assert_true(file.elf.has_symtab);
        for (size_t i = 0; i < image.n_code; i++) {
            struct elf_query query = { .vaddr = image.code[i].vaddr };

            elf_symbols_find(&source, 1, &query, 1, &(struct name_room){ 1 << 20, 0 });
            found |= query.name != NULL;
            free(query.name);
        }
    }
    debug_file_close(&file);
    elf_image_release(&image);
    return found;
}

/* "app" is stripped, "app.debug" has the rest and the link leads there; with a build-id or not. */
static void make(const char *id)
{
    static const char common[] =
        "exec 2>&-; cd \"$dir\"; rm -rf ./* ./.debug; cp \"$self\" whole; $id; "
        "objcopy --only-keep-debug whole app.debug; strip -o app whole; "
        "objcopy --add-gnu-debuglink=app.debug app";

    assert_int_equal(setenv("id", id, 1), 0);
    if (!shell(common))
        skip();
}

static const char without_id[] = "objcopy --remove-section=.note.gnu.build-id whole";

static const struct {
    const char *what, *id, *command;
    bool found;
} cases[] = {
    { "next to the image, by build-id", "true", "true", true },
    { "next to the image, by CRC", without_id, "true", true },
    { "below .debug", without_id, "mkdir .debug; mv app.debug .debug", true },
    { "gone", without_id, "rm app.debug", false },
    { "the CRC is of another file", without_id, "printf x >>app.debug", false },
    { "another program's, with a build-id", "true", "objcopy --only-keep-debug /bin/sh app.debug",
      false },
    { "a link to it", without_id, "mv app.debug x; ln -s x app.debug", true },
    { "a link through /proc", without_id, "mv app.debug x; ln -s /proc/self/cwd/x app.debug",
      false },
    { "a FIFO", without_id, "rm app.debug; mkfifo app.debug", false },
    { "a folder", without_id, "rm app.debug; mkdir app.debug", false },
    { "text", without_id, "echo hello >app.debug", false },
    { "the stripped image itself", "true", "cp app app.debug", false },
};

static void finds_what_belongs_to_the_image(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        make(cases[i].id);
        assert_int_equal(setenv("command", cases[i].command, 1), 0);
        assert_true(shell("cd \"$dir\"; eval \"$command\""));
        if (finds("app") != cases[i].found)
            fail_msg("%s: %s", cases[i].what, cases[i].found ? "not found" : "found");
    }
}

static size_t count_descriptors(void)
{
    _cleanup_closedir_ DIR *fds = opendir("/proc/self/fd");
    size_t n = 0;

    assert_non_null(fds);
    while (readdir(fds)) /* NOLINT(concurrency-mt-unsafe) */
        n++;
    return n;
}

/* An image with DWARF and without symbols, and its debug file, which has both: two files lead to
 * what dwz moved. */
static void opens_one_alternative_file(void **state)
{
    static const char add_links[] =
        "cd \"$dir\"; cp whole alt; objcopy --dump-section .note.gnu.build-id=id alt; "
        "{ printf 'alt\\0'; tail -c +17 id; } >link; objcopy --add-section .debug_info=link app; "
        "for file in app app.debug; do objcopy --add-section .gnu_debugaltlink=link $file; done";
    _cleanup_free_ char *path = in_folder("app");
    struct elf_image image = { 0 };
    struct debug_file file;
    struct err e = { 0 };

    (void)state;
    make("true");
    assert_true(shell(add_links));
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(elf_image_read(fd, &image, &e), 0);
    assert_true(image.has_debug_info && !image.has_symtab);

    size_t before = count_descriptors();

    debug_file_open(getpid(), path, &image, &file);
    assert_true(file.fd >= 0 && file.alt_fd >= 0);
    assert_int_equal(count_descriptors(), before + 2);
    debug_file_close(&file);
    assert_int_equal(count_descriptors(), before);
    elf_image_release(&image);
}

static void looks_where_gdb_looks(void **state)
{
    static const char *const wanted[] = { "/opt/x/app.debug", "/opt/x/.debug/app.debug",
                                          "/usr/lib/debug/opt/x/app.debug" };
    char path[64];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_true(debug_file_path("/opt/x/app", "app.debug", i, path, sizeof(path)));
        assert_string_equal(path, wanted[i]);
    }
    assert_false(debug_file_path("/opt/x/app", "app.debug", 3, path, sizeof(path)));
    assert_false(debug_file_path("/opt/x/app", "app.debug", 0, path, 16));
    assert_false(debug_file_path("[vdso]", "app.debug", 0, path, sizeof(path)));
    assert_true(debug_file_path("/app", "a", 0, path, sizeof(path)));
    assert_string_equal(path, "/a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_belongs_to_the_image),
        cmocka_unit_test(opens_one_alternative_file),
        cmocka_unit_test(looks_where_gdb_looks),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
