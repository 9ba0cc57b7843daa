/* SPDX-License-Identifier: Apache-2.0 */
/* What a port supplies for coroutines: stacks, and going from one to another. It knows nothing of what runs on them.
 *
 * A context is a stack with calls on it that stand still, or the one that the thread runs on. Everything here belongs
 * to one thread at a time. A context may go on on another thread than the one it stopped on, as long as nobody
 * switches between those two meanwhile; thread-local addresses that its calls have computed before are then the other
 * thread's. */
#ifndef FERRY_SEAM_CONTEXT_H
#define FERRY_SEAM_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "ferry/base.h"

typedef struct fy_context fy_context;

/* What a fresh context begins with, at the first switch to it, and perhaps again (fy_context_switch_begin). Must never
 * return: it switches away for good. */
typedef void fy_context_entry(fy_context *self);

/* A port's context begins with this. */
struct fy_context {
    fy_context *next;  /* for its user's lists */
    void *owner;       /* for its user */
    unsigned uses;     /* for its user */
    size_t stack_size; /* that may be used; of a thread's own unknown: 0 */
};

enum { FY_STACK_MIN_BYTES = 16 * 1024 };

/* What the C++ runtime keeps for a thread about exceptions is each context's own: this gives the address of the calling
 * thread's, as the ABI names it. NULL: a runtime that the port finds, if there is one. */
typedef void *fy_exceptions_getter(void);
void fy_context_use_exceptions(fy_exceptions_getter *getter);

/* The context that the calling thread runs on by itself: to be had before the thread's first switch, and given back on
 * the same thread when it runs on it again. One at a time for each thread; but a child made by fork may have a further
 * one, wherever its parent was, which it gives back before it goes on there.
 * Returns: 0, APR_ENOMEM, or an OS code. */
ferry_status fy_context_open_own(fy_context **ret_context);
void fy_context_close_own(fy_context *own);

/* A fresh context whose stack is at least so large: address space is taken, memory only as it is touched. Below the
 * stack lies a guard, so that going over its end stops the program instead of writing to somebody else's memory.
 * Returns: 0, APR_ENOMEM, or an OS code. */
ferry_status fy_context_create(size_t stack_size, fy_context_entry *entry, fy_context **ret_context);

/* Nobody runs on it. What stood on its stack is gone without a word. */
void fy_context_destroy(fy_context *context);

/* Stops here, on `from`, which is the one that runs, and goes on where `to` has stopped. The modes of floating point,
 * such as how is rounded, are each context's own. */
void fy_context_switch(fy_context *from, fy_context *to);

/* The same to a context that is fresh, or is to begin anew with whatever its entry does next: it takes over the modes
 * of `from`. It goes on where it has stopped, or calls its entry again. */
void fy_context_switch_begin(fy_context *from, fy_context *to);

/* The same, and quicker if both stop here in the same calls; if they do not, only slower. */
void fy_context_switch_alike(fy_context *from, fy_context *to);

/* It will soon be gone on with: asks for what that touches, which is quicker then. Changes nothing. */
void fy_context_fetch(const fy_context *context);

/* Gives back the memory of a context that stands still, but for the `keep_bytes` of its stack that are used first. */
void fy_context_trim(fy_context *context, size_t keep_bytes);

/* How much of the stack has been touched since it was made or trimmed, in whole pages; 0 where nobody can tell. */
size_t fy_context_touched(const fy_context *context);

/* From now on a context of this process that goes over the end of its stack, if it is the `current` one of its thread,
 * has `describe` write whose it is into the buffer, and stderr shows it before the program ends as it does after any
 * such access. Both are called in signal context. Every thread may say so, and all say the same. */
typedef const fy_context *fy_context_current(void);
typedef void fy_context_describe(const fy_context *context, char *buffer, size_t size);
void fy_context_name_overflows(fy_context_current *current, fy_context_describe *describe);

#endif
