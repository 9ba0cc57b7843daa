/* SPDX-License-Identifier: Apache-2.0 */
/* Readers and writers: callbacks for borrowed handles, level-triggered and there until they are removed. Each direction
 * is one POLL op that is submitted anew after its callback has run. Who has watched which handle stands in a table of
 * the loop's.
 *
 * A direction is always in one of these places; an op is in flight until it is looked at here, not only until it is
 * delivered:
 *
 *   op in flight, handle set         waiting; or the old one's op, which serves the new one
 *   op in flight, no handle          removed; the op was cancelled and its delivery is awaited
 *   op idle, handle set              the handle is in the ready queue, or running
 *   op idle, no handle               nothing is watched
 *
 * A watcher of which only cancelled ops are left may be found by a newcomer with its number: the owner may have closed
 * the handle since it was removed, and been given the number again. Then the watcher is stale, and nothing is submitted
 * until the last op is back and the number was attached anew. */
#include <errno.h>

#include "base/alloc.h"
#include "io/file.h"

typedef struct watcher watcher;

typedef struct direction {
    fy_op op;
    ferry_handle *handle; /* one reference, or NULL */
} direction;

struct watcher {
    fy_file file;
    watcher *next; /* in its bucket */
    ferry_loop *loop;
    direction directions[FY_DIRECTIONS];
    bool is_stale;
};

typedef struct watch_table {
    watcher **buckets;
    size_t mask;
    size_t count;
} watch_table;

enum { FIRST_BUCKETS = 16 };

static bool is_inherited(const ferry_loop *loop) {
    return loop->fork_generation != fy_fork_generation();
}

/* ---- the table ---- */

static watcher **bucket_of(watcher **buckets, size_t mask, fy_handle handle) {
    uint64_t hash = (uint64_t)(intptr_t)handle * UINT64_C(0x9e3779b97f4a7c15);
    return &buckets[(size_t)(hash >> 32) & mask];
}

/* Where the watcher hangs, or would hang. */
static watcher **find(const watch_table *table, fy_handle handle) {
    watcher **link = bucket_of(table->buckets, table->mask, handle);
    while (*link && (*link)->file.handle != handle)
        link = &(*link)->next;
    return link;
}

static watcher *lookup(const ferry_loop *loop, fy_handle handle) {
    const watch_table *table = loop->io.watchers;
    return table ? *find(table, handle) : NULL;
}

static void grow(watch_table *table) {
    size_t mask = table->mask * 2 + 1;
    watcher **buckets = fy_calloc((mask + 1) * sizeof *buckets);
    if (!buckets)
        return; /* longer chains serve, too */
    for (size_t i = 0; i <= table->mask; i++)
        for (watcher *self = table->buckets[i], *next; self; self = next) {
            watcher **bucket = bucket_of(buckets, mask, self->file.handle);
            next = self->next;
            self->next = *bucket;
            *bucket = self;
        }
    fy_free(table->buckets);
    table->buckets = buckets;
    table->mask = mask;
}

static watch_table *table_of(ferry_loop *loop) {
    if (loop->io.watchers)
        return loop->io.watchers;
    watch_table *table = fy_calloc(sizeof *table);
    watcher **buckets = fy_calloc(FIRST_BUCKETS * sizeof *buckets);
    if (!table || !buckets) {
        fy_free(table);
        fy_free(buckets);
        return NULL;
    }
    *table = (watch_table){.buckets = buckets, .mask = FIRST_BUCKETS - 1};
    loop->io.watchers = table;
    return table;
}

void fy_watch_free_table(ferry_loop *loop) {
    watch_table *table = loop->io.watchers;
    if (!table)
        return;
    fy_free(table->buckets);
    fy_free(table);
    loop->io.watchers = NULL;
}

/* ---- a watcher's life ---- */

static ferry_status create(ferry_loop *loop, fy_handle handle, watcher **ret_self) {
    watch_table *table = table_of(loop);
    watcher *self = table ? fy_calloc(sizeof *self) : NULL;
    if (!self)
        return ENOMEM;
    self->loop = loop;
    self->file = (fy_file){.handle = handle, .use = FY_FILE_BORROWED};
    ferry_status status = loop->backend_class->attach(loop->backend, &self->file);
    if (status) {
        fy_free(self);
        return status;
    }
    loop->files++;
    if (table->count++ > table->mask)
        grow(table);
    *find(table, handle) = self;
    for (int i = 0; i < FY_DIRECTIONS; i++)
        self->directions[i].op = (fy_op){.kind = i == FY_IN ? FY_OP_POLL_IN : FY_OP_POLL_OUT, .file = &self->file};
    *ret_self = self;
    return 0;
}

