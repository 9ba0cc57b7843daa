/* SPDX-License-Identifier: Apache-2.0 */
/* For what can only be seen with a worker process: the test program starts itself again as the worker of a named mode,
 * and reads what that sends on the port's best backend, as the library does. A worker that is silent for too long fails
 * the test.
 *
 *     static int says_hello(const fy_parent *parent) { ...; return 0; }
 *
 *     static const worker_mode modes[] = {WORKER_MODE(says_hello)};
 *     WORKER_TEST_MAIN("greeting", tests, modes) */
#ifndef FERRY_TESTS_SUPPORT_WORKER_H
#define FERRY_TESTS_SUPPORT_WORKER_H

#include "seam/backend.h"
#include "seam/process.h"
#include "support/harness.h"

/* Exit codes of a worker that did not end as its mode meant to. */
enum { WORKER_UNKNOWN_MODE = 96, WORKER_HAS_NO_CHANNEL = 97 };

typedef struct worker_mode {
    const char *name;
    int (*run)(const fy_parent *parent); /* its return value is the worker's exit code */
} worker_mode;

#define WORKER_MODE(function) { #function, function }

typedef struct worker {
    fy_child child;
    fy_backend *backend;
    fy_file channel;
    fy_file process;
} worker;

/* What each of them has set in its environment. */
#define WORKER_VARIABLE "FERRY_TEST_WORKER"

/* Runs this program as a worker of this mode. */
void worker_start(worker *self, const char *mode);

/* The same; `variable` is "NAME=value", and the argument may be NULL. */
void worker_start_with(worker *self, const char *program, const char *mode, const char *argument,
                       const char *variable);

/* The bare start of a program, with all that it is given. */
ferry_status worker_try_start(const char *program, const char *const *argv, const char *variable, fy_child *ret_child);

/* For a child that the test has started itself, in a mode of this program. */
void worker_watch(worker *self, const fy_child *child);

/* Reads so many bytes, or up to the end. Returns how many there were. */
size_t worker_read(worker *self, void *bytes, size_t size);

/* Demands that the next byte is this one. */
void worker_expect(worker *self, char byte);

/* A note that begins with this text, with the memory's handle or without. */
void worker_tell(worker *self, const char *text, const fy_shared *shared_or_null);

/* Closes the channel, so that the worker sees its parent gone. */
void worker_leave(worker *self);

/* Waits until it has ended, and tells how. */
fy_exit worker_await_end(worker *self);

/* Leaves it, and demands that it returns 0. */
void worker_finish(worker *self);

/* In the worker: the argument that it was started with, or NULL; the next note, whose first bytes are text; and a byte
 * for worker_expect. */
const char *worker_argument(void);
ferry_status worker_hear(const fy_parent *parent, char text[FY_NOTE_SIZE + 1], fy_handle *ret_handle);
void worker_say(const fy_parent *parent, char byte);

/* True in a worker: *ret_code is what main returns. */
bool worker_main(int argc, char **argv, const worker_mode *modes, size_t count, int *ret_code);

#define WORKER_TEST_MAIN(suite, tests, modes)                                                                \
    int main(int argc, char **argv) {                                                                        \
        int code;                                                                                            \
        if (worker_main(argc, argv, modes, sizeof(modes) / sizeof(modes[0]), &code))                         \
            return code;                                                                                     \
        return fy_test_main(suite, tests, sizeof(tests) / sizeof(tests[0]), FY_TEST_DEADLINE_S, argc, argv); \
    }

#endif
