/* SPDX-License-Identifier: Apache-2.0 */
/* Task-local values: who sees which, and how long they live. Snapshots, values and variables are shared between threads
 * and never change once they are made but for their counts, which are atomic for that. */
#include "task/context_var.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "executor/frame.h"
#include "task/task.h"

struct ferry_context_var {
    _Atomic size_t refs;
    ferry_free *value_free;
    char name[];
};

/* One that was set, in all the snapshots that have it. */
typedef struct value {
    _Atomic size_t refs;
    ferry_context_var *var; /* one reference */
    void *pointer;
} value;

struct fy_values {
    _Atomic size_t refs;
    size_t count;
    value *all[]; /* one reference each */
};

/* ---- references ---- */

static void count_up(_Atomic size_t *refs) {
    atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
}

static bool count_down(_Atomic size_t *refs) {
    return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

void ferry_context_var_unref(ferry_context_var *var) {
    if (var && count_down(&var->refs))
        fy_free(var);
}

static void unref_value(value *self) {
    if (!count_down(&self->refs))
        return;
    if (self->var->value_free)
        self->var->value_free(self->pointer);
    ferry_context_var_unref(self->var);
    fy_free(self);
}

fy_values *fy_values_ref(fy_values *values) {
    if (values)
        count_up(&values->refs);
    return values;
}

void fy_values_unref(fy_values *values) {
    if (!values || !count_down(&values->refs))
        return;
    for (size_t i = 0; i < values->count; i++)
        unref_value(values->all[i]);
    fy_free(values);
}

/* ---- getting and setting ---- */

static size_t find(const fy_values *values, const ferry_context_var *var) {
    size_t i = 0;
    while (values && i < values->count && values->all[i]->var != var)
        i++;
    return i;
}

static void *get(const fy_values *values, const ferry_context_var *var) {
    size_t at = find(values, var);
    return values && at < values->count ? values->all[at]->pointer : NULL;
}

static value *create_value(ferry_context_var *var, void *pointer) {
    value *self = fy_malloc(sizeof *self);
    if (!self)
        return NULL;
    count_up(&var->refs);
    atomic_init(&self->refs, 1);
    self->var = var;
    self->pointer = pointer;
    return self;
}

/* Puts another snapshot in the place of the one that is there. */
static ferry_status set(fy_values **place, ferry_context_var *var, void *pointer) {
    fy_values *former = *place;
    size_t count = former ? former->count : 0, at = find(former, var);
    size_t new_count = at < count ? count : count + 1;
    fy_values *values = fy_malloc(sizeof *values + new_count * sizeof values->all[0]);
    value *mine = values ? create_value(var, pointer) : NULL;
    if (!mine) {
        fy_free(values);
        return ENOMEM;
    }
    atomic_init(&values->refs, 1);
    values->count = new_count;
    for (size_t i = 0; i < count; i++) {
        if (i == at)
            continue;
        values->all[i] = former->all[i];
        count_up(&former->all[i]->refs);
    }
    values->all[at] = mine;
    *place = values;
    fy_values_unref(former);
    return 0;
}

/* ---- who is calling ---- */

/* Where the caller's snapshot is; NULL: it has none. */
static fy_values **current(void) {
    fy_task *task = fy_task_current();
    if (task)
        return task->given ? &task->given->values : &task->values;
    const fy_frame *frame = fy_frame_current();
    fy_job_extra *extra = frame ? frame->job->extra : NULL;
    return extra && extra->values ? &extra->values : NULL;
}

fy_values *fy_values_current(void) {
    fy_values **place = current();
    return place ? *place : NULL;
}

/* ---- variables ---- */

ferry_status ferry_context_var_create(const char *name, ferry_free *value_free, ferry_context_var **ret_var) {
    if (!name || !ret_var)
        return EINVAL;
    size_t size = strlen(name) + 1;
    ferry_context_var *var = fy_malloc(sizeof *var + size);
    if (!var)
        return ENOMEM;
    atomic_init(&var->refs, 1);
    var->value_free = value_free;
    memcpy(var->name, name, size);
    *ret_var = var;
    return 0;
}

const char *ferry_context_var_name(const ferry_context_var *var) {
    return var ? var->name : NULL;
}

void *ferry_context_var_get(const ferry_context_var *var) {
    return get(fy_values_current(), var);
}

ferry_status ferry_context_var_set(ferry_context_var *var, void *pointer) {
    if (!var)
        return EINVAL;
    fy_values **place = current();
    return place ? set(place, var, pointer) : FERRY_ENOTASK;
}

/* ---- contexts ---- */

ferry_status ferry_context_copy(ferry_context **ret_context) {
    if (!ret_context)
        return EINVAL;
    ferry_context *context = fy_malloc(sizeof *context);
    if (!context)
        return ENOMEM;
    *context = (ferry_context){.values = fy_values_ref(fy_values_current()), .refs = 1};
    *ret_context = context;
    return 0;
}

ferry_context *ferry_context_ref(ferry_context *context) {
    if (context)
        context->refs++;
    return context;
}

void ferry_context_unref(ferry_context *context) {
    if (!context || --context->refs)
        return;
    fy_values_unref(context->values);
    fy_free(context);
}

void *ferry_context_get(const ferry_context *context, const ferry_context_var *var) {
    return context ? get(context->values, var) : NULL;
}

ferry_status ferry_context_set(ferry_context *context, ferry_context_var *var, void *pointer) {
    return context && var ? set(&context->values, var, pointer) : EINVAL;
}
