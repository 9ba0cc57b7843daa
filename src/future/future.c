/* SPDX-License-Identifier: Apache-2.0 */
/* A future's life, its ending, and what may be read from it. Callbacks are in done_callback.c. */
#include "future/future.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/assert.h"

_Static_assert(sizeof(ferry_future) == 64, "a future fills one cache line");

/* ---- kinds ---- */

static void free_cell(ferry_future *future) {
    fy_loop_free_cell(future->loop, &future->loop->futures, future);
}

static const fy_future_class plain_class = {.free = free_cell};
static const fy_future_class *const classes[FY_FUTURE_CLASSED] = {
    [FY_FUTURE_PLAIN] = &plain_class,
    [FY_FUTURE_INNER] = &plain_class,
    [FY_FUTURE_GATHER] = &fy_gather_class,
    [FY_FUTURE_WAIT] = &fy_wait_class,
    [FY_FUTURE_SHIELD] = &fy_shield_class,
    [FY_FUTURE_WAIT_FOR] = &fy_wait_for_class,
};

/* A job's, an op's, a task's and those that bring their class along are the business of higher floors. */
static const fy_future_class *class_of(const ferry_future *future) {
    switch (future->kind) {
    case FY_FUTURE_CLASSED:
        return ((const fy_classed_future *)(const void *)future)->class;
    case FY_FUTURE_JOB:
        return future->loop->executors.future_class;
    case FY_FUTURE_OP:
        return future->loop->io.future_class;
    case FY_FUTURE_TASK:
        return future->loop->tasks.future_class;
    default:
        return classes[future->kind];
    }
}

ferry_future *fy_future_member(const ferry_future *future, size_t index) {
    const fy_future_class *future_class = class_of(future);
    return future_class->member ? future_class->member(future, index) : NULL;
}

/* ---- life ---- */

void fy_future_init(ferry_future *future, ferry_loop *loop, int kind, const char *origin) {
    future->outcome.kind = FY_VALUE_NONE;
    future->outcome.status = 0;
    fy_future_init_pending(future, loop, kind, origin);
}

void fy_future_init_pending(ferry_future *future, ferry_loop *loop, int kind, const char *origin) {
    future->loop = loop;
    future->refs = 1;
    future->state = FY_FUTURE_PENDING;
    future->kind = (uint8_t)kind;
    future->flags = 0;
    future->in_flight = false;
    future->callbacks = NULL;
    future->origin = origin;
}

static ferry_status create(ferry_loop *loop, int kind, const char *origin, ferry_future **ret_future) {
    ferry_future *future = fy_slab_alloc(&loop->futures);
    if (!future)
        return ENOMEM;
    fy_future_init(future, loop, kind, origin);
    *ret_future = future;
    return 0;
}

ferry_status fy_future_create_inner(ferry_loop *loop, const char *origin, ferry_future **ret_future) {
    return create(loop, FY_FUTURE_INNER, origin, ret_future);
}

ferry_status ferry_future_create_from(const char *origin, ferry_loop *loop, ferry_future **ret_future) {
    if (!loop || !ret_future)
        return EINVAL;
    ferry_status status = fy_loop_check(loop);
    return status ? status : create(loop, FY_FUTURE_PLAIN, origin, ret_future);
}

ferry_future *ferry_future_ref(ferry_future *future) {
    if (future)
        future->refs++;
    return future;
}

void fy_future_report_unseen_error(ferry_future *future) {
    if (future->looked_at || !fy_future_peek(future) || future->state == FY_FUTURE_CANCELLED)
        return;
    future->looked_at = true;
    const char *message = fy_outcome_message(&future->outcome);
    fy_loop_report(future->loop, &(ferry_report){.message = message ? message : "a future's error was never looked at",
                                                 .status = fy_future_peek(future),
                                                 .origin = future->origin,
                                                 .future = future});
}

static void drop_callbacks(ferry_handle *handle) {
    while (fy_handle_is_callback(handle)) {
        ferry_handle *next = handle->next;
        handle->place = FY_HANDLE_ENDED;
        ferry_handle_unref(handle);
        handle = next;
    }
}

/* One that has not simply succeeded. false: it is somebody's again. */
FY_NOINLINE static bool let_go(ferry_future *future) {
    if (future->state == FY_FUTURE_PENDING)
        drop_callbacks(future->callbacks);
    else if (future->state == FY_FUTURE_CANCELLED)
        fy_free(future->cancel_error);
    else if (fy_future_peek(future) && !future->looked_at) {
        /* The handler may look at the future, and even hold it for a moment. */
        future->refs = 1;
        fy_future_report_unseen_error(future);
        ferry_future_unref(future);
        return false;
    }
    return true;
}

