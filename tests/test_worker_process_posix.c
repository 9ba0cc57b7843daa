/* SPDX-License-Identifier: Apache-2.0 */
/* Worker processes where there are signals and descriptors: what is not inherited, and how a worker that nobody can
 * tell any more learns that its parent has died. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_errno.h>

#include "support/gate.h"
#include "support/threads.h"
#include "support/worker.h"

enum { SHARED_SIZE = 4096, NOTES_MAX = 1 << 20 };

static int until_it_is_left(const fy_parent *parent) {
    char text[FY_NOTE_SIZE + 1];
    fy_handle handle = -1;
    ferry_status status;
    while (!(status = worker_hear(parent, text, &handle)))
        continue;
    return status == APR_EOF ? 0 : 1;
}

/* ---- signals ---- */

static int tells_its_signals(const fy_parent *parent) {
    sigset_t blocked;
    char odd = 0;
    CHECK_INT(sigprocmask(SIG_SETMASK, NULL, &blocked), 0);
    for (int signum = 1; signum < FY_SIGNALS; signum++) {
        struct sigaction action;
        if (sigaction(signum, NULL, &action) == 0 && (sigismember(&blocked, signum) || action.sa_handler == SIG_IGN))
            odd = (char)signum;
    }
    worker_say(parent, odd);
    return until_it_is_left(parent);
}

static void worker_starts_with_signals_at_their_default(void) {
    static const int ignored[] = {SIGPIPE, SIGHUP, SIGTERM, SIGUSR2};
    void (*before[4])(int);
    sigset_t all, mask;
    worker self;
    sigfillset(&all);
    CHECK_INT(pthread_sigmask(SIG_SETMASK, &all, &mask), 0);
    for (int i = 0; i < 4; i++)
        before[i] = signal(ignored[i], SIG_IGN);
    worker_start(&self, "tells_its_signals");
    for (int i = 0; i < 4; i++)
        (void)signal(ignored[i], before[i]);
    CHECK_INT(pthread_sigmask(SIG_SETMASK, &mask, NULL), 0);
    worker_expect(&self, 0);
    worker_finish(&self);
}

static void kill_is_gentle_or_by_force(void) {
    worker self;
    for (int by_force = 0; by_force < 2; by_force++) {
        worker_start(&self, "until_it_is_left");
        fy_child_kill(&self.child, by_force);
        CHECK_INT(worker_await_end(&self).signal, by_force ? SIGKILL : SIGTERM);
    }
}

static void abandoned_worker_is_reaped(void) {
    char program[FY_PROGRAM_PATH_SIZE];
    fy_child child;
    CHECK_STATUS(fy_program_path(program), 0);
    CHECK_STATUS(worker_try_start(program, (const char *const[]){program, "--worker", "until_it_is_left", NULL},
                                  WORKER_VARIABLE "=1", &child), 0);
    fy_child_abandon(&child);
    CHECK_INT(waitpid(child.process, NULL, WNOHANG), -1);
    CHECK_INT(errno, ECHILD);
    CHECK_INT(fcntl(child.channel, F_GETFD), -1);
}

/* Its parent's end is not attached to anything yet, and so not made for it. */
static void sending_to_a_stopped_worker_does_not_wait(void) {
    static const char note[FY_NOTE_SIZE] = "nobody reads this";
    char program[FY_PROGRAM_PATH_SIZE];
    fy_child child;
    int count = 0;
    CHECK_STATUS(fy_program_path(program), 0);
    CHECK_STATUS(worker_try_start(program, (const char *const[]){program, "--worker", "until_it_is_left", NULL},
                                  WORKER_VARIABLE "=1", &child), 0);
    CHECK_INT(kill(child.process, SIGSTOP), 0);
    while (count < NOTES_MAX && fy_child_send(&child, note, NULL) == 0)
        count++;
    CHECK(count < NOTES_MAX);
    fy_child_abandon(&child);
}

/* ---- descriptors ---- */

/* A program that has closed its standard streams. */
static void start_without_standard_streams(const char *mode, fy_child *ret_child) {
    char program[FY_PROGRAM_PATH_SIZE];
    int kept[3];
    CHECK_STATUS(fy_program_path(program), 0);
    for (int fd = 0; fd < 3; fd++) {
        kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
        CHECK(kept[fd] >= 0);
        CHECK_INT(close(fd), 0);
    }
    ferry_status status = worker_try_start(program, (const char *const[]){program, "--worker", mode, NULL},
                                           WORKER_VARIABLE "=1", ret_child);
    for (int fd = 0; fd < 3; fd++) {
        CHECK_INT(dup2(kept[fd], fd), fd);
        CHECK_INT(close(kept[fd]), 0);
    }
    CHECK_STATUS(status, 0);
    CHECK(ret_child->channel > 2);
}

