/* SPDX-License-Identifier: Apache-2.0 */
/* The part of kqueue(2) that src/posix/kqueue.c uses, for machines that have none: so that Linux can run the tests of
 * that file. It behaves as FreeBSD's manual page says; kqueue_standin.c names what it does not do. The numbers are the
 * stand-in's own. */
#ifndef FERRY_TESTS_KQUEUE_STANDIN_SYS_EVENT_H
#define FERRY_TESTS_KQUEUE_STANDIN_SYS_EVENT_H

#include <stdint.h>
#include <time.h>

struct kevent {
    uintptr_t ident;
    short filter;
    unsigned short flags;
    unsigned int fflags;
    int64_t data;
    void *udata;
};

/* Filters. */
#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EVFILT_PROC (-5)
#define EVFILT_USER (-11)

/* Flags: actions, then answers. */
#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_ENABLE 0x0004
#define EV_ONESHOT 0x0010
#define EV_CLEAR 0x0020
#define EV_ERROR 0x4000
#define EV_EOF 0x8000

/* Filter flags. */
#define NOTE_TRIGGER 0x01000000u
#define NOTE_EXIT 0x80000000u

#define EV_SET(event, ident_, filter_, flags_, fflags_, data_, udata_)    \
    (*(event) = (struct kevent){.ident = (ident_), .filter = (filter_),   \
                                .flags = (flags_), .fflags = (fflags_),   \
                                .data = (data_), .udata = (udata_)})

int kqueue(void);
int kevent(int queue, const struct kevent *changes, int change_count, struct kevent *events, int event_count,
           const struct timespec *timeout);

#endif
