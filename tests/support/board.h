/* SPDX-License-Identifier: Apache-2.0 */
/* What processes of a test tell each other: a board of counters in a file that all of them have mapped. Workers find it
 * by a variable of their environment. It knows nothing of pools.
 *
 * The process that makes it calls fy_board_open before any worker is started; all others call fy_board only. */
#ifndef FERRY_TESTS_SUPPORT_BOARD_H
#define FERRY_TESTS_SUPPORT_BOARD_H

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <apr_env.h>
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_mmap.h>
#include <apr_strings.h>

#include "support/harness.h"

enum { FY_BOARD_RUNS = 4096, FY_BOARD_DOORS = 16 };

typedef struct fy_board_memory {
    _Atomic int64_t arrived[FY_BOARD_DOORS]; /* at a door, ever */
    _Atomic int64_t is_open[FY_BOARD_DOORS];
    _Atomic int64_t runs[FY_BOARD_RUNS];     /* how often job i was begun */
    _Atomic int64_t notes[FY_BOARD_DOORS];   /* whatever a test wants to be told */
} fy_board_memory;

#define FY_BOARD_VARIABLE "FERRY_TEST_BOARD"

static fy_board_memory *fy_board_mapped;
static apr_pool_t *fy_board_pool;

static inline void fy_board_map(const char *path) {
    apr_file_t *file;
    apr_mmap_t *map;
    CHECK_STATUS(apr_file_open(&file, path, APR_READ | APR_WRITE | APR_BINARY, APR_OS_DEFAULT, fy_board_pool), 0);
    CHECK_STATUS(apr_mmap_create(&map, file, 0, sizeof *fy_board_mapped, APR_MMAP_READ | APR_MMAP_WRITE,
                                 fy_board_pool), 0);
    fy_board_mapped = map->mm;
}

static inline fy_board_memory *fy_board(void) {
    char *path = NULL;
    if (fy_board_mapped)
        return fy_board_mapped;
    CHECK_STATUS(apr_initialize(), 0);
    CHECK_STATUS(apr_pool_create(&fy_board_pool, NULL), 0);
    CHECK_STATUS(apr_env_get(&path, FY_BOARD_VARIABLE, fy_board_pool), 0);
    fy_board_map(path);
    return fy_board_mapped;
}

/* Makes the file. One that a parent has made already is used on, for the parent looks at it. */
static inline void fy_board_open(void) {
    apr_file_t *file;
    const char *folder;
    char *path = NULL;
    CHECK_STATUS(apr_initialize(), 0);
    CHECK_STATUS(apr_pool_create(&fy_board_pool, NULL), 0);
    if (apr_env_get(&path, FY_BOARD_VARIABLE, fy_board_pool) == APR_SUCCESS) {
        fy_board_map(path);
        return;
    }
    CHECK_STATUS(apr_temp_dir_get(&folder, fy_board_pool), 0);
    path = apr_pstrcat(fy_board_pool, folder, "/ferry-board-XXXXXX", NULL);
    CHECK_STATUS(apr_file_mktemp(&file, path, APR_CREATE | APR_READ | APR_WRITE | APR_EXCL | APR_BINARY, fy_board_pool),
                 0);
    CHECK_STATUS(apr_file_trunc(file, sizeof *fy_board_mapped), 0);
    CHECK_STATUS(apr_file_close(file), 0);
    CHECK_STATUS(apr_env_set(FY_BOARD_VARIABLE, path, fy_board_pool), 0);
    fy_board_map(path);
}

/* By who has made it, when all that was started has ended; what somebody still has open stays, as a temporary file. */
static inline void fy_board_remove(void) {
    char path[1024], *found = NULL;
    apr_pool_t *pool;
    CHECK_STATUS(apr_env_get(&found, FY_BOARD_VARIABLE, fy_board_pool), 0);
    apr_cpystrn(path, found, sizeof path);
    fy_board_mapped = NULL;
    apr_pool_destroy(fy_board_pool);
    CHECK_STATUS(apr_pool_create(&pool, NULL), 0);
    (void)apr_file_remove(path, pool);
    apr_pool_destroy(pool);
}

/* At the beginning of a test. Nobody of an earlier one may still use it. */
static inline void fy_board_clear(void) {
    memset((void *)fy_board(), 0, sizeof *fy_board_mapped);
}

/* ---- doors ---- */

static inline void fy_door_open(int door) {
    atomic_store(&fy_board()->is_open[door], 1);
}

static inline void fy_door_await(int door, int64_t arrivals) {
    while (atomic_load(&fy_board()->arrived[door]) < arrivals)
        ferry_thread_sleep(200);
}

/* Tells who awaits the door, and waits until it is open. */
static inline void fy_door_pass(int door) {
    atomic_fetch_add(&fy_board()->arrived[door], 1);
    while (!atomic_load(&fy_board()->is_open[door]))
        ferry_thread_sleep(200);
}

#endif
