/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator as a backend: its opening and closing, its files, and how ops enter and are cancelled. How time passes
 * and ops end is in wait.c, what they do in socket.c.
 *
 * An op in flight lies in its file's slot with a moment before which it does not end, drawn from the seed. An op that
 * was cancelled is one that ends as cancelled, at a moment drawn anew, or at once where only the program moves time: a
 * loop that is closed waits for the op, and nobody would. A cancel that comes too late lets it do its work at once, if
 * that is possible. */
#include "sim/sim.h"

#include <apr_errno.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "seam/platform.h"
#include "sim/options.h"
#include "sim/socket.h"

const char fy_sim_name[] = "sim";

/* Neither 0, which has a meaning of its own as a deadline, nor anything like the time of day. */
static const int64_t START_US = 1000000;

static const char *const kind_names[FY_OP_KINDS] = {
    "read", "write", "recvfrom", "sendto", "accept", "connect", "poll-in", "poll-out", "child",
};

/* ---- opening and closing ---- */

static bool is_inherited(const fy_sim *self) {
    return self->fork_generation != fy_fork_generation();
}

static bool sim_holds_posts(fy_backend *backend) {
    fy_sim *self = fy_sim_of(backend);
    bool holds = fy_sim_happens(self, self->options.held_post_rate);
    self->stats.held_posts += holds;
    return holds;
}

/* The trace is a favour to who debugs: where the file cannot be opened there is none. */
static FILE *open_trace(void) {
    char value[FY_ENVIRONMENT_SIZE];
    const char *path = fy_environment("FERRY_SIM_TRACE", value);
    return path && *path ? fopen(path, "a") : NULL;
}

ferry_status fy_sim_open(const ferry_sim_options *options, fy_backend **ret_backend) {
    fy_sim *self = fy_calloc(sizeof *self);
    if (!self)
        return APR_ENOMEM;
    ferry_status status = fy_parker_init(&self->parker);
    if (status) {
        fy_free(self);
        return status;
    }
    self->base = (fy_backend){
        .class = &fy_sim_class, .net = &fy_sim_net, .wait_handle = -1, .has_virtual_time = true,
        .holds_posts = sim_holds_posts};
    self->options = *options;
    fy_sim_options_complete(&self->options);
    self->now_us = START_US;
    self->random = self->options.seed;
    self->fork_generation = fy_fork_generation();
    self->stats = (ferry_sim_stats){.size = sizeof self->stats, .seed = self->options.seed};
    self->trace_file = open_trace();
    if (self->trace_file)
        fprintf(self->trace_file, "seed %" PRIu64 "\n", self->options.seed);
    *ret_backend = &self->base;
    return 0;
}

static ferry_status sim_open(fy_backend **ret_backend) {
    ferry_sim_options defaults = {FERRY_SIM_OPTIONS};
    return fy_sim_open(&defaults, ret_backend);
}

static void sim_close(fy_backend *backend) {
    fy_sim *self = fy_sim_of(backend);
    FY_ASSERT(!self->pending.count || is_inherited(self));
    FY_ASSERT(fy_list_is_empty(&backend->finished) || is_inherited(self));
    for (size_t i = 0; i < self->sockets.count; i++)
        if (self->sockets.items[i])
            fy_sim_socket_close(self, self->sockets.items[i]);
    fy_sim_table_fini(&self->sockets);
    for (size_t i = 0; i < self->processes.count; i++)
        fy_free(self->processes.items[i]);
    fy_sim_table_fini(&self->processes);
    fy_sim_table_fini(&self->pending);
    if (self->trace_file)
        fclose(self->trace_file);
    fy_parker_fini(&self->parker);
    fy_free(self);
}

void fy_sim_spend_a_moment(fy_sim *self) {
    if (!fy_sim_time_stands(self))
        self->now_us++;
}

static int64_t sim_now(fy_backend *backend) {
    fy_sim *self = fy_sim_of(backend);
    fy_sim_spend_a_moment(self);
    return self->now_us;
}

/* ---- files ---- */

int64_t fy_sim_file_number(const fy_sim_file *file) {
    return file->socket ? (int64_t)file->socket->number : fy_sim_process_number(file->process);
}

