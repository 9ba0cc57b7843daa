/* SPDX-License-Identifier: Apache-2.0 */
/* Setting, reading, moving and freeing an outcome. */
#include "future/outcome.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hints.h"

/* ---- the words of an error ---- */

/* Room for both texts behind the struct; the message is still to be written. */
static fy_error *allocate_error(const char *worker, size_t message_size, char **ret_message) {
    size_t worker_size = worker && *worker ? strlen(worker) + 1 : 0;
    fy_error *error = fy_malloc(sizeof *error + worker_size + message_size);
    if (!error)
        return NULL;
    char *text = (char *)(error + 1);
    *error = (fy_error){.message = message_size ? text + worker_size : NULL, .worker = worker_size ? text : NULL};
    if (worker_size)
        memcpy(text, worker, worker_size);
    *ret_message = text + worker_size;
    return error;
}

fy_error *fy_error_create(const char *worker, const char *message) {
    size_t size = message ? strlen(message) + 1 : 0;
    if (!size && !(worker && *worker))
        return NULL;
    char *text = NULL;
    fy_error *error = allocate_error(worker, size, &text);
    if (error && size)
        memcpy(text, message, size);
    return error;
}

fy_error *fy_error_create_formatted(const char *worker, const char *format, va_list args) {
    if (!format)
        return fy_error_create(worker, NULL);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *text = NULL;
    fy_error *error = length < 0 ? NULL : allocate_error(worker, (size_t)length + 1, &text);
    if (error)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return error;
}

/* ---- setting ---- */

void fy_outcome_clear(fy_outcome *outcome) {
    if (outcome->kind == FY_VALUE_ERROR)
        fy_free(outcome->error);
    else if ((outcome->kind == FY_VALUE_POINTER || outcome->kind == FY_VALUE_BYTES) && outcome->free)
        outcome->free(outcome->pointer);
    *outcome = (fy_outcome){.kind = FY_VALUE_NONE};
}

void fy_outcome_set_integer(fy_outcome *outcome, int64_t value) {
    if (FY_UNLIKELY(fy_outcome_owns(outcome)))
        fy_outcome_clear(outcome);
    outcome->kind = FY_VALUE_INTEGER;
    outcome->integer = value;
}

void fy_outcome_set_real(fy_outcome *outcome, double value) {
    fy_outcome_clear(outcome);
    outcome->kind = FY_VALUE_REAL;
    outcome->real = value;
}

void fy_outcome_set_pointer(fy_outcome *outcome, void *pointer, ferry_free *free) {
    fy_outcome_clear(outcome);
    outcome->kind = FY_VALUE_POINTER;
    outcome->is_borrowed = false;
    outcome->pointer = pointer;
    outcome->free = free;
}

void fy_outcome_set_bytes(fy_outcome *outcome, void *bytes, size_t size, ferry_free *free) {
    fy_outcome_clear(outcome);
    outcome->kind = FY_VALUE_BYTES;
    outcome->is_borrowed = false;
    outcome->pointer = bytes;
    outcome->size = size;
    outcome->free = free;
}

void fy_outcome_set_error(fy_outcome *outcome, ferry_status status, fy_error *error) {
    fy_outcome_clear(outcome);
    outcome->kind = FY_VALUE_ERROR;
    outcome->status = status;
    outcome->error = error;
}

void fy_outcome_borrow(fy_outcome *to, const fy_outcome *from) {
    fy_outcome_clear(to);
    *to = *from;
    if (from->kind == FY_VALUE_ERROR)
        to->error = fy_error_create(fy_outcome_worker(from), fy_outcome_message(from));
    else if (from->kind == FY_VALUE_POINTER || from->kind == FY_VALUE_BYTES) {
        to->free = NULL;
        to->is_borrowed = true;
    }
}

/* ---- reading ---- */

int64_t fy_outcome_integer(const fy_outcome *outcome) {
    return outcome->kind == FY_VALUE_INTEGER ? outcome->integer : 0;
}

double fy_outcome_real(const fy_outcome *outcome) {
    return outcome->kind == FY_VALUE_REAL ? outcome->real : 0.0;
}

void *fy_outcome_pointer(const fy_outcome *outcome) {
    return outcome->kind == FY_VALUE_POINTER ? outcome->pointer : NULL;
}

const void *fy_outcome_bytes(const fy_outcome *outcome, size_t *ret_size) {
    bool is_bytes = outcome->kind == FY_VALUE_BYTES;
    if (ret_size)
        *ret_size = is_bytes ? outcome->size : 0;
    return is_bytes ? outcome->pointer : NULL;
}

const char *fy_outcome_message(const fy_outcome *outcome) {
    return outcome->kind == FY_VALUE_ERROR && outcome->error ? outcome->error->message : NULL;
}

const char *fy_outcome_worker(const fy_outcome *outcome) {
    return outcome->kind == FY_VALUE_ERROR && outcome->error ? outcome->error->worker : NULL;
}

/* ---- moving ---- */

void fy_outcome_forget(fy_outcome *outcome) {
    outcome->pointer = NULL;
    outcome->size = 0;
    outcome->free = NULL;
}

ferry_status fy_outcome_take_pointer(fy_outcome *outcome, void **ret_pointer) {
    if (outcome->status)
        return outcome->status;
    if (outcome->kind != FY_VALUE_POINTER)
        return FERRY_EWRONGTYPE;
    if (outcome->is_borrowed)
        return FERRY_ENOTSUP;
    *ret_pointer = outcome->pointer;
    fy_outcome_forget(outcome);
    return 0;
}

ferry_status fy_outcome_take_bytes(fy_outcome *outcome, void **ret_bytes, size_t *ret_size) {
    if (outcome->status)
        return outcome->status;
    if (outcome->kind != FY_VALUE_BYTES)
        return FERRY_EWRONGTYPE;
    if (outcome->is_borrowed)
        return FERRY_ENOTSUP;
    *ret_bytes = outcome->pointer;
    if (ret_size)
        *ret_size = outcome->size;
    fy_outcome_forget(outcome);
    return 0;
}
