/* SPDX-License-Identifier: Apache-2.0 */
/* What the reactor tries, and tries again: an op's system call. */
#ifndef FERRY_POSIX_ATTEMPT_H
#define FERRY_POSIX_ATTEMPT_H

#include "seam/backend.h"

/* True once the op's outcome is final and written into it. False if the kernel would block: then may_be_ready of the
 * op's direction is cleared, and the next edge there is worth another try. */
bool fy_attempt(fy_op *op);

#endif
