/* SPDX-License-Identifier: Apache-2.0 */
/* A future that may be cancelled without what it stands for. It decides what becomes of an error that comes when nobody
 * waits for it through the shield any more. */
#include <errno.h>

#include "base/list.h"
#include "future/follower.h"

static void run_close_hook(fy_close_hook *hook) {
    fy_follower_let_go(FY_CONTAINER(hook, fy_follower, at_close));
}

/* A shield that was cancelled meanwhile has nobody to tell: an error would vanish. */
static ferry_status on_inner_done(ferry_future *inner, void *arg) {
    fy_follower *self = arg;
    if (self->future.state == FY_FUTURE_PENDING)
        fy_follower_end_as_inner(self);
    else
        fy_future_report_unseen_error(inner);
    fy_follower_let_go(self);
    return 0;
}

static void free_shield(ferry_future *future) {
    fy_follower_free((fy_follower *)(void *)future);
}

const fy_future_class fy_shield_class = {.member = fy_follower_member, .free = free_shield};

ferry_status ferry_shield_from(const char *origin, ferry_future *inner, ferry_future **ret_future) {
    if (!inner || !ret_future)
        return EINVAL;
    ferry_status status = fy_loop_check(inner->loop);
    if (status)
        return status;
    fy_follower *self = fy_follower_create(sizeof *self, FY_FUTURE_SHIELD, origin, inner);
    if (!self)
        return ENOMEM;
    if (inner->state != FY_FUTURE_PENDING)
        fy_follower_end_as_inner(self);
    else
        status = fy_follower_start(self, on_inner_done, run_close_hook);
    if (status) {
        ferry_future_unref(&self->future);
        return status;
    }
    *ret_future = &self->future;
    return 0;
}
