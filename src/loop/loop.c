/* SPDX-License-Identifier: Apache-2.0 */
/* Making, closing and ending a loop, and the questions anybody may ask it. What a turn does is in turn.c. */
#include "loop/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

enum { SMALL_CELL = 64, JOB_CELL = 128, SLOW_CALLBACK_DEFAULT_US = 100000 };

_Static_assert(sizeof(ferry_handle) == SMALL_CELL, "a handle fills one cache line");

void ferry_loop_options_init(ferry_loop_options *options) {
    if (options)
        *options = (ferry_loop_options){FERRY_LOOP_OPTIONS};
}

const char *const *ferry_backend_names(void) {
    return fy_backend_names;
}

/* A status has no room for the names that would have done, and where the environment chose the name it was not the
 * program that erred: its user is told. */
static void report_unknown_backend(const char *name, bool is_by_environment) {
    enum { MESSAGE_MAX = 512 };
    char message[MESSAGE_MAX];
    int length = snprintf(message, sizeof message, "there is no backend \"%.100s\"%s; built in:", name,
                          is_by_environment ? ", which FERRY_BACKEND names" : "");
    for (size_t i = 0; fy_backend_names[i] && length > 0 && (size_t)length < sizeof message; i++)
        length += snprintf(message + length, sizeof message - (size_t)length, " %s", fy_backend_names[i]);
    ferry_loop_default_exception_handler(NULL, &(ferry_report){.size = sizeof(ferry_report), .message = message});
}

/* NULL: there is none of that name. */
static const fy_backend_class *find_backend(const char *name) {
    char value[FY_ENVIRONMENT_SIZE];
    bool is_by_environment = !name || !*name;
    if (is_by_environment)
        name = fy_environment("FERRY_BACKEND", value);
    if (!name || !*name)
        return fy_backends[0];
    for (size_t i = 0; fy_backends[i]; i++)
        if (!strcmp(fy_backends[i]->name, name))
            return fy_backends[i];
    report_unknown_backend(name, is_by_environment);
    return NULL;
}

static void init_fields(ferry_loop *loop, const ferry_loop_options *options) {
    fy_slab_init(&loop->handles, SMALL_CELL);
    fy_slab_init(&loop->futures, SMALL_CELL);
    fy_slab_init(&loop->jobs, JOB_CELL);
    loop->fork_generation = fy_fork_generation();
    loop->ticks_per_us = fy_clock_ticks_per_us();
    loop->cpus = fy_cpu_affinity();
    fy_spin_init(&loop->spin);
    loop->debug = options->debug;
    loop->slow_callback_duration_us =
        options->slow_callback_duration_us ? options->slow_callback_duration_us : SLOW_CALLBACK_DEFAULT_US;
    atomic_init(&loop->user_refs, 1);
    atomic_init(&loop->refs, 1);
}

ferry_status fy_loop_create_on(const ferry_loop_options *options, fy_backend *backend, ferry_loop **ret_loop) {
    ferry_loop *loop = fy_calloc(sizeof *loop);
    if (!loop)
        return ENOMEM;
    init_fields(loop, options);
    loop->backend = backend;
    loop->backend_class = backend->class;
    loop->has_virtual_time = backend->has_virtual_time;
    ferry_status status = fy_inbox_init(&loop->inbox, backend);
    if (status)
        goto fail_inbox;
    status = fy_ready_init(&loop->ready);
    if (status)
        goto fail_ready;
    fy_loop_refresh_now(loop);
    *ret_loop = loop;
    return 0;

fail_ready:
    fy_inbox_fini(&loop->inbox);
fail_inbox:
    fy_free(loop);
    return status;
}

ferry_status ferry_loop_create(const ferry_loop_options *options, ferry_loop **ret_loop) {
    ferry_loop_options defaults = {FERRY_LOOP_OPTIONS};
    if (!options)
        options = &defaults;
    if (!ret_loop || options->size != sizeof *options || options->slow_callback_duration_us < 0)
        return EINVAL;
    const fy_backend_class *class = find_backend(options->backend);
    if (!class)
        return EINVAL;
    fy_backend *backend = NULL;
    ferry_status status = class->open(&backend);
    if (status)
        return status;
    status = fy_loop_create_on(options, backend, ret_loop);
    if (status)
        class->close(backend);
    return status;
}

