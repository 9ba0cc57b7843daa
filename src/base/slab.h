/* SPDX-License-Identifier: Apache-2.0 */
/* Cells of one size for one owner: the loop's handles, futures and jobs. One thread at a time uses a slab, so taking
 * and giving back is a few instructions. Memory goes back to the allocator when the slab ends.
 *
 * A slab can be walked: a user marks its own free cells (any byte but the first eight survives giving back).
 * With FY_SLAB_OFF every cell is an allocation of its own, so that a sanitizer or a failing allocator sees each. */
#ifndef FERRY_BASE_SLAB_H
#define FERRY_BASE_SLAB_H

#include <stddef.h>

typedef struct fy_slab_chunk fy_slab_chunk;

typedef struct fy_slab {
    void *free;             /* cells given back, last in first out, linked through their first eight bytes */
    char *fresh;            /* cells of the newest chunk that were never taken */
    char *fresh_end;
    fy_slab_chunk *chunks;  /* newest first */
    size_t cell_size;
    size_t bytes;           /* of all chunks */
    size_t live;            /* cells taken and not given back */
#ifdef FY_SLAB_OFF
    unsigned walks;         /* that are under way */
#endif
} fy_slab;

/* cell_size is a multiple of a pointer's. */
void fy_slab_init(fy_slab *slab, size_t cell_size);

/* Frees all memory, taken cells too. */
void fy_slab_fini(fy_slab *slab);

/* Calls visit for every cell that was ever taken and may still hold what its user left there. */
void fy_slab_walk(fy_slab *slab, void (*visit)(void *cell, void *arg), void *arg);

void *fy_slab_alloc_slow(fy_slab *slab);
void fy_slab_free_slow(fy_slab *slab, void *cell);

#ifdef FY_SLAB_OFF
static inline void *fy_slab_alloc(fy_slab *slab) {
    return fy_slab_alloc_slow(slab);
}

static inline void fy_slab_free(fy_slab *slab, void *cell) {
    fy_slab_free_slow(slab, cell);
}
#else
/* A cell with undefined content, or NULL. */
static inline void *fy_slab_alloc(fy_slab *slab) {
    void *cell = slab->free;
    if (cell) {
        slab->free = *(void **)cell;
    } else {
        if (slab->fresh == slab->fresh_end)
            return fy_slab_alloc_slow(slab);
        cell = slab->fresh;
        slab->fresh += slab->cell_size;
    }
    slab->live++;
    return cell;
}

static inline void fy_slab_free(fy_slab *slab, void *cell) {
    *(void **)cell = slab->free;
    slab->free = cell;
    slab->live--;
}
#endif

#endif
