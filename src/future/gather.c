/* SPDX-License-Identifier: Apache-2.0 */
/* One future for several. It decides when the gather ends and as what; it refuses to know what its children are.
 *
 * Each child has one done callback here. Together they hold one reference to the gather, until the last of them has run
 * or the loop is closed: so nobody has to take them back, whoever lets go of the gather, and however early it ended.
 *
 * A child that succeeds decides nothing unless it is the last one. So it is counted as soon as it ends, and its
 * callback need not run: where nothing else waits for the child there is none, but the gather itself, in one handle for
 * all such children, at the end of their lists (loop/handle.h). One that does decide is noted, and told when its turn
 * has come; for that there is memory from the beginning. */
#include <errno.h>

#include "base/alloc.h"
#include "base/list.h"
#include "future/watch.h"

typedef struct gather {
    ferry_future future;
    fy_close_hook at_close;
    fy_error *cancel_words; /* of the latest request to cancel, or NULL */
    size_t count;
    size_t left;            /* callbacks that have neither run nor been counted; those of children that had succeeded
                               before it began are counted */
    ferry_handle end;       /* FY_HANDLE_GATHER */
    ferry_future **noted;   /* children without a callback, in the order of their ends; lies behind `children` */
    size_t noted_count;
    size_t told_count;      /* of those noted */
    size_t crowded_count;   /* of those noted and not told: for which the ready queue had no room */
    ferry_handle *crowded;  /* is queued for all of these */
    bool collects;          /* FERRY_RETURN_EXCEPTIONS */
    bool cancel_requested;
    bool met_errors;        /* that count as looked at once it ends */
    ferry_future *children[];
} gather;

enum { CHILD_BYTES = 2 * sizeof(ferry_future *) }; /* among the children, and among those noted */

static gather *from_future(ferry_future *future) {
    return (gather *)(void *)future;
}

/* ---- its end ---- */

/* false: it does not stand at the end of the child's list. */
static bool leave_list(const gather *self, ferry_future *child) {
    if (child->state != FY_FUTURE_PENDING || fy_gather_behind(child->callbacks) != &self->end)
        return false;
    if (child->callbacks == &self->end)
        child->callbacks = NULL;
    else
        child->callbacks->previous->next = NULL;
    return true;
}

/* The callbacks let go of it; where the loop is closing, some of the children have not ended. */
static void let_go(fy_close_hook *hook) {
    gather *self = FY_CONTAINER(hook, gather, at_close);
    for (size_t i = 0; self->left && i < self->count; i++)
        leave_list(self, self->children[i]);
    fy_loop_not_at_close(hook);
    ferry_future_unref(&self->future);
}

