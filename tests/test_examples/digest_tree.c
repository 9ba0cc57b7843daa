/* SPDX-License-Identifier: Apache-2.0 */
/* Trees by APR. The SHA-1 is that of FIPS 180-4, section 6.1, over a message that is in memory as a whole. */
#include "test_examples/digest_tree.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_strings.h>

#include "support/harness.h"

static const char *work_folder;

const char *tree_path(apr_pool_t *pool, const char *path) {
    return apr_pstrcat(pool, work_folder, "/", path, NULL);
}

/* ---- making and removing ---- */

static void remove_tree(apr_pool_t *pool, const char *path) {
    apr_dir_t *folder;
    apr_finfo_t entry;
    if (APR_STATUS_IS_ENOENT(apr_stat(&entry, path, APR_FINFO_TYPE, pool)))
        return;
    CHECK_STATUS(apr_dir_open(&folder, path, pool), 0);
    while (apr_dir_read(&entry, APR_FINFO_NAME | APR_FINFO_TYPE, folder) == 0) {
        const char *inner = apr_pstrcat(pool, path, "/", entry.name, NULL);
        if (entry.filetype != APR_DIR)
            CHECK_STATUS(apr_file_remove(inner, pool), 0);
        else if (strcmp(entry.name, ".") != 0 && strcmp(entry.name, "..") != 0)
            remove_tree(pool, inner);
    }
    CHECK_STATUS(apr_dir_close(folder), 0);
    CHECK_STATUS(apr_dir_remove(path, pool), 0);
}

apr_pool_t *tree_begin(const char *work) {
    apr_pool_t *pool;
    work_folder = work;
    CHECK_STATUS(apr_pool_create(&pool, NULL), 0);
    remove_tree(pool, work);
    CHECK_STATUS(apr_dir_make(work, APR_FPROT_OS_DEFAULT, pool), 0);
    return pool;
}

void tree_end(apr_pool_t *pool) {
    remove_tree(pool, work_folder);
    apr_pool_destroy(pool);
}

static apr_file_t *make_file(apr_pool_t *pool, const char *path) {
    apr_file_t *made;
    const char *full = tree_path(pool, path);
    char *folder = apr_pstrdup(pool, full);
    *strrchr(folder, '/') = '\0';
    CHECK_STATUS(apr_dir_make_recursive(folder, APR_FPROT_OS_DEFAULT, pool), 0);
    CHECK_STATUS(apr_file_open(&made, full, APR_FOPEN_WRITE | APR_FOPEN_CREATE | APR_FOPEN_EXCL | APR_FOPEN_BINARY,
                               APR_FPROT_OS_DEFAULT, pool), 0);
    return made;
}

void tree_file(apr_pool_t *pool, const char *path, size_t size) {
    apr_file_t *made = make_file(pool, path);
    unsigned char *bytes = malloc(size + 1);
    uint32_t state = (uint32_t)strlen(path) + (uint32_t)size;
    for (const char *character = path; *character; character++)
        state = state * 31 + (unsigned char)*character;
    CHECK(bytes);
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525 + 1013904223;
        bytes[i] = (unsigned char)(state >> 24);
    }
    CHECK_STATUS(apr_file_write_full(made, bytes, size, NULL), 0);
    CHECK_STATUS(apr_file_close(made), 0);
    free(bytes);
}

void tree_of_all_sizes(apr_pool_t *pool, const char *const *list) {
    for (size_t i = 0; list[i]; i++) {
        size_t size = strstr(list[i], "large") ? TREE_LARGE : strstr(list[i], "chunk") ? 65536 : 10 * i;
        tree_file(pool, list[i], strstr(list[i], "empty") ? 0 : size);
    }
}

void tree_files(apr_pool_t *pool, const char *folder, int count, const char **list) {
    for (int i = 0; i < count; i++) {
        list[i] = apr_psprintf(pool, "%s/%04d", folder, i);
        tree_file(pool, list[i], (size_t)(i * 7919 % 9000));
    }
}

