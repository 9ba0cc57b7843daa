/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of pointers: handles are places in one, and the lowest free place is given next, as systems do it, so that
 * what is used after its close meets something else in its place. */
#include <apr_errno.h>

#include "base/alloc.h"
#include "sim/sim.h"

enum { FIRST_CAPACITY = 16 };

ferry_status fy_sim_table_reserve(fy_sim_table *table, size_t count) {
    size_t capacity = table->capacity ? table->capacity : FIRST_CAPACITY;
    while (capacity < count)
        capacity *= 2;
    if (capacity == table->capacity)
        return 0;
    void **items = fy_realloc(table->items, capacity * sizeof *items);
    if (!items)
        return APR_ENOMEM;
    table->items = items;
    table->capacity = capacity;
    return 0;
}

ferry_status fy_sim_table_put(fy_sim_table *table, void *item, size_t *ret_index) {
    size_t index = 0;
    while (index < table->count && table->items[index])
        index++;
    if (index == table->count) {
        ferry_status status = fy_sim_table_reserve(table, table->count + 1);
        if (status)
            return status;
        table->count++;
    }
    table->items[index] = item;
    *ret_index = index;
    return 0;
}

void *fy_sim_table_get(const fy_sim_table *table, intptr_t index) {
    return index >= 0 && (size_t)index < table->count ? table->items[index] : NULL;
}

void fy_sim_table_fini(fy_sim_table *table) {
    fy_free(table->items);
    *table = (fy_sim_table){0};
}
