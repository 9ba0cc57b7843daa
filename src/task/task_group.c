/* SPDX-License-Identifier: Apache-2.0 */
/* Task groups. A group holds its children until they have ended, and of those that failed the failures; it interrupts
 * its owner by a cancel request like any other, and takes that back when it ends. What a failure means to whoever
 * called the owner is told by the status of the close. */
#include <errno.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "task/scope.h"

struct ferry_task_group {
    fy_scope scope;          /* its task owns the group */
    fy_task *first, *last;   /* children that have not ended, oldest first */
    size_t left;             /* how many these are */
    ferry_future *all_ended; /* while the owner waits for them, or NULL */
    ferry_task **failed;     /* one reference each */
    size_t failed_count, failed_capacity;
    bool collects;
    bool is_ending;
    bool is_aborting;        /* the children were cancelled */
    bool has_interrupted;    /* the owner */
};

static fy_task *owner_of(const ferry_task_group *self) {
    return self->scope.task;
}

/* ---- children ---- */

void ferry_task_group_cancel(ferry_task_group *self) {
    if (!self)
        return;
    FY_ASSERT(fy_loop_may_touch(fy_task_loop(owner_of(self))));
    self->is_aborting = true;
    for (fy_task *child = self->first; child; child = child->sibling)
        (void)ferry_future_cancel(&child->cell.future);
}

/* The place for it was made when the child was. */
static void keep_failure(ferry_task_group *self, ferry_task *child) {
    self->failed[self->failed_count++] = ferry_future_ref(child);
    child->looked_at = true; /* the group's end tells of it */
    if (self->collects || self->is_aborting)
        return;
    ferry_task_group_cancel(self);
    if (self->is_ending)
        return; /* there is nothing left to interrupt */
    self->has_interrupted = true;
    (void)ferry_future_cancel(&owner_of(self)->cell.future);
}

static void child_ended(fy_task *child, void *arg) {
    ferry_task_group *self = arg;
    ferry_future *future = &child->cell.future;
    *(child->previous_sibling ? &child->previous_sibling->sibling : &self->first) = child->sibling;
    *(child->sibling ? &child->sibling->previous_sibling : &self->last) = child->previous_sibling;
    self->left--;
    if (!ferry_future_cancelled(future) && fy_future_peek(future))
        keep_failure(self, future);
    if (!self->left && self->all_ended && !ferry_future_done(self->all_ended))
        fy_future_finish(self->all_ended);
}

void fy_task_group_adopt(ferry_task_group *self, fy_task *child) {
    child->ended = child_ended;
    child->ended_arg = self;
    child->previous_sibling = self->last;
    *(self->last ? &self->last->sibling : &self->first) = child;
    self->last = child;
    self->left++;
}

fy_task *fy_task_group_first(const ferry_task_group *self) {
    return self->first;
}

static ferry_status make_room_for_failure(ferry_task_group *self) {
    size_t wanted = self->failed_count + self->left + 1;
    if (wanted <= self->failed_capacity)
        return 0;
    size_t capacity = wanted * 2;
    ferry_task **failed = fy_realloc(self->failed, capacity * sizeof(ferry_task *));
    if (!failed)
        return ENOMEM;
    self->failed = failed;
    self->failed_capacity = capacity;
    return 0;
}

ferry_status ferry_task_group_create_task_with_from(const char *origin, ferry_task_group *self,
                                                    const ferry_task_options *options, ferry_task **ret_task) {
    if (!self || !options)
        return EINVAL;
    ferry_loop *loop = fy_task_loop(owner_of(self));
    ferry_status status = fy_loop_check(loop);
    if (!status && self->is_aborting)
        status = FERRY_EINVALIDSTATE;
    if (!status)
        status = make_room_for_failure(self);
    return status ? status : fy_task_create(origin, loop, options, self, ret_task);
}

ferry_status ferry_task_group_create_task_from(const char *origin, ferry_task_group *self, ferry_function *function,
                                               void *arg, ferry_task **ret_task) {
    const ferry_task_options options = {FERRY_TASK_OPTIONS, .function = function, .arg = arg};
    return ferry_task_group_create_task_with_from(origin, self, &options, ret_task);
}

