/* SPDX-License-Identifier: Apache-2.0 */
/* Packing: every kind of item comes back as it went in, also through a job; senseless calls are refused, and memory
 * that runs out is a status. */
#include "support/packs.h"

#include <apr_errno.h>
#include <string.h>

#include "support/alignment.h"
#include "support/allocator.h"
#include "support/manual.h"

/* ---- there and back ---- */

static void numbers_come_back(void) {
    static const double reals[] = {0.0, -0.0, 1e308, 5e-324, -2.5};
    static const int64_t integers[] = {0, -1, INT64_MIN, INT64_MAX};
    ferry_pack pack = {0};
    ferry_unpack in;
    for (size_t i = 0; i < 5; i++)
        ferry_pack_real(&pack, reals[i]);
    for (size_t i = 0; i < 4; i++)
        ferry_pack_integer(&pack, integers[i]);
    ferry_pack_unsigned(&pack, UINT64_MAX);
    ferry_pack_bool(&pack, true);
    ferry_pack_bool(&pack, false);
    begin_reading(&pack, &in);
    for (size_t i = 0; i < 5; i++) {
        double real = ferry_unpack_real(&in);
        CHECK(memcmp(&real, &reals[i], sizeof real) == 0);
    }
    for (size_t i = 0; i < 4; i++)
        CHECK(ferry_unpack_integer(&in) == integers[i]);
    CHECK(ferry_unpack_unsigned(&in) == UINT64_MAX);
    CHECK(ferry_unpack_bool(&in));
    CHECK(!ferry_unpack_bool(&in));
    CHECK_STATUS(ferry_unpack_end(&in), 0);
    ferry_pack_fini(&pack);
}

static void strings_and_bytes_come_back_and_are_borrowed(void) {
    ferry_pack pack = {0};
    ferry_unpack in;
    size_t size;
    ferry_pack_string(&pack, "one");
    ferry_pack_bytes(&pack, "b\0c", 3);
    ferry_pack_string(&pack, "");
    ferry_pack_bytes(&pack, NULL, 0);
    begin_reading(&pack, &in);
    const char *one = ferry_unpack_string(&in);
    CHECK_STRING(one, "one");
    CHECK((const unsigned char *)one > in.bytes && (const unsigned char *)one < in.bytes + in.size);
    CHECK(memcmp(ferry_unpack_bytes(&in, &size), "b\0c", 3) == 0);
    CHECK_INT(size, 3);
    CHECK_STRING(ferry_unpack_string(&in), "");
    size = 9;
    CHECK(ferry_unpack_bytes(&in, &size) != NULL);
    CHECK_INT(size, 0);
    CHECK_STATUS(ferry_unpack_end(&in), 0);
    ferry_pack_fini(&pack);
}

static void struct_comes_back(void) {
    const point packed = {.x = 7, .y = 0.5};
    point found = {0};
    ferry_pack pack = {0};
    ferry_unpack in;
    ferry_pack_bool(&pack, true);
    ferry_pack_struct(&pack, &packed, sizeof packed);
    begin_reading(&pack, &in);
    CHECK(ferry_unpack_bool(&in));
    ferry_unpack_struct(&in, &found, sizeof found);
    CHECK_STATUS(ferry_unpack_end(&in), 0);
    CHECK(found.x == 7 && found.y >= 0.5 && found.y <= 0.5);
    ferry_pack_fini(&pack);
}

static void array_is_aligned_in_place_wherever_it_lies(void) {
    fy_max_align elements[3] = {{.integer = 1}, {.integer = 2}, {.integer = 3}};
    char text[20] = "";
    for (size_t length = 0; length < sizeof text - 1; length++) {
        ferry_pack pack = {0};
        ferry_unpack in;
        size_t count;
        memset(text, 'x', length);
        ferry_pack_string(&pack, text);
        ferry_pack_array(&pack, elements, sizeof elements[0], 3);
        begin_reading(&pack, &in);
        CHECK_STRING(ferry_unpack_string(&in), text);
        const fy_max_align *found = ferry_unpack_array(&in, sizeof *found, &count);
        CHECK_STATUS(ferry_unpack_end(&in), 0);
        CHECK_INT(count, 3);
        CHECK_INT((uintptr_t)found % _Alignof(fy_max_align), 0);
        CHECK(found[0].integer == 1 && found[1].integer == 2 && found[2].integer == 3);
        ferry_pack_fini(&pack);
    }
}

