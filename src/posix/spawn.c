/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a worker process, and ending it. It decides by which call: posix_spawn, which copies nothing of this process
 * and runs nothing of its in the child, so that what its other threads do meanwhile makes no difference; a fork would
 * leave the child with locks that some of them hold. It knows nothing of what is said over the channel. */
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
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/param.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "posix/descriptor.h"
#include "posix/sigpipe.h"

#if defined(__APPLE__)
#include <crt_externs.h>
#define environ (*_NSGetEnviron())
#elif !defined(__GLIBC__)
extern char **environ;
#endif

/* ---- the channel ---- */

enum { PARENTS, WORKERS };

static void close_open(int fd) {
    if (fd >= 0)
        (void)close(fd);
}

static ferry_status open_channel(int ends[2]) {
#if defined(SOCK_CLOEXEC)
    int type = SOCK_STREAM | SOCK_CLOEXEC;
#else
    int type = SOCK_STREAM;
#endif
    if (socketpair(AF_UNIX, type, 0, ends) != 0)
        return errno;
    ferry_status status = fy_descriptor_leave_standard(&ends[PARENTS]);
    ferry_status other_status = fy_descriptor_leave_standard(&ends[WORKERS]);
    if (!status && !other_status) {
        fy_sigpipe_prepare(ends[PARENTS]);
        return 0;
    }
    close_open(ends[PARENTS]);
    close_open(ends[WORKERS]);
    return status ? status : other_status;
}

/* ---- the environment ---- */

static bool is_same_variable(const char *one, const char *other, size_t name_length) {
    return strncmp(one, other, name_length) == 0 && one[name_length] == '=';
}

static bool is_kept(const char *entry, const char *variable) {
    return !is_same_variable(entry, variable, strcspn(variable, "="));
}

/* One block: the array, and behind it the strings. */
ferry_status fy_child_environment(const char *variable, void **ret_environment) {
    size_t count = 2, bytes = strlen(variable) + 1;
    for (char **entry = environ; entry && *entry; entry++, count++)
        bytes += strlen(*entry) + 1;
    char **copy = fy_malloc(count * sizeof *copy + bytes);
    if (!copy)
        return APR_ENOMEM;
    char **place = copy, *next = (char *)(copy + count);
    for (char **entry = environ; entry && *entry; entry++)
        if (is_kept(*entry, variable)) {
            *place++ = next;
            next = stpcpy(next, *entry) + 1;
        }
    *place++ = strcpy(next, variable);
    *place = NULL;
    *ret_environment = copy;
    return 0;
}

/* ---- what the child starts with ---- */

/* All that can be set: the numbers between may be the C library's own, and two cannot be caught. */
static void list_signals(sigset_t *ret_signals) {
    struct sigaction action;
    sigemptyset(ret_signals);
    for (int signum = 1; signum < FY_SIGNALS; signum++)
        if (signum != SIGKILL && signum != SIGSTOP && sigaction(signum, NULL, &action) == 0)
            sigaddset(ret_signals, signum);
}

static ferry_status describe_start(posix_spawnattr_t *attributes) {
    int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigset_t none, settable;
    sigemptyset(&none);
    list_signals(&settable);
#if defined(POSIX_SPAWN_CLOEXEC_DEFAULT)
    flags |= POSIX_SPAWN_CLOEXEC_DEFAULT;
#endif
    ferry_status status = posix_spawnattr_setsigmask(attributes, &none);
    if (!status)
        status = posix_spawnattr_setsigdefault(attributes, &settable);
    if (!status)
        status = posix_spawnattr_setflags(attributes, (short)flags);
    return status;
}

#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 34)
#define HAS_CLOSE_FROM 1
#endif
#elif defined(__FreeBSD__) && __FreeBSD_version >= 1400000
#define HAS_CLOSE_FROM 1
#endif

/* Beside its stdin it has this process's stdout and stderr, unless they are closed here, or closed on exec. */
static ferry_status keep_standard_only(posix_spawn_file_actions_t *actions) {
#if defined(POSIX_SPAWN_CLOEXEC_DEFAULT)
    ferry_status status = 0;
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO && !status; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0 && !(flags & FD_CLOEXEC))
            status = posix_spawn_file_actions_addinherit_np(actions, fd);
    }
    return status;
#elif defined(HAS_CLOSE_FROM)
    return posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
#else
    (void)actions;
    return 0;
#endif
}

static ferry_status describe_files(posix_spawn_file_actions_t *actions, int channel) {
    ferry_status status = posix_spawn_file_actions_adddup2(actions, channel, STDIN_FILENO);
    return status ? status : keep_standard_only(actions);
}

/* ---- life ---- */

static ferry_status spawn_described(pid_t *ret_process, const char *program, const char *const *argv,
                                    const void *environment, int channel, posix_spawn_file_actions_t *actions,
                                    posix_spawnattr_t *attributes) {
    ferry_status status = describe_start(attributes);
    if (!status)
        status = describe_files(actions, channel);
    if (!status)
        status = posix_spawn(ret_process, program, actions, attributes, (char *const *)(uintptr_t)argv,
                             (char *const *)(uintptr_t)environment);
    return status;
}

static ferry_status spawn(pid_t *ret_process, const char *program, const char *const *argv, const void *environment,
                          int channel) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ferry_status status = posix_spawn_file_actions_init(&actions);
    if (status)
        return status;
    status = posix_spawnattr_init(&attributes);
    if (!status) {
        status = spawn_described(ret_process, program, argv, environment, channel, &actions, &attributes);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return status;
}

ferry_status fy_child_start(const char *program, const char *const *argv, const void *environment,
                            fy_child *ret_child) {
    int ends[2];
    pid_t process;
    ferry_status status = open_channel(ends);
    if (status)
        return status;
    status = spawn(&process, program, argv, environment, ends[WORKERS]);
    (void)close(ends[WORKERS]);
    if (status)
        (void)close(ends[PARENTS]);
    else
        *ret_child = (fy_child){.process = process, .channel = ends[PARENTS], .pid = (uint64_t)process};
    return status;
}

void fy_child_kill(const fy_child *child, bool by_force) {
    (void)kill(child->process, by_force ? SIGKILL : SIGTERM);
}

void fy_child_abandon(fy_child *child) {
    (void)close(child->channel);
    (void)kill(child->process, SIGKILL);
    while (waitpid(child->process, NULL, 0) < 0 && errno == EINTR)
        continue;
}

void fy_child_fini(fy_child *child) {
    (void)child;
}

_Noreturn void fy_process_end(int code) {
    _exit(code);
}
