/* SPDX-License-Identifier: Apache-2.0 */
/* The thread's own variables of the executors' floor. */
#include "executor/frame.h"

#include <stddef.h>

static _Thread_local struct {
    fy_frame *frames;
    const char *worker_name;
    fy_worker_view *worker;
} self;

void fy_frame_push(fy_frame *frame, ferry_job *job) {
    *frame = (fy_frame){job, self.frames};
    self.frames = frame;
}

void fy_frame_pop(fy_frame *frame) {
    self.frames = frame->outer;
}

const fy_frame *fy_frame_current(void) {
    return self.frames;
}

const char *fy_frame_worker(void) {
    return self.worker_name;
}

const char *fy_frame_set_worker(const char *name) {
    const char *former = self.worker_name;
    self.worker_name = name;
    return former;
}

void fy_frame_set_worker_view(fy_worker_view *worker) {
    self.worker = worker;
    self.worker_name = worker ? worker->name : NULL;
}

fy_worker_view *fy_frame_worker_view(void) {
    return self.worker;
}

bool fy_frame_is_cancelled(void) {
    return self.worker && self.worker->is_cancelled(self.worker);
}
