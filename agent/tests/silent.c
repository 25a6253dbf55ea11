/* SPDX-License-Identifier: Apache-2.0 */
/* Burns CPU time, and looks like a program with CPython in it, whose memory does not answer: a
 * read of it waits for a page that nobody provides. Exit code 77 where that cannot be done. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 16, SKIPPED = 77 };

__attribute__((aligned(PAGE), used)) char _PyRuntime[PAGES * PAGE];
__attribute__((used)) char PyCode_Type[PAGE];
__attribute__((used)) const char tag[] = "cpython-311";

int main(void)
{
    struct uffdio_api api = { .api = UFFD_API };
    struct uffdio_register silent = { .range = { (uintptr_t)_PyRuntime, sizeof(_PyRuntime) },
                                      .mode = UFFDIO_REGISTER_MODE_MISSING };
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0 ||
        madvise(_PyRuntime, sizeof(_PyRuntime), MADV_DONTNEED) < 0 ||
        ioctl(fd, UFFDIO_REGISTER, &silent) < 0)
        return SKIPPED;
    for (volatile uint64_t i = 0;; i++)
        ;
}
