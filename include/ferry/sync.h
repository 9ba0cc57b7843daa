/* SPDX-License-Identifier: Apache-2.0 */
/* Events, locks, conditions, semaphores, barriers and queues (`asyncio.Event` and so on). They order what runs on one
 * loop; threads have locks of their own.
 *
 * What may have to wait has two forms. One blocks the calling task, and does not suspend it if nobody must be waited
 * for; if the task was cancelled it returns FERRY_ECANCELED, and what the task was given in the same moment goes to the
 * next one. The other form gives a future, to any caller, that is done as soon as the turn has come: at once, if nobody
 * must be waited for. Cancelling it while it is pending leaves the line. Once it is done the turn is its holder's, and
 * the holder's to give back. One that is dropped unread keeps its place.
 *
 * Lines are strictly first in, first out, for both forms: a turn goes from hand to hand, so nobody overtakes those who
 * wait. Dropping the last reference to one of these things cancels whoever still waits for it (for a task:
 * FERRY_EAWAITED_CANCELED); a loop that is closed leaves futures pending.
 *
 * Every call that returns a status may also return APR_EINVAL (an argument is NULL), FERRY_ECLOSED, FERRY_EWRONGTHREAD
 * or FERRY_EFORKED; every one that makes something, or has to wait, APR_ENOMEM; every one that blocks a task, even when
 * it would not have to, FERRY_ENOTASK (no task is calling) and FERRY_EWRONGLOOP (one of another loop is). Below stands
 * what else. */
#ifndef FERRY_SYNC_H
#define FERRY_SYNC_H

#include "ferry/future.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- event ---- */

/* Something that has happened or has not (`asyncio.Event`). */
typedef struct ferry_event ferry_event;

/* Not set at first. Owns: *ret_event is one reference. Thread: loop. */
FERRY_API ferry_status ferry_event_create(ferry_loop *loop, ferry_event **ret_event);
/* One more, one less; both take NULL. Thread: loop. */
FERRY_API ferry_event *ferry_event_ref(ferry_event *event);
FERRY_API void ferry_event_unref(ferry_event *event);
FERRY_AUTO_BY(ferry_event, ferry_event_unref)

/* Sets it, and all who wait are done, even if it is cleared before they run; clears it; looks. Thread: loop. */
FERRY_API ferry_status ferry_event_set(ferry_event *event);
FERRY_API ferry_status ferry_event_clear(ferry_event *event);
FERRY_API bool ferry_event_is_set(const ferry_event *event);

/* Waits until it is set (`wait`). Thread: loop, in a task; the second: loop. */
#define ferry_event_wait(event) ferry_event_wait_from(FERRY_HERE, event)
FERRY_API ferry_status ferry_event_wait_from(const char *origin, ferry_event *event);
#define ferry_event_wait_future(event, ret_future) ferry_event_wait_future_from(FERRY_HERE, event, ret_future)
FERRY_API ferry_status ferry_event_wait_future_from(const char *origin, ferry_event *event, ferry_future **ret_future);

/* ---- lock ---- */

/* One at a time (`asyncio.Lock`). */
typedef struct ferry_lock ferry_lock;

/* Unlocked at first. Owns: *ret_lock is one reference. Thread: loop. */
FERRY_API ferry_status ferry_lock_create(ferry_loop *loop, ferry_lock **ret_lock);
/* One more, one less; both take NULL. Thread: loop. */
FERRY_API ferry_lock *ferry_lock_ref(ferry_lock *lock);
FERRY_API void ferry_lock_unref(ferry_lock *lock);
FERRY_AUTO_BY(ferry_lock, ferry_lock_unref)

/* Waits until the lock is the caller's (`acquire`): the calling task's; outside of one, the future makes it nobody's in
 * particular.
 *
 * Returns: 0, FERRY_ECANCELED, FERRY_EDEADLK (this task has it).
 * Thread:  loop, in a task; the second: loop. */
#define ferry_lock_acquire(lock) ferry_lock_acquire_from(FERRY_HERE, lock)
FERRY_API ferry_status ferry_lock_acquire_from(const char *origin, ferry_lock *lock);
#define ferry_lock_acquire_future(lock, ret_future) ferry_lock_acquire_future_from(FERRY_HERE, lock, ret_future)
FERRY_API ferry_status ferry_lock_acquire_future_from(const char *origin, ferry_lock *lock, ferry_future **ret_future);

/* Gives it to whoever has waited longest (`release`).
 *
 * Returns: 0, FERRY_EINVALIDSTATE (it is not locked, or a task has it that does not make this call).
 * Thread:  loop. */
