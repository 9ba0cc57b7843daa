/* SPDX-License-Identifier: Apache-2.0 */
/* Trees for the example digest, made below a folder of the test's own, and what must be printed about them: the sums
 * are computed from what the files hold, with a SHA-1 that shares nothing with the program's. It knows no tool of the
 * system and nothing of how digest is started. */
#ifndef FERRY_TESTS_TEST_EXAMPLES_DIGEST_TREE_H
#define FERRY_TESTS_TEST_EXAMPLES_DIGEST_TREE_H

#include <stddef.h>

#include <apr_pools.h>

/* Makes `work` an empty folder, below which every path here is meant. tree_end removes it. */
apr_pool_t *tree_begin(const char *work);
void tree_end(apr_pool_t *pool);

/* `path` below the folder of tree_begin. Memory is the pool's, here and below. */
const char *tree_path(apr_pool_t *pool, const char *path);

/* Makes a file and the folders it is in. The content depends on path and size, so that no two files are equal. */
void tree_file(apr_pool_t *pool, const char *path, size_t size);

/* A size that is many times that of what digest reads at once. */
enum { TREE_LARGE = 20 * 1024 * 1024 };

/* Makes the files of `list`, which ends with NULL: those named so are large, of one chunk or empty, others small. */
void tree_of_all_sizes(apr_pool_t *pool, const char *const *list);

/* Makes files named by four digits, a few KiB each at most, and lists them. */
void tree_files(apr_pool_t *pool, const char *folder, int count, const char **list);

/* A file that takes far longer to hash than a test; a hole, but one that a copy of the folder could still bear. */
void tree_endless_file(apr_pool_t *pool, const char *path);

/* What digest must print for the files of `list`, which ends with NULL; their names need no escapes. */
const char *tree_sums(apr_pool_t *pool, const char *const *list);

#endif