static void array_is_copied_out(void) {
    uint32_t found[WORDS + 1] = {0};
    ferry_pack pack = {0};
    ferry_unpack in;
    ferry_pack_array(&pack, words, sizeof words[0], WORDS);
    ferry_pack_array(&pack, NULL, sizeof words[0], 0);
    ferry_pack_array(&pack, words, sizeof words[0], WORDS);
    begin_reading(&pack, &in);
    CHECK_INT(ferry_unpack_array_into(&in, found, sizeof found[0], WORDS + 1), WORDS);
    CHECK(memcmp(found, words, sizeof words) == 0);
    CHECK_INT(ferry_unpack_array_into(&in, NULL, sizeof found[0], 0), 0);
    CHECK_STATUS(in.status, 0);
    found[0] = 77;
    CHECK_INT(ferry_unpack_array_into(&in, found, sizeof found[0], WORDS - 1), 0);
    CHECK_INT(found[0], 77);
    CHECK_STATUS(ferry_unpack_end(&in), FERRY_EFULL);
    ferry_pack_fini(&pack);
}

static void bytes_that_lie_askew_are_refused_in_place_and_copied_out(void) {
    static fy_max_align place[32];
    unsigned char *askew = (unsigned char *)place + 1;
    uint32_t found[WORDS];
    ferry_pack pack = {0};
    ferry_unpack in;
    size_t count = 9;
    ferry_pack_array(&pack, words, sizeof words[0], WORDS);
    CHECK(pack.size < sizeof place);
    memcpy(askew, pack.bytes, pack.size);
    ferry_unpack_init(&in, askew, pack.size);
    CHECK(ferry_unpack_array(&in, sizeof words[0], &count) == NULL);
    CHECK_INT(count, 0);
    CHECK_STATUS(ferry_unpack_end(&in), APR_EINVAL);
    ferry_unpack_init(&in, askew, pack.size);
    CHECK_INT(ferry_unpack_array_into(&in, found, sizeof found[0], WORDS), WORDS);
    CHECK(memcmp(found, words, sizeof words) == 0);
    CHECK_STATUS(ferry_unpack_end(&in), 0);
    ferry_pack_fini(&pack);
}

static void empty_pack_is_no_bytes(void) {
    ferry_pack pack = {0};
    ferry_unpack in;
    void *bytes = &pack;
    size_t size = 9;
    CHECK_STATUS(ferry_pack_finish(&pack, &bytes, &size), 0);
    CHECK(bytes == NULL);
    CHECK_INT(size, 0);
    ferry_unpack_init(&in, bytes, size);
    CHECK_STATUS(ferry_unpack_end(&in), 0);
    CHECK_INT(ferry_unpack_integer(&in), 0);
    CHECK_STATUS(ferry_unpack_end(&in), FERRY_ETRUNCATED);
}

static void large_items_come_back(void) {
    enum { LARGE = 3000000 };
    unsigned char *large = malloc(LARGE);
    ferry_pack pack = {0};
    ferry_unpack in;
    size_t size;
    CHECK(large != NULL);
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (unsigned char)(i * 7 >> 3);
    ferry_pack_integer(&pack, 1);
    ferry_pack_bytes(&pack, large, LARGE);
    ferry_pack_integer(&pack, 2);
    begin_reading(&pack, &in);
    CHECK_INT(ferry_unpack_integer(&in), 1);
    CHECK(memcmp(ferry_unpack_bytes(&in, &size), large, LARGE) == 0);
    CHECK_INT(size, LARGE);
    CHECK_INT(ferry_unpack_integer(&in), 2);
    CHECK_STATUS(ferry_unpack_end(&in), 0);
    ferry_pack_fini(&pack);
    free(large);
}

/* ---- through a job ---- */

static ferry_status swap(void *arg, ferry_call *call) {
    ferry_pack pack = {0};
    ferry_unpack in;
    ferry_unpack_init(&in, arg, ferry_call_arg_size(call));
    int64_t number = ferry_unpack_integer(&in);
    const char *string = ferry_unpack_string(&in);
    ferry_status status = ferry_unpack_end(&in);
    if (status)
        return status;
    ferry_pack_string(&pack, string);
    ferry_pack_integer(&pack, number);
    status = ferry_return_packed(call, &pack);
    CHECK(pack.bytes == NULL && pack.size == 0);
    return status;
}

/* Runs `function` by hand with what the pack holds. */
static ferry_job *ran_with(fy_manual *manual, ferry_function *function, const ferry_pack *pack) {
    ferry_job *job;
    ferry_job_options options = {FERRY_JOB_OPTIONS, .function = function};
    CHECK_STATUS(ferry_pack_finish(pack, &options.arg, &options.arg_size), 0);
    CHECK_STATUS(ferry_executor_submit_with(manual->executor, &options, &job), 0);
    CHECK_INT(fy_manual_run_all(manual, NULL), 1);
    return job;
}

