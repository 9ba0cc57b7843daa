/* SPDX-License-Identifier: Apache-2.0 */
/* One turn of the loop, in five steps, and the ways to make turns: until stopped, once, or when another loop says so.
 *
 * While callbacks are ready the kernel is not asked on every turn. It is asked at the latest after TURNS_UNPOLLED_MAX
 * turns; and once CALLBACKS_UNLOOKED_MAX callbacks have run, a cheap counter is looked at, and if POLL_INTERVAL_US have
 * passed since it was asked last, it is asked then. So neither I/O nor a timer waits for longer than that, or than
 * CALLBACKS_UNLOOKED_MAX callbacks take if they are slow. A turn that is made alone asks always. */
#include <errno.h>

#include "base/assert.h"
#include "loop/loop.h"

enum { TURNS_UNPOLLED_MAX = 64, CALLBACKS_UNLOOKED_MAX = 8, POLL_INTERVAL_US = 100 };

/* How late a timer may be made at most so that it is run together with others: less where the system wakes a thread in
 * good time. One that wakes it late is mostly one where to wake is dear. */
enum { TIMERS_GATHERED_US = 105, TIMERS_GATHERED_LATE_US = 200, WAKES_LATE_US = 50, WAKES_AVERAGED = 16 };

/* So many finished jobs are taken in at once: what is done for them then finds them in the caches still. */
enum { JOBS_AT_ONCE = 512 };

/* Finished jobs are let gather for that long where at least so many are out and so many come home in a microsecond. */
enum { JOBS_GATHERED_US = 8, JOBS_GATHERED_OUT = 64, JOBS_GATHERED_PER_US = 2 };

enum { SPIN_LOOKS = 64 };

static _Thread_local ferry_loop *running;

/* ---- time ---- */

void fy_loop_refresh_now(ferry_loop *loop) {
    loop->now_ticks = fy_clock_ticks();
    loop->now_us = loop->backend_class->now(loop->backend);
}

int64_t fy_loop_now_for_deadline(ferry_loop *loop) {
    int64_t now_us;
    if (fy_clock_ticks() - loop->now_ticks >= loop->ticks_per_us / 2 || FY_UNLIKELY(loop->has_virtual_time)) {
        fy_loop_refresh_now(loop);
        now_us = loop->now_us;
    } else {
        now_us = loop->now_us + 1;
    }
    /* Equal delays give deadlines in the order of asking, even if the last answer was the one rounded up. */
    if (now_us > loop->deadline_base_us)
        loop->deadline_base_us = now_us;
    return loop->deadline_base_us;
}

int64_t ferry_loop_time(ferry_loop *loop) {
    if (!loop || fy_loop_closed(loop))
        return ferry_now();
    if (!loop->in_turn)
        fy_loop_refresh_now(loop);
    return loop->now_us;
}

/* ---- step 1: the inbox ---- */

static void take_handle(void *arg, ferry_handle *handle) {
    ferry_loop *loop = arg;
    fy_ready_push_handle(&loop->ready, handle);
}

static bool take_post(void *arg, ferry_callback *callback, void *post_arg, const char *origin) {
    ferry_loop *loop = arg;
    return fy_ready_push(&loop->ready, callback, post_arg, origin) == 0;
}

/* After a drain, before which so many jobs were out: whether they come home so densely that gathering them pays. */
static void note_density(ferry_loop *loop, size_t out_before) {
    loop->jobs_dense = false;
    if (out_before < JOBS_GATHERED_OUT)
        return;
    uint64_t now = fy_clock_ticks();
    int64_t home = (int64_t)(out_before - loop->jobs_out);
    loop->jobs_dense = home > 0 && (uint64_t)home * loop->ticks_per_us >=
                                       (now - loop->drained_ticks) * JOBS_GATHERED_PER_US;
    loop->drained_ticks = now;
}

/* A loop that fetches each few jobs that have just come home meets those who send the next ones at every turn: then
 * both wait for the lines of memory between them most of the time. So it leaves them alone for a moment. Whoever shares
 * its processor goes on meanwhile. true: there is something else to do first. */
