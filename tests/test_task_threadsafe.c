/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that other threads ask for, and the jobs that tell of them. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "ferry/run.h"
#include "support/jobs.h"
#include "support/reports.h"
#include "support/tasks.h"
#include "support/threads.h"

/* A loop that runs, and what another thread does to it meanwhile. */
typedef struct play {
    ferry_loop *loop;
    void (*act)(struct play *self);
    atomic_int began, ended, freed;
} play;

static ferry_job *ask(play *self, ferry_function *function) {
    ferry_job *job = NULL;
    CHECK_STATUS(ferry_run_coroutine_threadsafe(self->loop, function, self, &job), 0);
    return job;
}

static void act_and_stop(void *arg) {
    play *self = arg;
    self->act(self);
    CHECK_STATUS(ferry_call_soon_threadsafe(self->loop, stop_loop, self->loop, NULL), 0);
}

static void play_on(play *self, ferry_loop *loop, void (*act)(play *self)) {
    helper_thread thread;
    self->loop = loop;
    self->act = act;
    thread_start(&thread, act_and_stop, self);
    run_forever(loop);
    thread_join(&thread);
}

static void play_through(void (*act)(play *self)) {
    play self = {0};
    ferry_loop *loop = new_loop();
    play_on(&self, loop, act);
    CHECK_INT(ferry_all_tasks(loop, NULL, 0), 0);
    end_loop(loop);
    CHECK_INT(atomic_load(&self.began), atomic_load(&self.ended));
}

/* ---- outcomes ---- */

static ferry_status add_after_a_sleep(void *arg, ferry_call *call) {
    play *self = arg;
    CHECK(ferry_running_loop() == self->loop);
    CHECK(ferry_current_task());
    CHECK_STATUS(ferry_sleep(1000), 0);
    return ferry_return_integer(call, 3);
}

static void wait_for_a_number(play *self) {
    ferry_job *job = ask(self, add_after_a_sleep);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), 0);
    CHECK_INT(ferry_job_integer(job), 3);
    CHECK(strstr(ferry_job_origin(job), "test_task_threadsafe.c"));
    ferry_job_unref(job);
}

/* TS-005 */
static void job_ends_with_the_tasks_value(void) {
    play_through(wait_for_a_number);
}

static void free_play(void *arg) {
    atomic_fetch_add(&((play *)arg)->freed, 1);
}

static ferry_status return_pointer(void *arg, ferry_call *call) {
    return ferry_return_pointer(call, arg, free_play);
}

static ferry_status return_bytes(void *arg, ferry_call *call) {
    return ferry_return_bytes(call, arg, sizeof(play), free_play);
}

static void take_values(play *self) {
    ferry_job *jobs[3] = {ask(self, return_pointer), ask(self, return_bytes), ask(self, return_pointer)};
    void *value = NULL;
    size_t size = 0;
    CHECK_STATUS(ferry_job_result(jobs[0], FERRY_FOREVER), 0);
    CHECK(ferry_job_pointer(jobs[0]) == self);
    CHECK_STATUS(ferry_job_take_pointer(jobs[0], &value), 0);
    CHECK(value == self);
    CHECK_STATUS(ferry_job_result(jobs[1], FERRY_FOREVER), 0);
    CHECK_STATUS(ferry_job_take_bytes(jobs[1], &value, &size), 0);
    CHECK_INT(size, sizeof(play));
    CHECK_STATUS(ferry_job_result(jobs[2], FERRY_FOREVER), 0);
    CHECK_INT(atomic_load(&self->freed), 0);
    ferry_job_unref_all(jobs, 3);
    FY_AWAIT(atomic_load(&self->freed)); /* by whoever lets go last */
    CHECK_INT(atomic_load(&self->freed), 1);
}

static void value_moves_into_the_job(void) {
    play_through(take_values);
}

