/* SPDX-License-Identifier: Apache-2.0 */
/* The contract's tests of what ops do: bytes, ends, cancelling, reuse. They hold for every backend, so they allow what
 * seam/backend.h leaves open (short counts, the order of deliveries) and refuse to know how a backend works. */
#include "backend_contract.h"

#include "backend_fixture.h"

enum { MANY_PAIRS = 500 };

/* ---- what the tests are written with ---- */

/* Writes until a write stays in flight for want of room. Returns how many bytes went out before it. */
static size_t fill(backend_fixture *fixture, fy_op *write, const char *bytes, size_t size) {
    fy_op *delivered;
    size_t sent = 0;
    *write = fy_op_write(&fixture->a, bytes, size);
    submit(fixture, write);
    while ((delivered = next_done(fixture, CONTRACT_MOMENT_US))) {
        CHECK(delivered == write);
        CHECK_STATUS(write->status, 0);
        CHECK(write->count >= 1 && write->count <= size - sent);
        sent += write->count;
        CHECK(sent < size);
        *write = fy_op_write(&fixture->a, bytes + sent, size - sent);
        submit(fixture, write);
    }
    CHECK(sent > 0);
    return sent;
}

/* ---- bytes ---- */

void contract_bytes_move_both_ways(const backend_kind *kind) {
    backend_fixture f;
    open_fixture(&f, kind);
    send_text(&f, &f.a, "there");
    send_text(&f, &f.b, "and back");
    expect_text(&f, &f.b, "there");
    expect_text(&f, &f.a, "and back");
    close_fixture(&f);
}

void contract_only_wait_delivers(const backend_kind *kind) {
    backend_fixture f;
    char byte;
    open_fixture(&f, kind);
    fy_op write = fy_op_write(&f.a, "x", 1), read = fy_op_read(&f.a, &byte, 1);
    submit(&f, &write);
    CHECK(fy_op_is_in_flight(&write));
    submit(&f, &read);
    cancel(&f, &read);
    CHECK(fy_op_is_in_flight(&read));
    await_two(&f);
    CHECK(!fy_op_is_in_flight(&write));
    CHECK(!fy_op_is_in_flight(&read));
    expect_nothing(&f);
    close_fixture(&f);
}

void contract_read_waits_for_a_later_write(const backend_kind *kind) {
    backend_fixture f;
    char bytes[8];
    open_fixture(&f, kind);
    fy_op read = fy_op_read(&f.b, bytes, sizeof bytes), write = fy_op_write(&f.a, "x", 1);
    submit(&f, &read);
    expect_nothing(&f);
    submit(&f, &write);
    await_both(&f, &read, &write);
    CHECK_INT(read.count, 1);
    CHECK_INT(bytes[0], 'x');
    close_fixture(&f);
}

void contract_short_reads_lose_nothing(const backend_kind *kind) {
    backend_fixture f;
    open_fixture(&f, kind);
    send_text(&f, &f.a, "one byte after the other");
    expect_text(&f, &f.b, "one byte");
    expect_text(&f, &f.b, " after");
    expect_text(&f, &f.b, " the other");
    close_fixture(&f);
}

void contract_after_a_short_read_more_bytes_come(const backend_kind *kind) {
    backend_fixture f;
    char bytes[64];
    open_fixture(&f, kind);
    for (int round = 0; round < 3; round++) {
        fy_op read = fy_op_read(&f.b, bytes, sizeof bytes), write = fy_op_write(&f.a, "more", 4);
        submit(&f, &read);
        submit(&f, &write);
        await_both(&f, &read, &write);
        CHECK(read.count < read.size);
        expect_bytes(&f, &f.b, &"more"[read.count], write.count - read.count);
    }
    close_fixture(&f);
}

void contract_after_a_short_read_the_end_comes(const backend_kind *kind) {
    backend_fixture f;
    char bytes[64];
    open_fixture(&f, kind);
    send_text(&f, &f.a, "x");
    fy_op read = fy_op_read(&f.b, bytes, sizeof bytes);
    perform(&f, &read, 0);
    CHECK_INT(read.count, 1);
    submit(&f, &read);
    expect_nothing(&f);
    detach(&f, &f.a);
    await_op(&f, &read, APR_EOF);
    detach(&f, &f.b);
    close_backend(&f);
}