/* ---- references ---- */

void fy_loop_hold(ferry_loop *loop) {
    atomic_fetch_add_explicit(&loop->refs, 1, memory_order_relaxed);
}

void fy_loop_release(ferry_loop *loop) {
    if (atomic_fetch_sub_explicit(&loop->refs, 1, memory_order_acq_rel) != 1)
        return;
    fy_inbox_fini(&loop->inbox);
    fy_slab_fini(&loop->handles);
    fy_slab_fini(&loop->futures);
    fy_slab_fini(&loop->jobs);
    fy_slab_fini(&loop->tasks.cells);
    fy_slab_fini(&loop->io.sockets);
    fy_slab_fini(&loop->io.ops);
    fy_slab_fini(&loop->io.addresses);
    fy_free(loop);
}

ferry_loop *ferry_loop_ref(ferry_loop *loop) {
    if (loop)
        atomic_fetch_add_explicit(&loop->user_refs, 1, memory_order_relaxed);
    return loop;
}

void ferry_loop_unref(ferry_loop *loop) {
    if (!loop || atomic_fetch_sub_explicit(&loop->user_refs, 1, memory_order_acq_rel) != 1)
        return;
    if (fy_loop_closed(loop))
        fy_loop_release(loop);
    else
        (void)ferry_loop_close(loop); /* it holds the loop meanwhile, and then comes back here */
}

static bool has_cells(const ferry_loop *loop) {
    return loop->handles.live || loop->futures.live || loop->jobs.live > loop->jobs_abandoned ||
           loop->tasks.cells.live || loop->io.sockets.live || loop->io.ops.live;
}

void fy_loop_cell_gone(ferry_loop *loop) {
    if (!loop->cells_hold || has_cells(loop))
        return;
    loop->cells_hold = false;
    fy_loop_release(loop);
}

/* ---- closing ---- */

/* What was posted is dropped with what is ready, and reported with it; without memory for it there is one report
 * less. */
static void keep_handle(void *arg, ferry_handle *handle) {
    ferry_loop *loop = arg;
    fy_ready_push_handle(&loop->ready, handle);
}

static bool keep_post(void *arg, ferry_callback *callback, void *post_arg, const char *origin) {
    ferry_loop *loop = arg;
    (void)fy_ready_push(&loop->ready, callback, post_arg, origin);
    return true;
}

static void drop_ready(ferry_loop *loop) {
    while (fy_ready_count(&loop->ready)) {
        fy_ready_settle(&loop->ready);
        fy_entry entry = fy_ready_pop(&loop->ready);
        if (entry.handle)
            fy_handle_drop(entry.handle);
    }
}

void fy_loop_at_close(ferry_loop *loop, fy_close_hook *hook) {
    hook->next = loop->close_hooks;
    hook->link = &loop->close_hooks;
    if (hook->next)
        hook->next->link = &hook->next;
    loop->close_hooks = hook;
}

void fy_loop_not_at_close(fy_close_hook *hook) {
    if (!hook->link)
        return;
    *hook->link = hook->next;
    if (hook->next)
        hook->next->link = hook->link;
    hook->link = NULL;
}

static void run_close_hooks(ferry_loop *loop) {
    while (loop->close_hooks) {
        fy_close_hook *hook = loop->close_hooks;
        fy_loop_not_at_close(hook);
        hook->run(hook);
    }
}

static void report_pending(ferry_loop *loop, const char *message, const char *origin, ferry_handle *handle) {
    if (!handle || !ferry_handle_cancelled(handle))
        fy_loop_report(loop, &(ferry_report){.message = message, .origin = origin, .handle = handle});
}

/* In debug mode: whatever is still to run, by the place that made it. */
static void report_all_pending(ferry_loop *loop) {
    for (size_t i = loop->ready.head; i != loop->ready.tail; i++) {
        const fy_entry *entry = &loop->ready.entries[i & loop->ready.mask];
        report_pending(loop, "a callback was still to run when its loop was closed",
                       entry->handle ? entry->handle->origin : entry->origin, entry->handle);
    }
    for (size_t i = loop->timers.begin; i < loop->timers.end; i++) {
        ferry_handle *handle = loop->timers.entries[i].handle;
        report_pending(loop, "a timer was still pending when its loop was closed", handle->origin, handle);
    }
}