static ferry_status fail(void *arg, ferry_call *call) {
    (void)arg;
    return ferry_return_error(call, FERRY_EFULL, "no room for %d", 7);
}

static void wait_for_an_error(play *self) {
    ferry_job *job = ask(self, fail);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), FERRY_EFULL);
    CHECK_STRING(ferry_job_message(job), "no room for 7");
    CHECK_INT(ferry_job_get_state(job), FERRY_JOB_FINISHED);
    ferry_job_unref(job);
}

/* TS-006 */
static void job_ends_with_the_tasks_error(void) {
    play_through(wait_for_an_error);
}

static void ask_for_nothing(play *self) {
    CHECK_STATUS(ferry_run_coroutine_threadsafe(self->loop, fail, self, NULL), 0);
    wait_for_a_number(self);
}

static void error_that_nobody_asks_for_is_reported(void) {
    play self = {0};
    report_log log = {0};
    ferry_loop *loop = new_loop();
    CHECK_STATUS(ferry_loop_set_exception_handler(loop, keep_report, &log), 0);
    play_on(&self, loop, ask_for_nothing);
    CHECK_INT(log.count, 1);
    CHECK_STRING(log.all[0].message, "no room for 7");
    end_loop(loop);
}

/* ---- options ---- */

typedef struct order {
    play *of;
    int number;
} order;

static void free_order(void *arg) {
    const order *given = arg;
    CHECK(ferry_running_loop() == given->of->loop);
    CHECK_INT(given->number, 7);
    atomic_fetch_add(&given->of->freed, 1);
}

static ferry_status take_order(void *arg, ferry_call *call) {
    const order *given = arg;
    CHECK_STRING(ferry_task_name(ferry_current_task()), "taker");
    CHECK_INT(ferry_call_arg_size(call), sizeof *given);
    CHECK_STATUS(ferry_sleep(0), 0);
    CHECK_INT(atomic_load(&given->of->freed), 0);
    return ferry_return_integer(call, given->number);
}

static void give_an_order(play *self) {
    order given = {self, 7};
    char name[] = "taker";
    ferry_task_options options = {FERRY_TASK_OPTIONS, .function = take_order, .arg = &given, .arg_size = sizeof given,
                                  .arg_free = free_order, .name = name, .stack_size = 65536};
    ferry_job *job = NULL;
    CHECK_STATUS(ferry_run_coroutine_threadsafe_with(self->loop, &options, &job), 0);
    given.number = 0;
    name[0] = '\0';
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), 0);
    CHECK_INT(ferry_job_integer(job), 7);
    CHECK_INT(atomic_load(&self->freed), 1);
    ferry_job_unref(job);
}

static void options_are_copied_and_the_argument_is_freed_on_the_loop(void) {
    play_through(give_an_order);
}

/* ---- cancelling ---- */

static ferry_status sleep_long(void *arg, ferry_call *call) {
    play *self = arg;
    (void)call;
    atomic_fetch_add(&self->began, 1);
    ferry_status status = ferry_sleep(ferry_sim_is_simulated(self->loop) ? FERRY_FOREVER : AN_HOUR_US);
    CHECK_STATUS(ferry_sleep(0), 0);
    atomic_fetch_add(&self->ended, 1);
    return status;
}

static void time_out_and_cancel(play *self) {
    ferry_job *job = ask(self, sleep_long);
    FY_AWAIT(atomic_load(&self->began));
    CHECK_STATUS(ferry_job_wait(job, 1000), FERRY_ETIMEDOUT);
    CHECK_INT(ferry_job_get_state(job), FERRY_JOB_PENDING);
    CHECK(ferry_job_cancel(job));
    CHECK(ferry_job_cancel(job));
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), FERRY_ECANCELED);
    FY_AWAIT(atomic_load(&self->ended));
    ferry_job_unref(job);
}

/* TS-007 */
static void job_that_is_cancelled_cancels_the_task(void) {
    play_through(time_out_and_cancel);
}

