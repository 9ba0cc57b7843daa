/* SPDX-License-Identifier: Apache-2.0 */
/* Simulated children: numbers that stand for processes, which end when a test says so. */
#include <errno.h>

#include <apr_errno.h>

#include "base/alloc.h"
#include "sim/sim.h"

enum { PROCESS_FIRST = 1 << 22 };

struct fy_sim_process {
    size_t number;
    bool is_attached;
    bool has_ended;
    bool is_reaped;
    fy_exit how;
};

static fy_sim_process *find(fy_sim *self, fy_process process) {
    return fy_sim_table_get(&self->processes, (intptr_t)process - PROCESS_FIRST);
}

int64_t fy_sim_process_number(const fy_sim_process *process) {
    return (int64_t)process->number;
}

ferry_status fy_sim_process_start(fy_backend *backend, fy_process *ret_process) {
    fy_sim *self = fy_sim_of(backend);
    fy_sim_process *process = fy_calloc(sizeof *process);
    if (!process)
        return APR_ENOMEM;
    ferry_status status = fy_sim_table_put(&self->processes, process, &process->number);
    if (status) {
        fy_free(process);
        return status;
    }
    *ret_process = (fy_process)(intptr_t)(PROCESS_FIRST + process->number);
    return 0;
}

ferry_status fy_sim_process_end(fy_backend *backend, fy_process process, fy_exit how) {
    fy_sim_process *ending = find(fy_sim_of(backend), process);
    if (!ending || ending->has_ended)
        return ESRCH;
    ending->has_ended = true;
    ending->how = how;
    fy_sim_note(fy_sim_of(backend), "exit", (int64_t)ending->number, how.code);
    return 0;
}

ferry_status fy_sim_process_attach(fy_sim *self, fy_process process, fy_sim_process **ret_process) {
    fy_sim_process *found = find(self, process);
    if (!found || found->is_reaped)
        return ESRCH;
    if (found->is_attached)
        return APR_EEXIST;
    found->is_attached = true;
    *ret_process = found;
    return 0;
}

void fy_sim_process_detach(fy_sim *self, fy_sim_process *process) {
    process->is_attached = false;
    if (!process->is_reaped)
        return;
    self->processes.items[process->number] = NULL;
    fy_free(process);
}

bool fy_sim_process_has_ended(const fy_sim_process *process) {
    return process->has_ended;
}

fy_exit fy_sim_process_reap(fy_sim_process *process) {
    process->is_reaped = true;
    return process->how;
}
