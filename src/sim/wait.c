/* SPDX-License-Identifier: Apache-2.0 */
/* How virtual time passes, and in which order ops end.
 *
 * A wait lets time jump from one event to the next until there is an outcome or its deadline has come: an event is the
 * moment from which on an op can end. Of several that can end at one moment the seed takes one after the other. Time
 * does not jump ahead of real work: while the loop expects messages that no simulated executor will send, time passes
 * as the real clock does, and what comes of that is no longer the seed's. */
#include <apr_errno.h>

#include "base/assert.h"
#include "sim/socket.h"

/* ---- ops ---- */

bool fy_sim_op_is_ready(fy_sim *self, const fy_sim_pending *pending) {
    const fy_op *op = pending->op;
    const fy_sim_file *file = op->file->slot;
    if (pending->is_cancelled)
        return true;
    if (file->process)
        return fy_sim_process_has_ended(file->process);
    if (file->socket->is_closed)
        return false;
    if (file->socket->type == FY_SOCKET_STREAM)
        return fy_sim_stream_is_ready(self, file->socket, op);
    return fy_sim_datagram_is_ready(file->socket, op);
}

static void take_out(fy_sim *self, fy_sim_pending *pending) {
    fy_sim_pending *last = self->pending.items[--self->pending.count];
    self->pending.items[pending->index] = last;
    last->index = pending->index;
    pending->op = NULL;
}

static bool has_count(fy_op_kind kind) {
    return kind <= FY_OP_SENDTO;
}

static void do_work(fy_sim *self, const fy_sim_file *file, fy_op *op) {
    op->status = 0;
    op->count = 0;
    if (file->process)
        op->exit = fy_sim_process_reap(file->process);
    else if (file->socket->type == FY_SOCKET_STREAM)
        fy_sim_stream_perform(self, file->socket, op);
    else
        fy_sim_datagram_perform(self, file->socket, op);
}

void fy_sim_op_end(fy_sim *self, const fy_sim_pending *pending) {
    fy_op *op = pending->op;
    const fy_sim_file *file = op->file->slot;
    if (pending->is_cancelled)
        op->status = FERRY_ECANCELED;
    else
        do_work(self, file, op);
    if (op->status)
        op->count = 0;
    fy_sim_note(self, op->status ? "failed" : "done", fy_sim_file_number(file),
                op->status ? op->status : has_count(op->kind) ? (int64_t)op->count : 0);
}

void fy_sim_op_perform(fy_sim *self, fy_sim_pending *pending) {
    fy_op *op = pending->op;
    fy_sim_op_end(self, pending);
    take_out(self, pending);
    fy_list_push(&self->base.finished, &op->node);
}

/* One of those that can end now, each as likely as the others. */
static fy_sim_pending *choose_due(fy_sim *self) {
    fy_sim_pending *chosen = NULL;
    uint64_t candidates = 0;
    for (size_t i = 0; i < self->pending.count; i++) {
        fy_sim_pending *pending = self->pending.items[i];
        if (pending->due_us <= self->now_us && fy_sim_op_is_ready(self, pending) &&
            (++candidates == 1 || fy_sim_below(self, candidates) == 0))
            chosen = pending;
    }
    return chosen;
}

static void perform_due(fy_sim *self) {
    for (fy_sim_pending *pending; (pending = choose_due(self));)
        fy_sim_op_perform(self, pending);
}

int64_t fy_sim_next_due(fy_sim *self) {
    int64_t next_us = FERRY_FOREVER;
    for (size_t i = 0; i < self->pending.count; i++) {
        fy_sim_pending *pending = self->pending.items[i];
        if (pending->due_us < next_us && fy_sim_op_is_ready(self, pending))
            next_us = pending->due_us;
    }
    return next_us;
}

/* ---- time ---- */

/* How a wait goes on. */
typedef struct progress {
    bool is_over;
    ferry_status status;
} progress;

/* Up to `until_us` as the real clock goes. */
static progress wait_for_real(fy_sim *self, int64_t until_us) {
    int64_t start_us = fy_clock_now(), left_us = until_us - self->now_us;
    bool is_woken = fy_park(&self->parker, fy_time_after(start_us, left_us));
    int64_t passed_us = fy_clock_now() - start_us;
    self->now_us += passed_us < left_us ? passed_us : left_us;
    return (progress){.is_over = is_woken};
}

/* Nothing of the model will ever end this wait. */
static progress wait_for_wake(fy_sim *self) {
    if (self->options.deadlock_is_error) {
        fy_sim_note(self, "deadlock", 0, 0);
        return (progress){.is_over = true, .status = FERRY_EDEADLK};
    }
    while (!fy_park(&self->parker, FERRY_FOREVER))
        continue;
    return (progress){.is_over = true};
}

static progress pass_time(fy_sim *self, int64_t until_us) {
    if (self->base.work_elsewhere > self->jobs)
        return wait_for_real(self, until_us);
    if (until_us == FERRY_FOREVER || fy_sim_time_stands(self))
        return wait_for_wake(self);
    self->now_us = until_us;
    self->stats.jumps++;
    return (progress){.is_over = false};
}

/* ---- the wait ---- */

static bool returns_early(fy_sim *self) {
    if (!fy_sim_happens(self, self->options.spurious_rate))
        return false;
    self->stats.spurious++;
    return true;
}

static ferry_status wait_until(fy_sim *self, int64_t deadline_us) {
    progress now = {.is_over = false};
    if (deadline_us > self->now_us)
        now.is_over = fy_park(&self->parker, 0) || returns_early(self);
    else
        (void)fy_park(&self->parker, 0); /* a wake is over with any wait */
    perform_due(self);
    while (!now.is_over && deadline_us > self->now_us && fy_list_is_empty(&self->base.finished)) {
        int64_t next_us = fy_sim_next_due(self);
        now = pass_time(self, next_us < deadline_us ? next_us : deadline_us);
        perform_due(self);
    }
    return now.status;
}

static void deliver(fy_sim *self, fy_list *done) {
    for (fy_node *node; (node = fy_list_pop(&self->base.finished));) {
        self->stats.delivered++;
        fy_list_push(done, node);
    }
}

ferry_status fy_sim_wait(fy_backend *backend, int64_t deadline_us, fy_list *done) {
    fy_sim *self = fy_sim_of(backend);
    if (self->fork_generation != fy_fork_generation())
        return FERRY_EFORKED;
    self->stats.waits++;
    fy_sim_note(self, "wait", 0, deadline_us);
    fy_sim_spend_a_moment(self);
    ferry_status status = deadline_us == FY_FINISHED ? 0 : wait_until(self, deadline_us);
    deliver(self, done);
    return status;
}