static ferry_status cancel_oneself(void *arg, ferry_call *call) {
    (void)arg;
    CHECK(ferry_future_cancel_with_message(ferry_current_task(), "enough"));
    return ferry_return_integer(call, 3);
}

static void wait_for_a_cancelled_one(play *self) {
    ferry_job *job = ask(self, cancel_oneself);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), FERRY_ECANCELED);
    CHECK(ferry_job_cancelled(job));
    CHECK_INT(ferry_job_integer(job), 0);
    ferry_job_unref(job);
}

/* TS-008 */
static void task_that_is_cancelled_cancels_the_job(void) {
    play_through(wait_for_a_cancelled_one);
}

static ferry_status never(void *arg, ferry_call *call) {
    (void)call;
    CHECK(!arg);
    return 0;
}

static void job_cancelled_before_its_task_has_begun_has_none(void) {
    play self = {.loop = new_loop()};
    ferry_job *job = ask(&self, never);
    CHECK(ferry_job_cancel(job));
    turn(self.loop);
    CHECK_INT(ferry_all_tasks(self.loop, NULL, 0), 0);
    ferry_job_unref(job);
    job = ask(&self, sleep_long);
    turn(self.loop);
    CHECK_INT(atomic_load(&self.began), 1);
    ferry_job *mine = ferry_job_ref(job);
    ferry_job_unref(job);
    CHECK(ferry_job_cancel(mine));
    ferry_job_unref(mine); /* the task is cancelled all the same */
    for (int i = 0; i < 4; i++)
        turn(self.loop);
    CHECK_INT(atomic_load(&self.ended), 1);
    end_loop(self.loop);
}

static ferry_job *ask_for_nobody(play *self) {
    const ferry_task_options options = {FERRY_TASK_OPTIONS, .function = never, .arg = self, .arg_free = free_play};
    ferry_job *job = NULL;
    CHECK_STATUS(ferry_run_coroutine_threadsafe_with(self->loop, &options, &job), 0);
    return job;
}

static void argument_of_a_task_that_never_began_is_freed_once(void) {
    play self = {.loop = new_loop()};
    ferry_job *job = ask_for_nobody(&self);
    CHECK(ferry_job_cancel(job));
    turn(self.loop);
    CHECK_INT(atomic_load(&self.freed), 1);
    ferry_job_unref(job);
    job = ask_for_nobody(&self);
    end_loop(self.loop);
    CHECK_INT(atomic_load(&self.freed), 2);
    CHECK_STATUS(ferry_job_status(job), FERRY_ECLOSED);
    ferry_job_unref(job);
}

/* ---- the end of the loop ---- */

static void refused_options_leave_the_argument(void) {
    play self = {.loop = new_loop()};
    ferry_context *context = NULL;
    ferry_job *job = NULL;
    ferry_task_options options = {FERRY_TASK_OPTIONS, .function = never, .arg = &self, .arg_free = free_play};
    CHECK_STATUS(ferry_run_coroutine_threadsafe_with(self.loop, NULL, &job), EINVAL);
    options.eager = true;
    CHECK_STATUS(ferry_run_coroutine_threadsafe_with(self.loop, &options, &job), EINVAL);
    options.eager = false;
    CHECK_STATUS(ferry_context_copy(&context), 0);
    options.context = context;
    CHECK_STATUS(ferry_run_coroutine_threadsafe_with(self.loop, &options, &job), EINVAL);
    options.context = NULL;
    ferry_context_unref(context);
    options.stack_size = 1;
    CHECK_STATUS(ferry_run_coroutine_threadsafe_with(self.loop, &options, &job), EINVAL);
    options.stack_size = 0;
    CHECK_STATUS(ferry_loop_close(self.loop), 0);
    CHECK_STATUS(ferry_run_coroutine_threadsafe_with(self.loop, &options, &job), FERRY_ECLOSED);
    CHECK_INT(atomic_load(&self.freed), 0);
    CHECK(!job);
    ferry_loop_unref(self.loop);
}

