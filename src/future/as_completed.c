/* SPDX-License-Identifier: Apache-2.0 */
/* Handing out futures in the order in which they end. What has ended and nobody has asked for waits in one queue, those
 * who asked and got nothing yet in another; one of the two is always empty. It decides who gets which member and knows
 * nothing of what the members are. */
#include <errno.h>

#include "base/alloc.h"
#include "future/watch.h"

/* At most `count` of the iterator lie in one at a time; the index is head or tail modulo that. */
typedef struct queue {
    ferry_future **slots;
    size_t head;
    size_t tail;
} queue;

struct ferry_as_completed {
    ferry_loop *loop;
    const char *origin;
    ferry_handle *timer;    /* or NULL */
    bool timed_out;
    bool is_letting_go;
    bool is_closed;         /* meanwhile */
    size_t count;           /* of the members */
    size_t left;            /* of these, how many may still be asked for */
    size_t coming;          /* of these, how many will still be told of */
    queue ended;            /* borrowed: the members are watched until the iterator is closed */
    queue waiting;          /* futures of next, one reference each; some may have been cancelled meanwhile */
    fy_watch members[];
};

static void push(const ferry_as_completed *self, queue *line, ferry_future *future) {
    line->slots[line->tail++ % self->count] = future;
}

static ferry_future *pop(const ferry_as_completed *self, queue *line) {
    return line->head == line->tail ? NULL : line->slots[line->head++ % self->count];
}

/* ---- who waits ---- */

/* Whoever has waited longest, or NULL. Those who cancelled leave their turn to others. */
static ferry_future *take_waiting(ferry_as_completed *self) {
    ferry_future *waiting;
    while ((waiting = pop(self, &self->waiting)) && ferry_future_done(waiting)) {
        ferry_future_unref(waiting);
        self->left++;
    }
    return waiting;
}

static void drop_cancelled(ferry_as_completed *self) {
    queue before = self->waiting;
    self->waiting.tail = self->waiting.head;
    for (ferry_future *waiting; (waiting = pop(self, &before));) {
        if (ferry_future_done(waiting)) {
            ferry_future_unref(waiting);
            self->left++;
        } else {
            push(self, &self->waiting, waiting);
        }
    }
}

static void hand_out(ferry_future *to, ferry_future *member) {
    fy_outcome_set_pointer(&to->outcome, member, NULL);
    fy_future_finish(to);
}

static void tell_time_is_up(ferry_future *to) {
    fy_outcome_set_error(&to->outcome, FERRY_ETIMEDOUT, NULL);
    fy_future_finish(to);
}

/* ---- what happens ---- */

static void stop_timer(ferry_as_completed *self) {
    ferry_handle_cancel(self->timer);
    ferry_handle_unref(self->timer);
    self->timer = NULL;
}

static ferry_status on_member_done(ferry_future *member, void *arg) {
    ferry_as_completed *self = arg;
    ferry_future *to = take_waiting(self);
    if (!--self->coming)
        stop_timer(self);
    if (!to) {
        push(self, &self->ended, member);
        return 0;
    }
    hand_out(to, member);
    ferry_future_unref(to);
    return 0;
}

/* The last reference to one that nobody has looked at has its error reported, and the handler may close the iterator:
 * that is put off until all are let go of. */
static void let_go(ferry_as_completed *self, queue told) {
    self->is_letting_go = true;
    while (told.head != told.tail)
        ferry_future_unref(pop(self, &told));
    self->is_letting_go = false;
    if (self->is_closed)
        ferry_as_completed_close(self);
}

/* Nobody is told of the pending members any more. Those that are done, but whose callback is still in the loop's queue,
 * will yet be handed out: to those who have waited longest. */
static ferry_status on_time_up(void *arg) {
    ferry_as_completed *self = arg;
    self->timed_out = true;
    stop_timer(self);
    self->coming = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (!ferry_future_done(self->members[i].future))
            ferry_handle_cancel(self->members[i].handle);
        else if (self->members[i].handle->place == FY_HANDLE_QUEUED)
            self->coming++;
    }
    drop_cancelled(self);
    queue rest = self->waiting;
    if (rest.tail - rest.head <= self->coming)
        return 0;
    rest.head += self->coming;
    self->waiting.tail = rest.head;
    for (queue told = rest; told.head != told.tail;)
        tell_time_is_up(pop(self, &told));
    let_go(self, rest);
    return 0;
}

/* ---- the iterator ---- */

static ferry_as_completed *create(const char *origin, ferry_loop *loop, size_t count) {
    size_t size_each = sizeof(fy_watch) + 2 * sizeof(ferry_future *);
    ferry_as_completed *self = fy_malloc(sizeof *self + count * size_each);
    if (!self)
        return NULL;
    ferry_future **slots = (ferry_future **)(void *)(self->members + count);
    *self = (ferry_as_completed){
        .loop = loop, .origin = origin, .ended = {.slots = slots}, .waiting = {.slots = slots + count}};
    fy_loop_hold(loop);
    return self;
}

ferry_status ferry_as_completed_open_from(const char *origin, ferry_loop *loop, ferry_future *const *futures,
                                          size_t count, int64_t timeout_us, ferry_as_completed **ret_iterator) {
    size_t count_max = (SIZE_MAX - sizeof(ferry_as_completed)) / (sizeof(fy_watch) + 2 * sizeof(ferry_future *));
    if (!loop || (count && !futures) || count > count_max || timeout_us < 0 || !ret_iterator)
        return EINVAL;
    ferry_status status = fy_loop_check(loop);
    if (status)
        return status;
    ferry_as_completed *self = create(origin, loop, count);
    if (!self)
        return ENOMEM;
    status = fy_watch_begin(self->members, &self->count, origin, loop, futures, count, on_member_done, self);
    self->left = self->coming = self->count;
    if (!status && timeout_us != FERRY_FOREVER && count)
        status = ferry_call_later_from(origin, loop, timeout_us, on_time_up, self, &self->timer);
    if (status) {
        ferry_as_completed_close(self);
        return status;
    }
    *ret_iterator = self;
    return 0;
}

ferry_status ferry_as_completed_next(ferry_as_completed *self, ferry_future **ret_future) {
    if (!self || !ret_future)
        return EINVAL;
    ferry_status status = fy_loop_check(self->loop);
    if (status)
        return status;
    if (!self->left || self->timed_out)
        drop_cancelled(self);
    if (!self->left)
        return FERRY_EEXHAUSTED;
    ferry_future *future = NULL;
    status = fy_future_create_inner(self->loop, self->origin, &future);
    if (status)
        return status;
    self->left--;
    ferry_future *member = pop(self, &self->ended);
    if (member)
        hand_out(future, member);
    else if (self->timed_out && self->waiting.tail - self->waiting.head == self->coming)
        tell_time_is_up(future);
    else
        push(self, &self->waiting, ferry_future_ref(future));
    *ret_future = future;
    return 0;
}

void ferry_as_completed_close(ferry_as_completed *self) {
    if (!self)
        return;
    if (self->is_letting_go) {
        self->is_closed = true;
        return;
    }
    ferry_loop *loop = self->loop;
    stop_timer(self);
    for (ferry_future *waiting; (waiting = pop(self, &self->waiting));) {
        ferry_future_cancel(waiting);
        ferry_future_unref(waiting);
    }
    fy_watch_end(self->members, self->count);
    fy_free(self);
    fy_loop_release(loop);
}
