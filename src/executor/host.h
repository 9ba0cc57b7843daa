/* SPDX-License-Identifier: Apache-2.0 */
/* Where the threads of all pools come from: apr_thread_pool_t. It hosts long-lived drains, one thread each, and nothing
 * else; see host.c for why so. */
#ifndef FERRY_EXECUTOR_HOST_H
#define FERRY_EXECUTOR_HOST_H

#include "ferry/base.h"
#include "seam/platform.h"

typedef struct fy_host fy_host;

/* A drain: the caller's until start succeeds, then the thread's until `gone` is called. */
typedef struct fy_drain {
    void (*run)(struct fy_drain *drain);  /* on a thread of its own */
    void (*gone)(struct fy_drain *drain); /* the thread has ended; the last thing that is done with the drain */
    fy_host *host;
    fy_exit_call at_exit;
} fy_drain;

/* Starts a thread for it. Returns: 0, APR_ENOMEM, FERRY_ENOTHREAD; then neither function is ever called.
 * Thread: any. */
ferry_status fy_host_start(fy_drain *drain);

/* Waits, as far as it can, until the threads that have ended are gone for good, and gives back what they have used.
 * Thread: any. */
void fy_hosts_tidy(void);

/* The process exits: the hosts without threads are destroyed. Thread: any. */
void fy_hosts_end(void);

#endif