static void closed_loop_refuses(void) {
    play self = {.loop = new_loop()};
    ferry_job *job = NULL;
    CHECK_STATUS(ferry_run_coroutine_threadsafe(NULL, never, NULL, &job), EINVAL);
    CHECK_STATUS(ferry_run_coroutine_threadsafe(self.loop, NULL, NULL, &job), EINVAL);
    CHECK_STATUS(ferry_loop_close(self.loop), 0);
    CHECK_STATUS(ferry_run_coroutine_threadsafe(self.loop, never, NULL, &job), FERRY_ECLOSED);
    CHECK(!job);
    ferry_loop_unref(self.loop);
}

static void loop_that_closes_first_is_the_jobs_outcome(void) {
    play self = {.loop = new_loop()};
    ferry_job *waiting = ask(&self, never), *cancelled = ask(&self, never);
    CHECK(ferry_job_cancel(cancelled)); /* its message comes in while the loop closes */
    CHECK_STATUS(ferry_loop_close(self.loop), 0);
    CHECK_STATUS(ferry_job_result(waiting, FERRY_FOREVER), FERRY_ECLOSED);
    CHECK(!ferry_job_cancel(waiting));
    ferry_loop_unref(self.loop);
    CHECK(ferry_job_cancelled(cancelled));
    ferry_job_unref(waiting);
    ferry_job_unref(cancelled);
}

static void task_that_ends_while_its_loop_closes_cancels_the_job(void) {
    play self = {.loop = new_loop()};
    ferry_job *job = ask(&self, sleep_long);
    turn(self.loop);
    end_loop(self.loop);
    CHECK_INT(atomic_load(&self.ended), 1);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), FERRY_ECANCELED);
    ferry_job_unref(job);
}

static ferry_status never_end(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    for (;;)
        if (!ferry_sleep(FERRY_FOREVER))
            return 0;
}

static void task_that_its_loop_gives_up_cancels_the_job(void) {
    play self = {.loop = new_loop()};
    report_log log = {0};
    CHECK_STATUS(ferry_loop_set_exception_handler(self.loop, keep_report, &log), 0);
    ferry_job *job = ask(&self, never_end);
    turn(self.loop);
    end_loop(self.loop);
    CHECK_INT(log.count, 1);
    CHECK_STATUS(ferry_job_status(job), FERRY_ECANCELED);
    CHECK(ferry_job_cancel(job));
    ferry_job_unref(job);
}

static void look_from_outside(void *arg) {
    CHECK_INT(ferry_all_tasks(arg, NULL, 0), 0);
}

static ferry_status look_from_inside_and_outside(void *arg, ferry_call *call) {
    (void)arg;
    (void)call;
    CHECK_INT(ferry_all_tasks(ferry_running_loop(), NULL, 0), 1);
    on_another_thread(look_from_outside, ferry_running_loop());
    return 0;
}

/* TS-011: a departure. What belongs to the loop's thread is not shown to others. */
static void tasks_are_listed_on_the_loops_thread_only(void) {
    ferry_loop *loop = new_loop();
    CHECK_STATUS(run_task(loop, look_from_inside_and_outside, NULL), 0);
    end_loop(loop);
}

/* ---- all at once ---- */

enum { THREADS = 4, ROUNDS = 200 };

static ferry_status take_two_turns(void *arg, ferry_call *call) {
    play *self = arg;
    atomic_fetch_add(&self->began, 1);
    ferry_status status = ferry_sleep(0);
    if (!status)
        status = ferry_sleep(10);
    atomic_fetch_add(&self->ended, 1);
    return status ? status : ferry_return_pointer(call, self, free_play);
}

