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

/* ---- very much at once ---- */

enum { MANY = 6000, A_POST_EVERY = 3, MESSAGES_AT_ONCE = 500 };

typedef struct counting_reader {
    size_t seen;
    size_t messages_seen;
    bool is_in_order;
    fy_message messages[MANY];
} counting_reader;

static void see(counting_reader *self, size_t number) {
    self->is_in_order &= number == self->seen++;
}

static void see_message(void *arg, fy_message *message) {
    counting_reader *self = arg;
    self->messages_seen++;
    see(self, (size_t)(message - self->messages));
}

static bool see_post(void *arg, ferry_callback *callback, void *post_arg, const char *origin) {
    (void)callback;
    (void)origin;
    see(arg, (size_t)(uintptr_t)post_arg);
    return true;
}

static ferry_status never(void *arg) {
    (void)arg;
    return 0;
}

static fy_inbox_reader begin_with_many(fy_inbox *inbox, counting_reader *self) {
    fy_backend *backend;
    *self = (counting_reader){.is_in_order = true};
    CHECK_STATUS(fy_backends[0]->open(&backend), 0);
    CHECK_STATUS(fy_inbox_init(inbox, backend), 0);
    for (size_t i = 0; i < MANY; i++)
        if (i % A_POST_EVERY)
            CHECK(fy_inbox_send(inbox, &self->messages[i]));
        else
            CHECK_STATUS(fy_inbox_post(inbox, never, (void *)(uintptr_t)i, ""), 0);
    return (fy_inbox_reader){.message = see_message, .post = see_post, .arg = self};
}

static void end_inbox(fy_inbox *inbox, const fy_inbox_reader *reader) {
    fy_inbox_close(inbox, reader);
    fy_inbox_fini(inbox);
    inbox->backend->class->close(inbox->backend);
}

static void many_messages_are_handed_on_in_parts_and_in_order(void) {
    static counting_reader self;
    fy_inbox inbox;
    fy_inbox_reader reader = begin_with_many(&inbox, &self);
    fy_inbox_drain(&inbox, &reader, MESSAGES_AT_ONCE);
    CHECK_INT(self.messages_seen, MESSAGES_AT_ONCE);
    while (fy_inbox_has_news(&inbox)) {
        size_t before = self.messages_seen;
        CHECK(!fy_inbox_arm(&inbox));
        fy_inbox_drain(&inbox, &reader, MESSAGES_AT_ONCE);
        CHECK(self.messages_seen - before <= MESSAGES_AT_ONCE);
    }
    CHECK_INT(self.seen, MANY);
    CHECK(self.is_in_order);
    CHECK(fy_inbox_arm(&inbox));
    end_inbox(&inbox, &reader);
}

/* What is left of the first part is not lost when the loop closes. */
static void closing_hands_on_what_is_left(void) {
    static counting_reader self;
    fy_inbox inbox;
    fy_inbox_reader reader = begin_with_many(&inbox, &self);
    fy_inbox_drain(&inbox, &reader, MESSAGES_AT_ONCE);
    CHECK(self.seen < MANY);
    end_inbox(&inbox, &reader);
    CHECK_INT(self.seen, MANY);
    CHECK(self.is_in_order);
}

static const fy_test tests[] = {
    FY_TEST(refused_sender_sees_what_was_done_before_the_close),
    FY_TEST(many_messages_are_handed_on_in_parts_and_in_order),
    FY_TEST(closing_hands_on_what_is_left),
};

FY_TEST_MAIN("inbox", tests)