static void free_gather(ferry_future *future) {
    gather *self = from_future(future);
    ferry_loop *loop = future->loop;
    for (size_t i = 0; i < self->count; i++)
        fy_future_release(self->children[i]);
    ferry_handle_unref(self->crowded);
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

static inline bool spares(gather *self, const ferry_future *child) {
    bool decides = self->left == 1 || child->state != FY_FUTURE_DONE || child->outcome.status;
    if (!decides)
        self->left--;
    return !decides;
}

bool fy_gather_spares(const ferry_handle *handle, const ferry_future *child) {
    return spares(handle->arg, child);
}

/* ---- children without a callback ---- */

static void note(gather *self, ferry_future *child) {
    self->noted[self->noted_count++] = child;
}

static ferry_status tell_next(void *arg) {
    gather *self = arg;
    return on_child_done(self->noted[self->told_count++], self);
}

/* With the last one the gather may go. */
static ferry_status tell_crowded(void *arg) {
    gather *self = arg;
    size_t count = self->crowded_count;
    self->crowded_count = 0;
    while (count-- > 0)
        tell_next(self);
    return 0;
}

/* Queues the telling of one that was noted. Behind `crowded` nothing is queued by value until it has run. */
static void queue_telling(gather *self) {
    fy_ready *ready = &self->future.loop->ready;
    if (FY_LIKELY(!fy_ready_push(ready, tell_next, self, self->future.origin)) || self->crowded_count++)
        return;
    self->crowded->place = FY_HANDLE_QUEUED;
    fy_ready_push_handle(ready, ferry_handle_ref(self->crowded));
}

void fy_gather_post(const ferry_handle *end, ferry_future *child) {
    gather *self = end->arg;
    if (FY_LIKELY(spares(self, child)))
        return;
    note(self, child);
    queue_telling(self);
}

/* ---- being cancelled ---- */

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
    gather *self = fy_malloc(sizeof *self + count * CHILD_BYTES);
    if (!self)
        return NULL;
    *self = (gather){.at_close = {.run = let_go}, .collects = flags & FERRY_RETURN_EXCEPTIONS,
                     .end = {.kind = FY_HANDLE_GATHER, .arg = self}, .noted = self->children + count};
    self->crowded = fy_handle_create(loop, FY_HANDLE_SOON, origin, self);
    if (!self->crowded) {
        fy_free(self);
        return NULL;
    }
    self->crowded->callback = tell_crowded;
    fy_future_init(&self->future, loop, FY_FUTURE_GATHER, origin);
    fy_loop_hold(loop);
    return self;
}

/* Undoes take_children: whatever it has added to a pending child is still the last of that child's callbacks. */
static void leave_children(const gather *self) {
    for (size_t i = 0; i < self->count; i++)
        if (!leave_list(self, self->children[i]) && self->children[i]->state == FY_FUTURE_PENDING)
            ferry_handle_cancel(self->children[i]->callbacks->previous);
}

/* Behind others it needs a callback of its own to keep its place. Returns: 0, APR_ENOMEM. */
static ferry_status add_callback(gather *self, ferry_future *child) {
    ferry_handle *handle = fy_done_callback_create(self->future.origin, child, on_child_done, self);
    if (!handle)
        return ENOMEM;
    handle->may_be_spared = true;
    fy_done_callback_add(handle);
    return 0;
}

static inline ferry_status take_child(gather *self, ferry_future *child) {
    ferry_status status = fy_watch_check(self->future.loop, child);
    if (FY_UNLIKELY(status))
        return status;
    bool is_counted = false;
    if (FY_LIKELY(child->state == FY_FUTURE_PENDING && !child->callbacks))
        child->callbacks = &self->end;
    else if (child->state == FY_FUTURE_PENDING)
        status = add_callback(self, child);
    else if (fy_future_peek(child))
        note(self, child);
    else
        is_counted = true;
    if (FY_UNLIKELY(status))
        return status;
    self->left += !is_counted;
    self->children[self->count++] = ferry_future_ref(child);
    return 0;
}

/* Takes a reference to each child and sees to it that its end is told here. If all have succeeded already, the last one
 * tells. */
static ferry_status take_children(gather *self, ferry_future *const *futures, size_t count) {
    ferry_status status = 0;
    for (size_t i = 0; i < count && !status; i++) {
        fy_future_fetch_ahead(futures, i, count);
        status = take_child(self, futures[i]);
    }
    if (status) {
        leave_children(self);
        return status;
    }
    if (count && !self->left) {
        self->left = 1;
        note(self, futures[count - 1]);
    }
    for (size_t i = 0; i < self->noted_count; i++)
        queue_telling(self);
    return 0;
}

/* From here on the callbacks hold it. */
static void start(gather *self) {
    ferry_future_ref(&self->future);
    fy_loop_at_close(self->future.loop, &self->at_close);
}

ferry_status ferry_gather_from(const char *origin, ferry_loop *loop, ferry_future *const *futures, size_t count,
                               int flags, ferry_future **ret_future) {
    size_t count_max = (SIZE_MAX - sizeof(gather)) / CHILD_BYTES;
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