FERRY_API ferry_status ferry_lock_release(ferry_lock *lock);
FERRY_API bool ferry_lock_locked(const ferry_lock *lock);

/* ---- condition ---- */

/* Waits, under a lock, for a change of what the lock guards (`asyncio.Condition`). */
typedef struct ferry_condition ferry_condition;

/* With a lock that others may use too, or one of its own where `lock_or_null` is NULL.
 *
 * Owns:    takes a reference to the lock; *ret_condition is one reference.
 * Returns: 0, FERRY_EWRONGLOOP.
 * Thread:  loop. */
FERRY_API ferry_status ferry_condition_create(ferry_loop *loop, ferry_lock *lock_or_null,
                                              ferry_condition **ret_condition);
/* One more, one less; both take NULL. Who still waits when the last one goes is cancelled without the lock.
 * Thread: loop. */
FERRY_API ferry_condition *ferry_condition_ref(ferry_condition *condition);
FERRY_API void ferry_condition_unref(ferry_condition *condition);
FERRY_AUTO_BY(ferry_condition, ferry_condition_unref)

/* The lock, to acquire and release. Borrowed. Thread: loop. */
FERRY_API ferry_lock *ferry_condition_lock(const ferry_condition *condition);

/* Releases the lock, waits to be notified and acquires the lock again (`wait`). However the wait ends, the caller has
 * the lock: one that is cancelled ends, as cancelled, once the lock was acquired; a notification that it was given is
 * handed on. What was waited for may have changed again meanwhile: look at it anew, or use wait_for.
 *
 * Returns: 0, FERRY_ECANCELED, FERRY_EINVALIDSTATE (the caller does not have the lock).
 * Thread:  loop, in a task; the second: loop. */
#define ferry_condition_wait(condition) ferry_condition_wait_from(FERRY_HERE, condition)
FERRY_API ferry_status ferry_condition_wait_from(const char *origin, ferry_condition *condition);
#define ferry_condition_wait_future(condition, ret_future) \
    ferry_condition_wait_future_from(FERRY_HERE, condition, ret_future)
FERRY_API ferry_status ferry_condition_wait_future_from(const char *origin, ferry_condition *condition,
                                                        ferry_future **ret_future);

/* Whether what is waited for is there; the caller has the lock. */
typedef bool ferry_predicate(void *arg);

/* Waits until `predicate(arg)` is true, and looks at it first and after every wake-up (`wait_for`). Returns: as wait.
 * Thread: loop, in a task. */
#define ferry_condition_wait_for(condition, predicate, arg) \
    ferry_condition_wait_for_from(FERRY_HERE, condition, predicate, arg)
FERRY_API ferry_status ferry_condition_wait_for_from(const char *origin, ferry_condition *condition,
                                                     ferry_predicate *predicate, void *arg);

/* Wakes up to `count`, or all, of those who wait, oldest first (`notify`, `notify_all`): they get the lock one by one
 * once the caller has released it.
 *
 * Returns: 0, FERRY_EINVALIDSTATE (the caller does not have the lock).
 * Thread:  loop. */
FERRY_API ferry_status ferry_condition_notify(ferry_condition *condition, size_t count);
FERRY_API ferry_status ferry_condition_notify_all(ferry_condition *condition);

/* ---- semaphore ---- */

/* So many at a time (`asyncio.Semaphore`). */
typedef struct ferry_semaphore ferry_semaphore;

/* No more units than at first (`asyncio.BoundedSemaphore`). */
enum { FERRY_SEMAPHORE_BOUNDED = 1 };

/* With `value` units. Owns: *ret_semaphore is one reference. Returns: 0, APR_EINVAL (a negative value, an unknown
 * flag).
 * Thread: loop. */
FERRY_API ferry_status ferry_semaphore_create(ferry_loop *loop, int64_t value, int flags,
                                              ferry_semaphore **ret_semaphore);
/* One more, one less; both take NULL. Thread: loop. */
FERRY_API ferry_semaphore *ferry_semaphore_ref(ferry_semaphore *semaphore);
FERRY_API void ferry_semaphore_unref(ferry_semaphore *semaphore);
FERRY_AUTO_BY(ferry_semaphore, ferry_semaphore_unref)

/* Waits until a unit is the caller's (`acquire`). Thread: loop, in a task; the second: loop. */
#define ferry_semaphore_acquire(semaphore) ferry_semaphore_acquire_from(FERRY_HERE, semaphore)
FERRY_API ferry_status ferry_semaphore_acquire_from(const char *origin, ferry_semaphore *semaphore);
#define ferry_semaphore_acquire_future(semaphore, ret_future) \
    ferry_semaphore_acquire_future_from(FERRY_HERE, semaphore, ret_future)
