/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that two processes share. It decides how a system makes memory without a name, and what of it is closed when;
 * it knows nothing of what is written there. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#if defined(__APPLE__) && !defined(_DARWIN_C_SOURCE)
#define _DARWIN_C_SOURCE 1
#endif
#include "seam/process.h"

#include <apr_errno.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix/descriptor.h"

/* ---- memory without a name ---- */

#if defined(MFD_ALLOW_SEALING)

/* Not to be executed: a system may refuse memory that does not say so. Headers may be older than the flag, and so may
 * kernels, which then know of no such refusal. */
static int open_nameless(void) {
    enum { NOEXEC_SEAL = 8 };
    int fd = memfd_create("ferry", MFD_CLOEXEC | MFD_ALLOW_SEALING | NOEXEC_SEAL);
    return fd < 0 && errno == EINVAL ? memfd_create("ferry", MFD_CLOEXEC | MFD_ALLOW_SEALING) : fd;
}

/* Nobody can make it smaller any more, which would kill whoever reads there. */
static ferry_status fix_size(int fd) {
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0 ? 0 : errno;
}

#else

#if defined(SHM_ANON)

static int open_nameless(void) {
    return shm_open(SHM_ANON, O_RDWR | O_CLOEXEC, 0600);
}

#else

/* For a moment it has a name, which need not be secret: nobody else's memory is opened by it, and only this user could
 * open what it names. */
static int open_nameless(void) {
    static atomic_uint count;
    char name[32];
    int fd = -1;
    do {
        snprintf(name, sizeof name, "/ferry-%x-%x", (unsigned)getpid(), atomic_fetch_add(&count, 1));
        fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    } while (fd < 0 && errno == EEXIST);
    if (fd >= 0)
        (void)shm_unlink(name);
    return fd;
}

#endif

static ferry_status fix_size(int fd) {
    (void)fd;
    return 0;
}

#endif

/* ---- making and mapping ---- */

/* Going over it would end this process, by SIGXFSZ. */
static bool is_over_file_limit(size_t size) {
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && size > limit.rlim_cur;
}

static ferry_status open_memory(size_t size, int *ret_fd) {
    if (is_over_file_limit(size))
        return EFBIG;
    int fd = open_nameless();
    if (fd < 0)
        return errno;
    ferry_status status = fy_descriptor_leave_standard(&fd);
    if (!status && ftruncate(fd, (off_t)size) != 0)
        status = errno;
    if (!status)
        status = fix_size(fd);
    if (status && fd >= 0)
        (void)close(fd);
    *ret_fd = fd;
    return status;
}

static ferry_status map(int fd, size_t size, void **ret_address) {
    void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED)
        return errno;
    *ret_address = address;
    return 0;
}

/* What is left can be rounded up, and counted by ptrdiff_t and off_t. */
static bool is_absurd(size_t size) {
    return !size || size > PTRDIFF_MAX / 2;
}

ferry_status fy_shared_create(size_t size, fy_shared *ret_shared) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *address = NULL;
    int fd = -1;
    if (is_absurd(size))
        return APR_EINVAL;
    size = (size + page - 1) / page * page;
    ferry_status status = open_memory(size, &fd);
    if (status)
        return status;
    status = map(fd, size, &address);
    if (status)
        (void)close(fd);
    else
        *ret_shared = (fy_shared){.address = address, .size = size, .handle = fd};
    return status;
}

static ferry_status map_received(int fd, size_t size, fy_shared *ret_shared) {
    struct stat memory;
    void *address = NULL;
    if (fstat(fd, &memory) != 0)
        return errno;
    if (is_absurd(size) || (uintmax_t)memory.st_size < size)
        return APR_EINVAL;
    ferry_status status = map(fd, size, &address);
    if (!status)
        *ret_shared = (fy_shared){.address = address, .size = size, .handle = -1};
    return status;
}

ferry_status fy_shared_map(fy_handle handle, size_t size, fy_shared *ret_shared) {
    ferry_status status = map_received(handle, size, ret_shared);
    (void)close(handle);
    return status;
}

void fy_shared_close(fy_shared *shared) {
    if (!shared->address)
        return;
    (void)munmap(shared->address, shared->size);
    if (shared->handle >= 0)
        (void)close(shared->handle);
    *shared = (fy_shared){0};
}
