/* SPDX-License-Identifier: Apache-2.0 */
/* A depth-first walk that gives out files in a fixed order: the paths as given, a folder's entries by the bytes of
 * their names. It decides what is hashed: regular files, and whatever else but a folder was named on the command line;
 * symbolic links are followed only there. It holds the entries of the folders it stands in, never the whole tree, and
 * knows nothing of loops. */
#include "digest.h"

#include <apr_strings.h>
#include <apr_tables.h>
#include <stdlib.h>
#include <string.h>

typedef struct entry {
    const char *name;
    uint64_t size;
    bool is_folder;
} entry;

/* A folder the walk stands in. It lives in its own pool and goes with it. */
typedef struct level {
    struct level *outer;
    apr_pool_t *pool;
    const char *path;
    apr_array_header_t *entries;
    int next;
} level;

struct walk {
    apr_pool_t *pool;
    char *const *paths;
    size_t path_count, next_path;
    level *innermost;
    apr_int32_t wanted;
};

ferry_status walk_open(char *const *paths, size_t count, bool with_sizes, walk **ret_walk) {
    apr_pool_t *pool;
    apr_status_t status = apr_pool_create(&pool, NULL);
    if (status)
        return status;
    walk *self = apr_pcalloc(pool, sizeof *self);
    self->pool = pool;
    self->paths = paths;
    self->path_count = count;
    self->wanted = APR_FINFO_NAME | APR_FINFO_TYPE | (with_sizes ? APR_FINFO_SIZE : 0);
    *ret_walk = self;
    return 0;
}

void walk_close(walk *self) {
    if (self)
        apr_pool_destroy(self->pool);
}

/* ---- folders ---- */

static int by_name(const void *left, const void *right) {
    return strcmp(((const entry *)left)->name, ((const entry *)right)->name);
}

/* An entry whose type could not be learnt counts as a file, for opening it then says what is wrong. */
static void add_entry(level *folder, const apr_finfo_t *info) {
    bool is_file = !(info->valid & APR_FINFO_TYPE) || info->filetype == APR_REG;
    if (!is_file && info->filetype != APR_DIR)
        return;
    if (strcmp(info->name, ".") == 0 || strcmp(info->name, "..") == 0)
        return;
    entry *added = apr_array_push(folder->entries);
    added->name = apr_pstrdup(folder->pool, info->name);
    added->size = info->valid & APR_FINFO_SIZE ? (uint64_t)info->size : 0;
    added->is_folder = !is_file;
}

static apr_status_t read_folder(level *folder, apr_int32_t wanted) {
    apr_dir_t *directory;
    apr_finfo_t info;
    apr_status_t status = apr_dir_open(&directory, folder->path, folder->pool);
    if (status)
        return status;
    while ((status = apr_dir_read(&info, wanted, directory)) == 0 || status == APR_INCOMPLETE)
        add_entry(folder, &info);
    apr_dir_close(directory);
    if (!APR_STATUS_IS_ENOENT(status))
        return status;
    qsort(folder->entries->elts, (size_t)folder->entries->nelts, sizeof(entry), by_name);
    return 0;
}

static apr_status_t enter(walk *self, const char *path) {
    apr_pool_t *pool;
    apr_status_t status = apr_pool_create(&pool, self->pool);
    if (status)
        return status;
    level *folder = apr_pcalloc(pool, sizeof *folder);
    folder->outer = self->innermost;
    folder->pool = pool;
    folder->path = apr_pstrdup(pool, path);
    folder->entries = apr_array_make(pool, 16, sizeof(entry));
    status = read_folder(folder, self->wanted);
    if (status)
        apr_pool_destroy(pool);
    else
        self->innermost = folder;
    return status;
}

static void leave(walk *self) {
    level *folder = self->innermost;
    self->innermost = folder->outer;
    apr_pool_destroy(folder->pool);
}

/* ---- one step: a file, a folder entered or left, or a path that fails ---- */

typedef enum step { NOTHING_FOUND, FOUND, WALK_OVER, NO_MEMORY } step;

static char *join(const char *folder, const char *name) {
    size_t length = strlen(folder), name_length = strlen(name);
    bool slash = length > 0 && folder[length - 1] != '/';
    char *path = malloc(length + slash + name_length + 1);
    if (!path)
        return NULL;
    memcpy(path, folder, length);
    if (slash)
        path[length] = '/';
    memcpy(path + length + slash, name, name_length + 1);
    return path;
}

/* Takes the path over: into the result, unless it is a folder that can be entered. */
static step visit(walk *self, char *path, bool is_folder, uint64_t size, found *ret_found) {
    apr_status_t status = is_folder ? enter(self, path) : 0;
    if (is_folder && !status) {
        free(path);
        return NOTHING_FOUND;
    }
    *ret_found = (found){.path = path, .size = size, .status = status};
    return FOUND;
}

static step visit_argument(walk *self, found *ret_found) {
    const char *argument = self->paths[self->next_path++];
    apr_finfo_t info;
    char *path = join("", argument);
    if (!path)
        return NO_MEMORY;
    apr_status_t status = apr_stat(&info, path, APR_FINFO_TYPE | APR_FINFO_SIZE, self->pool);
    if (!status)
        return visit(self, path, info.filetype == APR_DIR, (uint64_t)info.size, ret_found);
    *ret_found = (found){.path = path, .status = status};
    return FOUND;
}

static step visit_entry(walk *self, found *ret_found) {
    level *folder = self->innermost;
    const entry *next = &APR_ARRAY_IDX(folder->entries, folder->next, entry);
    folder->next++;
    char *path = join(folder->path, next->name);
    return path ? visit(self, path, next->is_folder, next->size, ret_found) : NO_MEMORY;
}

static step take_step(walk *self, found *ret_found) {
    if (self->innermost && self->innermost->next < self->innermost->entries->nelts)
        return visit_entry(self, ret_found);
    if (self->innermost) {
        leave(self);
        return NOTHING_FOUND;
    }
    return self->next_path < self->path_count ? visit_argument(self, ret_found) : WALK_OVER;
}

/* ---- the job ---- */

ferry_status walk_fill_batch(void *arg, ferry_call *call) {
    walk_batch *batch = arg;
    while (batch->count < BATCH) {
        if (ferry_call_is_cancelled(call))
            return FERRY_ECANCELED;
        step taken = take_step(batch->walk, &batch->files[batch->count]);
        if (taken == NO_MEMORY)
            return APR_ENOMEM;
        if (taken == WALK_OVER)
            break;
        batch->count += taken == FOUND;
    }
    return 0;
}

void walk_batch_clear(walk_batch *batch) {
    for (size_t i = 0; i < batch->count; i++)
        free(batch->files[i].path);
    batch->count = 0;
}
