/* SPDX-License-Identifier: Apache-2.0 */
/* The queue that users of libuv, libev and libevent write beside their async handle: a mutex, a growing array, swapped
 * out whole by the reader. It decides nothing about waking: put says when the reader may be asleep. */
#ifndef FERRY_BENCH_MAILBOX_H
#define FERRY_BENCH_MAILBOX_H

#include "bench.h"

typedef struct message {
    void (*run)(void *arg);
    void *arg;
} message;

typedef struct message_array {
    message *items;
    size_t count, capacity;
} message_array;

typedef struct mailbox {
    pthread_mutex_t lock;
    message_array incoming, running;
} mailbox;

static inline void mailbox_init(mailbox *box)
{
    memset(box, 0, sizeof *box);
    BENCH_CHECK(pthread_mutex_init(&box->lock, NULL) == 0);
}

static inline void mailbox_fini(mailbox *box)
{
    free(box->incoming.items);
    free(box->running.items);
    pthread_mutex_destroy(&box->lock);
}

/* Any thread. Returns true when the box was empty, so that the reader needs a wake-up. */
static inline bool mailbox_put(mailbox *box, void (*run)(void *arg), void *arg)
{
    pthread_mutex_lock(&box->lock);
    message_array *incoming = &box->incoming;
    bool was_empty = incoming->count == 0;
    if (incoming->count == incoming->capacity) {
        incoming->capacity = incoming->capacity ? incoming->capacity * 2 : 1024;
        incoming->items = (message *)bench_need(realloc(incoming->items, incoming->capacity * sizeof(message)));
    }
    incoming->items[incoming->count].run = run;
    incoming->items[incoming->count++].arg = arg;
    pthread_mutex_unlock(&box->lock);
    return was_empty;
}

/* The reader: runs everything that was in the box when it was called. */
static inline void mailbox_run(mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    message_array batch = box->incoming;
    box->incoming = box->running;
    box->running = batch;
    pthread_mutex_unlock(&box->lock);
    for (size_t i = 0; i < batch.count; i++)
        batch.items[i].run(batch.items[i].arg);
    box->running.count = 0;
}

#endif