FY_NOINLINE static void destroy(ferry_future *future) {
    bool has_succeeded = future->state == FY_FUTURE_DONE && !future->outcome.status;
    if (FY_UNLIKELY(!has_succeeded) && !let_go(future))
        return;
    if (FY_UNLIKELY(fy_outcome_owns(&future->outcome)))
        fy_outcome_clear(&future->outcome);
    future->state = FY_FUTURE_FREE;
    class_of(future)->free(future);
}

/* Nobody holds it, but its job is still out: the job's delivery will end it, run its callbacks and free it. What has
 * to be seen to by then: words that nobody will read, and a closed loop, which counts those that hold it. */
FY_NOINLINE static void abandon(ferry_future *future) {
    if (future->state == FY_FUTURE_CANCELLED) {
        fy_free(future->cancel_error);
        future->cancel_error = NULL;
    }
    if (!fy_loop_closed(future->loop))
        return;
    future->loop->jobs_abandoned++;
    if (future->loop->cells_hold)
        fy_loop_cell_gone(future->loop);
}

void fy_future_forget_callbacks(ferry_future *future) {
    if (future->state != FY_FUTURE_PENDING)
        return;
    drop_callbacks(future->callbacks);
    future->callbacks = NULL;
}

void ferry_future_unref(ferry_future *future) {
    if (!future)
        return;
    FY_ASSERT(future->state != FY_FUTURE_FREE && future->refs);
    FY_ASSERT(fy_loop_may_touch(future->loop));
    if (--future->refs)
        return;
    if (!future->in_flight)
        destroy(future);
    else if (FY_UNLIKELY(future->state == FY_FUTURE_CANCELLED || fy_loop_closed(future->loop)))
        abandon(future);
}

void ferry_future_unref_all(ferry_future **futures, size_t count) {
    for (size_t i = 0; futures && i < count; i++) {
        fy_future_fetch_ahead(futures, i, count);
        ferry_future_unref(futures[i]);
        futures[i] = NULL;
    }
}

/* ---- ending ---- */

static inline void post_callbacks(ferry_future *future, ferry_handle *handle) {
    ferry_loop *loop = future->loop;
    if (FY_UNLIKELY(fy_loop_closed(loop))) {
        drop_callbacks(handle);
        return;
    }
    const ferry_handle *gather = fy_gather_behind(handle);
    if (gather)
        fy_gather_post(gather, future);
    while (handle != gather) {
        ferry_handle *next = handle->next;
        if (handle->may_be_spared && fy_gather_spares(handle, future)) {
            fy_handle_release(handle);
        } else {
            handle->place = FY_HANDLE_QUEUED;
            future->refs++;
            fy_ready_push_handle(&loop->ready, handle);
        }
        handle = next;
    }
}

void fy_future_finish(ferry_future *future) {
    ferry_handle *callbacks = future->callbacks;
    future->callbacks = NULL;
    future->state = FY_FUTURE_DONE;
    post_callbacks(future, callbacks);
}

void fy_future_finish_cancelled(ferry_future *future, const char *message) {
    ferry_handle *callbacks = future->callbacks;
    future->state = FY_FUTURE_CANCELLED;
    future->cancel_error = message ? fy_error_create(NULL, message) : NULL;
    post_callbacks(future, callbacks);
}

void fy_future_finish_as(ferry_future *future, const ferry_future *other) {
    if (other->state == FY_FUTURE_DONE)
        fy_outcome_borrow(&future->outcome, &other->outcome);
    else
        fy_outcome_set_error(&future->outcome, fy_future_peek(other),
                             fy_error_create(NULL, fy_future_peek_message(other)));
    fy_future_finish(future);
}

void fy_future_finish_timed_out(ferry_future *future) {
    ferry_handle *callbacks = future->callbacks;
    future->callbacks = NULL;
    future->state = FY_FUTURE_TIMED_OUT;
    post_callbacks(future, callbacks);
}

/* Whether the user may end it now. */
static ferry_status may_resolve(const ferry_future *future) {
    if (!future)
        return EINVAL;
    if (!fy_loop_may_touch(future->loop))
        return FERRY_EWRONGTHREAD;
    bool may = future->state == FY_FUTURE_PENDING && future->kind == FY_FUTURE_PLAIN;
    return may ? 0 : FERRY_EINVALIDSTATE;
}

ferry_status ferry_future_set_result(ferry_future *future) {
    ferry_status status = may_resolve(future);
    if (!status)
        fy_future_finish(future);
    return status;
}

ferry_status ferry_future_set_integer(ferry_future *future, int64_t value) {
    ferry_status status = may_resolve(future);
    if (status)
        return status;
    fy_outcome_set_integer(&future->outcome, value);
    fy_future_finish(future);
    return 0;
}

ferry_status ferry_future_set_real(ferry_future *future, double value) {
    ferry_status status = may_resolve(future);
    if (status)
        return status;
    fy_outcome_set_real(&future->outcome, value);
    fy_future_finish(future);
    return 0;
}

