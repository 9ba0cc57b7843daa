/* SPDX-License-Identifier: Apache-2.0 */
/* Registrations of borrowed descriptors: what the poller's cookie points to in place of the file. It decides what
 * becomes of an event whose file has gone, and which registration a descriptor's number stands for.
 *
 * The owner of a borrowed descriptor may close it before the file is detached. Then the number may have been given out
 * again, so that to remove "it" would hit the newcomer; and if a duplicate lives (a child process inherited one), the
 * kernel keeps the old registration and reports its cookie for as long as the poller is open. So
 *
 *   - the lease that a number stands for is the last one that was registered with it; only that one is removed by it;
 *   - a lease that could not be removed outlives its file, with no file, until the poller is closed. */
#ifndef FERRY_POSIX_LEASE_H
#define FERRY_POSIX_LEASE_H

#include <stdint.h>

#include "seam/backend.h"

typedef struct fy_lease {
    fy_node node;  /* once it is left over */
    fy_file *file; /* NULL: detached */
    int fd;
} fy_lease;

/* All zero: none. */
typedef struct fy_leases {
    fy_lease **by_fd;
    size_t size;
    fy_list left_over;
} fy_leases;

/* The file's lease, in its slot; not begun. Returns: 0, APR_ENOMEM. */
ferry_status fy_lease_create(fy_file *file);

/* The descriptor has just been registered. Returns: 0, APR_ENOMEM. */
ferry_status fy_lease_begin(fy_leases *leases, fy_file *file);

/* Whether the descriptor's number still stands for this file's registration. */
bool fy_lease_is_current(const fy_leases *leases, const fy_file *file);

/* The file is detached; `is_removed`: nothing will be reported for it any more. */
void fy_lease_end(fy_leases *leases, fy_file *file, bool is_removed);

/* A descriptor that is not borrowed was registered: its number stands for no lease any more. */
static inline void fy_lease_supersede(fy_leases *leases, int fd) {
    if ((size_t)fd < leases->size)
        leases->by_fd[fd] = NULL;
}

void fy_lease_free_all(fy_leases *leases);

/* ---- cookies: a file, or a lease with the lowest bit set ---- */

static inline void *fy_lease_cookie(fy_lease *lease) {
    return (char *)lease + 1;
}

/* The file that an event is about; NULL if it has gone. */
static inline fy_file *fy_lease_file(void *cookie) {
    if ((uintptr_t)cookie & 1)
        return ((fy_lease *)(void *)((char *)cookie - 1))->file;
    return cookie;
}

#endif
