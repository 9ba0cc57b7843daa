/* SPDX-License-Identifier: Apache-2.0 */
/* A stack that is emptied all at once, and turned round by its reader.
 *
 * `head` is EMPTY, SLEEPING (empty, and the loop is in the kernel or about to be), CLOSED, or the newest item: a
 * message, with the CALL bit one that is a call, or with the CHUNK bit a chunk of posts and messages. Items are linked
 * through their first word, to older ones, with the same bits.
 *
 *   sender  CAS head: any but CLOSED -> own item. Whoever replaced SLEEPING wakes the backend, once, and then counts
 *           that in wakes_done, which is its last touch of the inbox. After the CAS the item is the reader's.
 *   post    If the newest item is a chunk, takes the next place in it by fetch_add on `taken` and fills it, storing
 *           `what` last. If the chunk is full, or the reader has taken it (then `taken` is beyond any place), or
 *           the newest item is something else, sends a chunk of its own with its post in place 0, and opens it to
 *           others (`taken` = 1) only after it was sent. Only the newest item is added to, so the posts and messages of
 *           one thread keep their order.
 *   message Sent by its own link if nothing is there yet, which is all that a loop with little to do ever sees. Behind
 *           other items it takes a place, as a post does: a reader that finds many can look ahead in an array, and
 *           fetch them all at once from the processors that wrote them, while a chain gives away only the next one.
 *           With no memory for a chunk it goes by its own link.
 *   reader  Exchanges head for EMPTY and reverses what it got; what it does not hand on at once is its backlog. Closes
 *           each chunk, once it is open, by an exchange on `taken`: places below what it held are filled or about to
 *           be, and it waits for those few instructions.
 *   close   Exchanges head for CLOSED, which is final. A refused sender reads it with acquire, so that what the reader
 *           did before it closed is behind it.
 *   arm     CAS head: EMPTY -> SLEEPING. If the reader later finds SLEEPING gone, one sender owes a wake: it expects it
 *           in wakes_expected, and close waits until wakes_done has caught up, so the backend outlives every wake.
 *
 * Invariant: while head is neither EMPTY nor SLEEPING the loop will take it before it sleeps, so nobody needs to wake
 * it. Chunks are type-stable: they are reused, and freed only with the inbox. A post that has read an old head may so
 * come to a chunk that was taken or is about to be sent again (it is told that there is no place), or is in the stack
 * again (it gets a place there, which is a possible order, for all earlier items of its thread are older than the
 * chunk). */
#include "loop/inbox.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/hints.h"

enum { EMPTY = 0, SLEEPING = 1, CHUNK = 2, CLOSED = 3, CALL = 4 };
enum { PLACES = 169, TAKEN_BY_READER = 1 << 30, SPINS_BEFORE_YIELD = 100, FETCHED_AHEAD = 6, PLACES_AHEAD = 6 };

/* What a place holds, if not a callback. */
enum { NOTHING = 0, A_MESSAGE = 1, A_HANDLE = 2, A_CALL = 3 };

typedef struct post_place {
    _Atomic uintptr_t what; /* set last */
    void *arg;              /* the callback's argument, the message or the handle */
    const char *origin;
} post_place;

/* What the posters write at every post is kept away from what the reader does. */
struct fy_post_chunk {
    _Atomic uint32_t taken; /* places given out */
    char apart[FY_APART_BYTES];
    fy_message message;
    uint32_t next_place;    /* the reader's: first one not yet handed on */
    uint32_t end;           /* the reader's: how many there are; 0: not closed yet */
    post_place places[PLACES];
};

static bool is_item(uintptr_t head) {
    return head > CLOSED;
}

static bool is_chunk(uintptr_t item) {
    return item & CHUNK;
}

static fy_message *as_message(uintptr_t item) {
    return (fy_message *)(item & ~(uintptr_t)CALL);
}

static void run_call(void *message) {
    fy_call_message *call = message;
    call->run(call);
}

