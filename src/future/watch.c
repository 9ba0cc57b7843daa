/* SPDX-License-Identifier: Apache-2.0 */
/* Beginning and ending to watch several futures. A future that is given twice is found by a mark in it, so that finding
 * it costs no memory and no time; the marks are gone before anything else happens. */
#include "future/watch.h"

static size_t take_each_once(fy_watch *watches, ferry_future *const *futures, size_t count) {
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        if (futures[i]->is_marked)
            continue;
        futures[i]->is_marked = true;
        watches[taken++] = (fy_watch){.future = futures[i]};
    }
    for (size_t i = 0; i < taken; i++)
        watches[i].future->is_marked = false;
    return taken;
}

ferry_status fy_watch_begin(fy_watch *watches, size_t *ret_count, const char *origin, ferry_loop *loop,
                            ferry_future *const *futures, size_t count, ferry_done_callback *callback, void *arg) {
    for (size_t i = 0; i < count; i++) {
        ferry_status status = fy_watch_check(loop, futures[i]);
        if (status)
            return status;
    }
    size_t taken = take_each_once(watches, futures, count);
    for (size_t i = 0; i < taken; i++) {
        fy_watch *watch = &watches[i];
        ferry_status status =
            ferry_future_add_done_callback_from(origin, watch->future, callback, arg, &watch->handle);
        if (status) {
            fy_watch_end(watches, i);
            return status;
        }
        ferry_future_ref(watch->future);
    }
    *ret_count = taken;
    return 0;
}

void fy_watch_end(fy_watch *watches, size_t count) {
    for (size_t i = 0; i < count; i++) {
        ferry_handle_cancel(watches[i].handle);
        ferry_handle_unref(watches[i].handle);
        ferry_future_unref(watches[i].future);
    }
}
