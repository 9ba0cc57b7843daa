/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator for ferry_set_allocator that counts what is alive, and refuses the Nth request, or all from the Nth on.
 * It knows nothing of who asks. Set it before the first loop, in every test that counts. */
#ifndef FERRY_TESTS_SUPPORT_ALLOCATOR_H
#define FERRY_TESTS_SUPPORT_ALLOCATOR_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include "support/alignment.h"
#include "support/harness.h"

/* Before every block: how large it is. */
typedef union counted_head {
    size_t size;
    fy_max_align alignment;
} counted_head;

static atomic_size_t live_blocks;
static atomic_size_t live_bytes;
static atomic_long requests;       /* since the last allocator_refuse */
static atomic_long refuse_from;    /* the first request to refuse; 0: none */
static atomic_bool refuse_the_rest;
static atomic_long refusals;

static inline bool is_refused(void) {
    long number = atomic_fetch_add(&requests, 1) + 1, from = atomic_load(&refuse_from);
    bool refused = from && (number == from || (number > from && atomic_load(&refuse_the_rest)));
    if (refused)
        atomic_fetch_add(&refusals, 1);
    return refused;
}

static inline void *counted_malloc(size_t size) {
    if (is_refused())
        return NULL;
    counted_head *head = malloc(sizeof *head + size);
    CHECK(head);
    head->size = size;
    atomic_fetch_add(&live_blocks, 1);
    atomic_fetch_add(&live_bytes, size);
    return head + 1;
}

static inline void counted_free(void *block) {
    if (!block)
        return;
    counted_head *head = (counted_head *)block - 1;
    atomic_fetch_sub(&live_blocks, 1);
    atomic_fetch_sub(&live_bytes, head->size);
    free(head);
}

static inline void *counted_realloc(void *block, size_t size) {
    if (!block)
        return counted_malloc(size);
    if (is_refused())
        return NULL;
    counted_head *head = (counted_head *)block - 1;
    size_t before = head->size;
    head = realloc(head, sizeof *head + size);
    CHECK(head);
    head->size = size;
    atomic_fetch_add(&live_bytes, size);
    atomic_fetch_sub(&live_bytes, before);
    return head + 1;
}

static inline void allocator_install(void) {
    static const ferry_allocator counted = {counted_malloc, counted_realloc, counted_free};
    CHECK_INT(atomic_load(&live_blocks), 0);
    CHECK_STATUS(ferry_set_allocator(&counted), 0);
}

/* Counts requests anew and refuses the one with this number (0: none), and those after it too if `the_rest`. */
static inline void allocator_refuse(long number, bool the_rest) {
    atomic_store(&requests, 0);
    atomic_store(&refusals, 0);
    atomic_store(&refuse_from, number);
    atomic_store(&refuse_the_rest, the_rest);
}

/* Plays a scenario again and again, with the first request refused, the second, and so on (with those after it, too, if
 * `the_rest`), until it makes no request that is refused; nothing may stay alive. `play` says how many of its calls
 * have failed. */
static inline void allocator_refuse_each(int (*play)(void), bool the_rest, long requests_at_least) {
    int failed;
    long number = 0;
    allocator_install();
    do {
        allocator_refuse(++number, the_rest);
        failed = play();
        CHECK_INT(atomic_load(&live_blocks), 0);
    } while (atomic_load(&refusals));
    allocator_refuse(0, false);
    CHECK_INT(failed, 0);
    CHECK(number > requests_at_least);
}

/* ---- with threads ---- */

/* How often a scenario is run at most in one sweep, and how long nothing may change before it counts as settled. */
enum { MOST_REQUESTS = 5000, SETTLED_LOOKS = 10, SETTLED_US = 2000 };

/* What the process keeps for later, a host of threads for instance, once the last thread has let go of its own. */
static inline size_t allocator_blocks_kept(void) {
    size_t kept = atomic_load(&live_blocks);
    for (int looks = 0; looks < SETTLED_LOOKS; looks++) {
        ferry_thread_sleep(SETTLED_US);
        if (atomic_load(&live_blocks) != kept)
            looks = 0;
        kept = atomic_load(&live_blocks);
    }
    return kept;
}

/* As allocator_refuse_each, where threads of executors end by themselves and the process keeps some blocks. */
static inline void allocator_sweep(void (*scenario)(void), bool the_rest, size_t kept) {
    long number = 0;
    do {
        allocator_refuse(++number, the_rest);
        scenario();
        while (atomic_load(&live_blocks) > kept)
            ferry_thread_sleep(SETTLED_US / 10);
        CHECK(number < MOST_REQUESTS);
    } while (atomic_load(&refusals));
    CHECK(number > 1);
}

#endif