static int tells_its_stdin(const fy_parent *parent) {
    char byte;
    worker_say(parent, read(STDIN_FILENO, &byte, 1) == 0 ? 'e' : 'x');
    return until_it_is_left(parent);
}

static void closed_standard_streams_are_no_hindrance(void) {
    fy_child child;
    worker self;
    start_without_standard_streams("tells_its_stdin", &child);
    worker_watch(&self, &child);
    worker_expect(&self, 'e');
    worker_finish(&self);
}

static void channels_are_not_inherited(void) {
    fy_shared shared;
    worker self;
    worker_start(&self, "until_it_is_left");
    CHECK_INT(fcntl(self.child.channel, F_GETFD), FD_CLOEXEC);
    CHECK_STATUS(fy_shared_create(SHARED_SIZE, &shared), 0);
    CHECK_INT(fcntl(shared.handle, F_GETFD), FD_CLOEXEC);
    fy_shared_close(&shared);
    worker_finish(&self);
}

/* So that it is no stdin of a worker which somebody starts by hand. */
static void stdin_that_is_no_channel_is_refused(void) {
    fy_parent parent = {.channel = -5};
    int kept = dup(STDIN_FILENO), pipes[2];
    CHECK_INT(pipe(pipes), 0);
    CHECK_INT(dup2(pipes[0], STDIN_FILENO), STDIN_FILENO);
    ferry_status status = fy_parent_open(&parent);
    CHECK_INT(dup2(kept, STDIN_FILENO), STDIN_FILENO);
    for (int i = 0; i < 2; i++)
        CHECK_INT(close(pipes[i]), 0);
    CHECK_INT(close(kept), 0);
    CHECK(status != 0);
    CHECK_INT(parent.channel, -5);
}

static void note_that_was_cut_off_is_an_end(void) {
    worker self;
    worker_start(&self, "until_it_is_left");
    CHECK_INT(send(self.child.channel, "half", 4, MSG_NOSIGNAL), 4);
    worker_finish(&self);
}

#if defined(__linux__)

static unsigned count_descriptors(void) {
    DIR *all = opendir("/proc/self/fd");
    unsigned count = 0;
    CHECK(all != NULL);
    for (struct dirent *entry = readdir(all); entry; entry = readdir(all))
        count += entry->d_name[0] != '.';
    closedir(all);
    return count - 1;
}

/* After each note; those that came are closed but for one. */
static int counts_its_descriptors(const fy_parent *parent) {
    char text[FY_NOTE_SIZE + 1];
    fy_handle handle = -1;
    do
        worker_say(parent, (char)count_descriptors());
    while (worker_hear(parent, text, &handle) == 0);
    return 0;
}

static char careless_note[FY_NOTE_SIZE] = "three descriptors";

static void send_three_descriptors(int channel, size_t size) {
    int fds[3] = {0, 1, 2};
    union {
        struct cmsghdr aligned;
        char bytes[CMSG_SPACE(sizeof fds)];
    } room;
    struct iovec data = {.iov_base = careless_note, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof room.bytes};
    memset(&room, 0, sizeof room);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(header), fds, sizeof fds);
    CHECK_INT(sendmsg(channel, &message, MSG_NOSIGNAL), size);
}

/* Its standard streams and the channel. */
static void no_other_descriptor_is_inherited(void) {
    worker self;
    int careless = dup(STDOUT_FILENO);
    CHECK(careless > 2);
    worker_start(&self, "counts_its_descriptors");
    CHECK_INT(close(careless), 0);
    worker_expect(&self, 4);
    worker_finish(&self);
}

static void descriptors_that_nobody_expects_are_closed(void) {
    worker self;
    worker_start(&self, "counts_its_descriptors");
    worker_expect(&self, 4);
    send_three_descriptors(self.child.channel, FY_NOTE_SIZE);
    worker_expect(&self, 5);
    worker_finish(&self);
}