void contract_bytes_before_attach_are_read(const backend_kind *kind) {
    backend_fixture f;
    fy_handle ends[2];
    open_backend(&f, kind);
    kind->make_pair(f.backend, ends);
    attach(&f, &f.a, ends[0]);
    send_text(&f, &f.a, "early");
    attach(&f, &f.b, ends[1]);
    settle(&f);
    expect_text(&f, &f.b, "early");
    close_fixture(&f);
}

void contract_bytes_before_submit_are_read(const backend_kind *kind) {
    backend_fixture f;
    open_fixture(&f, kind);
    send_text(&f, &f.a, "unasked");
    settle(&f);
    expect_text(&f, &f.b, "unasked");
    close_fixture(&f);
}

/* Once with the reader waiting when both arrive, once with nobody there. The buffer has room for more than comes. */
void contract_bytes_together_with_a_hang_up_are_read_first(const backend_kind *kind) {
    for (int reader_waits = 0; reader_waits <= 1; reader_waits++) {
        backend_fixture f;
        char bytes[64];
        open_fixture(&f, kind);
        settle(&f);
        fy_op read = fy_op_read(&f.b, bytes, sizeof bytes), write = fy_op_write(&f.a, "last", 4);
        if (reader_waits)
            submit(&f, &read);
        submit(&f, &write);
        CHECK(next_done(&f, CONTRACT_WITHIN_US) == &write);
        detach(&f, &f.a);
        if (!reader_waits) {
            settle(&f);
            submit(&f, &read);
        }
        await_op(&f, &read, 0);
        CHECK(memcmp(bytes, "last", read.count) == 0);
        expect_bytes(&f, &f.b, &"last"[read.count], write.count - read.count);
        expect_end(&f, &f.b);
        detach(&f, &f.b);
        close_backend(&f);
    }
}

void contract_large_write_makes_partial_progress(const backend_kind *kind) {
    backend_fixture f;
    fy_op write, read;
    char *pattern = new_pattern(LARGE), chunk[SLOW_READ];
    open_fixture(&f, kind);
    size_t sent = fill(&f, &write, pattern, LARGE), received = 0;
    read = fy_op_read(&f.b, chunk, sizeof chunk);
    submit(&f, &read);
    while (received < LARGE) {
        fy_op *op = next_done(&f, CONTRACT_WITHIN_US);
        CHECK(op);
        CHECK_STATUS(op->status, 0);
        if (op == &write) {
            sent += write.count;
            write = fy_op_write(&f.a, pattern + sent, LARGE - sent);
        } else {
            CHECK(memcmp(chunk, pattern + received, read.count) == 0);
            received += read.count;
        }
        if (op == &write ? sent < LARGE : received < LARGE)
            submit(&f, op);
    }
    CHECK_INT(sent, LARGE);
    close_fixture(&f);
    free(pattern);
}

/* The next op delivered but `busy`, which is submitted again as often as it comes. */
static fy_op *next_beside(backend_fixture *fixture, fy_op *busy, int *deliveries) {
    fy_op *op;
    while ((op = next_done(fixture, CONTRACT_WITHIN_US)) == busy) {
        CHECK_STATUS(busy->status, 0);
        ++*deliveries;
        submit(fixture, busy);
    }
    return op;
}

/* A read and a write wait on the same file: first the read is given up, then bytes come in, then room comes while other
 * bytes lie there unread. */