FERRY_API ferry_status ferry_semaphore_acquire_future_from(const char *origin, ferry_semaphore *semaphore,
                                                           ferry_future **ret_future);

/* Gives a unit to whoever has waited longest, or adds it (`release`). Returns: 0, FERRY_EINVALIDSTATE (a bounded one
 * has all its units already). Thread: loop. */
FERRY_API ferry_status ferry_semaphore_release(ferry_semaphore *semaphore);
/* Whether an acquire would have to wait (`locked`). Thread: loop. */
FERRY_API bool ferry_semaphore_locked(const ferry_semaphore *semaphore);

/* ---- barrier ---- */

/* A place where so many meet before any goes on, round after round (`asyncio.Barrier`). */
typedef struct ferry_barrier ferry_barrier;

/* For so many parties. Owns: *ret_barrier is one reference. Returns: 0, APR_EINVAL (no parties). Thread: loop. */
FERRY_API ferry_status ferry_barrier_create(ferry_loop *loop, size_t parties, ferry_barrier **ret_barrier);
/* One more, one less; both take NULL. Thread: loop. */
FERRY_API ferry_barrier *ferry_barrier_ref(ferry_barrier *barrier);
FERRY_API void ferry_barrier_unref(ferry_barrier *barrier);
FERRY_AUTO_BY(ferry_barrier, ferry_barrier_unref)

/* Waits until all parties of the round are there (`wait`). The index, or the integer of the future, is the caller's in
 * the round: a different one for each, from 0 on. A party that is cancelled leaves its round to others.
 *
 * Owns:    ret_index may be NULL.
 * Returns: 0, FERRY_ECANCELED, FERRY_EBROKEN (it is, or was reset or aborted meanwhile; then the future's error).
 * Thread:  loop, in a task; the second: loop. */
#define ferry_barrier_wait(barrier, ret_index) ferry_barrier_wait_from(FERRY_HERE, barrier, ret_index)
FERRY_API ferry_status ferry_barrier_wait_from(const char *origin, ferry_barrier *barrier, size_t *ret_index);
#define ferry_barrier_wait_future(barrier, ret_future) ferry_barrier_wait_future_from(FERRY_HERE, barrier, ret_future)
FERRY_API ferry_status ferry_barrier_wait_future_from(const char *origin, ferry_barrier *barrier,
                                                      ferry_future **ret_future);

/* Ends the waits of this round with FERRY_EBROKEN; then a new round begins, or with abort no more until a reset
 * (`reset`, `abort`). Those whose round was complete are not concerned. Thread: loop. */
FERRY_API ferry_status ferry_barrier_reset(ferry_barrier *barrier);
FERRY_API ferry_status ferry_barrier_abort(ferry_barrier *barrier);

/* How many make a round; how many of this one wait already; whether it was aborted. Thread: loop. */
FERRY_API size_t ferry_barrier_parties(const ferry_barrier *barrier);
FERRY_API size_t ferry_barrier_n_waiting(const ferry_barrier *barrier);
FERRY_API bool ferry_barrier_broken(const ferry_barrier *barrier);

/* ---- queue ---- */

/* Hands items from those who put to those who get (`asyncio.Queue`, `LifoQueue`, `PriorityQueue`). An item is any
 * pointer, NULL too. */
typedef struct ferry_queue ferry_queue;

/* Which item comes out next: the oldest, the newest, or the smallest (equal ones in any order). */
typedef enum { FERRY_QUEUE_FIFO, FERRY_QUEUE_LIFO, FERRY_QUEUE_PRIORITY } ferry_queue_order;

/* Below 0, 0, above 0, as of qsort; it may not use the queue. */
typedef int ferry_compare(const void *one, const void *other);

typedef struct ferry_queue_options {
    size_t size;              /* of this struct; FERRY_QUEUE_OPTIONS sets it */
    ferry_queue_order order;
    size_t maxsize;           /* how many items it holds at most; 0: any number */
    ferry_compare *compare;   /* of FERRY_QUEUE_PRIORITY, and of no other */
    ferry_free *free;         /* for items that nobody gets; or NULL */
} ferry_queue_options;

#define FERRY_QUEUE_OPTIONS .size = sizeof(ferry_queue_options)

/* Sets every option to its default. Thread: any. */
FERRY_API void ferry_queue_options_init(ferry_queue_options *options);