/* The kernel ends a read after bytes that descriptors came with. */
static void note_in_two_pieces_is_one(void) {
    enum { FIRST = 10 };
    char told[2] = {0};
    worker self;
    worker_start(&self, "counts_its_descriptors");
    worker_expect(&self, 4);
    send_three_descriptors(self.child.channel, FIRST);
    CHECK_INT(send(self.child.channel, careless_note + FIRST, FY_NOTE_SIZE - FIRST, MSG_NOSIGNAL),
              FY_NOTE_SIZE - FIRST);
    CHECK_INT(shutdown(self.child.channel, SHUT_WR), 0);
    CHECK_INT(worker_read(&self, told, sizeof told), 1);
    CHECK_INT(told[0], 5);
    worker_finish(&self);
}

static void no_descriptor_is_left_open(void) {
    fy_shared made, mapped;
    fy_child child;
    worker self;
    unsigned before = count_descriptors();
    CHECK_STATUS(fy_shared_create(SHARED_SIZE, &made), 0);
    CHECK_STATUS(fy_shared_map(dup(made.handle), made.size, &mapped), 0);
    CHECK_STATUS(fy_shared_map(dup(made.handle), made.size * 2, &mapped), APR_EINVAL);
    fy_shared_close(&mapped);
    fy_shared_close(&made);
    CHECK_INT(count_descriptors(), before);
    worker_start(&self, "until_it_is_left");
    worker_finish(&self);
    CHECK(worker_try_start("/no/such/program", (const char *const[]){"none", NULL}, WORKER_VARIABLE "=1", &child) != 0);
    CHECK_INT(count_descriptors(), before);
}

static void memory_cannot_be_made_smaller(void) {
    fy_shared shared;
    CHECK_STATUS(fy_shared_create(SHARED_SIZE, &shared), 0);
    CHECK_INT(ftruncate(shared.handle, 0), -1);
    CHECK_INT(errno, EPERM);
    fy_shared_close(&shared);
}

static int tells_its_path_when_asked(const fy_parent *parent) {
    char text[FY_NOTE_SIZE + 1], path[FY_PROGRAM_PATH_SIZE];
    fy_handle handle = -1;
    worker_say(parent, 'r');
    CHECK_STATUS(worker_hear(parent, text, &handle), 0);
    CHECK_STATUS(fy_program_path(path), 0);
    CHECK_STATUS(fy_parent_send(parent, path, strlen(path)), 0);
    return 0;
}

static void copy_file(const char *from, const char *to) {
    char bytes[4096];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    CHECK(in && out);
    for (size_t count; (count = fread(bytes, 1, sizeof bytes, in)) > 0;)
        CHECK_INT(fwrite(bytes, 1, count, out), count);
    CHECK_INT(fclose(in), 0);
    CHECK_INT(fclose(out), 0);
    CHECK_INT(chmod(to, 0700), 0);
}

/* The program was built anew while it runs: what is at its path now has another identity. */
static void path_of_a_program_that_was_replaced_has_no_mark(void) {
    char program[FY_PROGRAM_PATH_SIZE], copy[FY_PROGRAM_PATH_SIZE + 16], told[FY_PROGRAM_PATH_SIZE + 16] = {0};
    worker self;
    CHECK_STATUS(fy_program_path(program), 0);
    snprintf(copy, sizeof copy, "%s.%ld.tmp", program, (long)getpid());
    copy_file(program, copy);
    worker_start_with(&self, copy, "tells_its_path_when_asked", NULL, WORKER_VARIABLE "=1");
    worker_expect(&self, 'r');
    CHECK_INT(unlink(copy), 0);
    worker_tell(&self, "where?", NULL);
    CHECK_INT(worker_read(&self, told, sizeof told - 1), strlen(copy));
    CHECK_STRING(told, copy);
    worker_finish(&self);
}

#endif

/* ---- the parent's end ---- */

enum { IS_WAITING, MAY_RECEIVE, IS_RECEIVING, HAS_RECEIVED_END, HAS_SEEN_GONE };

/* For what must not happen. */
enum { MOMENT_US = 20 * 1000 };

typedef struct lookout {
    const fy_parent *parent;
    atomic_int *words;
} lookout;

static void receive(void *arg) {
    lookout *self = arg;
    char text[FY_NOTE_SIZE + 1];
    fy_handle handle = -1;
    ferry_status status = worker_hear(self->parent, text, &handle);
    atomic_store(&self->words[HAS_RECEIVED_END], status == APR_EOF ? 1 : -1);
}

