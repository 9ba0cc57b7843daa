/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of backends are written with: a backend with a pair of files, and one line for each thing that tests
 * do with them. It knows what seam/backend.h promises, and nothing of any backend. */
#ifndef FERRY_TESTS_BACKEND_FIXTURE_H
#define FERRY_TESTS_BACKEND_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include <apr_errno.h>

#include "backend_contract.h"

/* How long a test waits for what must happen, and how long for what must not. */
#ifndef CONTRACT_WITHIN_US
#define CONTRACT_WITHIN_US 10000000
#endif
#define CONTRACT_MOMENT_US 5000

enum { SETTLING_ROUNDS_MAX = 100 };

/* More than a pair holds; and how much of that is read at once. */
enum { LARGE = 1 << 20, SLOW_READ = 4096 };

typedef struct backend_fixture {
    const fy_backend_class *class;
    fy_backend *backend;
    fy_file a, b; /* connected */
    fy_list done; /* delivered, and not yet looked at */
} backend_fixture;

/* ---- the nine functions but open ---- */

static inline int64_t now(backend_fixture *fixture) {
    return fixture->class->now(fixture->backend);
}

static inline void attach(backend_fixture *fixture, fy_file *file, fy_handle handle) {
    *file = (fy_file){.handle = handle};
    CHECK_STATUS(fixture->class->attach(fixture->backend, file), 0);
}

static inline void attach_borrowed(backend_fixture *fixture, fy_file *file, fy_handle handle) {
    *file = (fy_file){.handle = handle, .use = FY_FILE_BORROWED};
    CHECK_STATUS(fixture->class->attach(fixture->backend, file), 0);
}

static inline void detach(backend_fixture *fixture, fy_file *file) {
    fixture->class->detach(fixture->backend, file);
}

static inline void submit(backend_fixture *fixture, fy_op *op) {
    CHECK(!fixture->class->submit(fixture->backend, op));
}

static inline void cancel(backend_fixture *fixture, fy_op *op) {
    fixture->class->cancel(fixture->backend, op);
}

static inline void wait_until(backend_fixture *fixture, int64_t deadline_us) {
    CHECK_STATUS(fixture->class->wait(fixture->backend, deadline_us, &fixture->done), 0);
}

static inline void wake(backend_fixture *fixture) {
    fixture->class->wake(fixture->backend);
}

/* Every file has been detached. */
static inline void close_backend(backend_fixture *fixture) {
    CHECK(fy_list_is_empty(&fixture->done));
    fixture->class->close(fixture->backend);
}

/* ---- beginning and end of a test ---- */

static inline void open_backend(backend_fixture *fixture, const backend_kind *kind) {
    *fixture = (backend_fixture){.class = kind->class};
    CHECK_STATUS(kind->class->open(&fixture->backend), 0);
    CHECK(fixture->backend->class == kind->class);
}

static inline void attach_pair(backend_fixture *fixture, const backend_kind *kind, fy_file *one, fy_file *other) {
    fy_handle ends[2];
    kind->make_pair(fixture->backend, ends);
    attach(fixture, one, ends[0]);
    attach(fixture, other, ends[1]);
}

static inline void open_fixture(backend_fixture *fixture, const backend_kind *kind) {
    open_backend(fixture, kind);
    attach_pair(fixture, kind, &fixture->a, &fixture->b);
}

static inline void close_fixture(backend_fixture *fixture) {
    detach(fixture, &fixture->a);
    detach(fixture, &fixture->b);
    close_backend(fixture);
}

/* ---- deliveries ---- */

/* The next op delivered; NULL if none is within the time. It waits at least once, for the time may be up before. */
static inline fy_op *next_done(backend_fixture *fixture, int64_t within_us) {
    int64_t deadline_us = now(fixture) + within_us;
    if (fy_list_is_empty(&fixture->done))
        do
            wait_until(fixture, deadline_us);
        while (fy_list_is_empty(&fixture->done) && now(fixture) < deadline_us);
    return fy_op_take(&fixture->done);
}

