/* SPDX-License-Identifier: Apache-2.0 */
/* Timers in one array, by deadline: first the front, a short sorted run that is taken from its beginning; behind it the
 * shelves, each later than the one before and in no order within. Most new timers are later than nearly all others, so
 * they go to the last shelf, at the end. When the front is used up, the next shelf is halved by time, and the earlier
 * half again, until it is short enough to be sorted: every step runs through memory from one end to the other, where a
 * heap would leap.
 *
 * A timer that belongs to an earlier shelf than the last takes its place at that one's end, for which each later one
 * moves its first timer to its own end. The front hands its later half on to the shelf behind it when it gets long. The
 * order is that of deadlines alone, so nothing here touches a handle; timers of one deadline fall due together, and are
 * put into the order of their making when they are taken out. */
#include "loop/timer.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hints.h"
#include "base/pages.h"

enum { FIRST_CAPACITY = 64, FRONT_MAX = 64, SORTED_AT_ONCE_MAX = 32 };

static size_t front_end(const fy_timers *timers) {
    return timers->shelves ? timers->shelf[timers->shelves - 1].begin : timers->end;
}

void fy_timers_fini(fy_timers *timers) {
    for (size_t i = timers->begin; i < timers->end; i++)
        fy_handle_drop(timers->entries[i].handle);
    fy_free(timers->entries);
    *timers = (fy_timers){0};
}

/* ---- room ---- */

static void move_to_start(fy_timers *timers) {
    memmove(timers->entries, timers->entries + timers->begin, fy_timers_count(timers) * sizeof *timers->entries);
    for (size_t i = 0; i < timers->shelves; i++)
        timers->shelf[i].begin -= timers->begin;
    timers->end -= timers->begin;
    timers->begin = 0;
}

static bool make_room(fy_timers *timers) {
    if (timers->begin > timers->capacity / 4) {
        move_to_start(timers);
        return true;
    }
    size_t capacity = timers->capacity ? timers->capacity * 2 : FIRST_CAPACITY;
    fy_timer *entries = fy_realloc(timers->entries, capacity * sizeof *entries);
    if (!entries)
        return false;
    if (capacity * sizeof *entries >= FY_PAGES_WORTH_BYTES)
        fy_pages_expect_use(entries, capacity * sizeof *entries);
    timers->entries = entries;
    timers->capacity = capacity;
    return true;
}

/* ---- shelves ---- */

/* The two latest become one. */
static void join_latest_shelves(fy_timers *timers) {
    timers->shelves--;
    memmove(timers->shelf, timers->shelf + 1, timers->shelves * sizeof *timers->shelf);
}

static void push_shelf(fy_timers *timers, int64_t after_us, size_t begin) {
    if (timers->shelves == FY_TIMER_SHELVES_MAX)
        join_latest_shelves(timers);
    timers->shelf[timers->shelves++] = (fy_timer_shelf){after_us, begin};
}

/* Sorts entries that the front is going to be. Their handles are wanted soon. */
static void sort(fy_timer *first, const fy_timer *end) {
    for (fy_timer *next = first; next < end; next++) {
        fy_timer timer = *next, *place = next;
        FY_PREFETCH(timer.handle);
        for (; place > first && place[-1].when_us > timer.when_us; place--)
            *place = place[-1];
        *place = timer;
    }
}

/* Puts those that are due by until_us first and returns where the others begin. Which ones they are is a matter of
 * chance, so each is moved, without a branch. */
static fy_timer *divide(fy_timer *first, const fy_timer *end, int64_t until_us) {
    fy_timer *later = first;
    for (; first < end; first++) {
        fy_timer timer = *first;
        *first = *later;
        *later = timer;
        later += timer.when_us <= until_us;
    }
    return later;
}

typedef struct time_span {
    int64_t least_us;
    int64_t most_us;
} time_span;

static time_span find_span(const fy_timer *first, const fy_timer *end) {
    time_span span = {first->when_us, first->when_us};
    while (++first < end) {
        span.least_us = first->when_us < span.least_us ? first->when_us : span.least_us;
        span.most_us = first->when_us > span.most_us ? first->when_us : span.most_us;
    }
    return span;
}

static int64_t middle_of(time_span span) {
    return (int64_t)((uint64_t)span.least_us + ((uint64_t)span.most_us - (uint64_t)span.least_us) / 2);
}

/* Puts the later timers of a shelf that was taken onto new shelves, until few are left; returns where these end.
 * Between which times they lie is known by the shelves, or is looked for where that does not divide them. */
static fy_timer *shelve_later(fy_timers *timers, int64_t after_us, fy_timer *first, fy_timer *end) {
    time_span span = {after_us + 1, 0};
    if (timers->shelves)
        span.most_us = timers->shelf[timers->shelves - 1].after_us;
    else
        span = find_span(first, end);
    while (end - first > SORTED_AT_ONCE_MAX && span.least_us != span.most_us) {
        fy_timer *later = divide(first, end, middle_of(span));
        if (later == first || later == end) {
            span = find_span(first, end);
            continue;
        }
        push_shelf(timers, middle_of(span), (size_t)(later - timers->entries));
        span.most_us = middle_of(span);
        end = later;
    }
    return end;
}

/* The front is used up, and there is a shelf: its earliest timers become the front. */
static void refill_front(fy_timers *timers) {
    fy_timer_shelf shelf = timers->shelf[--timers->shelves];
    fy_timer *first = timers->entries + shelf.begin, *end = timers->entries + front_end(timers);
    if (end - first > SORTED_AT_ONCE_MAX)
        end = shelve_later(timers, shelf.after_us, first, end);
    sort(first, end);
}