static void wait_gone(void *arg) {
    lookout *self = arg;
    atomic_store(&self->words[IS_WAITING], 1);
    fy_parent_wait_gone(self->parent);
    atomic_store(&self->words[HAS_SEEN_GONE], 1);
}

/* A thread waits while a note lies there, and goes on waiting when it is received, and another one after it. */
static int looks_out(const fy_parent *parent) {
    char text[FY_NOTE_SIZE + 1];
    fy_handle handle = -1;
    fy_shared shared;
    helper_thread receiver, waiter;
    CHECK_STATUS(worker_hear(parent, text, &handle), 0);
    CHECK_STATUS(fy_shared_map(handle, SHARED_SIZE, &shared), 0);
    lookout self = {.parent = parent, .words = shared.address};
    thread_start(&waiter, wait_gone, &self);
    FY_AWAIT(atomic_load(&self.words[MAY_RECEIVE]));
    CHECK_STATUS(worker_hear(parent, text, &handle), 0);
    thread_start(&receiver, receive, &self);
    atomic_store(&self.words[IS_RECEIVING], 1);
    thread_join(&receiver);
    thread_join(&waiter);
    return 0;
}

/* Passes the memory that it is given on to a worker of its own, and waits to be killed. */
static int has_a_worker(const fy_parent *parent) {
    char text[FY_NOTE_SIZE + 1];
    fy_shared shared = {0};
    worker inner;
    CHECK_STATUS(worker_hear(parent, text, &shared.handle), 0);
    worker_start(&inner, "looks_out");
    worker_tell(&inner, "the memory", &shared);
    worker_tell(&inner, "go", NULL);
    return until_it_is_left(parent);
}

static void death_of_the_parent_is_seen(void) {
    fy_shared shared;
    worker middle;
    CHECK_STATUS(fy_shared_create(SHARED_SIZE, &shared), 0);
    atomic_int *words = shared.address;
    worker_start(&middle, "has_a_worker");
    worker_tell(&middle, "the memory", &shared);
    FY_AWAIT(atomic_load(&words[IS_WAITING]));
    ferry_thread_sleep(MOMENT_US);
    atomic_store(&words[MAY_RECEIVE], 1);
    FY_AWAIT(atomic_load(&words[IS_RECEIVING]));
    CHECK_INT(atomic_load(&words[HAS_RECEIVED_END]), 0);
    CHECK_INT(atomic_load(&words[HAS_SEEN_GONE]), 0);
    fy_child_kill(&middle.child, true);
    CHECK_INT(worker_await_end(&middle).signal, SIGKILL);
    FY_AWAIT(atomic_load(&words[HAS_RECEIVED_END]));
    CHECK_INT(atomic_load(&words[HAS_RECEIVED_END]), 1);
    FY_AWAIT(atomic_load(&words[HAS_SEEN_GONE]));
    fy_shared_close(&shared);
}

static const fy_test tests[] = {
    FY_TEST(worker_starts_with_signals_at_their_default),
    FY_TEST(kill_is_gentle_or_by_force),
    FY_TEST(abandoned_worker_is_reaped),
    FY_TEST(sending_to_a_stopped_worker_does_not_wait),
    FY_TEST(closed_standard_streams_are_no_hindrance),
    FY_TEST(channels_are_not_inherited),
    FY_TEST(stdin_that_is_no_channel_is_refused),
    FY_TEST(note_that_was_cut_off_is_an_end),
    FY_TEST(death_of_the_parent_is_seen),
#if defined(__linux__)
    FY_TEST(no_other_descriptor_is_inherited),
    FY_TEST(descriptors_that_nobody_expects_are_closed),
    FY_TEST(note_in_two_pieces_is_one),
    FY_TEST(no_descriptor_is_left_open),
    FY_TEST(memory_cannot_be_made_smaller),
    FY_TEST(path_of_a_program_that_was_replaced_has_no_mark),
#endif
};

static const worker_mode modes[] = {
    WORKER_MODE(until_it_is_left),
    WORKER_MODE(tells_its_signals),
    WORKER_MODE(tells_its_stdin),
    WORKER_MODE(looks_out),
    WORKER_MODE(has_a_worker),
#if defined(__linux__)
    WORKER_MODE(counts_its_descriptors),
    WORKER_MODE(tells_its_path_when_asked),
#endif
};

WORKER_TEST_MAIN("worker_process_posix", tests, modes)
