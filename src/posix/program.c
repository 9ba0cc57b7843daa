/* SPDX-License-Identifier: Apache-2.0 */
/* The program's own file. It decides whom to ask on each system, and what a program is told whose file was replaced
 * while it runs; it knows nothing of what is started from there. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#if defined(__APPLE__) && !defined(_DARWIN_C_SOURCE)
#define _DARWIN_C_SOURCE 1
#endif
#include "seam/process.h"

#include <apr_errno.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__APPLE__)
#include <limits.h>
#include <mach-o/dyld.h>
#elif defined(__FreeBSD__) || defined(__DragonFly__) || defined(__NetBSD__)
#include <sys/types.h>

#include <sys/sysctl.h>
#endif

/* ---- the path ---- */

#if defined(__linux__)

/* The kernel marks the name of a file that is no longer there. Whoever has built the program anew has put another file
 * in its place, under the name without the mark. */
static void drop_mark(char *path, size_t length) {
    static const char mark[] = " (deleted)";
    size_t mark_length = sizeof mark - 1;
    if (length > mark_length && strcmp(path + length - mark_length, mark) == 0 && access(path, F_OK) != 0)
        path[length - mark_length] = '\0';
}

ferry_status fy_program_path(char path[FY_PROGRAM_PATH_SIZE]) {
    ssize_t length = readlink("/proc/self/exe", path, FY_PROGRAM_PATH_SIZE);
    if (length < 0)
        return errno == ENOENT ? FERRY_ENOTSUP : errno; /* there is no /proc here */
    if (length == FY_PROGRAM_PATH_SIZE)
        return APR_ENAMETOOLONG;
    path[length] = '\0';
    drop_mark(path, (size_t)length);
    return 0;
}

#elif defined(__APPLE__)

/* The loader tells the path as the program was started by, which may lead over links and may be relative. */
ferry_status fy_program_path(char path[FY_PROGRAM_PATH_SIZE]) {
    char started_by[FY_PROGRAM_PATH_SIZE], real[PATH_MAX];
    uint32_t size = sizeof started_by;
    if (_NSGetExecutablePath(started_by, &size) != 0)
        return APR_ENAMETOOLONG;
    if (!realpath(started_by, real))
        return errno;
    if (strlen(real) >= FY_PROGRAM_PATH_SIZE)
        return APR_ENAMETOOLONG;
    memcpy(path, real, strlen(real) + 1);
    return 0;
}

#elif defined(__FreeBSD__) || defined(__DragonFly__) || defined(__NetBSD__)

ferry_status fy_program_path(char path[FY_PROGRAM_PATH_SIZE]) {
#if defined(__NetBSD__)
    static const int question[] = {CTL_KERN, KERN_PROC_ARGS, -1, KERN_PROC_PATHNAME};
#else
    static const int question[] = {CTL_KERN, KERN_PROC, KERN_PROC_PATHNAME, -1};
#endif
    size_t size = FY_PROGRAM_PATH_SIZE;
    if (sysctl(question, 4, path, &size, NULL, 0) == 0)
        return 0;
    return errno == ENOMEM ? APR_ENAMETOOLONG : errno;
}

#else

ferry_status fy_program_path(char path[FY_PROGRAM_PATH_SIZE]) {
    (void)path;
    return FERRY_ENOTSUP;
}

#endif

/* ---- the identity ---- */

#if defined(__APPLE__)
#define TIME_OF_CHANGE st_mtimespec
#else
#define TIME_OF_CHANGE st_mtim
#endif

/* A product with an odd number is different for each factor, so when one part changes, the sum does. */
ferry_status fy_program_identity(const char *path, uint64_t *ret_identity) {
    struct stat file;
    if (stat(path, &file) != 0)
        return errno;
    uint64_t time_ns = (uint64_t)file.TIME_OF_CHANGE.tv_sec * 1000000000u + (uint64_t)file.TIME_OF_CHANGE.tv_nsec;
    *ret_identity = time_ns + (uint64_t)file.st_size * 0x9E3779B97F4A7C15u;
    return 0;
}
