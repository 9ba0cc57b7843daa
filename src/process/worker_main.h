/* SPDX-License-Identifier: Apache-2.0 */
/* How a process knows that it was started as a worker. */
#ifndef FERRY_PROCESS_WORKER_MAIN_H
#define FERRY_PROCESS_WORKER_MAIN_H

#include <stdbool.h>

#define FY_WORKER_ARGUMENT "--ferry-worker"
#define FY_WORKER_VARIABLE "FERRY_WORKER"

/* Whether a pool has started this process, also if its main has forgotten to call ferry_worker_init: such a one must
 * not start workers in its turn, or there were no end of them. */
bool fy_is_started_as_worker(void);

#endif