static fy_post_chunk *as_chunk(uintptr_t item) {
    return (fy_post_chunk *)(item & ~(uintptr_t)CHUNK);
}

ferry_status fy_inbox_init(fy_inbox *inbox, fy_backend *backend) {
    *inbox = (fy_inbox){.backend = backend};
    return fy_mutex_init(&inbox->spare_lock);
}

void fy_inbox_fini(fy_inbox *inbox) {
    while (inbox->spare) {
        fy_post_chunk *chunk = inbox->spare;
        inbox->spare = (fy_post_chunk *)chunk->message.next;
        fy_free(chunk);
    }
    fy_mutex_fini(&inbox->spare_lock);
}

static fy_post_chunk *get_chunk(fy_inbox *inbox) {
    fy_mutex_lock(&inbox->spare_lock);
    fy_post_chunk *chunk = inbox->spare;
    if (chunk)
        inbox->spare = (fy_post_chunk *)chunk->message.next;
    fy_mutex_unlock(&inbox->spare_lock);
    if (!chunk) {
        chunk = fy_calloc(sizeof *chunk);
        if (chunk)
            atomic_store_explicit(&chunk->taken, TAKEN_BY_READER, memory_order_relaxed);
    }
    return chunk;
}

static void put_chunk(fy_inbox *inbox, fy_post_chunk *chunk) {
    fy_mutex_lock(&inbox->spare_lock);
    chunk->message.next = (uintptr_t)inbox->spare;
    inbox->spare = chunk;
    fy_mutex_unlock(&inbox->spare_lock);
}

/* Whoever is refused goes on to clean up in the loop's place, and must see all that its thread did before it closed. */
static uintptr_t refuse(fy_inbox *inbox) {
    return atomic_load_explicit(&inbox->head, memory_order_acquire);
}

/* Puts the item in; returns the head that it replaced, or CLOSED. */
static uintptr_t put_item(fy_inbox *inbox, uintptr_t item, fy_message *message) {
    uintptr_t old = atomic_load_explicit(&inbox->head, memory_order_relaxed);
    do {
        if (old == CLOSED)
            return refuse(inbox);
        message->next = old == SLEEPING ? EMPTY : old;
    } while (!atomic_compare_exchange_weak_explicit(&inbox->head, &old, item, memory_order_acq_rel,
                                                    memory_order_relaxed));
    return old;
}

static void wake_if_sleeping(fy_inbox *inbox, uintptr_t replaced) {
    if (replaced != SLEEPING)
        return;
    inbox->backend->class->wake(inbox->backend);
    atomic_fetch_add_explicit(&inbox->wakes_done, 1, memory_order_release);
}

/* ---- places ---- */

static void fill_place(post_place *place, uintptr_t what, void *arg, const char *origin) {
    place->arg = arg;
    place->origin = origin;
    atomic_store_explicit(&place->what, what, memory_order_release);
}

/* The reader has last written to the places, so the next ones are asked for before they are needed. */
static bool fill_in_newest(uintptr_t head, uintptr_t what, void *arg, const char *origin) {
    if (!is_item(head) || !is_chunk(head))
        return false;
    fy_post_chunk *chunk = as_chunk(head);
    uint32_t place = atomic_fetch_add_explicit(&chunk->taken, 1, memory_order_acq_rel);
    if (FY_UNLIKELY(place >= PLACES))
        return false;
    fill_place(&chunk->places[place], what, arg, origin);
    fy_cpu_fetch_to_write(&chunk->places[place + PLACES_AHEAD]);
    return true;
}

static ferry_status send_new_chunk(fy_inbox *inbox, uintptr_t what, void *arg, const char *origin) {
    fy_post_chunk *chunk = get_chunk(inbox);
    if (!chunk)
        return ENOMEM;
    fill_place(&chunk->places[0], what, arg, origin);
    uintptr_t replaced = put_item(inbox, (uintptr_t)chunk | CHUNK, &chunk->message);
    if (replaced == CLOSED) {
        atomic_store_explicit(&chunk->places[0].what, NOTHING, memory_order_relaxed);
        put_chunk(inbox, chunk);
        return FERRY_ECLOSED;
    }
    /* Open before the wake: whom it wakes may run in this thread's place, and would wait for the opening. */
    atomic_store_explicit(&chunk->taken, 1, memory_order_release);
    wake_if_sleeping(inbox, replaced);
    return 0;
}