void contract_both_directions_of_a_file_are_independent(const backend_kind *kind) {
    backend_fixture f;
    fy_op write;
    int deliveries = 0;
    char byte, chunk[SLOW_READ], *pattern = new_pattern(LARGE);
    open_fixture(&f, kind);
    (void)fill(&f, &write, pattern, LARGE);
    fy_op read = fy_op_read(&f.a, &byte, 1), answer = fy_op_write(&f.b, "y", 1);
    submit(&f, &read);
    cancel(&f, &read);
    await_op(&f, &read, FERRY_ECANCELED);
    CHECK(fy_op_is_in_flight(&write));
    submit(&f, &read);
    submit(&f, &answer);
    fy_op *first = next_beside(&f, &write, &deliveries), *second = next_beside(&f, &write, &deliveries);
    CHECK((first == &read && second == &answer) || (first == &answer && second == &read));
    CHECK_STATUS(read.status, 0);
    CHECK_INT(byte, 'y');
    submit(&f, &answer);
    CHECK(next_beside(&f, &write, &deliveries) == &answer);
    for (deliveries = 0; !deliveries;) {
        fy_op drain = fy_op_read(&f.b, chunk, sizeof chunk);
        submit(&f, &drain);
        CHECK(next_beside(&f, &write, &deliveries) == &drain);
        CHECK_STATUS(drain.status, 0);
    }
    submit(&f, &read);
    CHECK(next_beside(&f, &write, &deliveries) == &read);
    CHECK_STATUS(read.status, 0);
    cancel(&f, &write);
    CHECK(next_done(&f, CONTRACT_WITHIN_US) == &write);
    close_fixture(&f);
    free(pattern);
}

/* ---- ends ---- */

void contract_end_of_stream_is_told_each_time(const backend_kind *kind) {
    backend_fixture f;
    char byte;
    open_fixture(&f, kind);
    fy_op read = fy_op_read(&f.b, &byte, 1);
    submit(&f, &read);
    expect_nothing(&f);
    detach(&f, &f.a);
    await_op(&f, &read, APR_EOF);
    expect_end(&f, &f.b);
    expect_end(&f, &f.b);
    detach(&f, &f.b);
    close_backend(&f);
}

/* The first writes may succeed: some kernels learn of the close from the answer to them. */
void contract_write_to_a_closed_peer_gets_a_status(const backend_kind *kind) {
    backend_fixture f;
    open_fixture(&f, kind);
    detach(&f, &f.b);
    fy_op write = fy_op_write(&f.a, "x", 1);
    for (int i = 0; i < 100 && write.status == 0; i++) {
        submit(&f, &write);
        CHECK(next_done(&f, CONTRACT_WITHIN_US) == &write);
    }
    expect_failure(&write);
    detach(&f, &f.a);
    close_backend(&f);
}

void contract_waiting_write_learns_that_its_peer_closed(const backend_kind *kind) {
    backend_fixture f;
    fy_op write;
    char *pattern = new_pattern(LARGE);
    open_fixture(&f, kind);
    (void)fill(&f, &write, pattern, LARGE);
    detach(&f, &f.b);
    while (next_done(&f, CONTRACT_WITHIN_US) == &write && write.status == 0)
        submit(&f, &write);
    CHECK(!fy_op_is_in_flight(&write));
    expect_failure(&write);
    detach(&f, &f.a);
    close_backend(&f);
    free(pattern);
}

/* ---- cancelling ---- */

void contract_cancelled_read_is_delivered_once(const backend_kind *kind) {
    backend_fixture f;
    char byte;
    open_fixture(&f, kind);
    fy_op read = fy_op_read(&f.b, &byte, 1);
    submit(&f, &read);
    expect_nothing(&f);
    cancel(&f, &read);
    await_op(&f, &read, FERRY_ECANCELED);
    expect_nothing(&f);
    send_text(&f, &f.a, "x");
    expect_nothing(&f);
    close_fixture(&f);
}

void contract_cancel_twice_delivers_once(const backend_kind *kind) {
    backend_fixture f;
    char byte;
    open_fixture(&f, kind);
    fy_op read = fy_op_read(&f.b, &byte, 1);
    submit(&f, &read);
    cancel(&f, &read);
    cancel(&f, &read);
    await_op(&f, &read, FERRY_ECANCELED);
    expect_nothing(&f);
    close_fixture(&f);
}

