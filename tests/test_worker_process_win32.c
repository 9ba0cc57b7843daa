/* SPDX-License-Identifier: Apache-2.0 */
/* Worker processes on Windows: which handles are inherited, and that nobody outlives a parent that was ended. */
#include "support/worker.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_errno.h>

#include "support/gate.h"
#include "support/threads.h"
#include "win32/notes.h"

enum { SHARED_SIZE = 4096, ROUNDS = 20, MOMENT_US = 20 * 1000, WITHIN_MS = 60 * 1000 };

static int until_it_is_left(const fy_parent *parent) {
    char text[FY_NOTE_SIZE + 1];
    fy_handle handle = -1;
    ferry_status status;
    while (!(status = worker_hear(parent, text, &handle)))
        continue;
    return status == APR_EOF ? 0 : 1;
}

/* ---- handles ---- */

/* A note says what number an event of the parent's has. Here another thing may have it, but no event that is set. */
static int looks_for_a_handle(const fy_parent *parent) {
    char text[FY_NOTE_SIZE + 1];
    fy_handle handle = -1;
    CHECK_STATUS(worker_hear(parent, text, &handle), 0);
    HANDLE event = (HANDLE)(intptr_t)strtoll(text, NULL, 10);
    worker_say(parent, ResetEvent(event) ? 'h' : 'n');
    return until_it_is_left(parent);
}

static void no_other_handle_is_inherited(void) {
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
    char text[FY_NOTE_SIZE];
    HANDLE careless = CreateEventW(&inherited, TRUE, TRUE, NULL);
    worker self;
    CHECK(careless != NULL);
    worker_start(&self, "looks_for_a_handle");
    snprintf(text, sizeof text, "%lld", (long long)(intptr_t)careless);
    worker_tell(&self, text, NULL);
    worker_expect(&self, 'n');
    CloseHandle(careless);
    worker_finish(&self);
}

/* The highest number of a few new handles. The system gives a number out again once its handle is closed, so it grows
 * when handles stay open. */
static intptr_t highest_handle(void) {
    HANDLE events[2 * ROUNDS];
    intptr_t highest = 0;
    for (int i = 0; i < 2 * ROUNDS; i++) {
        events[i] = CreateEventW(NULL, TRUE, FALSE, NULL);
        CHECK(events[i] != NULL);
        if ((intptr_t)events[i] > highest)
            highest = (intptr_t)events[i];
    }
    for (int i = 0; i < 2 * ROUNDS; i++)
        CloseHandle(events[i]);
    return highest;
}

/* The first round may open what stays: the job, for one. Handles are multiples of four. */
static void no_handle_is_left_open(void) {
    fy_shared made;
    fy_child child;
    worker self;
    intptr_t before = 0;
    for (int round = 0; round <= ROUNDS; round++) {
        if (round == 1)
            before = highest_handle();
        CHECK_STATUS(fy_shared_create(SHARED_SIZE, &made), 0);
        worker_start(&self, "until_it_is_left");
        worker_tell(&self, "a memory", &made);
        worker_finish(&self);
        fy_shared_close(&made);
        CHECK(worker_try_start("C:\\no\\such", (const char *const[]){"none", NULL}, WORKER_VARIABLE "=1", &child) != 0);
    }
    CHECK(highest_handle() - before < 4 * ROUNDS);
}

/* ---- the parent's end ---- */

/* Sends its id, by memory that it was given, and waits. */
static int waits_for_its_parents_end(const fy_parent *parent) {
    char text[FY_NOTE_SIZE + 1];
    fy_handle handle = -1;
    fy_shared shared;
    CHECK_STATUS(worker_hear(parent, text, &handle), 0);
    CHECK_STATUS(fy_shared_map(handle, SHARED_SIZE, &shared), 0);
    atomic_store((atomic_ulong *)shared.address, GetCurrentProcessId());
    fy_parent_wait_gone(parent);
    return 0;
}

/* Passes the memory on to a worker of its own, and waits to be ended. */
static int has_a_worker(const fy_parent *parent) {
    char text[FY_NOTE_SIZE + 1];
    fy_shared shared = {0};
    worker inner;
    CHECK_STATUS(worker_hear(parent, text, &shared.handle), 0);
    worker_start(&inner, "waits_for_its_parents_end");
    worker_tell(&inner, "the memory", &shared);
    return until_it_is_left(parent);
}

