/* SPDX-License-Identifier: Apache-2.0 */
/* Task-local values: what a task sets is seen by it, by the tasks it makes afterwards, and by the jobs it hands to
 * other threads with ferry_to_thread and ferry_call_in, and by nobody else (`contextvars`). Callbacks of a loop have
 * none. */
#ifndef FERRY_CONTEXT_H
#define FERRY_CONTEXT_H

#include "ferry/future.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- variables ---- */

typedef struct ferry_context_var ferry_context_var;

/* Makes a variable that has no value yet (`ContextVar`). `value_free` is called with each value that was set once
 * nobody can see it any more, on whichever thread that is (a job may be the last one to see it); NULL: there is
 * nothing to free. The name is copied.
 *
 * Owns:    *ret_var is one reference; contexts in which it has a value hold others.
 * Returns: 0, APR_EINVAL, APR_ENOMEM.
 * Thread:  any. */
FERRY_API ferry_status ferry_context_var_create(const char *name, ferry_free *value_free, ferry_context_var **ret_var);

/* One less reference. Takes NULL. Thread: any. */
FERRY_API void ferry_context_var_unref(ferry_context_var *var);
FERRY_AUTO_BY(ferry_context_var, ferry_context_var_unref)

/* Thread: any. */
FERRY_API const char *ferry_context_var_name(const ferry_context_var *var);

/* The value that the calling task or job sees, or NULL (`get`). Borrowed, until the variable is set again there.
 * Thread: any. */
FERRY_API void *ferry_context_var_get(const ferry_context_var *var);

/* Sets it for the calling task or job, and for what that makes from now on (`set`).
 *
 * Owns:    on success the value is the variable's; else it stays yours.
 * Returns: 0, APR_EINVAL, APR_ENOMEM, FERRY_ENOTASK (no task is calling, and no job that carries the values of one).
 * Thread:  any. */
FERRY_API ferry_status ferry_context_var_set(ferry_context_var *var, void *value);

/* ---- contexts ---- */

/* Values to be kept beyond a task: given to tasks by ferry_task_options, which then see it and change it. Used by one
 * thread at a time. */
typedef struct ferry_context ferry_context;

/* Makes a context with the values that the calling task or job sees; elsewhere an empty one (`copy_context`). Later
 * changes on either side are not seen by the other.
 *
 * Owns:    *ret_context is one reference.
 * Returns: 0, APR_EINVAL, APR_ENOMEM.
 * Thread:  any. */
FERRY_API ferry_status ferry_context_copy(ferry_context **ret_context);

/* One more, one less reference; both take NULL. Thread: the context's. */
FERRY_API ferry_context *ferry_context_ref(ferry_context *context);
FERRY_API void ferry_context_unref(ferry_context *context);
FERRY_AUTO_BY(ferry_context, ferry_context_unref)

/* As the calls of the variable, for whoever is outside. Thread: the context's. */
FERRY_API void *ferry_context_get(const ferry_context *context, const ferry_context_var *var);
FERRY_API ferry_status ferry_context_set(ferry_context *context, ferry_context_var *var, void *value);

#ifdef __cplusplus
}
#endif

#endif