FY_NOINLINE static bool gathers_jobs(const ferry_loop *loop) {
    uint64_t limit = JOBS_GATHERED_US * loop->ticks_per_us;
    while (fy_clock_ticks() - loop->drained_ticks < limit) {
        if (fy_ready_count(&loop->ready) || !fy_list_is_empty(&loop->backend->finished))
            return true;
        fy_thread_yield();
    }
    return false;
}

static inline bool may_gather_jobs(const ferry_loop *loop) {
    return loop->jobs_dense && !loop->inbox.backlog && loop->cpus > 1 && !fy_loop_has_signals(loop) &&
           FY_LIKELY(!loop->has_virtual_time);
}

FY_NOINLINE static void drain_inbox(ferry_loop *loop, size_t jobs_max) {
    size_t jobs_out = loop->jobs_out;
    if (fy_inbox_has_news(&loop->inbox) && !(FY_UNLIKELY(loop->backend->holds_posts != NULL) &&
                                             loop->backend->holds_posts(loop->backend)))
        fy_inbox_drain(&loop->inbox, &(fy_inbox_reader){loop->executors.message, take_handle, take_post, loop},
                       jobs_max);
    note_density(loop, jobs_out);
    if (FY_UNLIKELY(fy_loop_has_signals(loop)))
        fy_signals_take(loop);
}

static inline bool has_been_sent_something(const ferry_loop *loop) {
    return fy_inbox_has_news(&loop->inbox) || FY_UNLIKELY(fy_loop_has_signals(loop));
}

/* ---- step 2: the kernel ---- */

/* A wake that is not taken out of the kernel would make the wait handle look readable to a foreign loop, and so would
 * an old deadline. */
static ferry_status ask_kernel(ferry_loop *loop, int64_t deadline_us, fy_list *done) {
    ferry_status status = loop->backend_class->wait(loop->backend, deadline_us, done);
    loop->wakes_seen = fy_inbox_wakes_done(&loop->inbox);
    return status;
}

static void note_polled(ferry_loop *loop) {
    loop->turns_unpolled = 0;
    loop->callbacks_unlooked = 0;
    loop->polled_ticks = loop->now_ticks;
}

static ferry_status poll_now(ferry_loop *loop, fy_list *done) {
    ferry_status status = 0;
    if (loop->files || loop->wakes_seen != loop->inbox.wakes_expected || loop->backend->has_old_deadline)
        status = ask_kernel(loop, 0, done);
    fy_loop_refresh_now(loop);
    note_polled(loop);
    return status;
}

static bool is_poll_due(ferry_loop *loop) {
    if (++loop->turns_unpolled >= TURNS_UNPOLLED_MAX || loop->wakes_seen != loop->inbox.wakes_expected)
        return true;
    if (loop->callbacks_unlooked < CALLBACKS_UNLOOKED_MAX)
        return false;
    loop->callbacks_unlooked = 0;
    return fy_clock_ticks() - loop->polled_ticks >= POLL_INTERVAL_US * loop->ticks_per_us ||
           FY_UNLIKELY(loop->has_virtual_time);
}

/* While jobs are out: waits a moment for one to come back before going to the kernel, if the last wait was short and
 * the jobs leave a processor free for that. It gives way now and then, for the kernel may have put the very thread that
 * is waited for behind this one. */
static bool spin_for_news(ferry_loop *loop, uint64_t began) {
    uint32_t limit_us = loop->jobs_out < loop->cpus ? fy_spin_begin(&loop->spin) : 0;
    if (limit_us) {
        do {
            for (int i = 0; i < SPIN_LOOKS && !fy_inbox_has_news(&loop->inbox); i++)
                fy_cpu_relax();
            fy_thread_yield();
        } while (!fy_inbox_has_news(&loop->inbox) && fy_clock_ticks() - began < limit_us * loop->ticks_per_us);
        fy_spin_end(&loop->spin, fy_inbox_has_news(&loop->inbox));
    }
    if (!fy_inbox_has_news(&loop->inbox))
        fy_thread_yield();
    return fy_inbox_has_news(&loop->inbox);
}

