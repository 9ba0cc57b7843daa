/* SPDX-License-Identifier: Apache-2.0 */
/* One future for several. It decides when the gather ends and as what; it refuses to know what its children are.
 *
 * Each child has one done callback here. Together they hold one reference to the gather, until the last of them has run
 * or the loop is closed: so nobody has to take them back, whoever lets go of the gather, and however early it ended.
 *
 * A child that succeeds decides nothing unless it is the last one. So it is counted as soon as it ends, and its
 * callback need not run. */
#include <errno.h>

#include "base/alloc.h"
#include "base/list.h"
#include "future/watch.h"

typedef struct gather {
    ferry_future future;
    fy_close_hook at_close;
    fy_error *cancel_words; /* of the latest request to cancel, or NULL */
    size_t count;
    size_t left;            /* callbacks that have neither run nor been counted */
    bool collects;          /* FERRY_RETURN_EXCEPTIONS */
    bool cancel_requested;
    bool met_errors;        /* that count as looked at once it ends */
    ferry_future *children[];
} gather;

static gather *from_future(ferry_future *future) {
    return (gather *)(void *)future;
}

/* ---- its end ---- */

/* The callbacks let go of it. */
static void let_go(fy_close_hook *hook) {
    gather *self = FY_CONTAINER(hook, gather, at_close);
    fy_loop_not_at_close(hook);
    ferry_future_unref(&self->future);
}

static void free_gather(ferry_future *future) {
    gather *self = from_future(future);
    ferry_loop *loop = future->loop;
    for (size_t i = 0; i < self->count; i++)
        ferry_future_unref(self->children[i]);
    fy_free(self->cancel_words);
    fy_free(self);
    fy_loop_release(loop);
}

static void finish_cancelled(gather *self) {
    fy_future_finish_cancelled(&self->future, self->cancel_words ? self->cancel_words->message : NULL);
}

static void finish_with_all(gather *self) {
    for (size_t i = 0; self->met_errors && i < self->count; i++)
        self->children[i]->looked_at = true;
    if (self->cancel_requested) {
        finish_cancelled(self);
        return;
    }
    fy_outcome_set_integer(&self->future.outcome, (int64_t)self->count);
    fy_future_finish(&self->future);
}

/* A cancellation that it has asked for itself is no error, but a child may answer with one. */
static void take_error(gather *self, ferry_future *child) {
    bool is_asked_for = self->cancel_requested && fy_future_peek(child) == FERRY_ECANCELED;
    if (self->future.state == FY_FUTURE_PENDING) {
        if (self->collects) {
            self->met_errors = true;
            return;
        }
        if (!is_asked_for)
            fy_future_finish_as(&self->future, child);
    }
    child->looked_at = true;
}

static ferry_status on_child_done(ferry_future *child, void *arg) {
    gather *self = arg;
    if (FY_UNLIKELY(fy_future_peek(child)))
        take_error(self, child);
    if (--self->left)
        return 0;
    if (self->future.state == FY_FUTURE_PENDING)
        finish_with_all(self);
    let_go(&self->at_close);
    return 0;
}

bool fy_gather_spares(const ferry_handle *handle, const ferry_future *child) {
    gather *self = handle->arg;
    bool decides = self->left == 1 || child->state != FY_FUTURE_DONE || child->outcome.status;
    if (!decides)
        self->left--;
    return !decides;
}

/* On a closed loop no callback will tell it that the children are done: it ends here. */
static bool cancel_gather(ferry_future *future, const char *message) {
    gather *self = from_future(future);
    bool any = false;
    for (size_t i = 0; i < self->count; i++)
        any |= ferry_future_cancel_with_message(self->children[i], message);
    if (!any)
        return false;
    fy_free(self->cancel_words);
    self->cancel_words = message ? fy_error_create(NULL, message) : NULL;
    self->cancel_requested = true;
    if (fy_loop_closed(future->loop))
        finish_cancelled(self);
    return true;
}

static ferry_future *child_of(const ferry_future *future, size_t index) {
    const gather *self = (const gather *)(const void *)future;
    return index < self->count ? self->children[index] : NULL;
}

const fy_future_class fy_gather_class = {.cancel = cancel_gather, .member = child_of, .free = free_gather};

/* ---- its beginning ---- */

static gather *create(ferry_loop *loop, const char *origin, size_t count, int flags) {
    gather *self = fy_malloc(sizeof *self + count * sizeof self->children[0]);
    if (!self)
        return NULL;
    *self = (gather){.at_close = {.run = let_go}, .collects = flags & FERRY_RETURN_EXCEPTIONS};
    fy_future_init(&self->future, loop, FY_FUTURE_GATHER, origin);
    fy_loop_hold(loop);
    return self;
}

/* Undoes take_children: whatever it has added to a pending child is still the last of that child's callbacks. */
static void leave_children(const gather *self, ferry_handle *of_done) {
    while (of_done) {
        ferry_handle *next = of_done->next;
        ferry_handle_unref(of_done);
        of_done = next;
    }
    for (size_t i = 0; i < self->count; i++)
        if (self->children[i]->state == FY_FUTURE_PENDING)
            ferry_handle_cancel(self->children[i]->callbacks->previous);
}

static void post_all(ferry_handle *of_done) {
    while (of_done) {
        ferry_handle *next = of_done->next;
        fy_done_callback_add(of_done);
        of_done = next;
    }
}

/* Takes a reference to each child and adds a callback to it. To a child that is done already this is done last, for it
 * could not be undone. */
static ferry_status take_children(gather *self, ferry_future *const *futures, size_t count) {
    ferry_handle *of_done = NULL, **link = &of_done;
    for (size_t i = 0; i < count; i++) {
        fy_future_fetch_ahead(futures, i, count);
        ferry_status status = fy_watch_check(self->future.loop, futures[i]);
        ferry_handle *handle =
            status ? NULL : fy_done_callback_create(self->future.origin, futures[i], on_child_done, self);
        if (FY_UNLIKELY(!handle)) {
            leave_children(self, of_done);
            return status ? status : ENOMEM;
        }
        handle->may_be_spared = true;
        self->children[self->count++] = ferry_future_ref(futures[i]);
        if (futures[i]->state == FY_FUTURE_PENDING) {
            fy_done_callback_add(handle);
            continue;
        }
        handle->next = NULL;
        *link = handle;
        link = &handle->next;
    }
    post_all(of_done);
    return 0;
}

/* From here on the callbacks hold it. */
static void start(gather *self) {
    self->left = self->count;
    ferry_future_ref(&self->future);
    fy_loop_at_close(self->future.loop, &self->at_close);
}

ferry_status ferry_gather_from(const char *origin, ferry_loop *loop, ferry_future *const *futures, size_t count,
                               int flags, ferry_future **ret_future) {
    size_t count_max = (SIZE_MAX - sizeof(gather)) / sizeof(ferry_future *);
    if (!loop || (count && !futures) || count > count_max || (flags & ~FERRY_RETURN_EXCEPTIONS) || !ret_future)
        return EINVAL;
    ferry_status status = fy_loop_check(loop);
    if (status)
        return status;
    gather *self = create(loop, origin, count, flags);
    if (!self)
        return ENOMEM;
    status = take_children(self, futures, count);
    if (status) {
        ferry_future_unref(&self->future);
        return status;
    }
    if (count)
        start(self);
    else
        finish_with_all(self);
    *ret_future = &self->future;
    return 0;
}

/* ---- looking ---- */

ferry_future *ferry_gather_child(ferry_future *gathered, size_t index) {
    return gathered && gathered->kind == FY_FUTURE_GATHER ? child_of(gathered, index) : NULL;
}
