/* SPDX-License-Identifier: Apache-2.0 */
/* The list of pools that are finished when the process exits. */
#ifndef FERRY_EXECUTOR_POOL_EXIT_H
#define FERRY_EXECUTOR_POOL_EXIT_H

#include <stdbool.h>

#include "ferry/base.h"

typedef struct fy_exit_link fy_exit_link;

typedef struct fy_exit_class {
    /* One holder more, if the pool has threads; else false. Under the pools' lock. */
    bool (*hold)(fy_exit_link *pool);
    /* Closes it, waits until its threads are gone, and is a holder less. */
    void (*finish)(fy_exit_link *pool);
} fy_exit_class;

/* Part of a pool, which sets `class` and zeroes the rest. */
struct fy_exit_link {
    const fy_exit_class *class;
    fy_exit_link *next; /* the pools' lock */
    fy_exit_link *previous;
};

/* Enters a pool into the process's list. Returns: 0, APR_ENOMEM. */
ferry_status fy_exit_register(fy_exit_link *pool);

/* Takes it out; not one of a parent process. */
void fy_exit_unregister(fy_exit_link *pool);

/* Whether the process exits: then nothing more is submitted. */
bool fy_process_is_exiting(void);

#endif
