/* SPDX-License-Identifier: Apache-2.0 */
/* How a slab gets its chunks: small at first, so that a short-lived loop costs little, then ever larger, but by no more
 * than an eighth of what there is, since what stands ready unused is paid for, too; and so large in the end that large
 * pages can back them. */
#include "base/slab.h"

#include <stdint.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/pages.h"

enum {
    FIRST_CHUNK_BYTES = 2048,
    DOUBLED_CHUNK_BYTES = 64 * 1024,
    LARGEST_CHUNK_BYTES = 4 * 1024 * 1024,
    CELL_ALIGNMENT = 128
};

struct fy_slab_chunk {
    fy_slab_chunk *next;
    fy_slab_chunk *previous;
    char *cells;
    char *end; /* FY_SLAB_OFF: NULL; the cell, once it was given back during a walk */
};

void fy_slab_init(fy_slab *slab, size_t cell_size) {
    FY_ASSERT(cell_size % sizeof(void *) == 0);
    *slab = (fy_slab){.cell_size = cell_size};
}

void fy_slab_fini(fy_slab *slab) {
    while (slab->chunks) {
        fy_slab_chunk *chunk = slab->chunks;
        slab->chunks = chunk->next;
        fy_free(chunk);
    }
    fy_slab_init(slab, slab->cell_size);
}

#ifdef FY_SLAB_OFF

void *fy_slab_alloc_slow(fy_slab *slab) {
    fy_slab_chunk *chunk = fy_malloc(sizeof *chunk + slab->cell_size);
    if (!chunk)
        return NULL;
    *chunk = (fy_slab_chunk){.next = slab->chunks, .cells = (char *)(chunk + 1)};
    if (chunk->next)
        chunk->next->previous = chunk;
    slab->chunks = chunk;
    slab->live++;
    return chunk->cells;
}

static void free_chunk(fy_slab *slab, fy_slab_chunk *chunk) {
    if (chunk->next)
        chunk->next->previous = chunk->previous;
    if (chunk->previous)
        chunk->previous->next = chunk->next;
    else
        slab->chunks = chunk->next;
    fy_free(chunk);
}

/* Not while somebody walks: the walk is at this cell, or at the one before it. */
void fy_slab_free_slow(fy_slab *slab, void *cell) {
    fy_slab_chunk *chunk = (fy_slab_chunk *)cell - 1;
    slab->live--;
    if (slab->walks)
        chunk->end = cell;
    else
        free_chunk(slab, chunk);
}

void fy_slab_walk(fy_slab *slab, void (*visit)(void *cell, void *arg), void *arg) {
    slab->walks++;
    for (fy_slab_chunk *chunk = slab->chunks; chunk; chunk = chunk->next)
        if (!chunk->end)
            visit(chunk->cells, arg);
    if (--slab->walks)
        return;
    for (fy_slab_chunk *chunk = slab->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        if (chunk->end)
            free_chunk(slab, chunk);
    }
}

#else

static size_t next_chunk_bytes(const fy_slab *slab) {
    if (slab->bytes >= LARGEST_CHUNK_BYTES)
        return LARGEST_CHUNK_BYTES;
    size_t bytes = slab->chunks ? (size_t)(slab->chunks->end - (char *)slab->chunks) * 2 : FIRST_CHUNK_BYTES;
    size_t eighth = slab->bytes / 8 / DOUBLED_CHUNK_BYTES * DOUBLED_CHUNK_BYTES;
    size_t limit = eighth < DOUBLED_CHUNK_BYTES ? DOUBLED_CHUNK_BYTES : eighth;
    return bytes < limit ? bytes : limit;
}

void *fy_slab_alloc_slow(fy_slab *slab) {
    size_t bytes = next_chunk_bytes(slab);
    fy_slab_chunk *chunk = fy_malloc(bytes);
    if (!chunk)
        return NULL;
    if (bytes >= FY_PAGES_WORTH_BYTES)
        fy_pages_expect_use(chunk, bytes);
    /* Cells of 64 or 128 bytes begin on a cache line, or on a pair of them that is fetched together. */
    uintptr_t first = ((uintptr_t)(chunk + 1) + CELL_ALIGNMENT - 1) / CELL_ALIGNMENT * CELL_ALIGNMENT;
    size_t count = ((uintptr_t)chunk + bytes - first) / slab->cell_size;
    *chunk = (fy_slab_chunk){.next = slab->chunks, .cells = (char *)first, .end = (char *)chunk + bytes};
    slab->chunks = chunk;
    slab->bytes += bytes;
    slab->fresh = chunk->cells;
    slab->fresh_end = chunk->cells + count * slab->cell_size;
    return fy_slab_alloc(slab);
}

void fy_slab_free_slow(fy_slab *slab, void *cell) {
    fy_slab_free(slab, cell);
}

void fy_slab_walk(fy_slab *slab, void (*visit)(void *cell, void *arg), void *arg) {
    for (const fy_slab_chunk *chunk = slab->chunks; chunk; chunk = chunk->next) {
        const char *end = chunk == slab->chunks ? slab->fresh : chunk->end;
        for (char *cell = chunk->cells; cell + slab->cell_size <= end; cell += slab->cell_size)
            visit(cell, arg);
    }
}

#endif