/* Never submitted, already delivered, and idle while another op of the same direction is in flight. */
void contract_cancel_of_an_idle_op_does_nothing(const backend_kind *kind) {
    backend_fixture f;
    char byte;
    open_fixture(&f, kind);
    fy_op read = fy_op_read(&f.b, &byte, 1), idle = fy_op_read(&f.b, &byte, 1);
    cancel(&f, &idle);
    expect_nothing(&f);
    send_text(&f, &f.a, "x");
    perform(&f, &read, 0);
    cancel(&f, &read);
    expect_nothing(&f);
    submit(&f, &read);
    cancel(&f, &idle);
    expect_nothing(&f);
    CHECK(fy_op_is_in_flight(&read));
    send_text(&f, &f.a, "y");
    await_op(&f, &read, 0);
    CHECK_INT(byte, 'y');
    close_fixture(&f);
}

/* Whether a write is final before a wait has looked is the backend's affair; that its bytes and its status agree is
 * not. */
void contract_cancel_of_a_finished_op_keeps_its_outcome(const backend_kind *kind) {
    backend_fixture f;
    open_fixture(&f, kind);
    fy_op write = fy_op_write(&f.a, "x", 1);
    submit(&f, &write);
    cancel(&f, &write);
    CHECK(next_done(&f, CONTRACT_WITHIN_US) == &write);
    CHECK(write.status == 0 ? write.count == 1 : write.status == FERRY_ECANCELED && write.count == 0);
    expect_nothing(&f);
    if (write.status == 0)
        expect_text(&f, &f.b, "x");
    detach(&f, &f.a);
    expect_end(&f, &f.b);
    detach(&f, &f.b);
    close_backend(&f);
}

/* The bytes arrive while the read waits, and it is cancelled before a wait could have told. */
void contract_cancelled_read_leaves_the_bytes(const backend_kind *kind) {
    backend_fixture f;
    char bytes[16];
    open_fixture(&f, kind);
    fy_op read = fy_op_read(&f.b, bytes, sizeof bytes), write = fy_op_write(&f.a, "kept", 4);
    submit(&f, &read);
    expect_nothing(&f);
    submit(&f, &write);
    cancel(&f, &read);
    await_two(&f);
    CHECK_STATUS(write.status, 0);
    CHECK(read.status == 0 ? read.count >= 1 : read.status == FERRY_ECANCELED && read.count == 0);
    settle(&f);
    expect_bytes(&f, &f.b, &"kept"[read.count], write.count - read.count);
    close_fixture(&f);
}

void contract_cancelled_write_sends_nothing(const backend_kind *kind) {
    backend_fixture f;
    fy_op write;
    char *pattern = new_pattern(LARGE);
    open_fixture(&f, kind);
    size_t sent = fill(&f, &write, pattern, LARGE);
    cancel(&f, &write);
    CHECK(next_done(&f, CONTRACT_WITHIN_US) == &write);
    CHECK(write.status == 0 ? write.count >= 1 : write.status == FERRY_ECANCELED && write.count == 0);
    detach(&f, &f.a);
    expect_pattern(&f, pattern, 0, sent + write.count);
    expect_end(&f, &f.b);
    detach(&f, &f.b);
    close_backend(&f);
    free(pattern);
}

/* Whoever hears of those in front of it may cancel it: that comes too late. */
void contract_delivered_op_is_in_flight_until_it_is_taken(const backend_kind *kind) {
    backend_fixture f;
    char byte = 0;
    open_fixture(&f, kind);
    fy_op write = fy_op_write(&f.a, "x", 1), read = fy_op_read(&f.b, &byte, 1);
    submit(&f, &read);
    submit(&f, &write);
    int64_t deadline_us = now(&f) + CONTRACT_WITHIN_US;
    while ((fy_list_is_empty(&f.done) || f.done.head == f.done.tail) && now(&f) < deadline_us)
        wait_until(&f, deadline_us);
    CHECK(fy_op_is_in_flight(&read));
    CHECK(fy_op_is_in_flight(&write));
    cancel(&f, &read);
    cancel(&f, &write);
    wait_until(&f, 0);
    await_both(&f, &write, &read);
    CHECK(fy_file_is_idle(&f.a) && fy_file_is_idle(&f.b));
    CHECK_INT(byte, 'x');
    expect_nothing(&f);
    close_fixture(&f);
}

