/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-in for kqueue, held to kqueue(2) of FreeBSD: without it the suite would show that kqueue.c agrees with the
 * stand-in, and no more. And kqueue.c on kernels that lack something, which the stand-in plays. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "support/kqueue_standin/kqueue_standin.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/event.h>
#include <sys/wait.h>

#include "backend_fixture.h"
#include "backend_posix.h"
#include "posix/reactor.h"

enum { ROOM = 8, MANY = 64 };

static const backend_kind tcp_kind = POSIX_KIND(&fy_reactor_class, tcp_make);

/* ---- what the tests of kqueue(2) are written with ---- */

typedef struct listening {
    int queue;
    int ends[2];
    struct kevent events[ROOM];
} listening;

static void open_listening(listening *self) {
    kqueue_standin_set_quirks(0);
    self->queue = kqueue();
    CHECK(self->queue >= 0);
    socketpair_make(NULL, self->ends);
}

static void close_listening(listening *self) {
    CHECK_INT(close(self->queue), 0);
    for (int i = 0; i < 2; i++)
        CHECK_INT(close(self->ends[i]), 0);
}

static int change(listening *self, int ident, short filter, unsigned short flags, unsigned fflags, void *udata) {
    struct kevent event;
    EV_SET(&event, (uintptr_t)ident, filter, flags, fflags, 0, udata);
    return kevent(self->queue, &event, 1, NULL, 0, NULL) == 0 ? 0 : errno;
}

/* How many events there are within a time of nanoseconds. */
static int poll_events(listening *self, long timeout_ns) {
    return kevent(self->queue, NULL, 0, self->events, ROOM, &(struct timespec){.tv_nsec = timeout_ns});
}

static void write_byte(int fd) {
    CHECK_INT(write(fd, "x", 1), 1);
}

static void read_bytes(int fd, int count) {
    char bytes[ROOM];
    CHECK_INT(read(fd, bytes, (size_t)count), count);
}

/* ---- descriptors ---- */

static void filter_runs_when_it_is_added_and_when_it_is_fetched(void) {
    listening l;
    int mine;
    open_listening(&l);
    write_byte(l.ends[1]);
    CHECK_INT(change(&l, l.ends[0], EVFILT_READ, EV_ADD, 0, &mine), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(poll_events(&l, 0), 1);
        CHECK_INT(l.events[0].ident, l.ends[0]);
        CHECK_INT(l.events[0].filter, EVFILT_READ);
        CHECK_INT(l.events[0].data, 1);
        CHECK(l.events[0].udata == &mine);
        CHECK(!(l.events[0].flags & EV_EOF));
    }
    read_bytes(l.ends[0], 1);
    CHECK_INT(poll_events(&l, 0), 0);
    close_listening(&l);
}

static void cleared_filter_tells_of_each_change_once(void) {
    listening l;
    open_listening(&l);
    CHECK_INT(change(&l, l.ends[0], EVFILT_READ, EV_ADD | EV_CLEAR, 0, NULL), 0);
    CHECK_INT(poll_events(&l, 0), 0);
    for (int i = 1; i <= 3; i++) {
        write_byte(l.ends[1]);
        CHECK_INT(poll_events(&l, 0), 1);
        CHECK_INT(l.events[0].data, i);
        CHECK_INT(poll_events(&l, 0), 0);
    }
    write_byte(l.ends[1]);
    read_bytes(l.ends[0], 4);
    CHECK_INT(poll_events(&l, 0), 0); /* the condition holds no longer */
    close_listening(&l);
}

static void directions_are_two_filters(void) {
    listening l;
    open_listening(&l);
    CHECK_INT(change(&l, l.ends[0], EVFILT_READ, EV_ADD | EV_CLEAR, 0, NULL), 0);
    CHECK_INT(change(&l, l.ends[0], EVFILT_WRITE, EV_ADD | EV_CLEAR, 0, NULL), 0);
    CHECK_INT(poll_events(&l, 0), 1);
    CHECK_INT(l.events[0].filter, EVFILT_WRITE);
    write_byte(l.ends[1]);
    CHECK_INT(poll_events(&l, 0), 1);
    CHECK_INT(l.events[0].filter, EVFILT_READ); /* and nothing new to say of the other */
    CHECK_INT(change(&l, l.ends[0], EVFILT_READ, EV_DELETE, 0, NULL), 0);
    write_byte(l.ends[1]);
    CHECK_INT(poll_events(&l, 0), 0);
    close_listening(&l);
}