static ferry_status find_subject(fy_sim *self, const fy_file *file, fy_sim_file *slot) {
    if (file->use == FY_FILE_PROCESS)
        return fy_sim_process_attach(self, file->process, &slot->process);
    slot->socket = fy_sim_socket_find(self, file->handle);
    return slot->socket ? fy_sim_socket_attach(slot->socket) : EBADF;
}

/* Room for all that its two directions may have in flight is made here, for a submit cannot fail. */
static ferry_status sim_attach(fy_backend *backend, fy_file *file) {
    fy_sim *self = fy_sim_of(backend);
    if (fy_sim_table_reserve(&self->pending, (self->files + 1) * FY_DIRECTIONS))
        return APR_ENOMEM;
    fy_sim_file *slot = fy_calloc(sizeof *slot);
    if (!slot)
        return APR_ENOMEM;
    ferry_status status = find_subject(self, file, slot);
    if (status) {
        fy_free(slot);
        return status;
    }
    slot->file = file;
    file->slot = slot;
    self->files++;
    return 0;
}

static void sim_detach(fy_backend *backend, fy_file *file) {
    fy_sim *self = fy_sim_of(backend);
    fy_sim_file *slot = file->slot;
    FY_ASSERT(is_inherited(self) || (!file->in_flight[FY_IN] && !file->in_flight[FY_OUT]));
    file->slot = NULL;
    self->files--;
    if (slot->socket)
        fy_sim_socket_detach(self, slot->socket, file->use == FY_FILE_OWNED);
    else
        fy_sim_process_detach(self, slot->process);
    fy_free(slot);
}

/* ---- ops ---- */

static fy_sim_pending *pending_of(fy_op *op) {
    fy_sim_file *slot = op->file->slot;
    return &slot->pending[fy_op_direction(op)];
}

static void put_off(fy_sim *self, fy_sim_pending *pending) {
    pending->due_us = self->now_us + fy_sim_duration(self, 0, self->options.latency_us_max);
}

/* A write that ends at once, as some do. */
static bool ends_at_once(fy_sim *self, fy_op *op) {
    fy_sim_pending now = {.op = op};
    if (!fy_sim_happens(self, self->options.at_once_rate) || !fy_sim_op_is_ready(self, &now))
        return false;
    fy_sim_note(self, "at once", fy_sim_file_number(op->file->slot), 0);
    fy_sim_op_end(self, &now);
    return true;
}

static bool sim_submit(fy_backend *backend, fy_op *op) {
    fy_sim *self = fy_sim_of(backend);
    fy_sim_pending *pending = pending_of(op);
    FY_ASSERT(!pending->op);
    if (op->may_end_at_once && ends_at_once(self, op))
        return true;
    op->file->in_flight[fy_op_direction(op)] = op;
    *pending = (fy_sim_pending){.op = op, .index = self->pending.count};
    put_off(self, pending);
    self->pending.items[self->pending.count++] = pending;
    self->stats.submitted++;
    fy_sim_note(self, kind_names[op->kind], fy_sim_file_number(op->file->slot), pending->due_us);
    return false;
}

static void sim_cancel(fy_backend *backend, fy_op *op) {
    fy_sim *self = fy_sim_of(backend);
    fy_sim_pending *pending = pending_of(op);
    if (pending->op != op || pending->is_cancelled)
        return;
    fy_sim_note(self, "cancel", fy_sim_file_number(op->file->slot), op->kind);
    if (fy_sim_op_is_ready(self, pending) && fy_sim_happens(self, self->options.late_cancel_rate)) {
        self->stats.late_cancels++;
        fy_sim_op_perform(self, pending);
        return;
    }
    pending->is_cancelled = true;
    if (self->options.time_by_hand)
        pending->due_us = self->now_us;
    else
        put_off(self, pending);
}

static void sim_wake(fy_backend *backend) {
    fy_sim *self = fy_sim_of(backend);
    if (!is_inherited(self))
        fy_unpark(&self->parker);
}

const fy_backend_class fy_sim_class = {
    .name = fy_sim_name,
    .open = sim_open,
    .close = sim_close,
    .now = sim_now,
    .attach = sim_attach,
    .detach = sim_detach,
    .submit = sim_submit,
    .cancel = sim_cancel,
    .wait = fy_sim_wait,
    .wake = sim_wake,
};