/* ---- reuse and numbers ---- */

void contract_op_is_reusable_after_delivery(const backend_kind *kind) {
    backend_fixture f;
    char byte;
    open_fixture(&f, kind);
    fy_op read = fy_op_read(&f.b, &byte, 1), write = fy_op_write(&f.a, "z", 1);
    for (int round = 0; round < 3; round++) {
        submit(&f, &read);
        cancel(&f, &read);
        await_op(&f, &read, FERRY_ECANCELED);
        perform(&f, &write, 0);
        perform(&f, &read, 0);
        CHECK_INT(byte, 'z');
    }
    close_fixture(&f);
}

/* The old pair goes with bytes unread and edges untold; the new one has its numbers and, here, its memory. */
void contract_reused_handle_sees_nothing_of_its_past(const backend_kind *kind) {
    backend_fixture f;
    char byte;
    open_fixture(&f, kind);
    for (int round = 0; round < 3; round++) {
        fy_handle old_a = f.a.handle, old_b = f.b.handle;
        send_text(&f, &f.a, "old");
        detach(&f, &f.a);
        detach(&f, &f.b);
        attach_pair(&f, kind, &f.a, &f.b);
        CHECK(!kind->reuses_handles || (f.a.handle == old_a && f.b.handle == old_b));
        fy_op read = fy_op_read(&f.b, &byte, 1), write = fy_op_write(&f.a, "n", 1);
        submit(&f, &read);
        expect_nothing(&f);
        submit(&f, &write);
        await_both(&f, &read, &write);
        CHECK_INT(byte, 'n');
    }
    close_fixture(&f);
}

typedef struct crowd {
    fy_file files[2 * MANY_PAIRS];
    fy_op reads[2 * MANY_PAIRS], writes[2 * MANY_PAIRS];
    char sent[2 * MANY_PAIRS], received[2 * MANY_PAIRS];
    int deliveries[2 * MANY_PAIRS];
} crowd;

static void attach_crowd(backend_fixture *fixture, const backend_kind *kind, crowd *all) {
    for (int i = 0; i < 2 * MANY_PAIRS; i += 2)
        attach_pair(fixture, kind, &all->files[i], &all->files[i + 1]);
    for (int i = 0; i < 2 * MANY_PAIRS; i++) {
        all->sent[i] = (char)(i % 127);
        all->reads[i] = fy_op_read(&all->files[i], &all->received[i], 1);
        all->writes[i] = fy_op_write(&all->files[i], &all->sent[i], 1);
    }
}

/* Every file reads and writes one byte at the same time. */
void contract_many_files_are_each_delivered_once(const backend_kind *kind) {
    backend_fixture f;
    crowd *all = calloc(1, sizeof *all);
    CHECK(all);
    open_fixture(&f, kind);
    attach_crowd(&f, kind, all);
    for (int i = 0; i < 2 * MANY_PAIRS; i++)
        submit(&f, &all->reads[i]);
    expect_nothing(&f);
    for (int i = 0; i < 2 * MANY_PAIRS; i++)
        submit(&f, &all->writes[i]);
    for (int i = 0; i < 4 * MANY_PAIRS; i++) {
        fy_op *op = next_done(&f, CONTRACT_WITHIN_US);
        CHECK(op);
        CHECK_STATUS(op->status, 0);
        all->deliveries[op->file - all->files]++;
    }
    expect_nothing(&f);
    for (int i = 0; i < 2 * MANY_PAIRS; i++) {
        CHECK_INT(all->deliveries[i], 2);
        CHECK_INT(all->received[i], all->sent[i ^ 1]);
        detach(&f, &all->files[i]);
    }
    close_fixture(&f);
    free(all);
}