static void ask_and_cancel(void *arg) {
    play *self = arg;
    for (int i = 0; i < ROUNDS; i++) {
        ferry_job *job = ask(self, take_two_turns);
        if (i % 3)
            ferry_thread_sleep(i % 7);
        bool was_cancelled = i % 2 && ferry_job_cancel(job);
        ferry_status status = ferry_job_result(job, FERRY_FOREVER);
        CHECK_STATUS(status, was_cancelled ? FERRY_ECANCELED : 0);
        if (!status)
            CHECK(ferry_job_pointer(job) == self);
        ferry_job_unref(job);
    }
}

static void ask_from_many_threads(play *self) {
    helper_thread threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        thread_start(&threads[i], ask_and_cancel, self);
    for (int i = 0; i < THREADS; i++)
        thread_join(&threads[i]);
}

static void many_threads_ask_and_cancel(void) {
    play self = {0};
    ferry_loop *loop = new_loop();
    play_on(&self, loop, ask_from_many_threads);
    end_loop(loop); /* ends the tasks whose jobs were cancelled last */
    CHECK_INT(atomic_load(&self.began), atomic_load(&self.ended));
    CHECK(atomic_load(&self.freed) >= THREADS * ROUNDS / 2);
}

/* ---- each on its own loop ---- */

static ferry_status see_itself_alone(void *arg, ferry_call *call) {
    (void)arg;
    for (int i = 0; i < 20; i++) {
        CHECK_INT(ferry_all_tasks(ferry_running_loop(), NULL, 0), 1);
        CHECK_STATUS(ferry_sleep(0), 0);
    }
    return ferry_return_integer(call, 1);
}

static void run_a_loop_of_its_own(void *arg) {
    ferry_loop *loop = NULL;
    ferry_task *task = NULL;
    (void)arg;
    CHECK_STATUS(ferry_loop_create(NULL, &loop), 0);
    CHECK_STATUS(ferry_task_create(loop, see_itself_alone, NULL, &task), 0);
    CHECK_STATUS(ferry_loop_run_until_complete(loop, task), 0);
    CHECK_INT(ferry_future_integer(task), 1);
    ferry_future_unref(task);
    CHECK_STATUS(ferry_loop_close(loop), 0);
    ferry_loop_unref(loop);
}

/* IN-001: what they share, they set up without a race */
static void loops_of_several_threads_have_tasks_of_their_own(void) {
    helper_thread helpers[THREADS];
    for (int i = 0; i < THREADS; i++)
        thread_start(&helpers[i], run_a_loop_of_its_own, NULL);
    for (int i = 0; i < THREADS; i++)
        thread_join(&helpers[i]);
}

static const fy_test tests[] = {
    FY_TEST(loops_of_several_threads_have_tasks_of_their_own), /* first: afterwards all is set up */
    FY_TEST(job_ends_with_the_tasks_value),
    FY_TEST(value_moves_into_the_job),
    FY_TEST(job_ends_with_the_tasks_error),
    FY_TEST(error_that_nobody_asks_for_is_reported),
    FY_TEST(options_are_copied_and_the_argument_is_freed_on_the_loop),
    FY_TEST(job_that_is_cancelled_cancels_the_task),
    FY_TEST(task_that_is_cancelled_cancels_the_job),
    FY_TEST(job_cancelled_before_its_task_has_begun_has_none),
    FY_TEST(argument_of_a_task_that_never_began_is_freed_once),
    FY_TEST(refused_options_leave_the_argument),
    FY_TEST(closed_loop_refuses),
    FY_TEST(loop_that_closes_first_is_the_jobs_outcome),
    FY_TEST(task_that_ends_while_its_loop_closes_cancels_the_job),
    FY_TEST(task_that_its_loop_gives_up_cancels_the_job),
    FY_TEST(tasks_are_listed_on_the_loops_thread_only),
    FY_TEST(many_threads_ask_and_cancel),
};

FY_TEST_MAIN("task_threadsafe", tests)