void tree_endless_file(apr_pool_t *pool, const char *path) {
    apr_file_t *made = make_file(pool, path);
    CHECK_STATUS(apr_file_trunc(made, INT64_C(1) << 33), 0);
    CHECK_STATUS(apr_file_close(made), 0);
}

/* ---- SHA-1 ---- */

static uint32_t rotate_left(uint32_t word, int count) {
    return word << count | word >> (32 - count);
}

static uint32_t mix(int round, const uint32_t *h) {
    if (round < 20)
        return ((h[1] & h[2]) | (~h[1] & h[3])) + 0x5a827999;
    if (round < 40)
        return (h[1] ^ h[2] ^ h[3]) + 0x6ed9eba1;
    if (round < 60)
        return ((h[1] & h[2]) | (h[1] & h[3]) | (h[2] & h[3])) + 0x8f1bbcdc;
    return (h[1] ^ h[2] ^ h[3]) + 0xca62c1d6;
}

static void hash_block(uint32_t *hash, const unsigned char *block) {
    uint32_t words[80], h[5];
    for (int i = 0; i < 16; i++, block += 4)
        words[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
    for (int i = 16; i < 80; i++)
        words[i] = rotate_left(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
    memcpy(h, hash, sizeof h);
    for (int i = 0; i < 80; i++) {
        uint32_t first = rotate_left(h[0], 5) + mix(i, h) + h[4] + words[i];
        h[4] = h[3];
        h[3] = h[2];
        h[2] = rotate_left(h[1], 30);
        h[1] = h[0];
        h[0] = first;
    }
    for (int i = 0; i < 5; i++)
        hash[i] += h[i];
}

/* `bytes` has room for the padding: at most 72 bytes more. */
static void hash_padded(uint32_t *hash, unsigned char *bytes, size_t size) {
    static const uint32_t start[] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint64_t bits = (uint64_t)size * 8;
    bytes[size++] = 0x80;
    while (size % 64 != 56)
        bytes[size++] = 0;
    for (int shift = 56; shift >= 0; shift -= 8)
        bytes[size++] = (unsigned char)(bits >> shift);
    memcpy(hash, start, sizeof start);
    for (size_t done = 0; done < size; done += 64)
        hash_block(hash, bytes + done);
}

static const char *sum_line(apr_pool_t *pool, const char *path) {
    apr_file_t *source;
    apr_finfo_t info;
    uint32_t hash[5];
    CHECK_STATUS(apr_file_open(&source, tree_path(pool, path), APR_FOPEN_READ | APR_FOPEN_BINARY, 0, pool), 0);
    CHECK_STATUS(apr_file_info_get(&info, APR_FINFO_SIZE, source), 0);
    size_t size = (size_t)info.size;
    unsigned char *bytes = malloc(size + 72);
    CHECK(bytes);
    if (size)
        CHECK_STATUS(apr_file_read_full(source, bytes, size, NULL), 0);
    hash_padded(hash, bytes, size);
    free(bytes);
    CHECK_STATUS(apr_file_close(source), 0);
    return apr_psprintf(pool, "%08x%08x%08x%08x%08x  %s\n", (unsigned)hash[0], (unsigned)hash[1], (unsigned)hash[2],
                        (unsigned)hash[3], (unsigned)hash[4], path);
}

const char *tree_sums(apr_pool_t *pool, const char *const *list) {
    size_t size = 0;
    for (size_t i = 0; list[i]; i++)
        size += strlen(list[i]) + 2 * 20 + 3;
    char *sums = apr_pcalloc(pool, size + 1), *end = sums;
    for (size_t i = 0; list[i]; i++) {
        const char *line = sum_line(pool, list[i]);
        end = (char *)memcpy(end, line, strlen(line)) + strlen(line);
    }
    return sums;
}