/* The jobs that are still out hold the loop from here on. Those whose messages come in while the door is being shut
 * give their reference back at once. */
static void close_inbox(ferry_loop *loop) {
    size_t out = loop->jobs_out;
    atomic_fetch_add_explicit(&loop->refs, out, memory_order_relaxed);
    fy_inbox_close(&loop->inbox, &(fy_inbox_reader){loop->executors.message, keep_handle, keep_post, loop});
    atomic_fetch_sub_explicit(&loop->refs, out - loop->jobs_out, memory_order_relaxed);
}

/* In a child made by fork the executors' threads and the senders of the inbox do not exist, and nothing is waited
 * for. */
static void part_from_others(ferry_loop *loop) {
    if (loop->fork_generation != fy_fork_generation()) {
        fy_loop_forget_running(loop);
        return;
    }
    if (loop->executors.close)
        loop->executors.close(loop);
    close_inbox(loop);
}

/* Whether it may be closed now. */
static ferry_status may_close(const ferry_loop *loop) {
    if (loop->fork_generation != fy_fork_generation())
        return 0;
    if (!fy_loop_is_mine(loop))
        return FERRY_EWRONGTHREAD;
    return ferry_loop_is_running(loop) ? FERRY_EINVALIDSTATE : 0;
}

ferry_status ferry_loop_close(ferry_loop *loop) {
    if (!loop)
        return EINVAL;
    if (fy_loop_closed(loop))
        return 0;
    ferry_status status = may_close(loop);
    if (status)
        return status;
    ferry_loop_ref(loop); /* what is dropped runs the user's code, which may drop the loop */
    if (loop->tasks.state)
        loop->tasks.hooks->close(loop);
    atomic_store_explicit(&loop->closed, true, memory_order_relaxed);
    part_from_others(loop);
    fy_signals_close(loop);
    if (loop->executors.forget_jobs)
        loop->executors.forget_jobs(loop);
    if (loop->debug)
        report_all_pending(loop);
    if (loop->io.close)
        loop->io.close(loop);
    fy_timers_fini(&loop->timers);
    drop_ready(loop);
    fy_ready_fini(&loop->ready);
    if (loop->tasks.state)
        loop->tasks.hooks->abandon(loop);
    run_close_hooks(loop);
    loop->backend_class->close(loop->backend);
    if (has_cells(loop)) {
        atomic_fetch_add_explicit(&loop->refs, 1, memory_order_relaxed);
        loop->cells_hold = true;
    }
    ferry_loop_unref(loop);
    return 0;
}

/* ---- questions ---- */

bool ferry_loop_is_running(const ferry_loop *loop) {
    return loop && atomic_load_explicit(&loop->thread, memory_order_relaxed);
}

bool ferry_loop_is_closed(const ferry_loop *loop) {
    return !loop || fy_loop_closed(loop);
}

const char *ferry_loop_backend(const ferry_loop *loop) {
    return loop ? loop->backend_class->name : NULL;
}

ferry_status fy_loop_refusal(const ferry_loop *loop) {
    if (loop->fork_generation != fy_fork_generation())
        return FERRY_EFORKED;
    if (fy_loop_closed(loop))
        return FERRY_ECLOSED;
    return fy_loop_is_mine(loop) ? 0 : FERRY_EWRONGTHREAD;
}

ferry_status ferry_loop_set_debug(ferry_loop *loop, bool debug) {
    if (!loop)
        return EINVAL;
    ferry_status status = fy_loop_check(loop);
    if (!status)
        loop->debug = debug;
    return status;
}

bool ferry_loop_get_debug(const ferry_loop *loop) {
    return loop && loop->debug;
}

ferry_status ferry_loop_set_slow_callback_duration(ferry_loop *loop, int64_t duration_us) {
    if (!loop || duration_us < 1)
        return EINVAL;
    ferry_status status = fy_loop_check(loop);
    if (!status)
        loop->slow_callback_duration_us = duration_us;
    return status;
}