/* NULL options are the defaults: first in, first out, without a limit.
 *
 * Owns:    *ret_queue is one reference.
 * Returns: 0, APR_EINVAL (options of an unknown size or order, or that contradict each other).
 * Thread:  loop. */
FERRY_API ferry_status ferry_queue_create(ferry_loop *loop, const ferry_queue_options *options,
                                          ferry_queue **ret_queue);
/* One more, one less; both take NULL. The last one frees the items that are left. Thread: loop. */
FERRY_API ferry_queue *ferry_queue_ref(ferry_queue *queue);
FERRY_API void ferry_queue_unref(ferry_queue *queue);
FERRY_AUTO_BY(ferry_queue, ferry_queue_unref)

/* Waits until there is room, and puts the item into the queue (`put`).
 *
 * Owns:    the item is the queue's once this returns 0, or the future is done with a result; until then, and if it ends
 *          otherwise, yours.
 * Returns: 0, FERRY_ECANCELED, FERRY_ESHUTDOWN (it is shut down; meanwhile: the future's error).
 * Thread:  loop, in a task; the second: loop. */
#define ferry_queue_put(queue, item) ferry_queue_put_from(FERRY_HERE, queue, item)
FERRY_API ferry_status ferry_queue_put_from(const char *origin, ferry_queue *queue, void *item);
#define ferry_queue_put_future(queue, item, ret_future) \
    ferry_queue_put_future_from(FERRY_HERE, queue, item, ret_future)
FERRY_API ferry_status ferry_queue_put_future_from(const char *origin, ferry_queue *queue, void *item,
                                                   ferry_future **ret_future);

/* Puts without waiting (`put_nowait`). Owns: the item is the queue's if this returns 0. Returns: 0, FERRY_EFULL,
 * FERRY_ESHUTDOWN, APR_ENOMEM. Thread: loop. */
FERRY_API ferry_status ferry_queue_put_nowait(ferry_queue *queue, void *item);

/* Waits until there is an item, and gets it (`get`): the pointer of the future.
 *
 * Owns:    the item is the caller's; or the future's until it is taken from it, and freed with it.
 * Returns: 0, FERRY_ECANCELED, FERRY_ESHUTDOWN (it is shut down, and empty; meanwhile: the future's error).
 * Thread:  loop, in a task; the second: loop. */
#define ferry_queue_get(queue, ret_item) ferry_queue_get_from(FERRY_HERE, queue, ret_item)
FERRY_API ferry_status ferry_queue_get_from(const char *origin, ferry_queue *queue, void **ret_item);
#define ferry_queue_get_future(queue, ret_future) ferry_queue_get_future_from(FERRY_HERE, queue, ret_future)
FERRY_API ferry_status ferry_queue_get_future_from(const char *origin, ferry_queue *queue, ferry_future **ret_future);

/* Gets without waiting (`get_nowait`). Owns: the item is the caller's. Returns: 0, FERRY_EEMPTY, FERRY_ESHUTDOWN (and
 * empty). Thread: loop. */
FERRY_API ferry_status ferry_queue_get_nowait(ferry_queue *queue, void **ret_item);

/* Says that an item that was got is dealt with (`task_done`). Returns: 0, FERRY_EINVALIDSTATE (more often than items
 * were put). Thread: loop. */
FERRY_API ferry_status ferry_queue_task_done(ferry_queue *queue);

/* Waits until every item that was put has been dealt with (`join`). Thread: loop, in a task; the second: loop. */
#define ferry_queue_join(queue) ferry_queue_join_from(FERRY_HERE, queue)
FERRY_API ferry_status ferry_queue_join_from(const char *origin, ferry_queue *queue);
#define ferry_queue_join_future(queue, ret_future) ferry_queue_join_future_from(FERRY_HERE, queue, ret_future)
FERRY_API ferry_status ferry_queue_join_future_from(const char *origin, ferry_queue *queue, ferry_future **ret_future);

/* No more puts, and gets until it is empty (`shutdown`): who waits to put, or to get, ends with FERRY_ESHUTDOWN. With
 * `immediate` what is in it is freed, and counts as dealt with. Thread: loop. */
FERRY_API ferry_status ferry_queue_shutdown(ferry_queue *queue, bool immediate);

/* How many items there are to get; whether none; whether a put would have to wait. Thread: loop. */
FERRY_API size_t ferry_queue_qsize(const ferry_queue *queue);
FERRY_API bool ferry_queue_empty(const ferry_queue *queue);
FERRY_API bool ferry_queue_full(const ferry_queue *queue);

#ifdef __cplusplus
}
#endif
#endif
