/* SPDX-License-Identifier: Apache-2.0 */
/* What every other public header needs: statuses, time, export macros and the call-site macro.
 *
 * A status is an `apr_status_t` value: 0 is success, Ferry's own codes lie in APR's range for users
 * (APR_OS_START_USERERR = 120000), and OS codes come through unchanged. */
#ifndef FERRY_BASE_H
#define FERRY_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(FERRY_STATIC)
#define FERRY_API
#elif defined(_WIN32)
#ifdef FERRY_BUILDING
#define FERRY_API __declspec(dllexport)
#else
#define FERRY_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define FERRY_API __attribute__((visibility("default")))
#else
#define FERRY_API
#endif

#if defined(__MINGW32__)
#define FERRY_PRINTF(format_index, first_index) __attribute__((format(gnu_printf, format_index, first_index)))
#elif defined(__GNUC__)
#define FERRY_PRINTF(format_index, first_index) __attribute__((format(printf, format_index, first_index)))
#else
#define FERRY_PRINTF(format_index, first_index)
#endif

/* FERRY_AUTO(ferry_future, future) = NULL; declares a pointer whose reference is given up when its scope is left, by
 * whichever way: at the end, by return, break or goto, and so when a wait in it was cancelled. What holds other things
 * than references is closed. It may be NULL; who passes the reference on sets it to NULL. Pointers that were declared
 * last go first.
 *
 * A task that has not ended when its loop is closed never leaves its scopes: what must not be left behind even then is
 * ferry_defer's. Timeout scopes and task groups have no such form, for how a scope ends is the status of their close.
 *
 * Only where the compiler can do that: FERRY_AUTO is not defined elsewhere. */
#if defined(__GNUC__) || defined(__clang__)
#define FERRY_AUTO(type, name) __attribute__((__cleanup__(type##_auto), __unused__)) type *name
#define FERRY_AUTO_BY(type, release)                \
    static inline void type##_auto(type **pointer) { \
        release(*pointer);                          \
    }
#else
#define FERRY_AUTO_BY(type, release)
#endif

#define FERRY_VERSION_MAJOR 0
#define FERRY_VERSION_MINOR 1
#define FERRY_VERSION_PATCH 0

/* The version of the library that is linked, e.g. "0.1.0".
 * Thread: any. */
FERRY_API const char *ferry_version(void);

/* How a call or a piece of work ended: 0, one of the codes below, an APR code or an OS code. */
typedef int ferry_status;

/* Ferry's own statuses. Everything else is APR's or the OS's own value: APR_EINVAL (EINVAL: an argument is NULL, absurd
 * or contradictory), APR_ENOMEM (ENOMEM), APR_EOF, and whatever a system call said. */
enum {
    FERRY_ECANCELED = 121001,      /* the work was cancelled; or: the wait for it was */
    FERRY_ETIMEDOUT = 121002,      /* the time limit passed first */
    FERRY_ECLOSED = 121003,        /* the loop, or the socket, is closed */
    FERRY_ESHUTDOWN = 121004,      /* the executor takes no new jobs: shut down, or the process is exiting; the queue
                                    * takes no new items */
    FERRY_EBROKEN = 121005,        /* the executor is broken: an initializer failed, or a worker could not go on; the
                                    * barrier was reset or aborted */
    FERRY_EFULL = 121006,          /* the queue, or an executor's, holds as much as it may */
    FERRY_EINVALIDSTATE = 121007,  /* not now: not done yet, already done, already running, still running */
    FERRY_EWRONGTHREAD = 121008,   /* a loop-only call from another thread */
    FERRY_EWRONGLOOP = 121009,     /* a future of another loop */
    FERRY_EDEADLK = 121010,        /* waiting here could never end */
    FERRY_EFORKED = 121011,        /* the object belongs to the parent process */
    FERRY_EWRONGTYPE = 121012,     /* the result, or the item of a pack, is of another kind than the one asked for */
    FERRY_EEXHAUSTED = 121013,     /* the iteration has ended */
    FERRY_ENOTHREAD = 121014,      /* the system refused a thread, and no worker exists to take the job */
    FERRY_ENOTSUP = 121015,        /* not on this platform, or not by this kind of executor */
    FERRY_ETRUNCATED = 121016,     /* a datagram was longer than the buffer, and is gone; a pack ends too early */
    FERRY_ENOTASK = 121017,        /* only a task can wait here, and none is calling */
    FERRY_EAWAITED_CANCELED = 121018, /* what was waited for was cancelled; the wait was not */
    FERRY_EEMPTY = 121019,         /* the queue has no item */
    FERRY_ENOTPORTABLE = 121020    /* the job cannot go to another process: its function is not in the program's table,
                                    * or its argument or result is a pointer */
};

/* What a status means, in words. Writes at most `size` bytes into `buffer`, always terminated, and returns it.
 * Thread: any. */
FERRY_API char *ferry_strerror(ferry_status status, char *buffer, size_t size);

/* Microseconds on the monotonic clock that every loop uses (`time.monotonic`, in µs).
 * Thread: any, signal-safe. */
FERRY_API int64_t ferry_now(void);

/* Blocks the calling thread for at least `duration_us` microseconds. For jobs and plain threads, never for callbacks.
 * Thread: any. */
FERRY_API void ferry_thread_sleep(int64_t duration_us);

/* "No limit", wherever a timeout or a deadline is asked for in microseconds. */
#define FERRY_FOREVER INT64_MAX

/* Where the calling line stands, as "file:line": the origin that errors, debug mode and dumps show. */
#define FERRY_STRINGIFY_(x) #x
#define FERRY_STRINGIFY(x) FERRY_STRINGIFY_(x)
#define FERRY_HERE (__FILE__ ":" FERRY_STRINGIFY(__LINE__))

/* The allocator that all of Ferry's memory comes from. Set it before any other call; NULL members keep the default. */
typedef struct ferry_allocator {
    void *(*malloc)(size_t size);
    void *(*realloc)(void *block, size_t size);
    void (*free)(void *block);
} ferry_allocator;

/* Replaces the allocator for the whole process.
 *
 * Owns:    the struct is copied.
 * Returns: 0, APR_EINVAL (NULL, or only some of the three members set).
 * Thread:  any, before the first loop or executor exists. */
FERRY_API ferry_status ferry_set_allocator(const ferry_allocator *allocator);

#ifdef __cplusplus
}
#endif
#endif