ferry_task *ferry_task_group_failed(const ferry_task_group *self, size_t index) {
    return self && index < self->failed_count ? self->failed[index] : NULL;
}

/* ---- its beginning and end ---- */

static void destroy(ferry_task_group *self) {
    ferry_future_unref_all(self->failed, self->failed_count);
    fy_scope_leave(&self->scope);
    fy_free(self->failed);
    fy_free(self);
}

/* Nobody waits for the children that are left: those of a child made by fork whose functions still go on. */
static void drop(fy_scope *scope) {
    ferry_task_group *self = FY_CONTAINER(scope, ferry_task_group, scope);
    for (fy_task *child = self->first; child; child = child->sibling)
        child->ended = NULL;
    destroy(self);
}

ferry_status ferry_task_group_open(int flags, ferry_task_group **ret_group) {
    fy_task *owner = fy_task_current();
    if (!owner)
        return FERRY_ENOTASK;
    if (!ret_group || (flags & ~FERRY_RETURN_EXCEPTIONS))
        return EINVAL;
    ferry_task_group *self = fy_malloc(sizeof *self);
    if (!self)
        return ENOMEM;
    *self = (ferry_task_group){.collects = flags & FERRY_RETURN_EXCEPTIONS};
    fy_scope_open(&self->scope, owner, drop);
    *ret_group = self;
    return 0;
}

/* Waits for the children, whatever happens meanwhile. Returns whether the owner was cancelled by others. */
static bool await_children(ferry_task_group *self, const char *origin) {
    bool is_cancelled = false;
    owner_of(self)->joined = self;
    while (self->left) {
        ferry_status status = fy_future_create_inner(fy_task_loop(owner_of(self)), origin, &self->all_ended);
        if (status) {
            /* Without memory for a future it looks again after the others' turn. */
            status = ferry_sleep_from(origin, 0);
        } else {
            status = fy_task_wait_owned(owner_of(self), origin, self->all_ended);
            ferry_future_unref(self->all_ended);
            self->all_ended = NULL;
        }
        if (!status)
            continue;
        is_cancelled = true;
        if (!self->is_aborting)
            ferry_task_group_cancel(self);
    }
    owner_of(self)->joined = NULL;
    return is_cancelled;
}

/* The owner is under cancellation by others, and its errors come first: the request is made again, so that it comes to
 * the next wait behind the group, and the count stays. */
static void keep_owner_cancelled(ferry_task_group *self) {
    ferry_task *owner = &owner_of(self)->cell.future;
    if (!ferry_task_cancelling(owner))
        return;
    (void)ferry_task_uncancel(owner);
    (void)ferry_future_cancel(owner);
}

ferry_status ferry_task_group_join_from(const char *origin, ferry_task_group *self, ferry_status status,
                                        ferry_task **ret_failed) {
    if (ret_failed)
        *ret_failed = NULL;
    if (!self)
        return status;
    if (fy_scope_is_over(&self->scope)) {
        drop(&self->scope);
        return status;
    }
    FY_ASSERT(owner_of(self) == fy_task_current());
    bool is_cancelled = status == FERRY_ECANCELED;
    bool is_first_error = status && !is_cancelled && !self->failed_count;
    self->is_ending = true;
    if (self->has_interrupted && !ferry_task_uncancel(&owner_of(self)->cell.future))
        is_cancelled = false; /* it was the group itself */
    if (status && !self->is_aborting)
        ferry_task_group_cancel(self);
    is_cancelled |= await_children(self, origin);
    if (self->failed_count && !is_first_error)
        status = fy_future_peek(self->failed[0]);
    else if (is_cancelled && !is_first_error)
        status = FERRY_ECANCELED;
    if (self->failed_count || is_first_error)
        keep_owner_cancelled(self);
    if (ret_failed && self->failed_count)
        *ret_failed = ferry_future_ref(self->failed[0]);
    destroy(self);
    return status;
}

ferry_status ferry_task_group_close_from(const char *origin, ferry_task_group *self, ferry_status status) {
    return ferry_task_group_join_from(origin, self, status, NULL);
}