/* ---- sending ---- */

static inline bool put_message(fy_inbox *inbox, uintptr_t what, fy_message *message, uintptr_t bits) {
    uintptr_t head = atomic_load_explicit(&inbox->head, memory_order_acquire);
    if (is_item(head)) {
        if (fill_in_newest(head, what, message, NULL))
            return true;
        ferry_status status = send_new_chunk(inbox, what, message, NULL);
        if (FY_LIKELY(status != ENOMEM))
            return status == 0;
    }
    uintptr_t replaced = put_item(inbox, (uintptr_t)message | bits, message);
    wake_if_sleeping(inbox, replaced);
    return replaced != CLOSED;
}

bool fy_inbox_send(fy_inbox *inbox, fy_message *message) {
    return put_message(inbox, A_MESSAGE, message, 0);
}

bool fy_inbox_send_call(fy_inbox *inbox, fy_call_message *call) {
    return put_message(inbox, A_CALL, &call->message, CALL);
}

static ferry_status post(fy_inbox *inbox, uintptr_t what, void *arg, const char *origin) {
    uintptr_t head = atomic_load_explicit(&inbox->head, memory_order_acquire);
    if (head == CLOSED)
        return FERRY_ECLOSED;
    return fill_in_newest(head, what, arg, origin) ? 0 : send_new_chunk(inbox, what, arg, origin);
}

ferry_status fy_inbox_post(fy_inbox *inbox, ferry_callback *callback, void *arg, const char *origin) {
    return post(inbox, (uintptr_t)callback, arg, origin);
}

ferry_status fy_inbox_post_handle(fy_inbox *inbox, ferry_handle *handle) {
    return post(inbox, A_HANDLE, handle, NULL);
}

/* ---- reading ---- */

static void pause_for(int *spins) {
    if ((*spins)++ < SPINS_BEFORE_YIELD)
        fy_cpu_relax();
    else
        fy_thread_yield();
}

/* A place that is given out is about to be filled. */
static uintptr_t await_what(post_place *place) {
    uintptr_t what;
    for (int spins = 0; !(what = atomic_load_explicit(&place->what, memory_order_acquire));)
        pause_for(&spins);
    return what;
}

static void close_chunk(fy_post_chunk *chunk) {
    for (int spins = 0; atomic_load_explicit(&chunk->taken, memory_order_relaxed) >= TAKEN_BY_READER;)
        pause_for(&spins);
    uint32_t taken = atomic_exchange_explicit(&chunk->taken, TAKEN_BY_READER, memory_order_acq_rel);
    chunk->end = taken < PLACES ? taken : PLACES;
    chunk->next_place = 0;
}

static void fetch_message(const fy_message *message) {
    fy_cpu_fetch_to_write(message);
    fy_cpu_fetch_to_write((const char *)message + FY_MESSAGE_SECOND_LINE);
}

static void fetch_ahead(const fy_post_chunk *chunk, uint32_t place) {
    if (place >= chunk->end)
        return;
    const post_place *ahead = &chunk->places[place];
    if (atomic_load_explicit(&ahead->what, memory_order_acquire) == A_MESSAGE)
        fetch_message(ahead->arg);
}

/* Counts one more; false: there have been enough. */
static inline bool may_hand_on_message(fy_inbox *inbox) {
    if (!inbox->messages_left)
        return false;
    inbox->messages_left--;
    return true;
}

