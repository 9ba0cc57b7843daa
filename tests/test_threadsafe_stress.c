/* SPDX-License-Identifier: Apache-2.0 */
/* The door for other threads under load: a million posts while the loop stops and starts, handles cancelled while they
 * may run, posts that race with close. Every test counts exactly. */
#include "support/loops.h"

#include <stdatomic.h>

#include "support/threads.h"

/* ---- a million posts ---- */

enum { PRODUCERS = 4, POSTS_EACH = 250000, STOP_EVERY = 997 };

typedef struct stress {
    ferry_loop *loop;
    int received;
    int next[PRODUCERS];
    unsigned char runs[PRODUCERS][POSTS_EACH];
} stress;

typedef struct producer {
    stress *of;
    int number;
    int handles_every; /* 0: none */
} producer;

static stress load;

static ferry_status receive(void *arg) {
    size_t index = (size_t)((unsigned char *)arg - &load.runs[0][0]);
    int number = (int)(index / POSTS_EACH);
    ++*(unsigned char *)arg;
    CHECK_INT(index % POSTS_EACH, load.next[number]);
    load.next[number]++;
    load.received++;
    return load.received % STOP_EVERY == 0 || load.received == PRODUCERS * POSTS_EACH ? stop_loop(load.loop) : 0;
}

static void produce(void *arg) {
    producer *self = arg;
    for (int i = 0; i < POSTS_EACH; i++) {
        bool asks = self->handles_every && i % self->handles_every == 0;
        ferry_handle *handle = NULL;
        CHECK_STATUS(ferry_call_soon_threadsafe(load.loop, receive, &load.runs[self->number][i],
                                                asks ? &handle : NULL), 0);
        CHECK(!asks || handle);
        ferry_handle_unref(handle);
        if (i % 4096 == 0)
            ferry_thread_sleep(50);
    }
}

/* LL-018 */
static void million_posts_survive_stops_and_restarts(void) {
    producer producers[PRODUCERS];
    helper_thread threads[PRODUCERS];
    memset(&load, 0, sizeof load);
    load.loop = new_loop();
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (producer){&load, i, i * 7};
        thread_start(&threads[i], produce, &producers[i]);
    }
    int runs = 0;
    for (; load.received < PRODUCERS * POSTS_EACH; runs++)
        run_forever(load.loop);
    CHECK(runs > 1);
    for (int i = 0; i < PRODUCERS; i++) {
        thread_join(&threads[i]);
        CHECK_INT(load.next[i], POSTS_EACH);
    }
    for (size_t i = 0; i < PRODUCERS * POSTS_EACH; i++)
        CHECK_INT((&load.runs[0][0])[i], 1);
    turn(load.loop);
    CHECK_INT(load.received, PRODUCERS * POSTS_EACH);
    end_loop(load.loop);
}

/* ---- cancelling while it may run ---- */

enum { CANCELLERS = 3, CANCELS_EACH = 20000 };

typedef struct canceller {
    ferry_loop *loop;
    atomic_int *at_work;
    int runs[CANCELS_EACH];
    int lost;
} canceller;

static ferry_status last_one_stops(void *loop) {
    return stop_loop(loop);
}

/* What has not run when cancel returns must not run any more, and reads without a lock must see what has. */
static void post_and_cancel(void *arg) {
    canceller *self = arg;
    for (int i = 0; i < CANCELS_EACH; i++) {
        ferry_handle *handle;
        CHECK_STATUS(ferry_call_soon_threadsafe(self->loop, count_up, &self->runs[i], &handle), 0);
        for (int pause = i % 64; pause > 0; pause--)
            atomic_thread_fence(memory_order_seq_cst);
        ferry_handle_cancel(handle);
        int runs = self->runs[i];
        CHECK(runs == 0 || runs == 1);
        self->runs[i] = runs + 2;
        ferry_handle_unref(handle);
    }
    if (atomic_fetch_sub(self->at_work, 1) == 1)
        CHECK_STATUS(ferry_call_soon_threadsafe(self->loop, last_one_stops, self->loop, NULL), 0);
}

