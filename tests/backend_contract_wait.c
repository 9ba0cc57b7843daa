/* SPDX-License-Identifier: Apache-2.0 */
/* The contract's tests of waiting: deadlines, signals, and other threads that wake. A test that needs another thread
 * does nothing on a backend whose time is virtual. */
#include "backend_contract.h"

#include <stdatomic.h>

#include "backend_fixture.h"
#include "support/threads.h"

enum { INTERRUPTIONS = 20, WAKES = 1000, WAKE_ROUNDS = 20, ROUNDS_MAX = 100 };

/* One wait ends before its deadline, with nothing. */
static void expect_early_return(backend_fixture *fixture) {
    int64_t deadline_us = now(fixture) + CONTRACT_WITHIN_US;
    wait_until(fixture, deadline_us);
    CHECK(fy_list_is_empty(&fixture->done));
    CHECK(now(fixture) < deadline_us);
}

/* One wait goes on up to its deadline. */
static void expect_full_wait(backend_fixture *fixture, int64_t length_us) {
    int64_t deadline_us = now(fixture) + length_us;
    wait_until(fixture, deadline_us);
    CHECK(fy_list_is_empty(&fixture->done));
    CHECK(now(fixture) >= deadline_us);
    CHECK(now(fixture) < deadline_us + CONTRACT_WITHIN_US);
}

/* ---- deadlines ---- */

void contract_deadline_is_kept_and_never_early(const backend_kind *kind) {
    static const int64_t lengths_us[] = {1, 10, 250, 999, 1001, 1500, 20300, 60000};
    backend_fixture f;
    open_fixture(&f, kind);
    settle(&f);
    for (size_t i = 0; i < sizeof lengths_us / sizeof lengths_us[0]; i++)
        for (int repeat = 0; repeat < 3; repeat++)
            expect_full_wait(&f, lengths_us[i]);
    close_fixture(&f);
}

/* What was guessed comes true, is too early, is too late, and leaves nothing behind that would end a later wait. */
void contract_guess_at_the_next_wait_moves_no_deadline(const backend_kind *kind) {
    static const int64_t guesses_us[] = {0, 500, 900, 1000, 1400, 2 * CONTRACT_WITHIN_US};
    backend_fixture f;
    open_fixture(&f, kind);
    settle(&f);
    for (size_t i = 0; i < sizeof guesses_us / sizeof guesses_us[0]; i++) {
        f.backend->next_wait_us = now(&f) + 500 + guesses_us[i];
        expect_full_wait(&f, 500);
        wake(&f);
        wait_until(&f, now(&f) + 700);
        f.backend->next_wait_us = 0;
        expect_full_wait(&f, 1000);
        expect_full_wait(&f, 3000);
        expect_full_wait(&f, 200);
    }
    close_fixture(&f);
}

void contract_past_deadline_does_not_block(const backend_kind *kind) {
    backend_fixture f;
    char byte;
    open_fixture(&f, kind);
    fy_op read = fy_op_read(&f.b, &byte, 1), write = fy_op_write(&f.a, "x", 1);
    int64_t start_us = now(&f);
    const int64_t deadlines_us[] = {0, -1, INT64_MIN + 1, 1, start_us - 1, start_us};
    for (size_t i = 0; i < sizeof deadlines_us / sizeof deadlines_us[0]; i++) {
        submit(&f, &read);
        wait_until(&f, deadlines_us[i]);
        CHECK(fy_list_is_empty(&f.done));
        submit(&f, &write);
        for (int delivered = 0; delivered < 2;) {
            wait_until(&f, deadlines_us[i]);
            while (fy_op_take(&f.done))
                delivered++;
            CHECK(now(&f) < start_us + CONTRACT_WITHIN_US);
        }
        CHECK_STATUS(read.status, 0);
        CHECK_STATUS(write.status, 0);
    }
    close_fixture(&f);
}

/* Waits without a limit until so many ops were delivered. */
static void await_without_limit(backend_fixture *fixture, int count) {
    int delivered = 0;
    for (int rounds = 0; rounds < ROUNDS_MAX && delivered < count; rounds++) {
        wait_until(fixture, FERRY_FOREVER);
        while (fy_op_take(&fixture->done))
            delivered++;
    }
    CHECK_INT(delivered, count);
}

