/* SPDX-License-Identifier: Apache-2.0 */
/* The contract's tests of processes: each child that was asked for is told of once, with how it ended, and no other one
 * is touched. */
#include "backend_contract.h"

#include "backend_fixture.h"

typedef struct watched_child {
    backend_child child;
    fy_file file;
    fy_op op;
} watched_child;

static void watch(backend_fixture *fixture, watched_child *self) {
    self->file = (fy_file){.use = FY_FILE_PROCESS, .process = self->child.process};
    self->op = (fy_op){.kind = FY_OP_CHILD, .file = &self->file};
    CHECK_STATUS(fixture->class->attach(fixture->backend, &self->file), 0);
}

static void start(backend_fixture *fixture, const backend_kind *kind, watched_child *ret_child) {
    kind->start_child(fixture->backend, &ret_child->child);
    watch(fixture, ret_child);
}

static void await_child(backend_fixture *fixture, watched_child *child, int code, int signal) {
    CHECK(next_done(fixture, CONTRACT_WITHIN_US) == &child->op);
    CHECK_STATUS(child->op.status, 0);
    CHECK_INT(child->op.exit.code, code);
    CHECK_INT(child->op.exit.signal, signal);
}

static void finish(backend_fixture *fixture, watched_child *child) {
    expect_nothing(fixture);
    detach(fixture, &child->file);
}

void contract_child_tells_its_code(const backend_kind *kind) {
    static const int codes[] = {0, 7, 255};
    backend_fixture f;
    watched_child child;
    if (!kind->start_child)
        return;
    open_backend(&f, kind);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        start(&f, kind, &child);
        submit(&f, &child.op);
        expect_nothing(&f);
        kind->end_child(&child.child, codes[i]);
        await_child(&f, &child, codes[i], 0);
        finish(&f, &child);
    }
    close_backend(&f);
}

/* Before it was attached; and before it was asked for, with a wait in between that nobody is told by. */
void contract_child_that_ended_before_is_told(const backend_kind *kind) {
    backend_fixture f;
    watched_child child;
    if (!kind->start_child)
        return;
    open_backend(&f, kind);
    kind->start_child(f.backend, &child.child);
    kind->end_child(&child.child, 1);
    watch(&f, &child);
    submit(&f, &child.op);
    await_child(&f, &child, 1, 0);
    finish(&f, &child);
    start(&f, kind, &child);
    settle(&f);
    kind->end_child(&child.child, 2);
    settle(&f);
    submit(&f, &child.op);
    await_child(&f, &child, 2, 0);
    finish(&f, &child);
    close_backend(&f);
}

void contract_killed_child_tells_its_signal(const backend_kind *kind) {
    backend_fixture f;
    watched_child child;
    if (!kind->kill_child)
        return;
    open_backend(&f, kind);
    start(&f, kind, &child);
    submit(&f, &child.op);
    expect_nothing(&f);
    kind->kill_child(&child.child);
    await_child(&f, &child, 0, kind->kill_signal);
    finish(&f, &child);
    close_backend(&f);
}

/* They end in the opposite order. */
void contract_children_are_told_apart(const backend_kind *kind) {
    backend_fixture f;
    watched_child children[3];
    if (!kind->start_child)
        return;
    open_backend(&f, kind);
    for (int i = 0; i < 3; i++) {
        start(&f, kind, &children[i]);
        submit(&f, &children[i].op);
    }
    expect_nothing(&f);
    for (int i = 2; i >= 0; i--) {
        kind->end_child(&children[i].child, i + 1);
        await_child(&f, &children[i], i + 1, 0);
    }
    for (int i = 0; i < 3; i++)
        finish(&f, &children[i]);
    close_backend(&f);
}

/* Once before it ends, and once when it has ended but no wait has told: for a moment another thread could tell the
 * backend. */
void contract_cancelled_child_can_be_awaited_again(const backend_kind *kind) {
    backend_fixture f;
    watched_child child;
    if (!kind->start_child)
        return;
    open_backend(&f, kind);
    start(&f, kind, &child);
    submit(&f, &child.op);
    expect_nothing(&f);
    cancel(&f, &child.op);
    cancel(&f, &child.op);
    await_end(&f, &child.op, FERRY_ECANCELED);
    submit(&f, &child.op);
    expect_nothing(&f);
    kind->end_child(&child.child, 9);
    ferry_thread_sleep(CONTRACT_MOMENT_US);
    cancel(&f, &child.op);
    CHECK(next_done(&f, CONTRACT_WITHIN_US) == &child.op);
    if (child.op.status) {
        CHECK_STATUS(child.op.status, FERRY_ECANCELED);
        settle(&f);
        submit(&f, &child.op);
        CHECK(next_done(&f, CONTRACT_WITHIN_US) == &child.op);
        CHECK_STATUS(child.op.status, 0);
    }
    CHECK_INT(child.op.exit.code, 9);
    finish(&f, &child);
    close_backend(&f);
}

/* One is awaited; one is attached and nobody asks; one had its wait cancelled; and one the backend never heard of. */
void contract_only_the_awaited_child_is_reaped(const backend_kind *kind) {
    backend_fixture f;
    watched_child awaited, unasked, cancelled;
    backend_child stranger;
    if (!kind->start_child)
        return;
    open_backend(&f, kind);
    start(&f, kind, &unasked);
    start(&f, kind, &awaited);
    start(&f, kind, &cancelled);
    kind->start_child(f.backend, &stranger);
    submit(&f, &awaited.op);
    submit(&f, &cancelled.op);
    cancel(&f, &cancelled.op);
    await_end(&f, &cancelled.op, FERRY_ECANCELED);
    kind->end_child(&stranger, 1);
    kind->end_child(&unasked.child, 2);
    kind->end_child(&cancelled.child, 3);
    expect_nothing(&f);
    kind->end_child(&awaited.child, 4);
    await_child(&f, &awaited, 4, 0);
    finish(&f, &awaited);
    finish(&f, &unasked);
    finish(&f, &cancelled);
    CHECK_INT(kind->reap_child(&stranger), 1);
    CHECK_INT(kind->reap_child(&unasked.child), 2);
    CHECK_INT(kind->reap_child(&cancelled.child), 3);
    close_backend(&f);
}