static void oneshot_filter_is_gone_after_its_event(void) {
    listening l;
    open_listening(&l);
    CHECK_INT(change(&l, l.ends[0], EVFILT_WRITE, EV_ADD | EV_ONESHOT, 0, NULL), 0);
    CHECK_INT(poll_events(&l, 0), 1);
    CHECK_INT(poll_events(&l, 0), 0);
    CHECK_INT(change(&l, l.ends[0], EVFILT_WRITE, EV_DELETE, 0, NULL), ENOENT);
    CHECK_INT(change(&l, l.ends[0], EVFILT_WRITE, EV_ADD | EV_ONESHOT, 0, NULL), 0);
    CHECK_INT(poll_events(&l, 0), 1);
    close_listening(&l);
}

static void end_is_told_beside_bytes_that_can_be_read(void) {
    listening l;
    open_listening(&l);
    CHECK_INT(change(&l, l.ends[0], EVFILT_READ, EV_ADD | EV_CLEAR, 0, NULL), 0);
    write_byte(l.ends[1]);
    CHECK_INT(shutdown(l.ends[1], SHUT_WR), 0);
    CHECK_INT(poll_events(&l, 0), 1);
    CHECK(l.events[0].flags & EV_EOF);
    CHECK_INT(l.events[0].data, 1);
    close_listening(&l);
}

static void change_of_what_is_not_there_is_refused(void) {
    listening l;
    open_listening(&l);
    CHECK_INT(change(&l, l.ends[0], EVFILT_READ, EV_DELETE, 0, NULL), ENOENT);
    CHECK_INT(change(&l, l.ends[0], EVFILT_READ, EV_ENABLE, 0, NULL), ENOENT);
    CHECK_INT(change(&l, l.ends[0], EVFILT_READ, EV_ADD, 0, NULL), 0);
    CHECK_INT(change(&l, l.ends[0], EVFILT_READ, EV_ADD, 0, NULL), 0);
    CHECK_INT(change(&l, l.ends[0], EVFILT_READ, EV_ENABLE, 0, NULL), 0);
    CHECK_INT(change(&l, l.ends[0], EVFILT_READ, EV_DELETE, 0, NULL), 0);
    CHECK_INT(change(&l, l.ends[0], EVFILT_READ, EV_DELETE, 0, NULL), ENOENT);
    CHECK_INT(change(&l, 1000000, EVFILT_READ, EV_ADD, 0, NULL), EBADF);
    CHECK_INT(change(&l, 1000000, EVFILT_READ, EV_DELETE, 0, NULL), EBADF);
    CHECK_INT(change(&l, l.ends[0], -99, EV_ADD, 0, NULL), EINVAL);
    close_listening(&l);
}

/* A duplicate would keep it alive in epoll. */
static void closed_descriptor_has_no_filters(void) {
    listening l;
    open_listening(&l);
    CHECK_INT(change(&l, l.ends[0], EVFILT_READ, EV_ADD | EV_CLEAR, 0, NULL), 0);
    int duplicate = dup(l.ends[0]);
    CHECK(duplicate >= 0);
    CHECK_INT(close(l.ends[0]), 0);
    write_byte(l.ends[1]);
    CHECK_INT(poll_events(&l, 0), 0);
    CHECK_INT(dup2(duplicate, l.ends[0]), l.ends[0]);
    CHECK_INT(change(&l, l.ends[0], EVFILT_READ, EV_ENABLE, 0, NULL), ENOENT);
    CHECK_INT(close(duplicate), 0);
    close_listening(&l);
}

/* ---- the other filters ---- */