/* TS-002 */
static void nothing_runs_after_its_cancel_has_returned(void) {
    static canceller cancellers[CANCELLERS];
    helper_thread threads[CANCELLERS];
    atomic_int at_work = CANCELLERS;
    ferry_loop *loop = new_loop();
    for (int i = 0; i < CANCELLERS; i++) {
        cancellers[i] = (canceller){.loop = loop, .at_work = &at_work};
        thread_start(&threads[i], post_and_cancel, &cancellers[i]);
    }
    run_forever(loop);
    for (int i = 0; i < CANCELLERS; i++) {
        thread_join(&threads[i]);
        for (int post = 0; post < CANCELS_EACH; post++)
            CHECK(cancellers[i].runs[post] == 2 || cancellers[i].runs[post] == 3);
    }
    end_loop(loop);
}

/* ---- racing with close ---- */

enum { RACES = 1000, RACERS = 2, BURST = 50 };

typedef struct race {
    ferry_loop *loop;
    atomic_int rounds; /* each allows the racers one burst, so that they do not flood the loop */
    atomic_int ran;
} race;

typedef struct racer {
    race *in;
    int accepted;
} racer;

static ferry_status count_atomically(void *count) {
    atomic_fetch_add((atomic_int *)count, 1);
    return 0;
}

static ferry_status post_once(racer *self) {
    ferry_handle *handle = NULL;
    ferry_status status = ferry_call_soon_threadsafe(self->in->loop, count_atomically, &self->in->ran,
                                                     self->accepted % 2 ? &handle : NULL);
    if (status)
        CHECK(!handle);
    else if (++self->accepted % 3 == 0)
        ferry_handle_cancel(handle);
    ferry_handle_unref(handle);
    return status;
}

static void post_until_refused(void *arg) {
    racer *self = arg;
    ferry_status status = 0;
    while (!status) {
        while (self->accepted >= BURST * atomic_load(&self->in->rounds))
            apr_thread_yield();
        status = post_once(self);
    }
    CHECK_STATUS(status, FERRY_ECLOSED);
    CHECK(ferry_loop_is_closed(self->in->loop));
    ferry_loop_unref(self->in->loop);
}

static void race_with_close(int turns) {
    race self = {.loop = new_loop(), .rounds = 0, .ran = 0};
    racer racers[RACERS];
    helper_thread threads[RACERS];
    for (int i = 0; i < RACERS; i++) {
        ferry_loop_ref(self.loop);
        racers[i] = (racer){&self, 0};
        thread_start(&threads[i], post_until_refused, &racers[i]);
    }
    for (int i = 0; i < turns; i++) {
        atomic_fetch_add(&self.rounds, 1);
        turn(self.loop);
    }
    atomic_fetch_add(&self.rounds, 1);
    CHECK_STATUS(ferry_loop_close(self.loop), 0);
    atomic_fetch_add(&self.rounds, 1);
    int ran_by_close = atomic_load(&self.ran), accepted = 0;
    for (int i = 0; i < RACERS; i++) {
        thread_join(&threads[i]);
        accepted += racers[i].accepted;
    }
    CHECK_INT(atomic_load(&self.ran), ran_by_close);
    CHECK(ran_by_close <= accepted);
    ferry_loop_unref(self.loop);
}

static void posts_that_race_with_close_are_accepted_or_refused(void) {
    for (int i = 0; i < RACES; i++)
        race_with_close(i % 5);
}

static const fy_test tests[] = {
    FY_TEST(million_posts_survive_stops_and_restarts),
    FY_TEST(nothing_runs_after_its_cancel_has_returned),
    FY_TEST(posts_that_race_with_close_are_accepted_or_refused),
};

FY_TEST_MAIN("threadsafe_stress", tests)