static int64_t timers_gathered_us(const ferry_loop *loop) {
    return loop->wakes_late_us < WAKES_LATE_US * WAKES_AVERAGED ? TIMERS_GATHERED_US : TIMERS_GATHERED_LATE_US;
}

/* A wait that was to end at that time is over; one that something else has ended tells nothing. */
static void note_lateness(ferry_loop *loop, int64_t wanted_us) {
    int64_t late_us = loop->now_us - wanted_us;
    if (late_us > TIMERS_GATHERED_LATE_US)
        late_us = TIMERS_GATHERED_LATE_US;
    if (late_us >= 0)
        loop->wakes_late_us += late_us - loop->wakes_late_us / WAKES_AVERAGED;
}

/* When the next timer wants the loop awake. Where several timers came due after each of the last two waits they are
 * dense, and more are gathered: waking up for each would cost more than running it. While that goes on the waits
 * end at even distances, so each can be told of before the one in front of it is over. In virtual time a wake-up costs
 * nothing. */
static int64_t next_timer(ferry_loop *loop) {
    int64_t gathered_us = timers_gathered_us(loop);
    int64_t next_us = fy_timers_next(&loop->timers), latest_us = loop->now_us + gathered_us;
    loop->backend->next_wait_us = 0;
    loop->dense_waits = loop->timers_due < 2 ? 0 : loop->dense_waits + 1;
    loop->timers_due = 0;
    bool is_near = next_us > loop->now_us && next_us < latest_us;
    if (loop->dense_waits < 2 || !is_near || FY_UNLIKELY(loop->has_virtual_time))
        return next_us;
    int64_t end_us = loop->gathered_until_us + gathered_us;
    loop->gathered_until_us = end_us > next_us && end_us < latest_us ? end_us : latest_us;
    loop->backend->next_wait_us = loop->gathered_until_us + gathered_us;
    return loop->gathered_until_us;
}

static ferry_status wait_in_kernel(ferry_loop *loop, int64_t deadline_us, fy_list *done) {
    if (!fy_inbox_arm(&loop->inbox))
        return 0;
    int64_t next_us = next_timer(loop);
    bool is_ahead = next_us > loop->now_us;
    loop->backend->work_elsewhere = loop->jobs_out;
    ferry_status status = ask_kernel(loop, next_us < deadline_us ? next_us : deadline_us, done);
    fy_loop_refresh_now(loop);
    note_polled(loop);
    if (is_ahead)
        note_lateness(loop, next_us);
    return status;
}

static ferry_status sleep_until(ferry_loop *loop, int64_t deadline_us, size_t jobs_max, fy_list *done) {
    ferry_status status = 0;
    if (!loop->jobs_out || FY_UNLIKELY(loop->has_virtual_time)) {
        status = wait_in_kernel(loop, deadline_us, done);
    } else {
        uint64_t began = fy_clock_ticks();
        if (!spin_for_news(loop, began))
            status = wait_in_kernel(loop, deadline_us, done);
        else if (began - loop->polled_ticks >= POLL_INTERVAL_US * loop->ticks_per_us)
            status = poll_now(loop, done);
        loop->spin.last_gap_us = (int64_t)((fy_clock_ticks() - began) / loop->ticks_per_us);
    }
    /* What has ended the wait is most often in the inbox. */
    drain_inbox(loop, jobs_max);
    return status;
}

/* ---- step 3: finished operations ---- */

/* Whoever hears of the end of one may fork; in the child the rest stay in flight, and end when the child closes what
 * it inherited. */
void fy_loop_resolve(ferry_loop *loop, fy_list *done) {
    while (!fy_list_is_empty(done) && fy_is_fork_generation(loop->fork_generation))
        loop->op_done(loop, fy_op_take(done));
}

/* Most writes are over as soon as they are submitted. Whether anything is to be run for them shows when they are
 * resolved; if not, the wait that follows blocks, and the kernel was not asked in vain. */
