/* SPDX-License-Identifier: Apache-2.0 */
/* code: what is read of /proc/PID/maps. The process is this one. */
#include "agent/code.h"

#include "lib/cleanup.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAGES = 5, LINE = 8191, BEFORE_PATH = 73, NAME_PART = 240, FORGED = 0x10000 };

static const size_t page = 4096;
static const char forged[] = "10000-20000 r-xp 00000000 08:01 2 ";

/* Folders whose names are line feeds, of which the kernel prints each as "\012", down to a file
 * whose name goes on as if it were a line of its own where that line is LINE bytes long. */
static int make_file(const char *top)
{
    char name[NAME_PART + sizeof(forged)];
    size_t left = LINE - BEFORE_PATH - strlen(top) - 1;

    assert_int_equal(chdir(top), 0);
    for (; left > 4 * NAME_PART + 5; left -= 4 * NAME_PART + 1) {
        memset(name, '\n', NAME_PART);
        name[NAME_PART] = '\0';
        assert_int_equal(mkdir(name, 0700), 0);
        assert_int_equal(chdir(name), 0);
    }

    size_t n = left / 4;

    memset(name, '\n', n);
    memset(name + n, '.', left % 4);
    memcpy(name + n + left % 4, forged, sizeof(forged));
    return open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static void a_long_path_is_no_line_of_its_own(void **state)
{
    char top[] = "/tmp/podflame-code-XXXXXX", command[64];
    struct images *images = images_new();
    struct code_list list;

    (void)state;
    assert_non_null(mkdtemp(top));

    char *before = getcwd(NULL, 0);
    _cleanup_close_ int fd = make_file(top);

    assert_int_equal(chdir(before), 0);
    free(before);
    (void)snprintf(command, sizeof(command), "rm -rf %s", top);
    assert_int_equal(ftruncate(fd, (off_t)page), 0);

    void *code = mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    bool is_read = code_read(getpid(), images, &list);

    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
    assert_true(is_read);
    assert_non_null(code_find(list.items, list.n, (uintptr_t)code));
    assert_null(code_find(list.items, list.n, FORGED));
    for (size_t i = 1; i < list.n; i++)
        assert_true(list.items[i - 1].end <= list.items[i].start);
    code_list_release(&list);
    images_free(images);
    (void)munmap(code, page);
}

/* Pages that are reserved, of which the second is code and the fourth data. */
static char *map_pages(void)
{
    char *pages = mmap(NULL, PAGES * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(pages, MAP_FAILED);
    assert_int_equal(mprotect(pages + page, page, PROT_READ | PROT_EXEC), 0);
    assert_int_equal(mprotect(pages + 3 * page, page, PROT_READ | PROT_WRITE), 0);
    return pages;
}

static void what_is_reserved_behind_made_code_is_code(void **state)
{
    static const bool is_code[PAGES] = { [1] = true, [2] = true };
    struct images *images = images_new();
    char *pages = map_pages();
    struct code_list list;

    (void)state;
    assert_true(code_read(getpid(), images, &list));
    for (size_t i = 0; i < PAGES; i++) {
        const struct code *code = code_find(list.items, list.n, (uintptr_t)pages + i * page);

        assert_int_equal(code != NULL, is_code[i]);
        assert_true(!code || code->image == IMAGE_NONE);
    }
    code_list_release(&list);
    images_free(images);
    (void)munmap(pages, PAGES * page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_path_is_no_line_of_its_own),
        cmocka_unit_test(what_is_reserved_behind_made_code_is_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