ferry_status ferry_future_set_pointer(ferry_future *future, void *pointer, ferry_free *free) {
    ferry_status status = may_resolve(future);
    if (status)
        return status;
    fy_outcome_set_pointer(&future->outcome, pointer, free);
    fy_future_finish(future);
    return 0;
}

ferry_status ferry_future_set_bytes(ferry_future *future, void *bytes, size_t size, ferry_free *free) {
    ferry_status status = may_resolve(future);
    if (status)
        return status;
    fy_outcome_set_bytes(&future->outcome, bytes, size, free);
    fy_future_finish(future);
    return 0;
}

ferry_status ferry_future_set_error(ferry_future *future, ferry_status error, const char *format, ...) {
    ferry_status status = error ? may_resolve(future) : EINVAL;
    if (status)
        return status;
    va_list args;
    va_start(args, format);
    fy_outcome_set_error(&future->outcome, error, fy_error_create_formatted(NULL, format, args));
    va_end(args);
    fy_future_finish(future);
    return 0;
}

bool ferry_future_cancel_with_message(ferry_future *future, const char *message) {
    if (!future || future->state != FY_FUTURE_PENDING)
        return false;
    FY_ASSERT(fy_loop_may_touch(future->loop));
    const fy_future_class *future_class = class_of(future);
    if (future_class->cancel)
        return future_class->cancel(future, message);
    fy_future_finish_cancelled(future, message);
    return true;
}

bool ferry_future_cancel(ferry_future *future) {
    return ferry_future_cancel_with_message(future, NULL);
}

/* ---- looking ---- */

bool ferry_future_done(const ferry_future *future) {
    return future && future->state != FY_FUTURE_PENDING;
}

bool ferry_future_cancelled(const ferry_future *future) {
    return future && future->state == FY_FUTURE_CANCELLED;
}

ferry_status fy_future_peek(const ferry_future *future) {
    switch (future->state) {
    case FY_FUTURE_DONE:
        return future->outcome.status;
    case FY_FUTURE_CANCELLED:
        return FERRY_ECANCELED;
    case FY_FUTURE_TIMED_OUT:
        return FERRY_ETIMEDOUT;
    default:
        return FERRY_EINVALIDSTATE;
    }
}

const char *fy_future_peek_message(const ferry_future *future) {
    if (future->state == FY_FUTURE_CANCELLED)
        return future->cancel_error ? future->cancel_error->message : NULL;
    return future->state == FY_FUTURE_DONE ? fy_outcome_message(&future->outcome) : NULL;
}

/* The outcome, where there is one to read; reading it is a look. */
static fy_outcome *look(ferry_future *future) {
    if (!future || future->state == FY_FUTURE_PENDING)
        return NULL;
    future->looked_at = true;
    return future->state == FY_FUTURE_DONE ? &future->outcome : NULL;
}

ferry_status ferry_future_status(ferry_future *future) {
    if (!future)
        return EINVAL;
    look(future);
    return fy_future_peek(future);
}

const char *ferry_future_message(ferry_future *future) {
    if (!future)
        return NULL;
    look(future);
    return fy_future_peek_message(future);
}

const char *ferry_future_worker(ferry_future *future) {
    fy_outcome *outcome = look(future);
    return outcome ? fy_outcome_worker(outcome) : NULL;
}

const char *ferry_future_origin(const ferry_future *future) {
    return future ? future->origin : NULL;
}

ferry_loop *ferry_future_loop(const ferry_future *future) {
    return future ? future->loop : NULL;
}

int64_t ferry_future_integer(ferry_future *future) {
    const fy_outcome *outcome = look(future);
    return outcome ? fy_outcome_integer(outcome) : 0;
}

double ferry_future_real(ferry_future *future) {
    const fy_outcome *outcome = look(future);
    return outcome ? fy_outcome_real(outcome) : 0.0;
}

void *ferry_future_pointer(ferry_future *future) {
    const fy_outcome *outcome = look(future);
    return outcome ? fy_outcome_pointer(outcome) : NULL;
}

const void *ferry_future_bytes(ferry_future *future, size_t *ret_size) {
    static const fy_outcome none = {.kind = FY_VALUE_NONE};
    const fy_outcome *outcome = look(future);
    return fy_outcome_bytes(outcome ? outcome : &none, ret_size);
}

ferry_status ferry_future_take_pointer(ferry_future *future, void **ret_pointer) {
    if (!future || !ret_pointer)
        return EINVAL;
    fy_outcome *outcome = look(future);
    return outcome ? fy_outcome_take_pointer(outcome, ret_pointer) : fy_future_peek(future);
}

ferry_status ferry_future_take_bytes(ferry_future *future, void **ret_bytes, size_t *ret_size) {
    if (!future || !ret_bytes)
        return EINVAL;
    fy_outcome *outcome = look(future);
    return outcome ? fy_outcome_take_bytes(outcome, ret_bytes, ret_size) : fy_future_peek(future);
}