static bool is_wanted(const watcher *self) {
    return self->directions[FY_IN].handle || self->directions[FY_OUT].handle;
}

/* Its file is not attached any more. */
static void forget(watcher *self) {
    watch_table *table = self->loop->io.watchers;
    watcher **link = find(table, self->file.handle);
    *link = self->next;
    table->count--;
    self->loop->files--;
    fy_free(self);
}

static void free_if_unused(watcher *self) {
    if (is_wanted(self) || !fy_file_is_idle(&self->file))
        return;
    self->loop->backend_class->detach(self->loop->backend, &self->file);
    forget(self);
}

static watcher *owner_of(const direction *side) {
    return FY_CONTAINER(side->op.file, watcher, file);
}

static void submit(direction *side) {
    watcher *self = owner_of(side);
    (void)self->loop->backend_class->submit(self->loop->backend, &side->op);
}

/* The handle will not run any more; the reference is the caller's. */
static ferry_handle *take_handle(direction *side) {
    ferry_handle *handle = side->handle;
    side->handle = NULL;
    handle->watch = NULL;
    handle->cancelled = true;
    return handle;
}

static void let_go(direction *side) {
    ferry_handle_unref(take_handle(side));
}

static void withdraw(direction *side) {
    watcher *self = owner_of(side);
    if (!fy_op_is_in_flight(&side->op))
        return;
    if (is_inherited(self->loop))
        self->file.in_flight[fy_op_direction(&side->op)] = NULL;
    else
        self->loop->backend_class->cancel(self->loop->backend, &side->op);
}

/* ---- when it is ready ---- */

/* Uses up the reference. */
static void report_given_up(ferry_loop *loop, ferry_handle *handle, ferry_status status) {
    fy_loop_report(loop, &(ferry_report){.message = "a watched handle cannot be waited for any more",
                                         .status = status,
                                         .origin = handle->origin,
                                         .handle = handle});
    ferry_handle_unref(handle);
}

static void give_up(direction *side, ferry_status status) {
    watcher *self = owner_of(side);
    ferry_loop *loop = self->loop;
    ferry_handle *handle = take_handle(side);
    free_if_unused(self);
    report_given_up(loop, handle, status);
}

/* No file is attached for it. Whoever hears of the first handle may do anything. */
static void give_up_all(watcher *self, ferry_status status) {
    ferry_loop *loop = self->loop;
    ferry_handle *handles[FY_DIRECTIONS];
    for (int i = 0; i < FY_DIRECTIONS; i++)
        handles[i] = self->directions[i].handle ? take_handle(&self->directions[i]) : NULL;
    forget(self);
    for (int i = 0; i < FY_DIRECTIONS; i++)
        if (handles[i])
            report_given_up(loop, handles[i], status);
}

/* Attaches whatever has the number by this time. */
static void renew(watcher *self) {
    const fy_backend_class *class = self->loop->backend_class;
    class->detach(self->loop->backend, &self->file);
    self->file = (fy_file){.handle = self->file.handle, .use = FY_FILE_BORROWED};
    self->is_stale = false;
    ferry_status status = class->attach(self->loop->backend, &self->file);
    if (status) {
        give_up_all(self, status);
        return;
    }
    for (int i = 0; i < FY_DIRECTIONS; i++)
        if (self->directions[i].handle)
            submit(&self->directions[i]);
}

void fy_watch_delivered(fy_op *op) {
    direction *side = FY_CONTAINER(op, direction, op);
    watcher *self = owner_of(side);
    if (self->is_stale && is_wanted(self) && fy_file_is_idle(&self->file))
        renew(self);
    else if (!side->handle || self->is_stale)
        free_if_unused(self);
    else if (op->status == FERRY_ECANCELED)
        submit(side);
    else if (op->status)
        give_up(side, op->status);
    else
        fy_ready_push_handle(&self->loop->ready, ferry_handle_ref(side->handle));
}