/* The later half of a front that has become long goes to the shelf behind it; but not one of two equal deadlines. */
static void shorten_front(fy_timers *timers) {
    const fy_timer *entries = timers->entries;
    size_t end = front_end(timers), middle = timers->begin + (end - timers->begin) / 2;
    if (entries[timers->begin].when_us == entries[end - 1].when_us)
        return;
    size_t place = middle;
    while (place < end && entries[place].when_us == entries[middle].when_us)
        place++;
    if (place == end)
        for (place = middle; entries[place - 1].when_us == entries[middle].when_us;)
            place--;
    if (timers->shelves)
        timers->shelves--;
    push_shelf(timers, entries[place - 1].when_us, place);
}

/* ---- adding ---- */

static void add_to_front(fy_timers *timers, size_t place, fy_timer timer) {
    fy_timer *entries = timers->entries;
    for (; place > timers->begin && entries[place - 1].when_us > timer.when_us; place--)
        entries[place] = entries[place - 1];
    entries[place] = timer;
    if (front_end(timers) - timers->begin > FRONT_MAX)
        shorten_front(timers);
}

ferry_status fy_timers_add(fy_timers *timers, ferry_handle *handle) {
    if (timers->end == timers->capacity && !make_room(timers))
        return ENOMEM;
    fy_timer timer = {handle->when_us, handle};
    handle->sequence = timers->sequence++;
    size_t place = timers->end++;
    for (size_t i = 0; i < timers->shelves; i++) {
        if (timer.when_us > timers->shelf[i].after_us) {
            timers->entries[place] = timer;
            return 0;
        }
        size_t first = timers->shelf[i].begin++;
        timers->entries[place] = timers->entries[first];
        place = first;
    }
    add_to_front(timers, place, timer);
    return 0;
}

/* ---- cancelled ones ---- */

/* Drops the cancelled ones of [begin, end) and moves the others to `kept`, in their order; returns the end of these.
 * The handles lie anywhere in memory: the ones ahead are fetched while this one is looked at. Whether one is cancelled
 * is a matter of chance, so they are told apart without a branch, a batch at a time. */
static size_t keep_wanted(fy_timers *timers, size_t kept, size_t begin, size_t end) {
    enum { AHEAD = 16, BATCH = 64 };
    fy_timer *entries = timers->entries;
    ferry_handle *dropped[BATCH];
    while (begin < end) {
        size_t count = 0, batch_end = end - begin < BATCH ? end : begin + BATCH;
        for (; begin < batch_end; begin++) {
            if (begin + AHEAD < end)
                FY_PREFETCH(&entries[begin + AHEAD].handle->cancelled);
            fy_timer timer = entries[begin];
            bool cancelled = timer.handle->cancelled;
            dropped[count] = timer.handle;
            count += cancelled;
            entries[kept] = timer;
            kept += !cancelled;
        }
        while (count)
            fy_handle_drop_timer(dropped[--count]);
    }
    return kept;
}

FY_NOINLINE void fy_timers_purge(fy_timers *timers) {
    size_t begin = timers->begin, end = front_end(timers);
    size_t kept = keep_wanted(timers, 0, begin, end);
    for (size_t i = timers->shelves; i-- > 0;) {
        begin = end;
        end = i ? timers->shelf[i - 1].begin : timers->end;
        timers->shelf[i].begin = kept;
        kept = keep_wanted(timers, kept, begin, end);
    }
    timers->begin = 0;
    timers->end = kept;
    timers->cancelled = 0;
}

/* ---- taking ---- */

/* There is one. */
static fy_timer *first_timer(fy_timers *timers) {
    while (timers->begin == front_end(timers))
        refill_front(timers);
    return &timers->entries[timers->begin];
}

int64_t fy_timers_next(fy_timers *timers) {
    while (fy_timers_count(timers)) {
        fy_timer *first = first_timer(timers);
        if (FY_LIKELY(!timers->cancelled || !first->handle->cancelled))
            return first->when_us;
        timers->begin++;
        timers->cancelled--;
        fy_handle_drop(first->handle);
    }
    return FERRY_FOREVER;
}

/* Merges two lists of timers, linked by `next`, by the order of their making. */
static ferry_handle *merge(ferry_handle *a, ferry_handle *b) {
    ferry_handle *head = NULL;
    ferry_handle **last = &head;
    while (a && b) {
        ferry_handle **lesser = a->sequence < b->sequence ? &a : &b;
        *last = *lesser;
        last = &(*last)->next;
        *lesser = *last;
    }
    *last = a ? a : b;
    return head;
}

/* Bottom-up: runs[i], of those that there are, is NULL or a sorted list of 2^i timers. */
static ferry_handle *sort_by_sequence(ferry_handle *list) {
    ferry_handle *runs[64];
    int count = 0;
    while (list) {
        ferry_handle *run = list;
        list = list->next;
        run->next = NULL;
        int i = 0;
        for (; i < count && runs[i]; i++) {
            run = merge(runs[i], run);
            runs[i] = NULL;
        }
        count += i == count;
        runs[i] = run;
    }
    for (int i = 0; i < count; i++)
        list = merge(runs[i], list);
    return list;
}

/* The first timer, which fy_timers_next has found. */
static ferry_handle *take_first(fy_timers *timers) {
    return timers->entries[timers->begin++].handle;
}

ferry_handle *fy_timers_take_due(fy_timers *timers, int64_t now_us) {
    int64_t when_us = fy_timers_next(timers);
    if (when_us > now_us)
        return NULL;
    ferry_handle *first = take_first(timers);
    first->next = NULL;
    if (FY_LIKELY(fy_timers_next(timers) != when_us))
        return first;
    do {
        ferry_handle *handle = take_first(timers);
        handle->next = first;
        first = handle;
    } while (fy_timers_next(timers) == when_us);
    return sort_by_sequence(first);
}
