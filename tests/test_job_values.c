/* SPDX-License-Identifier: Apache-2.0 */
/* What a job's function answers with, and what becomes of it: numbers, pointers and bytes with their destructors,
 * errors with their sentences; and the job's own argument, given by pointer or copied. */
#include "support/alignment.h"
#include "support/manual.h"

#include <stdlib.h>

enum { SOME_ERROR = APR_OS_START_USERERR + 77 };

/* Values are freed through this, on the test's thread: these tests run their jobs by hand. */
static int frees;

static void counted_free(void *block) {
    frees++;
    free(block);
}

static char *text_of(const char *text) {
    char *copy = malloc(strlen(text) + 1);
    CHECK(copy != NULL);
    return strcpy(copy, text);
}

static ferry_status answer_real(void *arg, ferry_call *call) {
    (void)arg;
    return ferry_return_real(call, 2.5);
}

static ferry_status answer_pointer(void *arg, ferry_call *call) {
    return ferry_return_pointer(call, text_of(arg), counted_free);
}

static ferry_status answer_bytes(void *arg, ferry_call *call) {
    return ferry_return_bytes(call, text_of(arg), strlen(arg), counted_free);
}

static ferry_status answer_borrowed(void *arg, ferry_call *call) {
    return ferry_return_pointer(call, arg, NULL);
}

/* ---- each kind ---- */

static void check_no_value(ferry_job *job) {
    size_t size = 99;
    CHECK_INT(ferry_job_integer(job), 0);
    CHECK(ferry_job_real(job) >= 0.0 && ferry_job_real(job) <= 0.0);
    CHECK(ferry_job_pointer(job) == NULL);
    CHECK(ferry_job_bytes(job, &size) == NULL);
    CHECK_INT(size, 0);
}