/* false: the reader has no room for it now, or has had enough. */
static bool hand_on(fy_inbox *inbox, post_place *place, const fy_inbox_reader *reader) {
    uintptr_t what = await_what(place);
    if (what == A_MESSAGE) {
        if (!may_hand_on_message(inbox))
            return false;
        reader->message(reader->arg, place->arg);
    } else if (what == A_HANDLE)
        reader->handle(reader->arg, place->arg);
    else if (what == A_CALL)
        run_call(place->arg);
    else if (!reader->post(reader->arg, (ferry_callback *)what, place->arg, place->origin))
        return false;
    atomic_store_explicit(&place->what, NOTHING, memory_order_relaxed);
    return true;
}

/* true: the chunk is empty now and out of use. */
static bool drain_chunk(fy_inbox *inbox, fy_post_chunk *chunk, const fy_inbox_reader *reader) {
    if (!chunk->end)
        close_chunk(chunk);
    for (uint32_t i = 0; i < FETCHED_AHEAD; i++)
        fetch_ahead(chunk, chunk->next_place + i);
    for (; chunk->next_place < chunk->end; chunk->next_place++) {
        fetch_ahead(chunk, chunk->next_place + FETCHED_AHEAD);
        if (!hand_on(inbox, &chunk->places[chunk->next_place], reader))
            return false;
    }
    chunk->end = 0;
    put_chunk(inbox, chunk);
    return true;
}

static uintptr_t reversed(uintptr_t item) {
    uintptr_t oldest_first = EMPTY;
    while (item) {
        fy_message *message = is_chunk(item) ? &as_chunk(item)->message : as_message(item);
        uintptr_t older = message->next;
        if (!is_chunk(item))
            fy_cpu_fetch_to_write((const char *)message + FY_MESSAGE_SECOND_LINE);
        message->next = oldest_first;
        oldest_first = item;
        item = older;
    }
    return oldest_first;
}

/* Hands on from the backlog; false if something is left. */
static bool drain_backlog(fy_inbox *inbox, const fy_inbox_reader *reader) {
    while (inbox->backlog) {
        uintptr_t item = inbox->backlog;
        if (is_chunk(item)) {
            uintptr_t next = as_chunk(item)->message.next;
            if (!drain_chunk(inbox, as_chunk(item), reader))
                return false;
            inbox->backlog = next;
        } else {
            bool is_call = item & CALL;
            if (!is_call && !may_hand_on_message(inbox))
                return false;
            fy_message *message = as_message(item);
            inbox->backlog = message->next; /* it is the reader's now, and no part of what is left */
            if (FY_UNLIKELY(is_call))
                run_call(message);
            else
                reader->message(reader->arg, message);
        }
    }
    return true;
}

static void take(fy_inbox *inbox, uintptr_t leave) {
    uintptr_t head = atomic_exchange_explicit(&inbox->head, leave, memory_order_acq_rel);
    if (inbox->armed && head != SLEEPING)
        inbox->wakes_expected++;
    inbox->armed = false;
    if (is_item(head))
        inbox->backlog = reversed(head);
}

void fy_inbox_drain(fy_inbox *inbox, const fy_inbox_reader *reader, size_t messages_max) {
    inbox->messages_left = messages_max;
    if (drain_backlog(inbox, reader)) {
        take(inbox, EMPTY);
        drain_backlog(inbox, reader);
    }
}

bool fy_inbox_arm(fy_inbox *inbox) {
    if (inbox->backlog)
        return false;
    uintptr_t expected = EMPTY;
    if (atomic_compare_exchange_strong_explicit(&inbox->head, &expected, SLEEPING, memory_order_acq_rel,
                                                memory_order_relaxed))
        inbox->armed = true;
    else if (expected != SLEEPING)
        return false;
    return true;
}

void fy_inbox_close(fy_inbox *inbox, const fy_inbox_reader *reader) {
    inbox->messages_left = SIZE_MAX;
    drain_backlog(inbox, reader);
    take(inbox, CLOSED);
    drain_backlog(inbox, reader);
    while (atomic_load_explicit(&inbox->wakes_done, memory_order_acquire) != inbox->wakes_expected)
        fy_thread_yield();
}
