/* SPDX-License-Identifier: Apache-2.0 */
/* One future for several. It decides when the gather ends and as what; it refuses to know what its children are.
 *
 * Each child has one done callback here. Together they hold one reference to the gather, until the last of them has run
 * or the loop is closed: so nobody has to take them back, whoever lets go of the gather, and however early it ended.
 *
 * A child that succeeds decides nothing unless it is the last one. So it is counted as soon as it ends, and its
 * callback need not run: where nothing else waits for the child, there is no callback at all until it is needed, but
 * the gather itself, in one handle for all such children, at the end of their lists (loop/handle.h). */
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
    size_t posted;          /* those that are about to run */
    ferry_handle end;       /* FY_HANDLE_GATHER */
    bool collects;          /* FERRY_RETURN_EXCEPTIONS */
    bool cancel_requested;
    bool met_errors;        /* that count as looked at once it ends */
    ferry_future *children[];
} gather;

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
    self->posted--;
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
    if (decides)
        self->posted++;
    else
        self->left--;
    return !decides;
}

bool fy_gather_spares(const ferry_handle *handle, const ferry_future *child) {
    return spares(handle->arg, child);
}

static ferry_handle *create_callback(gather *self, ferry_future *child) {
    ferry_handle *handle = fy_done_callback_create(self->future.origin, child, on_child_done, self);
    if (handle)
        handle->may_be_spared = true;
    return handle;
}

/* Where there is no memory: an error that would come behind another one decides nothing, but was not looked at. */
bool fy_gather_post(const ferry_handle *end, ferry_future *child) {
    gather *self = end->arg;
    if (FY_LIKELY(spares(self, child)))
        return true;
    ferry_handle *handle = create_callback(self, child);
    if (FY_LIKELY(handle)) {
        fy_done_callback_add(handle);
        return true;
    }
    if (self->posted == 1)
        return false;
    self->posted--;
    self->left--;
    return true;
}

/* No user code runs in it: what it ends posts callbacks of its own. */
void fy_gather_tell(const ferry_handle *end, ferry_future *child) {
    on_child_done(child, end->arg);
}

static void swap_words(gather *self, fy_error **words) {
    fy_error *others = self->cancel_words;
    self->cancel_words = *words;
    *words = others;
}

/* On a closed loop no callback will tell it that the children are done: it ends here. Where memory is short, it is told
 * while it cancels them, so the request stands by then. */
static bool cancel_gather(ferry_future *future, const char *message) {
    gather *self = from_future(future);
    fy_error *words = message ? fy_error_create(NULL, message) : NULL;
    swap_words(self, &words);
    bool was_requested = self->cancel_requested;
    self->cancel_requested = true;
    bool any = false;
    for (size_t i = 0; i < self->count; i++)
        any |= ferry_future_cancel_with_message(self->children[i], message);
    if (!any) {
        swap_words(self, &words);
        self->cancel_requested = was_requested;
    } else if (fy_loop_closed(future->loop)) {
        finish_cancelled(self);
    }
    fy_free(words);
    return any;
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
    *self = (gather){.at_close = {.run = let_go}, .collects = flags & FERRY_RETURN_EXCEPTIONS,
                     .end = {.kind = FY_HANDLE_GATHER, .arg = self}};
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
        if (!leave_list(self, self->children[i]) && self->children[i]->state == FY_FUTURE_PENDING)
            ferry_handle_cancel(self->children[i]->callbacks->previous);
}

static void post_all(ferry_handle *of_done) {
    while (of_done) {
        ferry_handle *next = of_done->next;
        fy_done_callback_add(of_done);
        of_done = next;
    }
}

/* A child that is done, and whose callback was not counted, gets it in `of_done`. Returns: 0, APR_ENOMEM. */
static ferry_status add_callback(gather *self, ferry_future *child, ferry_handle ***of_done_end) {
    ferry_handle *handle = create_callback(self, child);
    if (!handle)
        return ENOMEM;
    self->left++;
    if (child->state == FY_FUTURE_PENDING) {
        fy_done_callback_add(handle);
        return 0;
    }
    self->posted++;
    handle->next = NULL;
    **of_done_end = handle;
    *of_done_end = &handle->next;
    return 0;
}

static inline ferry_status take_child(gather *self, ferry_future *child, ferry_handle ***of_done_end) {
    ferry_status status = fy_watch_check(self->future.loop, child);
    if (FY_UNLIKELY(status))
        return status;
    if (FY_LIKELY(child->state == FY_FUTURE_PENDING && !child->callbacks)) {
        child->callbacks = &self->end;
        self->left++;
    } else if (fy_future_peek(child)) {
        status = add_callback(self, child, of_done_end);
    }
    if (!status)
        self->children[self->count++] = ferry_future_ref(child);
    return status;
}

/* Takes a reference to each child and sees to it that the child's end is told here. To a child that is done already
 * this is done last, for it could not be undone; if all have succeeded, the last one tells. */
static ferry_status take_children(gather *self, ferry_future *const *futures, size_t count) {
    ferry_handle *of_done = NULL, **of_done_end = &of_done;
    ferry_status status = 0;
    for (size_t i = 0; i < count && !status; i++) {
        fy_future_fetch_ahead(futures, i, count);
        status = take_child(self, futures[i], &of_done_end);
    }
    if (!status && count && !self->left)
        status = add_callback(self, futures[count - 1], &of_done_end);
    if (status)
        leave_children(self, of_done);
    else
        post_all(of_done);
    return status;
}

/* From here on the callbacks hold it. */
static void start(gather *self) {
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
