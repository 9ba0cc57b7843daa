/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that can be passed on, seen from one process: how it is made, mapped once more, and given back. */
#include "seam/process.h"

#include <string.h>

#include <apr_errno.h>

#include "support/harness.h"

enum { SHARED_SIZE = 100 * 1000 };

static void is_zero_and_at_least_as_large_as_asked_for(void) {
    fy_shared shared;
    CHECK_STATUS(fy_shared_create(SHARED_SIZE, &shared), 0);
    CHECK(shared.size >= SHARED_SIZE);
    CHECK_INT(shared.size % 4096, 0);
    for (size_t i = 0; i < shared.size; i++)
        CHECK(((char *)shared.address)[i] == 0);
    memset(shared.address, 'x', shared.size);
    fy_shared_close(&shared);
}

static void absurd_sizes_are_refused(void) {
    fy_shared shared = {.size = 1};
    CHECK_STATUS(fy_shared_create(0, &shared), APR_EINVAL);
    CHECK_STATUS(fy_shared_create(SIZE_MAX, &shared), APR_EINVAL);
    CHECK_STATUS(fy_shared_create(SIZE_MAX - 4096, &shared), APR_EINVAL);
    CHECK_INT(shared.size, 1);
}

/* More than any machine has addresses for. */
static void what_the_system_refuses_is_a_status(void) {
    fy_shared shared = {.size = 1};
    CHECK(fy_shared_create(PTRDIFF_MAX / 4, &shared) != 0);
    CHECK_INT(shared.size, 1);
}

/* The handle is given away, as it is to another process. */
static fy_handle give_away(fy_shared *shared) {
    fy_handle handle = shared->handle;
    shared->handle = -1;
    return handle;
}

static void what_is_written_is_seen_where_it_is_mapped_again(void) {
    fy_shared made, mapped;
    CHECK_STATUS(fy_shared_create(SHARED_SIZE, &made), 0);
    strcpy(made.address, "one");
    CHECK_STATUS(fy_shared_map(give_away(&made), made.size, &mapped), 0);
    CHECK_INT(mapped.size, made.size);
    CHECK_INT(mapped.handle, -1);
    CHECK(mapped.address != made.address);
    CHECK_STRING(mapped.address, "one");
    strcpy((char *)mapped.address + mapped.size - 4, "two");
    CHECK_STRING((char *)made.address + made.size - 4, "two");
    fy_shared_close(&made);
    CHECK_STRING(mapped.address, "one");
    fy_shared_close(&mapped);
}

static void memory_that_is_too_small_is_refused(void) {
    fy_shared made, mapped = {.size = 1};
    for (size_t factor = 2; factor < 1000; factor *= 8) {
        CHECK_STATUS(fy_shared_create(SHARED_SIZE, &made), 0);
        size_t size = made.size * factor;
        CHECK_STATUS(fy_shared_map(give_away(&made), size, &mapped), APR_EINVAL);
        fy_shared_close(&made);
    }
    CHECK_STATUS(fy_shared_create(SHARED_SIZE, &made), 0);
    CHECK_STATUS(fy_shared_map(give_away(&made), 0, &mapped), APR_EINVAL);
    fy_shared_close(&made);
    CHECK_INT(mapped.size, 1);
}

static void closing_twice_does_nothing(void) {
    fy_shared shared;
    CHECK_STATUS(fy_shared_create(SHARED_SIZE, &shared), 0);
    fy_shared_close(&shared);
    CHECK(!shared.address);
    CHECK_INT(shared.size, 0);
    fy_shared_close(&shared);
}

static const fy_test tests[] = {
    FY_TEST(is_zero_and_at_least_as_large_as_asked_for),
    FY_TEST(absurd_sizes_are_refused),
    FY_TEST(what_the_system_refuses_is_a_status),
    FY_TEST(what_is_written_is_seen_where_it_is_mapped_again),
    FY_TEST(memory_that_is_too_small_is_refused),
    FY_TEST(closing_twice_does_nothing),
};

FY_TEST_MAIN("shared_memory", tests)
