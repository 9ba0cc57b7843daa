/* SPDX-License-Identifier: Apache-2.0 */
/* What is behind task-local values. A snapshot of them never changes: who sets one makes another snapshot. So handing
 * them on to a task or a job is one more reference, and threads may share them. */
#ifndef FERRY_TASK_CONTEXT_VAR_H
#define FERRY_TASK_CONTEXT_VAR_H

#include "ferry/context.h"

/* NULL is the empty one. */
typedef struct fy_values fy_values;

struct ferry_context {
    fy_values *values;
    size_t refs;
};

/* Both take NULL. Thread: any. */
fy_values *fy_values_ref(fy_values *values);
void fy_values_unref(fy_values *values);

/* Those that the caller sees (borrowed). */
fy_values *fy_values_current(void);

#endif
