/* SPDX-License-Identifier: Apache-2.0 */
/* What happens ten times a second on the loop: it looks whether Ctrl-C was pressed, measures how late the loop is, lets
 * lines out that have waited, and draws the bar. How much there is to do is counted by a second walk that runs ahead of
 * the first one, which never goes further than the window. */
#include "digest.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#define TICK_US INT64_C(100000)

enum { BAR_WIDTH = 24, LINE_WIDTH = 78 };

static volatile sig_atomic_t interrupted;

/* The second Ctrl-C ends the program as if there were no handler. */
static void on_interrupt(int number) {
    interrupted = 1;
    signal(number, SIG_DFL);
}

/* ---- counting ahead ---- */

static ferry_status count_on(digest *self);

static ferry_status batch_counted(ferry_future *future, void *arg) {
    digest *self = arg;
    progress *mine = &self->progress;
    ferry_status status = ferry_future_status(future);
    ferry_future_unref(mine->counting);
    mine->counting = NULL;
    if (status || self->stopping)
        return 0; /* the first walk meets the same error, and its error is the one that counts */
    mine->counted = mine->batch.count == 0;
    for (size_t i = 0; i < mine->batch.count; i++)
        mine->bytes += mine->batch.files[i].size;
    mine->files += mine->batch.count;
    walk_batch_clear(&mine->batch);
    return mine->counted ? 0 : count_on(self);
}

static ferry_status count_on(digest *self) {
    ferry_job_options options = {
        FERRY_JOB_OPTIONS, .function = walk_fill_batch, .arg = &self->progress.batch, .priority = FERRY_PRIORITY_HIGH};
    return start_job(self->loop, self->pool, &options, batch_counted, self, &self->progress.counting);
}

/* ---- the bar ---- */

void progress_hide(progress *self) {
    if (self->drawn)
        fprintf(stderr, "\r%*s\r", LINE_WIDTH, "");
    self->drawn = false;
}

/* The share of the work that is done, 0 to 1, or -1 while it is not known how much there is. */
static double share_done(const progress *self, uint64_t bytes, uint64_t files) {
    if (!self->counted)
        return -1;
    double share = self->bytes ? (double)bytes / (double)self->bytes
                 : self->files ? (double)files / (double)self->files : 1;
    return share < 1 ? share : 1; /* files may grow while they are read */
}

static void draw(digest *self) {
    progress *mine = &self->progress;
    uint64_t bytes = atomic_load_explicit(&hashed_here, memory_order_relaxed);
    double seconds = (double)(ferry_now() - mine->started_us) / 1e6;
    double share = share_done(mine, bytes, self->files + self->failures);
    char bar[BAR_WIDTH + 1] = "      counting          ";
    char line[2 * LINE_WIDTH];
    if (share >= 0) {
        int full = (int)(share * (double)BAR_WIDTH);
        for (int i = 0; i < BAR_WIDTH; i++)
            bar[i] = i < full ? '#' : '.';
    }
    snprintf(line, sizeof line, "[%s] %3.0f%% %" PRIu64 " of %" PRIu64 " files %.1f MB %.1f MB/s", bar,
             share < 0 ? 0 : share * 100, self->files, mine->files, (double)bytes / 1e6, (double)bytes / 1e6 / seconds);
    fprintf(stderr, "\r%-*.*s", LINE_WIDTH, LINE_WIDTH, line);
    mine->drawn = true;
}

/* ---- the tick ---- */

static ferry_status tick(void *arg);

static ferry_status tick_later(digest *self) {
    progress *mine = &self->progress;
    int64_t now_us = ferry_now();
    mine->due_us += TICK_US;
    if (mine->due_us < now_us)
        mine->due_us = now_us;
    return ferry_call_at(self->loop, mine->due_us, tick, self, &mine->tick);
}

static ferry_status tick(void *arg) {
    digest *self = arg;
    progress *mine = &self->progress;
    int64_t lag_us = ferry_now() - mine->due_us;
    if (lag_us > mine->largest_lag_us)
        mine->largest_lag_us = lag_us;
    ferry_handle_unref(mine->tick);
    mine->tick = NULL;
    if (interrupted)
        digest_stop(self, FERRY_ECANCELED);
    digest_flush(self);
    if (self->progress.bar)
        draw(self);
    ferry_status status = tick_later(self);
    if (status)
        digest_stop(self, status);
    if (self->stopping)
        digest_go_on(self);
    return 0;
}

ferry_status progress_start(digest *self, char *const *paths, size_t count, bool bar) {
    progress *mine = &self->progress;
    mine->bar = bar;
    mine->started_us = mine->due_us = ferry_now();
    if (signal(SIGINT, on_interrupt) == SIG_ERR)
        return FERRY_ENOTSUP;
    ferry_status status = tick_later(self);
    if (!status && bar)
        status = walk_open(paths, count, true, &mine->batch.walk);
    if (!status && bar)
        status = count_on(self);
    return status;
}

void progress_stop(digest *self) {
    progress *mine = &self->progress;
    progress_hide(mine);
    ferry_handle_cancel(mine->tick);
    ferry_handle_unref(mine->tick);
    ferry_future_cancel(mine->counting);
}

void progress_clear(progress *self) {
    ferry_future_unref(self->counting);
    walk_batch_clear(&self->batch);
    walk_close(self->batch.walk);
}