static void user_event_is_triggered_and_coalesces(void) {
    listening l;
    open_listening(&l);
    CHECK_INT(change(&l, 7, EVFILT_USER, 0, NOTE_TRIGGER, NULL), ENOENT);
    CHECK_INT(change(&l, 7, EVFILT_USER, EV_ADD | EV_CLEAR, 0, NULL), 0);
    CHECK_INT(poll_events(&l, 0), 0);
    for (int i = 0; i < MANY; i++)
        CHECK_INT(change(&l, 7, EVFILT_USER, 0, NOTE_TRIGGER, &l), 0);
    CHECK_INT(poll_events(&l, 0), 1);
    CHECK_INT(l.events[0].filter, EVFILT_USER);
    CHECK_INT(l.events[0].ident, 7);
    CHECK(l.events[0].udata == &l);
    CHECK_INT(poll_events(&l, 0), 0);
    close_listening(&l);
}

static void end_of_a_process_is_told_with_its_status(void) {
    listening l;
    backend_child child;
    open_listening(&l);
    for (int has_ended = 0; has_ended <= 1; has_ended++) {
        posix_start_child(NULL, &child);
        if (has_ended)
            posix_end_child(&child, 3);
        CHECK_INT(change(&l, child.process, EVFILT_PROC, EV_ADD | EV_ONESHOT, NOTE_EXIT, NULL), 0);
        if (!has_ended) {
            CHECK_INT(poll_events(&l, 0), 0);
            posix_end_child(&child, 3);
        }
        CHECK_INT(poll_events(&l, 0), 1);
        CHECK_INT(l.events[0].ident, child.process);
        CHECK_INT(l.events[0].fflags, NOTE_EXIT);
        CHECK_INT(WEXITSTATUS((int)l.events[0].data), 3);
        CHECK_INT(change(&l, child.process, EVFILT_PROC, EV_DELETE, NOTE_EXIT, NULL), ENOENT);
        CHECK_INT(posix_reap_child(&child), 3);
        CHECK_INT(change(&l, child.process, EVFILT_PROC, EV_ADD, NOTE_EXIT, NULL), ESRCH);
    }
    close_listening(&l);
}

/* ---- calls ---- */

static void changes_are_made_before_events_are_fetched(void) {
    listening l;
    struct kevent changes[3];
    open_listening(&l);
    write_byte(l.ends[1]);
    EV_SET(&changes[0], (uintptr_t)l.ends[0], EVFILT_READ, EV_ADD, 0, 0, NULL);
    CHECK_INT(kevent(l.queue, changes, 1, l.events, ROOM, &(struct timespec){0}), 1);
    CHECK_INT(l.events[0].ident, l.ends[0]);
    EV_SET(&changes[0], (uintptr_t)l.ends[1], EVFILT_READ, EV_DELETE, 0, 0, NULL);
    EV_SET(&changes[1], (uintptr_t)l.ends[0], EVFILT_READ, EV_DELETE, 0, 0, NULL);
    EV_SET(&changes[2], (uintptr_t)l.ends[0], EVFILT_READ, EV_DELETE, 0, 0, NULL);
    CHECK_INT(kevent(l.queue, changes, 3, l.events, ROOM, NULL), 2);
    for (int i = 0; i < 2; i++) {
        CHECK(l.events[i].flags & EV_ERROR);
        CHECK_INT(l.events[i].data, ENOENT);
    }
    CHECK_INT(l.events[0].ident, l.ends[1]);
    CHECK_INT(kevent(l.queue, changes, 1, NULL, 0, NULL), -1);
    CHECK_INT(errno, ENOENT);
    close_listening(&l);
}

/* With no room for events a call returns whatever its timeout is. */
static void timeouts_are_nanoseconds(void) {
    listening l;
    open_listening(&l);
    CHECK_INT(kevent(l.queue, NULL, 0, NULL, 0, NULL), 0);
    int64_t start_us = ferry_now();
    CHECK_INT(poll_events(&l, 3000000), 0);
    CHECK(ferry_now() >= start_us + 3000);
    CHECK_INT(poll_events(&l, -1), -1);
    CHECK_INT(errno, EINVAL);
    CHECK_INT(poll_events(&l, 1000000000), -1);
    close_listening(&l);
}

static void child_of_fork_has_no_queue(void) {
    listening l;
    int status = 0;
    open_listening(&l);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        _exit(kevent(l.queue, NULL, 0, NULL, 0, NULL) == -1 && errno == EBADF ? EXIT_SUCCESS : EXIT_FAILURE);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_INT(status, 0);
    CHECK_INT(kevent(l.queue, NULL, 0, NULL, 0, NULL), 0);
    close_listening(&l);
}