/* The op is the next one delivered, with this status. */
static inline void await_end(backend_fixture *fixture, fy_op *op, ferry_status status) {
    CHECK(next_done(fixture, CONTRACT_WITHIN_US) == op);
    CHECK(!fy_op_is_in_flight(op));
    CHECK_STATUS(op->status, status);
    CHECK(!status || op->count == 0);
}

/* The same for one that moves bytes of a stream. */
static inline void await_op(backend_fixture *fixture, fy_op *op, ferry_status status) {
    await_end(fixture, op, status);
    CHECK(status || (op->count >= 1 && op->count <= op->size));
}

/* Two more ops are delivered, whichever. */
static inline void await_two(backend_fixture *fixture) {
    for (int i = 0; i < 2; i++)
        CHECK(next_done(fixture, CONTRACT_WITHIN_US));
}

/* Both are delivered, in whatever order, and have succeeded. */
static inline void await_both(backend_fixture *fixture, fy_op *one, fy_op *other) {
    fy_op *first = next_done(fixture, CONTRACT_WITHIN_US), *second = next_done(fixture, CONTRACT_WITHIN_US);
    CHECK((first == one && second == other) || (first == other && second == one));
    CHECK_STATUS(one->status, 0);
    CHECK_STATUS(other->status, 0);
}

/* Submits it and awaits it. */
static inline void perform(backend_fixture *fixture, fy_op *op, ferry_status status) {
    submit(fixture, op);
    await_op(fixture, op, status);
}

/* Nothing is delivered for a moment. */
static inline void expect_nothing(backend_fixture *fixture) {
    CHECK(!next_done(fixture, CONTRACT_MOMENT_US));
}

/* Waits until a wait has blocked up to its deadline, so that no edge of something fresh is left; delivers nothing. */
static inline void settle(backend_fixture *fixture) {
    int64_t deadline_us;
    int rounds = 0;
    do {
        CHECK(rounds++ < SETTLING_ROUNDS_MAX);
        deadline_us = now(fixture) + CONTRACT_MOMENT_US;
        wait_until(fixture, deadline_us);
        CHECK(fy_list_is_empty(&fixture->done));
    } while (now(fixture) < deadline_us);
}

/* ---- bytes ---- */

/* Writes all of the text. */
static inline void send_text(backend_fixture *fixture, fy_file *file, const char *text) {
    for (size_t length = strlen(text), sent = 0; sent < length;) {
        fy_op op = fy_op_write(file, text + sent, length - sent);
        perform(fixture, &op, 0);
        sent += op.count;
    }
}

/* Reads exactly `length` bytes, and they are the text's first. */
static inline void expect_bytes(backend_fixture *fixture, fy_file *file, const char *text, size_t length) {
    char received[256];
    CHECK(length <= sizeof received);
    for (size_t got = 0; got < length;) {
        fy_op op = fy_op_read(file, received + got, length - got);
        perform(fixture, &op, 0);
        got += op.count;
    }
    CHECK(memcmp(received, text, length) == 0);
}

static inline void expect_text(backend_fixture *fixture, fy_file *file, const char *text) {
    expect_bytes(fixture, file, text, strlen(text));
}

static inline void expect_end(backend_fixture *fixture, fy_file *file) {
    char byte;
    fy_op op = fy_op_read(file, &byte, 1);
    perform(fixture, &op, APR_EOF);
}

/* ---- many bytes, and failures ---- */

static inline char *new_pattern(size_t size) {
    char *bytes = malloc(size);
    CHECK(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    return bytes;
}

/* Takes `size` bytes out of b, which must continue the pattern at `from`. */
static inline void expect_pattern(backend_fixture *fixture, const char *pattern, size_t from, size_t size) {
    char chunk[SLOW_READ];
    for (size_t got = 0; got < size;) {
        fy_op read = fy_op_read(&fixture->b, chunk, size - got < sizeof chunk ? size - got : sizeof chunk);
        perform(fixture, &read, 0);
        CHECK(memcmp(chunk, pattern + from + got, read.count) == 0);
        got += read.count;
    }
}

static inline void expect_failure(const fy_op *op) {
    CHECK(op->status != 0);
    CHECK(op->status != FERRY_ECANCELED);
    CHECK_INT(op->count, 0);
}

#endif
