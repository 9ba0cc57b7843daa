/* SPDX-License-Identifier: Apache-2.0 */
/* The inbox's own promises that no public call shows by itself. */
#include "loop/inbox.h"

#include "support/threads.h"

typedef struct refused_sender {
    fy_inbox inbox;
    int owned_by_the_reader; /* until it closes */
    _Atomic bool is_closed;  /* orders nothing, so that only the inbox can */
    bool was_sent;
    int seen;
} refused_sender;

static void send_when_closed(void *arg) {
    refused_sender *self = arg;
    fy_message message;
    while (!atomic_load_explicit(&self->is_closed, memory_order_relaxed))
        fy_thread_yield();
    self->was_sent = fy_inbox_send(&self->inbox, &message);
    self->seen = self->owned_by_the_reader;
}

/* A thread sanitizer sees the race where the hardware hides it. */
static void refused_sender_sees_what_was_done_before_the_close(void) {
    refused_sender self = {.owned_by_the_reader = 0};
    fy_backend *backend;
    helper_thread sender;
    CHECK_STATUS(fy_backends[0]->open(&backend), 0);
    CHECK_STATUS(fy_inbox_init(&self.inbox, backend), 0);
    thread_start(&sender, send_when_closed, &self);
    self.owned_by_the_reader = 42;
    fy_inbox_close(&self.inbox, &(fy_inbox_reader){.arg = NULL});
    atomic_store_explicit(&self.is_closed, true, memory_order_relaxed);
    thread_join(&sender);
    CHECK(!self.was_sent);
    CHECK_INT(self.seen, 42);
    fy_inbox_fini(&self.inbox);
    fy_backends[0]->close(backend);
}

static const fy_test tests[] = {
    FY_TEST(refused_sender_sees_what_was_done_before_the_close),
};

FY_TEST_MAIN("inbox", tests)
