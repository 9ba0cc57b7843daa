/* SPDX-License-Identifier: Apache-2.0 */
/* How a piece of work ended: a value or an error. Futures and jobs hold one each, or share one. Small values lie in it;
 * only an error's sentence is allocated. It knows nothing of who may read it when. */
#ifndef FERRY_FUTURE_OUTCOME_H
#define FERRY_FUTURE_OUTCOME_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "ferry/future.h"

/* FY_VALUE_NONE: success without a value, or not done. From POINTER on, the outcome may own something. */
enum { FY_VALUE_NONE, FY_VALUE_INTEGER, FY_VALUE_REAL, FY_VALUE_POINTER, FY_VALUE_BYTES, FY_VALUE_ERROR };

/* The words that go with an error, in one allocation. */
typedef struct fy_error {
    const char *message; /* or NULL */
    const char *worker;  /* or NULL */
} fy_error;

typedef struct fy_outcome {
    union {
        int64_t integer;
        double real;
        void *pointer; /* POINTER, BYTES */
    };
    size_t size; /* BYTES */
    union {
        ferry_free *free; /* POINTER, BYTES; or NULL */
        fy_error *error;  /* ERROR; or NULL */
    };
    ferry_status status;
    uint8_t kind;
    bool is_borrowed; /* POINTER, BYTES: another outcome, or the job, which outlives this one, owns it */
} fy_outcome;

_Static_assert(sizeof(fy_outcome) <= 32, "an outcome is half a cache line");

/* An error's words, or NULL where there are none or no memory. Either may be NULL. */
fy_error *fy_error_create(const char *worker, const char *message);
fy_error *fy_error_create_formatted(const char *worker, const char *format, va_list args);

/* Whether there is something to free: numbers own nothing. */
static inline bool fy_outcome_owns(const fy_outcome *outcome) {
    return outcome->kind >= FY_VALUE_POINTER;
}

/* Frees what the outcome owns and makes it "not done, no value". */
void fy_outcome_clear(fy_outcome *outcome);

/* Each replaces what was there. */
void fy_outcome_set_integer(fy_outcome *outcome, int64_t value);
void fy_outcome_set_real(fy_outcome *outcome, double value);
void fy_outcome_set_pointer(fy_outcome *outcome, void *pointer, ferry_free *free);
void fy_outcome_set_bytes(fy_outcome *outcome, void *bytes, size_t size, ferry_free *free);
void fy_outcome_set_error(fy_outcome *outcome, ferry_status status, fy_error *error);

/* Makes `to` end as `from` did: numbers and errors are copied, pointers and bytes are borrowed. */
void fy_outcome_borrow(fy_outcome *to, const fy_outcome *from);

/* The value, or 0, 0.0, NULL where it is of another kind. */
int64_t fy_outcome_integer(const fy_outcome *outcome);
double fy_outcome_real(const fy_outcome *outcome);
void *fy_outcome_pointer(const fy_outcome *outcome);
const void *fy_outcome_bytes(const fy_outcome *outcome, size_t *ret_size);
const char *fy_outcome_message(const fy_outcome *outcome);
const char *fy_outcome_worker(const fy_outcome *outcome);

/* A pointer or bytes are somebody else's now. */
void fy_outcome_forget(fy_outcome *outcome);

/* Moves the value out. Returns: 0, the error's status, FERRY_EWRONGTYPE. */
ferry_status fy_outcome_take_pointer(fy_outcome *outcome, void **ret_pointer);
ferry_status fy_outcome_take_bytes(fy_outcome *outcome, void **ret_bytes, size_t *ret_size);

#endif
