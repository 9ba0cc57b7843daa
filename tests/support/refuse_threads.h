/* SPDX-License-Identifier: Apache-2.0 */
/* A system that refuses threads. The limit holds for a whole process and cannot be taken back, so it is for a child of
 * the test. For POSIX alone. */
#ifndef FERRY_TESTS_SUPPORT_REFUSE_THREADS_H
#define FERRY_TESTS_SUPPORT_REFUSE_THREADS_H

#include <sys/resource.h>
#include <unistd.h>

#include "support/sanitized.h"
#include "support/threads.h"

static inline void do_nothing(void *arg) {
    (void)arg;
}

static bool threads_are_refused;

/* The leak checker needs a thread of its own, which it does not get. */
FY_SANITIZER_HOOK int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) {
    return threads_are_refused;
}

/* From here on the system refuses every thread; a privileged user is not limited, so privileges go first. */
static inline bool refuse_threads(void) {
    struct rlimit none = {1, 1};
    apr_pool_t *memory;
    apr_thread_t *thread;
    if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
        return false;
    if (setrlimit(RLIMIT_NPROC, &none) || apr_pool_create(&memory, NULL))
        return false;
    helper_thread probe = {.run = do_nothing};
    threads_are_refused = apr_thread_create(&thread, NULL, helper_thread_main, &probe, memory) != APR_SUCCESS;
    if (!threads_are_refused) {
        apr_status_t result;
        apr_thread_join(&result, thread);
    }
    apr_pool_destroy(memory);
    return threads_are_refused;
}

#endif