/* A wait without a limit ends for an outcome that is final already, and for one that the kernel brings. */
void contract_no_deadline_waits_for_an_outcome(const backend_kind *kind) {
    backend_fixture f;
    char byte;
    open_fixture(&f, kind);
    settle(&f);
    fy_op read = fy_op_read(&f.b, &byte, 1), write = fy_op_write(&f.a, "x", 1);
    submit(&f, &read);
    cancel(&f, &read);
    wait_until(&f, FERRY_FOREVER);
    CHECK(fy_op_take(&f.done) == &read);
    submit(&f, &write);
    await_without_limit(&f, 1);
    submit(&f, &read);
    await_without_limit(&f, 1);
    submit(&f, &read);
    submit(&f, &write);
    await_without_limit(&f, 2);
    close_fixture(&f);
}

/* Whether a write is final as soon as it is submitted is the backend's affair; what stands in `finished` is. */
void contract_what_is_finished_is_delivered_without_a_block(const backend_kind *kind) {
    backend_fixture f;
    open_fixture(&f, kind);
    fy_op write = fy_op_write(&f.a, "x", 1);
    int64_t start_us = now(&f);
    wait_until(&f, FY_FINISHED);
    CHECK(fy_list_is_empty(&f.done));
    submit(&f, &write);
    bool is_finished = !fy_list_is_empty(&f.backend->finished);
    wait_until(&f, FY_FINISHED);
    CHECK(fy_list_is_empty(&f.backend->finished));
    CHECK(now(&f) < start_us + CONTRACT_WITHIN_US);
    fy_op *delivered = fy_op_take(&f.done);
    if (is_finished)
        CHECK(delivered == &write);
    while (!delivered) {
        wait_until(&f, now(&f) + CONTRACT_WITHIN_US);
        delivered = fy_op_take(&f.done);
    }
    CHECK_INT(write.count, 1);
    close_fixture(&f);
}

/* One file always has something finished, and yet another file's bytes are seen. */
void contract_finished_ops_do_not_hide_the_others(const backend_kind *kind) {
    backend_fixture f;
    fy_file c, d;
    char byte;
    open_fixture(&f, kind);
    attach_pair(&f, kind, &c, &d);
    fy_op busy = fy_op_write(&f.a, "x", 1), write = fy_op_write(&c, "y", 1), read = fy_op_read(&d, &byte, 1);
    submit(&f, &read);
    settle(&f);
    submit(&f, &write);
    int delivered = 0;
    for (int rounds = 0; rounds < ROUNDS_MAX && delivered < 2; rounds++) {
        submit(&f, &busy);
        while (fy_op_is_in_flight(&busy)) {
            wait_until(&f, now(&f) + CONTRACT_WITHIN_US);
            for (fy_op *op; (op = fy_op_take(&f.done));)
                delivered += op != &busy;
        }
    }
    CHECK_INT(delivered, 2);
    detach(&f, &c);
    detach(&f, &d);
    close_fixture(&f);
}

void contract_interrupted_wait_returns_and_loses_nothing(const backend_kind *kind) {
    backend_fixture f;
    char byte;
    if (!kind->start_interrupting)
        return;
    open_fixture(&f, kind);
    settle(&f);
    fy_op read = fy_op_read(&f.b, &byte, 1);
    submit(&f, &read);
    kind->start_interrupting();
    for (int i = 0; i < INTERRUPTIONS; i++)
        expect_early_return(&f);
    CHECK(fy_op_is_in_flight(&read));
    fy_op write = fy_op_write(&f.a, "x", 1);
    submit(&f, &write);
    await_two(&f);
    CHECK_STATUS(read.status, 0);
    CHECK_STATUS(write.status, 0);
    kind->stop_interrupting();
    close_fixture(&f);
}

/* ---- wake ---- */

void contract_wake_before_a_wait_is_not_lost(const backend_kind *kind) {
    backend_fixture f;
    open_fixture(&f, kind);
    settle(&f);
    wake(&f);
    expect_early_return(&f);
    close_fixture(&f);
}

