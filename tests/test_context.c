/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks of the port: going to and fro keeps what each side has on its stack and in its registers, the guard stops what
 * runs over, and memory goes back. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "seam/context.h"
#include "support/harness.h"

enum { STACK_BYTES = 128 * 1024, ROUNDS = 1000 };

static fy_context *own;

typedef struct visit {
    int calls;
    int limit;
    double sum;
} visit;

/* Counts its visits on its own stack, with integers and doubles that the compiler likes to keep in registers. */
static void count_visits(fy_context *self) {
    for (int calls = 0;;) {
        visit *what = self->owner;
        double sum = what->sum;
        calls++;
        what->calls = calls;
        what->sum = sum + calls * 0.5;
        fy_context_switch(self, own);
    }
}

static void two_stacks_take_turns(void) {
    visit visits[2] = {{0}};
    fy_context *contexts[2];
    CHECK_STATUS(fy_context_open_own(&own), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(fy_context_create(STACK_BYTES, count_visits, &contexts[i]), 0);
        CHECK(contexts[i]->stack_size >= STACK_BYTES);
        contexts[i]->owner = &visits[i];
    }
    for (int round = 1; round <= ROUNDS; round++)
        for (int i = 0; i < 2; i++) {
            fy_context_switch(own, contexts[i]);
            CHECK_INT(visits[i].calls, round);
        }
    CHECK(fabs(visits[1].sum - ROUNDS * (ROUNDS + 1) / 4.0) < 0.25);
    for (int i = 0; i < 2; i++)
        fy_context_destroy(contexts[i]);
    fy_context_close_own(own);
}

enum { DEEP_BYTES = 64 * 1024 };

static void touch_much(void) {
    volatile char room[DEEP_BYTES];
    for (size_t i = 0; i < sizeof room; i += 512)
        room[i] = 1;
}

static void (*volatile touch)(void) = touch_much; /* no compiler puts that frame into another */

static void go_deep(fy_context *self) {
    for (;;) {
        touch();
        fy_context_switch(self, own);
    }
}

static void what_was_touched_is_told_and_given_back(void) {
    fy_context *context;
    CHECK_STATUS(fy_context_open_own(&own), 0);
    CHECK_STATUS(fy_context_create(STACK_BYTES, go_deep, &context), 0);
    size_t before = fy_context_touched(context);
    fy_context_switch(own, context);
    size_t deep = fy_context_touched(context);
    if (before) { /* else this port cannot tell */
        CHECK(before <= 2 * 4096 || before < deep);
        CHECK(deep >= DEEP_BYTES);
        CHECK(deep <= context->stack_size);
        fy_context_trim(context, DEEP_BYTES / 4);
        CHECK(fy_context_touched(context) <= DEEP_BYTES / 2);
    }
    fy_context_switch(own, context); /* the frames that were in use are still there */
    fy_context_destroy(context);
    fy_context_close_own(own);
}

static void absurd_sizes_are_refused(void) {
    fy_context *context = NULL;
    CHECK(fy_context_create(SIZE_MAX, go_deep, &context) != 0);
    CHECK(fy_context_create(SIZE_MAX / 4, go_deep, &context) != 0);
    CHECK(!context);
    CHECK_STATUS(fy_context_open_own(&own), 0);
    CHECK_STATUS(fy_context_create(0, count_visits, &context), 0);
    CHECK(context->stack_size >= FY_STACK_MIN_BYTES);
    visit visits = {0};
    context->owner = &visits;
    fy_context_switch(own, context);
    CHECK_INT(visits.calls, 1);
    fy_context_destroy(context);
    fy_context_close_own(own);
}

static void many_stacks_live_side_by_side(void) {
    enum { MANY = 2000 };
    fy_context **contexts = calloc(MANY, sizeof *contexts);
    visit *visits = calloc(MANY, sizeof *visits);
    CHECK(contexts && visits);
    CHECK_STATUS(fy_context_open_own(&own), 0);
    for (int i = 0; i < MANY; i++) {
        CHECK_STATUS(fy_context_create(STACK_BYTES, count_visits, &contexts[i]), 0);
        contexts[i]->owner = &visits[i];
        fy_context_switch(own, contexts[i]);
    }
    for (int i = 0; i < MANY; i++) {
        fy_context_switch(own, contexts[i]);
        CHECK_INT(visits[i].calls, 2);
        fy_context_destroy(contexts[i]);
    }
    fy_context_close_own(own);
    free(visits);
    free(contexts);
}

static const fy_test tests[] = {
    FY_TEST(two_stacks_take_turns),
    FY_TEST(what_was_touched_is_told_and_given_back),
    FY_TEST(absurd_sizes_are_refused),
    FY_TEST(many_stacks_live_side_by_side),
};

FY_TEST_MAIN("context", tests)
