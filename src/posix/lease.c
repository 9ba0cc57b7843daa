/* SPDX-License-Identifier: Apache-2.0 */
/* Leases and the index of them by descriptor; lease.h says what they are for. It decides how the index grows. */
#include "posix/lease.h"

#include <string.h>

#include <apr_errno.h>

#include "base/alloc.h"

enum { INDEX_MIN = 64 };

ferry_status fy_lease_create(fy_file *file) {
    fy_lease *lease = fy_calloc(sizeof *lease);
    if (!lease)
        return APR_ENOMEM;
    lease->file = file;
    lease->fd = file->handle;
    file->slot = lease;
    return 0;
}

static bool grow(fy_leases *leases, size_t size_min) {
    size_t size = leases->size ? leases->size : INDEX_MIN;
    while (size < size_min)
        size *= 2;
    fy_lease **by_fd = fy_realloc(leases->by_fd, size * sizeof *by_fd);
    if (!by_fd)
        return false;
    memset(by_fd + leases->size, 0, (size - leases->size) * sizeof *by_fd);
    leases->by_fd = by_fd;
    leases->size = size;
    return true;
}

ferry_status fy_lease_begin(fy_leases *leases, fy_file *file) {
    fy_lease *lease = file->slot;
    size_t index = (size_t)lease->fd;
    if (index >= leases->size && !grow(leases, index + 1))
        return APR_ENOMEM;
    leases->by_fd[index] = lease;
    return 0;
}

bool fy_lease_is_current(const fy_leases *leases, const fy_file *file) {
    const fy_lease *lease = file->slot;
    return leases->by_fd[lease->fd] == lease;
}

void fy_lease_end(fy_leases *leases, fy_file *file, bool is_removed) {
    fy_lease *lease = file->slot;
    if ((size_t)lease->fd < leases->size && leases->by_fd[lease->fd] == lease)
        leases->by_fd[lease->fd] = NULL;
    lease->file = NULL;
    file->slot = NULL;
    if (is_removed)
        fy_free(lease);
    else
        fy_list_push(&leases->left_over, &lease->node);
}

void fy_lease_free_all(fy_leases *leases) {
    for (fy_node *node; (node = fy_list_pop(&leases->left_over));)
        fy_free(FY_CONTAINER(node, fy_lease, node));
    fy_free(leases->by_fd);
}