static void argument_and_result_of_a_job_are_packs(void) {
    fy_manual manual;
    ferry_pack pack = {0};
    ferry_unpack in;
    size_t size;
    fy_manual_open(&manual);
    ferry_pack_integer(&pack, 42);
    ferry_pack_string(&pack, "the answer");
    ferry_job *job = ran_with(&manual, swap, &pack);
    ferry_pack_fini(&pack);
    CHECK_STATUS(ferry_job_status(job), 0);
    const void *result = ferry_job_bytes(job, &size);
    ferry_unpack_init(&in, result, size);
    CHECK_STRING(ferry_unpack_string(&in), "the answer");
    CHECK_INT(ferry_unpack_integer(&in), 42);
    CHECK_STATUS(ferry_unpack_end(&in), 0);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

static void wrong_argument_is_the_jobs_error(void) {
    fy_manual manual;
    ferry_pack pack = {0};
    fy_manual_open(&manual);
    ferry_job *job = ran_with(&manual, swap, &pack);
    CHECK_STATUS(ferry_job_status(job), FERRY_ETRUNCATED);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

static ferry_status return_bad_pack(void *arg, ferry_call *call) {
    ferry_pack pack = {0};
    (void)arg;
    ferry_pack_integer(&pack, 1);
    ferry_pack_string(&pack, NULL);
    CHECK_STATUS(ferry_return_packed(call, NULL), APR_EINVAL);
    ferry_status status = ferry_return_packed(call, &pack);
    CHECK(pack.bytes == NULL && pack.status == 0);
    return status;
}

static void result_that_could_not_be_packed_is_the_jobs_error(void) {
    fy_manual manual;
    size_t size;
    fy_manual_open(&manual);
    ferry_job *job = fy_manual_ran(&manual, return_bad_pack, NULL);
    CHECK_STATUS(ferry_job_status(job), APR_EINVAL);
    CHECK(ferry_job_bytes(job, &size) == NULL);
    ferry_job_unref(job);
    fy_manual_close(&manual);
}

/* ---- what makes no sense ---- */

static void senseless_packing_is_refused_and_the_error_stays(void) {
    void *bytes = &bytes;
    size_t size = 9;
    for (int mistake = 0; mistake < 7; mistake++) {
        ferry_pack pack = {0};
        ferry_pack_integer(&pack, 1);
        switch (mistake) {
        case 0:
            ferry_pack_string(&pack, NULL);
            break;
        case 1:
            ferry_pack_bytes(&pack, NULL, 1);
            break;
        case 2:
            ferry_pack_struct(&pack, NULL, 8);
            break;
        case 3:
            ferry_pack_struct(&pack, words, 0);
            break;
        case 4:
            ferry_pack_array(&pack, NULL, 4, 1);
            break;
        case 5:
            ferry_pack_array(&pack, words, 0, 1);
            break;
        default:
            ferry_pack_array(&pack, words, 8, SIZE_MAX / 4);
        }
        size_t before = pack.size;
        pack_all(&pack);
        CHECK_INT(pack.size, before);
        CHECK_STATUS(ferry_pack_finish(&pack, &bytes, &size), APR_EINVAL);
        CHECK(bytes == &bytes && size == 9);
        ferry_pack_fini(&pack);
        ferry_pack_integer(&pack, 1);
        CHECK_STATUS(ferry_pack_finish(&pack, &bytes, &size), 0);
        ferry_pack_fini(&pack);
        bytes = &bytes;
        size = 9;
    }
}

/* ---- memory that runs out ---- */

static int pack_until_refused(void) {
    static const unsigned char block[1000];
    ferry_pack pack = {0};
    void *bytes = NULL;
    size_t size = 0;
    pack_all(&pack);
    ferry_pack_bytes(&pack, block, sizeof block);
    pack_all(&pack);
    ferry_pack_bytes(&pack, block, sizeof block);
    for (int i = 0; i < 100; i++)
        pack_all(&pack);
    ferry_status status = ferry_pack_finish(&pack, &bytes, &size);
    CHECK(status == 0 || status == APR_ENOMEM);
    CHECK_INT(bytes != NULL, status == 0);
    ferry_pack_fini(&pack);
    return status != 0;
}

static void memory_that_runs_out_is_a_status(void) {
    allocator_refuse_each(pack_until_refused, false, 4);
    allocator_refuse_each(pack_until_refused, true, 4);
}

static const fy_test tests[] = {
    FY_TEST(numbers_come_back),
    FY_TEST(strings_and_bytes_come_back_and_are_borrowed),
    FY_TEST(struct_comes_back),
    FY_TEST(array_is_aligned_in_place_wherever_it_lies),
    FY_TEST(array_is_copied_out),
    FY_TEST(bytes_that_lie_askew_are_refused_in_place_and_copied_out),
    FY_TEST(empty_pack_is_no_bytes),
    FY_TEST(large_items_come_back),
    FY_TEST(argument_and_result_of_a_job_are_packs),
    FY_TEST(wrong_argument_is_the_jobs_error),
    FY_TEST(result_that_could_not_be_packed_is_the_jobs_error),
    FY_TEST(senseless_packing_is_refused_and_the_error_stays),
    FY_TEST(memory_that_runs_out_is_a_status),
};

FY_TEST_MAIN("pack", tests)