/* ---- kernels that lack something ---- */

static void run_with_quirk(unsigned quirk, void (*const *contract)(const backend_kind *), size_t count) {
    kqueue_standin_set_quirks(quirk);
    for (size_t i = 0; i < count; i++)
        contract[i](&tcp_kind);
    kqueue_standin_set_quirks(0);
}

static void kernel_without_user_events_is_woken_through_a_pipe(void) {
    static void (*const contract[])(const backend_kind *) = {
        contract_wake_before_a_wait_is_not_lost, contract_wake_from_another_thread_ends_a_wait,
        contract_wake_works_again_and_again,     contract_many_wakes_count_as_one,
        contract_two_threads_wake,               contract_bytes_move_both_ways,
    };
    run_with_quirk(KQUEUE_STANDIN_NO_USER_FILTER, contract, sizeof contract / sizeof contract[0]);
}

/* More wakes than the pipe has room for. */
static void full_pipe_still_wakes(void) {
    backend_fixture f;
    kqueue_standin_set_quirks(KQUEUE_STANDIN_NO_USER_FILTER);
    open_backend(&f, &tcp_kind);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 70000; i++)
            wake(&f);
        int64_t deadline_us = now(&f) + CONTRACT_WITHIN_US;
        wait_until(&f, deadline_us);
        CHECK(now(&f) < deadline_us);
        settle(&f);
    }
    close_backend(&f);
    kqueue_standin_set_quirks(0);
}

static void kernel_that_forgets_ended_processes_keeps_the_contract(void) {
    static void (*const contract[])(const backend_kind *) = {
        contract_child_tells_its_code,
        contract_child_that_ended_before_is_told,
        contract_killed_child_tells_its_signal,
        contract_cancelled_child_can_be_awaited_again,
        contract_only_the_awaited_child_is_reaped,
    };
    run_with_quirk(KQUEUE_STANDIN_NO_ENDED_PROCESS, contract, sizeof contract / sizeof contract[0]);
}

/* A write that would block and cannot be waited for ends with the reason. Later ones go on as if nothing had been. */
static void write_that_cannot_be_waited_for_is_a_status(void) {
    static const char bytes[1 << 20];
    backend_fixture f;
    open_fixture(&f, &tcp_kind);
    fy_op write = fy_op_write(&f.a, bytes, sizeof bytes);
    kqueue_standin_set_quirks(KQUEUE_STANDIN_NO_MEMORY);
    do {
        submit(&f, &write);
        CHECK(next_done(&f, CONTRACT_WITHIN_US) == &write);
    } while (write.status == 0);
    CHECK_STATUS(write.status, ENOMEM);
    kqueue_standin_set_quirks(0);
    submit(&f, &write);
    expect_nothing(&f);
    cancel(&f, &write);
    await_op(&f, &write, FERRY_ECANCELED);
    close_fixture(&f);
}

static const fy_test tests[] = {
    FY_TEST(filter_runs_when_it_is_added_and_when_it_is_fetched),
    FY_TEST(cleared_filter_tells_of_each_change_once),
    FY_TEST(directions_are_two_filters),
    FY_TEST(oneshot_filter_is_gone_after_its_event),
    FY_TEST(end_is_told_beside_bytes_that_can_be_read),
    FY_TEST(change_of_what_is_not_there_is_refused),
    FY_TEST(closed_descriptor_has_no_filters),
    FY_TEST(user_event_is_triggered_and_coalesces),
    FY_TEST(end_of_a_process_is_told_with_its_status),
    FY_TEST(changes_are_made_before_events_are_fetched),
    FY_TEST(timeouts_are_nanoseconds),
    FY_TEST(child_of_fork_has_no_queue),
    FY_TEST(kernel_without_user_events_is_woken_through_a_pipe),
    FY_TEST(full_pipe_still_wakes),
    FY_TEST(kernel_that_forgets_ended_processes_keeps_the_contract),
    FY_TEST(write_that_cannot_be_waited_for_is_a_status),
};

FY_TEST_MAIN("kqueue_standin", tests)