static void resolve_finished(ferry_loop *loop, fy_list *done) {
    if (fy_list_is_empty(&loop->backend->finished))
        return;
    (void)loop->backend_class->wait(loop->backend, FY_FINISHED, done);
    fy_loop_resolve(loop, done);
}

/* ---- step 4: timers ---- */

static void queue_timers(ferry_loop *loop, ferry_handle *handle) {
    while (handle) {
        loop->timers_due++;
        FY_PREFETCH(handle->arg); /* what the callback looks at has most often not been looked at for long */
        ferry_handle *next = handle->next;
        handle->place = FY_HANDLE_QUEUED;
        fy_ready_push_handle(&loop->ready, handle);
        handle = next;
    }
}

/* A job that has come home before a timer was looked for has done so in time, whoever waits for it with a limit. */
static void take_due_timers(ferry_loop *loop) {
    if (fy_inbox_has_news(&loop->inbox) && fy_timers_next(&loop->timers) <= loop->now_us)
        drain_inbox(loop, SIZE_MAX);
    for (ferry_handle *first; (first = fy_timers_take_due(&loop->timers, loop->now_us));)
        queue_timers(loop, first);
}

/* ---- step 5: callbacks ---- */

static inline void run_entry(ferry_loop *loop, fy_entry entry) {
    if (entry.handle) {
        fy_handle_run(loop, entry.handle);
        return;
    }
    ferry_status status = entry.callback(entry.arg);
    if (FY_UNLIKELY(status))
        fy_loop_report_callback(loop, status, entry.origin, NULL);
}

static void run_entry_timed(ferry_loop *loop, fy_entry entry) {
    const char *origin = entry.handle ? entry.handle->origin : entry.origin;
    int64_t began_us = loop->backend_class->now(loop->backend);
    run_entry(loop, entry);
    int64_t took_us = loop->backend_class->now(loop->backend) - began_us;
    if (took_us >= loop->slow_callback_duration_us)
        fy_loop_report_slow(loop, origin, took_us);
}

static void run_ready(ferry_loop *loop) {
    size_t count = loop->ready.tail - loop->ready.head;
    loop->ready_left = count;
    loop->callbacks_unlooked += count;
    /* A callback may fork; in the child the rest is not the child's to run. */
    while (loop->ready_left && fy_is_fork_generation(loop->fork_generation)) {
        loop->ready_left--;
        fy_entry entry = fy_ready_pop(&loop->ready);
        if (FY_UNLIKELY(loop->debug))
            run_entry_timed(loop, entry);
        else
            run_entry(loop, entry);
    }
}

/* ---- the end of a turn ---- */

void fy_loop_at_turn_end(ferry_loop *loop, fy_turn_hook *hook) {
    if (!loop->in_turn) {
        hook->run(hook);
        return;
    }
    if (hook->linked)
        return;
    hook->linked = true;
    hook->next = loop->hooks;
    loop->hooks = hook;
}

static void run_hooks(ferry_loop *loop) {
    while (loop->hooks && fy_is_fork_generation(loop->fork_generation)) {
        fy_turn_hook *hook = loop->hooks;
        loop->hooks = hook->next;
        hook->linked = false;
        hook->run(hook);
    }
}

/* One turn, or turns until the loop is stopped. Those do not return between turns: where a task has run, the processor
 * predicts the next returns wrongly. */