/* The callback may remove, replace or cancel anything, itself too, close the loop's other files, and fork. */
void fy_watch_run(ferry_handle *handle) {
    ferry_loop *loop = handle->loop;
    if (handle->watch) {
        ferry_status status = handle->callback(handle->arg);
        if (FY_UNLIKELY(status))
            fy_loop_report_callback(loop, status, handle->origin, handle);
    }
    if (handle->watch && !is_inherited(loop))
        submit(handle->watch);
    ferry_handle_unref(handle);
}

/* ---- adding and removing ---- */

static ferry_handle *create_handle(const char *origin, ferry_loop *loop, ferry_callback *callback, void *arg) {
    ferry_handle *handle = fy_handle_create(loop, FY_HANDLE_WATCH, origin, arg);
    if (handle)
        handle->callback = callback;
    return handle;
}

/* A replaced handle that is in the ready queue will find itself removed; then the op is idle, and starts again here. */
static void install(direction *side, ferry_handle *handle) {
    if (side->handle)
        let_go(side);
    side->handle = handle;
    handle->watch = side;
    if (!owner_of(side)->is_stale && !fy_op_is_in_flight(&side->op))
        submit(side);
}

static ferry_status add(const char *origin, ferry_loop *loop, intptr_t handle, int direction_index,
                        ferry_callback *callback, void *arg, ferry_handle **ret_handle) {
    if (!loop || !callback)
        return EINVAL;
    ferry_status status = fy_loop_check(loop);
    if (status)
        return status;
    if (handle < 0 || (intptr_t)(fy_handle)handle != handle)
        return EBADF;
    fy_io_attach(loop);
    ferry_handle *watching = create_handle(origin, loop, callback, arg);
    if (!watching)
        return ENOMEM;
    watcher *self = lookup(loop, (fy_handle)handle);
    status = self ? 0 : create(loop, (fy_handle)handle, &self);
    if (status) {
        ferry_handle_unref(watching);
        return status;
    }
    if (!is_wanted(self) && !fy_file_is_idle(&self->file))
        self->is_stale = true;
    if (ret_handle)
        *ret_handle = ferry_handle_ref(watching);
    install(&self->directions[direction_index], watching);
    return 0;
}

static void take_back(direction *side) {
    watcher *self = owner_of(side);
    let_go(side);
    withdraw(side);
    free_if_unused(self);
}

void fy_watch_cancelled(ferry_handle *handle) {
    if (handle->watch)
        take_back(handle->watch);
}

static bool remove_from(ferry_loop *loop, intptr_t handle, int direction_index) {
    if (!loop || fy_loop_check(loop) || handle < 0 || (intptr_t)(fy_handle)handle != handle)
        return false;
    watcher *self = lookup(loop, (fy_handle)handle);
    direction *side = self ? &self->directions[direction_index] : NULL;
    if (!side || !side->handle)
        return false;
    take_back(side);
    return true;
}

ferry_status ferry_add_reader_from(const char *origin, ferry_loop *loop, intptr_t handle, ferry_callback *callback,
                                   void *arg, ferry_handle **ret_handle) {
    return add(origin, loop, handle, FY_IN, callback, arg, ret_handle);
}

ferry_status ferry_add_writer_from(const char *origin, ferry_loop *loop, intptr_t handle, ferry_callback *callback,
                                   void *arg, ferry_handle **ret_handle) {
    return add(origin, loop, handle, FY_OUT, callback, arg, ret_handle);
}

bool ferry_remove_reader(ferry_loop *loop, intptr_t handle) {
    return remove_from(loop, handle, FY_IN);
}

bool ferry_remove_writer(ferry_loop *loop, intptr_t handle) {
    return remove_from(loop, handle, FY_OUT);
}

/* ---- the loop closes ---- */

static void shut(watcher *self) {
    for (int i = 0; i < FY_DIRECTIONS; i++) {
        if (self->directions[i].handle)
            let_go(&self->directions[i]);
        withdraw(&self->directions[i]);
    }
    free_if_unused(self);
}

void fy_watch_shut_all(ferry_loop *loop) {
    const watch_table *table = loop->io.watchers;
    for (size_t i = 0; table && i <= table->mask; i++)
        for (watcher *self = table->buckets[i], *next; self; self = next) {
            next = self->next;
            shut(self);
        }
}
