/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that wait for each other in a long chain: neither another one who waits for its end, nor a request that goes
 * down all of it, costs more than its links, in time or in stack. */
#include <stdlib.h>

#include "support/sanitized.h"
#include "support/tasks.h"

/* A sanitizer knows of few stacks at once; on the simulator each of many seeds has its turn. */
enum { LINKS = FY_SANITIZED ? 1000 : 10000, LINKS_OF_A_SEED = 200, LOOKS = 3000000, LOOKS_OF_A_SEED = 1000 };

typedef struct chain {
    ferry_loop *loop;
    ferry_future *end;
    ferry_task **links; /* each waits for the one before, the first one for the end */
    int count;
    int looks;
} chain;

typedef struct place {
    const chain *whole;
    int index;
} place;

static ferry_status await_the_one_before(void *arg, ferry_call *call) {
    const place *self = arg;
    (void)call;
    return ferry_await(self->index ? self->whole->links[self->index - 1] : self->whole->end);
}

static void begin_chain(chain *self) {
    ferry_loop *loop = new_loop();
    bool is_simulated = ferry_sim_is_simulated(loop);
    *self = (chain){.loop = loop, .end = new_future(loop), .count = is_simulated ? LINKS_OF_A_SEED : LINKS,
                    .looks = is_simulated ? LOOKS_OF_A_SEED : LOOKS};
    self->links = calloc((size_t)self->count, sizeof *self->links);
    CHECK(self->links);
    for (int i = 0; i < self->count; i++) {
        place here = {self, i};
        const ferry_task_options options = {FERRY_TASK_OPTIONS, .function = await_the_one_before, .arg = &here,
                                            .arg_size = sizeof here};
        CHECK_STATUS(ferry_task_create_with(loop, &options, &self->links[i]), 0);
    }
}

static ferry_task *last_of(const chain *self) {
    return self->links[self->count - 1];
}

static void end_chain(chain *self, ferry_status status) {
    for (int i = 0; i < self->count; i++)
        CHECK_STATUS(run_until(self->loop, self->links[i]), status);
    ferry_future_unref_all(self->links, (size_t)self->count);
    free(self->links);
    ferry_future_unref(self->end);
    end_loop(self->loop);
}

static ferry_status await_the_last_many_times(void *arg, ferry_call *call) {
    const chain *self = arg;
    ferry_future **lasts = malloc((size_t)self->looks * sizeof *lasts);
    (void)call;
    CHECK(lasts);
    for (int i = 0; i < self->looks; i++)
        lasts[i] = last_of(self);
    ferry_status status = ferry_await_all(lasts, (size_t)self->looks, 0);
    free(lasts);
    return status;
}

/* Would each of them walk it, this alone would take longer than all tests may. */
static void whoever_awaits_a_chain_does_not_walk_it(void) {
    chain self;
    begin_chain(&self);
    turn(self.loop);
    ferry_task *task = new_task(self.loop, await_the_last_many_times, &self);
    turn(self.loop);
    CHECK_STATUS(ferry_future_set_result(self.end), 0);
    CHECK_STATUS(run_until(self.loop, task), 0);
    ferry_future_unref(task);
    end_chain(&self, 0);
}

static ferry_status close_the_chain(void *arg, ferry_call *call) {
    const chain *self = arg;
    (void)call;
    CHECK_STATUS(ferry_sleep(0), 0);
    CHECK_STATUS(ferry_await(last_of(self)), FERRY_EDEADLK);
    CHECK_STATUS(ferry_await(ferry_current_task()), FERRY_EDEADLK);
    return 0;
}

static ferry_status no_callback(ferry_future *future, void *arg) {
    (void)future;
    (void)arg;
    return 0;
}

/* Also if somebody who is no task waits for its end, too, and did so first. */
static void circle_of_many_is_refused(void) {
    chain self;
    begin_chain(&self);
    ferry_task *task = new_task(self.loop, close_the_chain, &self);
    CHECK_STATUS(ferry_future_add_done_callback(task, no_callback, NULL, NULL), 0);
    ferry_future_unref(self.end);
    self.end = task;
    end_chain(&self, 0);
}

static ferry_status cancel_the_last(void *arg, ferry_call *call) {
    const chain *self = arg;
    (void)call;
    CHECK(ferry_future_cancel_with_message(last_of(self), "enough"));
    CHECK(ferry_future_cancelled(self->end));
    for (int i = 0; i < self->count; i++) {
        CHECK_INT(ferry_task_cancelling(self->links[i]), 1);
        CHECK(!ferry_future_done(self->links[i]));
    }
    return 0;
}

/* From a task, whose stack has no room for a call per link. */
static void request_goes_down_a_long_chain(void) {
    chain self;
    begin_chain(&self);
    turn(self.loop);
    CHECK_STATUS(run_task(self.loop, cancel_the_last, &self), 0);
    CHECK_STATUS(run_until(self.loop, last_of(&self)), FERRY_ECANCELED);
    CHECK_STRING(ferry_future_message(last_of(&self)), "enough");
    end_chain(&self, FERRY_ECANCELED);
}

static ferry_status await_a_gather_of(void *arg, ferry_call *call) {
    ferry_task *const *task = arg;
    ferry_future *gathered = NULL;
    (void)call;
    CHECK_STATUS(ferry_gather(ferry_running_loop(), task, 1, 0, &gathered), 0);
    ferry_status status = ferry_await(gathered);
    CHECK(ferry_future_cancelled(gathered));
    ferry_future_unref(gathered);
    return status;
}

/* The chain's end awaits a gather of its last one. Who waits for the one that was asked is who is interrupted. */
static void request_goes_round_a_circle_once(void) {
    chain self;
    begin_chain(&self);
    ferry_future_unref(self.end);
    self.end = new_task(self.loop, await_a_gather_of, &self.links[self.count - 1]);
    turn(self.loop);
    turn(self.loop);
    CHECK(ferry_future_cancel(self.links[0]));
    for (int i = 0; i < self.count; i++)
        CHECK_INT(ferry_task_cancelling(self.links[i]), 1);
    CHECK_INT(ferry_task_cancelling(self.end), 1);
    end_chain(&self, FERRY_ECANCELED);
}

static const fy_test tests[] = {
    FY_TEST(whoever_awaits_a_chain_does_not_walk_it),
    FY_TEST(circle_of_many_is_refused),
    FY_TEST(request_goes_down_a_long_chain),
    FY_TEST(request_goes_round_a_circle_once),
};

FY_TEST_MAIN("task_chain", tests)
