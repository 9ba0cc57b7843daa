/* SPDX-License-Identifier: Apache-2.0 */
/* The one cross-thread door into a loop. Other threads put two things through it: messages that carry their own link
 * (finished jobs; and calls, which say themselves what is to be done), and posts (a callback and its argument), which
 * travel in chunks so that a post costs no allocation and its reader no chain of cache misses. The order in which one
 * thread puts things is the order in which they come out. */
#ifndef FERRY_LOOP_INBOX_H
#define FERRY_LOOP_INBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hints.h"
#include "loop/ready.h"
#include "seam/backend.h"
#include "seam/platform.h"

typedef struct fy_message fy_message;
typedef struct fy_post_chunk fy_post_chunk;

/* Head of whatever is sent as a message. Its reader will want the cache line behind it as well. */
enum { FY_MESSAGE_SECOND_LINE = 64 };

struct fy_message {
    uintptr_t next;
};

/* A message that brings its own function, for what must get through without memory, and must know if it does not. */
typedef struct fy_call_message {
    fy_message message;
    void (*run)(struct fy_call_message *self); /* on the loop's thread, outside of callbacks; it may be closing */
} fy_call_message;

typedef struct fy_inbox {
    _Atomic uintptr_t head;       /* see inbox.c */
    char apart[FY_APART_BYTES];
    fy_backend *backend;          /* to wake */
    _Atomic uint32_t wakes_done;  /* by others */
    uint32_t wakes_expected;      /* loop's thread */
    bool armed;                   /* loop's thread: head was SLEEPING when it last looked */
    uintptr_t backlog;            /* loop's thread: taken, oldest first, not yet handed on */
    size_t messages_left;         /* loop's thread: that this drain may still hand on */
    fy_mutex spare_lock;
    fy_post_chunk *spare;         /* chunks out of use; they are freed with the inbox, never before */
} fy_inbox;

/* Who takes what comes in, on the loop's thread. */
typedef struct fy_inbox_reader {
    void (*message)(void *arg, fy_message *message);
    void (*handle)(void *arg, ferry_handle *handle);
    /* false: no room now; the post will be offered again. (The parts of an fy_entry, since a struct that is passed by
     * value through memory costs more than all the rest.) */
    bool (*post)(void *arg, ferry_callback *callback, void *post_arg, const char *origin);
    void *arg;
} fy_inbox_reader;

/* Returns: 0, APR_ENOMEM, or an OS code. */
ferry_status fy_inbox_init(fy_inbox *inbox, fy_backend *backend);

/* Frees the chunks. Nobody posts any more. */
void fy_inbox_fini(fy_inbox *inbox);

/* Shuts the door: what is sent from now on is refused; what was sent before goes to the reader. Returns when no other
 * thread is about to wake the backend. Thread: loop. */
void fy_inbox_close(fy_inbox *inbox, const fy_inbox_reader *reader);

/* Sends a message. false: the door is shut, the message is the caller's. After true it must not be touched any more.
 * Thread: any. */
bool fy_inbox_send(fy_inbox *inbox, fy_message *message);
bool fy_inbox_send_call(fy_inbox *inbox, fy_call_message *call);

/* Returns: 0, APR_ENOMEM, FERRY_ECLOSED. Thread: any. */
ferry_status fy_inbox_post(fy_inbox *inbox, ferry_callback *callback, void *arg, const char *origin);

/* The same for a post that may be cancelled. The inbox, then the reader, owns one reference. */
ferry_status fy_inbox_post_handle(fy_inbox *inbox, ferry_handle *handle);

/* Hands what has come in to the reader, oldest first; what lies behind so many messages is news still. Posts are not
 * counted, for whoever posts in every turn could post more than that. Thread: loop. */
void fy_inbox_drain(fy_inbox *inbox, const fy_inbox_reader *reader, size_t messages_max);

/* From now on the first one who puts something in wakes the backend. false: something is there already, do not sleep.
 * Arming twice is harmless. Thread: loop. */
bool fy_inbox_arm(fy_inbox *inbox);

/* How many wakes have reached the backend. */
static inline uint32_t fy_inbox_wakes_done(const fy_inbox *inbox) {
    return atomic_load_explicit(&inbox->wakes_done, memory_order_relaxed);
}

static inline bool fy_inbox_has_news(const fy_inbox *inbox) {
    return atomic_load_explicit(&inbox->head, memory_order_relaxed) > 1 || inbox->backlog;
}

#endif
