/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that block in something that the test has made: each has a letter, which it leaves when its turn has come, and
 * keeps how its wait went. */
#ifndef FERRY_TESTS_SUPPORT_PARTIES_H
#define FERRY_TESTS_SUPPORT_PARTIES_H

#include "support/sync.h"

enum { PARTIES = 6 };

typedef struct party {
    char letter;
    int rounds;        /* more than one */
    ferry_status went; /* -1: not yet */
    size_t index;
    void *got;
    ferry_task *task;
} party;

/* Of the running test. */
static party parties[PARTIES];

static inline void begin_parties(void) {
    begin();
    for (int i = 0; i < PARTIES; i++)
        parties[i] = (party){.letter = (char)('a' + i), .went = -1};
}

/* Starts these, and lets each come as far as it can. */
static inline void start_parties(ferry_function *function, int first, int count) {
    for (int i = first; i < first + count; i++)
        parties[i].task = start_task(function, &parties[i]);
    settle();
}

/* The first `count` end, if they are not waiting for what never comes. */
static inline void end_parties(int count) {
    settle();
    for (int i = 0; i < count; i++) {
        CHECK(ferry_future_done(parties[i].task));
        (void)ferry_future_status(parties[i].task);
        ferry_future_unref(parties[i].task);
    }
}

static inline void cancel(int number) {
    CHECK(ferry_future_cancel(parties[number].task));
}

#endif
