/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a future that follows another one; see follower.h. It refuses to know why it does. */
#include "future/follower.h"

#include <errno.h>

#include "base/alloc.h"

void *fy_follower_create(size_t size, int kind, const char *origin, ferry_future *inner) {
    fy_follower *self = fy_calloc(size);
    if (!self)
        return NULL;
    fy_future_init(&self->future, inner->loop, kind, origin);
    fy_loop_hold(inner->loop);
    self->inner = ferry_future_ref(inner);
    return self;
}

ferry_status fy_follower_start(fy_follower *self, ferry_done_callback *on_inner_done,
                               void (*let_go)(fy_close_hook *hook)) {
    ferry_handle *handle = fy_done_callback_create(self->future.origin, self->inner, on_inner_done, self);
    if (!handle)
        return ENOMEM;
    fy_done_callback_add(handle);
    self->at_close.run = let_go;
    fy_loop_at_close(self->future.loop, &self->at_close);
    ferry_future_ref(&self->future);
    return 0;
}

void fy_follower_let_go(fy_follower *self) {
    fy_loop_not_at_close(&self->at_close);
    ferry_future_unref(&self->future);
}

void fy_follower_end_as_inner(fy_follower *self) {
    self->inner->looked_at = true;
    if (ferry_future_cancelled(self->inner))
        fy_future_finish_cancelled(&self->future, fy_future_peek_message(self->inner));
    else
        fy_future_finish_as(&self->future, self->inner);
}

ferry_future *fy_follower_member(const ferry_future *future, size_t index) {
    return index ? NULL : ((const fy_follower *)(const void *)future)->inner;
}

void fy_follower_free(fy_follower *self) {
    ferry_loop *loop = self->future.loop;
    ferry_future_unref(self->inner);
    fy_free(self);
    fy_loop_release(loop);
}
