/* SPDX-License-Identifier: Apache-2.0 */
/* Values as C knows them: what a future holds is put into a variable whose type the caller's macro has told. It decides
 * which kinds fit which; what does not fit is refused, never cut. */
#include <limits.h>

#include "task/task.h"

static ferry_status put_integer(ferry_place place, int64_t value) {
    switch (place.kind) {
    case FERRY_PLACE_INT:
        if (value < INT_MIN || value > INT_MAX)
            return FERRY_EWRONGTYPE;
        *(int *)place.address = (int)value;
        return 0;
    case FERRY_PLACE_LONG:
        if (value < LONG_MIN || value > LONG_MAX)
            return FERRY_EWRONGTYPE;
        *(long *)place.address = (long)value;
        return 0;
    case FERRY_PLACE_INT64:
        *(long long *)place.address = value;
        return 0;
    default:
        return FERRY_EWRONGTYPE;
    }
}

ferry_status fy_place_put(ferry_place place, const ferry_future *future) {
    const fy_outcome *outcome = &future->outcome;
    if (!place.address)
        return 0;
    switch (outcome->kind) {
    case FY_VALUE_INTEGER:
        return put_integer(place, outcome->integer);
    case FY_VALUE_REAL:
        if (place.kind != FERRY_PLACE_REAL)
            return FERRY_EWRONGTYPE;
        *(double *)place.address = outcome->real;
        return 0;
    case FY_VALUE_POINTER:
    case FY_VALUE_BYTES:
        if (place.kind != FERRY_PLACE_POINTER)
            return FERRY_EWRONGTYPE;
        *(void **)place.address = outcome->pointer;
        return 0;
    default:
        return FERRY_EWRONGTYPE;
    }
}
