/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the test program again as a worker. It knows how one is started, read and judged, and nothing of its modes. */
#include "support/worker.h"

#include <string.h>

#include <apr_errno.h>
#include <apr_general.h>

#include "base/alloc.h"
#include "support/system.h"

enum { SILENCE_MAX_US = 60 * 1000 * 1000 };

static const char worker_flag[] = "--worker";
static char **all_arguments; /* as main was given them */

static fy_op *await_op(worker *self) {
    const fy_backend_class *class = self->backend->class;
    int64_t deadline_us = class->now(self->backend) + SILENCE_MAX_US;
    fy_list done = {0};
    while (fy_list_is_empty(&done) && class->now(self->backend) < deadline_us)
        CHECK_STATUS(class->wait(self->backend, deadline_us, &done), 0);
    return fy_op_take(&done);
}

static void perform(worker *self, fy_op *op) {
    CHECK(!self->backend->class->submit(self->backend, op));
    CHECK(await_op(self) == op);
}

/* ---- the parent's side ---- */

ferry_status worker_try_start(const char *program, const char *const *argv, const char *variable, fy_child *ret_child) {
    void *environment = NULL;
    ferry_status status = fy_child_environment(variable, &environment);
    if (!status)
        status = fy_child_start(program, argv, environment, ret_child);
    fy_free(environment);
    return status;
}

void worker_start_with(worker *self, const char *program, const char *mode, const char *argument,
                       const char *variable) {
    const char *const arguments[] = {program, worker_flag, mode, argument, NULL};
    fy_child child;
    CHECK_STATUS(worker_try_start(program, arguments, variable, &child), 0);
    worker_watch(self, &child);
}

void worker_watch(worker *self, const fy_child *child) {
    *self = (worker){.child = *child};
    CHECK_STATUS(fy_backends[0]->open(&self->backend), 0);
    self->channel = (fy_file){.handle = self->child.channel, .use = FY_FILE_OWNED};
    self->process = (fy_file){.process = self->child.process, .use = FY_FILE_PROCESS};
    CHECK_STATUS(self->backend->class->attach(self->backend, &self->channel), 0);
    CHECK_STATUS(self->backend->class->attach(self->backend, &self->process), 0);
}

void worker_start(worker *self, const char *mode) {
    char program[FY_PROGRAM_PATH_SIZE];
    CHECK_STATUS(fy_program_path(program), 0);
    worker_start_with(self, program, mode, NULL, WORKER_VARIABLE "=1");
}

size_t worker_read(worker *self, void *bytes, size_t size) {
    size_t total = 0;
    while (total < size) {
        fy_op op = fy_op_read(&self->channel, (char *)bytes + total, size - total);
        perform(self, &op);
        if (op.status == APR_EOF)
            break;
        CHECK_STATUS(op.status, 0);
        total += op.count;
    }
    return total;
}

void worker_expect(worker *self, char byte) {
    char got;
    CHECK_INT(worker_read(self, &got, 1), 1);
    CHECK_INT(got, byte);
}

void worker_tell(worker *self, const char *text, const fy_shared *shared_or_null) {
    char note[FY_NOTE_SIZE] = {0};
    memcpy(note, text, strlen(text));
    CHECK_STATUS(fy_child_send(&self->child, note, shared_or_null), 0);
}

void worker_leave(worker *self) {
    self->backend->class->detach(self->backend, &self->channel);
    self->channel.use = FY_FILE_BORROWED;
}

fy_exit worker_await_end(worker *self) {
    const fy_backend_class *class = self->backend->class;
    fy_op op = {.kind = FY_OP_CHILD, .file = &self->process};
    perform(self, &op);
    CHECK_STATUS(op.status, 0);
    class->detach(self->backend, &self->process);
    if (self->channel.use == FY_FILE_OWNED)
        class->detach(self->backend, &self->channel);
    fy_child_fini(&self->child);
    class->close(self->backend);
    return op.exit;
}

void worker_finish(worker *self) {
    worker_leave(self);
    fy_exit end = worker_await_end(self);
    CHECK_INT(end.signal, 0);
    CHECK_INT(end.code, 0);
}

/* ---- the worker's side ---- */

ferry_status worker_hear(const fy_parent *parent, char text[FY_NOTE_SIZE + 1], fy_handle *ret_handle) {
    text[FY_NOTE_SIZE] = '\0';
    return fy_parent_receive(parent, text, ret_handle);
}

void worker_say(const fy_parent *parent, char byte) {
    CHECK_STATUS(fy_parent_send(parent, &byte, 1), 0);
}

const char *worker_argument(void) {
    return all_arguments[3];
}

static int run(int (*mode)(const fy_parent *parent)) {
    fy_parent parent;
    if (apr_initialize() != APR_SUCCESS || fy_parent_open(&parent))
        return WORKER_HAS_NO_CHANNEL;
    return mode(&parent);
}

bool worker_main(int argc, char **argv, const worker_mode *modes, size_t count, int *ret_code) {
    if (argc < 3 || strcmp(argv[1], worker_flag) != 0)
        return false;
    all_arguments = argv;
    fy_system_prepare();
    *ret_code = WORKER_UNKNOWN_MODE;
    for (size_t i = 0; i < count; i++)
        if (strcmp(argv[2], modes[i].name) == 0)
            *ret_code = run(modes[i].run);
    return true;
}