void contract_wake_outlasts_a_look_at_what_is_finished(const backend_kind *kind) {
    backend_fixture f;
    open_fixture(&f, kind);
    settle(&f);
    for (int round = 0; round < WAKE_ROUNDS; round++) {
        wake(&f);
        wait_until(&f, FY_FINISHED);
        expect_early_return(&f);
        expect_full_wait(&f, CONTRACT_MOMENT_US / 10);
    }
    close_fixture(&f);
}

/* What a waking thread and the waiting one tell each other; static, since a failed check leaves the thread behind. */
typedef struct waker {
    backend_fixture *fixture;
    atomic_int asked, given;
    int rounds;
    helper_thread thread;
} waker;

static waker wakers[2];

/* Each time it is asked it waits until the other thread is most likely in the kernel, and wakes it. */
static void wake_when_asked(void *arg) {
    waker *self = arg;
    for (int round = 1; round <= self->rounds; round++) {
        while (atomic_load(&self->asked) < round)
            apr_thread_yield();
        ferry_thread_sleep(CONTRACT_MOMENT_US / 10);
        atomic_store(&self->given, round);
        wake(self->fixture);
    }
}

static void start_waker(waker *self, backend_fixture *fixture, void (*run)(void *), int rounds) {
    self->fixture = fixture;
    self->rounds = rounds;
    atomic_store(&self->asked, 0);
    atomic_store(&self->given, 0);
    thread_start(&self->thread, run, self);
}

void contract_wake_from_another_thread_ends_a_wait(const backend_kind *kind) {
    static backend_fixture f;
    if (!kind->has_threads)
        return;
    open_fixture(&f, kind);
    settle(&f);
    start_waker(&wakers[0], &f, wake_when_asked, WAKE_ROUNDS);
    for (int round = 1; round <= WAKE_ROUNDS; round++) {
        atomic_store(&wakers[0].asked, round);
        wait_until(&f, FERRY_FOREVER);
        CHECK_INT(atomic_load(&wakers[0].given), round);
    }
    thread_join(&wakers[0].thread);
    close_fixture(&f);
}

/* And each wakes one wait only: nothing is left over that would make the next one spin. */
void contract_wake_works_again_and_again(const backend_kind *kind) {
    backend_fixture f;
    open_fixture(&f, kind);
    settle(&f);
    for (int round = 0; round < WAKE_ROUNDS; round++) {
        wake(&f);
        expect_early_return(&f);
        expect_full_wait(&f, CONTRACT_MOMENT_US / 10);
    }
    close_fixture(&f);
}

/* The second wait is long beside what it costs a slow system to sweep left-over wakes away. */
void contract_many_wakes_count_as_one(const backend_kind *kind) {
    backend_fixture f;
    open_fixture(&f, kind);
    settle(&f);
    for (int i = 0; i < WAKES; i++)
        wake(&f);
    expect_early_return(&f);
    expect_full_wait(&f, 20 * CONTRACT_MOMENT_US);
    close_fixture(&f);
}

/* Asks, wakes, and goes on once it has been heard. */
static void ask_and_wake(void *arg) {
    waker *self = arg;
    for (int round = 1; round <= self->rounds; round++) {
        atomic_store(&self->asked, round);
        wake(self->fixture);
        while (atomic_load(&self->given) < round)
            apr_thread_yield();
    }
}

/* A wake that got lost would leave a question unheard and the wait below at its deadline. */
void contract_two_threads_wake(const backend_kind *kind) {
    static backend_fixture f;
    if (!kind->has_threads)
        return;
    open_fixture(&f, kind);
    settle(&f);
    for (int i = 0; i < 2; i++)
        start_waker(&wakers[i], &f, ask_and_wake, WAKES);
    while (atomic_load(&wakers[0].given) < WAKES || atomic_load(&wakers[1].given) < WAKES) {
        expect_early_return(&f);
        for (int i = 0; i < 2; i++)
            atomic_store(&wakers[i].given, atomic_load(&wakers[i].asked));
    }
    for (int i = 0; i < 2; i++)
        thread_join(&wakers[i].thread);
    close_fixture(&f);
}