static void integer_is_an_integer_only(void) {
    fy_manual manual;
    fy_manual_open(&manual);
    ferry_job *job = fy_manual_ran(&manual, fy_echo, (void *)(intptr_t)-42);
    CHECK_INT(ferry_job_integer(job), -42);
    CHECK(ferry_job_real(job) >= 0.0 && ferry_job_real(job) <= 0.0);
    CHECK(ferry_job_pointer(job) == NULL);
    CHECK(ferry_job_message(job) == NULL);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

static ferry_status answer_extreme(void *arg, ferry_call *call) {
    return ferry_return_integer(call, arg ? INT64_MAX : INT64_MIN);
}

static void integers_keep_all_their_bits(void) {
    fy_manual manual;
    fy_manual_open(&manual);
    ferry_job *job = fy_manual_ran(&manual, answer_extreme, NULL);
    CHECK(ferry_job_integer(job) == INT64_MIN);
    ferry_job_unref(job);
    job = fy_manual_ran(&manual, answer_extreme, &manual);
    CHECK(ferry_job_integer(job) == INT64_MAX);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

static void real_is_a_real_only(void) {
    fy_manual manual;
    fy_manual_open(&manual);
    ferry_job *job = fy_manual_ran(&manual, answer_real, NULL);
    CHECK(ferry_job_real(job) >= 2.5 && ferry_job_real(job) <= 2.5);
    CHECK_INT(ferry_job_integer(job), 0);
    CHECK(ferry_job_pointer(job) == NULL);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

static void job_without_a_value_has_none(void) {
    fy_manual manual;
    fy_manual_open(&manual);
    ferry_job *job = fy_manual_ran(&manual, fy_nothing, NULL);
    CHECK_STATUS(ferry_job_status(job), 0);
    check_no_value(job);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

static void pending_job_has_no_value(void) {
    fy_manual manual;
    ferry_job *job;
    void *pointer = &manual;
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_executor_submit(manual.executor, answer_pointer, "late", &job), 0);
    check_no_value(job);
    CHECK_STATUS(ferry_job_take_pointer(job, &pointer), FERRY_EINVALIDSTATE);
    CHECK(pointer == &manual);
    fy_manual_run_all(&manual, NULL);
    CHECK_STRING(ferry_job_pointer(job), "late");
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

static void pointer_dies_with_the_job(void) {
    fy_manual manual;
    fy_manual_open(&manual);
    frees = 0;
    ferry_job *job = fy_manual_ran(&manual, answer_pointer, "hello");
    CHECK_STRING(ferry_job_pointer(job), "hello");
    CHECK_STRING(ferry_job_pointer(job), "hello");
    CHECK_INT(ferry_job_integer(job), 0);
    CHECK_INT(frees, 0);
    ferry_job_unref(job);
    CHECK_INT(frees, 1);
    fy_manual_close(&manual);
}

static void pointer_without_a_free_is_left_alone(void) {
    fy_manual manual;
    fy_manual_open(&manual);
    ferry_job *job = fy_manual_ran(&manual, answer_borrowed, &manual);
    CHECK(ferry_job_pointer(job) == &manual);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

static void taken_pointer_is_the_callers(void) {
    fy_manual manual;
    void *taken = NULL, *again = NULL;
    fy_manual_open(&manual);
    frees = 0;
    ferry_job *job = fy_manual_ran(&manual, answer_pointer, "mine");
    CHECK_STATUS(ferry_job_take_pointer(job, &taken), 0);
    CHECK_STRING(taken, "mine");
    CHECK(ferry_job_pointer(job) == NULL);
    ferry_job_take_pointer(job, &again);
    CHECK(again == NULL);
    ferry_job_unref(job);
    CHECK_INT(frees, 0);
    CHECK_STRING(taken, "mine");
    free(taken);
    fy_manual_close(&manual);
}

static void bytes_die_with_the_job(void) {
    fy_manual manual;
    size_t size = 0;
    fy_manual_open(&manual);
    frees = 0;
    ferry_job *job = fy_manual_ran(&manual, answer_bytes, "seven b");
    CHECK(memcmp(ferry_job_bytes(job, &size), "seven b", 7) == 0);
    CHECK_INT(size, 7);
    CHECK(ferry_job_bytes(job, NULL) != NULL);
    CHECK_INT(frees, 0);
    ferry_job_unref(job);
    CHECK_INT(frees, 1);
    fy_manual_close(&manual);
}

static void taken_bytes_are_the_callers(void) {
    fy_manual manual;
    void *bytes = NULL, *again = NULL;
    size_t size = 0;
    fy_manual_open(&manual);
    frees = 0;
    ferry_job *job = fy_manual_ran(&manual, answer_bytes, "bytes");
    CHECK_STATUS(ferry_job_take_bytes(job, &bytes, &size), 0);
    CHECK_INT(size, 5);
    CHECK(memcmp(bytes, "bytes", 5) == 0);
    CHECK(ferry_job_bytes(job, NULL) == NULL);
    ferry_job_take_bytes(job, &again, &size);
    CHECK(again == NULL);
    ferry_job_unref(job);
    CHECK_INT(frees, 0);
    free(bytes);
    fy_manual_close(&manual);
}

static void taking_another_kind_is_refused(void) {
    fy_manual manual;
    void *taken = NULL;
    size_t size = 0;
    fy_manual_open(&manual);
    frees = 0;
    ferry_job *job = fy_manual_ran(&manual, fy_echo, NULL);
    CHECK_STATUS(ferry_job_take_pointer(job, &taken), FERRY_EWRONGTYPE);
    CHECK_STATUS(ferry_job_take_bytes(job, &taken, &size), FERRY_EWRONGTYPE);
    ferry_job_unref(job);
    job = fy_manual_ran(&manual, answer_pointer, "pointer");
    CHECK_STATUS(ferry_job_take_bytes(job, &taken, &size), FERRY_EWRONGTYPE);
    CHECK_STRING(ferry_job_pointer(job), "pointer");
    ferry_job_unref(job);
    job = fy_manual_ran(&manual, fy_unlucky, NULL);
    CHECK_STATUS(ferry_job_take_pointer(job, &taken), APR_EGENERAL);
    ferry_job_unref(job);
    CHECK(taken == NULL);
    CHECK_INT(frees, 1);
    fy_manual_close(&manual);
}

static ferry_status answer_twice(void *arg, ferry_call *call) {
    CHECK_STATUS(ferry_return_pointer(call, text_of("first"), counted_free), 0);
    CHECK_STATUS(ferry_return_bytes(call, text_of("second"), 6, counted_free), 0);
    return arg ? ferry_return_pointer(call, text_of(arg), counted_free) : ferry_return_integer(call, 3);
}

static void replaced_value_is_freed(void) {
    fy_manual manual;
    fy_manual_open(&manual);
    frees = 0;
    ferry_job *job = fy_manual_ran(&manual, answer_twice, "third");
    CHECK_STRING(ferry_job_pointer(job), "third");
    CHECK_INT(frees, 2);
    ferry_job_unref(job);
    CHECK_INT(frees, 3);
    job = fy_manual_ran(&manual, answer_twice, NULL);
    CHECK_INT(ferry_job_integer(job), 3);
    CHECK(ferry_job_pointer(job) == NULL);
    ferry_job_unref(job);
    CHECK_INT(frees, 5);
    fy_manual_close(&manual);
}

static void value_nobody_asked_for_is_freed(void) {
    fy_manual manual;
    fy_manual_open(&manual);
    frees = 0;
    CHECK_STATUS(ferry_executor_submit(manual.executor, answer_pointer, "unseen", NULL), 0);
    CHECK_INT(fy_manual_run_all(&manual, NULL), 1);
    CHECK_INT(frees, 1);
    fy_manual_close(&manual);
}

/* ---- errors ---- */

static ferry_status answer_then_fail(void *arg, ferry_call *call) {
    CHECK_STATUS(ferry_return_pointer(call, text_of("wasted"), counted_free), 0);
    return arg ? ferry_return_error(call, SOME_ERROR, "no %s today", (const char *)arg) : SOME_ERROR;
}

static void error_has_status_sentence_and_worker(void) {
    fy_manual manual;
    fy_manual_open(&manual);
    ferry_job *job = fy_manual_ran(&manual, fy_unlucky, (void *)(intptr_t)13);
    CHECK_STATUS(ferry_job_status(job), APR_EGENERAL);
    CHECK_STATUS(ferry_job_result(job, FERRY_FOREVER), APR_EGENERAL);
    CHECK_INT(ferry_job_get_state(job), FERRY_JOB_FINISHED);
    CHECK_STRING(ferry_job_message(job), "unlucky number 13");
    CHECK_STRING(ferry_job_worker(job), "hand_0");
    check_no_value(job);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

static void value_before_an_error_is_freed(void) {
    fy_manual manual;
    fy_manual_open(&manual);
    frees = 0;
    ferry_job *job = fy_manual_ran(&manual, answer_then_fail, "milk");
    CHECK_STATUS(ferry_job_status(job), SOME_ERROR);
    CHECK_STRING(ferry_job_message(job), "no milk today");
    check_no_value(job);
    ferry_job_unref(job);
    CHECK_INT(frees, 1);
    job = fy_manual_ran(&manual, answer_then_fail, NULL);
    CHECK_STATUS(ferry_job_status(job), SOME_ERROR);
    CHECK(ferry_job_message(job) == NULL);
    check_no_value(job);
    ferry_job_unref(job);
    CHECK_INT(frees, 2);
    fy_manual_close(&manual);
}

static ferry_status fail_with_zero(void *arg, ferry_call *call) {
    return ferry_return_error(call, 0, "%s", (const char *)arg);
}

static void error_of_status_zero_is_a_general_error(void) {
    fy_manual manual;
    fy_manual_open(&manual);
    ferry_job *job = fy_manual_ran(&manual, fail_with_zero, "none the less");
    CHECK_STATUS(ferry_job_status(job), APR_EGENERAL);
    CHECK_STRING(ferry_job_message(job), "none the less");
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

static void long_sentence_harms_nothing(void) {
    static char sentence[20000];
    fy_manual manual;
    fy_manual_open(&manual);
    memset(sentence, 'x', sizeof sentence - 1);
    ferry_job *job = fy_manual_ran(&manual, fail_with_zero, sentence);
    CHECK_STATUS(ferry_job_status(job), APR_EGENERAL);
    CHECK(ferry_job_message(job) != NULL);
    CHECK(strncmp(ferry_job_message(job), sentence, 100) == 0);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

static void origin_is_the_line_that_submitted(void) {
    fy_manual manual;
    ferry_job *job;
    fy_manual_open(&manual);
    const char *here = FERRY_HERE; CHECK_STATUS(ferry_executor_submit(manual.executor, fy_nothing, NULL, &job), 0);
    CHECK_STRING(ferry_job_origin(job), here);
    fy_manual_run_all(&manual, NULL);
    CHECK_STRING(ferry_job_origin(job), here);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

static ferry_status copy_worker_name(void *arg, ferry_call *call) {
    snprintf(arg, 32, "%s", ferry_call_worker(call));
    return 0;
}

static void worker_is_named_to_the_function(void) {
    fy_manual manual;
    char name[32] = "untouched";
    fy_manual_open(&manual);
    ferry_job_unref(fy_manual_ran(&manual, copy_worker_name, name));
    CHECK_STRING(name, "hand_0");
    CHECK_STATUS(ferry_executor_submit(manual.executor, copy_worker_name, name, NULL), 0);
    fy_manual_run_all(&manual, NULL);
    CHECK_STRING(name, "");
    fy_manual_close(&manual);
}

/* ---- arguments ---- */

typedef struct point {
    _Alignas(fy_max_align) int x;
    char padding[200];
    int y;
} point;

static void *freed_copy;

static void note_copy(void *copy) {
    frees++;
    freed_copy = copy;
}

static ferry_status add_up(void *arg, ferry_call *call) {
    point *self = arg;
    CHECK_INT((uintptr_t)self % _Alignof(fy_max_align), 0);
    CHECK_INT(self->padding[199], 'p');
    CHECK_INT(ferry_call_arg_size(call), sizeof *self);
    return ferry_return_integer(call, self->x + self->y);
}

static void copied_argument_is_independent_of_the_original(void) {
    fy_manual manual;
    ferry_job *job;
    point original = {.x = 40, .y = 2};
    original.padding[199] = 'p';
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = add_up, .arg = &original,
                                 .arg_size = sizeof original, .arg_free = note_copy};
    fy_manual_open(&manual);
    frees = 0;
    CHECK_STATUS(ferry_executor_submit_with(manual.executor, &options, &job), 0);
    memset(&original, 0xff, sizeof original);
    fy_manual_run_all(&manual, NULL);
    CHECK_STATUS(ferry_job_status(job), 0);
    CHECK_INT(ferry_job_integer(job), 42);
    ferry_job_unref(job);
    fy_manual_close(&manual);
    CHECK_INT(frees, 1);
    CHECK(freed_copy != NULL && freed_copy != &original);
}

static void copies_of_any_size_are_aligned(void) {
    fy_manual manual;
    char bytes[300];
    fy_manual_open(&manual);
    memset(bytes, 'b', sizeof bytes);
    for (size_t size = 1; size <= sizeof bytes; size++) {
        ferry_job_options options = {FERRY_JOB_OPTIONS, .function = fy_nothing, .arg = bytes, .arg_size = size,
                                     .arg_free = note_copy};
        frees = 0;
        CHECK_STATUS(ferry_executor_submit_with(manual.executor, &options, NULL), 0);
        CHECK_INT(fy_manual_run_all(&manual, NULL), 1);
        CHECK_INT(frees, 1);
        CHECK_INT((uintptr_t)freed_copy % _Alignof(fy_max_align), 0);
    }
    fy_manual_close(&manual);
}

static ferry_status answer_arg_size(void *arg, ferry_call *call) {
    (void)arg;
    return ferry_return_integer(call, (int64_t)ferry_call_arg_size(call));
}

static void check_pointer_has_no_size(ferry_free *arg_free) {
    fy_manual manual;
    ferry_job *job;
    char block[100];
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = answer_arg_size, .arg = block, .arg_free = arg_free};
    fy_manual_open(&manual);
    CHECK_STATUS(ferry_executor_submit_with(manual.executor, &options, &job), 0);
    CHECK_INT(fy_manual_run_all(&manual, NULL), 1);
    CHECK_STATUS(ferry_job_status(job), 0);
    CHECK_INT(ferry_job_integer(job), 0);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

static void argument_that_is_a_pointer_has_no_size(void) {
    check_pointer_has_no_size(NULL);
    check_pointer_has_no_size(note_copy);
}

/* The argument ends with the job's run, also while somebody still holds the job. */
static void check_argument_freed(ferry_status answer, bool held) {
    fy_manual manual;
    fy_tracked tracked = {.answer = answer};
    ferry_job *job = NULL;
    fy_manual_open(&manual);
    ferry_job_options options = fy_tracked_options(&tracked);
    CHECK_STATUS(ferry_executor_submit_with(manual.executor, &options, held ? &job : NULL), 0);
    CHECK_INT(tracked.freed, 0);
    fy_manual_run_all(&manual, NULL);
    CHECK_INT(tracked.ran, 1);
    CHECK_INT(tracked.freed, 1);
    ferry_job_unref(job);
    fy_manual_close(&manual);
    CHECK_INT(tracked.freed, 1);
    CHECK(tracked.freed_by == fy_this_thread());
}

static void argument_is_freed_once_where_the_job_ended(void) {
    check_argument_freed(0, true);
    check_argument_freed(0, false);
    check_argument_freed(SOME_ERROR, true);
    check_argument_freed(SOME_ERROR, false);
}

static void argument_of_a_dropped_job_is_freed_once(void) {
    fy_manual manual;
    fy_tracked tracked = {0};
    ferry_job *job;
    fy_manual_open(&manual);
    ferry_job_options options = fy_tracked_options(&tracked);
    CHECK_STATUS(ferry_executor_submit_with(manual.executor, &options, &job), 0);
    ferry_job_drop(fy_manual_take(&manual));
    CHECK_INT(tracked.freed, 1);
    CHECK_STATUS(ferry_job_status(job), FERRY_ECANCELED);
    ferry_job_unref(job);
    fy_manual_close(&manual);
    CHECK_INT(tracked.freed, 1);
    CHECK_INT(tracked.ran, 0);
}

static const fy_test tests[] = {
    FY_TEST(integer_is_an_integer_only),
    FY_TEST(integers_keep_all_their_bits),
    FY_TEST(real_is_a_real_only),
    FY_TEST(job_without_a_value_has_none),
    FY_TEST(pending_job_has_no_value),
    FY_TEST(pointer_dies_with_the_job),
    FY_TEST(pointer_without_a_free_is_left_alone),
    FY_TEST(taken_pointer_is_the_callers),
    FY_TEST(bytes_die_with_the_job),
    FY_TEST(taken_bytes_are_the_callers),
    FY_TEST(taking_another_kind_is_refused),
    FY_TEST(replaced_value_is_freed),
    FY_TEST(value_nobody_asked_for_is_freed),
    FY_TEST(error_has_status_sentence_and_worker),
    FY_TEST(value_before_an_error_is_freed),
    FY_TEST(error_of_status_zero_is_a_general_error),
    FY_TEST(long_sentence_harms_nothing),
    FY_TEST(origin_is_the_line_that_submitted),
    FY_TEST(worker_is_named_to_the_function),
    FY_TEST(copied_argument_is_independent_of_the_original),
    FY_TEST(copies_of_any_size_are_aligned),
    FY_TEST(argument_that_is_a_pointer_has_no_size),
    FY_TEST(argument_is_freed_once_where_the_job_ended),
    FY_TEST(argument_of_a_dropped_job_is_freed_once),
};

FY_TEST_MAIN("job_values", tests)