static void nobody_outlives_a_parent_that_was_ended(void) {
    fy_shared shared;
    worker middle;
    CHECK_STATUS(fy_shared_create(SHARED_SIZE, &shared), 0);
    atomic_ulong *id = shared.address;
    worker_start(&middle, "has_a_worker");
    worker_tell(&middle, "the memory", &shared);
    FY_AWAIT(atomic_load(id));
    HANDLE inner = OpenProcess(SYNCHRONIZE, FALSE, atomic_load(id));
    CHECK(inner != NULL);
    CHECK_INT(WaitForSingleObject(inner, 0), WAIT_TIMEOUT);
    fy_child_kill(&middle.child, true);
    CHECK_INT(worker_await_end(&middle).code, FY_KILLED_CODE);
    CHECK_INT(WaitForSingleObject(inner, WITHIN_MS), WAIT_OBJECT_0);
    CloseHandle(inner);
    fy_shared_close(&shared);
}

static HANDLE make_stdin_a_channel(void) {
    static const wchar_t name[] = L"\\\\.\\pipe\\ferry-test-of-a-channel";
    HANDLE ours = CreateNamedPipeW(name, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED, PIPE_TYPE_BYTE, 1, 4096, 4096, 0,
                                   NULL);
    CHECK(ours != INVALID_HANDLE_VALUE);
    HANDLE theirs = CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
    CHECK(theirs != INVALID_HANDLE_VALUE);
    CHECK(SetStdHandle(STD_INPUT_HANDLE, theirs));
    return ours;
}

static atomic_bool is_gone;

static void wait_gone(void *parent) {
    fy_parent_wait_gone(parent);
    atomic_store(&is_gone, true);
}

/* Where no job ends it first. This process takes another one for its parent. */
static void end_of_the_parent_is_seen(void) {
    fy_parent parent;
    helper_thread waiter;
    worker other;
    worker_start(&other, "until_it_is_left");
    fy_greeting greeting = {.parent = other.child.process};
    HANDLE ours = make_stdin_a_channel(), theirs = GetStdHandle(STD_INPUT_HANDLE);
    CHECK_STATUS(fy_notes_write(ours, &greeting, sizeof greeting), 0);
    CHECK_STATUS(fy_parent_open(&parent), 0);
    thread_start(&waiter, wait_gone, &parent);
    ferry_thread_sleep(MOMENT_US);
    CHECK(!atomic_load(&is_gone));
    fy_child_kill(&other.child, true);
    thread_join(&waiter);
    CHECK_INT(worker_await_end(&other).code, FY_KILLED_CODE);
    CloseHandle(ours);
    CloseHandle(theirs);
}

static void stdin_that_is_no_channel_is_refused(void) {
    fy_parent parent = {.channel = -5};
    HANDLE kept = GetStdHandle(STD_INPUT_HANDLE), reading, writing;
    CHECK(CreatePipe(&reading, &writing, NULL, 0));
    CHECK(SetStdHandle(STD_INPUT_HANDLE, reading));
    ferry_status status = fy_parent_open(&parent);
    CHECK(SetStdHandle(STD_INPUT_HANDLE, kept));
    CloseHandle(reading);
    CloseHandle(writing);
    CHECK(status != 0);
    CHECK_INT(parent.channel, -5);
}

static const fy_test tests[] = {
    FY_TEST(no_other_handle_is_inherited),
    FY_TEST(no_handle_is_left_open),
    FY_TEST(nobody_outlives_a_parent_that_was_ended),
    FY_TEST(stdin_that_is_no_channel_is_refused),
    FY_TEST(end_of_the_parent_is_seen),
};

static const worker_mode modes[] = {
    WORKER_MODE(until_it_is_left),
    WORKER_MODE(looks_for_a_handle),
    WORKER_MODE(waits_for_its_parents_end),
    WORKER_MODE(has_a_worker),
};

WORKER_TEST_MAIN("worker_process_win32", tests, modes)
