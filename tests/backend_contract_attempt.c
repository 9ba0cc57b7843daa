/* SPDX-License-Identifier: Apache-2.0 */
/* The contract's tests of writes that may be over at once. Whether one is, is the backend's affair; that its bytes and
 * its outcome agree is not. */
#include "backend_contract.h"

#include "backend_fixture.h"

/* True once it has ended, at once or a moment later; false if it stays in flight. */
static bool submit_hastily(backend_fixture *fixture, fy_op *op) {
    op->may_end_at_once = true;
    if (fixture->class->submit(fixture->backend, op)) {
        CHECK(!fy_op_is_in_flight(op));
        CHECK(op->status || (op->count >= 1 && op->count <= op->size));
        return true;
    }
    fy_op *delivered = next_done(fixture, CONTRACT_MOMENT_US);
    CHECK(!delivered || delivered == op);
    return delivered != NULL;
}

/* Until there is no room, and then until all is out. */
void contract_attempted_writes_send_each_byte_once(const backend_kind *kind) {
    backend_fixture f;
    char *pattern = new_pattern(LARGE);
    size_t sent = 0;
    open_fixture(&f, kind);
    fy_op write = fy_op_write(&f.a, pattern, LARGE);
    while (submit_hastily(&f, &write)) {
        CHECK_STATUS(write.status, 0);
        CHECK(write.count >= 1 && write.count <= write.size);
        sent += write.count;
        write = fy_op_write(&f.a, pattern + sent, LARGE - sent);
    }
    fy_op *last = NULL;
    for (size_t received = 0; received < sent;) {
        char chunk[SLOW_READ];
        fy_op read = fy_op_read(&f.b, chunk, sent - received < sizeof chunk ? sent - received : sizeof chunk);
        submit(&f, &read);
        fy_op *op = next_done(&f, CONTRACT_WITHIN_US);
        if (op == &write) {
            last = op;
            op = next_done(&f, CONTRACT_WITHIN_US);
        }
        CHECK(op == &read);
        CHECK(memcmp(chunk, pattern + received, read.count) == 0);
        received += read.count;
    }
    CHECK(last || next_done(&f, CONTRACT_WITHIN_US) == &write);
    expect_pattern(&f, pattern, sent, write.count);
    close_fixture(&f);
    free(pattern);
}

void contract_attempted_write_tells_of_a_closed_peer(const backend_kind *kind) {
    backend_fixture f;
    open_fixture(&f, kind);
    detach(&f, &f.b);
    fy_op write = fy_op_write(&f.a, "x", 1);
    for (int i = 0; i < 100 && write.status == 0; i++) {
        write = fy_op_write(&f.a, "x", 1);
        if (!submit_hastily(&f, &write))
            CHECK(next_done(&f, CONTRACT_WITHIN_US) == &write);
    }
    expect_failure(&write);
    detach(&f, &f.a);
    close_backend(&f);
}
