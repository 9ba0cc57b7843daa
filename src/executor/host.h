/* SPDX-License-Identifier: Apache-2.0 */
/* Where the threads of all pools come from: apr_thread_pool_t. It hosts long-lived drains, one thread each, and nothing
 * else; see host.c for why so. */
#ifndef FERRY_EXECUTOR_HOST_H
#define FERRY_EXECUTOR_HOST_H

#include "ferry/base.h"
#include "seam/platform.h"

/* A drain: the caller's until start succeeds, then the thread's until `gone` is called. */
typedef struct fy_drain {
    void (*run)(struct fy_drain *drain);  /* on a thread of its own */
    void (*gone)(struct fy_drain *drain); /* the thread has ended; the last thing that is done with the drain */
    /* It may run on a thread that others of its kind have run on, and leaves its own to the next one; "ended" is then
     * when `run` has returned. */
    bool shares_threads;
} fy_drain;

typedef struct fy_kept_thread fy_kept_thread;

/* Starts a thread for it. Returns: 0, APR_ENOMEM, FERRY_ENOTHREAD; then neither function is ever called.
 * Thread: any. */
ferry_status fy_host_start(fy_drain *drain);

/* The same for a drain that shares threads: *ret_held is a thread that is there already, and that is held back until
 * fy_host_go, so that the drain finds what it is started for; or NULL. Thread: any. */
ferry_status fy_host_start_shared(fy_drain *drain, fy_kept_thread **ret_held);
void fy_host_go(fy_drain *drain, fy_kept_thread *held);

/* Whether the calling thread is one of a host's, at whatever point of its life. */
bool fy_host_has_this_thread(void);

/* Waits, as far as it can, until the threads that have ended are gone for good, and gives back what they have used.
 * Thread: any. */
void fy_hosts_tidy(void);

/* The process exits: threads that are kept for the next drain end, and the hosts without threads are destroyed.
 * Thread: any. */
void fy_hosts_end(void);

#endif