static ferry_status make_turns(ferry_loop *loop, int64_t deadline_us, bool is_one) {
    ferry_status status = 0;
    do {
        fy_list done = {NULL, NULL};
        loop->in_turn = true;
        /* If no other turn need follow, nothing that has come is left for it. */
        bool is_last = is_one || loop->stopping;
        size_t jobs_max = is_last ? SIZE_MAX : JOBS_AT_ONCE;
        /* 1: what other threads have sent */
        if (has_been_sent_something(loop) && (is_last || !may_gather_jobs(loop) || !gathers_jobs(loop)))
            drain_inbox(loop, jobs_max);
        /* 2: what the kernel has finished; blocks only if nothing is to be run */
        if (!fy_ready_count(&loop->ready))
            resolve_finished(loop, &done);
        if (fy_ready_count(&loop->ready)) {
            if (is_one || is_poll_due(loop))
                status = poll_now(loop, &done);
        } else if (loop->stopping || !deadline_us) {
            status = poll_now(loop, &done);
        } else {
            status = sleep_until(loop, deadline_us, jobs_max, &done);
        }
        /* 3: finished operations resolve their futures */
        fy_loop_resolve(loop, &done);
        /* 4: timers that are due */
        if (fy_timers_count(&loop->timers))
            take_due_timers(loop);
        /* 5: exactly what is ready now */
        run_ready(loop);
        if (FY_UNLIKELY(loop->ready.overflow))
            fy_ready_settle(&loop->ready);
        run_hooks(loop);
        loop->in_turn = false;
        if (FY_UNLIKELY(!fy_is_fork_generation(loop->fork_generation)))
            status = FERRY_EFORKED;
    } while (!is_one && !loop->stopping && !status);
    return status;
}

ferry_status fy_loop_turn(ferry_loop *loop, int64_t deadline_us) {
    return make_turns(loop, deadline_us, true);
}

/* ---- making turns ---- */

ferry_loop *ferry_running_loop(void) {
    return running && fy_is_fork_generation(running->fork_generation) ? running : NULL;
}

ferry_status fy_loop_enter(ferry_loop *loop) {
    if (!loop)
        return EINVAL;
    ferry_status status = fy_loop_check(loop);
    if (status)
        return status;
    if (ferry_loop_is_running(loop) || ferry_running_loop())
        return FERRY_EINVALIDSTATE;
    running = loop;
    ferry_loop_ref(loop); /* whose last reference may go while it runs */
    fy_loop_set_thread(loop, fy_thread_self());
    return 0;
}

void fy_loop_leave(ferry_loop *loop) {
    if (loop->tasks.state)
        loop->tasks.hooks->leave(loop);
    fy_loop_set_thread(loop, 0);
    running = NULL;
    ferry_loop_unref(loop);
}

void fy_loop_forget_running(const ferry_loop *loop) {
    if (running == loop)
        running = NULL;
}

ferry_status fy_loop_run(ferry_loop *loop) {
    ferry_status status = make_turns(loop, FERRY_FOREVER, false);
    loop->stopping = false;
    return status;
}

ferry_status ferry_loop_run_forever(ferry_loop *loop) {
    ferry_status status = fy_loop_enter(loop);
    if (status)
        return status;
    status = fy_loop_run(loop);
    fy_loop_leave(loop);
    return status;
}

ferry_status ferry_loop_stop(ferry_loop *loop) {
    if (!loop)
        return EINVAL;
    ferry_status status = fy_loop_check(loop);
    if (!status)
        loop->stopping = true;
    return status;
}

/* ---- embedding ---- */

ferry_status ferry_loop_run_once(ferry_loop *loop, int64_t timeout_us) {
    if (timeout_us < 0)
        return EINVAL;
    ferry_status status = fy_loop_enter(loop);
    if (status)
        return status;
    int64_t deadline_us = 0;
    if (timeout_us)
        deadline_us = fy_time_after(fy_loop_now_for_deadline(loop), timeout_us);
    status = fy_loop_turn(loop, deadline_us);
    loop->stopping = false;
    fy_loop_leave(loop);
    return status;
}

intptr_t ferry_loop_wait_handle(const ferry_loop *loop) {
    return loop && !fy_loop_closed(loop) ? loop->backend->wait_handle : -1;
}

int64_t ferry_loop_next_deadline(ferry_loop *loop) {
    if (!loop || fy_loop_check(loop))
        return FERRY_FOREVER;
    bool busy = fy_ready_count(&loop->ready) || !fy_list_is_empty(&loop->backend->finished) || loop->stopping;
    if (busy || fy_loop_has_signals(loop) || !fy_inbox_arm(&loop->inbox))
        return ferry_loop_time(loop);
    return fy_timers_next(&loop->timers);
}
