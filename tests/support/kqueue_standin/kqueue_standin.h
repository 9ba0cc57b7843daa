/* SPDX-License-Identifier: Apache-2.0 */
/* What other kernels than FreeBSD's do, for the tests of the fallbacks. */
#ifndef FERRY_TESTS_KQUEUE_STANDIN_H
#define FERRY_TESTS_KQUEUE_STANDIN_H

enum {
    KQUEUE_STANDIN_NO_USER_FILTER = 1,   /* EVFILT_USER is refused */
    KQUEUE_STANDIN_NO_ENDED_PROCESS = 2, /* a process that only waits to be reaped is refused with ESRCH */
    KQUEUE_STANDIN_NO_MEMORY = 4         /* a filter to write is refused with ENOMEM */
};

/* From now on, for every queue. 0: as FreeBSD. */
void kqueue_standin_set_quirks(unsigned quirks);

#endif
