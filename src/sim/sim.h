/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator as its own files see it: one struct for the whole model of a kernel. Everything in it belongs to the
 * backend's thread, but for the parker, through which others wake it. */
#ifndef FERRY_SIM_SIM_H
#define FERRY_SIM_SIM_H

#include <stdio.h>

#include "ferry/sim.h"
#include "seam/backend.h"
#include "seam/net.h"
#include "seam/platform.h"

typedef struct fy_sim_socket fy_sim_socket;
typedef struct fy_sim_process fy_sim_process;

/* An op in flight, in its file's slot. */
typedef struct fy_sim_pending {
    fy_op *op;      /* NULL: none */
    int64_t due_us; /* not before; the op may have to wait for its peer beyond that */
    size_t index;   /* of its place in fy_sim.pending */
    bool is_cancelled;
} fy_sim_pending;

/* What a file's slot points to. */
typedef struct fy_sim_file {
    fy_file *file;
    fy_sim_socket *socket;   /* one reference; NULL: a process */
    fy_sim_process *process; /* likewise */
    fy_sim_pending pending[FY_DIRECTIONS];
} fy_sim_file;

/* A table of pointers that grows. */
typedef struct fy_sim_table {
    void **items;
    size_t count;
    size_t capacity;
} fy_sim_table;

typedef struct fy_sim {
    fy_backend base;
    ferry_sim_options options;  /* with nothing left to its default */
    int64_t now_us;
    uint64_t random;
    unsigned fork_generation;
    fy_parker parker;
    fy_sim_table pending;       /* of fy_sim_pending, without gaps */
    fy_sim_table sockets;       /* of fy_sim_socket, by handle; NULL: free */
    fy_sim_table processes;     /* of fy_sim_process, likewise */
    uint16_t last_port;
    size_t files;               /* attached */
    size_t jobs;                /* that the simulated executors have */
    ferry_sim_stats stats;
    FILE *trace_file;           /* or NULL */
} fy_sim;

static inline fy_sim *fy_sim_of(fy_backend *backend) {
    return (fy_sim *)backend;
}

/* ---- sim.c ---- */

ferry_status fy_sim_open(const ferry_sim_options *options, fy_backend **ret_backend);

/* What stands for a file in the trace. */
int64_t fy_sim_file_number(const fy_sim_file *file);

/* Moved by hand alone. */
static inline bool fy_sim_time_stands(const fy_sim *self) {
    return self->options.time_by_hand && !self->base.is_ending;
}

/* Every look of the loop at its clock takes a moment, so that a program that only looks on gets somewhere. */
void fy_sim_spend_a_moment(fy_sim *self);

/* ---- wait.c ---- */

ferry_status fy_sim_wait(fy_backend *backend, int64_t deadline_us, fy_list *done);

/* Whether the op could end now, were it due. */
bool fy_sim_op_is_ready(fy_sim *self, const fy_sim_pending *pending);

/* Does its work, and writes down how it ended. It is ready. */
void fy_sim_op_end(fy_sim *self, const fy_sim_pending *pending);

/* The same for one in flight, which is delivered by a wait. */
void fy_sim_op_perform(fy_sim *self, fy_sim_pending *pending);

/* The earliest moment at which an op in flight can end, as things are, or FERRY_FOREVER. */
int64_t fy_sim_next_due(fy_sim *self);

/* ---- loop.c ---- */

/* NULL: it is not simulated, or closed. */
fy_sim *fy_sim_of_loop(const ferry_loop *loop);

/* ---- chance.c ---- */

uint64_t fy_sim_draw(fy_sim *self);

/* A number from 0 up to, and without, the limit, which is not 0. */
uint64_t fy_sim_below(fy_sim *self, uint64_t limit);

/* A duration from `min_us` up to and with `max_us`. */
int64_t fy_sim_duration(fy_sim *self, int64_t min_us, int64_t max_us);

/* Whether that happens which does at this rate. Takes nothing from the seed where it never does. */
bool fy_sim_happens(fy_sim *self, int rate);

/* The same for what goes wrong: counts it. */
bool fy_sim_fails(fy_sim *self, int rate);

/* Notes an event: into the fingerprint, and into the trace if there is one. */
void fy_sim_note(fy_sim *self, const char *what, int64_t who, int64_t amount);

/* ---- table.c ---- */

/* Room for so many items in all. Returns: 0, APR_ENOMEM. */
ferry_status fy_sim_table_reserve(fy_sim_table *table, size_t count);

/* Puts the item into the lowest free place. Returns: 0, APR_ENOMEM. */
ferry_status fy_sim_table_put(fy_sim_table *table, void *item, size_t *ret_index);

void *fy_sim_table_get(const fy_sim_table *table, intptr_t index);
void fy_sim_table_fini(fy_sim_table *table);

/* ---- socket.c ---- */

extern const fy_net_class fy_sim_net;

/* Two stream sockets, connected to each other. Returns: 0, APR_ENOMEM. */
ferry_status fy_sim_pair(fy_backend *backend, fy_handle ends[2]);

/* ---- process.c ---- */

/* A child that does nothing until it is ended. Returns: 0, APR_ENOMEM. */
ferry_status fy_sim_process_start(fy_backend *backend, fy_process *ret_process);

/* Returns: 0, ESRCH (no such process, or it has ended). */
ferry_status fy_sim_process_end(fy_backend *backend, fy_process process, fy_exit how);

/* A file takes it (ESRCH: no such process; EEXIST: one has it already), and lets go of it. */
ferry_status fy_sim_process_attach(fy_sim *self, fy_process process, fy_sim_process **ret_process);
void fy_sim_process_detach(fy_sim *self, fy_sim_process *process);

int64_t fy_sim_process_number(const fy_sim_process *process);
bool fy_sim_process_has_ended(const fy_sim_process *process);

/* How it has ended; it is gone with its file. */
fy_exit fy_sim_process_reap(fy_sim_process *process);

#endif
